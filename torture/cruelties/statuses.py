"""Interim answers, other versions and protocols, and all kinds of statuses.

Rule: the body is good, where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.demo.script import Close, UntilClosed
from torture.cruelties.case import ANSWER, CHUNKED, JSON_TYPE, SSE_TYPE, STREAM, Case, chunked, counted, plays, top

if TYPE_CHECKING:
    from collections.abc import Iterator


def interim() -> Iterator[Case]:
    """Yield interim answers, and other versions and protocols."""
    group = "interim"
    for name, does, before in (
        ("continue", "sends 100 first", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("processing", "sends 102 first", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (
            "early-hints",
            "sends 103 first, with fields",
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Early: 1\r\n\r\n",
        ),
        ("interim-many", "sends ten of them", b"HTTP/1.1 102 Processing\r\n\r\n" * 10),
        ("interim-odd", "sends 199", b"HTTP/1.1 199 Odd\r\n\r\n"),
        ("interim-length", "tells a length in its 100", b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"),
    ):
        yield Case(group, name, does, plays(before + counted()), ANSWER)
    yield Case(group, "interim-only", "sends 100, and closes", plays(b"HTTP/1.1 100 Continue\r\n\r\n", Close()))
    yield Case(
        group,
        "upgrade",
        "sends 101",
        plays(top(b"Upgrade: websocket\r\nConnection: upgrade\r\n", 101) + b"\x81\x05hello", Close()),
    )
    yield Case(
        group,
        "upgrade-open",
        "sends 101, and says no more",
        plays(top(b"Upgrade: h2c\r\nConnection: upgrade\r\n", 101), UntilClosed()),
        limit="silence",
    )
    yield Case(
        group,
        "upgrade-200",
        "asks for another protocol in its answer",
        plays(counted(fields=JSON_TYPE + b"Upgrade: h2c\r\nConnection: upgrade\r\n")),
        ANSWER,
    )
    for version, kept in (("closed", b""), ("kept", b"Connection: keep-alive\r\n")):
        answer = counted(fields=JSON_TYPE + kept).replace(b"HTTP/1.1", b"HTTP/1.0")
        more = () if kept else (Close(),)
        yield Case(
            group, f"http-10-{version}", f"speaks HTTP/1.0, the connection {version}", plays(answer, *more), ANSWER
        )
    yield Case(
        group,
        "http-10-close",
        "speaks HTTP/1.0, and tells no length",
        plays(top(JSON_TYPE).replace(b"1.1", b"1.0") + ANSWER, Close()),
        ANSWER,
    )
    yield Case(
        group,
        "http-10-stream",
        "streams in HTTP/1.0",
        plays(top(SSE_TYPE).replace(b"1.1", b"1.0") + STREAM, Close()),
        STREAM,
        streams=True,
    )
    yield Case(
        group,
        "http-10-chunks",
        "sends chunks in HTTP/1.0",
        plays(chunked().replace(b"HTTP/1.1", b"HTTP/1.0"), Close()),
        STREAM,
        streams=True,
    )


def statuses() -> Iterator[Case]:
    """Yield statuses, and what bodies they have."""
    group = "status"
    for status in (301, 302, 303, 307, 308):
        yield Case(
            group,
            f"s{status}",
            f"redirects: {status}",
            plays(counted(b"{}", JSON_TYPE + b"Location: http://127.0.0.1:9/elsewhere\r\n", status)),
            b"{}",
        )
    yield Case(group, "s204", "sends 204", plays(top(status=204)), b"")
    yield Case(group, "s204-body", "sends 204 with a body", plays(counted(status=204)), b"")
    yield Case(group, "s205-body", "sends 205 with a body", plays(counted(status=205)), ANSWER)
    yield Case(group, "s304", "sends 304", plays(top(b"ETag: 1\r\n", 304)), b"")
    yield Case(
        group, "s304-length", "sends 304 with a length, and no body", plays(top(b"Content-Length: 5\r\n", 304)), b""
    )
    yield Case(
        group,
        "head",
        "answers HEAD with a length",
        plays(top(JSON_TYPE + b"Content-Length: 500\r\n")),
        b"",
        method="HEAD",
    )
    yield Case(group, "head-body", "answers HEAD with a body", plays(counted()), b"", method="HEAD")
    yield Case(
        group, "head-chunked", "answers HEAD with chunks told", plays(top(JSON_TYPE + CHUNKED)), b"", method="HEAD"
    )
    yield Case(
        group,
        "head-gzip",
        "answers HEAD with a coding told",
        plays(top(JSON_TYPE + b"Content-Encoding: gzip\r\nContent-Length: 500\r\n")),
        b"",
        method="HEAD",
    )
    for status in (206, 226, 299, 399, 400, 401, 404, 408, 409, 418, 422, 429, 451, 499, 500, 502, 503, 504, 529, 599):
        yield Case(
            group,
            f"s{status}",
            f"sends {status}",
            plays(counted(b'{"error": {"message": "no"}}', status=status)),
            b'{"error": {"message": "no"}}',
        )
    for status in (600, 777, 999):
        yield Case(
            group,
            f"s{status}",
            f"sends {status}",
            plays(counted(b'{"error": {"message": "no"}}', status=status)),
            b'{"error": {"message": "no"}}',
        )
    for digits in ("099", "000"):
        answer = counted().replace(b"200", digits.encode())
        yield Case(group, f"s{digits}", f"sends {digits}", plays(answer, Close()), ANSWER)
    yield Case(group, "s500-stream", "sends 500 as a stream", plays(chunked(status=500)), STREAM, streams=True)
    yield Case(
        group,
        "s400-cut",
        "breaks its 400 off",
        plays(counted(b'{"error"', status=400, length=99), Close()),
        b'{"error"',
    )
    yield Case(
        group,
        "s500-cut",
        "breaks its 500 off",
        plays(counted(b'{"error"', status=500, length=99), Close()),
        b'{"error"',
    )
