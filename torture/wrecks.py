"""Cassettes that are damaged, or made to do harm, and everything that reads one.

Rule: an input is a list of changes to a sound file, so that most of it stays what is looked for; they are made to its
bytes and pages, or by SQL to its rows and tables. Whatever comes of it, each command ends, with an error in words.
"""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette import facts
from proxy.cassette.nearest import nearest
from proxy.cassette.reader import Reader
from proxy.cli import main
from proxy.core import conflicts
from proxy.core.errors import LlmtapeError
from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Pattern, Rules
from tests.cassette.damaging import RUN, agent, write
from tests.cassette.making import answer, question, taken
from torture.item import check
from torture.samples import CHATS, FILES, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGE: Final = 4096
_FIRST: Final = Path(__file__).parent.parent / "tests" / "cassette" / "first.sqlite"
_CHANGE: Final = 6
"""Bytes of an input that tell one change."""

_MOST: Final = 12
"""Changes of one input; more leave nothing of the file."""


@dataclass(frozen=True, slots=True)
class _Base:
    """A sound file, and the key of a recording in it."""

    image: bytes
    key: str


@cache
def _bases() -> tuple[_Base, ...]:
    """Make the files that are changed: an agent's conversations, plain calls under rules, one of the first format."""
    by = Rules(scrub=("date",), pattern=(Pattern(name="run", pattern=r"run \d+"),))
    plain = [taken(question(f"q {n}"), answer(b'{"choices":[{"message":{"content":"a"}}]}'), rules=by) for n in "abc"]
    told = {"normalizer": "1", "rules": by.text}
    told[conflicts.name_of(plain[0].track)] = conflicts.written({"normalizer": "1"}, [(plain[1], RUN)])
    with TemporaryDirectory() as folder:
        paths = Path(folder, "agent"), Path(folder, "plain"), _FIRST
        write(paths[0], iter([*agent(4), *agent(2, lane="tests/a.py::b")]))
        write(paths[1], iter(plain), told)
        return tuple(_Base(path.read_bytes(), _key(path)) for path in paths)


def _key(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        found: tuple[str] = connection.execute("select key from interactions limit 1").fetchone()
    return found[0]


def by_bytes(data: bytes, folder: Path) -> None:
    """Change bytes and pages of a file, and read it."""
    base, command, changes = _told(data)
    image = bytearray(base.image)
    for change in changes:
        one, other = (int.from_bytes(change[at : at + 2]) for at in (1, 3))
        _BYTEWISE[change[0] % len(_BYTEWISE)](image, one, other, change[5])
    path = folder / "c.sqlite"
    path.write_bytes(image)
    _read(path, command, base.key)


def by_sql(data: bytes, folder: Path) -> None:
    """Change rows and tables of a file, and read it."""
    base, command, changes = _told(data)
    path = folder / "c.sqlite"
    path.write_bytes(base.image)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Any column may hold anything in a file that somebody made.
        connection.execute("pragma writable_schema = on")
        connection.execute("update sqlite_master set sql = replace(sql, ' NOT NULL', '')")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "pragma writable_schema = on; pragma synchronous = off; pragma legacy_alter_table = on"
        )
        for change in changes:
            with suppress(sqlite3.Error):
                _by_sql(connection, *change)
    _read(path, command, base.key)


def _told(data: bytes) -> tuple[_Base, int, list[bytes]]:
    data = data.ljust(2, b"\0")
    files = _bases()
    changes = [data[at : at + _CHANGE].ljust(_CHANGE, b"\0") for at in range(2, len(data), _CHANGE)]
    return files[data[0] % len(files)], data[1], changes[:_MOST]


def _flip(image: bytearray, place: int, more: int, value: int) -> None:
    at = (place << 8 | more & 255) % max(1, len(image))
    image[at : at + 1] = bytes([image[at] ^ (value or 1)]) if image else b""


def _put(image: bytearray, place: int, more: int, value: int) -> None:
    """Put a number that means much where it may stand."""
    at = (place << 8 | more & 255) % max(1, len(image))
    word = _NUMBERS[value % len(_NUMBERS)]
    image[at : at + len(word)] = word


_NUMBERS: Final = tuple(
    value.to_bytes(size) for size in (1, 2, 4, 8) for value in (0, 1, 2, 2 ** (8 * size) - 1, 2 ** (8 * size - 1))
)


