"""The file system as the SQLite in this very process sees it, with a gate before each call.

Rule: nothing is faked. The gate is asked before a call goes to SQLite's own VFS; where it says no, SQLite gets the
error number that a system's refusal would have led to, and the call is not made. The names are those of `sqlite3_vfs`
and `sqlite3_io_methods`: https://www.sqlite.org/vfs.html.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import sqlite3
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CREATE: Final = "create"
"""Beside SQLite's own names of calls: an `xOpen` of what is not there yet."""

_NAME: Final = b"llmtape-torture"
_OPEN_READ_ONLY: Final = 0x1
_OPEN_READ_WRITE: Final = 0x2
_OPEN_CREATE: Final = 0x4
_TO_WRITE: Final = _OPEN_READ_WRITE | _OPEN_CREATE

_OPEN: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
_DELETE: Final = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_WRITE: Final = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_GATED: Final[dict[str, Any]] = {
    "xRead": CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64),
    "xTruncate": CFUNCTYPE(c_int, c_void_p, c_int64),
    "xSync": CFUNCTYPE(c_int, c_void_p, c_int),
    "xShmMap": CFUNCTYPE(c_int, c_void_p, c_int, c_int, c_int, c_void_p),
}
"""The methods of an open file before which the gate is asked, and nothing else is done."""

_CHANGED: Final[dict[str, Any]] = {**_GATED, "xClose": CFUNCTYPE(c_int, c_void_p), "xWrite": _WRITE}
_METHODS: Final = (
    *("xClose", "xRead", "xWrite", "xTruncate", "xSync", "xFileSize", "xLock", "xUnlock", "xCheckReservedLock"),
    *("xFileControl", "xSectorSize", "xDeviceCharacteristics", "xShmMap", "xShmLock", "xShmBarrier", "xShmUnmap"),
    *("xFetch", "xUnfetch"),
)
_LEFT_ALONE: Final = (
    *("xAccess", "xFullPathname", "xDlOpen", "xDlError", "xDlSym", "xDlClose", "xRandomness", "xSleep", "xCurrentTime"),
    *("xGetLastError", "xCurrentTimeInt64", "xSetSystemCall", "xGetSystemCall", "xNextSystemCall"),
)


class _Vfs(Structure):
    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", _OPEN),
        ("xDelete", _DELETE),
        *((name, c_void_p) for name in _LEFT_ALONE),
    )


class _Methods(Structure):
    _fields_ = (("iVersion", c_int), *((name, _CHANGED.get(name, c_void_p)) for name in _METHODS))


class _File(Structure):
    _fields_ = (("pMethods", POINTER(_Methods)),)


class Gate(Protocol):
    """Whoever decides of each call whether it fails; asked on any thread."""

    @property
    def tears(self) -> bool:
        """Whether half of what was to be written is in the file when a write fails."""

    def refused(self, call: str, path: str) -> int:
        """Return the SQLite error number that a call fails with, 0 where it goes on."""


def why_not() -> str:
    """Say why nothing can stand between this process's SQLite and its files; empty where it can."""
    try:
        _library()
    except (OSError, AttributeError) as error:
        return f"ctypes does not reach the SQLite of this Python: {error}"
    return ""


@contextmanager
def gated(gate: Gate) -> Iterator[None]:
    """Ask a gate before each call of every connection that is opened within, for as long as that is open."""
    library = _library()
    original = library.sqlite3_vfs_find(None)
    ours = ctypes.byref(_Between(original.contents, gate).vfs)
    library.sqlite3_vfs_register(ours, 1)
    try:
        yield
    finally:
        library.sqlite3_vfs_unregister(ours)
        library.sqlite3_vfs_register(original, 1)


@cache
def _library() -> Any:
    """Return the very library that Python's module is linked with. Raises OSError, AttributeError."""
    library = ctypes.CDLL(_sqlite3.__file__)  # its symbols are those of what it is linked with, too
    library.sqlite3_libversion.restype = c_char_p
    if library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
        raise OSError("another version of it is found")
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = (c_char_p,)
    return library


class _Between:
    """Stands between SQLite and its own VFS."""

    _alive: Final[list[_Between]] = []
    """All that ever were: SQLite calls what a file was opened with for as long as that is open."""

    def __init__(self, original: _Vfs, gate: Gate) -> None:
        self._original = original
        self._gate = gate
        self._paths: dict[int, str] = {}
        self._known: dict[int, _Methods] = {}  # by the address of those that they were made from
        self.vfs = _Vfs.from_buffer_copy(original)
        self.vfs.zName = _NAME
        self.vfs.xOpen = _OPEN(self._open)
        self.vfs.xDelete = _DELETE(self._delete)
        self._alive.append(self)

    def _open(self, vfs: int, name: int | None, file: int, flags: int, opened: Any) -> int:
        path = os.fsdecode(ctypes.string_at(name)) if name else ""
        code = self._refused_to_open(path, flags)
        if code:  # as SQLite's own VFS does: what cannot be opened to be written is opened to be read
            flags = flags & ~_TO_WRITE | _OPEN_READ_ONLY
        failed: int = self._original.xOpen(vfs, name, file, flags, opened)
        if failed:
            return code or failed
        self._paths[file] = path
        self._put_between(_File.from_address(file))
        return 0

    def _refused_to_open(self, path: str, flags: int) -> int:
        if not flags & _TO_WRITE:
            return 0
        is_made = flags & _OPEN_CREATE and not (path and os.path.exists(path))  # noqa: PTH110  each call of SQLite's
        return self._gate.refused(CREATE if is_made else "xOpen", path)

    def _put_between(self, file: _File) -> None:
        original = file.pMethods.contents
        address = ctypes.addressof(original)
        if address not in self._known:
            ours = _Methods()
            size = ctypes.sizeof(_Methods) if original.iVersion >= 3 else _Methods.xShmMap.offset
            ctypes.memmove(ctypes.byref(ours), address, size)
            for call, prototype in _GATED.items():
                if size > getattr(_Methods, call).offset:
                    setattr(ours, call, prototype(partial(self._pass, call, getattr(original, call))))
            ours.xWrite = _WRITE(partial(self._write, original.xWrite))
            ours.xClose = _CHANGED["xClose"](partial(self._close, original.xClose))
            self._known[address] = ours
        file.pMethods = ctypes.pointer(self._known[address])

    def _pass(self, call: str, original: Callable[..., int], file: int, *values: Any) -> int:
        return self._gate.refused(call, self._paths[file]) or original(file, *values)

    def _write(self, original: Callable[..., int], file: int, data: int, size: int, offset: int) -> int:
        code = self._gate.refused("xWrite", self._paths[file])
        if not code:
            return original(file, data, size, offset)
        if self._gate.tears and size > 1:
            original(file, data, size // 2, offset)
        return code

    def _close(self, original: Callable[[int], int], file: int) -> int:
        self._paths.pop(file, None)
        return original(file)

    def _delete(self, vfs: int, path: bytes, syncs: int) -> int:
        code: int = self._gate.refused("xDelete", os.fsdecode(path)) or self._original.xDelete(vfs, path, syncs)
        return code
