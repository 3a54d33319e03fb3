"""Looks at a cassette as a database: what SQLite finds, and what must hold from row to row.

Rule: each look is by itself and yields what it finds; what SQLite raises over damage is for whoever looks to tell.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from proxy.cassette import format as layout
from proxy.core.finding import Finding, Kind
from proxy.core.model import KEY_DIGITS, take_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

_INDEX: Final = frozenset({"turns", "anchors"})
"""Tables that a file has only from the format on that is indexed."""

_STEPS: Final[Mapping[str, str]] = {
    "bodies": "request",
    "turns": "conversation, by which a miss finds what is nearest,",
}
"""Tables whose rows are the steps of paths, each after its parent, and what a path is."""

_WITHOUT_PARENT: Final = """
select id from {steps} s where parent_id <> 0
and (parent_id >= id or not exists (select 1 from {steps} p where p.id = s.parent_id))"""

_ON_NO_PATH: Final = """
with recursive used(id) as (
  select {end} from interactions where {end} is not null
  union select parent_id from {steps} join used using (id))
select count(*) from {steps} where id not in (select id from used)"""

_UNUSED: Final[Mapping[str, str]] = {
    "runs": "select count(*) from runs where id not in (select run_id from interactions)",
    "parts": "select count(*) from parts where id not in (select part_id from bodies)",
    "bodies": _ON_NO_PATH.format(steps="bodies", end="request_body"),
    "turns": _ON_NO_PATH.format(steps="turns", end="turn_id"),
    "anchors": "select count(*) from anchors where turn_id not in (select id from turns)",
}
"""How many rows of each table no interaction needs."""

_NOT_INDEXED: Final = "select key, take, lane from interactions where turn_id is null order by id"

_GAPS: Final = """
select key, lane, group_concat(take, ', ') from (select * from interactions order by take)
group by key, variant, lane having min(take) <> 1 or max(take) <> count(*) order by min(id)"""


class Inspection:
    """All looks at one open cassette of a format."""

    def __init__(self, connection: sqlite3.Connection, version: int) -> None:
        self._connection = connection
        self._is_indexed = version >= layout.INDEXED

    def looks(self) -> Iterator[tuple[str, Iterator[Finding]]]:
        """Yield one look after the other, each with what it is at; one that raises sqlite3.Error harms no other."""
        yield "the file as a whole", self._integrity()
        yield "what refers to other rows", self._references()
        yield "the parts of requests", self._parts()
        yield from ((f"the rows of {table}", self._steps(table)) for table in _STEPS if self._has(table))
        yield from ((f"the use of {table}", self._unused(table)) for table in _UNUSED if self._has(table))
        yield "the index", self._unindexed()
        yield "the takes", self._takes()

    def _has(self, table: str) -> bool:
        return self._is_indexed or table not in _INDEX

    def _integrity(self) -> Iterator[Finding]:
        for (told,) in self._connection.execute("pragma integrity_check"):
            if told != "ok":
                for line in told.splitlines():
                    yield Finding(Kind.DAMAGE, f"SQLite finds: {line}")

    def _references(self) -> Iterator[Finding]:
        for table, row, other, _ in self._connection.execute("pragma foreign_key_check"):
            yield Finding(Kind.REFERENCE, f"row {row} of {table} refers to a row of {other} that is not there")

    def _parts(self) -> Iterator[Finding]:
        for id_, digest, data in self._connection.execute("select id, sha256, data from parts"):
            if not isinstance(data, (str, bytes)) or hashlib.sha256(layout.restored(data)).digest() != digest:
                yield Finding(Kind.DAMAGE, f"part {id_} of the stored requests is not what its digest says")

    def _steps(self, table: str) -> Iterator[Finding]:
        for (id_,) in self._connection.execute(_WITHOUT_PARENT.format(steps=table)):
            yield Finding(Kind.REFERENCE, f"a {_STEPS[table]} leads nowhere: row {id_} of {table} has no parent")

    def _unused(self, table: str) -> Iterator[Finding]:
        (count,) = self._connection.execute(_UNUSED[table]).fetchone()
        if count:
            yield Finding(Kind.UNUSED, f"no recording needs {count} of the rows of {table}")

    def _unindexed(self) -> Iterator[Finding]:
        what = "no miss finds it as the nearest: it is not indexed"
        for key, number, lane in self._connection.execute(_NOT_INDEXED) if self._is_indexed else ():
            yield Finding(Kind.REFERENCE, what, take_name(str(key), number), str(lane))

    def _takes(self) -> Iterator[Finding]:
        for key, lane, numbers in self._connection.execute(_GAPS):
            yield Finding(Kind.GAP, f"its takes are {numbers}", str(key)[:KEY_DIGITS], str(lane))
