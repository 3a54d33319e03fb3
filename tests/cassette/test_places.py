"""Which row a recording gets; what gives way to it is shown in the recorder's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.places import Place, Places
from proxy.cassette.transaction import connected
from tests.cassette.making import answer, change, question, store, taken

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

LATER_RUN = 2


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question(text), answer(b"1"), lane=lane) for text, lane in (("a", ""), ("b", "t"), ("c", "t"))])
    connection = connected(path)
    yield connection
    connection.close()


def place(connection: sqlite3.Connection, places: Places, text: str, number: int = 1, lane: str = "") -> Place:
    one = taken(question(text), answer(b"2"), number, lane=lane)
    return places.find(connection, LATER_RUN, one, replaces=True)


def test_what_replaces_none_comes_last(connection: sqlite3.Connection) -> None:
    places = Places()
    assert place(connection, places, "new") == Place(4, 1)
    assert not places.were_vacated


def test_what_replaces_another_stands_in_its_row(connection: sqlite3.Connection) -> None:
    places = Places()
    assert place(connection, places, "a") == Place(1, 1)
    assert places.were_vacated


def test_a_lane_that_is_recorded_anew_finds_its_rows_again_and_nothing_else_gets_one(
    connection: sqlite3.Connection,
) -> None:
    places = Places()
    places.clear(connection, "t")
    assert place(connection, places, "new", lane="t") == Place(4, 1)
    assert place(connection, places, "c", lane="t") == Place(3, 1)
    assert place(connection, places, "b", lane="t") == Place(2, 1)


def test_a_row_that_another_recorder_took_meanwhile_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question("a"), answer(b"1"), lane="t"), taken(question("b"), answer(b"1"))])
    connection = connected(path)
    places = Places()
    places.clear(connection, "t")
    change(path, "update interactions set id = 1 where id = 2")
    assert place(connection, places, "a", lane="t") == Place(2, 1)
    connection.close()
