"""Rows are read from bytes as SQLite reads them, and no bytes do harm."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.pages import Cell, Pages, Table
from tests.cassette.damaging import PAGE, agent, write
from tests.cassette.making import answer, change, question, rows, store, taken
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def cells(pages: Pages) -> Iterator[Cell]:
    for page in range(1, pages.count + 1):
        yield from pages.cells(page)


def read(path: Path) -> dict[Table, dict[int, tuple[Any, ...]]]:
    """Read all rows of a file from its pages, by their ids."""
    found: dict[Table, dict[int, tuple[Any, ...]]] = {table: {} for table in Table}
    with path.open("rb") as file:
        pages = Pages(file)
        for cell in cells(pages):
            row = pages.row(cell)
            if cell.table is not Table.STEPS or 0 <= row[2] < 2**32:  # turns look alike, but for their digests
                found[cell.table][cell.id or row[-1]] = row
    return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "t.sqlite"
    write(path, agent(12, "tests/test_a.py::test_a"))
    return path


@pytest.mark.parametrize("table", ["runs", "parts", "bodies", "interactions"])
def test_every_row_is_found_and_reads_as_sqlite_reads_it(path: Path, table: str) -> None:
    found = read(path)[Table(table)]
    expected = {row[0]: row[1:] for row in rows(path, f"select * from {table}")}
    assert {id_: row[1:] for id_, row in found.items()} == expected


def test_facts_and_the_index_of_takes_are_found(path: Path) -> None:
    found = read(path)
    assert dict(found[Table.FACTS].values()) == dict(rows(path, "select name, value from cassette"))
    expected = set(rows(path, "select key, variant, lane, take, id from interactions"))
    assert set(found[Table.TAKES].values()) == expected


def test_long_index_entries_are_read_over_several_pages(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    lanes = ["x" * length for length in (10, 900, 1100, 5000)]
    write(path, iter([taken(question(), answer(b"{}"), lane=lane) for lane in lanes]))
    assert sorted(row[2] for row in read(path)[Table.TAKES].values()) == lanes


def test_a_file_of_the_first_format_and_one_recorded_step_by_step_are_read(tmp_path: Path) -> None:
    assert len(read(FIRST)[Table.INTERACTIONS]) == len(rows(FIRST, "select 1 from interactions"))
    path = tmp_path / "t.sqlite"
    store(path, [taken(question(str(number)), answer(b"%d" % number * 900)) for number in range(30)])
    assert len(read(path)[Table.INTERACTIONS]) == 30


@pytest.mark.parametrize("size", [512, 1024, 16384, 65536])
def test_any_size_of_pages_is_read(path: Path, tmp_path: Path, size: int) -> None:
    other = tmp_path / "t.sqlite"
    other.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute(f"pragma page_size = {size}")
        connection.execute("vacuum")
    assert read(other)[Table.INTERACTIONS] == read(path)[Table.INTERACTIONS]


def test_numbers_of_all_lengths_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    numbers = [0, 1, -1, 127, -128, 128, 2**15, -(2**23), 2**31, 2**47, -(2**47) - 1, 2**63 - 1, -(2**63)]
    store(path, [taken(question(), answer(b"{}"))])
    change(path, "delete from bodies")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "insert into bodies (parent_id, part_id) values (?, 1)", [(number,) for number in numbers]
        )
    assert [row[1] for _, row in sorted(read(path)[Table.STEPS].items())] == numbers


def test_rows_that_were_deleted_are_not_found_on_free_pages(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    store(path, [taken(question(str(number)), answer(b"x" * 3000)) for number in range(40)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma secure_delete = off")
        connection.execute("delete from interactions where id > 5")
        assert connection.execute("pragma freelist_count").fetchone()[0] > 5
    assert sorted(read(path)[Table.INTERACTIONS]) == [1, 2, 3, 4, 5]


@given(st.binary(max_size=3 * PAGE))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_looked_through(data: bytes) -> None:
    _read_all(data)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_cassette_with_any_bytes_changed_is_looked_through(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        noise = data.draw(st.binary(min_size=1, max_size=64))
        content[at : at + len(noise)] = noise
    _read_all(bytes(content[: data.draw(st.integers(0, len(content)))]))


def test_a_freelist_and_a_row_that_lead_in_a_circle_come_to_an_end() -> None:
    head = bytearray(2 * PAGE)
    head[:16] = b"SQLite format 3\0"
    head[16:18] = (PAGE).to_bytes(2, "big")
    head[32:36] = (2).to_bytes(4, "big")
    head[PAGE : PAGE + 8] = (2).to_bytes(4, "big") + (2**32 - 1).to_bytes(4, "big")
    assert _read_all(bytes(head)) == []


def _read_all(data: bytes) -> list[tuple[Any, ...]]:
    pages = Pages(io.BytesIO(data))
    found = []
    for cell in cells(pages):
        try:
            found.append(pages.row(cell))
        except ValueError:
            continue
    return found
