"""Which take plays next.

Rule: a deck holds the play state, and nothing else does; recordings are never changed by being played. There is a
position for each track as a client asks for it: how many of its takes were handed out. It knows recordings by what they
are in any file, since a file may be replaced while it is played.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from proxy.core.model import Outcome
from proxy.core.modes import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.model import Place, Take, Track

_FIRST_ERROR = 400


class Repeats(StrEnum):
    """What plays once all takes of a track have."""

    LAST = "last"
    CYCLE = "cycle"
    ERROR = "error"


class Incomplete(StrEnum):
    """What is done with a recording that did not end well."""

    REFUSE = "refuse"
    PLAY = "play"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a deck answers: how it stands, and the take to play or to speak of."""

    found: Found
    take: Take | None = None
    is_again: bool = False
    """Whether all takes had been played before."""


def _is_well_answered(take: Take) -> bool:
    return take.status < _FIRST_ERROR and take.outcome is Outcome.COMPLETE


class Deck:
    """The play state of one cassette."""

    def __init__(self, repeats: Repeats = Repeats.LAST, incomplete: Incomplete = Incomplete.REFUSE) -> None:
        self._repeats = repeats
        self._incomplete = incomplete
        self._positions: Counter[Track] = Counter()
        self._played: defaultdict[str, set[Place]] = defaultdict(set)
        self._ever_played: set[Place] = set()

    @property
    def played(self) -> frozenset[Place]:
        """The recordings that were played at least once since the start or the last rewind."""
        return frozenset().union(*self._played.values())

    @property
    def ever_played(self) -> frozenset[Place]:
        """The recordings that were played at least once since the start, whatever was rewound since."""
        return frozenset(self._ever_played)

    def played_by(self, lane: str) -> frozenset[Place]:
        """Return those that one lane's clients were played."""
        return frozenset(self._played[lane])

    def draw(
        self, asked: Track, takes: Sequence[Take], *, retry: bool = False, repeats: Repeats | None = None
    ) -> Drawn:
        """Choose among the takes of a track, given in order, and move on.

        `retry` says that the client's own library sends the same call again. Where the call before it was
        answered well, the answer got lost on its way, and is given once more instead of spending a take.
        `repeats` is for a lane that wants it otherwise.
        """
        if not takes:
            return Drawn(Found.NOT_RECORDED)
        repeats = repeats or self._repeats
        position = self._positions[asked]
        if retry and position and (again := _at(takes, position - 1, repeats)) and _is_well_answered(again):
            return self._hand_out(asked, again)
        take = _at(takes, position, repeats)
        if take is None:
            return Drawn(Found.EXHAUSTED, takes[-1])
        self._positions[asked] += 1
        return self._hand_out(asked, take, is_again=position >= len(takes))

    def position(self, asked: Track) -> int:
        """Return how many takes of a track were handed out."""
        return self._positions.get(asked, 0)

    def skip(self, asked: Track) -> None:
        """Move on past a take that is recorded now: the client got that answer live."""
        self._positions[asked] += 1

    def take_back(self, asked: Track) -> None:
        """Undo the latest step: nothing was recorded after all, and the track is as if it had not been asked for."""
        self._positions[asked] -= 1
        if self._positions[asked] <= 0:
            del self._positions[asked]

    def rewind(self, lane: str | None = None) -> None:
        """Start again at the first takes, of one lane's clients or of all; all forgets what was played, too."""
        for track in list(self._positions):
            if lane is None or track.lane == lane:
                del self._positions[track]
        if lane is None:
            self._played.clear()

    def restart(self, lane: str) -> None:
        """Rewind a lane whose test begins, and forget what it was played before."""
        self.rewind(lane)
        self._played.pop(lane, None)

    def _hand_out(self, asked: Track, take: Take, *, is_again: bool = False) -> Drawn:
        if take.outcome is not Outcome.COMPLETE and self._incomplete is Incomplete.REFUSE:
            return Drawn(Found.INCOMPLETE, take)
        self._played[asked.lane].add(take.place)
        self._ever_played.add(take.place)
        return Drawn(Found.PLAYABLE, take, is_again)


def _at(takes: Sequence[Take], position: int, repeats: Repeats) -> Take | None:
    if position < len(takes):
        return takes[position]
    if repeats is Repeats.CYCLE:
        return takes[position % len(takes)]
    return takes[-1] if repeats is Repeats.LAST else None
