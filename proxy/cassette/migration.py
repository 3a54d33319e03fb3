"""Bringing an older file to the present format.

Rule: within the transaction of whoever calls, so that a file is of one format or of the other; and it ends with the
schema that a new file has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette import index, schema, statements

if TYPE_CHECKING:
    import sqlite3

    from proxy.core.rules import Rules


def migrate(connection: sqlite3.Connection, rules: Rules) -> bool:
    """Bring a file to the present format, its index made under the rules; tell whether it was of an older one."""
    if connection.execute("pragma user_version").fetchone() == (layout.VERSION,):
        return False
    for statement in schema.added_to_the_first():
        connection.execute(statement)
    index.fill(connection, rules)
    connection.execute(f"pragma user_version = {layout.VERSION}")
    connection.execute(statements.UPDATE_CASSETTE, {"name": "format", "value": str(layout.VERSION)})
    return True
