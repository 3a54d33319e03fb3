"""Changing a file: all or nothing.

Rule: whatever writes does so within `transaction`, and what SQLite or the system say of it leaves here in our words.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from proxy.cassette.opening import check_log, is_of_the_system, kind, why_not_a_cassette
from proxy.core.errors import CassetteError, CassetteOutOfReachError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 30.0
"""How long one who writes waits for another to end its transaction."""


def connected(path: Path) -> sqlite3.Connection:
    """Open a file that is there, to write. Raises CassetteError where the log beside it is another's."""
    check_log(path)
    return sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done within, or take all of it back."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("rollback")
        raise


def is_busy(error: BaseException) -> bool:
    """Tell whether another process holds the file."""
    return kind(error) == sqlite3.SQLITE_BUSY


def is_replaced(error: BaseException) -> bool:
    """Tell whether a file cannot be written because another stands in its place by now."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED


def translated(error: BaseException, path: Path) -> BaseException:
    """Return an error of ours for one of the system's; what is none of either as it is."""
    if isinstance(error, CassetteError) or not isinstance(error, Exception):
        return error
    if is_busy(error):
        return CassetteOutOfReachError(
            f"cannot write the cassette {path}: another process, such as a recorder, holds it: end that"
        )
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    told = (
        why_not_a_cassette(path, error)
        or f"cannot write the cassette {path}: {reason}. Is the folder there, writable, and has it room?"
    )
    return CassetteOutOfReachError(told) if is_of_the_system(error, path) else CassetteError(told)
