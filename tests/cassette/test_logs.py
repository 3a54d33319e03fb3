"""Logs beside cassettes: their own, and those of files that stood there before."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from proxy.cassette.draft import drafted
from proxy.cassette.logs import address, beside, can_write_beside, has_foreign_log, is_without_index
from proxy.cassette.opening import opened
from proxy.core.errors import CassetteError, CassetteOutOfReachError
from tests.cassette.making import (
    RECORD,
    answer,
    as_nobody,
    bodies,
    files,
    question,
    read_only_copy,
    remembered,
    store,
    taken,
)

if TYPE_CHECKING:
    from pathlib import Path

_KILLED: Final = """if True:
    import os, sys
    from pathlib import Path
    from proxy.cassette.writer import Writer
    from tests.cassette.making import RECORD, answer, question, taken
    writer = Writer(Path(sys.argv[1]), RECORD)
    for text in ("new 1", "new 2"):
        writer.save(taken(question(text), answer(text.encode()))).result()
    os._exit(9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A cassette whose recorder was killed, beside the file that it was before."""
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question("old"), answer(b"old"))])
    shutil.copy(path, tmp_path / "committed")
    subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)
    return path


def check_out(path: Path) -> None:
    """Put the old file in the new one's place, as `git checkout` does."""
    path.with_name("committed").replace(path)


def test_a_killed_recorders_own_log_is_read(path: Path) -> None:
    assert not has_foreign_log(path)
    assert bodies(path) == [b"old", b"new 1", b"new 2"]
    assert files(path) == ["committed", "tape.sqlite", "tape.sqlite-shm", "tape.sqlite-wal"]


@pytest.mark.parametrize("name", ["tape.sqlite", "link.sqlite"])
def test_the_log_of_a_file_that_stood_there_before_is_told_and_not_played(path: Path, name: str) -> None:
    path.with_name("link.sqlite").symlink_to(path)
    check_out(path)
    before = path.read_bytes()
    named = path.with_name(name)
    assert has_foreign_log(named)
    with pytest.raises(CassetteOutOfReachError, match="that of another file") as told:
        bodies(named)
    with pytest.raises(CassetteError, match="that of another file"):
        store(named, [taken(question("later"), answer(b"later"))])
    with pytest.raises(CassetteError, match="that of another file"), drafted(named):
        pass
    assert path.read_bytes() == before
    subprocess.run(str(told.value).partition("be rid of it: ")[2], shell=True, check=True)
    assert bodies(path) == [b"old"]


def test_a_log_at_work_is_no_foreign_one(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("update runs set mode = 'record'")
        assert not has_foreign_log(path)
    assert not has_foreign_log(path)


def test_a_new_file_takes_no_log_over_from_one_that_was_removed(path: Path) -> None:
    path.unlink()
    with drafted(path) as draft:
        draft.add(taken(question("fresh"), answer(b"fresh")), remembered(RECORD))
    assert bodies(path) == [b"fresh"]
    assert files(path) == ["committed", "tape.sqlite"]


def test_a_recorder_begins_anew_where_the_file_was_removed(path: Path) -> None:
    path.unlink()
    store(path, [taken(question("fresh"), answer(b"fresh"))])
    assert bodies(path) == [b"fresh"]


def test_a_file_that_was_copied_alone_is_read_where_no_log_can_be_made(path: Path, tmp_path: Path) -> None:
    opened(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        alone = tmp_path / "alone.sqlite"
        shutil.copy(path, alone)
    assert alone.read_bytes()[18:20] == b"\2\2"
    with read_only_copy(alone) as lone, as_nobody():
        assert not can_write_beside(lone)
        assert "immutable" in address(lone)
        assert bodies(lone) == [b"old", b"new 1", b"new 2"]
    assert "immutable" not in address(path)


def test_a_log_that_sqlite_cannot_read_there_is_told(path: Path) -> None:
    with read_only_copy(path) as copy:
        shutil.copy(beside(path)[0], beside(copy)[0])
        beside(copy)[0].chmod(0o444)
        with as_nobody():
            assert is_without_index(copy)
            with pytest.raises(CassetteError, match="cannot read where it may not write"):
                opened(copy)
    beside(path)[2].unlink()
    assert not is_without_index(path)
    assert bodies(path) == [b"old", b"new 1", b"new 2"]
