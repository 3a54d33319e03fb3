"""What became of each call.

Rule: every answered API call is entered once, by the room that answered it; exit statuses, reports and summaries
are read from here, since applications swallow errors.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fate(StrEnum):
    """What became of a call; the first word of the `x-llmtape` header."""

    PLAYED = "played"
    RECORDED = "recorded"
    FORWARDED = "forwarded"
    MISSED = "missed"
    NOT_RECORDED = "not-recorded"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the ledger keeps it. `note` is the miss report, or why nothing was recorded."""

    fate: Fate
    cassette: str
    lane: str
    take: str
    method: str
    path: str
    status: int
    note: str = ""


class Ledger:
    """Counts per cassette and lane, and the latest misses in full.

    Counts are exact for any number of calls. Of the misses' reports `kept` are held, so that a server which runs
    for weeks does not grow.
    """

    def __init__(self, kept: int = 1000) -> None:
        self._counts: dict[tuple[str, str], Counter[Fate]] = {}
        self._misses: deque[Call] = deque(maxlen=kept)
        self._faults = 0

    @property
    def faults(self) -> int:
        """How many calls failed for want of an upstream, or were not stored though they should have been."""
        return self._faults

    def enter(self, call: Call, *, fault: bool = False) -> None:
        """Add one call."""
        self._faults += fault
        self._counts.setdefault((call.cassette, call.lane), Counter())[call.fate] += 1
        if call.fate is Fate.MISSED:
            self._misses.append(call)

    def explain(self, call: Call, note: str) -> None:
        """Add to a miss what was found out of it after it was entered."""
        if call in self._misses:
            self._misses[self._misses.index(call)] = replace(call, note=note)

    def fail(self) -> None:
        """Count a call that was refused before anything was known of it."""
        self._faults += 1

    def lose(self, cassette: str, lane: str) -> None:
        """Correct a call entered as recorded, whose storing failed after its answer had begun."""
        counts = self._counts[cassette, lane]
        counts[Fate.RECORDED] -= 1
        counts[Fate.NOT_RECORDED] += 1
        self._faults += 1

    @property
    def misses(self) -> tuple[Call, ...]:
        """The latest misses, oldest first."""
        return tuple(self._misses)

    @property
    def lanes(self) -> Mapping[tuple[str, str], Mapping[Fate, int]]:
        """The counts of each cassette and lane."""
        return self._counts

    def total(self, fate: Fate) -> int:
        """How many calls ended so, over all cassettes and lanes."""
        return sum(counts[fate] for counts in self._counts.values())
