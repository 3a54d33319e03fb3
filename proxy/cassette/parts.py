"""How a request body is cut, so that what repeats is stored once, and how it is put together.

Rule: the parts joined are the body, whatever it is. An agent sends its whole conversation again each turn: cut at
the elements of top-level lists (`messages`, `tools`), a turn shares all parts but its newest with the turn before.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from proxy.cassette import format as layout

if TYPE_CHECKING:
    import sqlite3

SMALLEST = 256
"""Bytes of a part: smaller elements share one, for a row costs more than they do."""

WHOLE = 1024
"""Bodies of fewer bytes stay whole: most are, and cutting them would cost more rows than it saves bytes."""

LARGEST = 1_000_000_000
"""Bytes of a body, as of any value in SQLite: a small file can name one part any number of times."""

# A string is skipped in one step; one that never ends reaches to the body's end, so that no input costs more.
_TOKEN = re.compile(rb'"(?>[^"\\]+|\\(?:.|\Z))*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")
_LIST, _COMMA = ord("["), ord(",")
_IN_TOP_LIST = 2

# A step's parent is older than the step: a file that says otherwise leads in no circle.
_PARTS = """
with recursive path(id, parent_id, part_id, depth) as (
  select id, parent_id, part_id, 0 from bodies where id = ?
  union all
  select b.id, b.parent_id, b.part_id, depth + 1 from path join bodies b on b.id = path.parent_id and b.id < path.id)
select data from path join parts on parts.id = path.part_id order by depth desc"""


def cut(body: bytes) -> list[bytes]:
    """Cut a body into parts; the comma before an element goes with it, so that a new last one changes none."""
    if len(body) < WHOLE or not body.lstrip().startswith(b"{"):
        return [body]
    marks = [0, *_marks(body), len(body)]
    return [body[start:end] for start, end in pairwise(marks) if start < end]


def joined(connection: sqlite3.Connection, body: int | None, most: int = LARGEST) -> bytes:
    """Read a stored body, named by its last step; none is empty. Raises ValueError for more than `most` bytes."""
    if body is None:
        return b""
    pieces: list[bytes] = []
    left = most
    for (data,) in connection.execute(_PARTS, (body,)):
        piece = layout.restored(data)
        left -= len(piece)
        if left < 0:
            raise ValueError(f"a request's body is of over {most} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _marks(body: bytes) -> list[int]:
    """Mark where lists begin and end, and between them elements that make a part; each list starts anew."""
    marks: list[int] = []
    begin = 0
    depth = 0
    in_list = False
    for match in _TOKEN.finditer(body):
        token = body[match.start()]
        if token in _OPEN:
            depth += 1
            if depth == _IN_TOP_LIST and (in_list := token == _LIST):
                begin = match.end()
                marks.append(begin)
        elif token in _CLOSE:
            if depth == _IN_TOP_LIST and in_list:
                marks.append(match.start())
            depth -= 1
        elif token == _COMMA and depth == _IN_TOP_LIST and in_list and match.start() - begin >= SMALLEST:
            begin = match.start()
            marks.append(begin)
    return marks
