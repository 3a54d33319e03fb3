"""Which interactions of two cassettes belong together, however many there are.

Rule: the same request first; what is left is the same request asked otherwise, and is paired from what is surely the
same to what is merely alike, within a lane before between lanes. No interaction is paired twice, and what is like
nothing on the other side stays alone. Time and memory grow with the number of interactions, never with its square:
a few are compared with each, those that share the most of their rarer words.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from typing import TYPE_CHECKING, Any, Final, TypeVar

from proxy.core.pairing import belong, score
from proxy.core.sketch import sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from proxy.core.mismatch import Score
    from proxy.core.model import Take
    from proxy.core.normalize import Canonical
    from proxy.core.sketch import Sketch

    Watch = Callable[[Iterable[Any], int, str], Iterator[Any]]
    """Yields what it is given: items, how many they are, and what is done with them."""

T = TypeVar("T")

_REACH: Final = 16
"""How many requests that have a word are looked at: those about as far into the recording."""

_MOST_COMPARED: Final = 4
_MOST_HELD: Final = 64
"""Requests that are kept at hand while their neighbours are compared with them."""

_SAME_REQUEST: Final[Sequence[Callable[[Take], Hashable]]] = (
    lambda take: (take.track, take.number),
    lambda take: (take.track.key, take.track.lane, take.number),
    lambda take: (take.track.key, take.track.lane),
    lambda take: take.track.key,
)
"""What recordings of one request have in common, from all to little: a test may come to stream, or be renamed."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Interactions in pairs, and those of one side alone; each in the order in which they were given."""

    pairs: Sequence[tuple[Take, Take]]
    only_one: Sequence[Take]
    only_other: Sequence[Take]


@dataclass(frozen=True, slots=True)
class Side:
    """Interactions in the order of recording, and how to read what one asks."""

    takes: Sequence[Take]
    read: Callable[[Take], Canonical]


@dataclass(frozen=True, slots=True)
class _Asked:
    place: int
    take: Take
    sketch: Sketch

    @property
    def lane(self) -> str:
        return self.take.track.lane


def match_same(one: Iterable[Take], other: Iterable[Take]) -> Matching:
    """Pair recordings of the same request: take by take where that is so on both sides, else in order."""
    pairs: list[tuple[Take, Take]] = []
    left, rest = list(one), list(other)
    places = {id(take): place for place, take in enumerate(left)}
    for common in _SAME_REQUEST:
        found, left, rest = _together(left, rest, common)
        pairs += found
    pairs.sort(key=lambda pair: places[id(pair[0])])
    return Matching(pairs, left, rest)


def match_near(one: Side, other: Side, watch: Watch = lambda items, _, __: iter(items)) -> Matching:
    """Pair recordings of what seems to be the same request, asked otherwise."""
    left, rest = (_sketched(side, watch) for side in (one, other))
    alike = _Alike(lru_cache(_MOST_HELD)(one.read), lru_cache(_MOST_HELD)(other.read), watch)
    steps: Sequence[Callable[[list[_Asked], list[_Asked]], _Step[_Asked]]] = (
        lambda left, rest: _together(left, rest, lambda asked: (asked.lane, asked.sketch.talk)),
        lambda left, rest: _together(left, rest, lambda asked: (asked.lane, asked.sketch.matter)),
        lambda left, rest: alike.paired(left, rest, lambda asked: asked.lane),
        _in_order,
        lambda left, rest: _together(left, rest, lambda asked: asked.sketch.talk),
        lambda left, rest: alike.paired(left, rest, lambda _: None),
    )
    pairs: list[tuple[_Asked, _Asked]] = []
    for step in steps:
        found, left, rest = step(left, rest)
        pairs += found
    pairs.sort(key=lambda pair: pair[0].place)
    return Matching([(mine.take, its.take) for mine, its in pairs], [it.take for it in left], [it.take for it in rest])


_Step = tuple[list[tuple[T, T]], list[T], list[T]]
"""Pairs that were found, and what is left of both sides."""


