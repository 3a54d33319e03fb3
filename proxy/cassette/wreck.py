"""What can still be read of a file that is damaged.

Rule: SQLite is asked first, around the pages that it stumbles over and through its indexes; what it cannot reach is
read straight from the pages. A row of either is as untrusted as the other; what it is worth, its reader finds out.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from proxy.cassette import format as layout
from proxy.cassette import parts
from proxy.cassette.opening import check_schema, opened
from proxy.cassette.pages import Cell, Pages, Table
from proxy.cassette.records import COLUMNS, Record, record_of
from proxy.cassette.surviving import survivors
from proxy.cassette.values import check_text
from proxy.core.errors import CassetteError, CassetteMissingError
from proxy.core.model import RecordedRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Named = tuple[str, int, str]
"""An interaction's key, take and lane."""

_UNREADABLE: Final = (sqlite3.Error, ValueError, TypeError, IndexError, KeyError)
"""What reading a damaged file comes to."""

_COLUMNS: Final[Mapping[Table, Sequence[str]]] = {
    Table.RUNS: ("id", "started_at", "mode", "upstream", "llmtape_version"),
    Table.PARTS: ("id", "sha256", "data"),
    Table.STEPS: ("id", "parent_id", "part_id"),
    Table.INTERACTIONS: COLUMNS,
}

_TAKES: Final = "select key, variant, lane, take, id from interactions indexed by sqlite_autoindex_interactions_1"
_TAKE_WAYS: Final = ("key, variant, lane, take", "key desc, variant desc, lane desc, take desc")

_STEP_WAYS: Final = {
    "not indexed": ("id", "id desc"),
    "indexed by sqlite_autoindex_bodies_1": ("parent_id, part_id", "parent_id desc, part_id desc"),
}
"""The ways through the steps of bodies: their table and its index, each from both ends."""


