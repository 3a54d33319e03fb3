"""How values become rows.

Rule: runs within its caller's transaction, and knows nothing of files, threads or runs that replace each other: a
recorder and a draft store alike.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from proxy.cassette import format as layout
from proxy.cassette import index, parts, schema, statements
from proxy.core import canonical
from proxy.core.completion import summarize
from proxy.core.errors import NotJsonError
from proxy.core.outline import outline

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from proxy.core.model import Interaction


def create_format(connection: sqlite3.Connection, facts: Mapping[str, str]) -> None:
    """Make an empty cassette; `facts` are what its table `cassette` says beside the format."""
    connection.execute(f"pragma application_id = {layout.APPLICATION_ID}")
    connection.execute(f"pragma user_version = {layout.VERSION}")
    for statement in schema.statements():
        connection.execute(statement)
    for name, value in sorted({**facts, "format": str(layout.VERSION)}.items()):
        insert(connection, statements.INSERT_CASSETTE, {"name": name, "value": value})


def store(
    connection: sqlite3.Connection, interaction: Interaction, number: int, run_id: int, *, id_: int | None, content: Any
) -> None:
    """Store an interaction as take `number` of its track, in the row `id_`, or in the next one where that is None.

    `content` is what its key is made of.
    """
    row = columns_of(interaction, number, run_id)
    row["id"] = id_
    row["request_body"] = _store_body(connection, interaction.request.body)
    row["turn_id"] = index.add(connection, outline(content))
    insert(connection, statements.INSERT_INTERACTION, row)


def insert(connection: sqlite3.Connection, statement: str, row: Mapping[str, Any]) -> int:
    """Insert a row; return its id."""
    return connection.execute(statement, row).lastrowid or 0


def drop_unused(connection: sqlite3.Connection) -> None:
    """Delete what was stored of requests that are there no more, and that no other request shares."""
    connection.execute(statements.DELETE_UNUSED_BODIES)
    connection.execute(statements.DELETE_UNUSED_PARTS)
    index.drop_unused(connection)


def columns_of(interaction: Interaction, number: int, run_id: int) -> dict[str, Any]:
    """Return all of an interaction's row but what stands in other tables."""
    track, request, response = interaction.track, interaction.request, interaction.response
    answer = summarize(response)
    return {
        "key": track.key,
        "variant": track.variant.value,
        "lane": track.lane,
        "take": number,
        "run_id": run_id,
        "recorded_at": interaction.recorded_at,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "model": _model(request.body) or answer.model,
        "request_headers": layout.headers_text(request.headers),
        "status": response.status,
        "response_headers": layout.headers_text(response.headers),
        "outcome": response.outcome.value,
        "first_byte_us": response.first_byte_us,
        "duration_us": response.duration_us,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "response_framing": layout.framing_text(response.chunks),
        "response_body": layout.stored(response.body),
    }


def _find_or_insert(connection: sqlite3.Connection, select_: str, insert_: str, row: dict[str, Any]) -> int:
    found: tuple[int] | None = connection.execute(select_, row).fetchone()
    return found[0] if found else insert(connection, insert_, row)


def _store_body(connection: sqlite3.Connection, body: bytes) -> int | None:
    """Store a request body as a path of parts; return its last step, or None for an empty body."""
    step = 0
    for data in parts.cut(body) if body else ():
        part = {"sha256": hashlib.sha256(data).digest(), "data": layout.stored(data)}
        part_id = _find_or_insert(connection, statements.SELECT_PART, statements.INSERT_PART, part)
        link = {"parent_id": step, "part_id": part_id}
        step = _find_or_insert(connection, statements.SELECT_BODY, statements.INSERT_BODY, link)
    return step or None


def _model(body: bytes) -> str:
    try:
        value = canonical.loads(body).value
    except NotJsonError:
        return ""
    model = value.get("model") if isinstance(value, dict) else None
    return model.encode("utf-8", "replace").decode() if isinstance(model, str) else ""
