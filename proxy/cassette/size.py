"""What takes the room in a file.

Rule: counts the bytes of what was recorded, and the pages of the file; what is left is how SQLite and we find it
again. Works with every SQLite: its own table of page sizes is not in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_FILE: Final = """
select page_count * page_size, freelist_count * page_size
from pragma_page_count(), pragma_page_size(), pragma_freelist_count()"""

# A text's own length is in characters.
_REQUESTS: Final = "select total(length(cast(data as blob))) from parts"
_RESPONSES: Final = """
select total(length(cast(response_body as blob)) + length(response_framing) + length(response_headers))
from interactions"""


@dataclass(frozen=True, slots=True)
class Size:
    """How many bytes a cassette has, and of what.

    `requests` are their bodies, what they share counted once; `responses` their bodies, headers and times; `free` is
    what was deleted and not yet used again; `rest` are indexes, the rows' other columns, and room within pages.
    """

    file: int
    requests: int
    responses: int
    free: int

    @property
    def rest(self) -> int:
        """What finding the others takes."""
        return max(0, self.file - self.requests - self.responses - self.free)


def measured(connection: sqlite3.Connection) -> Size:
    """Measure an open cassette, whatever its process has not yet brought to the file itself included."""
    file, free = connection.execute(_FILE).fetchone()
    ((requests,), (responses,)) = (connection.execute(of).fetchone() for of in (_REQUESTS, _RESPONSES))
    return Size(file, int(requests), int(responses), free)
