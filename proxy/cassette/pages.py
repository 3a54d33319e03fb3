"""Rows read straight from the pages of a database file, without SQLite.

Rule: for a file that SQLite cannot read as a whole, as the tree that leads to its rows is damaged. Each page is taken
by itself, and a row for what its columns are; no number in the file is trusted to lie within it, to end, or to be
small. Source: https://www.sqlite.org/fileformat.html, sections 1.3 to 2.1.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = 100
_USUAL_SIZE: Final = 4096
_SIZES: Final = {1: 65536, **{size: size for size in (512, 1024, 2048, 4096, 8192, 16384, 32768)}}

_TABLE_LEAF: Final = 0x0D
_INDEX_LEAF: Final = 0x0A
_INDEX_INTERIOR: Final = 0x02
_CELLS_BEGIN: Final = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}
_LONGEST_VARINT: Final = 9

_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS: Final = {8: 0, 9: 1}
_FIRST_BLOB: Final = 12
_MORE: Final = 0x80  # the bit of a varint's byte that says that another follows


class Table(StrEnum):
    """What a row is one of, told by its columns alone."""

    FACTS = "cassette"
    RUNS = "runs"
    PARTS = "parts"
    STEPS = "bodies"
    INTERACTIONS = "interactions"
    TAKES = "takes"
    """What the index of takes says: key, variant, lane, take, and the interaction's id."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a row stands, and what it is one of; `id` is 0 in an index."""

    table: Table
    id: int
    page: int
    offset: int


class Pages:
    """A database file, open to be read in bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        head = self._at(0, _HEADER).ljust(_HEADER, b"\0")
        self._has_head = head.startswith(_MAGIC)
        named = struct.unpack_from(">H", head, 16)[0]
        self._size = _SIZES.get(named, _USUAL_SIZE) if self._has_head else _USUAL_SIZE
        self.count = file.seek(0, 2) // self._size
        """How many whole pages there are."""
        self._free = frozenset(self._freelist(struct.unpack_from(">I", head, 32)[0]) if self._has_head else ())

    def cells(self, page: int) -> Iterator[Cell]:
        """Yield the rows of a cassette's tables that stand on a page; on a page that is free they are gone for good."""
        if page in self._free:
            return
        data = self._page(page)
        start = _start(page)
        kind = data[start]
        if kind not in _CELLS_BEGIN:
            return
        (count,) = struct.unpack_from(">H", data, start + 3)
        begin = start + _CELLS_BEGIN[kind]
        for place in range(begin, min(begin + 2 * count, len(data) - 1), 2):
            (offset,) = struct.unpack_from(">H", data, place)
            try:
                yield from self._cell(data, page, offset, kind)
            except (ValueError, IndexError):
                continue

    def row(self, cell: Cell) -> tuple[Any, ...]:
        """Read a row; an integer primary key comes as None, as it is stored. Raises ValueError where it is damaged."""
        data = self._page(cell.page)
        try:
            types, values = self._record(data, cell.offset, data[_start(cell.page)])
            return tuple(_values(types, values))
        except IndexError as error:
            raise ValueError("a row that ends early") from error

    def _cell(self, data: bytes, page: int, offset: int, kind: int) -> Iterator[Cell]:
        """Look at the beginning of a record, which tells the types of its columns."""
        at, id_ = _cell_head(data, offset, kind)[1:]
        types, _ = _types(data, at)
        letters = "".join(map(_letter, types))
        shapes = _SHAPES if kind == _TABLE_LEAF else _INDEX_SHAPES
        for table, shape in shapes.items():
            if shape.fullmatch(letters):
                yield Cell(table, id_, page, offset)

    def _record(self, data: bytes, offset: int, kind: int) -> tuple[Sequence[int], bytes]:
        size, at, _ = _cell_head(data, offset, kind)
        payload = self._payload(data, at, size, kind)
        types, begin = _types(payload, 0)
        return types, payload[begin:]

    def _payload(self, data: bytes, at: int, size: int, kind: int) -> bytes:
        """Put a payload together, that may go on over other pages."""
        if size > self.count * self._size:
            raise ValueError("a row larger than the file")
        local = self._local(size, kind)
        pieces = [data[at : at + local]]
        missing = size - local
        data = data[at + local :]
        while missing > 0:
            data = self._page(int.from_bytes(data[:4], "big"))  # goes on where the first four bytes say
            pieces.append(data[4 : 4 + missing])
            missing -= self._size - 4
        payload = b"".join(pieces)
        if len(payload) != size:
            raise ValueError("a row that ends early")
        return payload

    def _local(self, size: int, kind: int) -> int:
        """Tell how much of a payload stands on its page."""
        usable = self._size
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            return size
        least = (usable - 12) * 32 // 255 - 23
        fitting = least + (size - least) % (usable - 4)
        return fitting if fitting <= most else least

    def _freelist(self, trunk: int) -> Iterator[int]:
        seen: set[int] = set()
        while 0 < trunk <= self.count and trunk not in seen:
            seen.add(trunk)
            data = self._page(trunk)
            following, count = struct.unpack_from(">II", data)
            yield trunk
            yield from struct.unpack_from(f">{min(count, self._size // 4 - 2)}I", data, 8)
            trunk = following

    def _page(self, number: int) -> bytes:
        if not 0 < number <= self.count:
            raise ValueError(f"there is no page {number}")
        return self._at((number - 1) * self._size, self._size)

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)


