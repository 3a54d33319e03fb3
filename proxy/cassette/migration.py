"""Bringing an older file to the present format.

Rule: within the transaction of whoever calls, so that a file is of one format or of the other; and it ends with the
schema that a new file has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette import parts, schema, statements
from proxy.core.model import Request

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


def migrate(connection: sqlite3.Connection, turn_of: Callable[[Request], int]) -> None:
    """Bring a file to the present format; `turn_of` puts a stored request into the index."""
    if connection.execute("pragma user_version").fetchone() == (layout.VERSION,):
        return
    for statement in schema.added_to_the_first():
        connection.execute(statement)
    # Their bodies are read one by one: a row here is small, and all bodies at once may be more than memory holds.
    for id_, method, path, query, body in connection.execute(statements.ALL_REQUESTS).fetchall():
        request = Request(method, path, query, (), parts.joined(connection, body))
        connection.execute(statements.UPDATE_TURN, {"id": id_, "turn_id": turn_of(request)})
    connection.execute(f"pragma user_version = {layout.VERSION}")
    connection.execute(statements.UPDATE_CASSETTE, {"name": "format", "value": str(layout.VERSION)})
