"""Commands that change cassettes, killed at any moment: the old file is there, or the new one, and nothing else.

Rule: each command is a process of its own, killed with all that it started; what it makes when nobody kills it is known
from a run before, to the last byte. Nobody cleans up before it is run again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.cassette.draft import drafted
from proxy.cassette.logs import beside
from proxy.cassette.merge import merge
from proxy.cassette.settle import conflicts_in
from proxy.core.finding import Kind
from tests.cassette.making import RECORD, question, remembered, taken
from tests.cassette.versions import say
from torture.account import verify
from torture.item import check
from torture.recorder import LLMTAPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from random import Random

    from torture.item import Advance

_RECORDINGS: Final = 400
_TAPE: Final = "tape.sqlite"
_COMMANDS: Final = {
    "rm": ("rm", _TAPE, "--lane", "odd"),
    "redact": ("redact", _TAPE, "--pattern", "question 1[0-9]*", "--force"),
    "rekey": ("rekey", _TAPE),
    "merge": ("merge", _TAPE, _TAPE, "other.sqlite"),
    "merge new": ("merge", "new.sqlite", _TAPE, "other.sqlite"),
    "settle": ("merge", "--theirs", "all", _TAPE),
    "import": ("import", _TAPE, "other.jsonl"),
    "import new": ("import", "new.sqlite", "other.jsonl"),
}
"""What is done; with `new` to a file that is not there yet."""

GIT: Final = "git merge"
CHANGES: Final = (*_COMMANDS, GIT)
_EXPECTED: Final = frozenset({Kind.CONFLICT, Kind.OTHER_RULES, Kind.PERMISSIONS})
"""What `verify` may find: some are there to be settled, some have other rules' keys, and git makes files for all."""

_RUN: Final = remembered(RECORD)


