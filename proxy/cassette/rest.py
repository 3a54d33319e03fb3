"""Bringing a cassette to rest.

Rule: at rest the same recordings are the same bytes, in whatever steps they were recorded; a file that cannot come to
rest now, because others use it, is left to them as it is.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from proxy.cassette.draft import drafted
from proxy.cassette.opening import opened
from proxy.cassette.replacing import folder_beside, held, lay_out, put_in_place

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES: Final = 100 * 1000 * 1000
"""What is larger is not laid out anew each time: it would take seconds, and hosts of git take no such file."""

# Rows that were deleted leave gaps; where nothing was, what is stored stands in the order in which it came.
_GAPS: Final = """
select max(gap) from (
  select count(*) <> coalesce(max(id), 0) as gap from interactions
  union all select count(*) <> coalesce(max(id), 0) from bodies
  union all select count(*) <> coalesce(max(id), 0) from parts
  union all select count(*) <> coalesce(max(id), 0) from turns)"""


def settle(path: Path, *, numbers_anew: bool) -> None:
    """Lay a cassette out, its rows numbered anew where any of them were replaced.

    Raises sqlite3.Error, OSError or CassetteError, and leaves the file as it is then.
    """
    if path.stat().st_size > LARGEST_BYTES:
        return
    if numbers_anew or _has_gaps(path):
        with drafted(path) as draft:
            draft.copy(path)
        return
    path = path.resolve()
    with folder_beside(path) as folder, held(path):
        put_in_place(lay_out(path, folder), path)


def _has_gaps(path: Path) -> bool:
    with closing(opened(path)) as connection:
        return bool(connection.execute(_GAPS).fetchone()[0])
