"""How late a stream's bytes are while it is recorded: one at a time, and 1,000 at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.client import Stream, streams
from bench.figures import percentile, show
from bench.processes import bare, llmtape, upstream

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 20
COLUMNS = ("through", "first event p50", "p99", "each event p50", "p99", "max")


def run(folder: Path) -> None:
    alone(folder / "alone.sqlite")
    crowd(folder / "crowd.sqlite")


def alone(cassette: Path, rounds: int = 100) -> None:
    """One stream after another; the three ways take turns, so that all meet the same machine."""
    heard: dict[str, list[Stream]] = {"nothing (direct)": [], "bare aiohttp": [], "llmtape record": []}
    with (
        upstream(EVENTS, 5) as direct,
        bare(direct) as passed,
        llmtape("record", cassette, "--upstream", direct) as recorded,
    ):
        for number in range(rounds):
            for name, url in zip(heard, (direct, passed, recorded), strict=True):
                heard[name] += asyncio.run(streams(url, 1, number))
    rows = [_row(name, found) for name, found in heard.items()]
    show(f"Recording, one stream at a time ({rounds} streams of {EVENTS} events): ms late", COLUMNS, rows)


def crowd(cassette: Path, count: int = 1000) -> None:
    """All at once."""
    heard: dict[str, list[Stream]] = {}
    with (
        upstream(EVENTS, 500) as direct,
        bare(direct) as passed,
        llmtape("record", cassette, "--upstream", direct) as recorded,
    ):
        for name, url in (("nothing (direct)", direct), ("bare aiohttp", passed), ("llmtape record", recorded)):
            heard[name] = asyncio.run(streams(url, count))
    rows = [_row(name, found) for name, found in heard.items()]
    show(f"Recording, {count} streams at once ({EVENTS} events each, 500 ms apart): ms late", COLUMNS, rows)


def _row(name: str, heard: list[Stream]) -> tuple[str, ...]:
    first = [stream.lags_ms[0] for stream in heard]
    each = [lag for stream in heard for lag in stream.lags_ms[1:]]
    figures = (
        percentile(first, 0.5),
        percentile(first, 0.99),
        percentile(each, 0.5),
        percentile(each, 0.99),
        max(each),
    )
    return (name, *(f"{figure:.2f}" for figure in figures))
