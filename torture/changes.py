"""Commands that change a cassette, on a disk that fails.

Rule: whatever fails, and for however long, the old file is there or the new one, to the byte, and the exit status says
which; what cannot be taken away from beside it as long as the disk fails, the next command takes away.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from click.testing import CliRunner

from proxy.cassette.draft import drafted
from proxy.cli import main
from tests.cassette.making import RECORD, answer, question, remembered, taken
from torture.failing import disk
from torture.item import BrokenPromiseError, check
from torture.trials import SEED, Trial, Until, trials

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from click.testing import Result

    from torture.failing import Disk
    from torture.item import Advance

OURS: Final = "tape.sqlite"
NEW: Final = "new.sqlite"
OPEN: Final = "open.sqlite"
COMMANDS: Final = {
    "rm": ("rm", OURS, "--lane", "odd"),
    "redact": ("redact", OURS, "--pattern", "question 1[0-9]*", "--force"),
    "rekey": ("rekey", "--config", "rules.toml", OURS),
    "merge": ("merge", OURS, OURS, "other.sqlite"),
    "merge, new": ("merge", NEW, OURS, "other.sqlite"),
    "settle": ("merge", "--both", "all", OPEN),
    "import": ("import", OURS, "other.jsonl"),
    "import, new": ("import", NEW, "other.jsonl"),
}
_FILES: Final = (".sqlite", ".toml", ".jsonl")


@dataclass(slots=True)
class Figures:
    """What the trials came to."""

    kinds: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    done: int = 0
    leftovers: int = 0

    def __str__(self) -> str:
        """Return them as one line."""
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.kinds.items())
        return (
            f"{kinds}; {self.failed:,} commands failed, said why and left the file as it was, {self.done:,} were done "
            f"all the same; {self.leftovers:,} could not clear away what they had begun, and the next one did"
        )


class Room:
    """A folder of cassettes on a disk that fails."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.figures = Figures()
        self._disk = disk
        self._ready = folder / "ready"
        self._work = folder / "work"
        self._names: set[str] = set()
        self._done: dict[str, bytes] = {}

    def prepare(self) -> dict[str, Counter[str]]:
        """Make what the commands change, do each, and count the chances of each kind."""
        self._work.mkdir()
        _write(self._work / OURS, (f"question {number}" for number in range(12)))
        _write(self._work / "other.sqlite", (f"another {number}" for number in range(6)))
        _write(self._work / "theirs.sqlite", ["question 0"], says="theirs")
        (self._work / "rules.toml").write_text("[rules]\nignore_max_tokens = true\n")
        self._run(("merge", OPEN, OURS, "theirs.sqlite"), status=1)
        self._run(("export", "other.sqlite", "-o", "other.jsonl"))
        self._names = {file.name for file in self._work.iterdir()}
        self._work.rename(self._ready)
        found = {}
        for name, command in COMMANDS.items():
            self._begin()
            self._disk.count()
            self._run(command)
            found[name] = self._disk.chances.copy()
            self._done[name] = (self._work / _target(name)).read_bytes()
        return found

    def put_to(self, trial: Trial) -> None:
        """Run a trial, and check all that must hold."""
        self._begin()
        before = self._read(trial)
        trial.begin(self._disk)
        result = self._call(COMMANDS[trial.scenario])
        self._disk.repair()
        after = self._read(trial)
        told = f"status {result.exit_code}, {result.output[-300:]!r}"
        check(result.exception is None or isinstance(result.exception, SystemExit), f"it failed: {result.exception!r}")
        check(result.exit_code in (0, 1), f"it ended otherwise: {told}")
        wanted = self._done[trial.scenario] if result.exit_code == 0 else before
        check(after == wanted, f"the file is not what the status says: {told}")
        check(result.exit_code == 0 or str(self._work) in result.output, f"it is not told which file failed: {told}")
        left = self._left()
        may_leave = {"os.remove", "os.rmdir"} & self._disk.failed.keys()
        check(not left or may_leave, f"it leaves {left}, and could have taken that away: {told}")
        if after == before:
            self._run(COMMANDS[trial.scenario])
            check(self._read(trial) == self._done[trial.scenario], "the next one does something else")
            check(not self._left(), f"the next one leaves {self._left()}")
        figures = self.figures
        figures.kinds[trial.kind.name] += bool(self._disk.failed)
        figures.failed += result.exit_code == 1
        figures.done += result.exit_code == 0
        figures.leftovers += bool(left)

    def _begin(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        shutil.copytree(self._ready, self._work)

    def _read(self, trial: Trial) -> bytes | None:
        file = self._work / _target(trial.scenario)
        return file.read_bytes() if file.exists() else None

    def _left(self) -> list[str]:
        return sorted({file.name for file in self._work.iterdir()} - self._names - {NEW})

    def _run(self, command: tuple[str, ...], status: int = 0) -> None:
        result = self._call(command)
        check(
            result.exit_code == status, f"{' '.join(command)} fails on a good disk: {result.output} {result.exc_info}"
        )

    def _call(self, command: tuple[str, ...]) -> Result:
        arguments = [str(self._work / word) if word.endswith(_FILES) else word for word in command]
        return CliRunner().invoke(main, arguments)


def _target(name: str) -> str:
    return next(word for word in COMMANDS[name] if word in {OURS, NEW, OPEN})


def _write(path: Path, texts: Iterable[str], says: str = "ours") -> None:
    with drafted(path) as draft:
        for place, text in enumerate(texts):
            body = f"{says} {text} ".encode() * 50
            draft.add(taken(question(text), answer(body), lane="odd" if place % 2 else ""), remembered(RECORD))


def changes(number: int, folder: Path, advance: Advance, seed: int = SEED) -> str:
    """Let the disk fail so many times while a command changes a cassette; each time that there is, where fewer."""
    with disk(folder) as failing:
        room = Room(folder, failing)
        for trial in trials(room.prepare(), (Until.ONCE, Until.END), number, seed):
            try:
                room.put_to(trial)
            except BrokenPromiseError as error:
                raise BrokenPromiseError(f"{error} ({trial}, in {dict(failing.failed)})") from error
            finally:
                failing.repair()
            advance()
    return str(room.figures)
