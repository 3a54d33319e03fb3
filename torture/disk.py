"""A disk that fails while a recorder runs.

Rule: every chance to fail is taken. A trial is one recorder whose disk fails in one way at the k-th chance, by itself,
until it is repaired, or until the recorder has ended; k goes from 1 to where nothing fails any more.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.core.errors import CassetteOutOfReachError
from proxy.core.finding import Kind
from proxy.core.modes import Mode
from proxy.demo.script import ScriptedUpstream
from tests.cassette.test_migration import FIRST
from tests.running import running
from torture.account import AT_REST, LEFT, verify
from torture.answering import Question
from torture.changes import changes
from torture.failing import disk
from torture.item import BrokenPromiseError, Item, check
from torture.mounts import mounts
from torture.told import Recorder, Source, heard, held
from torture.trials import SEED, Trial, Until, trials

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from torture.failing import Disk
    from torture.item import Advance
    from torture.told import Held

NAME: Final = "tape.sqlite"
LONG: Final = "z" * 30_000
EARLIER: Final = tuple(Question(prompt, streams) for prompt in ("earlier", f"kept {LONG}") for streams in (False, True))
"""What is in a cassette before its disk fails."""

FAILING: Final = (
    Question("earlier", streams=False),
    Question("first", streams=True),
    Question(f"first {LONG}", streams=False),
    Question("earlier", streams=True),
    Question("first", streams=False),
    Question("first", streams=True),
)
"""What is asked while it fails, one after the other."""

CROWD: Final = tuple(Question(f"crowd {number % 5}", streams=number % 2 == 0) for number in range(8))
"""What is asked at once."""

REPAIRED: Final = (Question("later", streams=False), Question("later", streams=True), Question("first", streams=False))
"""What is asked once it is repaired."""

AFTERWARDS: Final = Question("afterwards", streams=True)
"""What the next recorder is asked."""


Repair = Callable[[], None]


async def _calls(recorder: Recorder, repair: Repair | None) -> None:
    """Ask while the disk fails, and once it is repaired."""
    await recorder.ask(*FAILING)
    if repair:
        repair()
        lost = recorder.lost
        await recorder.ask(*REPAIRED)
        check(recorder.lost == lost, f"a call was not recorded on a good disk: {recorder.log[-3:]}")


async def _crowd(recorder: Recorder, repair: Repair | None) -> None:
    """Ask much at once, so that recordings share commits."""
    await recorder.ask(Question("alone", streams=False))
    await recorder.ask_at_once(*CROWD)
    await _calls(recorder, repair)


async def _lanes(recorder: Recorder, repair: Repair | None) -> None:
    """Let two tests record in their lanes, as test runners do, and another one once the disk is repaired."""
    await recorder.test("a", *FAILING)
    await recorder.test("b", *FAILING[:2])
    if repair:
        repair()
        await recorder.test("c", *REPAIRED)
        check(any(call.lane == "c" for call in recorder.calls), f"a lane was not stored on a good disk: {recorder.log}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A recorder in a mode, what is in its cassette before, and what it is asked."""

    mode: Mode
    before: str = ""
    act: Callable[[Recorder, Repair | None], Awaitable[None]] = _calls


SCENARIOS: Final = {
    "new": Scenario(Mode.RECORD),
    "again": Scenario(Mode.RECORD, "earlier"),
    "auto": Scenario(Mode.AUTO, "earlier"),
    "crowd": Scenario(Mode.RECORD, "earlier", _crowd),
    "lanes": Scenario(Mode.RECORD, "earlier", _lanes),
    "lanes, auto": Scenario(Mode.AUTO, "earlier", _lanes),
    "first format": Scenario(Mode.RECORD, "first"),
}


@dataclass(slots=True)
class Figures:
    """What the trials came to."""

    kinds: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    """Recorders that did not start, and said why."""
    recovered: int = 0
    """Recorders that had told of trouble, and recorded all that was asked once the disk was repaired."""

    def __str__(self) -> str:
        """Return them as one line."""
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.kinds.items())
        fates = self.fates
        return (
            f"{kinds}; {fates.total():,} calls answered byte for byte: {fates['recorded']:,} recorded and found, "
            f"{fates['not-recorded']:,} not recorded and told so, {fates['played']:,} played; {self.refused:,} "
            f"recorders did not start and said why, {self.recovered:,} recorded again by themselves after the repair; "
            "nothing that was recorded before was lost, and verify found nothing"
        )


