r"""How an answer is written in HTTP/1.1.

Rule: bytes in, bytes out. Every answer of the proxy, live or replayed, is framed here, so that both take one way
to the socket. Source: RFC 9112, sections 4 to 7.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.core.model import Headers

LAST_CHUNK = b"0\r\n\r\n"

# Control characters, and surrogates that stand for no byte.
_UNFIT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")


def head(status: int, headers: Headers, reason: str | None = None, version: str = "1.1") -> bytes:
    """Write the status line and the header fields, blank line included.

    Control characters become spaces: a field from a tampered cassette cannot end the head early.
    """
    lines = [f"HTTP/{version} {status} {reason_of(status) if reason is None else _fit(reason)}"]
    lines += [f"{_fit(name)}: {_fit(value)}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def chunk(data: bytes) -> bytes:
    """Frame bytes as one chunk; none at all for no bytes, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


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


def _fit(text: str) -> str:
    return _UNFIT.sub(" ", text)
