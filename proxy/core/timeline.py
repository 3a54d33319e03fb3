"""When the events of a stream came, as numbers that can be drawn.

Rule: pure; all times are microseconds from the moment the request was sent, in any order, as a cassette may hold
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from proxy.core.delta import addition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.model import Response

_SECOND = 1_000_000
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many events came in each of the equal parts of a response's duration, and their longest silence.

    `gap_at_us` is when that began; without two events there is none, and it is zero microseconds long.
    """

    duration_us: int
    counts: tuple[int, ...]
    gap_us: int
    gap_at_us: int

    @property
    def peak(self) -> int:
        """Events a second in the part with the most of them."""
        return round(max(self.counts) * len(self.counts) * _SECOND / self.duration_us)


def spoken_at(response: Response) -> tuple[int, ...]:
    """Tell when each event came that says something; where none does that we can read, when each came."""
    times = tuple(chunk.at_us for chunk in response.chunks if addition(chunk.data).pieces)
    return times or tuple(chunk.at_us for chunk in response.chunks)


def timeline(times_us: Sequence[int], duration_us: int, parts: int) -> Timeline | None:
    """Count events by parts of the time from the request to the response's end; None where no time passed."""
    whole = max(duration_us, *times_us, 0) if times_us else 0
    if not whole:
        return None
    counts = [0] * parts
    for at in times_us:
        counts[min(max(at, 0) * parts // whole, parts - 1)] += 1
    gap_us, began_us = max(
        ((later - earlier, earlier) for earlier, later in pairwise(sorted(times_us))),
        key=lambda gap: gap[0],
        default=(0, 0),
    )
    return Timeline(whole, tuple(counts), gap_us, began_us)


def ticks(duration_us: int, most: int) -> range:
    """Choose round times for an axis from zero: steps of 1, 2 or 5 times a power of ten, at most so many of them."""
    scale = 1
    while True:
        for step in _STEPS:
            if duration_us // (step * scale) < most:
                return range(0, duration_us + 1, step * scale)
        scale *= 10


def rate(count: int, first_us: int, last_us: int) -> float | None:
    """Return how many a second came from the first to the last of `count`; None where no time lay between them."""
    return None if last_us <= first_us else (count - 1) * _SECOND / (last_us - first_us)
