"""What stands in the file.

Rule: the format is defined here, once; the writer's statements are built from these tables, and the reader's few
are tested against them. Made to be read with plain `sqlite3`: lower-case words, JSON as text, and views for what
the tables keep in a compact form.

    parts, bodies   request bodies. A body is a path: its last part, after the body before it. Conversations that
                    grow share their beginnings, and equal parts are stored once: N turns take O(N) space.
    turns, anchors  what is asked, as digests: the endpoint, then a message a turn, each after the turn before it; and
                    under each turn some words of those that follow it. By them a miss finds what is nearest.
    interactions    one request with its whole response. The response's body is kept whole, its framing beside it
                    as JSON, [[microseconds, bytes], ...], one pair a chunk.
    requests        view: each interaction's request body, put together
    chunks          view: a row a chunk of a response
    transcript      view: one line an interaction, for people
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import NullType

METADATA: Final = MetaData()

CASSETTE: Final = Table(
    "cassette",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("started_at", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("llmtape_version", Text, nullable=False),
)

PARTS: Final = Table(
    "parts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("data", NullType, nullable=False),  # text where the bytes are UTF-8, else a blob
)

BODIES: Final = Table(
    "bodies",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("parent_id", Integer, nullable=False),  # 0 where the body is one part
    Column("part_id", Integer, ForeignKey("parts.id"), nullable=False),
    UniqueConstraint("parent_id", "part_id"),
)

TURNS: Final = Table(
    "turns",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("parent_id", Integer, nullable=False),  # 0 where the turn is an endpoint
    Column("digest", Integer, nullable=False),
    UniqueConstraint("parent_id", "digest"),
)

ANCHORS: Final = Table(
    "anchors",
    METADATA,
    Column("parent_id", Integer, primary_key=True),
    Column("word", Integer, primary_key=True),
    Column("turn_id", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

INTERACTIONS: Final = Table(
    "interactions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("take", Integer, nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("request_headers", Text, nullable=False),
    Column("request_body", Integer, ForeignKey("bodies.id")),  # null where there was none
    Column("status", Integer, nullable=False),
    Column("response_headers", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("first_byte_us", Integer, nullable=False),
    Column("duration_us", Integer, nullable=False),
    Column("finish_reason", Text),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("response_framing", Text, nullable=False),
    Column("response_body", NullType, nullable=False),  # text where the bytes are UTF-8, else a blob
    Column("turn_id", Integer, ForeignKey("turns.id")),
    UniqueConstraint("key", "variant", "lane", "take"),
    Index("interactions_by_turn", "turn_id"),
)

# Views give text where that loses nothing, and a blob elsewhere: SQLite itself does not look, and readers fail on text
# that is no UTF-8. A piece of a text is one, unless it begins or ends within a character.
_VIEWS: Final = (
    """
create view requests as
select i.id as interaction_id,
  (with recursive path(id, parent_id, part_id, depth) as (
     select id, parent_id, part_id, 0 from bodies where id = i.request_body
     union all
     select b.id, b.parent_id, b.part_id, depth + 1 from path join bodies b on b.id = path.parent_id and b.id < path.id)
   select case when max(typeof(data) = 'blob') then cast(group_concat(data, '') as blob)
     else group_concat(data, '') end
   from (select data from path join parts on parts.id = path.part_id order by depth desc)) as body
from interactions i""",
    """
create view chunks as
select interaction_id, seq, at_us,
  case when is_text
    and hex(substr(body, 1 + ends - bytes, 1)) not between '80' and 'BF'
    and hex(substr(body, 1 + ends, 1)) not between '80' and 'BF'
  then cast(substr(body, 1 + ends - bytes, bytes) as text) else substr(body, 1 + ends - bytes, bytes) end as data
from (
  select i.id as interaction_id, f.key as seq, json_extract(f.value, '$[0]') as at_us,
    json_extract(f.value, '$[1]') as bytes,
    sum(json_extract(f.value, '$[1]')) over (partition by i.id order by f.key) as ends,
    typeof(i.response_body) = 'text' as is_text,
    cast(i.response_body as blob) as body
  from interactions i, json_each(i.response_framing) f)""",
    """
create view transcript as
select i.id, i.recorded_at, i.model, i.lane,
  (select json_extract(m.value, '$.content')
   from json_each(case when typeof(r.body) = 'text' and json_valid(r.body) then r.body else '{}' end, '$.messages') m
   where m.type = 'object' and json_extract(m.value, '$.role') = 'user' order by m.key desc limit 1) as prompt,
  case when typeof(i.response_body) = 'text' and json_valid(i.response_body)
  then json_extract(i.response_body, '$.choices[0].message.content')
  else (select group_concat(json_extract(event, '$.choices[0].delta.content'), '') from
    (select substr(data, 7) as event from chunks c
     where c.interaction_id = i.id and typeof(c.data) = 'text' and c.data like 'data: {%' order by seq)
    where json_valid(event)) end as answer,
  i.finish_reason, i.prompt_tokens, i.completion_tokens, i.outcome
from interactions i join requests r on r.interaction_id = i.id""",
)


def statements() -> list[str]:
    """Return the statements that make an empty cassette of this format."""
    tables = [_made(table) for table in METADATA.sorted_tables]
    return [*tables, *_indexes(), *(str(text(view.strip())) for view in _VIEWS)]


def added_to_the_first() -> list[str]:
    """Return the statements that add to a cassette of format 1 what it lacks."""
    column = "alter table interactions add column turn_id INTEGER references turns (id)"
    return [_made(TURNS), _made(ANCHORS), column, *_indexes()]


def _indexes() -> list[str]:
    return [str(CreateIndex(index)) for index in INTERACTIONS.indexes]


def _made(table: Table) -> str:
    """Write it in SQLAlchemy's general dialect, since that for SQLite has no word for a column without a type."""
    made = str(CreateTable(table)).strip()
    return made if table.dialect_options["sqlite"]["with_rowid"] else f"{made} without rowid"
