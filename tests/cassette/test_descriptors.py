"""Reading a file by the descriptor that SQLite has of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from proxy.cassette.descriptors import read
from tests.cassette.making import answer, question, store, taken

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC: Final = slice(0, 16)
_WRITE: Final = """if True:
    import sqlite3, sys
    with sqlite3.connect(sys.argv[1], timeout=0) as connection:
        connection.execute("begin immediate")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question(), answer(b"1"))])
    return path


def test_it_reads_what_sqlite_has_open(path: Path) -> None:
    with closing(sqlite3.connect(path)):
        assert read(path, _MAGIC) == b"SQLite format 3\0"
        assert read(path, slice(16, 18)) == (4096).to_bytes(2)
    assert read(path, _MAGIC) is None


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none", _MAGIC)


def test_it_takes_no_lock_away(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        read(path, _MAGIC)
        other = subprocess.run([sys.executable, "-c", _WRITE, str(path)], check=False, capture_output=True, text=True)
        assert "database is locked" in other.stderr
