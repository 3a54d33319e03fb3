"""Which recordings of two cassettes belong together.

Rule: the same call first; what is left is paired by nearness, in the order of recording and no further apart than
calls that run at the same time may come. What is like nothing on the other side stays alone.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.mismatch import nearness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.mismatch import Score
    from proxy.core.normalize import Canonical

_REACH: Final = 20
"""How many places ahead and behind a counterpart is looked for."""

_LEAST_ALIKE: Final = 0.2

Places = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Pairs of places in two lists: those of one key, and those that are near; and the places left alone."""

    same: Places
    near: Places
    only_one: tuple[int, ...]
    only_other: tuple[int, ...]


def pair(one: Sequence[Canonical], other: Sequence[Canonical]) -> Pairing:
    """Pair the requests of two recordings, each in the order in which they were recorded."""
    by_key: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
    for place, form in enumerate(other):
        by_key[form.key, form.variant].append(place)
    same: list[tuple[int, int]] = []
    left: list[int] = []
    for place, form in enumerate(one):
        if waiting := by_key[form.key, form.variant]:
            same.append((place, waiting.popleft()))
        else:
            left.append(place)
    rest = sorted(place for waiting in by_key.values() for place in waiting)
    near: list[tuple[int, int]] = []
    for at, place in enumerate(left):
        window = rest[max(0, at - len(near) - _REACH) : at - len(near) + _REACH + 1]
        found = max(window, key=lambda its: score(one[place], other[its]), default=None)
        if found is not None and belong(score(one[place], other[found])):
            near.append((place, found))
            rest.remove(found)
    paired = {place for place, _ in near}
    return Pairing(tuple(same), tuple(near), tuple(place for place in left if place not in paired), tuple(rest))


def score(one: Canonical, other: Canonical) -> Score:
    """Say how near two requests are; of two as near, the one that travels alike is nearer."""
    return (*nearness(one.content, other.content), float(one.variant is other.variant))


def belong(reached: Score) -> bool:
    """Tell whether requests of that score may be one that was asked otherwise."""
    endpoint, same_messages, common, alike, *_ = reached
    return endpoint == 1 and bool(same_messages or common or alike >= _LEAST_ALIKE)
