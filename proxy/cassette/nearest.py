"""Which recording is nearest to a request that missed.

Rule: a bounded number of recordings is compared, however many there are; which, the index says where a file has one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from proxy.core.mismatch import nearness
from proxy.core.miss import Nearest
from proxy.core.normalize import normalize
from proxy.core.outline import outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.cassette.reader import Reader
    from proxy.core.mismatch import Score
    from proxy.core.model import Request, Take
    from proxy.core.normalize import Canonical
    from proxy.core.rules import Rules

FEW = 200
FEW_BYTES = 2 * 1024 * 1024
"""Up to so many recordings, and so much of their requests, a miss is compared with all; else with those that the index
names, the most promising first, as far as these hold no more either."""

MOST_COMPARED = 2000
MOST_BYTES_COMPARED = 16 * 1024 * 1024
"""How many recordings a miss is compared with where a file has no index, the latest first, and how much of their
requests: a second's work."""


def nearest(reader: Reader, asked: Canonical, rules: Rules) -> Nearest | None:
    """Find the recorded request most like this one; of several one that travels alike, and of these the latest."""
    best: tuple[Score, bool, int, Nearest] | None = None
    for take, recorded_at, request in _candidates(reader, asked):
        canonical = normalize(request, rules)
        score = nearness(canonical.content, asked.content)
        rank = score, canonical.variant is asked.variant, take.id
        if score[0] and (best is None or rank > best[:3]):
            best = *rank, Nearest(take, recorded_at, request, canonical)
    return best[-1] if best else None


def _candidates(reader: Reader, asked: Canonical) -> Iterable[tuple[Take, str, Request]]:
    """Choose which recordings a miss is compared with."""
    latest = reader.requests(latest_first=True)
    if not reader.is_indexed:
        return _bounded(latest, MOST_COMPARED, MOST_BYTES_COMPARED)
    if (held := len(reader)) <= FEW:
        few = list(_bounded(latest, FEW, FEW_BYTES))
        if len(few) == held:
            return few
    return _bounded(reader.near(outline(asked.content)), MOST_COMPARED, FEW_BYTES)


def _bounded(
    requests: Iterator[tuple[Take, str, Request]], most: int, most_bytes: int
) -> Iterator[tuple[Take, str, Request]]:
    size = 0
    for take, recorded_at, request in islice(requests, most):
        yield take, recorded_at, request
        size += len(request.body)
        if size > most_bytes:
            return
