"""Clients do everything wrong.

Rule: one proxy, as a process of its own, meets them all. Whatever they do, it answers with no 500, tells nothing in a
traceback, leaves nobody waiting, and serves the next one well; at the end it is as small as it was.
"""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from tests.running import ask
from torture.footprint import Footprint
from torture.item import BrokenPromiseError, Item, check
from torture.misdeeds import GOOD, STREAM, Misdeed, misdeeds
from torture.served import served
from torture.stalling import record, stall
from torture.unruly import ANSWER, EVENTS, Act, act, ask_well, drawn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from torture.item import Advance
    from torture.served import Served

LIMIT: Final = 64_000_000
"""What `server.body_limit` is set to in the long form."""

AT_ONCE: Final = 8
_GROWTH_MIB: Final = 256  # gigabytes went through, and the allocator keeps some of the largest: it goes up and down
_MISSED: Final = 3
_PATIENCE_S: Final = 60.0
_TO_END_S: Final = 10.0


@dataclass(slots=True)
class Met:
    """What the proxy met: how many acts, and how many calls that must, and may, be in its ledger."""

    acts: int = 0
    least: int = 0
    most: int = 0


@asynccontextmanager
async def _proxy(folder: Path, limit: int) -> AsyncIterator[tuple[Served, str]]:
    cassette = folder / "tapes" / "c.sqlite"
    cassette.parent.mkdir()
    record(cassette, (GOOD, (ANSWER,)), (STREAM, EVENTS))
    (cassette.parent / "broken.sqlite").write_bytes(b"no cassette" * 1000)
    (cassette.parent / "link.sqlite").symlink_to("/etc/passwd")
    (cassette.parent / "folder").symlink_to("/etc")
    environment = {"LLMTAPE_SERVER_BODY_LIMIT": str(limit), "LLMTAPE_CASSETTE_DIR": str(cassette.parent)}
    async with served(folder, "replay", "-c", cassette, "--port", "0", env=environment) as proxy:
        url = await proxy.url()
        check(url, f"the proxy did not start: {proxy.said}")
        yield proxy, url


async def misbehave(rounds: Iterable[Sequence[Act]], folder: Path, limit: int, advance: Advance) -> str:
    """Let the acts of each round happen at once, after those of the round before; return the figures.

    Before all of them each misdeed is done once, so that the proxy has met the largest when its size is first taken.
    """
    met = Met()
    async with _proxy(folder, limit) as (proxy, url):
        await ask_well(url)
        met.least = met.most = 1
        files = Footprint.of(proxy.pid).descriptors
        for once in each_once(misdeeds(limit)):
            await _round(once, url, met)
        first_mib = Footprint.of(proxy.pid).memory_mib
        for acts in rounds:
            await _round(acts, url, met)
            advance()
        await _settle(proxy, files)
        last_mib = Footprint.of(proxy.pid).memory_mib
        await _check_ledger(url, met)
        seconds = await _end(proxy)
    check(
        last_mib <= first_mib + _GROWTH_MIB,
        f"the proxy grew from {first_mib:.0f} to {last_mib:.0f} MiB over {met.acts} misdeeds",
    )
    return (
        f"{met.acts:,} misdeeds, {met.least:,} calls; {first_mib:.0f} to {last_mib:.0f} MiB, "
        f"{files} descriptors before and after, exit after {seconds:.1f} s"
    )


async def _round(acts: Sequence[Act], url: str, met: Met) -> None:
    answered = await asyncio.gather(*(act(what, url) for what in acts))
    await ask_well(url)
    met.acts += len(acts)
    met.least += sum(answered) + 1
    met.most += sum(len(what.misdeed.statuses) + 1 for what in acts) + 1


async def _settle(proxy: Served, files: int) -> None:
    """Wait until no connection of those that left is open."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while Footprint.of(proxy.pid).descriptors > files:  # noqa: ASYNC110  another process tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        now = Footprint.of(proxy.pid).descriptors
        raise BrokenPromiseError(f"{now} descriptors are open, and {files} were before") from error


async def _check_ledger(url: str, met: Met) -> None:
    status = await ask(url.removesuffix("/v1") + "/_llmtape/status", method="GET")
    calls = json.loads(status.body)["calls"]
    counted = calls["played"] + calls["missed"]
    check(met.least <= counted <= met.most, f"the ledger has {counted} calls, not {met.least} to {met.most}: {calls}")
    check(calls["recorded"] + calls["forwarded"] + calls["injected"] == 0, f"the ledger has what never was: {calls}")


async def _end(proxy: Served) -> float:
    """Stop it; return how long that took. An answer that nobody waits for any more would be waited for now."""
    proxy.signal(signal.SIGTERM)
    end = await proxy.end()
    for trouble in ("Traceback", "Error handling", "Unhandled", "Task ", "Waiting up to"):
        at = end.err.find(trouble)
        check(at < 0, f"the log tells of trouble: {end.err[max(0, at - 500) : at + 3000]}")
    check(end.status == _MISSED, f"the exit status is {end.status}: {end.err[-1000:]}")
    check(end.seconds <= _TO_END_S, f"the end took {end.seconds:.1f} s")
    return end.seconds


def each_once(cases: Sequence[Misdeed]) -> list[list[Act]]:
    """Put all misdeeds into rounds, each done whole and at once."""
    return [[Act(case) for case in cases[start : start + AT_ONCE]] for start in range(0, len(cases), AT_ONCE)]


def mixtures(cases: Sequence[Misdeed], seeds: Iterable[int]) -> Iterable[list[Act]]:
    """Draw a round of misdeeds for each seed, each done in any way."""
    for seed in seeds:
        random = Random(seed)
        yield [drawn(random.choice(cases), random) for _ in range(AT_ONCE)]


def run(count: int, folder: Path, advance: Advance) -> str:
    """Do each misdeed once, then so many rounds of them drawn by their number."""
    return asyncio.run(misbehave(mixtures(misdeeds(LIMIT), range(count)), folder, LIMIT, advance))


def run_stalled(count: int, folder: Path, advance: Advance) -> str:
    """Let so many readers stall on a proxy of each mode."""
    return asyncio.run(stall(count, folder, advance))


ITEMS: Final = (
    Item("clients", 1000, "rounds", "whatever clients do, the next one is served well, and nothing is left of it", run),
    Item("stalled", 1000, "readers", "who does not read takes no memory, and holds nobody up", run_stalled),
)
