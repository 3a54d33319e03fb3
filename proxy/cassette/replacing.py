"""Putting a whole new file in an old one's place.

Rule: a cassette is never changed in parts that a reader could see, and never lost: the new file is laid out beside it,
on disk, before it takes its place in one step; whoever reads the old one goes on reading that. What is laid out is a
pure function of its rows: no history of how they came is left in it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import tempfile
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.cassette.aside import identity
from proxy.cassette.logs import beside
from proxy.cassette.opening import opened
from proxy.cassette.transaction import BUSY_SECONDS, connected
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

PATIENCE_MILLISECONDS: Final = 1000
"""How long we wait for a recorder to let go of the file: one that goes on holds it until its end."""

_OWNER_ALONE: Final = 0o600

_SUFFIX: Final = ".llmtape-new"

# What the database header says of history, and the constants that say nothing: the counter of changes and the version
# that it is valid for (they must be equal), the schema's cookie, and which SQLite wrote last.
# Source: https://www.sqlite.org/fileformat.html, "The Database Header".
_PINNED: Final = ((24, 1), (40, 1), (92, 1), (96, 3_038_000))


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """Make a folder on the file system of `path`, for its owner alone; it goes in the end, whatever happens.

    Those that killed processes left there go with it, whatever their files were called: git has a new name for each.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}-"
    for left in path.parent.glob(f".*{_SUFFIX}"):
        with _locked(left, waits=False) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=path.parent))
        while not stack.enter_context(_locked(folder, waits=True)):  # it was just taken for one that was left
            folder = Path(tempfile.mkdtemp(prefix=prefix, suffix=_SUFFIX, dir=path.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, waits: bool) -> Iterator[bool]:
    """Lock a folder until the end of the block or of the process; tell whether it is locked, and still there."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield False
        return
    try:
        yield _is_locked(descriptor, waits=waits) and folder.exists()
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, *, waits: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep others from writing to a cassette; they may read it. Raises sqlite3.Error where a recorder holds it."""
    while True:
        before = identity(path)
        with closing(connected(path)) as connection:
            connection.execute(f"pragma busy_timeout = {PATIENCE_MILLISECONDS}")
            connection.execute("pragma journal_mode = delete")  # refused while a recorder goes on
            connection.execute(f"pragma busy_timeout = {int(BUSY_SECONDS * 1000)}")
            connection.execute("begin immediate")
            # While we waited it may have been replaced, and this is the old one; or a recorder went to WAL mode: it
            # would write to the old one after its end, and not be told.
            has_no_log = connection.execute("pragma journal_mode").fetchone() == ("delete",)
            if has_no_log and identity(path) == before:
                yield
                return


def lay_out(source: Path, folder: Path) -> Path:
    """Write a cassette's rows into a new file of their own, synced to disk. Raises sqlite3.Error, OSError."""
    laid = folder / "laid.sqlite"
    os.close(os.open(laid, os.O_CREAT | os.O_EXCL, _OWNER_ALONE))
    with closing(opened(source)) as connection:
        connection.execute("vacuum into ?", (str(laid),))
    with laid.open("r+b") as file:
        for offset, value in _PINNED:
            file.seek(offset)
            file.write(struct.pack(">I", value))
        file.flush()
        os.fsync(file.fileno())
    return laid


def put_in_place(laid: Path, path: Path, *, is_new: bool = False) -> None:
    """Let a file that is on disk take its place. Raises CassetteError where something is there that should not be."""
    if is_new:
        _put_where_nothing_is(laid, path)
    else:
        if path.exists():
            laid.chmod(path.stat().st_mode & 0o777)
        laid.replace(path)
    _sync(path.parent)


def _put_where_nothing_is(laid: Path, path: Path) -> None:
    with _alone_in(path.parent):  # or what is removed could be the log of a file that another just made
        if not path.exists():
            for left in beside(path):  # of a file that was removed: SQLite would play its log into this one
                left.unlink(missing_ok=True)
        try:
            os.link(laid, path)  # unlike a renaming, refused where another was quicker
        except OSError as error:
            if path.exists():
                raise CassetteError(
                    f"another process made {path} meanwhile, and nothing was written: try again"
                ) from error
            laid.replace(path)  # a file system without links


def _alone_in(folder: Path) -> AbstractContextManager[bool]:
    """Keep others from making files there; a folder of `folder_beside` is locked already, and waits for nobody."""
    return nullcontext(enter_result=True) if folder.name.endswith(_SUFFIX) else _locked(folder, waits=True)


def _sync(folder: Path) -> None:
    """Have the folder's entries on disk, where its file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
