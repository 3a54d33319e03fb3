"""Undoing the codings of a body while it comes.

Rule: bytes in, bytes out, in pieces of a bounded size: a body that swells a thousandfold takes no more memory than
another. One that ends within its coding, or is not in it, is an error and never a whole.
"""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import brotli

try:
    from backports import zstd
except ImportError:  # since Python 3.14 it is part of the library
    from compression import zstd  # type: ignore[import-not-found, unused-ignore, no-redef]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

MOST: Final = 5
"""How many codings are undone, one after the other; more are left to the client."""

PIECE: Final = 64 * 1024
"""How many bytes come out in one piece, at most; brotli's decoder may give up to twice as many."""

_SLICE: Final = 4 * 1024
"""What goes in at once: what is left of it is copied after each piece."""

_ZLIB: Final = 8  # the low half of the first byte, where deflate comes in zlib's frame; without one it is another
_GZIP_BEGINS: Final = frozenset({0x1F})
_ZSTD_BEGINS: Final = frozenset({0x28, *range(0x50, 0x60)})  # a frame, or one that is to be skipped
_ZSTD_WINDOW: Final[Mapping[int, int]] = {
    zstd.DecompressionParameter.window_log_max: 23
}  # RFC 9659: 8 MB, and not what the frame asks for


class Decoder:
    """Undoes codings, named in the order in which they were done; passes bytes on as they are where none is named."""

    def __init__(self, codings: Sequence[str]) -> None:
        self._stages = [_CODINGS[name]() for name in reversed(codings)]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the body; yield what they stand for. Raises ValueError, in words."""
        return _through(self._stages, data)

    def end(self) -> None:
        """Take note that no more bytes come. Raises ValueError, in words, where there should."""
        if not all(stage.is_whole for stage in self._stages):
            raise ValueError("a compressed body that is cut off")


def undone(values: Iterable[str]) -> tuple[str, ...]:
    """Return the codings that the values of `content-encoding` fields name, where all of them can be undone."""
    named = (name.strip().lower() for value in values for name in value.split(","))
    codings = tuple(name for name in named if name not in {"", "identity"})
    return codings if len(codings) <= MOST and all(name in _CODINGS for name in codings) else ()


def _through(stages: Sequence[_Stage], data: bytes) -> Iterator[bytes]:
    if not stages:
        if data:
            yield data
        return
    for piece in stages[0].feed(data):
        yield from _through(stages[1:], piece)


class _Member(Protocol):
    """Decodes one member of a body."""

    @property
    def is_over(self) -> bool:
        """Whether it came to its end."""

    @property
    def rest(self) -> bytes:
        """What stood behind its end, in the bytes that were fed last."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; yield what they stand for."""


class _Stage:
    """Undoes one coding, of one member or several; bytes behind a member that begin no other are passed over.

    `make` takes a member's first byte; `begins` are those that a further member may have.
    """

    def __init__(self, make: Callable[[int], _Member], begins: frozenset[int] = frozenset()) -> None:
        self._make = make
        self._begins = begins
        self._member: _Member | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the body may end here."""
        return self._member is None or self._member.is_over

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; yield what they stand for. Raises ValueError."""
        try:
            for start in range(0, len(data), _SLICE):
                yield from self._feed(data[start : start + _SLICE])
        except (zlib.error, zstd.ZstdError, brotli.error) as error:
            raise ValueError(f"a compressed body that is damaged: {error}") from error

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member is None:
                self._member = self._make(data[0])
            elif self._member.is_over:
                if data[0] not in self._begins:
                    return
                self._member = self._make(data[0])
            yield from self._member.feed(data)
            data = self._member.rest


class _Inflater:
    """Undoes gzip, and deflate with zlib's frame or without."""

    def __init__(self, window: int) -> None:
        self._decoder = zlib.decompressobj(window)

    @property
    def is_over(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        piece = self._decoder.decompress(data, PIECE)
        while piece:
            yield piece
            piece = self._decoder.decompress(self._decoder.unconsumed_tail, PIECE)


class _Unzstd:
    """Undoes zstd."""

    def __init__(self) -> None:
        self._decoder = zstd.ZstdDecompressor(options=_ZSTD_WINDOW)

    @property
    def is_over(self) -> bool:
        return self._decoder.eof

    @property
    def rest(self) -> bytes:
        return self._decoder.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._decoder.decompress(data, PIECE)
        while not (self._decoder.eof or self._decoder.needs_input):
            yield self._decoder.decompress(b"", PIECE)


class _Unbrotli:
    """Undoes brotli."""

    rest = b""

    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()

    @property
    def is_over(self) -> bool:
        return bool(self._decoder.is_finished())

    def feed(self, data: bytes) -> Iterator[bytes]:
        piece = self._decoder.process(data, output_buffer_limit=PIECE)
        while piece:
            yield piece
            piece = self._decoder.process(b"", output_buffer_limit=PIECE)


def _gzip() -> _Stage:
    return _Stage(lambda _: _Inflater(16 + zlib.MAX_WBITS), _GZIP_BEGINS)


def _deflate() -> _Stage:
    return _Stage(lambda first: _Inflater(zlib.MAX_WBITS if first & 0xF == _ZLIB else -zlib.MAX_WBITS))


_CODINGS: Final[Mapping[str, Callable[[], _Stage]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": partial(_Stage, lambda _: _Unbrotli()),
    "zstd": partial(_Stage, lambda _: _Unzstd(), _ZSTD_BEGINS),
}
