"""How far from its recorded time an event is, with 100 streams replayed together at pace `recorded`.

They begin 10 ms apart: begun at the same instant they would measure how fast connections are accepted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.client import Stream, body, streams
from bench.figures import percentile, show
from bench.processes import llmtape, upstream
from proxy.cassette.reader import Reader
from proxy.core.model import Request
from proxy.core.normalize import normalize

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 100
COLUMNS = ("streams together", "p50", "p99", "max", "within 10 ms")


def run(folder: Path) -> None:
    cassette = folder / "pace.sqlite"
    counts = (1, 100)
    with upstream(EVENTS, 20) as direct, llmtape("record", cassette, "--upstream", direct) as recording:
        asyncio.run(streams(recording, max(counts), apart_s=0.01))
    due = _due(cassette, max(counts))
    with llmtape("replay", cassette, "--pace", "recorded") as replaying:
        rows = [_row(count, asyncio.run(streams(replaying, count, apart_s=0.01)), due) for count in counts]
    show(f"Replay at pace recorded ({EVENTS} events, about 20 ms apart): ms from the recorded time", COLUMNS, rows)


def _due(cassette: Path, count: int) -> list[list[float]]:
    """Read when each event of each stream came, in ms from the moment its request was sent."""
    found = []
    with Reader(cassette) as reader:
        for number in range(count):
            key = normalize(Request("POST", "/v1/chat/completions", body=body(number))).key
            response, _ = reader.response(reader.takes_of_key(key)[0])
            found.append([chunk.at_us / 1000 for chunk in response.chunks if chunk.data.startswith(b"data: {")])
    return found


def _row(count: int, heard: list[Stream], due: list[list[float]]) -> tuple[str, ...]:
    late = [
        abs((arrived - stream.asked_ns) / 1e6 - planned)
        for stream, times in zip(heard, due, strict=False)
        for arrived, planned in zip(stream.arrived_ns, times, strict=True)
    ]
    share = sum(lag <= 10 for lag in late) / len(late)
    figures = (percentile(late, 0.5), percentile(late, 0.99), max(late))
    return (str(count), *(f"{figure:.2f}" for figure in figures), f"{share:.2%}")
