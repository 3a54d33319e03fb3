"""Looking for all that can be wrong with a file.

Rule: reads only, and goes on: what one look stumbles over is a finding, and keeps no other from its own. Nothing is
taken for what it should be: a file may be damaged in any place, or made to look like a cassette.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from proxy.cassette import blueprint, parts
from proxy.cassette import format as layout
from proxy.cassette.inspections import Inspection
from proxy.cassette.logs import beside, has_foreign_log
from proxy.cassette.opening import opened
from proxy.cassette.records import COLUMNS, record_of
from proxy.cassette.surviving import survivors
from proxy.core import conflicts
from proxy.core.errors import CassetteError, CassetteMissingError, InterchangeError, RuleError
from proxy.core.finding import Finding, Kind
from proxy.core.model import KEY_DIGITS, take_name
from proxy.core.normalize import NORMALIZER
from proxy.core.rules import DEFAULT, Rules, read

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from proxy.cassette.records import Record
    from proxy.core.redact import Redactor

_FOR_OTHERS: Final = 0o077
_PRIMARY: Final = 0xFF  # of an SQLite error's number, the part that tells its kind
_KINDS: Final = {
    sqlite3.SQLITE_NOTADB: Kind.NO_DATABASE,
    sqlite3.SQLITE_BUSY: Kind.UNREADABLE,
    sqlite3.SQLITE_CANTOPEN: Kind.UNREADABLE,
}
"""What else than damage SQLite may find."""

_NOTHING_INSIDE: Final = {Kind.EMPTY, Kind.FOREIGN, Kind.FOREIGN_LOG}
"""What keeps us from looking into a file."""

_NAMES: Final = "select key, take, lane from interactions where id = ?"
_ROW: Final = f"select {', '.join(COLUMNS)} from interactions where id = ?"  # noqa: S608


class Checkup:
    """One file under examination. Raises CassetteError where there is none, or none that this user may know of.

    `rules` and `redactor` are the config's: the first are those by which a replay goes, the second knows what the user
    calls a secret.
    """

    def __init__(self, path: Path, rules: Rules, redactor: Redactor) -> None:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CassetteMissingError(f"there is no cassette {path}") from error
        except OSError as error:
            raise CassetteError(f"cannot look at {path}: {error.strerror}") from error
        self.path = path
        self._rules = rules
        self._redactor = redactor
        self._connection: sqlite3.Connection | None = None
        self._made_by: Rules | None = None
        """The rules that made the keys, where this version makes the same keys by them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __len__(self) -> int:
        """Count the interactions, as far as that can be told."""
        if self._connection is None:
            return 0
        try:
            count: int = self._connection.execute("select count(*) from interactions").fetchone()[0]
        except sqlite3.Error:
            return 0
        return count

    def file(self) -> Iterator[Finding]:
        """Yield what is wrong with the file as a whole; goes before `interactions`, which it opens the file for."""
        for found in _from_outside(self.path):
            yield found
            if found.kind in _NOTHING_INSIDE:
                return
        version = yield from self._opened()
        if version is None or self._connection is None:
            self.close()  # there is nothing in it that could be looked at
            return
        looks = Inspection(self._connection, version).looks()
        facts = self._facts(self._connection, version)
        for place, look in (("what it says of itself", facts), *looks):
            try:
                yield from look
            except sqlite3.Error as error:
                yield _told(error, f"SQLite stumbles over {place}")

    def _opened(self) -> Generator[Finding, None, int | None]:
        """Open the file; return its format, or None where it has not what recordings stand in."""
        is_ours = True
        try:
            connection = self._connection = opened(self.path)
            version = yield from _head(connection)
            for found in blueprint.differences(connection, version) if version is not None else ():
                is_ours = is_ours and found.kind is not Kind.SCHEMA
                yield found
        except CassetteError as error:
            yield Finding(Kind.UNSETTLED, str(error))
        except sqlite3.Error as error:
            yield _told(error)
        else:
            return version if is_ours else None
        return None

    def interactions(self) -> Iterator[tuple[Finding, ...]]:
        """Yield what is wrong with each interaction: nothing, if all is well."""
        if self._connection is not None:
            for id_ in survivors(self._connection, "interactions"):
                yield tuple(self._interaction(self._connection, id_))

    def _interaction(self, connection: sqlite3.Connection, id_: int) -> Iterator[Finding]:
        try:
            row = dict(zip(COLUMNS, connection.execute(_ROW, (id_,)).fetchone(), strict=True))
            record = record_of(row, parts.joined(connection, row["request_body"]))
        except (sqlite3.Error, ValueError, TypeError) as error:
            kind = Kind.DAMAGE if isinstance(error, sqlite3.Error) else Kind.ROW
            yield Finding(kind, f"interaction {id_} cannot be read: {_reason(error)}", *_named(connection, id_))
        else:
            yield from self._findings(record)

    def _findings(self, record: Record) -> Iterator[Finding]:
        try:
            yield from record.findings(self._made_by, self._redactor)
        except CassetteError as error:  # its rules take too long: other keys are not looked at either
            self._made_by = None
            yield Finding(Kind.FACT, str(error))
            yield from record.findings(None, self._redactor)

    def _facts(self, connection: sqlite3.Connection, version: int) -> Iterator[Finding]:
        rows = connection.execute("select name, value from cassette").fetchall()
        facts = {name: text for name, text in rows if isinstance(name, str) and isinstance(text, str)}
        if len(facts) < len(rows):
            yield Finding(Kind.FACT, "some of what it says of itself is no text")
        if facts.get("format") != str(version):
            yield Finding(Kind.FACT, f"its format is {version}, and the table `cassette` says {facts.get('format')!r}")
        yield from self._keying(facts)
        yield from self._conflicts(facts)

    def _conflicts(self, facts: Mapping[str, str]) -> Iterator[Finding]:
        """Tell of what a merge left to be settled."""
        for name in sorted(name for name in facts if conflicts.is_one(name)):
            try:
                track = conflicts.track_of(name)
            except InterchangeError as error:
                yield Finding(Kind.DAMAGE, str(error))
                continue
            place = track.key[:KEY_DIGITS], track.lane
            yield Finding(Kind.CONFLICT, "a merge found it recorded differently on both sides", *place)
            try:
                conflicts.read(name, facts[name], DEFAULT)  # by whatever rules: only whether it can be is asked
            except InterchangeError as error:
                yield Finding(Kind.DAMAGE, f"what is kept of the other side cannot be read: {error}", *place)
            if self._redactor.finds(facts[name].encode()):
                yield Finding(
                    Kind.SECRET_ASIDE, "what is kept of the other side has text in the shape of a secret", *place
                )

    def _keying(self, facts: Mapping[str, str]) -> Iterator[Finding]:
        """Look at what made the keys; where that cannot be done again, nobody can tell whether they are right."""
        normalizer, text = str(facts.get("normalizer")), str(facts.get("rules"))
        try:
            made_by = read(text)
        except RuleError as error:
            yield Finding(Kind.FACT, f"the rules that made its keys cannot be read: {error}")
            return
        if not normalizer.isdecimal():
            yield Finding(Kind.FACT, f"the normalizer that made its keys is told as {normalizer!r}")
        elif normalizer != str(NORMALIZER):
            what = f"its keys were made by normalizer {normalizer}, and this llmtape has {NORMALIZER}"
            yield Finding(Kind.OTHER_NORMALIZER, what)
        else:
            self._made_by = made_by
        if made_by.text != self._rules.text:
            what = f"its keys were made by the rules {made_by.text}, and the config's are {self._rules.text}"
            yield Finding(Kind.OTHER_RULES, what)


