"""Several recorders on one cassette, replays beside them, and commands that put new files in its place.

Rule: all of them run at the same time, come and go in good order at drawn moments, and know nothing of each other; what
each client saw is held against what the file has in the end, and a replay's answer against what was recorded.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from proxy.demo.script import ScriptedUpstream
from torture.account import AT_REST, LEFT, Account, check_replay, verify
from torture.answering import CONFIDENTIAL, DOOMED, SECRET, Question, Teller, serial_of
from torture.asking import answers, keep_asking
from torture.item import BrokenPromiseError, Item, check
from torture.medium import medium
from torture.recorder import LLMTAPE, Serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.core.finding import Kind
    from torture.asking import Seen
    from torture.item import Advance

SEED: Final = 20261125
_CLIENTS: Final = 5
"""Of each recorder."""

_REPLAYS: Final = 2
_ROUNDS_A_CASSETTE: Final = 5
_REPEATED: Final = 4
"""Questions that all recorders are asked, again and again."""

_ASKED_AT_ONCE: Final = 8
_OTHERS: Final = 20
_MISSED: Final = 3

_COMMANDS: Final = {
    "rm": ("rm", "tape.sqlite", "--model", DOOMED),
    "merge": ("merge", "tape.sqlite", "tape.sqlite", "other.sqlite"),
    "redact": ("redact", "tape.sqlite", "--responses", "--pattern", SECRET.decode()),
}
_HELD: Final = b"another process, such as a recorder, holds it"
_CHANGED: Final = b"another process changed"


@dataclass(slots=True)
class Figures:
    """What the rounds came to."""

    rounds: int = 0
    recorders: int = 0
    whole: int = 0
    found: int = 0
    played: int = 0
    """Answers that replays gave beside the recorders."""
    compared: int = 0
    """Answers that a replay gave of the cassette at rest."""
    commands: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return them as one line."""
        commands = ", ".join(f"{number} {name}" for name, number in sorted(self.commands.items()))
        return (
            f"{self.recorders} recorders, {self.whole:,} answers seen whole, {self.found:,} found again, none lost or "
            f"doubled, {self.played:,} played beside them, {self.compared:,} at rest; commands: {commands}"
        )


