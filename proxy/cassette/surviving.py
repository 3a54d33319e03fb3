"""The rows of a table that SQLite can reach, though some of its pages are damaged.

Rule: what it stumbles over is gone around and never mended; a row that it yields in the wrong place is damage, too.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_ID: Final = 2**63 - 1
_MOST_FAILURES: Final = 20_000
"""How often SQLite may stumble in one table before we take the rest of it for unreadable."""


def survivors(connection: sqlite3.Connection, table: str) -> Iterator[int]:
    """Yield the ids of all rows that SQLite can reach, in order, whatever pages between them are damaged.

    A range in which it stumbles is halved, until what is left of it is a row that cannot be read.
    """
    failures = 0
    ranges = [(1, _LARGEST_ID)]
    while ranges and failures < _MOST_FAILURES:
        low, high = ranges.pop()
        last = low - 1
        try:
            # A row alone is looked for by its id: a range ends only at the row after it, which may be out of reach.
            among = "id between ? and ?" if low < high else "id = ? and ?"
            statement = f"select id from {table} not indexed where {among} order by id"  # noqa: S608
            for (id_,) in connection.execute(statement, (low, high)):
                if type(id_) is not int:
                    return  # no table of ours
                if not last < id_ <= high:
                    raise sqlite3.DatabaseError("rows that are not in order")
                last = id_
                yield id_
        except sqlite3.Error:
            failures += 1
            if low < high:
                middle = (last + 1 + high) // 2
                halves = ((middle + 1, high), (last + 1, middle))
                ranges += [half for half in halves if half[0] <= half[1]]
