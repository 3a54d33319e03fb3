"""Playing a recorded response.

Rule: waits until a chunk is due and sends it; what is due together leaves in one write. At pace `instant` that is
all of it. A recording that was cut is cut again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING

from proxy.core.model import Headers, Outcome, Response

if TYPE_CHECKING:
    from proxy.core.pace import Schedule
    from proxy.ports import Client

SleepUntil = Callable[[int], Awaitable[None]]
"""Waits until so many microseconds after the request arrived; returns at once where that is past."""

_RETRY_AFTER = frozenset({"retry-after", "retry-after-ms"})


async def play(
    client: Client,
    response: Response,
    schedule: Schedule | None,
    headers: Headers,
    sleep_until: SleepUntil,
    *,
    counts: bool = True,
    stall: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Send a response by its schedule, or all at once where there is none; `headers` are added to its own.

    A plain body is sent with its length, unless `counts` is false. Where it is to stall, `stall` waits for whatever
    ends that; the connection is aborted then.
    """
    ends_well = response.outcome is not Outcome.CUT and stall is None
    counted = counts and ends_well and not response.is_stream  # a cut one was longer than what came of it
    client.start(
        response.status,
        _played_headers(response, instant=schedule is None) + headers,
        length=sum(len(chunk.data) for chunk in response.chunks) if counted else None,
    )
    pieces = [chunk.data for chunk in response.chunks]
    if schedule is None:
        await client.write(pieces, last=ends_well)
    else:
        await _play_by(schedule, client, pieces, sleep_until)
        if ends_well:
            await client.write((), last=True)
    if stall:
        await stall()
    if not ends_well:
        await client.abort()


async def _play_by(schedule: Schedule, client: Client, pieces: list[bytes], sleep_until: SleepUntil) -> None:
    await sleep_until(schedule.head_us)
    await client.write(())
    for due, group in groupby(zip(schedule.chunks_us, pieces, strict=True), key=lambda timed: timed[0]):
        await sleep_until(due)
        await client.write([piece for _, piece in group])


def _played_headers(response: Response, *, instant: bool) -> Headers:
    """Let a replayed error be retried at once: its recorded delay would slow a test down for nothing."""
    waits = any(name.lower() in _RETRY_AFTER for name, _ in response.headers)
    if not instant or not waits or response.status < HTTPStatus.BAD_REQUEST:
        return response.headers
    kept = tuple((name, value) for name, value in response.headers if name.lower() not in _RETRY_AFTER)
    return (*kept, ("retry-after-ms", "1"))
