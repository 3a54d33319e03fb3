"""Cassettes in a real repository, with the real git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from proxy.cassette.settle import conflicts_in
from proxy.cli import main
from proxy.cli.installing import command_line
from tests.cassette.making import NOON, change
from tests.cassette.versions import LATER, Versions, recorded

if TYPE_CHECKING:
    from pathlib import Path

TAPE = "my tapes/a b.sqlite"
KEYS = {asked: recorded(asked, "1")[0].track.key[:12] for asked in "abcde"}


class Work:
    """A work tree with a cassette in it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.tape = top / TAPE
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_EDITOR": "true",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.com",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.com",
            "LC_ALL": "C",
        }

    def run(self, *command: str, fails: bool = False, folder: str = ".") -> str:
        """Run a command; return all that it wrote."""
        done = subprocess.run(
            command, cwd=self.top / folder, env=self.environment, check=False, capture_output=True, encoding="utf-8"
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def git(self, *arguments: str, fails: bool = False, folder: str = ".") -> str:
        return self.run("git", *arguments, fails=fails, folder=folder)

    def llmtape(self, *arguments: str, fails: bool = False, folder: str = ".") -> str:
        return self.run(*command_line(), *arguments, fails=fails, folder=folder)

    def record(self, at: str = LATER, **said: str) -> None:
        """Have the cassette hold this, each question asked in its turn."""
        self.tape.parent.mkdir(exist_ok=True)
        made = self.top.parent / "made"
        made.mkdir(exist_ok=True)
        Versions(made).store_all("made", {asked: [answer] for asked, answer in said.items()}, at).replace(self.tape)

    def commit(self, message: str, at: str = LATER, **said: str) -> None:
        self.record(at, **said)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def says(self) -> list[str]:
        return Versions(self.tape.parent).says(self.tape.stem)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A repository with an install and a first commit."""
    top = tmp_path / "my repo"
    top.mkdir()
    work = Work(top)
    work.git("init", "-q", "-b", "main")
    work.llmtape("git", "install")
    work.commit("first", NOON, a="1", b="1", c="1")
    return work


@pytest.fixture
def parted(work: Work) -> Work:
    """Two branches that recorded `a` differently, and things beside it."""
    work.git("checkout", "-q", "-b", "other")
    work.commit("theirs", a="theirs", b="2", c="1", d="1")
    work.git("checkout", "-q", "main")
    work.commit("ours", "2026-11-24T12:00:00.000Z", a="ours", b="1", c="2", e="1")
    return work


def changes(diff: str) -> list[str]:
    """Return the lines that a diff changes, but for those that say when."""
    lines = [line for line in diff.splitlines() if line[:1] in {"-", "+"} and line[:3] not in {"---", "+++"}]
    return [line for line in lines if "  recorded " not in line]


@pytest.mark.parametrize(
    "command",
    [
        ["diff", "HEAD"],
        ["diff", "--cached"],
        ["-c", "diff.noprefix=true", "diff", "--staged", "--", TAPE],
        ["log", "-p", "-1"],
        ["show", "HEAD"],
        ["diff", "HEAD~1", "HEAD"],
    ],
    ids=" ".join,
)
def test_a_changed_answer_is_shown_as_a_changed_answer(command: list[str], work: Work) -> None:
    work.record(NOON, a="1", b="two", c="1")
    work.git("add", "-A")
    if command[-1] not in {"HEAD", "--cached", TAPE} or command[0] == "show" or "HEAD~1" in command:
        work.git("commit", "-q", "-m", "second")
    diff = work.git(*command)
    assert changes(diff) == ["-    1", "+    two"]
    assert f"@@ {KEYS['b']}:1 chat" in diff


def test_branches_that_recorded_different_things_merge_without_conflict(work: Work) -> None:
    work.git("checkout", "-q", "-b", "other")
    work.commit("theirs", a="1", b="2", c="1", d="1")
    work.git("checkout", "-q", "main")
    work.commit("ours", a="1", b="1", c="2", e="1")
    work.git("merge", "-q", "-m", "merged", "other")
    assert work.says() == ["a 1", "b 2", "c 2", "e 1", "d 1"]
    assert work.git("status", "--porcelain") == ""
    assert changes(work.git("show", "--first-parent", "HEAD"))[:2] == ["-    1", "+    2"]


def test_a_conflict_names_the_key_and_leaves_a_file_that_can_be_used(parted: Work) -> None:
    told = parted.git("merge", "other", fails=True)
    assert f"llmtape: conflict in {TAPE}: {KEYS['a']}\n" in told
    assert f"--both KEY '{TAPE}'" in told
    assert parted.says() == ["a ours", "b 2", "c 2", "e 1", "d 1"]
    assert parted.git("status", "--porcelain") == f'UU "{TAPE}"\n'
    assert KEYS["a"] in parted.llmtape("ls", TAPE)
    assert f"CONFLICT {KEYS['a']}: theirs has" in parted.git("diff")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("--ours", ["a ours", "b 2", "c 2", "e 1", "d 1"]),
        ("--theirs", ["a theirs", "b 2", "c 2", "e 1", "d 1"]),
        ("--both", ["a ours", "b 2", "c 2", "e 1", "d 1", "a:2 theirs"]),
    ],
)
def test_a_conflict_is_settled_and_committed(how: str, says: list[str], parted: Work) -> None:
    parted.git("merge", "other", fails=True)
    assert f"{KEYS['a']}  a\n" in parted.llmtape("merge", "--conflicts", fails=True)
    told = parted.llmtape("merge", how, KEYS["a"][:6])
    assert told == f"{TAPE}: 1 conflict settled, none left.\nNow: git add '{TAPE}'\n"
    parted.git("add", TAPE)
    parted.git("commit", "-q", "-m", "settled")
    assert parted.says() == says
    assert parted.git("status", "--porcelain") == ""
    assert "CONFLICT" not in parted.git("show", "HEAD")


def test_it_is_settled_from_any_folder(parted: Work) -> None:
    parted.git("merge", "other", fails=True)
    (parted.top / "deep").mkdir()
    assert "Now: git add '../my tapes/a b.sqlite'" in parted.llmtape("merge", "--theirs", "all", folder="deep")
    assert conflicts_in(parted.tape) == {}


def test_a_cherry_pick_takes_one_commit_along(work: Work) -> None:
    work.git("checkout", "-q", "-b", "other")
    work.commit("one", a="1", b="1", c="1", d="1")
    work.commit("two", a="1", b="2", c="1", d="1")
    work.git("checkout", "-q", "main")
    work.git("cherry-pick", "other")
    assert work.says() == ["a 1", "b 2", "c 1"]


def test_a_rebase_replays_each_commit_and_stops_at_a_conflict(parted: Work) -> None:
    told = parted.git("rebase", "other", fails=True)
    assert f"conflict in {TAPE}: {KEYS['a']}" in told
    assert parted.says() == ["a theirs", "b 2", "c 2", "d 1", "e 1"]
    parted.llmtape("merge", "--theirs", "all")  # of a rebase, theirs is the commit that is moved
    parted.git("add", "-A")
    parted.git("rebase", "--continue")
    assert parted.says() == ["a ours", "b 2", "c 2", "d 1", "e 1"]


def test_a_stash_is_merged_like_a_commit(work: Work) -> None:
    work.record(a="1", b="2", c="1")
    work.git("stash", "-q")
    work.commit("ours", a="1", b="1", c="2")
    work.git("stash", "pop", "-q")
    assert work.says() == ["a 1", "b 2", "c 2"]


def test_a_cassette_that_both_branches_added_merges(work: Work) -> None:
    new = work.top / "new.sqlite"
    for branch, said in (("other", {"a": "1", "d": "1"}), ("main", {"a": "1", "e": "1"})):
        work.git("checkout", "-q", *(["-b"] if branch == "other" else []), branch)
        Versions(work.top).store("new", **said)
        work.git("add", "-A")
        work.git("commit", "-q", "-m", branch)
    work.git("merge", "-q", "-m", "merged", "other")
    assert Versions(new.parent).says("new") == ["a 1", "e 1", "d 1"]


def test_a_criss_cross_merge_has_a_merge_for_its_base(work: Work) -> None:
    work.git("checkout", "-q", "-b", "other")
    work.commit("theirs", a="1", b="2", c="1")
    work.git("checkout", "-q", "main")
    work.commit("ours", a="2", b="1", c="1")
    work.git("branch", "kept")
    work.git("merge", "-q", "-m", "one way", "other")
    work.git("checkout", "-q", "other")
    work.git("merge", "-q", "-m", "the other way", "kept")
    work.commit("on", a="2", b="2", c="3")
    work.git("checkout", "-q", "main")
    work.git("merge", "-q", "-m", "both", "other")
    assert work.says() == ["a 2", "b 2", "c 3"]


@pytest.mark.parametrize("content", ["", "not a database " * 400], ids=["empty", "foreign"])
def test_a_file_that_is_no_cassette_stops_no_diff_and_no_merge(content: str, parted: Work) -> None:
    parted.git("checkout", "-q", "other")
    parted.tape.write_text(content)
    parted.git("commit", "-q", "-a", "-m", "spoilt")
    assert "+cannot be shown: this file is not a cassette" in parted.git("show", "HEAD")
    parted.git("checkout", "-q", "main")
    told = parted.git("merge", "other", fails=True)
    assert f"llmtape: cannot merge {TAPE}, ours stays: theirs is not a cassette" in told
    assert parted.says() == ["a ours", "b 1", "c 2", "e 1"]


@pytest.mark.parametrize("name", ["-x.sqlite", "--help.sqlite", "a\x1b[31m\nb.sqlite"])
def test_a_file_of_any_name_is_shown_and_merged(name: str, parted: Work) -> None:
    for branch in ("other", "main"):
        parted.git("checkout", "-q", branch)
        parted.git("mv", TAPE, f"./{name}")
        parted.git("commit", "-q", "-m", "named anew")
    told = parted.git("merge", "other", fails=True)
    assert "\x1b" not in told[told.index("llmtape: conflict in ") :]
    assert f"{KEYS['a']}  a\n" in parted.llmtape("merge", "--conflicts", fails=True)
    parted.llmtape("merge", "--theirs", "all")
    diff = parted.git("diff", "HEAD")
    assert "-    ours\n" in diff
    assert "+    theirs\n" in diff


def test_that_there_is_no_conflict_is_told(work: Work) -> None:
    assert work.llmtape("merge", "--conflicts") == "No cassette that git tracks has conflicts.\n"
    assert work.llmtape("merge", "--conflicts", "--json") == "[]\n"
    told = work.llmtape("merge", "--theirs", "all", fails=True)
    assert "no conflict 'all' in any cassette" in told


def test_two_branches_that_settled_a_conflict_differently_have_it_again(parted: Work) -> None:
    parted.git("merge", "other", fails=True)
    parted.llmtape("merge", "--ours", "all")
    parted.git("commit", "-q", "-a", "-m", "ours it is")
    parted.git("checkout", "-q", "other")
    parted.git("merge", "main^", fails=True)
    parted.llmtape("merge", "--ours", "all")
    parted.git("commit", "-q", "-a", "-m", "theirs it is")
    parted.git("checkout", "-q", "main")
    parted.git("merge", "other", fails=True)
    assert parted.says() == ["a ours", "b 2", "c 2", "e 1", "d 1"]
    assert len(conflicts_in(parted.tape)) == 1


def test_a_newer_file_stops_no_diff(work: Work) -> None:
    change(work.tape, "pragma user_version = 99")
    assert "+cannot be shown: this file has cassette format 99" in work.git("diff")


def test_a_clone_needs_an_install_and_a_merge_before_it_is_made_again(parted: Work, tmp_path: Path) -> None:
    parted.git("clone", "-q", str(parted.top), str(tmp_path / "clone"))
    clone = Work(tmp_path / "clone")
    told = clone.git("merge", "origin/other", fails=True)
    assert "llmtape" not in told
    clone.llmtape("git", "install")
    assert clone.git("status", "--porcelain") == f'UU "{TAPE}"\n'
    clone.git("checkout", "-m", TAPE)
    assert clone.says() == ["a ours", "b 2", "c 2", "e 1", "d 1"]
    assert len(conflicts_in(clone.tape)) == 1


def test_an_install_says_what_it_did_and_an_uninstall_takes_it_back(work: Work) -> None:
    told = work.llmtape("git", "install", "tapes/*.tape")
    assert ".gitattributes: tapes/*.tape diff=llmtape merge=llmtape -text\n" in told
    assert "Each clone runs `llmtape git install` once." in told
    work.llmtape("git", "uninstall")
    assert not (work.top / ".gitattributes").exists()
    assert not (work.top / ".gitignore").exists()
    assert "llmtape" not in (work.top / ".git/config").read_text()
    work.record(a="2", b="1", c="1")
    assert "Binary files" in work.git("diff")


def test_what_a_recorder_leaves_beside_a_cassette_is_not_committed(work: Work) -> None:
    (work.top / f"{TAPE}-wal").touch()
    assert work.git("status", "--porcelain") == ""


def test_an_install_in_a_work_tree_beside_works_there(work: Work, tmp_path: Path) -> None:
    work.git("worktree", "add", "-q", str(tmp_path / "beside"))
    beside = Work(tmp_path / "beside")
    beside.llmtape("git", "install")
    beside.record(a="2", b="1", c="1")
    assert changes(beside.git("diff")) == ["-    1", "+    2"]


@pytest.mark.parametrize(("bare", "complaint"), [([], "not a git repository"), (["--bare"], "work tree")])
def test_where_there_is_no_work_tree_that_is_told(bare: list[str], complaint: str, tmp_path: Path) -> None:
    work = Work(tmp_path)
    if bare:
        work.git("init", "-q", *bare)
    for command in ("install", "uninstall"):
        told = work.llmtape("git", command, fails=True)
        assert complaint in told
        assert "Traceback" not in told


def test_help_has_examples() -> None:
    for command, example in (("install", "install"), ("textconv", "textconv cassettes/default.sqlite")):
        assert f"  llmtape git {example}\n" in CliRunner().invoke(main, ["git", command, "--help"]).stdout