def _together(one: Iterable[T], other: Iterable[T], common: Callable[[T], Hashable]) -> _Step[T]:
    """Pair what has something in common, in order."""
    waiting: dict[Hashable, list[T]] = {}
    for item in other:
        waiting.setdefault(common(item), []).append(item)
    for items in waiting.values():
        items.reverse()
    pairs: list[tuple[T, T]] = []
    left: list[T] = []
    for item in one:
        if items := waiting.get(common(item), []):
            pairs.append((item, items.pop()))
        else:
            left.append(item)
    taken = {id(its) for _, its in pairs}
    return pairs, left, [item for item in other if id(item) not in taken]


def _in_order(one: list[_Asked], other: list[_Asked]) -> _Step[_Asked]:
    """Pair what is left of a lane in order, where both sides have as much: a test that now asks for something else."""
    counts = [Counter((asked.lane, asked.sketch.endpoint) for asked in side) for side in (one, other)]

    def is_even(asked: _Asked) -> bool:
        group = asked.lane, asked.sketch.endpoint
        return bool(asked.lane) and counts[0][group] == counts[1][group]

    return _together(one, other, lambda asked: (asked.lane, asked.sketch.endpoint) if is_even(asked) else id(asked))


def _sketched(side: Side, watch: Watch) -> list[_Asked]:
    takes = watch(side.takes, len(side.takes), "reading what was asked")
    return [_Asked(place, take, sketch(side.read(take).content)) for place, take in enumerate(takes)]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Pairs requests that have words in common, the nearest first."""

    read_one: Callable[[Take], Canonical]
    read_other: Callable[[Take], Canonical]
    watch: Watch

    def paired(self, one: list[_Asked], other: list[_Asked], group: Callable[[_Asked], Hashable]) -> _Step[_Asked]:
        """Pair within groups."""
        groups, its_groups = (_grouped(side, group) for side in (one, other))
        pairs = [
            pair
            for name, asked in self.watch(groups.items(), len(groups), "looking for what is near")
            for pair in self._nearest(asked, its_groups.get(name, []))
        ]
        paired = {id(asked) for pair in pairs for asked in pair}
        left, rest = ([asked for asked in side if id(asked) not in paired] for side in (one, other))
        return pairs, left, rest

    def _nearest(self, one: list[_Asked], other: list[_Asked]) -> Iterator[tuple[_Asked, _Asked]]:
        """Pair what is nearest. One's nearest may be another's still nearer one, so all are weighed first."""
        mine: set[int] = set()
        theirs: set[int] = set()
        for _, _, at, its in sorted(self._weighed(one, other), reverse=True):
            if at not in mine and its not in theirs:
                mine.add(at)
                theirs.add(its)
                yield one[-at], other[-its]

    def _weighed(self, one: list[_Asked], other: list[_Asked]) -> Iterator[tuple[Score, int, int, int]]:
        """Yield which requests may belong together, so that the best of them sorts last: as near, as early, first."""
        postings = _Postings(other)
        for at, asked in enumerate(one):
            expected = at * len(other) // len(one)
            for its in postings.near(asked.sketch, expected):
                reached = score(self.read_one(asked.take), self.read_other(other[its].take))
                if belong(reached):
                    yield reached, -abs(its - expected), -at, -its


class _Postings:
    """Where each word stands in the requests of one side."""

    def __init__(self, side: Sequence[_Asked]) -> None:
        self._places: defaultdict[int, array[int]] = defaultdict(lambda: array("L"))
        for place, asked in enumerate(side):
            for word in asked.sketch.words:
                self._places[word].append(place)

    def near(self, asked: Sketch, expected: int) -> list[int]:
        """Choose the places that share most, a rare word counting for more; of several as good those about there."""
        shared: defaultdict[int, float] = defaultdict(float)
        for word in asked.words:
            places = self._places.get(word, ())
            middle = bisect_left(places, expected)
            for place in places[max(0, middle - _REACH // 2) : middle + _REACH // 2]:
                shared[place] += 1 / len(places)
        return nlargest(_MOST_COMPARED, shared, key=lambda place: (shared[place], -abs(place - expected)))


def _grouped(side: Iterable[_Asked], group: Callable[[_Asked], Hashable]) -> dict[Hashable, list[_Asked]]:
    groups: dict[Hashable, list[_Asked]] = {}
    for asked in side:
        groups.setdefault(group(asked), []).append(asked)
    return groups
