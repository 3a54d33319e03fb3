"""SQLite is led around what is damaged, and what is not is reached."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.pages import Pages, Table
from proxy.cassette.surviving import survivors
from tests.cassette.damaging import agent, overwrite, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    write(path, agent(40))
    return path


def reached(path: Path) -> list[int]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return list(survivors(connection, "interactions"))


def leaves(path: Path) -> dict[int, list[int]]:
    """Tell which interactions stand on which page."""
    with path.open("rb") as file:
        source = Pages(file)
        on = {
            page: [it.id for it in source.cells(page) if it.table is Table.INTERACTIONS]
            for page in range(1, source.count)
        }
    return {page: ids for page, ids in on.items() if ids}


def test_all_rows_of_a_sound_table_are_reached_in_order(path: Path) -> None:
    assert reached(path) == list(range(1, 41))


@pytest.mark.parametrize("seed", [None, 1])
def test_around_each_leaf_all_others_are_reached(path: Path, seed: int | None) -> None:
    content = path.read_bytes()
    assert len(leaves(path)) > 5
    for page, ids in leaves(path).items():
        path.write_bytes(content)
        overwrite(path, page, seed=seed)
        assert reached(path) == [id_ for id_ in range(1, 41) if id_ not in ids]


def test_around_many_leaves_all_others_are_reached(path: Path) -> None:
    for step in (2, 3, 5):
        chosen = dict(list(leaves(path).items())[::step])
        overwrite(path, *chosen)
        gone = {id_ for ids in chosen.values() for id_ in ids}
        assert reached(path) == [id_ for id_ in range(1, 41) if id_ not in gone]
        path.unlink()
        write(path, agent(40))


def test_a_leaf_in_anothers_place_gives_no_row_twice(path: Path) -> None:
    pages = list(leaves(path))
    content = bytearray(path.read_bytes())
    content[(pages[4] - 1) * 4096 : pages[4] * 4096] = content[(pages[1] - 1) * 4096 : pages[1] * 4096]
    path.write_bytes(content)
    ids = reached(path)
    assert ids == sorted(set(ids))


def test_a_table_that_is_empty_or_not_there_gives_none() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert list(survivors(connection, "interactions")) == []
        connection.execute("create table interactions (id integer primary key)")
        assert list(survivors(connection, "interactions")) == []


def test_a_table_whose_ids_are_no_integers_gives_none() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table interactions (id)")
        connection.executemany("insert into interactions values (?)", [(1.5,), (2.5,)])
        assert list(survivors(connection, "interactions")) == []
