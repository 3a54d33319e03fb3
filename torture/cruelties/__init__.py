"""All that an upstream may do wrong: one table.

Rule: a case is data. It says what is done in a few words, which are those of `docs/upstream.md`, and by which bytes;
what must come of it is nowhere here, but observed, and held by that page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torture.cruelties.codings import codings
from torture.cruelties.connections import connections
from torture.cruelties.endless import endless
from torture.cruelties.events import events, types
from torture.cruelties.framing import framing, stalls
from torture.cruelties.heads import heads
from torture.cruelties.statuses import interim, statuses

if TYPE_CHECKING:
    from torture.cruelties.case import Case

CASES: Final[tuple[Case, ...]] = (
    *connections(),
    *heads(),
    *framing(),
    *stalls(),
    *events(),
    *types(),
    *codings(),
    *interim(),
    *statuses(),
    *endless(),
)
