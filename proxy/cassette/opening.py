"""Opening a file, and saying what it is where it is no cassette.

Rule: who reads opens read-only, and changes nothing; only a change that a killed process broke off is taken back, as
every SQLite program does. What SQLite would say in its own words is said in a user's.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from shlex import quote
from typing import TYPE_CHECKING, Final

from proxy.cassette import format as layout
from proxy.cassette.logs import address, beside, has_foreign_log, is_without_index
from proxy.core.errors import CassetteError, CassetteOutOfReachError

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 5.0
"""How long one who reads waits for another that has the file for itself alone, as it has for a moment to commit."""

_PRIMARY: Final = 0xFF  # of an SQLite error's number, the part that tells its kind

# What a file's own schema brings is a program for SQLite, and may never end: a view in the place of a table, a virtual
# one, a computed column, a trigger. A schema that was edited may name a thing twice.
_NO_PLAIN_TABLE = """
select type, name from sqlite_master m where type = 'trigger'
or (name in ('cassette', 'runs', 'parts', 'bodies', 'turns', 'anchors', 'interactions')
  and (type <> 'table' or rootpage = 0 or exists (select 1 from pragma_table_xinfo(m.name) where hidden <> 0)))
limit 1"""
_NO_TEXT = "select name from cassette where typeof(name) <> 'text' or typeof(value) <> 'text' limit 1"


def opened(path: Path, patience_s: float = PATIENCE_S) -> sqlite3.Connection:
    """Open a file to read it and nothing else; `patience_s` is how long whoever has it for itself alone is waited for.

    Where a process was killed while it changed the file, SQLite has to take the change back first, and can only where
    it may write. Raises CassetteError where it cannot, and where the log beside the file is another's or out of reach;
    sqlite3.OperationalError where it was waited for in vain.
    """
    check_log(path)
    if is_without_index(path):
        log, *_ = beside(path)
        raise CassetteError(
            f"part of {path} is still in the log of its recorder, {log.name}, which SQLite cannot read where it may "
            f"not write. Copy both to where it may, and start `llmtape record -c {path.name}` once there: it makes one "
            "file of them"
        )
    uri = address(path)
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=patience_s)
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        if kind(error) == sqlite3.SQLITE_BUSY:  # who reads would only wait once more
            connection.close()
            raise
        if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
            return connection  # what is wrong with it is told by who reads
        connection.close()
        _take_back(path)
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=patience_s)
    except UnicodeDecodeError as error:  # SQLite's complaint names what it stumbles over, and that is no text
        connection.close()
        raise sqlite3.DatabaseError("its schema is damaged") from error
    return connection


def _take_back(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise CassetteOutOfReachError(
            f"a change of {path} was broken off, and cannot be taken back here: {error}. Open it once, as with "
            f"`llmtape ls`, where its folder can be written; keep {path.name}-journal beside it until then"
        ) from error


def check_log(path: Path) -> None:
    """Raise CassetteOutOfReachError where SQLite would play the log of another file into this one."""
    if has_foreign_log(path):
        log, _, index = beside(path)
        raise CassetteOutOfReachError(
            f"the log beside {path} is that of another file, which stood there before: {path.name} was replaced, as by "
            "`git checkout`, while a recorder used it or after one was killed. Put that file back, and what was "
            f"recorded into it is there again; or else be rid of it: rm {quote(str(log))} {quote(str(index))}"
        )


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
    check_schema(connection, path)
    if told := connection.execute(_NO_TEXT).fetchone():
        raise CassetteError(unreadable(path, ValueError(f"what it says of {str(told[0])[:40]!r} is no text")))
    return version


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raise CassetteError where a file has more than data: something in it that computes what is read or written."""
    if found := connection.execute(_NO_PLAIN_TABLE).fetchone():
        kind, name = found
        what = f"a {kind}" if kind in {"view", "trigger"} else "no plain table"
        raise CassetteError(
            f"{path} is not to be trusted: {str(name)[:40]!r} in it is {what}, and a cassette has data alone. Take it "
            f"from version control, or save what can be read: `llmtape verify --recover NEW {path}`"
        )


_OF_THE_SYSTEM: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""Errors of SQLite's that tell of the disk, of rights and of other processes, and not of what a file holds."""


def kind(error: BaseException) -> int:
    """Return what kind of error of SQLite's it is, 0 for none."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def is_of_the_system(error: BaseException, path: Path) -> bool:
    """Tell whether an error says nothing of what stands at the path, so that all may be well once more."""
    return not path.is_dir() and (isinstance(error, OSError) or kind(error) in _OF_THE_SYSTEM)


def why_not_a_cassette(path: Path, error: BaseException) -> str | None:
    """Say in words why a file can be no cassette, where SQLite's own words would mislead."""
    if path.is_dir():
        return f"{path} is a folder: name a cassette's file in it"
    if "not a database" in str(error):
        return f"{path} is not a cassette: SQLite finds no database in it. If it was one, take it from version control"
    if "unable to open" in str(error):
        return _why_not_opened(path)
    if kind(error) == sqlite3.SQLITE_BUSY:
        return f"cannot read the cassette {path}: another process has it for itself alone: end that"
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
        path.stat()
        # It is not opened: to close it would take the locks away that this process may have on it.
        is_refused = not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)
    except PermissionError:
        is_refused = True
    except OSError:
        return None  # such as a folder that is not there, of which SQLite's words tell
    if is_refused:
        return f"cannot read the cassette {path}: {os.strerror(errno.EACCES)}. Let this user read it"
    return None
