"""Told to end at any moment.

Rule: a moment is drawn from its number alone. The proxy is under load when a signal meets it, or has only begun to
start; what its clients saw the end of is then in the cassette, byte for byte, and nothing else is.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from bench.figures import percentile
from proxy.cassette.checkup import Checkup
from proxy.core.finding import Kind
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT
from proxy.demo.script import ScriptedUpstream, Wait, plain, stream
from tests.running import CHAT, DONE, STOP, ask, chat, connected, delta, read_head, recordings, request
from torture.hindrances import HINDRANCES
from torture.item import Item, check
from torture.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.demo.script import ReceivedRequest, Script
    from torture.item import Advance
    from torture.served import End, Served

DRAIN_S: Final = 2.0
"""What `server.drain_s` is set to."""

CLOSING_S: Final = 10.0
"""What closing may take besides; by default the process is ended then."""

CLIENTS: Final = 8
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_MOST_ANSWERS: Final = 60
_KILLED: Final = 128
_AFTER_A_KILL: Final = frozenset({Kind.UNSETTLED, Kind.SIDE_FILE})
"""Findings that tell of the log beside a cassette, where it is whole."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When which signals come: the first so many seconds after an answer was seen, the second after the first.

    Where `answers` is None the first comes so many seconds after the process was started.
    """

    seed: int
    answers: int | None
    first_s: float
    first: int
    second_s: float | None
    second: int

    @property
    def told(self) -> str:
        """How to see it again."""
        return f"seed {self.seed}, {self!r}"


def moment(seed: int) -> Moment:
    """Draw a moment; in every third a second signal follows, and every fourth is amid the start."""
    chance = random.Random(seed)
    answers = None if chance.random() < 0.25 else chance.randrange(_MOST_ANSWERS)
    first_s = chance.uniform(0, 0.5 if answers is None else 0.05)
    second_s = chance.uniform(0, 0.3) if chance.random() < 0.34 else None
    return Moment(seed, answers, first_s, chance.choice(SIGNALS), second_s, chance.choice(SIGNALS))


# What the upstream answers is known from the question's number.


def events(number: int) -> tuple[bytes, ...]:
    """Return the events of a streamed answer."""
    return (*(delta(f"{number}-{part}") for part in range(1 + number % 7)), STOP, DONE)


def document(number: int) -> bytes:
    """Return a plain answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": f"{number}"}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "padding": "x" * (number % 5000)}).encode()


def answer_to(number: int) -> bytes:
    """Return the body of any answer: questions of an odd number are streamed."""
    return b"".join(events(number)) if number % 2 else document(number)


def script(received: ReceivedRequest) -> Script:
    """Answer a question, an event each 10 ms."""
    number = number_of(received.body)
    if number % 2:
        return stream([step for event in events(number) for step in (Wait(0.01), event)])
    return (Wait(0.001 * (number % 20)), *plain(body=document(number)))


def number_of(body: bytes) -> int:
    """Read a question's number."""
    return int(json.loads(body)["messages"][0]["content"])


@dataclass(slots=True)
class Load:
    """Clients that ask one question after another until nobody listens; every tenth time one leaves early."""

    url: str
    chance: random.Random
    seen: dict[int, bytes] = field(default_factory=dict)
    """The answers that clients saw the end of."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each answer, and once nobody listens."""
    is_over: bool = False
    _next: int = 0
    _running: asyncio.Future[None] | None = None

    async def until(self, answers: int) -> None:
        """Wait until so many were seen, or no more will be."""
        while len(self.seen) < answers and not self.is_over:
            self.news.clear()
            await self.news.wait()

    def begin(self) -> None:
        """Ask until all connections are refused; nothing, where there is no URL."""
        self._running = asyncio.ensure_future(self._run())

    async def ended(self) -> dict[int, bytes]:
        """Wait for its end; return the answers that were seen."""
        assert self._running is not None
        await self._running
        return self.seen

    async def _run(self) -> None:
        if self.url:
            await asyncio.gather(*(self._client() for _ in range(CLIENTS)))
        self.is_over = True
        self.news.set()

    async def _client(self) -> None:
        while True:
            self._next += 1
            number = self._next
            body = chat(str(number), **({"stream": True} if number % 2 else {}))
            try:
                if self.chance.random() < 0.1:
                    await self._leave(body)
                    continue
                answer = await ask(self.url + CHAT, body)
            except (ConnectionError, asyncio.IncompleteReadError):
                with suppress(OSError):
                    async with connected(self.url):
                        continue
                return
            if answer.ended and answer.status == 200:
                self.seen[number] = answer.body
                self.news.set()

    async def _leave(self, body: bytes) -> None:
        async with connected(self.url) as (reader, writer):
            writer.write(request(self.url + CHAT, body))
            await read_head(reader)


def run(count: int, folder: Path, advance: Advance) -> str:
    """Do it at `count` moments; tell how many answers were seen, and how long the ends took."""
    ends: list[tuple[Moment, End]] = []
    seen = 0
    for seed in range(count):
        place = folder / str(seed)
        place.mkdir()
        end, held = asyncio.run(_at(moment(seed), place))
        ends.append((moment(seed), end))
        seen += held
        advance()
    is_empty = not seen and any(at.answers for at, _ in ends)
    check(not is_empty, "no answer was seen at all: this has shown nothing")
    return f"{seen:,} answers seen, all of them held; {told(ends)}"


