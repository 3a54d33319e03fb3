"""Whole new files in the places of old ones."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.replacing import folder_beside, held, lay_out, put_in_place
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, bodies, files, question, rows, store, taken

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question(text), answer(text.encode())) for text in ("a", "b")])
    return path


def test_what_is_laid_out_has_no_history(path: Path) -> None:
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("create table more (x)")
        connection.execute("insert into more select hex(zeroblob(5000)) from interactions")
        connection.execute("drop table more")
        connection.execute("update interactions set lane = 'x'")
        connection.execute("update interactions set lane = ''")
        connection.execute("pragma schema_version = 77")
    assert path.read_bytes() != before
    with folder_beside(path) as folder:
        assert lay_out(path, folder).read_bytes() == before
    assert files(path) == ["tape.sqlite"]


def test_what_is_laid_out_is_whole_for_sqlite_and_for_its_owner_alone(path: Path) -> None:
    with folder_beside(path) as folder:
        laid = lay_out(path, folder)
        assert rows(laid, "pragma integrity_check") == [("ok",)]
        assert (laid.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
        assert bodies(laid) == [b"a", b"b"]


def test_who_waited_for_the_old_file_is_sent_to_the_new_one(path: Path, tmp_path: Path) -> None:
    entered, waiting = Event(), []

    def wait() -> None:
        entered.set()
        with held(path):
            waiting.append(bodies(path))

    other = Thread(target=wait)
    with folder_beside(path) as folder, held(path):
        other.start()
        entered.wait()
        fresh = tmp_path / "fresh.sqlite"
        store(fresh, [taken(question("c"), answer(b"c"))])
        put_in_place(lay_out(fresh, folder), path)
    other.join()
    assert waiting == [[b"c"]]


def test_a_recorder_that_went_to_wal_mode_while_we_waited_holds_the_file(path: Path) -> None:
    told: list[str] = []

    def hold() -> None:
        try:
            with held(path):
                told.append("held")  # and the recorder would write to a file that is being replaced
        except sqlite3.OperationalError as error:
            told.append(str(error))

    with closing(sqlite3.connect(path, isolation_level=None)) as recorder:
        recorder.execute("begin immediate")
        other = Thread(target=hold)
        other.start()
        other.join(timeout=0.5)  # by now it has gone to rollback mode, and waits for our transaction
        recorder.execute("commit")
        recorder.execute("pragma journal_mode = wal")
        recorder.execute("select count(*) from runs").fetchone()
        other.join()
    assert told == ["database is locked"]


def test_nobody_writes_what_is_held_and_everybody_reads_it(path: Path) -> None:
    with held(path), closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("begin immediate")
        assert bodies(path) == [b"a", b"b"]
    assert rows(path, "pragma journal_mode") == [("delete",)]


def test_a_new_file_does_not_take_the_place_of_another(path: Path) -> None:
    with folder_beside(path) as folder:
        laid = lay_out(path, folder)
        with pytest.raises(CassetteError, match="another process made"):
            put_in_place(laid, path, is_new=True)
        put_in_place(laid, path.with_name("new.sqlite"), is_new=True)
    assert files(path) == ["new.sqlite", "tape.sqlite"]


@pytest.mark.parametrize("name", ["tape.sqlite", ".merge_file_a1b2c3"])
def test_what_a_killed_process_left_goes_and_what_another_works_on_stays(path: Path, name: str) -> None:
    left = path.with_name(f".{name}-killed.llmtape-new")
    left.mkdir()
    (left / "draft.sqlite").write_bytes(b"half")
    with folder_beside(path) as folder, folder_beside(path) as other:
        assert folder.exists()
        assert other.exists()
        assert not left.exists()
    assert files(path) == ["tape.sqlite"]


def test_two_who_make_a_new_file_do_it_one_after_the_other(path: Path) -> None:
    new = path.with_name("new.sqlite")
    with folder_beside(path) as folder, ThreadPoolExecutor(1) as pool:
        laid = lay_out(path, folder)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # as the other does, which may remove what it finds beside the file
            placed = pool.submit(put_in_place, laid, new, is_new=True)
            with pytest.raises(TimeoutError):
                placed.result(0.1)
            assert not new.exists()
        finally:
            os.close(descriptor)
        placed.result()
    assert bodies(new) == [b"a", b"b"]
