"""The git repository that a command is called in."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from proxy.cli.repository import Repository
from proxy.core.errors import GitError

if TYPE_CHECKING:
    from pathlib import Path


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    path = tmp_path / "my répo"
    path.mkdir()
    run(path, "init", "-q")
    return path


def test_it_is_found_from_any_folder_in_it(top: Path) -> None:
    (top / "a/b").mkdir(parents=True)
    assert Repository.around(top / "a/b") == Repository(top)


def test_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="in no work tree of git: not a git repository"):
        Repository.around(tmp_path)


def test_a_bare_repository_is_told(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", "--bare")
    with pytest.raises(GitError, match="must be run in a work tree"):
        Repository.around(tmp_path)


def test_that_git_is_missing_is_told(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(top))
    with pytest.raises(GitError, match="git is not to be found"):
        Repository.around(top)


def test_a_setting_is_the_repositorys_own(top: Path) -> None:
    repository = Repository(top)
    assert repository.setting("diff.llmtape.textconv") is None
    repository.set("diff.llmtape.textconv", 'it\'s "x" y%')
    assert repository.setting("diff.llmtape.textconv") == 'it\'s "x" y%'
    repository.set("diff.llmtape.textconv", None)
    repository.set("diff.llmtape.textconv", None)
    assert repository.setting("diff.llmtape.textconv") is None


def test_a_work_tree_beside_shares_the_settings_and_has_its_own_files(top: Path, tmp_path: Path) -> None:
    run(top, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "first")
    run(top, "worktree", "add", "-q", str(tmp_path / "beside"))
    Repository(top).set("diff.llmtape.textconv", "x")
    beside = Repository.around(tmp_path / "beside")
    assert beside.top == tmp_path / "beside"
    assert beside.setting("diff.llmtape.textconv") == "x"


def test_files_are_found_by_their_attribute(top: Path) -> None:
    (top / ".gitattributes").write_text("*.sqlite merge=llmtape\nno.sqlite -merge\n")
    (top / "in é").mkdir()
    for name in ("a.sqlite", "in é/b.sqlite", "no.sqlite", "c.txt", "untracked.sqlite"):
        (top / name).touch()
    run(top, "add", "a.sqlite", "in é/b.sqlite", "no.sqlite", "c.txt")
    assert Repository(top).tracked("merge=llmtape") == [top / "a.sqlite", top / "in é/b.sqlite"]