def _swap(image: bytearray, one: int, other: int, _value: int) -> None:
    a, b = (page % max(1, len(image) // PAGE) * PAGE for page in (one, other))
    image[a : a + PAGE], image[b : b + PAGE] = image[b : b + PAGE], image[a : a + PAGE]


def _copy(image: bytearray, one: int, other: int, _value: int) -> None:
    a, b = (page % max(1, len(image) // PAGE) * PAGE for page in (one, other))
    image[a : a + PAGE] = image[b : b + PAGE]


def _blank(image: bytearray, page: int, _more: int, value: int) -> None:
    at = page % max(1, len(image) // PAGE) * PAGE
    image[at : at + PAGE] = bytes([value]) * PAGE


def _cut(image: bytearray, place: int, more: int, _value: int) -> None:
    del image[(place << 8 | more & 255) % max(1, len(image)) :]


def _head(image: bytearray, place: int, _more: int, value: int) -> None:
    """Change a byte of the file's head: page size, versions, free list, the format."""
    image[place % 100 : place % 100 + 1] = bytes([value])


def _pointer(image: bytearray, place: int, page: int, which: int) -> None:
    """Let a page's pointer lead to any page, also back: cells, children and overflows are told by them."""
    at = place % max(1, len(image) // PAGE) * PAGE + (8, 12, 8, 12, 5, 3)[which % 6] + 2 * (which // 6)
    image[at : at + 4] = (page % max(2, len(image) // PAGE)).to_bytes(4)


_BYTEWISE: Final[Sequence[Callable[[bytearray, int, int, int], None]]] = (
    _flip,
    _flip,
    _put,
    _pointer,
    _swap,
    _copy,
    _blank,
    _head,
    _cut,
)

_CELLS: Final = tuple(
    (table, column)
    for table, columns in {
        "interactions": "id key variant lane take run_id recorded_at method path query model request_headers"
        " request_body status response_headers outcome first_byte_us duration_us finish_reason prompt_tokens"
        " completion_tokens response_framing response_body turn_id",
        "cassette": "name value",
        "runs": "id started_at mode upstream llmtape_version",
        "parts": "id sha256 data",
        "bodies": "id parent_id part_id",
        "turns": "id parent_id digest",
        "anchors": "parent_id word turn_id",
    }.items()
    for column in columns.split()
)

_VALUES: Final = (
    *("null", "-1", "0", "1", "9223372036854775807", "-9223372036854775808", "1.5", "9e999", "-9e999", "''", "x'ff'"),
    *("cast(x'ff' as text)", "cast(x'00' as text)", "'a' || char(0) || 'b'", "x''", "'x'", "'[]'", "'{}'", "'null'"),
    *("'[[1, 2]]'", "'[[-1, 5], [1e3, null]]'", "'[[99999999999999999999, 1]]'", "'[[0, 9223372036854775807]]'"),
    *('\'[["a", "\\ud83d"]]\'', '\'[["a", "é", "latin-1"]]\'', '\'[["content-type", "text/event-stream"]]\''),
    *("'json'", "'sse'", "'complete'", "'cut'", "'conflict:x'", "'conflict:a:json:'", "'rules'", "'normalizer'", "'7'"),
    *('\'{"scrub":["uuid"]}\'', '\'{"pattern":[["a","(x+x+)+y"]]}\'', '\'{"path":[["a","$..*","ignore"]]}\''),
    *("(select group_concat(data, '') from parts)", "zeroblob(100000)", "replace(hex(zeroblob(60000)), '0', '[')"),
    *(
        "replace(hex(zeroblob(60000)), '00', 'data: {}' || char(10, 10))",
        '\'{"path":[["a","$..*","ignore"]]}\'',
        "char(27) || '[2J'",
    ),
    *("'/v1/chat/completions'", "'/v1/../../etc'", "char(55357)", "12345678901234", '\'{"messages":[{"role":1}]}\''),
    f"'{HEADER.decode()}'",
)

_TABLES: Final = (
    *("interactions", "cassette", "runs", "parts", "bodies", "turns", "anchors"),
    *("requests", "chunks", "transcript"),
)

_ENDLESS: Final = (
    "alter table {0} rename to real; create view {0} as with recursive n(x) as (select 1 union all select x + 1 from n)"
    " select real.* from real, n"
)
"""A view in the place of a table, which has rows without end."""

_SCHEMES: Final = (
    "drop table {0}",
    "drop view {0}",
    "delete from {0}",
    "alter table {0} rename to other",
    "alter table {0} add column more",
    "create view other as select * from {0}",
    "create trigger harm after insert on {0} begin delete from interactions; end",
    "alter table {0} rename to real; create view {0} as select * from real",
    _ENDLESS,
    "alter table {0} rename to real; create table {0} as select * from real",
    "insert into {0} select * from {0}",
    "update {0} set rowid = -rowid",
    "pragma application_id = 1",
    "pragma user_version = 1",
    "pragma user_version = 0",
    "pragma user_version = -1",
    "pragma encoding = 'UTF-16'",
    "update sqlite_master set rootpage = 3 where name = '{0}'",
    "update sqlite_master set sql = 'nonsense' where name = '{0}'",
    "update sqlite_master set type = 'view' where name = '{0}'",
    "insert into bodies select id + 100000, id + 99999, part_id from bodies",
    "update bodies set parent_id = id - 1",
    "update bodies set parent_id = id",
)


def _by_sql(connection: sqlite3.Connection, kind: int, one: int, two: int, three: int, four: int, _: int) -> None:
    if kind % 4 == 0:
        connection.executescript(_SCHEMES[one % len(_SCHEMES)].format(_TABLES[two % len(_TABLES)]))
        return
    table, column = _CELLS[one % len(_CELLS)]
    value = _VALUES[two % len(_VALUES)]
    where = "" if three % 3 == 0 else f"where rowid % 5 = {four % 5}"
    connection.execute(f"update or replace {table} set {column} = {value} {where}")


def _read(path: Path, command: int, key: str) -> None:
    """Read a file in all the ways that a proxy does, and by one command."""
    for look in _LOOKS:
        with suppress(LlmtapeError):
            look(path)
    size = path.stat().st_size
    out, lines = path.with_name("out"), path.with_name("lines")
    out.unlink(missing_ok=True)
    lines.write_bytes(FILES[0])
    parts = COMMANDS[command % len(COMMANDS)].split()
    arguments = [part.format(path=path, out=out, lines=lines, key=key) for part in parts]
    _call(arguments)
    grown = path.stat().st_size - size
    check(grown < 2**24, f"{' '.join(arguments)} let the file grow by {grown} bytes")


def _call(arguments: Sequence[str]) -> None:
    """Run a command in this process; each ends with an exit status and words."""
    told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(told), redirect_stderr(told), suppress(click.ClickException):
        status = _status(arguments)
        check(status in {None, 0, 1, 2, 3}, f"{' '.join(arguments)} ended with {status}")


def _status(arguments: Sequence[str]) -> object:
    try:
        return main.main(arguments, prog_name="llmtape", standalone_mode=False)
    except SystemExit as ended:
        return ended.code


_ASKED: Final = Request("POST", "/v1/chat/completions", body=CHATS[1])


def _replay(path: Path) -> None:
    """Do what a replay does: open, look a request up, play, and look for what is nearest."""
    for by in (DEFAULT, Rules(scrub=("date",))):
        with Reader(path, by) as reader:
            len(reader)
            for take in [take for take, _, _ in list(reader.requests())][:40]:
                for found in reader.takes(take.track):
                    reader.response(found)
                reader.interaction(take)
                reader.run(take)
            nearest(reader, normalize(_ASKED, by), by)
            reader.takes_of_lane("")


def _list(path: Path) -> None:
    with Reader(path, facts.rules_in(path)) as reader:
        list(reader.entries())
        list(reader.stored())
        for column in ("model", "lane", "run_id"):
            reader.distinct(column)
        _ = reader.size, reader.facts, reader.is_current
    facts.require_settled(path)
    facts.lanes_in(path)


_LOOKS: Final = (_replay, _list)

COMMANDS: Final = (
    "ls {path}",
    "ls --json {path}",
    "show {path} {key}",
    "show --events {path} {key}",
    "show --curl --logprobs {path} {key}",
    "show --json {path} {key}",
    "grep [a-z]+ {path}",
    "stats {path}",
    "stats --json {path}",
    "verify {path}",
    "verify --json {path}",
    "verify --recover {out} {path}",
    "verify --recover {out} {path}",
    "export {path}",
    "export -o {out} {path}",
    "diff {path} {path}",
    "lint {path}",
    "merge --conflicts {path}",
    "merge {out} {path} {path}",
    "merge --ours {key} {path}",
    "merge --theirs {key} {path}",
    "merge --both {key} {path}",
    "rekey {path}",
    "redact {path}",
    "rm --model m {path}",
    "git textconv {path}",
    "play --pace instant {path} {key}",
    "explain {path} {key}",
    "import {path} {lines}",
)

_CHANGES: Final = tuple(
    (kind, 29 * n % 256, 53 * n % 256, n, 7 * n, 255 - n) for kind in range(len(_BYTEWISE)) for n in (1, 2, 3)
)

SEEDS: Final = tuple(
    bytes([base, command, *change]) for base in range(3) for command, change in enumerate([(), *_CHANGES])
)
"""Inputs that change nothing, one for each file, and some that change one thing; each has another command read it."""
