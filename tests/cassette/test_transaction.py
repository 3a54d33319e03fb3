"""A file is changed whole or not at all, and what hinders it is told in our words."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.transaction import connected, transaction, translated
from proxy.core.errors import CassetteError
from tests.cassette.making import change, rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "tape.sqlite"
    change(made, "create table words(word text unique)")
    return made


def write(connection: sqlite3.Connection, *statements: str) -> None:
    with transaction(connection):
        for statement in statements:
            connection.execute(statement)


def test_what_is_done_within_is_committed(path: Path) -> None:
    with closing(connected(path)) as connection:
        with transaction(connection):
            connection.execute("insert into words values ('a')")
            assert rows(path, "select * from words") == []
        assert rows(path, "select * from words") == [("a",)]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), sqlite3.OperationalError("x"), SystemExit(1)])
def test_whatever_breaks_it_takes_all_of_it_back_and_goes_on(path: Path, error: BaseException) -> None:
    before = path.read_bytes()
    with closing(connected(path)) as connection:

        def break_it() -> None:
            with transaction(connection):
                connection.execute("insert into words values ('a')")
                connection.execute("create table more(x)")
                raise error

        with pytest.raises(type(error)) as caught:
            break_it()
        assert caught.value is error
        assert not connection.in_transaction
        assert path.read_bytes() == before
        with transaction(connection):  # the connection is as good as before
            connection.execute("insert into words values ('b')")
    assert rows(path, "select * from words") == [("b",)]


def test_what_sqlite_took_back_by_itself_is_told_as_it_is(path: Path) -> None:
    """Then there is nothing to take back any more, which must not hide why."""
    with closing(connected(path)) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            write(connection, "insert into words values ('a')", "insert or rollback into words values ('a')")
        assert rows(path, "select * from words") == []


def test_a_full_disk_takes_all_of_it_back(path: Path) -> None:
    with closing(connected(path)) as connection:
        connection.execute("pragma max_page_count = 4")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            write(connection, "insert into words values ('a')", "insert into words values (zeroblob(100000))")
    assert rows(path, "select * from words") == []


def test_one_who_writes_keeps_others_from_it_at_once_and_not_from_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.cassette.transaction.BUSY_SECONDS", 0.01)
    with closing(connected(path)) as one, closing(connected(path)) as other, transaction(one):
        assert other.execute("select * from words").fetchall() == []
        with pytest.raises(sqlite3.OperationalError) as caught, transaction(other):
            raise AssertionError("not reached")
    told = str(translated(caught.value, path))
    assert told == f"cannot write the cassette {path}: another process, such as a recorder, holds it: end that"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), ": No space left on device. Is the folder there, writable, and"),
        (OSError("strange"), ": strange. Is"),
        (sqlite3.OperationalError("attempt to write a readonly database"), ": attempt to write a readonly database. "),
        (sqlite3.DatabaseError("file is not a database"), "is not a cassette: SQLite finds no database in it"),
        (UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"), "surrogates not allowed"),
    ],
)
def test_what_others_say_is_told_in_our_words(path: Path, error: Exception, words: str) -> None:
    told = translated(error, path)
    assert isinstance(told, CassetteError)
    assert words in str(told)
    assert str(path) in str(told)


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught, closing(connected(tmp_path)):
        pass
    assert "is a folder" in str(translated(caught.value, tmp_path))


@pytest.mark.parametrize("error", [CassetteError("ours"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_of_ours_and_a_wish_to_end_stay_as_they_are(path: Path, error: BaseException) -> None:
    assert translated(error, path) is error


def test_a_connection_that_was_closed_meanwhile_leaves_nothing_behind(path: Path) -> None:
    connection = connected(path)
    with suppress(sqlite3.ProgrammingError), transaction(connection):
        connection.execute("insert into words values ('a')")
        connection.close()
    assert rows(path, "select * from words") == []
