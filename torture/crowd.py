"""A crowd: streams all at once, recorded, then replayed at the pace at which they came.

Rule: each client's bytes are compared, with what is in the cassette and with what the replay sends. Times are figures
beside those of a bare handler in the same run, and never a verdict: a machine may be busy with something else.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from bench.client import body
from bench.figures import percentile
from bench.processes import bare, upstream
from proxy.cassette.reader import Reader
from proxy.core.model import Request
from proxy.core.normalize import normalize
from tests.running import read_chunk, read_head, request
from torture.footprint import Footprint, watched
from torture.item import Item, check
from torture.served import served

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.model import Response
    from torture.item import Advance
    from torture.served import Served

EVENTS: Final = 20
APART_MS: Final = 500.0
_PATH: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream as its client got it: its HTTP chunks, and when each came, in ns."""

    asked_ns: int
    chunks: tuple[bytes, ...]
    arrived_ns: tuple[int, ...]

    @property
    def body(self) -> bytes:
        """All its bytes."""
        return b"".join(self.chunks)

    def late_ms(self) -> list[float]:
        """Return how long each event was on its way: it tells when it was sent."""
        return [
            (at - orjson.loads(event[6:])["sent_ns"]) / 1e6
            for chunk, at in zip(self.chunks, self.arrived_ns, strict=True)
            for event in chunk.split(b"\n\n")
            if event.startswith(b"data: {")
        ]

    def off_ms(self, recorded: Response) -> list[float]:
        """Return how far from its recorded time each event came; a replay sends an HTTP chunk each.

        The first counts from when it was asked for, the others from the first, as they were recorded.
        """
        due = [chunk.at_us / 1000 for chunk in recorded.chunks]
        came = [(at - self.asked_ns) / 1e6 for at in self.arrived_ns]
        first = came[0] - due[0]
        return [first, *(there - here - first for here, there in zip(due[1:], came[1:], strict=True))]


async def listen(url: str, number: int) -> Heard:
    """Ask once, on a connection of its own, and read to the end. Raises OSError, IncompleteReadError where cut."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    asked = time.monotonic_ns()
    writer.write(request(f"{url}/chat/completions", body(number)))
    await read_head(reader)
    chunks: list[bytes] = []
    arrived: list[int] = []
    while chunk := await read_chunk(reader):
        chunks.append(chunk)
        arrived.append(time.monotonic_ns())
    writer.close()
    return Heard(asked, tuple(chunks), tuple(arrived))


async def crowd(url: str, count: int, advance: Advance | None = None) -> list[Heard]:
    """Ask so many times at once."""

    async def one(number: int) -> Heard:
        heard = await listen(url, number)
        if advance:
            advance()
        return heard

    return list(await asyncio.gather(*map(one, range(count))))


def run(count: int, folder: Path, advance: Advance) -> str:
    """Record and replay a crowd of `count`; tell lateness, memory and descriptors."""
    return asyncio.run(meet(count, folder / "crowd.sqlite", advance))


async def meet(count: int, cassette: Path, advance: Advance, *, apart_ms: float = APART_MS) -> str:
    """Do it with events so far apart."""
    _allow_descriptors()
    with upstream(EVENTS, apart_ms) as direct, bare(direct) as passed:
        through_bare = await crowd(passed, count)
        record = ("record", "-c", cassette, "--port", "0", "--upstream", direct)
        async with served(cassette.parent, *record) as proxy:
            live, recording = await _watched(proxy, count)
            await _end(proxy, f"{count} recorded")
    held = await asyncio.to_thread(recordings, cassette, count)
    for number, (heard, response) in enumerate(zip(live, held, strict=True)):
        check(heard.body == response.body, f"client {number} got other bytes than were recorded")
    replay = ("replay", "-c", cassette, "--port", "0", "--pace", "recorded")
    async with served(cassette.parent, *replay) as proxy:
        played, replaying = await _watched(proxy, count, advance)
        await _end(proxy, f"{count} played")
    for number, (heard, response) in enumerate(zip(played, held, strict=True)):
        check(heard.body == response.body, f"client {number} was replayed other bytes than it got")
        check(
            len(heard.chunks) == len(response.chunks), f"client {number} was replayed other events than were recorded"
        )
    late, ceiling = [heard.late_ms() for heard in live], [heard.late_ms() for heard in through_bare]
    off = [heard.off_ms(response) for heard, response in zip(played, held, strict=True)]
    return "; ".join(
        (
            f"recording, ms late: {_percentiles(late)} (bare aiohttp: {_percentiles(ceiling)}), {_most(recording)}",
            f"replaying, ms from the recorded time: {_percentiles(off)}, {_most(replaying)}",
            "each client's bytes the same",
        )
    )


def recordings(cassette: Path, count: int) -> list[Response]:
    """Read what is recorded for each client."""
    with Reader(cassette) as reader:
        keys = [normalize(Request("POST", _PATH, body=body(number))).key for number in range(count)]
        return [reader.response(reader.takes_of_key(key)[0])[0] for key in keys]


async def _watched(proxy: Served, count: int, advance: Advance | None = None) -> tuple[list[Heard], list[Footprint]]:
    url = await proxy.url()
    check(url, f"it did not start: {proxy.said}")
    async with watched(proxy.pid) as samples:
        return await crowd(url, count, advance), samples


async def _end(proxy: Served, words: str) -> None:
    proxy.signal(signal.SIGTERM)
    end = await proxy.end()
    check(end.status == 0 and words in end.out, f"it ended with {end.status}: {end.out}{end.err}")


def _percentiles(streams: list[list[float]]) -> str:
    first = [values[0] for values in streams]
    each = [value for values in streams for value in values[1:]]
    told = (f"{percentile(found, 0.5):.1f}, p99 {percentile(found, 0.99):.1f}" for found in (first, each))
    return "first event p50 {}, each after p50 {}, max {:.0f}".format(*told, max(each))


def _most(samples: list[Footprint]) -> str:
    memory = max(sample.memory_mib for sample in samples)
    descriptors = max(sample.descriptors for sample in samples)
    return f"{memory:.0f} MiB (before: {samples[0].memory_mib:.0f}), {descriptors:,} descriptors"


def _allow_descriptors() -> None:
    """Let this process, which is all the clients, have as many as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


ITEMS: Final = (
    Item(
        "crowd",
        1000,
        "streams",
        "streams all at once are recorded and replayed at their pace, each client's bytes the same",
        run,
    ),
)
