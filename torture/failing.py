"""A disk that fails on demand.

Rule: one disk is one folder of this process. All that SQLite and Python do to change what is in it is counted, and
the k-th of what a kind of failure can befall fails, by itself or with all that come after, until the disk is repaired.
Where SQLite is concerned that is done below it (torture/vfs.py), where Python is by its audit events.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from torture.vfs import CREATE, gated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True, slots=True)
class Kind:
    """A way in which disks fail: SQLite's calls that do, with what number, and Python's audit events, by one errno."""

    name: str
    errno: int
    calls: Mapping[str, int]
    events: frozenset[str]
    tears: bool = False
    """Whether a write that fails has written half."""

    def befalls(self, what: str) -> bool:
        """Tell whether a call or an event can fail so."""
        return what in self.calls or what in self.events


_MAKES: Final = frozenset({CREATE, "os.mkdir", "os.link", "os.rename"})
"""What takes room in a folder."""

_CHANGES: Final = _MAKES | {"open", "os.chmod", "os.remove", "os.rmdir"}

_NO_ROOM: Final[Mapping[str, int]] = {
    CREATE: sqlite3.SQLITE_CANTOPEN,
    "xWrite": sqlite3.SQLITE_FULL,
    "xShmMap": sqlite3.SQLITE_IOERR_SHMSIZE,
}
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("full", errno.ENOSPC, _NO_ROOM, _MAKES),
        Kind("torn", errno.ENOSPC, _NO_ROOM, _MAKES, tears=True),
        Kind("quota", errno.EDQUOT, {**_NO_ROOM, "xWrite": sqlite3.SQLITE_IOERR_WRITE}, _MAKES),
        Kind(
            "fault",
            errno.EIO,
            {
                CREATE: sqlite3.SQLITE_CANTOPEN,
                "xOpen": sqlite3.SQLITE_CANTOPEN,
                "xWrite": sqlite3.SQLITE_IOERR_WRITE,
                "xSync": sqlite3.SQLITE_IOERR_FSYNC,
                "xTruncate": sqlite3.SQLITE_IOERR_TRUNCATE,
                "xDelete": sqlite3.SQLITE_IOERR_DELETE,
                "xShmMap": sqlite3.SQLITE_IOERR_SHMMAP,
            },
            _CHANGES,
        ),
        Kind(
            "read-only",
            errno.EROFS,
            {
                CREATE: sqlite3.SQLITE_CANTOPEN,
                "xOpen": sqlite3.SQLITE_CANTOPEN,
                "xWrite": sqlite3.SQLITE_READONLY,
                "xTruncate": sqlite3.SQLITE_IOERR_TRUNCATE,
                "xDelete": sqlite3.SQLITE_IOERR_DELETE,
                "xShmMap": sqlite3.SQLITE_READONLY_CANTINIT,
            },
            _CHANGES,
        ),
        Kind("unreadable", errno.EIO, {"xRead": sqlite3.SQLITE_IOERR_READ}, frozenset()),
    )
}


@dataclass(slots=True)
class Disk:
    """One folder. `failed` says how often which call failed since it began to."""

    folder: str
    failed: Counter[str] = field(default_factory=Counter)
    chances: Counter[str] = field(default_factory=Counter)
    """How often each kind could have befallen it since they are counted."""
    _counts: bool = False
    _kind: Kind | None = None
    _until_then: int = 0
    _lasts: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def tears(self) -> bool:
        """See `Kind`."""
        return self._kind is not None and self._kind.tears

    def fail(self, kind: Kind, at: int, *, lasts: bool) -> None:
        """Fail at the at-th chance from now on, counted from 1, and with `lasts` at all that come after."""
        self._kind, self._until_then, self._lasts = kind, at - 1, lasts
        self.failed.clear()

    def repair(self) -> None:
        """Let everything pass."""
        self._kind = None

    def count(self) -> None:
        """Count the chances from now on."""
        self.chances.clear()
        self._counts = True

    def refused(self, call: str, path: str) -> int:
        """Tell what a call of SQLite's fails with; 0 where it goes on."""
        kind = self._kind
        return kind.calls[call] if self._fails(call, path) and kind else 0

    def event(self, event: str, path: str) -> None:
        """Raise OSError where what Python is about to do fails."""
        kind = self._kind
        if self._fails(event, path) and kind:
            raise OSError(kind.errno, os.strerror(kind.errno), path)

    def _fails(self, what: str, path: str) -> bool:
        if not path.startswith(self.folder):
            return False
        kind = self._kind
        with self._lock:
            if self._counts:
                self.chances.update(each.name for each in KINDS.values() if each.befalls(what))
            if kind is None or not kind.befalls(what):
                return False
            self._until_then -= 1
            fails = self._until_then < 0 if self._lasts else self._until_then == -1
            if fails:
                self.failed[what] += 1
            return fails


_disks: list[Disk] = []
_is_hooked = False


@contextmanager
def disk(folder: Path) -> Iterator[Disk]:
    """Let what is in a folder stand on a disk that can be made to fail, for as long as the block lasts."""
    one = Disk(f"{folder.resolve()}{os.sep}")
    _hook()
    _disks.append(one)
    try:
        with gated(one):
            yield one
    finally:
        one.repair()
        _disks.remove(one)


def _hook() -> None:
    """Have Python tell what it does; it never stops telling, and nobody may be listening."""
    global _is_hooked  # noqa: PLW0603  a process has one such hook
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(_heard)


def _heard(event: str, values: tuple[Any, ...]) -> None:
    if not _disks or event not in _CHANGES:
        return
    path = values[1] if event in {"os.link", "os.rename"} else values[0]
    if isinstance(path, int) or path is None:
        return
    path = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  a path may be bytes
    if event == "open":
        if not values[2] & _WRITES:
            return
        event = CREATE if values[2] & os.O_CREAT and not os.path.lexists(path) else "open"
    for one in _disks:
        one.event(event, path)