class Room:
    """A folder on the disk that fails, an upstream, and what came of all recorders until now."""

    def __init__(self, folder: Path, disk: Disk, source: Source, upstream: str) -> None:
        self.figures = Figures()
        self._disk = disk
        self._source = source
        self._upstream = upstream
        self._trial = folder / "trial"
        self._before = {"earlier": folder / "earlier.sqlite", "first": folder / "first.sqlite"}
        self._held: dict[str, list[Held]] = {"": []}

    async def prepare(self) -> dict[str, Counter[str]]:
        """Record what is there before, and count the chances of each kind in each scenario."""
        shutil.copyfile(FIRST, self._before["first"])
        self._before["first"].chmod(0o600)
        recorder = self._recorder(self._before["earlier"])
        async with running(Mode.RECORD, recorder.path, self._upstream) as proxy:
            recorder.url = proxy.url
            await recorder.ask(*EARLIER)
        self._held |= {name: held(path) for name, path in self._before.items()}
        found = {}
        for name in SCENARIOS:
            await self._run(name)
            found[name] = self._disk.chances.copy()
        return found

    async def put_to(self, trial: Trial) -> None:
        """Run a trial, and check all that must hold."""
        try:
            recorder, refused = await self._run(trial.scenario, trial)
        finally:
            self._disk.repair()
        before = self._held[SCENARIOS[trial.scenario].before]
        if before or any(call.fate == "recorded" for call in recorder.calls):
            verify(recorder.path, LEFT | {Kind.OLDER})
        recorder.check_held(before)
        await self._record_next(recorder, trial)
        recorder.check_held(before)
        figures = self.figures
        figures.kinds[trial.kind.name] += bool(self._disk.failed)
        figures.fates.update(call.fate for call in recorder.calls)
        figures.refused += bool(refused)
        figures.recovered += bool(recorder.lost) and trial.until is Until.REPAIRED

    async def _run(self, name: str, trial: Trial | None = None) -> tuple[Recorder, str]:
        """Run a scenario on a disk that fails in a trial, or else is counted; return why it did not start, if so."""
        shutil.rmtree(self._trial, ignore_errors=True)
        self._trial.mkdir()
        scenario = SCENARIOS[name]
        if scenario.before:
            shutil.copy(self._before[scenario.before], self._trial / NAME)
        recorder = self._recorder(self._trial / NAME)
        self._disk.count()
        if trial:
            trial.begin(self._disk)
        is_repaired = trial is not None and trial.until is Until.REPAIRED
        with heard(recorder.log):
            try:
                async with running(scenario.mode, recorder.path, self._upstream) as proxy:
                    recorder.url = proxy.url
                    await scenario.act(recorder, self._disk.repair if is_repaired else None)
            except CassetteOutOfReachError as error:
                check(not recorder.url, f"it ends as no run should: {error}")
                return recorder, str(error)
        recorder.check_end(proxy.ledger.faults)
        return recorder, ""

    async def _record_next(self, recorder: Recorder, trial: Trial) -> None:
        """Let another recorder record, and check that it leaves one plain file."""
        another = self._recorder(recorder.path)
        with heard(another.log):
            async with running(SCENARIOS[trial.scenario].mode, recorder.path, self._upstream) as proxy:
                another.url = proxy.url
                await another.ask(AFTERWARDS)
        check(not another.lost, f"the next recorder does not record: {another.log}")
        left = sorted(file.name for file in recorder.path.parent.iterdir())
        check(left == [NAME], f"the next recorder leaves {left}")
        verify(recorder.path, AT_REST)

    def _recorder(self, path: Path) -> Recorder:
        return Recorder(path, self._source)


def recorders(number: int, folder: Path, advance: Advance, seed: int = SEED) -> str:
    """Let the disk fail so many times while a recorder runs; each time that there is, where that is fewer."""

    async def run() -> str:
        source = Source()
        with disk(folder) as failing:
            async with ScriptedUpstream(source.answer) as upstream:
                room = Room(folder, failing, source, upstream.url)
                chances = await room.prepare()
                for trial in trials(chances, tuple(Until), number, seed):
                    try:
                        await room.put_to(trial)
                    except BrokenPromiseError as error:
                        raise BrokenPromiseError(f"{error} ({trial}, in {dict(failing.failed)})") from error
                    advance()
        return str(room.figures)

    return asyncio.run(run())


ITEMS: Final = (
    Item("disk", 12_000, "failures", "a disk that fails costs no answer, and nothing that was recorded", recorders),
    Item("disk-change", 5_000, "failures", "a command that fails leaves the cassette as it was", changes),
    Item("disk-real", 60, "disks", "a full, limited, vanished or read-only disk costs no answer", mounts),
)
