"""Keeping the index by which a miss finds what is nearest.

Rule: written in the transaction that stores an interaction, so that a file always has both or neither. A turn is a
step of a conversation, after the turn before it: conversations that grow share their beginnings, as bodies do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette import parts, statements
from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.outline import outline

if TYPE_CHECKING:
    import sqlite3

    from proxy.core.outline import Outline, Step
    from proxy.core.rules import Rules


def add(connection: sqlite3.Connection, steps: Outline) -> int:
    """Store an outline as a path of turns; return its last one."""
    turn = 0
    for step in steps:
        turn = _find(connection, turn, step) or _insert(connection, turn, step)
    return turn


def fill(connection: sqlite3.Connection, rules: Rules) -> None:
    """Store what all recorded requests ask."""
    # Their bodies are read one by one: a row here is small, and all bodies at once may be more than memory holds.
    for id_, method, path, query, headers, body in connection.execute(statements.ALL_REQUESTS).fetchall():
        request = Request(method, path, query, layout.headers_of(headers), parts.joined(connection, body))
        turn = add(connection, outline(normalize(request, rules).content))
        connection.execute(statements.UPDATE_TURN, {"id": id_, "turn_id": turn})


def drop_unused(connection: sqlite3.Connection) -> None:
    """Delete the turns that led to interactions which are there no more, and to no others."""
    connection.execute(statements.DELETE_UNUSED_TURNS)
    connection.execute(statements.DELETE_UNUSED_ANCHORS)


def _find(connection: sqlite3.Connection, parent: int, step: Step) -> int | None:
    row: tuple[int] | None = connection.execute(statements.SELECT_TURN, _row(parent, step)).fetchone()
    return row[0] if row else None


def _insert(connection: sqlite3.Connection, parent: int, step: Step) -> int:
    turn = connection.execute(statements.INSERT_TURN, _row(parent, step)).lastrowid or 0
    anchors = [{"parent_id": parent, "word": word, "turn_id": turn} for word in step.anchors()]
    connection.executemany(statements.INSERT_ANCHOR, anchors)
    return turn


def _row(parent: int, step: Step) -> dict[str, int]:
    return {"parent_id": parent, "digest": step.digest}
