"""Undoing the codings of a body.

Rule: never more than a body may have comes out, whatever goes in. A body that is UTF-8 was stored decoded, although its
head still names a coding, as some tools do it: no coded body is UTF-8.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from proxy.foreign.exchange import LARGEST

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_MOST_MEMBERS: Final = 1000


class _Decoder(Protocol):
    """Decodes one member of a body."""

    @property
    def eof(self) -> bool:
        """Whether the member came to its end."""

    @property
    def unused_data(self) -> bytes:
        """What stands behind it."""

    def decompress(self, data: bytes, most: int, /) -> bytes:
        """Take bytes; return what they stand for, up to `most` bytes of it."""


def decoded(body: bytes, coding: str) -> bytes:
    """Undo what a `content-encoding` field tells, the last coding first. Raises ValueError, in words."""
    for name in reversed([part.strip().lower() for part in coding.split(",")]):
        if name in {"", "identity"} or _is_text(body):
            continue
        if name not in _CODINGS:
            raise ValueError(f"a body in the coding {name[:40]!r}, which is not known")
        body = _CODINGS[name](body)
    return body


def _inflate(body: bytes) -> bytes:
    """Undo gzip, of several members too, and deflate, which comes with zlib's head or without."""
    try:
        return _inflate_as(body, _GZIP_OR_ZLIB)
    except zlib.error:
        try:
            return _inflate_as(body, _RAW)
        except zlib.error as error:
            raise ValueError(f"a compressed body that is damaged: {error}") from error


def _inflate_as(body: bytes, window: int) -> bytes:
    return _joined(body, lambda: zlib.decompressobj(window))


def _unbrotli(body: bytes) -> bytes:
    import brotli  # noqa: PLC0415  few files need it

    decoder = brotli.Decompressor()
    whole = b""
    try:
        data = decoder.process(body, output_buffer_limit=LARGEST + 1)
        while data:
            whole += _limited(data, len(whole))
            data = decoder.process(b"", output_buffer_limit=LARGEST + 1)
    except brotli.error as error:
        raise ValueError(f"a compressed body that is damaged: {error}") from error
    if not decoder.is_finished():
        raise ValueError("a compressed body that is cut off")
    return whole


def _unzstd(body: bytes) -> bytes:
    try:
        return _joined(body, zstd.ZstdDecompressor)
    except zstd.ZstdError as error:
        raise ValueError(f"a compressed body that is damaged: {error}") from error


def _joined(body: bytes, decoder: Callable[[], _Decoder]) -> bytes:
    """Decode the members of a body, each by a decoder of its own."""
    whole = b""
    for _ in range(_MOST_MEMBERS):
        member = decoder()
        whole += _limited(member.decompress(body, LARGEST + 1 - len(whole)), len(whole))
        if not member.eof:
            raise ValueError("a compressed body that is cut off")
        body = member.unused_data
        if not body:
            return whole
    raise ValueError(f"a compressed body of over {_MOST_MEMBERS} members")


_CODINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": _inflate,
    "x-gzip": _inflate,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}


def _limited(data: bytes, before: int) -> bytes:
    if before + len(data) > LARGEST:
        raise ValueError(f"a compressed body of over {LARGEST} bytes")
    return data


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
