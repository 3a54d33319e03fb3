"""How a file's tables, indexes and views should be made.

Rule: held against a file that was just made, and not against the text of statements: a file that was brought to the
present format, or written by another version of SQLite, is made alike and spelt otherwise.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from proxy.cassette import format as layout
from proxy.cassette import schema
from proxy.core.finding import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

Parts = frozenset[str]
"""What a table or view is made of, each part in words."""

Described = dict[tuple[str, str], Parts]
"""By kind (table, view or trigger) and name."""

_INDEX: Final = ("turns", "anchors", "turn_id")
"""What a file of a format that is not indexed lacks: two tables, and a column with its index and reference."""

_ALL: Final = "select type, name, sql from sqlite_master where type <> 'index' and substr(name, 1, 7) <> 'sqlite_'"

_AMISS: Final = {"table": Kind.SCHEMA, "view": Kind.VIEW}
"""What it is that one of a kind is missing, or made otherwise."""

_MORE: Final = {"trigger": Kind.TRIGGER}
"""What it is that there is one more of a kind, where that does harm."""


def differences(connection: sqlite3.Connection, version: int) -> Iterator[Finding]:
    """Yield how the tables and views of an open cassette differ from those of its format. Raises sqlite3.Error."""
    expected, found = _expected(version), _described(connection)
    for item in sorted(expected.keys() | found.keys()):
        kind, name = item
        if item not in found:
            yield Finding(_AMISS[kind], f"the {kind} {name} is missing")
        elif item not in expected:
            yield Finding(_MORE.get(kind, Kind.EXTRA), f"the {kind} {name} is none of a cassette's")
        elif missing := sorted(expected[item] - found[item]):
            yield Finding(_AMISS[kind], f"the {kind} {name} is made otherwise; it lacks: {'; '.join(missing)}")
        elif more := sorted(found[item] - expected[item]):
            yield Finding(Kind.EXTRA, f"the {kind} {name} has what is none of a cassette's: {'; '.join(more)}")


def _expected(version: int) -> Described:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.statements():
            connection.execute(statement)
        made = _described(connection)
    if version >= layout.INDEXED:
        return made
    return {
        (kind, name): frozenset(part for part in parts if not any(word in part for word in _INDEX))
        for (kind, name), parts in made.items()
        if name not in _INDEX
    }


def _described(connection: sqlite3.Connection) -> Described:
    return {
        (kind, name): frozenset(_parts(connection, name) if kind == "table" else [f"`{' '.join((sql or '').split())}`"])
        for kind, name, sql in connection.execute(_ALL).fetchall()
    }


def _parts(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    for _, name, kind, is_required, default, key, hidden in connection.execute(
        "select * from pragma_table_xinfo(?)", (table,)
    ):
        words = [
            f"{'computed' if hidden else ''} column {name}".strip(),
            kind,
            "not null" if is_required else "",
            f"key {key}" if key else "",
        ]
        yield " ".join(filter(None, [*words, f"default {default}" if default is not None else ""]))
    for _, name, is_unique, *_ in connection.execute("select * from pragma_index_list(?)", (table,)).fetchall():
        columns = connection.execute("select name from pragma_index_info(?) order by seqno", (name,))
        yield f"{'unique ' if is_unique else ''}index on {', '.join(str(column) for (column,) in columns)}"
    for row in connection.execute("select * from pragma_foreign_key_list(?)", (table,)):
        _, _, other, column, its = row[:5]
        yield f"reference of {column} to {other}.{its}"