class Shared:
    """One cassette, and all who use it at the same time."""

    def __init__(self, path: Path, random: Random, figures: Figures) -> None:
        self.path = path
        self.figures = figures
        self.teller = Teller(random)
        self.account = Account(self.teller, is_in_turn=False)
        self._random = random
        self._recorders = 0
        self._known: list[Question] = []
        """Questions whose answers clients saw the end of."""

    async def rounds(self, count: int, advance: Advance) -> None:
        """Let recorders and replays come and go so many times; look at the cassette in between."""
        await self._record(begins_s=0, lives_s=0.3)
        await self._record_other()
        for _ in range(count):
            await self._round()
            self.figures.rounds += 1
            advance()
        await self._record(begins_s=0, lives_s=0.1)  # who comes last brings it to rest
        self._look(AT_REST)
        held = self.account.read(self.path)
        self.figures.compared += await check_replay(self.path, held, self._log("at-rest"))
        self.figures.found += self.account.check_held(held, DOOMED)
        self.figures.whole += len(self.account.seen)

    def _look(self, expected: frozenset[Kind]) -> None:
        self.account.check_held(self.account.read(self.path), DOOMED)
        verify(self.path, expected)
        for log in self.path.parent.glob("*.log"):
            check("Traceback" not in log.read_text(), f"a proxy failed: {log.read_text()[-2000:]}")

    async def _round(self) -> None:
        """Have all of them come and go, while commands change what they use; and have one do so once they are gone."""
        random = self._random
        users = [self._record(random.uniform(0, 2), random.uniform(0.1, 2)) for _ in range(random.choice((2, 3)))]
        users += [self._replay(random.uniform(0, 1), random.uniform(0.5, 4)) for _ in range(_REPLAYS)]
        over = asyncio.Event()
        changing = asyncio.create_task(self._change(over))
        try:
            await asyncio.gather(*users)
        finally:
            over.set()
            await changing
        await self._run_command()
        self._look(LEFT)

    async def _record(self, begins_s: float, lives_s: float) -> None:
        """Record under load for a while."""
        random = self._random
        self._recorders += 1
        recorder = self._recorders
        self.figures.recorders += 1
        await asyncio.sleep(begins_s)
        async with ScriptedUpstream(lambda request: self.teller.answer(request, recorder)) as upstream:
            mode = random.choice(("record", "record", "auto"))
            serving = await Serving.start(mode, self.path, self._log("record"), "--upstream", upstream.url)
            try:
                check(await serving.listens(), f"a recorder did not start: {serving.last_words}")
                over = asyncio.Event()
                questions = self._questions(over)
                tasks = [asyncio.create_task(keep_asking(serving.url, questions, self._see)) for _ in range(_CLIENTS)]
                await asyncio.sleep(lives_s)
                over.set()
                await asyncio.gather(*tasks)
                serving.terminate()
                status = await serving.ended()
                check(status == 0, f"a recorder ended with {status}: {serving.last_words}")
            finally:
                serving.kill()
                await serving.ended()

    async def _record_other(self) -> None:
        """Record what is merged into the cassette, and contradicts nothing in it."""
        questions = [(Question(f"other {number}", number % 2 == 0), None) for number in range(_OTHERS)]
        async with ScriptedUpstream(lambda request: self.teller.answer(request, 0)) as upstream:
            path = self.path.with_name("other.sqlite")
            serving = await Serving.start("record", path, self._log("other"), "--upstream", upstream.url)
            check(await serving.listens(), f"a recorder did not start: {serving.last_words}")
            await keep_asking(serving.url, iter(questions), lambda _: None)
            serving.terminate()
            await serving.ended()

    def _see(self, seen: Seen) -> None:
        self.account.see(seen)
        if seen.is_recorded and seen.question.model != DOOMED:
            self._known.append(seen.question)

    def _questions(self, over: asyncio.Event) -> Iterator[tuple[Question, None]]:
        random = self._random
        while not over.is_set():
            number = random.randrange(_REPEATED) if random.random() < 0.1 else random.randrange(_REPEATED, 2**60)
            model = random.choices(("m", DOOMED, CONFIDENTIAL), (8, 1, 1))[0]
            yield Question(f"question {number}", random.random() < 0.5, model), None

    async def _replay(self, begins_s: float, lives_s: float) -> None:
        """Replay for a while to one client."""
        await asyncio.sleep(begins_s)
        log = self._log("replay")
        serving = await Serving.start("replay", self.path, log)
        try:
            check(await serving.listens(), f"a replay did not start: {serving.last_words}")
            end = asyncio.get_running_loop().time() + lives_s
            while asyncio.get_running_loop().time() < end:
                await self._play(serving)
                await asyncio.sleep(0.05)  # replays are quick, and would leave nobody else any time
            serving.terminate()
            status = await serving.ended()
            check(status in (0, _MISSED), f"a replay ended with {status}: {serving.last_words}")
        finally:
            serving.kill()
            await serving.ended()

    async def _play(self, serving: Serving) -> None:
        """Ask for some of what clients saw the end of, the latest of it first of all."""
        questions = [*self._known[-2:], *self._random.choices(self._known, k=_ASKED_AT_ONCE)]
        for seen in await answers(serving.url, questions):
            told = self.teller.told.get(serial_of(seen.body))
            is_whole = told is not None and told.is_whole(seen.question, seen.status, seen.body)
            check(is_whole, f"a replay answers {seen.question} with {seen.status} {seen.mark} {seen.body[:1000]!r}")
            self.figures.played += 1

    async def _change(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._run_command()

    async def _run_command(self) -> None:
        """Put a new file in the cassette's place, where nobody keeps that from being done."""
        name = self._random.choice(list(_COMMANDS))
        process = await asyncio.create_subprocess_exec(
            *LLMTAPE, *_COMMANDS[name], cwd=self.path.parent, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        said = b"".join(await process.communicate())
        is_refused = _HELD in said or _CHANGED in said
        check(process.returncode == 0 or is_refused, f"{name} ends with {process.returncode}: {said.decode()[-500:]}")
        self.figures.commands[f"{name} refused" if is_refused else f"{name} done"] += 1

    def _log(self, name: str) -> Path:
        return self.path.with_name(f"{name}.log")


def shared(count: int, folder: Path, advance: Advance, seed: int = SEED) -> str:
    """Have recorders, replays and commands share cassettes for so many rounds."""
    figures = Figures()

    async def share() -> None:
        for first in range(0, count, _ROUNDS_A_CASSETTE):
            path = folder / f"{first}" / "tape.sqlite"
            path.parent.mkdir()
            cassette = Shared(path, Random(f"{seed} {first}"), figures)
            await cassette.rounds(min(_ROUNDS_A_CASSETTE, count - first), advance)

    try:
        asyncio.run(share())
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{error} (seed {seed}, after {figures.rounds} rounds)") from error
    return str(figures)


ITEMS: Final = (
    Item("shared", 100, "rounds", "recorders, replays and commands on one cassette lose and double nothing", shared),
    Item("read-only", 20, "cassettes", "a cassette on a medium that nobody can write to replays", medium),
)
