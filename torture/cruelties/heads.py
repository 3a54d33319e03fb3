"""Heads: cut, garbled, huge.

Rule: the body behind each head is good, so that only the head decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.demo.script import Abort, Close
from torture.cruelties.case import ANSWER, JSON_TYPE, Case, counted, plays, top

if TYPE_CHECKING:
    from collections.abc import Iterator


def heads() -> Iterator[Case]:
    """Yield what may be wrong with a head."""
    group = "head"
    yield Case(group, "head-fin", "closes within the head", plays(counted()[:30], Close()))
    yield Case(group, "head-rst", "resets within the head", plays(counted()[:30], Abort()))
    yield Case(
        group, "head-only-fin", "closes after the head", plays(top(JSON_TYPE + b"Content-Length: 9\r\n"), Close()), b""
    )
    yield Case(
        group, "head-only-rst", "resets after the head", plays(top(JSON_TYPE + b"Content-Length: 9\r\n"), Abort()), b""
    )
    for name, does, line in (
        ("no-http", "answers in another protocol", b"SSH-2.0-OpenSSH_9.6"),
        ("http-09", "answers in HTTP/0.9: no head at all", ANSWER),
        ("http-2", "says HTTP/2 in its status line", b"HTTP/2 200"),
        ("http-37", "says HTTP/3.7", b"HTTP/3.7 200 OK"),
        ("status-text", "has a status that is no number", b"HTTP/1.1 OK"),
        ("status-short", "has a status of two digits", b"HTTP/1.1 20 OK"),
        ("status-long", "has a status of four digits", b"HTTP/1.1 2000 OK"),
        ("no-reason", "gives no reason phrase", b"HTTP/1.1 200"),
        ("odd-reason", "gives a reason phrase with odd bytes", b"HTTP/1.1 200 Gr\xfc\xc3\x9fe\x01 \xff"),
        ("long-reason", "gives a reason phrase of 10 KB", b"HTTP/1.1 200 " + b"O" * 10_000 + b"K"),
    ):
        yield Case(
            group,
            name,
            does,
            plays(top(JSON_TYPE + b"Content-Length: %d\r\n" % len(ANSWER), line=line) + ANSWER, Close()),
            ANSWER,
        )
    for name, does, fields in (
        ("no-colon", "sends a header field without a colon", b"no colon here\r\n"),
        ("odd-name", "sends a field name with a space", b"Odd Name: 1\r\n"),
        ("empty-name", "sends a field without a name", b": 1\r\n"),
        ("folded", "folds a field over two lines", b"X-Folded: 1\r\n  2\r\n"),
        ("nul-field", "sends a NUL byte in a field", b"X-Nul: a\0b\r\n"),
        ("control-field", "sends control characters in a field", b"X-Bell: a\x07\x1bb\r\n"),
        ("bare-cr", "sends a bare CR in a field", b"X-Cr: a\rInjected: b\r\n"),
        ("latin-field", "sends a field that is no UTF-8", b"X-Latin: caf\xe9\r\n"),
        ("our-field", "sends an `x-llmtape` field", b"x-llmtape: played\r\n"),
        ("big-field", "sends a field of 200 KB", b"X-Big: " + b"a" * 200_000 + b"\r\n"),
        ("huge-field", "sends a field of 300 KB", b"X-Big: " + b"a" * 300_000 + b"\r\n"),
        ("many-fields", "sends 1,000 fields", b"".join(b"X-F-%d: 1\r\n" % number for number in range(1000))),
        ("too-many-fields", "sends 20,000 fields", b"".join(b"X-F-%d: 1\r\n" % number for number in range(20_000))),
    ):
        yield Case(group, name, does, plays(counted(fields=JSON_TYPE + fields), Close()), ANSWER)
    yield Case(group, "bare-lf", "ends lines with LF alone", plays(counted().replace(b"\r\n", b"\n")), ANSWER)