def _start(page: int) -> int:
    """Tell where a page's own header begins: on the first it follows that of the file."""
    return _HEADER if page == 1 else 0


def _cell_head(data: bytes, offset: int, kind: int) -> tuple[int, int, int]:
    """Read a payload's size, where it begins, and the row's id."""
    size, at = _varint(data, offset + (4 if kind == _INDEX_INTERIOR else 0))
    id_, at = _varint(data, at) if kind == _TABLE_LEAF else (0, at)
    return size, at, id_


def _types(data: bytes, at: int) -> tuple[Sequence[int], int]:
    """Read a record's header: the types of its columns, and where their values begin."""
    length, place = _varint(data, at)
    end = at + length
    types: list[int] = []
    while place < end:
        type_, place = _varint(data, place)
        types.append(type_)
    if place != end or end > len(data):
        raise ValueError("a record's header that does not end")
    return types, end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(at, at + _LONGEST_VARINT - 1):
        value = value << 7 | data[place] & ~_MORE
        if not data[place] & _MORE:
            return value, place + 1
    last = at + _LONGEST_VARINT - 1
    value = value << 8 | data[last]
    return value - (1 << 64) if value >> 63 else value, last + 1


def _letter(type_: int) -> str:
    """Name a column's type: null, integer, float, blob or text."""
    if type_ >= _FIRST_BLOB:
        return "bt"[type_ % 2]
    if type_ not in _LETTERS:
        raise ValueError("a column of no type")
    return _LETTERS[type_]


_LETTERS: Final = {0: "n", 7: "f", **dict.fromkeys((*_INTEGERS, *_CONSTANTS), "i")}

_SHAPES: Final = {
    table: re.compile(shape)
    for table, shape in {
        Table.FACTS: "tt",
        Table.RUNS: "ntttt",
        Table.PARTS: "nb[bt]",
        Table.STEPS: "nii",
        Table.INTERACTIONS: "ntttii" + "tttttt[in]" + "ittii[tn][in][in]" + "t[bt][in]?",
    }.items()
}
_INDEX_SHAPES: Final = {Table.TAKES: re.compile("tttii")}
"""What the columns of each table are; turns look like steps of a body, but their digests are the ids of no parts."""


def _values(types: Sequence[int], data: bytes) -> Iterator[Any]:
    at = 0
    for type_ in types:
        if type_ >= _FIRST_BLOB:
            size = (type_ - _FIRST_BLOB) // 2
            value = data[at : at + size]
            yield value.decode() if type_ % 2 else value
        elif type_ in _INTEGERS:
            size = _INTEGERS[type_]
            yield int.from_bytes(data[at : at + size], "big", signed=True)
        else:
            size = 0
            yield _CONSTANTS.get(type_)
        at += size
    if at != len(data):
        raise ValueError("a row whose values are not as long as it says")
