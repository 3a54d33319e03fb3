"""The statements that write a cassette.

Rule: built with SQLAlchemy Core from the tables in `schema`, once, as text with named parameters; run on the driver's
connection, since executing them through Core took longer than SQLite itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import dialect

from proxy.cassette import schema

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Column, ColumnElement, Table

_SQLITE: Final = dialect(paramstyle="named")
_PART, _BODY, _INTERACTION = schema.PARTS.c, schema.BODIES.c, schema.INTERACTIONS.c
_TURN, _ANCHOR = schema.TURNS.c, schema.ANCHORS.c


def _compiled(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_SQLITE))


def _insert_into(table: Table, *, at_id: bool = False) -> str:
    """Write an insert of all columns, each bound under its name; of the row id only with `at_id`."""
    names = [column.name for column in table.c if at_id or column.name != "id"]
    return _compiled(insert(table).values({name: bindparam(name) for name in names}))


def _where_bound(*columns: Column[Any]) -> list[ColumnElement[bool]]:
    return [column == bindparam(column.name) for column in columns]


def _delete_unused(steps: Table, end: Column[Any]) -> str:
    """Write a delete of the steps that are on no path to an interaction's end."""
    ends = select(end.label("id")).where(end.is_not(None)).cte("used", recursive=True)
    used = ends.union(select(steps.c.parent_id).where(steps.c.id == ends.c.id))
    return _compiled(delete(steps).where(steps.c.id.not_in(select(used.c.id))))


INSERT_CASSETTE: Final = _insert_into(schema.CASSETTE)
INSERT_RUN: Final = _insert_into(schema.RUNS)
INSERT_RUN_AT: Final = _insert_into(schema.RUNS, at_id=True)
ALL_RUNS: Final = _compiled(select(schema.RUNS).order_by(schema.RUNS.c.id))
INSERT_PART: Final = _insert_into(schema.PARTS)
INSERT_BODY: Final = _insert_into(schema.BODIES)
INSERT_INTERACTION: Final = _insert_into(schema.INTERACTIONS, at_id=True)
INSERT_TURN: Final = _insert_into(schema.TURNS)
INSERT_ANCHOR: Final = _insert_into(schema.ANCHORS)
SELECT_PART: Final = _compiled(select(_PART.id).where(*_where_bound(_PART.sha256)))
SELECT_BODY: Final = _compiled(select(_BODY.id).where(*_where_bound(_BODY.parent_id, _BODY.part_id)))
SELECT_TURN: Final = _compiled(select(_TURN.id).where(*_where_bound(_TURN.parent_id, _TURN.digest)))
SELECT_TRACK: Final = _compiled(
    select(_INTERACTION.id, _INTERACTION.take, _INTERACTION.run_id, _INTERACTION.outcome).where(
        *_where_bound(_INTERACTION.key, _INTERACTION.variant, _INTERACTION.lane)
    )
)
DELETE_INTERACTION: Final = _compiled(delete(schema.INTERACTIONS).where(*_where_bound(_INTERACTION.id)))
ROWS_OF_LANE: Final = _compiled(
    select(_INTERACTION.id, _INTERACTION.key, _INTERACTION.variant, _INTERACTION.take).where(
        *_where_bound(_INTERACTION.lane)
    )
)
SELECT_ID: Final = _compiled(select(_INTERACTION.id).where(*_where_bound(_INTERACTION.id)))
LAST_ID: Final = _compiled(select(func.max(_INTERACTION.id)))
DELETE_UNUSED_BODIES: Final = _delete_unused(schema.BODIES, _INTERACTION.request_body)
DELETE_UNUSED_PARTS: Final = _compiled(delete(schema.PARTS).where(_PART.id.not_in(select(_BODY.part_id))))
DELETE_UNUSED_TURNS: Final = _delete_unused(schema.TURNS, _INTERACTION.turn_id)
DELETE_UNUSED_ANCHORS: Final = _compiled(delete(schema.ANCHORS).where(_ANCHOR.turn_id.not_in(select(_TURN.id))))
ALL_REQUESTS: Final = _compiled(
    select(
        _INTERACTION.id,
        _INTERACTION.method,
        _INTERACTION.path,
        _INTERACTION.query,
        _INTERACTION.request_headers,
        _INTERACTION.request_body,
    ).order_by(_INTERACTION.id)
)
UPDATE_TURN: Final = _compiled(
    update(schema.INTERACTIONS).where(*_where_bound(_INTERACTION.id)).values(turn_id=bindparam("turn_id"))
)
UPDATE_CASSETTE: Final = _compiled(
    update(schema.CASSETTE).where(*_where_bound(schema.CASSETTE.c.name)).values(value=bindparam("value"))
)