def _from_outside(path: Path) -> Iterator[Finding]:
    """Look at a file without opening it."""
    if path.is_dir():
        yield Finding(Kind.FOREIGN, "it is a folder")
        return
    status = path.stat()
    if not status.st_size:
        yield Finding(Kind.EMPTY, "the file is empty")
    if status.st_mode & _FOR_OTHERS:
        yield Finding(Kind.PERMISSIONS, f"others may open it: its mode is {status.st_mode & 0o777:04o}")
    yield from _beside(path)


def _beside(path: Path) -> Iterator[Finding]:
    if has_foreign_log(path):
        yield Finding(Kind.FOREIGN_LOG, "the log beside it is that of another file, which stood there before")
        return
    for file in filter(Path.exists, beside(path)):
        if file.stat().st_size and not file.name.endswith("-shm"):
            yield Finding(Kind.UNSETTLED, f"not all of it is in this one file: there is {file.name} beside it")
        else:
            yield Finding(Kind.SIDE_FILE, f"there is {file.name} beside it")


def _head(connection: sqlite3.Connection) -> Generator[Finding, None, int | None]:
    """Look at what the file says it is; return its format, or None where it is none that can be read here."""
    (application_id,) = connection.execute("pragma application_id").fetchone()
    version: int
    (version,) = connection.execute("pragma user_version").fetchone()
    if application_id != layout.APPLICATION_ID:
        yield Finding(Kind.FOREIGN, "another program made this database")
    elif version > layout.VERSION:
        yield Finding(Kind.NEWER, f"it has cassette format {version}, and this llmtape reads up to {layout.VERSION}")
    else:
        if version < layout.VERSION:
            yield Finding(Kind.OLDER, f"it has cassette format {version}; the present one is {layout.VERSION}")
        return version
    return None


def _told(error: sqlite3.Error, what: str = "SQLite cannot open it") -> Finding:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    return Finding(_KINDS.get(code, Kind.DAMAGE), f"{what}: {_reason(error)}")


def _named(connection: sqlite3.Connection, id_: int) -> tuple[str, str]:
    """Return an interaction's name and lane, where at least those can be read."""
    with suppress(sqlite3.Error, TypeError):
        key, number, lane = connection.execute(_NAMES, (id_,)).fetchone()
        return take_name(str(key), number), str(lane)
    return "", ""


def _reason(error: Exception) -> str:
    """Say what is wrong without repeating the row: there may be a secret in it."""
    return str(error).partition(" with text ")[0]
