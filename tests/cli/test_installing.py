"""What makes git understand cassettes."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli import installing
from proxy.cli.installing import ATTRIBUTES, IGNORED, install, lines_for, uninstall
from proxy.cli.repository import Repository
from proxy.core.errors import ConfigError, GitError

if TYPE_CHECKING:
    from pathlib import Path

LINE = "*.sqlite diff=llmtape merge=llmtape -text"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return Repository.around(tmp_path)


def held(repository: Repository) -> dict[str, bytes]:
    """Read all that an install may touch."""
    paths = (repository.top / name for name in (".gitattributes", ".gitignore", ".git/config"))
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def test_files_and_settings_are_written(repository: Repository) -> None:
    install(repository, ["*.sqlite"])
    assert (repository.top / ".gitattributes").read_text().splitlines() == [ATTRIBUTES.remark, LINE]
    ignored = [f"*.sqlite{ending}" for ending in ("-wal", "-shm", "-journal")]
    assert (repository.top / ".gitignore").read_text().splitlines() == [IGNORED.remark, *ignored]
    assert {name: repository.setting(name) for name in installing.settings()} == installing.settings()


def test_a_second_install_changes_nothing(repository: Repository) -> None:
    install(repository, ["*.sqlite"])
    before = held(repository)
    install(repository, ["*.sqlite"])
    assert held(repository) == before


@pytest.mark.parametrize(
    "text", ["", "*.png binary\n", "# no end", "*.sqlite-wal\n\n\nx\n", "a\r\nb\r\n", "é\f\u2028\n"]
)
def test_what_was_there_stays_and_is_all_that_is_left_after_an_uninstall(text: str, repository: Repository) -> None:
    for name in (".gitattributes", ".gitignore"):
        (repository.top / name).write_bytes(text.encode())
    config = held(repository)["config"]
    install(repository, ["*.sqlite"])
    install(repository, ["more/*.tape"])
    assert (repository.top / ".gitattributes").read_bytes().startswith(text.encode())
    uninstall(repository)
    whole = text.encode() + (b"" if text.endswith("\n") or not text else b"\n")
    wanted = {".gitattributes": whole, ".gitignore": whole} if text else {}
    assert held(repository) == {**wanted, "config": config}


@given(st.lists(st.text("ab#\n -wl", max_size=8)), st.lists(st.sampled_from("abc"), min_size=1, unique=True))
def test_a_block_that_is_removed_leaves_any_text_as_it_was(texts: list[str], names: list[str]) -> None:
    text = "".join(f"{line}\n" for line in texts)
    lines = [f"{name}-wal" for name in names]
    added = IGNORED.added_to(text, lines)
    assert set(lines) <= set(added.splitlines())
    assert IGNORED.added_to(added, lines) == added
    if IGNORED.remark in added:
        assert IGNORED.removed_from(added) == text


def test_settings_of_a_users_own_stay(repository: Repository) -> None:
    repository.set("diff.llmtape.cachetextconv", "true")
    install(repository, ["*.sqlite"])
    uninstall(repository)
    assert repository.setting("diff.llmtape.cachetextconv") == "true"
    assert not any(map(repository.setting, installing.settings()))


def test_an_uninstall_where_nothing_is_installed_changes_nothing(repository: Repository) -> None:
    before = held(repository)
    uninstall(repository)
    assert held(repository) == before


@pytest.mark.parametrize("pattern", ["", "#x", "!x", "-x", "a\nb"])
def test_what_git_takes_for_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="no pattern"):
        lines_for([pattern])


@pytest.mark.parametrize("pattern", ["my tapes/*.sqlite", '"odd".sqlite', "back\\\\slash x.sqlite"])
def test_git_understands_any_pattern(pattern: str, repository: Repository) -> None:
    install(repository, [pattern])
    name = pattern.replace("*", "a").replace("\\\\", "\\")
    found = subprocess.run(
        ["git", "check-attr", "-z", "merge", "--", name], cwd=repository.top, capture_output=True, check=True
    ).stdout
    assert found.split(b"\0")[2] == b"llmtape"


def test_the_command_is_that_of_this_installation_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "100% my tools"
    folder.mkdir()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(folder))
    assert installing.command_line() == [sys.executable, "-P", "-m", "proxy"]
    (folder / "llmtape").touch()
    assert installing.command_line() == [str(folder / "llmtape")]
    made = installing.settings()
    assert shlex.split(made["diff.llmtape.textconv"]) == [str(folder / "llmtape"), "git", "textconv", "--"]
    assert "/100%% my tools/llmtape' git merge-driver -- %O %A %B %P" in made["merge.llmtape.driver"]


def test_a_file_that_cannot_be_written_is_told(repository: Repository) -> None:
    (repository.top / ".gitattributes").mkdir()
    with pytest.raises(GitError, match=r"cannot write .*\.gitattributes"):
        install(repository, ["*.sqlite"])
