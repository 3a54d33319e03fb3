"""Logs beside a cassette, and whose they are.

Rule: SQLite finds a file's log by name, and plays it into whatever stands there. One that a killed recorder left is no
log of a file that took its cassette's place since, as when git checked out another version: it is told, and the file is
left alone, since SQLite would make a mixture of both. Where no log can be made, a file that has none is read without.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from proxy.cassette.descriptors import read

if TYPE_CHECKING:
    from pathlib import Path

BESIDE: Final = ("-wal", "-journal", "-shm")
"""What the names of the files end with that SQLite puts beside a database."""

_VERSIONS: Final = slice(18, 20)
"""Where a database's head says whether it has a log. While there is one with anything in it, a file always says so:
SQLite writes it before it makes the log, and takes it back after it has removed the log. See
https://www.sqlite.org/fileformat.html, "File format version numbers"."""

_NO_LOG: Final = b"\1\1"
_LOG: Final = b"\2\2"


def beside(path: Path) -> list[Path]:
    """Return where SQLite's own files stand, be they there or not: a link's beside the file that it leads to."""
    place = path.resolve()
    return [place.with_name(place.name + ending) for ending in BESIDE]


def address(path: Path) -> str:
    """Return the URI by which SQLite opens a file to read it and nothing else.

    A file whose head says that it has a log, though it has none, as one that was copied alone from beside a recorder,
    is read only where SQLite may make an empty one; elsewhere it has to be told that nobody changes the file.
    """
    plain = f"file:{quote(str(path.absolute()))}?mode=ro"
    log, _, index = beside(path)
    if can_write_beside(path) or _has_content(log) or index.exists() or not path.is_file():
        return plain
    return f"{plain}&immutable=1" if _head(path) == _LOG else plain


def can_write_beside(path: Path) -> bool:
    """Tell whether files can be made where SQLite would make those of this one."""
    return os.access(path.resolve().parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def is_without_index(path: Path) -> bool:
    """Tell whether there is a log that SQLite cannot read: it needs an index beside it, and can make none here."""
    log, _, index = beside(path)
    return _has_content(log) and not index.exists() and not can_write_beside(path)


def has_foreign_log(path: Path) -> bool:
    """Tell whether the log beside a file is that of another one, which stood there before. Raises sqlite3.Error."""
    log, *_ = beside(path)
    before = _state(log)
    if before is None or not before.st_size:
        return False
    says_none = _head(path) == _NO_LOG
    after = _state(log)
    # Else a recorder writes to it, which may have come to rest and begun anew between the looks.
    is_left = after is not None and (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    return says_none and is_left


def _head(path: Path) -> bytes | None:
    # Nothing is executed, so that SQLite looks at no log.
    with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)):
        return read(path, _VERSIONS)


def _has_content(file: Path) -> bool:
    state = _state(file)
    return state is not None and state.st_size > 0


def _state(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
