"""The statements that write a cassette.

Rule: built with SQLAlchemy Core from the tables in `schema`, once, as text with named parameters; run on the driver's
connection, since executing them through Core took longer than SQLite itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.dialects.sqlite import dialect

from proxy.cassette import schema

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, Column, ColumnElement, Select, Table

_SQLITE: Final = dialect(paramstyle="named")
_PART, _BODY, _INTERACTION = schema.PARTS.c, schema.BODIES.c, schema.INTERACTIONS.c


def _compiled(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_SQLITE))


def _insert_into(table: Table) -> str:
    """Write an insert of all columns but the row id, each bound under its name."""
    return _compiled(
        insert(table).values({name: bindparam(name) for column in table.c if (name := column.name) != "id"})
    )


def _where_bound(*columns: Column[Any]) -> list[ColumnElement[bool]]:
    return [column == bindparam(column.name) for column in columns]


def _used_bodies() -> Select[Any]:
    """Select the steps of all paths that end in an interaction's body."""
    ends = select(_INTERACTION.request_body.label("id")).where(_INTERACTION.request_body.is_not(None))
    used = ends.cte("used", recursive=True)
    return select(used.union(select(_BODY.parent_id).where(_BODY.id == used.c.id)).c.id)


INSERT_CASSETTE: Final = _insert_into(schema.CASSETTE)
INSERT_RUN: Final = _insert_into(schema.RUNS)
INSERT_PART: Final = _insert_into(schema.PARTS)
INSERT_BODY: Final = _insert_into(schema.BODIES)
INSERT_INTERACTION: Final = _insert_into(schema.INTERACTIONS)
SELECT_PART: Final = _compiled(select(_PART.id).where(*_where_bound(_PART.sha256)))
SELECT_BODY: Final = _compiled(select(_BODY.id).where(*_where_bound(_BODY.parent_id, _BODY.part_id)))
SELECT_TRACK: Final = _compiled(
    select(_INTERACTION.id, _INTERACTION.take, _INTERACTION.run_id, _INTERACTION.outcome).where(
        *_where_bound(_INTERACTION.key, _INTERACTION.variant, _INTERACTION.lane)
    )
)
DELETE_INTERACTION: Final = _compiled(delete(schema.INTERACTIONS).where(*_where_bound(_INTERACTION.id)))
DELETE_UNUSED_BODIES: Final = _compiled(delete(schema.BODIES).where(_BODY.id.not_in(_used_bodies())))
DELETE_UNUSED_PARTS: Final = _compiled(delete(schema.PARTS).where(_PART.id.not_in(select(_BODY.part_id))))
