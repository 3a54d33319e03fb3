"""A file that was replaced while it was open is read from memory, and never with what stands beside the new one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.aside import identity, in_memory, is_aside, is_in_place, state
from proxy.cassette.opening import opened
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, question, store, taken

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question("hello"), answer(b"old"))])
    return path


def replace(path: Path, body: bytes) -> None:
    made = path.with_name("made.sqlite")
    store(made, [taken(question("hello"), answer(body))])
    made.replace(path)


def bodies(connection: sqlite3.Connection) -> list[str]:
    return [body for (body,) in connection.execute("select response_body from interactions")]


def test_a_file_is_aside_once_another_stands_in_its_place(path: Path) -> None:
    known = identity(path)
    assert not is_aside(path, known)
    assert is_in_place(path, known)
    replace(path, b"new")
    assert is_aside(path, known)
    assert not is_in_place(path, known)
    path.unlink()
    assert not is_aside(path, known)
    assert not is_in_place(path, known)


def test_whatever_is_written_over_a_file_is_another_state_of_it(path: Path) -> None:
    before = state(path)
    assert state(path) == before
    path.write_bytes(path.read_bytes())
    assert state(path) not in {before, None}
    path.unlink()
    assert state(path) is None


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_a_replaced_file_held_is_there_in_memory(path: Path, mode: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma journal_mode = {mode}")
    known = identity(path)
    with closing(opened(path)):
        replace(path, b"new")
        with closing(in_memory(path, known)) as connection:
            assert bodies(connection) == ["old"]


def test_a_file_that_is_not_open_here_is_told_in_words(path: Path) -> None:
    known = identity(path)
    with closing(opened(path)):
        with pytest.raises(CassetteError, match="start again"):
            in_memory(path, (0, 0))
        replace(path, b"new")
        with closing(in_memory(path, known)):
            pass
