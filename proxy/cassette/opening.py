"""Opening a file, and saying what it is where it is no cassette.

Rule: who reads opens read-only, and changes nothing; only a change that a killed process broke off is taken back, as
every SQLite program does. What SQLite would say in its own words is said in a user's.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from proxy.cassette import format as layout
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path) -> sqlite3.Connection:
    """Open a file to read it and nothing else.

    Where a process was killed while it changed the file, SQLite has to take the change back first, and can only where
    it may write.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            return connection  # what is wrong with it is told by who reads
        connection.close()
        _take_back(path)
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    except UnicodeDecodeError as error:  # SQLite's complaint names what it stumbles over, and that is no text
        connection.close()
        raise sqlite3.DatabaseError("its schema is damaged") from error
    return connection


def _take_back(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise CassetteError(
            f"a change of {path} was broken off, and cannot be taken back here: {error}. Open it once, as with "
            f"`llmtape ls`, where its folder can be written; keep {path.name}-journal beside it until then"
        ) from error


def check(connection: sqlite3.Connection, path: Path) -> int:
    """Return a cassette's format. Raises CassetteError where an open database is none that this version can read."""
    (application_id,) = connection.execute("pragma application_id").fetchone()
    version: int
    (version,) = connection.execute("pragma user_version").fetchone()
    if application_id != layout.APPLICATION_ID:
        is_empty = path.stat().st_size == 0
        whose = "it is empty. Record into it" if is_empty else "another program made this file. Name another one"
        raise CassetteError(f"{path} is not a cassette: {whose}")
    if version > layout.VERSION:
        raise CassetteError(
            f"{path} has cassette format {version}, and this llmtape reads up to {layout.VERSION}: update llmtape"
        )
    return version


def why_not_a_cassette(path: Path, error: BaseException) -> str | None:
    """Say in words why a file can be no cassette, where SQLite's own words would mislead."""
    if path.is_dir():
        return f"{path} is a folder: name a cassette's file in it"
    if "not a database" in str(error):
        return f"{path} is not a cassette: SQLite finds no database in it. If it was one, take it from version control"
    if "unable to open" in str(error):
        return _why_not_opened(path)
    if "malformed" in str(error):
        return unreadable(path, error)
    return None


def unreadable(path: Path, error: BaseException) -> str:
    """Say that a cassette cannot be read, and what may help."""
    reason, *_ = str(error).partition(" with text ")  # what follows is recorded, and may be long
    return (
        f"cannot read the cassette {path}: {reason}. If it is damaged, take it from version control, or save what can "
        f"be read: `llmtape verify --recover NEW {path}`"
    )


def _why_not_opened(path: Path) -> str | None:
    try:
        path.open("rb").close()
    except PermissionError as error:
        return f"cannot read the cassette {path}: {error.strerror}. Let this user read it"
    except OSError:
        pass  # such as a folder that is not there, of which SQLite's words tell
    return None
