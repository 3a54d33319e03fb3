"""Recorders and commands that are killed at any moment, and what is left then.

Rule: SIGKILL comes at a drawn moment: as the process starts, under load, in the moment in which a client saw the end
of an answer, and while it closes. Nobody cleans up: the next one opens what was left.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Final

from proxy.demo.script import ScriptedUpstream
from torture import changing
from torture.account import AT_REST, LEFT, Account, check_commands, check_replay, verify
from torture.answering import Question, Teller
from torture.asking import keep_asking
from torture.item import BrokenPromiseError, Item, check
from torture.recorder import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proxy.core.finding import Kind
    from torture.asking import Seen
    from torture.item import Advance

CLIENTS: Final = 16
KILLS_A_CASSETTE: Final = 12
"""After so many kills a new cassette is begun; the old one is brought to rest and looked at once more."""

SEED: Final = 20261125
_REPEATED: Final = 6
"""How many questions are asked again and again."""

_WAYS: Final = {"its start": 2, "any time": 4, "an end": 3, "its close": 3}
"""When a recorder is killed, and how often that is drawn: an end is that of an answer, in the eyes of its client."""


@dataclass(slots=True)
class Figures:
    """What the kills came to."""

    kills: int = 0
    whole: int = 0
    """Answers whose end a client saw."""
    found: int = 0
    """Of them, those in the cassette at the end; the others were recorded anew by a later recorder."""
    played: int = 0
    largest_wal: int = 0
    slowest_start_s: float = 0.0
    slowest_opening_s: float = 0.0
    ways: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return them as one line."""
        ways = ", ".join(f"{number} at {way}" for way, number in sorted(self.ways.items()) if number)
        return (
            f"killed {ways}; {self.whole:,} answers seen whole, {self.found:,} found again and "
            f"{self.whole - self.found:,} replaced by later recordings, none lost; {self.played:,} played byte for "
            f"byte; largest WAL {self.largest_wal / 1e6:.1f} MB, slowest opening {self.slowest_opening_s * 1000:.0f} "
            f"ms, slowest start {self.slowest_start_s:.1f} s"
        )


