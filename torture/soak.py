"""A long time: whatever is asked of a proxy for hours, it holds no more at the end than at the beginning.

Rule: one process, and a load of all modes at once: what is played, recorded, missed, forwarded; clients that leave, an
upstream in trouble, cassettes by name, lanes that are started and ended, rewinds. What is asked for is drawn from a
bounded stock, so that the cassettes do not grow either. Beside it, to the byte, what a call of each kind leaves behind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.running import ask, chat
from torture.footprint import Footprint, Trend
from torture.growth import KINDS, Caller, forgetful_upstream, measure
from torture.item import Item, check
from torture.served import served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from torture.item import Advance
    from torture.served import Served

CLIENTS: Final = 6
_STOCK: Final = 40  # how many questions there are of a kind
_CASSETTES: Final = 3
_WARM_UP_CALLS: Final = 1200  # what keeps the latest of something is full by then
_SATED_CALLS: Final = 15_000  # of the mixed load, of which every eighth or so misses
_LEAST_SAMPLES: Final = 30
_SLACK_MIB: Final = 2.0  # an allocator does not give all back at once


@dataclass(slots=True)
class Load:
    """Clients that ask at random. `calls` counts what they asked."""

    caller: Caller
    chance: random.Random
    calls: int = 0
    _token: int = 0
    _lanes: set[str] = field(default_factory=set)

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Ask as long as it goes on."""
        await asyncio.gather(*(self._client(number, goes_on) for number in range(CLIENTS)))

    async def _client(self, number: int, goes_on: Callable[[], bool]) -> None:
        asks: Sequence[Callable[[int], Awaitable[object]]] = (
            *(self._free, self._free, self._stream, self._named, self._trouble, self._leave),
            *(self._lane, self._miss, self._rewind),
        )
        while goes_on():
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self.chance.choice(asks)(number)
            self.calls += 1

    def _text(self, kind: str) -> str:
        return f"{kind} {self.chance.randrange(_STOCK)}"

    async def _free(self, _: int) -> None:
        self._token += 1
        fields = {"Authorization": f"Bearer sk-{self._token:030}"}
        await ask(self.caller.at(""), chat(self._text("free")), headers=fields)

    async def _stream(self, _: int) -> None:
        await ask(self.caller.at(""), chat(self._text("free"), stream=True))

    async def _named(self, _: int) -> None:
        await ask(self.caller.at(f"/@named{self.chance.randrange(_CASSETTES)}"), chat(self._text("named")))

    async def _trouble(self, _: int) -> None:
        await ask(self.caller.at(""), chat(self._text(self.chance.choice(("trouble", "cut")))))

    async def _leave(self, _: int) -> None:
        await self.caller.leave(chat(self._text("left"), stream=True))

    async def _lane(self, number: int) -> None:
        mode = self.chance.choice(("record", "replay", "auto", "passthrough"))
        await self._in_lane(number, mode, *(chat(self._text("lane")) for _ in range(3)))

    async def _miss(self, number: int) -> None:
        """Miss with a text of its own, and a long one."""
        await self._in_lane(number, "replay", chat(f"missed {self.chance.random()} " + "x" * 10_000))

    async def _in_lane(self, number: int, mode: str, *bodies: bytes) -> None:
        place = {"cassette": "lanes", "lane": f"client-{number}"}
        check(await self.caller.control("lane/start", **place, mode=mode) == 200, "a lane was not started")
        for body in bodies:
            await ask(self.caller.at(f"/@lanes:client-{number}"), body)
        passed = self.chance.random() < 0.7
        check(await self.caller.control("lane/end", **place, passed=passed) == 200, "a lane was not ended")

    async def _rewind(self, _: int) -> None:
        await self.caller.control("rewind")


def run(count: int, folder: Path, advance: Advance) -> str:
    """Go on for `count` seconds; tell what the process held, and how that changed."""
    return asyncio.run(_soak(count, folder, advance))


async def _soak(seconds: int, folder: Path, advance: Advance) -> str:
    began = time.monotonic()
    samples: list[tuple[int, Footprint]] = []

    async def look(proxy: Served) -> None:
        for number in range(1, seconds + 1):
            await asyncio.sleep(max(0.0, began + number - time.monotonic()))
            samples.append((load.calls, Footprint.of(proxy.pid)))
            advance()

    async with (
        forgetful_upstream() as upstream,
        served(folder, "auto", "--port", "0", "--upstream", upstream) as proxy,
    ):
        url = await proxy.url()
        check(url, f"it did not start: {proxy.said}")
        load = Load(Caller(url), random.Random(seconds))
        looking = asyncio.ensure_future(look(proxy))
        await load.run(lambda: not looking.done())
        looking.result()
        proxy.signal(signal.SIGTERM)
        end = await proxy.end()
    check("Traceback" not in end.err, f"it ended with a traceback: {end.err[-2000:]}")
    steady = [sample for calls, sample in samples[seconds // 3 :] if calls >= _SATED_CALLS]
    if len(steady) < _LEAST_SAMPLES:
        return f"{load.calls:,} calls: too few to tell whether it grows"
    return f"{load.calls:,} calls; {judged(steady, load.calls)}"


def judged(samples: Sequence[Footprint], calls: int) -> str:
    """Tell what samples show that were taken once all was sated that keeps the latest of something.

    Raises BrokenPromiseError where memory, descriptors or threads grow.
    """
    memory = [sample.memory_mib for sample in samples]
    trend = Trend.of(memory)
    line = [memory[0] + trend.slope * at for at in range(len(memory))]
    noise = statistics.pstdev(value - there for value, there in zip(memory, line, strict=True))
    told = f"memory {statistics.mean(memory):.1f} MiB, {trend.rise:+.1f} over the time (noise {noise:.1f})"
    check(trend.rise <= _SLACK_MIB + 3 * noise, f"after {calls:,} calls it grows: {told}")
    half = len(samples) // 2
    for name in ("descriptors", "threads"):
        before, after = ([getattr(sample, name) for sample in part] for part in (samples[:half], samples[half:]))
        check(max(after) <= max(before) + CLIENTS, f"{name} grow: {max(before)}, then {max(after)}")
        told += f", {name} {min(before)} to {max(before)}, then {min(after)} to {max(after)}"
    return told


def run_growth(count: int, folder: Path, advance: Advance) -> str:
    """Make `count` calls of each kind, after as many as fill what keeps the latest; tell the bytes that each leaves."""
    logging.disable(logging.CRITICAL)
    try:
        left = {}
        for place, kind in enumerate(KINDS, 1):
            left[kind.name] = measure(kind, folder, count, min(count, _WARM_UP_CALLS))
            for _ in range(count * (place - 1) // len(KINDS), count * place // len(KINDS)):
                advance()
    finally:
        logging.disable(logging.NOTSET)
    return "bytes a call leaves: " + ", ".join(f"{name} {size:,.0f}" for name, size in left.items())


ITEMS: Final = (
    Item("soak", 3600, "seconds", "memory, descriptors and threads are constant under a mixed load", run),
    Item("growth", 1200, "calls of a kind", "a call leaves no more behind than its bound", run_growth),
)
