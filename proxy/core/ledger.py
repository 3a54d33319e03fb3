"""What became of each call.

Rule: every answered API call is entered once, by the room that answered it; exit statuses, reports and summaries
are read from here, since applications swallow errors.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from proxy.core.model import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.model import Response


NOT_KEPT: Final = Request("", "")
"""Stands for the request of a call in a lane that nobody started."""


class Fate(StrEnum):
    """What became of a call; the first word of the `x-llmtape` header."""

    PLAYED = "played"
    RECORDED = "recorded"
    FORWARDED = "forwarded"
    MISSED = "missed"
    NOT_RECORDED = "not-recorded"
    INJECTED = "injected"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the ledger keeps it. `note` is the miss report, or why nothing was recorded.

    `failed` says that it got no answer for want of an upstream, or was not stored though it should have been;
    `is_again` that all takes had been played, and one was played once more; `injected` are the faults on purpose.
    Request and answer are redacted; they are kept only for lanes that were started.
    """

    fate: Fate
    cassette: str
    lane: str
    take: str
    method: str
    path: str
    status: int
    note: str = ""
    failed: bool = False
    is_again: bool = False
    injected: tuple[str, ...] = ()
    request: Request = field(default=NOT_KEPT, repr=False)
    response: Response | None = field(default=None, repr=False)


class Line:
    """Where a call stands in the ledger: what is entered may be amended once more is known."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call


class Ledger:
    """Counts per cassette and lane, the latest misses in full, and all calls of the lanes that were opened.

    Counts are exact for any number of calls. Of the misses' reports `kept` are held, so that a server which runs
    for weeks does not grow.
    """

    def __init__(self, kept: int = 1000) -> None:
        self._counts: dict[tuple[str, str], Counter[Fate]] = {}
        self._misses: deque[Line] = deque(maxlen=kept)
        self._pages: dict[tuple[str, str], list[Line]] = {}
        self._faults = 0

    @property
    def faults(self) -> int:
        """How many calls failed for want of an upstream, or were not stored though they should have been."""
        return self._faults

    def enter(self, call: Call) -> Line:
        """Add one call."""
        place = call.cassette, call.lane
        page = self._pages.get(place)
        line = Line(call if page is not None else _bare(call))
        self._faults += call.failed
        self._counts.setdefault(place, Counter())[call.fate] += 1
        if page is not None:
            page.append(line)
        if call.fate is Fate.MISSED:
            self._misses.append(line)
        return line

    def amend(self, line: Line, **changes: Any) -> None:
        """Change what is known of a call; the counts follow."""
        before, after = line.call, replace(line.call, **changes)
        if (before.cassette, before.lane) not in self._pages:
            after = _bare(after)
        line.call = after
        counts = self._counts[before.cassette, before.lane]
        counts[before.fate] -= 1
        counts[after.fate] += 1
        self._faults += after.failed - before.failed

    def fail(self) -> None:
        """Count a call that was refused before anything was known of it."""
        self._faults += 1

    def open(self, cassette: str, lane: str) -> list[Line]:
        """Keep all calls of a lane from now on; return the page, to which each is added."""
        return self._pages.setdefault((cassette, lane), [])

    def close(self, cassette: str, lane: str) -> None:
        """Keep the calls of a lane no longer."""
        page = self._pages.pop((cassette, lane), None)
        if page:  # whoever has the page keeps it; of what is told at the end the requests are no part
            gone = {id(line) for line in page}
            bare = (Line(_bare(line.call)) if id(line) in gone else line for line in self._misses)
            self._misses = deque(bare, self._misses.maxlen)

    @property
    def misses(self) -> tuple[Call, ...]:
        """The latest misses, oldest first."""
        return tuple(line.call for line in self._misses)

    @property
    def lanes(self) -> Mapping[tuple[str, str], Mapping[Fate, int]]:
        """The counts of each cassette and lane."""
        return self._counts

    def total(self, fate: Fate) -> int:
        """How many calls ended so, over all cassettes and lanes."""
        return sum(counts[fate] for counts in self._counts.values())


def _bare(call: Call) -> Call:
    """Return a call without what it was about."""
    return replace(call, request=NOT_KEPT, response=None)
