r"""How an answer is written in HTTP/1.1.

Rule: bytes in, bytes out. Every answer of the proxy, live or replayed, is framed here, so that both take one way
to the socket. Source: RFC 9112, sections 4 to 7.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.model import Headers

_LARGE: Final = 16 * 1024  # bytes; what is shorter is sooner copied than handed on in three parts

# Control characters, and surrogates that stand for no byte.
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")


def head(status: int, headers: Headers, reason: str | None = None, version: str = "1.1") -> bytes:
    """Write the status line and the header fields, blank line included.

    Control characters become spaces: a field from a tampered cassette cannot end the head early.
    """
    line = f"HTTP/{version} {status} {reason_of(status) if reason is None else _fit(reason)}\r\n"
    return line.encode("utf-8", "surrogateescape") + _fields(headers)


def chunk(data: bytes) -> bytes:
    """Frame bytes as one chunk; none at all for no bytes, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def chunk_parts(data: bytes) -> tuple[bytes, ...]:
    """Frame bytes as one chunk, too; those of many are not copied for it."""
    if len(data) < _LARGE:
        return (chunk(data),)
    return b"%x\r\n" % len(data), data, b"\r\n"


def slices(parts: Iterable[bytes], most: int) -> Iterator[bytes | memoryview]:
    """Put parts together, and cut those that are long, to be written in few writes of at most `most` bytes each.

    Parts are taken as they are needed, and a long one is not copied.
    """
    held: list[bytes] = []
    size = 0
    for part in parts:
        if size + len(part) > most:
            if size:
                yield _taken(held)
            held.clear()
            whole = len(part) - len(part) % most
            for start in range(0, whole, most):
                yield memoryview(part)[start : start + most]
            part = part[whole:]  # noqa: PLW2901  what is left of it
            size = 0
        held.append(part)
        size += len(part)
    if size:
        yield _taken(held)


def last_chunk(trailers: Headers = ()) -> bytes:
    """End a body of chunks; `trailers` are fields that became known too late for the head (RFC 9112, section 7.1.2)."""
    return b"0\r\n" + _fields(trailers)


def reason_of(status: int) -> str:
    """Return the standard reason phrase, empty for a status that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def allows_body(method: str, status: int) -> bool:
    """Tell whether an answer has a body at all (RFC 9110, section 6.4.1)."""
    no_body = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    return method != "HEAD" and status >= HTTPStatus.OK and status not in no_body


def _taken(parts: list[bytes]) -> bytes:
    """Join parts, and keep none of them: whoever writes the whole may have to wait with it."""
    whole = b"".join(parts)
    parts.clear()
    return whole


def _fields(headers: Headers) -> bytes:
    lines = [f"{_fit(name)}: {_fit(value)}\r\n" for name, value in headers]
    return ("".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def _fit(text: str) -> str:
    return _UNFIT.sub(" ", text)
