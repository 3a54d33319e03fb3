"""Reading a file that SQLite has open in this process.

Rule: it is read by SQLite's own descriptor. To open another one and close it would take away all locks that this
process has on the file, as POSIX has it (see https://www.sqlite.org/howtocorrupt.html, section 2.2), and with them what
keeps others from putting a new one in its place.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_DESCRIPTORS: Final = Path("/dev/fd")


def read(path: Path, place: slice) -> bytes | None:
    """Read some bytes of the file at a path; None where SQLite does not have it open, or the system names none.

    Raises OSError where there is no file.
    """
    known = path.stat()
    for descriptor in descriptors():
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), known):
                return os.pread(descriptor, place.stop - place.start, place.start)
    return None


def descriptors() -> Iterator[int]:
    """Yield all that are open in this process, where the system names them."""
    with suppress(OSError):
        yield from (int(entry.name) for entry in _DESCRIPTORS.iterdir() if entry.name.isdecimal())