@dataclass(slots=True)
class Figures:
    """What became of commands that were killed."""

    kills: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often a file was as before, or as the command makes it."""
    slowest_s: float = 0.0

    def __str__(self) -> str:
        """Return them as one line."""
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in sorted(self.outcomes.items()))
        slowest = f"the slowest in {self.slowest_s:.1f} s"
        return f"{outcomes}; each ran to its end afterwards, {slowest}"


class Change:
    """One command, and what it makes of a folder when nobody kills it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        """Where it is run and killed."""
        self.target = folder / ("new.sqlite" if name.endswith("new") else _TAPE)
        folder.mkdir()
        self._prepare()
        self.before = _content(self.target)
        self.duration_s = self.work_s = 0.0
        self.run()
        self.after = _content(self.target)
        self.files = self._files()
        check(self.after != self.before, f"{name} changes nothing")
        verify(self.target, _EXPECTED)
        self.restore()

    def _prepare(self) -> None:
        _write(self.folder / _TAPE, (f"question {number}" for number in range(_RECORDINGS)))
        _write(self.folder / "other.sqlite", (f"another {number}" for number in range(_RECORDINGS // 2)))
        if self.name.startswith("import"):
            export = [*LLMTAPE, "export", "other.sqlite", "-o", "other.jsonl"]
            subprocess.run(export, cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        if self.name == "rekey":
            (self.folder / "llmtape.toml").write_text("[rules]\nignore_max_tokens = true\n")
        if self.name == "settle":
            _write(self.folder / "theirs.sqlite", (f"question {number}" for number in range(40)), said="theirs")
            merge(self.folder / _TAPE, [self.folder / _TAPE, self.folder / "theirs.sqlite"], None)
            check(conflicts_in(self.folder / _TAPE), "the merge has no conflicts")

    def restore(self) -> None:
        """Put the old file back, by which what was left beside it is not removed."""
        if self.before is None:
            self.target.unlink(missing_ok=True)
        else:
            self.target.write_bytes(self.before)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command."""
        return _started([*LLMTAPE, *_COMMANDS[self.name]], self.folder)

    def run(self) -> None:
        """Run the command to its end, and take note of how long it takes."""
        began = time.monotonic()
        process = self.start()
        self._await_work(process)
        at_work = time.monotonic()
        _, told = process.communicate()
        check(process.returncode == 0, f"{self.name} ended with {process.returncode}: {told.decode()[-500:]}")
        ended = time.monotonic()
        self.duration_s, self.work_s = max(self.duration_s, ended - began), ended - at_work

    def kill(self, random: Random) -> str:
        """Kill the command at a drawn moment; tell what it had done by then."""
        process = self.start()
        if random.random() < 0.8:
            self._await_work(process)
            delay_s = random.uniform(0, self.work_s)
        else:
            delay_s = random.uniform(0, 1.1 * self.duration_s)
        _kill_after(process, delay_s)
        return self.look()

    def _await_work(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it began to write, or is through."""
        before = set(self.folder.iterdir())
        while process.poll() is None and set(self.folder.iterdir()) <= before:
            time.sleep(0.001)

    def look(self) -> str:
        """Check that the file is as before, or as the command makes it."""
        now = _content(self.target)
        check(now in (self.before, self.after), f"{self.name} left neither the old file nor the new one: {self.folder}")
        logs = [left.name for left in beside(self.target) if left.exists()]
        check(not logs, f"{self.name} left {', '.join(logs)} in {self.folder}")
        return "undone" if now == self.before else "done"

    def finish(self) -> None:
        """Run it once more where it was killed, and check that all is as if it had never been."""
        self.restore()
        self.run()
        check(_content(self.target) == self.after, f"{self.name} makes another file after it was killed: {self.folder}")
        check(self._files() == self.files, f"{self.name} left {self._files()} in {self.folder}")
        self.restore()

    def _files(self) -> list[str]:
        return sorted(file.name for file in self.folder.iterdir())


class GitMerge(Change):
    """A merge of two branches that both recorded, by git."""

    def _prepare(self) -> None:
        self._git("init", "-q", "-b", "main")
        subprocess.run([*LLMTAPE, "git", "install"], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
        self._record("first", range(_RECORDINGS))
        self._git("checkout", "-q", "-b", "other")
        self._record("theirs", range(_RECORDINGS + 200))
        self._git("checkout", "-q", "main")
        self._record("ours", (*range(_RECORDINGS), *range(5000, 5300)))

    def _record(self, message: str, numbers: Iterable[int]) -> None:
        _write(self.folder / _TAPE, (f"question {number}" for number in numbers))
        self._git("add", "-A")
        self._git("commit", "-q", "-m", message)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the merge, and stop before it is committed."""
        return _started(["git", "merge", "-q", "--no-commit", "other"], self.folder)

    def look(self) -> str:
        """Check that the file is ours or the merged one; git itself writes the work tree, and not in one step."""
        now = _content(self.target)
        assert self.after is not None
        if now not in (self.before, self.after) and (now is None or self.after.startswith(now)):
            return "half written by git"
        return super().look()

    def restore(self) -> None:
        """Go back to our branch, as git would have its user do."""
        (self.folder / ".git" / "index.lock").unlink(missing_ok=True)
        self._git("reset", "-q", "--hard", "main")
        check(_content(self.target) == self.before, f"our branch is not what it was: {self.folder}")

    def finish(self) -> None:
        """Merge once more; what git itself leaves of a merge that was killed does not count."""
        for left in self.folder.glob(".merge_file_*"):
            left.unlink()
        super().finish()

    def _git(self, *arguments: str) -> None:
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=_environment(), check=False, capture_output=True
        )
        check(done.returncode == 0, f"git {arguments[0]} failed: {done.stderr.decode()}")


def changed(count: int, folder: Path, advance: Advance, random: Random, names: Sequence[str]) -> str:
    """Kill each command in its turn, until there were so many kills; let each run to its end now and then."""
    figures = Figures()
    changes = [(GitMerge if name == GIT else Change)(name, folder / name.replace(" ", "-")) for name in names]
    for number in range(count):
        change = changes[number % len(changes)]
        figures.outcomes[change.kill(random)] += 1
        figures.kills += 1
        if random.random() < 0.2:
            change.finish()
        else:
            change.restore()
        advance()
    for change in changes:
        change.finish()
    figures.slowest_s = max(change.duration_s for change in changes)
    return str(figures)


def _kill_after(process: subprocess.Popen[bytes], delay_s: float) -> None:
    """Kill a process with all that it started, unless it ends before."""
    try:
        process.wait(timeout=delay_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _started(command: Sequence[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    who = {f"GIT_{role}_{what}": "t@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    bare = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**bare, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write(path: Path, texts: Iterable[str], said: str = "") -> None:
    with drafted(path) as draft:
        for place, text in enumerate(texts):
            lane = "odd" if place % 2 else ""
            draft.add(taken(question(text), say((said or text) * 50), lane=lane), _RUN)