def told(ends: list[tuple[Moment, End]]) -> str:
    """Tell the percentiles of how long an end took."""
    if not ends:
        return "nothing ended"
    once = [end.seconds for at, end in ends if at.second_s is None]
    twice = [end.seconds for at, end in ends if at.second_s is not None]
    parts = [
        f"{words} p50 {percentile(found, 0.5):.2f} s, max {max(found):.2f} s"
        for words, found in (("a drain", once), ("a second signal", twice))
        if found
    ]
    statuses = sorted({end.status for _, end in ends})
    return f"{', '.join(parts)}; exit statuses {', '.join(map(str, statuses))}"


async def _at(at: Moment, folder: Path) -> tuple[End, int]:
    tape = folder / "tape.sqlite"
    env = {"LLMTAPE_SERVER_DRAIN_S": str(DRAIN_S)}
    async with (
        ScriptedUpstream(script) as upstream,
        served(folder, "record", "-c", tape, "--port", "0", "--upstream", upstream.url, env=env) as proxy,
    ):
        load = asyncio.ensure_future(_load(proxy, at))
        if at.answers is not None:
            await (await load).until(at.answers)
        await asyncio.sleep(at.first_s)
        proxy.signal(at.first)
        if at.second_s is not None:
            await asyncio.sleep(at.second_s)
            proxy.signal(at.second)
        end = await proxy.end()
        seen = await (await load).ended()
    for broken in _broken(at, end, tape, seen):
        check(holds=False, broken=f"{broken} ({at.told}); it said: {end.out}{end.err}")
    return end, len(seen)


async def _load(proxy: Served, at: Moment) -> Load:
    """Begin to ask as soon as it listens; where it ended before, nothing is asked."""
    url = await proxy.url()
    check(url or at.answers is None, f"it did not start: {proxy.said}")
    load = Load(url, random.Random(at.seed))
    load.begin()
    return load


def _broken(at: Moment, end: End, tape: Path, seen: dict[int, bytes]) -> Iterator[str]:
    """Yield what does not hold after an end."""
    if end.seconds > DRAIN_S + CLOSING_S:
        yield f"the end took {end.seconds:.1f} s"
    if not end.out and signal.SIGINT in {at.first, at.second}:
        return  # it was still being imported, amid which Python tells of an interrupt in words of its own
    if "Traceback" in end.err:
        yield "it ended with a traceback"
    is_killed = end.status < 0 or end.status >= _KILLED
    if at.second_s is None and is_killed:
        yield from _ended_at_once(at, end, seen)
    held = {number_of(one.request.body): one.response.body for one in recordings(tape)} if tape.exists() else {}
    yield from _wrong(held, seen)
    if tape.exists():
        with Checkup(tape, DEFAULT, Redactor()) as checkup:
            findings = [*checkup.file(), *chain.from_iterable(checkup.interactions())]
        at_rest = (finding for finding in findings if not is_killed or finding.kind not in _AFTER_A_KILL)
        yield from (f"verify finds: {finding}" for finding in at_rest)
    if not is_killed:
        yield from _untidy(end, tape, len(held))


def _ended_at_once(at: Moment, end: End, seen: dict[int, bytes]) -> Iterator[str]:
    """Yield what should not be where one signal ended it as if it were two: it may while it starts, and by that one."""
    if end.status not in {-at.first, _KILLED + at.first}:
        yield f"the exit status is {end.status}"
    if seen:
        yield f"one signal ended a proxy that served already, with {end.status}"


def _wrong(held: dict[int, bytes], seen: dict[int, bytes]) -> Iterator[str]:
    """Yield what clients saw the end of and is not recorded, and what is recorded and never was."""
    for number, body in seen.items():
        if held.get(number) != body:
            yield f"the answer to question {number} was seen, and is not in the cassette"
    for number, body in held.items():
        if body != answer_to(number):
            yield f"what is recorded of question {number} is not what the upstream said"


def _untidy(end: End, tape: Path, held: int) -> Iterator[str]:
    """Yield what should not be after a clean end."""
    if left := sorted(file.name for file in tape.parent.iterdir() if file != tape):
        yield f"left beside the cassette: {', '.join(left)}"
    if held and f"{held} recorded" not in end.out:
        yield f"{held} recordings are in the cassette, and it told of another number"
    cut = "is not in the cassette" in end.err
    if end.status != (1 if cut else 0):
        yield f"the exit status is {end.status}, and {'some' if cut else 'nothing'} was lost"


def run_hindered(count: int, folder: Path, advance: Advance) -> str:
    """Meet each hindrance `count` times; tell how long the ends took with each, at most."""
    took: dict[str, float] = {}
    for number in range(count):
        for place, hindrance in enumerate(HINDRANCES):
            own = folder / f"{number}-{place}"
            own.mkdir()
            took[hindrance.name] = max(took.get(hindrance.name, 0.0), hindrance.run(own))
        advance()
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items())


ITEMS: Final = (
    Item(
        "drained",
        300,
        "moments",
        "a signal at any moment: running answers end, recordings are committed; a second signal ends at once",
        run,
    ),
    Item(
        "hindered",
        10,
        "rounds",
        "whatever keeps a proxy from ending, its exit takes no longer than told, and tells what was lost",
        run_hindered,
    ),
)
