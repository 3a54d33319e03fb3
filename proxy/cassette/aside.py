"""Files that others took the place of while they were open here.

Rule: of a file in whose place another stands SQLite is asked nothing more. It finds a database's log and journal by
name, and would take those of the new file for the old one's: readers would get a mixture of both, and writers would
spoil the new one.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from proxy.cassette.descriptors import descriptors
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from pathlib import Path

_VERSIONS: Final = slice(18, 20)
"""Where a database's head says whether it has a log: one in memory has none."""

_NO_LOG: Final = b"\1\1"
_PIECE: Final = 1024 * 1024

Identity = tuple[int, int]
"""What tells a file from another of the same name: its device and number."""

State = tuple[int, int, int, int]
"""Its identity, its size in bytes, and when it was written to, in nanoseconds."""


def identity(path: Path) -> Identity:
    """Return what tells a file from one that takes its place later. Raises OSError."""
    found = path.stat()
    return found.st_dev, found.st_ino


def state(path: Path) -> State | None:
    """Return what changes with whatever is done to a file, None where there is none.

    What a recorder adds is in the log beside it for a while, and changes nothing here until it is brought in.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def is_aside(path: Path, known: Identity) -> bool:
    """Tell whether another file stands in a file's place; not where none does, as after an `rm`."""
    try:
        return identity(path) != known
    except OSError:
        return False


def is_in_place(path: Path, known: Identity) -> bool:
    """Tell whether a file still stands where it was opened: no other one, and not none."""
    try:
        return identity(path) == known
    except OSError:
        return False


def in_memory(path: Path, known: Identity) -> sqlite3.Connection:
    """Return what a file holds that SQLite has open in this process, and that came to rest before it was replaced.

    It is read by SQLite's own descriptor: to open and close another one would take SQLite's locks away. Raises
    CassetteError where there is none, sqlite3.Error for what is no database.
    """
    for descriptor in descriptors():
        with suppress(OSError):
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == known:
                data = _read(descriptor)
                data[_VERSIONS] = _NO_LOG
                connection = sqlite3.connect(":memory:", isolation_level=None)
                connection.deserialize(bytes(data))
                return connection
    raise CassetteError(f"another process put a new file in the place of {path}: start again")


def _read(descriptor: int) -> bytearray:
    data = bytearray()
    while piece := os.pread(descriptor, _PIECE, len(data)):
        data += piece
    return data
