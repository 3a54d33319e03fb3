"""What becomes of recordings when other rules make their keys.

Rule: the same plan serves a replay, which goes by it in memory, and `rekey`, which writes it. Recordings that come to
share a key become takes of one call in the order in which they were recorded; where their answers differ the plan says
so, since a test could then get another answer than the one it was recorded with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.core.model import KEY_DIGITS, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.core.model import Take


@dataclass(frozen=True, slots=True)
class Merge:
    """Recordings of several keys that come to share one, as they are named now. `differs` tells of their answers."""

    key: str
    takes: tuple[Take, ...]
    differs: bool

    def told(self) -> str:
        """Say it in a line."""
        names = ", ".join(take.name + (f" (lane {take.track.lane})" if take.track.lane else "") for take in self.takes)
        answers = "with different answers" if self.differs else "with the same answer"
        return f"{names} become takes of {self.key[:KEY_DIGITS]}, {answers}"


@dataclass(frozen=True, slots=True)
class Rekeying:
    """Each recording's take under the new rules, by its id, in order; and those that merge."""

    takes: Mapping[int, Take]
    merges: tuple[Merge, ...] = ()
    changed: int = 0
    """How many recordings get another key."""

    @property
    def conflicts(self) -> tuple[Merge, ...]:
        """Those whose answers differ."""
        return tuple(merge for merge in self.merges if merge.differs)


def plan(recordings: Iterable[tuple[Take, str]], meaning: Callable[[Take], object]) -> Rekeying:
    """Plan for recordings, each with its new key, in the order in which they were recorded.

    `meaning` tells what a take's answer says; it is asked only where recordings merge.
    """
    tracks: dict[Track, list[Take]] = {}
    calls: dict[Track, list[Take]] = {}
    takes: dict[int, Take] = {}
    for take, key in recordings:
        takes[take.id] = take  # in their order
        track = replace(take.track, key=key)
        tracks.setdefault(track, []).append(take)
        # Over all lanes: a client whose own lane has no recording gets those of the others.
        calls.setdefault(replace(track, lane=""), []).append(take)
    for track, together in tracks.items():
        is_merged = _is_merged(together)
        for place, take in enumerate(together, 1):
            takes[take.id] = replace(take, track=track, number=place if is_merged else take.number)
    merges = tuple(
        Merge(call.key, tuple(together), differs=_differ(together, meaning))
        for call, together in calls.items()
        if _is_merged(together)
    )
    changed = sum(take.track.key != track.key for track, together in tracks.items() for take in together)
    return Rekeying(takes, merges, changed)


def _is_merged(together: Sequence[Take]) -> bool:
    return len({take.track.key for take in together}) > 1


def _differ(together: Sequence[Take], meaning: Callable[[Take], object]) -> bool:
    """Tell whether the calls that merge were answered differently: each with its own takes, in order."""
    answers: dict[str, list[object]] = {}
    for take in together:
        answers.setdefault(take.track.key, []).append(meaning(take))
    first, *others = answers.values()
    return any(other != first for other in others)