class Tormented:
    """One cassette, whose recorders are killed one after the other."""

    def __init__(self, path: Path, random: Random, figures: Figures) -> None:
        self.path = path
        self.log = path.with_name("log.txt")
        self.teller = Teller(random)
        self.account = Account(self.teller)
        self.figures = figures
        self._random = random
        self._recorders = count(1)
        self._is_over = False
        """Whether clients ask no more."""

    async def kill(self) -> None:
        """Start a recorder, kill it, and look at what it left."""
        await self.record(self._random.choices(list(_WAYS), list(_WAYS.values()))[0])
        self.figures.kills += 1
        wal = self.path.with_name(self.path.name + "-wal")
        self.figures.largest_wal = max(self.figures.largest_wal, wal.stat().st_size if wal.exists() else 0)
        if self._random.random() < 0.75:  # else the next one meets it as it was left
            self.look(LEFT)

    def look(self, expected: frozenset[Kind]) -> None:
        """Read what is there, and check it."""
        held = self.account.read(self.path)
        self.account.check_held(held)
        verify(self.path, expected)
        faults = [line for line in self.log.read_text().splitlines() if "Traceback" in line]
        check(not faults, f"a recorder failed: {self.log.read_text()[-2000:]}")

    async def close(self) -> None:
        """Let commands and a replay read what was left, let the last recorder bring it to rest, and look at that."""
        if held := self.account.read(self.path):
            await check_commands(self.path, held, LEFT)
            self.figures.played += await check_replay(self.path, held, self.log)
        await self.record("")
        self.look(AT_REST)
        held = self.account.read(self.path)
        self.figures.played += await check_replay(self.path, held, self.log)
        self.figures.whole += len(self.account.seen)
        self.figures.found += self.account.check_held(held)
        self.figures.slowest_opening_s = max(self.figures.slowest_opening_s, self.account.slowest_opening_s)
        left = sorted(file.name for file in self.path.parent.iterdir())
        check(left == [self.log.name, self.path.name], f"{', '.join(left)} is there when all are gone")

    async def record(self, way: str) -> None:
        """Record under load until killed in a way; ended in good order where none is named."""
        recorder = next(self._recorders)
        random = self._random
        self.figures.ways[way] += bool(way)
        async with ScriptedUpstream(lambda request: self.teller.answer(request, recorder)) as upstream:
            serving = await Serving.start("record", self.path, self.log, "--upstream", upstream.url)
            clock = asyncio.get_running_loop()
            try:
                if way == "its start":
                    clock.call_later(random.uniform(0, 1.2 * (self.figures.slowest_start_s or 1)), serving.kill)
                if not await serving.listens():
                    check(way == "its start", f"a recorder did not start: {serving.last_words}")
                    return
                self.figures.slowest_start_s = max(self.figures.slowest_start_s, serving.start_s)
                await self._torment(serving, way)
            finally:
                serving.kill()
                await serving.ended()

    async def _torment(self, serving: Serving, way: str) -> None:
        random = self._random
        clock = asyncio.get_running_loop()
        left = random.randrange(1, 80)
        self._is_over = False

        def see(seen: Seen) -> None:
            nonlocal left
            left -= 1
            self.account.see(seen)
            if way == "an end" and left <= 0:
                serving.kill()

        tasks = [asyncio.create_task(keep_asking(serving.url, self._questions(), see)) for _ in range(CLIENTS)]
        if way == "any time":
            clock.call_later(random.uniform(0, 0.8), serving.kill)
        elif way in ("its close", ""):
            await asyncio.sleep(random.uniform(0, 0.5))
            self._is_over = not way or random.random() < 0.7  # else its clients go on asking while it closes
            serving.terminate()
            if way:
                clock.call_later(random.uniform(0, 0.8), serving.kill)
        status = await serving.ended()
        await asyncio.gather(*tasks)
        check(way or status == 0, f"a recorder ended with {status}: {serving.last_words}")

    def _questions(self) -> Iterator[tuple[Question, int | None]]:
        random = self._random
        while not self._is_over:
            number = random.randrange(_REPEATED) if random.random() < 0.1 else random.randrange(_REPEATED, 2**60)
            leaves_after = random.randrange(4) if random.random() < 0.1 else None
            yield Question(f"question {number}", random.random() < 0.5), leaves_after


def killed(count: int, folder: Path, advance: Advance, seed: int = SEED) -> str:
    """Kill recorders so many times."""
    figures = Figures()

    async def kill_all() -> None:
        for first in range(0, count, KILLS_A_CASSETTE):
            path = folder / f"{first}" / "tape.sqlite"
            path.parent.mkdir()
            tormented = Tormented(path, Random(f"{seed} {first}"), figures)
            for _ in range(min(KILLS_A_CASSETTE, count - first)):
                await tormented.kill()
                advance()
            await tormented.close()

    try:
        asyncio.run(kill_all())
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{error} (seed {seed}, after {figures.kills} kills)") from error
    return str(figures)


def changed(
    count: int, folder: Path, advance: Advance, seed: int = SEED, names: Sequence[str] = changing.CHANGES
) -> str:
    """Kill commands that change cassettes so many times."""
    if not shutil.which("git"):
        names = [name for name in names if name != changing.GIT]
    try:
        return f"{len(names)} commands: {changing.changed(count, folder, advance, Random(seed), names)}"
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{error} (seed {seed})") from error


ITEMS: Final = (
    Item("killed", 1000, "kills", "what a client saw the end of is in the cassette, whenever it is killed", killed),
    Item("changed", 300, "kills", "a command that is killed has changed the cassette, or it has not", changed),
)