def probe(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.Error where a database has not the tables and columns of a cassette that recordings stand in."""
    for table, names in _COLUMNS.items():
        connection.execute(f"select {', '.join(names)} from {table} limit 0")  # noqa: S608


class Wreck:
    """One file, open to be read as far as it goes. Raises CassetteError where there is none that may be read."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise CassetteMissingError(f"there is no cassette {path}")
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise CassetteError(f"cannot read {path}: {error.strerror}") from error
        self.path = path
        self._connection = _connection(path)
        self.is_sound = self._connection is not None and _is_sound(self._connection)
        """Whether SQLite finds no damage in it: then what it does not find is not there."""
        self._pages = Pages(self._file)
        self._cells: dict[Table, dict[int, list[Cell]]] = {table: {} for table in Table}
        self._steps: dict[int, set[tuple[int, int]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        if self._connection is not None:
            self._connection.close()

    def search(self) -> Iterator[None]:
        """Look through all pages for what SQLite may not find, where it finds damage; yield after each of them."""
        if self.is_sound:
            return
        for page in range(1, self._pages.count + 1):
            for cell in self._pages.cells(page):
                self._cells[cell.table].setdefault(cell.id, []).append(cell)
            yield
        self._steps = self._all_steps()

    @property
    def pages(self) -> int:
        """How many pages `search` looks through."""
        return 0 if self.is_sound else self._pages.count

    def ids(self) -> list[int]:
        """Return the ids of all interactions that can be found, in order."""
        reached = survivors(self._connection, "interactions") if self._connection else ()
        return sorted({*reached, *self._cells[Table.INTERACTIONS]})

    def takes(self) -> dict[int, Named]:
        """Return the key, take and lane of each interaction that was in the file, as its index of takes has them."""
        rows = [row for cells in self._cells[Table.TAKES].values() for cell in cells if (row := self._row(cell))]
        rows += self._both_ways(_TAKES, *_TAKE_WAYS)
        return {id_: (str(key), take, str(lane)) for key, _, lane, take, id_ in rows}

    def facts(self) -> dict[str, str]:
        """Return what the file says of itself, as far as it can be read."""
        rows = [row for cells in self._cells[Table.FACTS].values() for cell in cells if (row := self._row(cell))]
        rows += self._both_ways("select name, value from cassette", "rowid", "rowid desc")
        return {name: value for name, value in rows if isinstance(name, str) and isinstance(value, str)}

    def records(self, id_: int) -> Iterator[Record]:
        """Yield an interaction as it can be read: once, if all is well, and more often where ways to it differ."""
        for row in self._rows(Table.INTERACTIONS, id_):
            with suppress(*_UNREADABLE):
                yield record_of(row, self._body(row["request_body"]))

    def run(self, id_: int) -> RecordedRun | None:
        """Return a run, or None where it cannot be read."""
        for row in self._rows(Table.RUNS, id_):
            with suppress(ValueError):
                check_text(*(value for name, value in row.items() if name != "id"))
                return RecordedRun(**row)
        return None

    def _body(self, step: int | None) -> bytes:
        """Put a request's body together. Raises ValueError where not all of it can be read."""
        if self.is_sound and self._connection is not None:
            return parts.joined(self._connection, step)
        pieces: list[bytes] = []
        while step:
            parent, piece = self._step(step)
            if not 0 <= parent < step:  # a step's parent is older than the step
                raise ValueError("a body that leads nowhere")
            pieces.append(piece)
            step = parent
        return b"".join(reversed(pieces))

    def _step(self, id_: int) -> tuple[int, bytes]:
        """Return a step's parent, and the part that it adds."""
        for parent, part in sorted(self._steps.get(id_, ())):
            if (data := self._part(part)) is not None:
                return parent, data
        raise ValueError("a body whose parts are gone")

    def _part(self, id_: int) -> bytes | None:
        """Return a part whose bytes are those that were stored."""
        for row in self._rows(Table.PARTS, id_):
            data = layout.restored(row["data"])
            if hashlib.sha256(data).digest() == row["sha256"]:
                return data
        return None

    def _rows(self, table: Table, id_: int) -> Iterator[Mapping[str, Any]]:
        """Yield a row as SQLite has it, and as it stands on any page, if that is something else."""
        on_pages = (self._row(cell) for cell in self._cells[table].get(id_, ()))
        seen: list[dict[str, Any]] = []
        for values in (*self._queried(table, id_), *filter(None, on_pages)):
            row = {**dict(zip(_COLUMNS[table], values, strict=False)), "id": id_}  # more columns are of no use to us
            if row not in seen:
                seen.append(row)
                yield row

    def _queried(self, table: Table, id_: int) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        with suppress(sqlite3.Error, OverflowError):
            statement = f"select {', '.join(_COLUMNS[table])} from {table} where id = ?"  # noqa: S608
            return self._connection.execute(statement, (id_,)).fetchall()
        return []

    def _row(self, cell: Cell) -> tuple[Any, ...]:
        with suppress(*_UNREADABLE):
            return self._pages.row(cell)
        return ()

    def _both_ways(self, statement: str, *orders: str) -> Iterator[tuple[Any, ...]]:
        """Yield rows from the first, until SQLite stumbles, and from the last."""
        if self._connection is None:
            return
        for order in orders:
            with suppress(sqlite3.Error):
                yield from self._connection.execute(f"{statement} order by {order}")

    def _all_steps(self) -> dict[int, set[tuple[int, int]]]:
        """Return the parents and parts of all steps of bodies that can be found; more than one pair may claim an id."""
        steps: dict[int, set[tuple[int, int]]] = {}
        for row in self._step_rows():
            id_, parent, part = row
            if all(type(value) is int for value in row):
                steps.setdefault(id_, set()).add((parent, part))
        return steps

    def _step_rows(self) -> Iterator[tuple[Any, ...]]:
        for id_, cells in self._cells[Table.STEPS].items():
            yield from ((id_, *row[1:]) for cell in cells if (row := self._row(cell)))
        for source, ways in _STEP_WAYS.items():
            yield from self._both_ways(f"select id, parent_id, part_id from bodies {source}", *ways)  # noqa: S608


def _connection(path: Path) -> sqlite3.Connection | None:
    """Open a file by SQLite, where that finds in it the tables of a cassette, and no programs."""
    with suppress(sqlite3.Error, CassetteError):
        connection = opened(path)
        try:
            check_schema(connection, path)
            probe(connection)
        except (sqlite3.Error, CassetteError):
            connection.close()
            raise
        return connection
    return None


def _is_sound(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.Error):
        found: tuple[str] = connection.execute("pragma integrity_check(1)").fetchone()
        return found == ("ok",)
    return False
