"""All that a client may do wrong: one table.

Rule: a misdeed is data. It is the very bytes that are sent, the statuses that must come back, in order, and what must
become of the connection. `limit` is the proxy's `server.body_limit`: bodies are as large as that allows, or larger.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tests.running import CHAT, chat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Then(StrEnum):
    """What becomes of the connection."""

    STAYS = "stays"
    """It serves the next request."""
    ENDS = "ends"
    WAITS = "waits"
    """Nothing comes: the request is not whole."""


@dataclass(frozen=True, slots=True)
class Misdeed:
    """One thing that a client does wrong, or oddly. `counted` says whether its answers are calls to the API."""

    name: str
    sent: bytes = field(repr=False)
    statuses: tuple[int, ...]
    then: Then = Then.STAYS
    counted: bool = True
    headless: bool = False
    """Whether it asks by HEAD, so that its answers have no body."""


GOOD: Final = chat()
"""The body of a request that is recorded as a plain answer; `STREAM` of one that is recorded as a stream."""
STREAM: Final = chat(stream=True)
UNKNOWN: Final = chat("Who are you?")

_TARGET: Final = b"/v1" + CHAT.encode()
_HOST: Final = b"Host: localhost"
_CHUNKED: Final = b"Transfer-Encoding: chunked"
_CLOSE: Final = b"Connection: close"
_LONGEST_FIELD: Final = 256 * 1024
_MOST_FIELDS: Final = 128
_GZIP: Final = b"Content-Encoding: gzip"
_WEBSOCKET: Final = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
_TLS_HELLO: Final = bytes.fromhex("16030100c8010000c40303") + bytes(194)


def post(
    body: bytes = GOOD,
    *fields: bytes,
    target: bytes = _TARGET,
    host: bytes = _HOST,
    line: bytes = b"",
    told: bool = True,
) -> bytes:
    """Write a request; with a `line` of its own, without its length where it is not `told`, without `host` for none."""
    length = (b"Content-Length: %d" % len(body),) if told else ()
    lines = (line or b"POST %b HTTP/1.1" % target, *((host,) if host else ()), *fields, *length)
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def get(target: bytes = b"/v1/models", *fields: bytes, method: bytes = b"GET", host: bytes = _HOST) -> bytes:
    """Write a request without a body."""
    return post(b"", *fields, host=host, line=b"%b %b HTTP/1.1" % (method, target), told=False)


def chunked(body: bytes, *fields: bytes, size: int = 1000, end: bytes = b"0\r\n\r\n") -> bytes:
    """Write a request whose body goes in chunks of a size."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return post(framed + end, _CHUNKED, *fields, told=False)


def misdeeds(limit: int) -> tuple[Misdeed, ...]:
    """Return them all."""
    return (
        *_no_http(),
        *_heads(),
        *_framing(),
        *_targets(),
        *_methods(),
        *_hosts(),
        *_pages(),
        *_names(),
        *_limits(limit),
        *_codings(limit),
        *_bodies(limit),
        *_connections(),
        *_unfinished(),
        *_control(),
    )


def _refused(status: int, cases: Iterable[tuple[str, bytes]]) -> Iterator[Misdeed]:
    """Each is refused, and its connection ended."""
    return (Misdeed(name, sent, (status,), Then.ENDS, counted=False) for name, sent in cases)


def _no_http() -> Iterator[Misdeed]:
    yield from _refused(
        400,
        (
            ("garbage", b"\x00\xff\x01garbage\r\n\r\n"),
            ("a TLS hello", _TLS_HELLO),
            ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(20)),
            ("HTTP/1.2", post(line=b"POST /v1 HTTP/1.2")),
            ("HTTP/1", post(line=b"POST /v1 HTTP/1")),
            ("HTTP/11.1", post(line=b"POST /v1 HTTP/11.1")),
            ("no version", post(line=b"POST /v1 HTTP/")),
            ("another protocol", post(line=b"POST /v1 SIP/2.0")),
            ("lines that end in LF", post().replace(b"\r\n", b"\n")),
            ("tabs for spaces", get().replace(b"GET ", b"GET\t", 1)),
            ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
            ("SMTP", b"EHLO localhost\r\n"),
            ("Redis", b"*1\r\n$4\r\nPING\r\n"),
        ),
    )
    yield Misdeed("HTTP/2.0 in words", post(line=b"POST %b HTTP/2.0" % _TARGET), (200,), Then.ENDS)
    yield Misdeed("HTTP/0.9", post(line=b"POST %b HTTP/0.9" % _TARGET), (200,), Then.ENDS)
    yield Misdeed("empty lines first", b"\r\n\r\n" + post(), (200,))


def _heads() -> Iterator[Misdeed]:
    yield from _refused(
        400,
        (
            ("a folded field", post(GOOD, b"X-A: b\r\n c")),
            ("a bare CR", post(GOOD, b"X-A: b\rc")),
            ("NUL in a field", post(GOOD, b"X-A: b\0c")),
            ("NUL in a name", post(GOOD, b"X\0A: b")),
            ("a control character", post(GOOD, b"X-A: \x01")),
            ("DEL", post(GOOD, b"X-A: \x7f")),
            ("a space before the colon", post(GOOD, b"X-A : b")),
            ("no colon", post(GOOD, b"X-A")),
            ("no name", post(GOOD, b": b")),
            ("a name that is none", post(GOOD, b"X(A): b")),
            ("a space before the first field", post(GOOD, host=b" " + _HOST)),
            ("a huge field", post(GOOD, b"X-A: " + b"x" * (_LONGEST_FIELD + 1))),
            ("a huge name", post(GOOD, b"X" * (_LONGEST_FIELD + 1) + b": a")),
            ("a huge target", get(b"/" + b"x" * (_LONGEST_FIELD + 1))),
            ("a head without an end", b"GET / HTTP/1.1\r\nX-A: " + b"y" * 1_000_000),
            ("too many fields", post(GOOD, *[b"X-%d: a" % number for number in range(_MOST_FIELDS)])),
            ("far too many fields", post(GOOD, *[b"X-%d: a" % number for number in range(10_000)])),
            ("an old websocket", get(b"/v1", b"Sec-WebSocket-Key1: x")),
        ),
    )
    yield Misdeed("bytes beyond ASCII", post(GOOD, b"X-A: \xff\xfe"), (200,))
    yield Misdeed("many fields", post(GOOD, *[b"X-%d: a" % number for number in range(_MOST_FIELDS - 2)]), (200,))
    yield Misdeed("a large field", post(GOOD, b"X-A: " + b"x" * (_LONGEST_FIELD - 10)), (200,))


def _framing() -> Iterator[Misdeed]:
    """Frame bodies as another proxy might read otherwise: so that a request could be smuggled in one."""
    smuggled = get(b"/_llmtape/health")
    yield from _refused(
        400,
        (
            ("a length and chunks", post(b"0\r\n\r\n" + smuggled, b"Content-Length: 5", _CHUNKED, told=False)),
            ("chunks and a length", post(b"0\r\n\r\n" + smuggled, _CHUNKED, b"Content-Length: 5", told=False)),
            ("two lengths", post(b"abcde", b"Content-Length: 4")),
            ("the same length twice", post(b"abcde", b"Content-Length: 5")),
            ("two lengths in a field", post(b"abcde", b"Content-Length: 5, 5", told=False)),
            ("a length below zero", post(b"", b"Content-Length: -1", told=False)),
            ("a length with a sign", post(b"abcde", b"Content-Length: +5", told=False)),
            ("a length in hexadecimal", post(b"abcde", b"Content-Length: 0x5", told=False)),
            ("a length beyond all numbers", post(b"", b"Content-Length: " + b"9" * 30, told=False)),
            ("an empty length", post(b"", b"Content-Length:", told=False)),
            ("a coding that is almost chunked", post(b"0\r\n\r\n", b"Transfer-Encoding: xchunked", told=False)),
            ("chunked, but not last", post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, identity", told=False)),
            ("identity", post(b"0\r\n\r\n", b"Transfer-Encoding: identity", told=False)),
            ("chunked twice", post(b"0\r\n\r\n", _CHUNKED, _CHUNKED, told=False)),
            ("a chunk's size that is none", post(b"zz\r\n\r\n", _CHUNKED, told=False)),
            ("a chunk's size below zero", post(b"-1\r\n\r\n", _CHUNKED, told=False)),
            ("a chunk's size beyond all numbers", post(b"f" * 17 + b"\r\n", _CHUNKED, told=False)),
            ("a chunk that is longer than told", post(b"3\r\nabcde\r\n0\r\n\r\n", _CHUNKED, told=False)),
            ("chunks whose lines end in LF", post(b"3\nabc\n0\n\n", _CHUNKED, told=False)),
            ("a length in the trailers", chunked(GOOD, end=b"0\r\nContent-Length: 3\r\n\r\n")),
            ("far too many trailers", chunked(GOOD, end=b"0\r\n" + b"a: b\r\n" * 10_000 + b"\r\n")),
        ),
    )
    yield Misdeed(
        "a huge extension", post(b"3;" + b"x" * 500_000 + b"\r\nabc\r\n0\r\n\r\n", _CHUNKED, told=False), (424,)
    )
    yield Misdeed("a byte a chunk", chunked(GOOD, size=1), (200,))
    yield Misdeed("trailers", chunked(GOOD, end=b"0\r\nX-A: b\r\nX-C: d\r\n\r\n"), (200,))
    yield Misdeed(
        "a length that is too short",
        post(GOOD + b"}", b"Content-Length: %d" % len(GOOD), told=False),
        (200, 400),
        Then.ENDS,
    )
    yield Misdeed("an empty line after the body", post() + b"\r\n", (200,))
    yield Misdeed("an empty line after the last body", post(GOOD, _CLOSE) + b"\r\n", (200,), Then.ENDS)
    yield Misdeed(
        "chunks in HTTP/1.0", post(b"0\r\n\r\n", _CHUNKED, line=b"POST /v1 HTTP/1.0", told=False), (424,), Then.ENDS
    )


def _targets() -> Iterator[Misdeed]:
    yield from _refused(
        400,
        (
            ("no target", get(b"")),
            ("a relative target", get(b"v1/models")),
            ("a query alone", get(b"?x")),
            ("a star", get(b"*")),
            ("a space in the target", get(b"/v1/a b")),
            ("NUL in the target", get(b"/v1/\0")),
            ("a control character in the query", get(b"/v1/models?\x01")),
            ("an emoji in the target", get("/v1/🙂".encode())),
            ("Latin-1 in the target", get(b"/v1/\xe9")),
            ("backslashes", get(b"\\v1\\models")),
            ("a bracket for a host", get(b"http://[/v1")),
            ("half an address", get(b"http://[::1/v1")),
            ("a port beyond all ports", get(b"http://localhost:99999999/v1")),
            ("a port in letters", get(b"http://localhost:x/v1")),
        ),
    )
    for target in (
        *("/v1/%00", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/\\evil.example", "/v1/%zz", "/v1/models#x"),
        *("//evil.example/v1/models", "/v1/%F0%9F%99%82", "/v1/%ff%fe", "/v1/" + "a/" * 20_000, "/" + "%2f" * 10_000),
        *("http://localhost/v1/models", "http://127.0.0.1:1/v1/models", "https://localhost/v1/models"),
    ):
        yield Misdeed(f"the target {target[:40]}", get(target.encode()), (424,))


def _methods() -> Iterator[Misdeed]:
    yield from _refused(
        400,
        (
            ("a method that is none", get(method=b"G@T")),
            ("a method nobody knows", get(method=b"BREW")),
            ("a method in small letters", get(method=b"get")),
            ("no method", get(method=b"")),
            ("a huge method", get(method=b"X" * 100_000)),
        ),
    )
    for method in (b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"M-SEARCH"):
        yield Misdeed(f"the method {method.decode()}", post(line=b"%b %b HTTP/1.1" % (method, _TARGET)), (424,))
    yield Misdeed("HEAD", get(method=b"HEAD"), (424,), headless=True)
    yield Misdeed("HEAD with a body", post(line=b"HEAD %b HTTP/1.1" % _TARGET), (424,), headless=True)
    yield Misdeed("GET with a body", post(line=b"GET %b HTTP/1.1" % _TARGET), (424,))
    yield Misdeed("OPTIONS of a star", get(b"*", method=b"OPTIONS"), (400,), counted=False)
    yield Misdeed("a tunnel", get(b"example.com:443", method=b"CONNECT"), (400,), counted=False)
    yield Misdeed("a tunnel to a path", get(b"/v1", method=b"CONNECT"), (400,), counted=False)
    yield Misdeed(
        "a tunnel, and TLS at once",
        get(b"localhost:1", method=b"CONNECT") + _TLS_HELLO,
        (400, 400),
        Then.ENDS,
        counted=False,
    )
    yield Misdeed("a websocket", get(b"/v1/realtime", *_WEBSOCKET), (424,))
    yield Misdeed(
        "a websocket, and a frame at once",
        get(b"/v1/realtime", *_WEBSOCKET) + b"\x81\x85aaaabcdef",
        (424, 400),
        Then.ENDS,
    )
    yield Misdeed("an upgrade with a body", post(GOOD, *_WEBSOCKET), (200,))
    yield Misdeed(
        "an upgrade to h2c", get(b"/v1/models", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"), (424,)
    )


def _hosts() -> Iterator[Misdeed]:
    for host in (
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]:8788",
        "[::ffff:127.0.0.1]",
        "localhost:",
    ):
        yield Misdeed(f"the host {host}", post(host=b"Host: " + host.encode()), (200,))
        yield Misdeed(f"a target at {host}", get(b"http://%b/v1/models" % host.encode()), (424,))
    foreign = (
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.evil.example:127", ""),
        *("localhost.", "0.0.0.0", "10.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "::1", "[::]"),
        *("[::2]", "[::ffff:10.0.0.1]", "[localhost]", "a@localhost", "localhost@evil.example", "localhost/evil"),
        *("localhost#evil", "localhost?evil", "localhost:x", "localhost, evil.example", "localhost evil.example"),
        *("127.0.0.1%00", "[::1%25lo]", "\u24dbocalhost", "\uff11\uff12\uff17.0.0.1", "localho\u017ft"),
    )  # fmt: skip
    for host in foreign:
        sent = post(host=b"Host: " + host.encode())
        yield Misdeed(f"the host {host}", sent, (403,), counted=False)
        yield Misdeed(
            f"{host} asks the proxy itself",
            get(b"/_llmtape/report", host=b"Host: " + host.encode()),
            (403,),
            counted=False,
        )
    for authority in ("evil.example", "localhost@evil.example", "a@localhost", "10.0.0.1:80"):
        sent = get(b"http://%b/v1/models" % authority.encode())
        yield Misdeed(f"a target at {authority}", sent, (403,), counted=False)
    yield from _refused(
        400,
        (
            ("no host", post(host=b"")),
            ("two hosts", post(GOOD, b"Host: evil.example")),
            ("the same host twice", post(GOOD, _HOST)),
        ),
    )
    yield Misdeed("no host in HTTP/1.0", post(line=b"POST %b HTTP/1.0" % _TARGET, host=b""), (200,), Then.ENDS)


def _pages() -> Iterator[Misdeed]:
    for name, *fields in (
        ("a page", "Origin: https://evil.example"),
        ("a page without an origin", "Origin: null"),
        ("a page with an empty origin", "Origin:"),
        ("a page of a host like ours", "Origin: http://127.0.0.1.evil.example"),
        ("a page with user info", "Origin: http://localhost@evil.example"),
        ("two origins", "Origin: http://localhost", "Origin: https://evil.example"),
        ("two origins in a field", "Origin: http://localhost http://evil.example"),
        ("a file", "Origin: file://"),
        ("a page of another site", "Sec-Fetch-Site: cross-site"),
        ("a page of the same site", "Sec-Fetch-Site: same-site"),
        ("two sites", "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"),
    ):
        told = [one.encode() for one in fields]
        yield Misdeed(name, post(GOOD, *told), (403,), counted=False)
        yield Misdeed(f"{name} asks the proxy itself", get(b"/_llmtape/status", *told), (403,), counted=False)
    preflight = (b"Origin: https://evil.example", b"Access-Control-Request-Method: POST")
    yield Misdeed("a preflight", get(_TARGET, *preflight, method=b"OPTIONS"), (403,), counted=False)
    socket = (*_WEBSOCKET, b"Origin: https://evil.example")
    yield Misdeed("a page's websocket", get(b"/v1/realtime", *socket), (403,), counted=False)
    yield Misdeed("a page of this machine", post(GOOD, b"Origin: http://localhost:3000"), (200,))


def _names() -> Iterator[Misdeed]:
    outside = (
        *("..", "../../etc/passwd", "/etc/passwd", "a/../../b", "./a", "a\0b", "a\\..\\b", "..\\x", ".a", "~root"),
        *("a/", "a//b", "a b", "a*", "a?b", "a|b", "a;b", "%2e%2e", "\uff0e\uff0e/x", "\u2025/x", "a\u202eb"),
        *("e\u0301", "\ufeffa", "a" * 300, "\u00e9" * 200, "link", "folder/x", "a\r\nb", "a@b"),
    )  # fmt: skip
    for name in outside:
        sent = get(b"/@%b/v1/models" % quote(name, safe="").encode())
        yield Misdeed(f"the cassette {ascii(name)[:30]}", sent, (400,), counted=False)
    yield Misdeed("dots as they are", get(b"/@../v1/models"), (400,), counted=False)
    yield Misdeed("a name of no bytes", get(b"/@/v1/models"), (400,), counted=False)
    yield Misdeed("a name that is no UTF-8", get(b"/@%ff%fe/v1/models"), (400,), counted=False)
    for name in ("a.", "a..", "CON", "nul", "c.sqlite", "é", "broken", "a" * 100):
        yield Misdeed(f"the cassette {name[:30]}", get(b"/@%b/v1/models" % quote(name).encode()), (424,))
    for lane in ("a\r\nset-cookie: b", "a\nb", "\0", "a" * 2000, "\t"):
        sent = get(b"/@c:%b/v1/models" % quote(lane, safe="").encode())
        yield Misdeed(f"the lane {ascii(lane)[:30]}", sent, (400,), counted=False)
    for lane in (
        "../../x",
        "嘊嘍set-cookie: b",
        "\u2028",
        "\x85",
        "'; drop table chunks; --",
        "<script>",
        "%0d%0a",
        "a" * 1000,
    ):
        sent = get(b"/@c:%b/v1/models" % quote(lane, safe="").encode())
        yield Misdeed(f"the fine lane {ascii(lane)[:30]}", sent, (424,))
    yield Misdeed(
        "a fault that is none", post(GOOD, "x-llmtape-fault: 嘊嘍set-cookie: b".encode()), (400,), counted=False
    )


def _limits(limit: int) -> Iterator[Misdeed]:
    beyond = b"Content-Length: %d" % (limit + 1)
    waits = b"Expect: 100-continue"
    for name, sent in (
        ("a length over the limit", post(b"", beyond, told=False)),
        ("a length far over the limit", post(b"", b"Content-Length: 9999999999999", told=False)),
        ("a length over the limit, and permission wanted", post(b"", beyond, waits, told=False)),
        ("a body over the limit", post(b"x" * (limit + 1))),
        ("chunks over the limit", chunked(b"x" * (limit + 1), size=60_000)),
        ("a chunk over the limit", post(b"%x\r\n" % (limit + 1) + b"x" * (limit + 1), _CHUNKED, told=False)),
    ):
        yield Misdeed(name, sent, (413,), Then.ENDS, counted=False)
    yield Misdeed("a body at the limit", post(b"x" * limit), (424,))
    yield Misdeed("an expectation nobody knows", post(GOOD, b"Expect: 200-maybe"), (200,))
    yield Misdeed("permission for no body", get(b"/v1/models", waits), (424,))


def _codings(limit: int) -> Iterator[Misdeed]:
    packed = gzip.compress(GOOD)
    for name, body, coding in (
        ("gzip", packed, "gzip"),
        ("GZIP", packed, "GZIP"),
        ("two members of gzip", gzip.compress(GOOD[:10]) + gzip.compress(GOOD[10:]), "gzip"),
        ("gzip of gzip", gzip.compress(packed), "gzip, gzip"),
        ("deflate", zlib.compress(GOOD), "deflate"),
        ("identity as a coding", GOOD, "identity"),
    ):
        yield Misdeed(name, post(body, b"Content-Encoding: " + coding.encode()), (200,))
    yield Misdeed("gzip in chunks", chunked(packed, _GZIP, size=5), (200,))
    for name, body, coding in (
        ("half of a gzip", packed[:-12], "gzip"),
        ("gzip without its end", packed[:-1], "gzip"),
        ("gzip with a wrong sum", packed[:-8] + bytes(8), "gzip"),
        ("what is no gzip", GOOD, "gzip"),
        ("what is no deflate", GOOD, "deflate"),
        ("what is no brotli", GOOD, "br"),
        ("what is no zstd", GOOD, "zstd"),
    ):
        yield Misdeed(name, post(body, b"Content-Encoding: " + coding.encode()), (400,), counted=False)
    bomb = gzip.compress(bytes(limit + 1))
    yield Misdeed("a bomb", post(bomb, _GZIP), (413,), counted=False)
    yield Misdeed("a larger bomb", post(gzip.compress(bytes(5 * limit), 1), _GZIP), (413,), counted=False)
    yield Misdeed("a bomb in a bomb", post(gzip.compress(bomb), b"Content-Encoding: gzip, gzip"), (413,), counted=False)
    yield Misdeed("a bomb in chunks", chunked(bomb, _GZIP, size=97), (413,), counted=False)
    yield Misdeed("a coding nobody knows", post(b"\0abc", b"Content-Encoding: snappy"), (424,))
    yield Misdeed("no body in gzip", post(b"", _GZIP), (424,))


def _bodies(limit: int) -> Iterator[Misdeed]:
    message = b'{"role":"user","content":"a"}'
    nested = 10_000, min(1_000_000, limit // 4)
    for name, body in (
        ("no body", b""),
        ("text", b"hello"),
        ("all bytes", bytes(range(256))),
        ("JSON cut off", GOOD[:-5]),
        ("two JSON", GOOD + GOOD),
        ("an array", b"[]"),
        ("null", b"null"),
        ("a string", b'"x"'),
        ("a number", b"1"),
        ("UTF-16", GOOD.decode().encode("utf-16")),
        ("no UTF-8", b'{"model":"\xff"}'),
        ("NaN", b'{"temperature":NaN,"x":-Infinity}'),
        ("a huge float", b'{"temperature":1e999999999}'),
        ("a tiny float", b'{"temperature":1e-999999999}'),
        ("a huge integer", b'{"seed":' + b"9" * min(1_000_000, limit // 2) + b"}"),
        ("doubled keys", b'{"model":"m","model":"n","messages":[],"messages":[]}'),
        ("lone surrogates", b'{"model":"\\ud83d","messages":[{"role":"user","content":"\\udc00\\ud800"}]}'),
        ("NUL in JSON", b'{"model":"a\\u0000b"}'),
        ("odd types", b'{"messages":{"a":1},"tools":7,"model":[],"stream":"yes","stream_options":3,"n":{},"stop":{}}'),
        (
            "odd messages",
            b'{"messages":[1,null,[],{"role":7,"content":{"a":1},"tool_calls":"x"},{"tool_calls":[1,{"id":[]}]}]}',
        ),
        ("odd tools", b'{"tools":[1,{"function":3},{"function":{"parameters":[1],"name":{}}}],"response_format":[]}'),
        *(
            (f"{depth:,} arrays in each other", b'{"messages":' + b"[" * depth + b"]" * depth + b"}")
            for depth in nested
        ),
        *((f"{depth:,} arrays that do not end", b"[" * depth) for depth in nested),
        ("objects in each other", b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        ("a huge text", json.dumps({"messages": [{"role": "user", "content": "x" * (limit - 100)}]}).encode()),
        ("many messages", b'{"messages":[' + b",".join([message] * 5000) + b"]}"),
        ("many keys", b"{" + b",".join(b'"k%d":%d' % (number, number) for number in range(5000)) + b"}"),
    ):
        yield Misdeed(name, post(body), (424,))
    yield Misdeed("a byte order mark", post(b"\xef\xbb\xbf" + GOOD), (200,))
    for kind in (b"text/plain", b"multipart/form-data; boundary=x", b"application/json; charset=utf-16", b";;;", b""):
        yield Misdeed(f"a body told as {kind.decode()}", post(GOOD, b"Content-Type: " + kind), (200,))


def _connections() -> Iterator[Misdeed]:
    many = 100
    yield Misdeed(
        "requests ahead", post(STREAM) + post() + post(UNKNOWN) + post(STREAM) + post(), (200, 200, 424, 200, 200)
    )
    yield Misdeed("a hundred requests ahead", post() * many, (200,) * many)
    yield Misdeed("streams and misses ahead", (post(STREAM) + post(UNKNOWN)) * 5, (200, 424) * 5)
    yield Misdeed("a request after the last", post(GOOD, _CLOSE) + post(), (200,), Then.ENDS)
    yield Misdeed("garbage after a request", post() + b"\0garbage\r\n\r\n", (200, 400), Then.ENDS)
    yield Misdeed("a foreign host after a request", post() + post(host=b"Host: evil.example"), (200, 403))
    yield Misdeed(
        "a miss between bad bodies",
        post(b"x", _GZIP) + post(UNKNOWN) + post(b"y", _GZIP) + post(),
        (400, 424, 400, 200),
    )


def _unfinished() -> Iterator[Misdeed]:
    whole = post()
    for name, sent in (
        ("nothing", b""),
        ("a byte", whole[:1]),
        ("half a line", whole[:9]),
        ("half a head", whole[:50]),
        ("a head without a body", whole[: whole.index(b"\r\n\r\n") + 4]),
        ("half a body", whole[:-20]),
        ("a body but for a byte", whole[:-1]),
        ("half a chunk", post(b"ff\r\nabc", _CHUNKED, told=False)),
        ("chunks without an end", chunked(GOOD, end=b"")),
        ("half of the trailers", chunked(GOOD, end=b"0\r\nX-A: ")),
    ):
        yield Misdeed(f"{name}, and then nothing", sent, (), Then.WAITS, counted=False)


def _control() -> Iterator[Misdeed]:
    yield Misdeed("the proxy's health", get(b"/_llmtape/health"), (200,), counted=False)
    for name, target, body in (
        ("arrays for a mode", b"mode", b"[" * 100_000),
        ("a mode that is none", b"mode", b'{"mode":"\\ud800"}'),
        ("deep rules", b"lane/start", b'{"rules":' + b"[" * 1500 + b"]" * 1500 + b"}"),
        ("a number for a lane", b"lane/end", b'{"lane":5}'),
        ("a lane with CRLF", b"lane/start", b'{"lane":"a\\r\\nb"}'),
        ("a cassette outside", b"lane/start", b'{"cassette":"../../x"}'),
        ("a cassette outside to rewind", b"rewind", b'{"cassette":"../../x"}'),
        ("a cassette by its path", b"rewind", b'{"cassette":"/etc/passwd"}'),
        ("a cassette with NUL", b"rewind", b'{"cassette":"a\\u0000b"}'),
        ("a cassette with NUL in the query", b"rewind?cassette=%00", b""),
        ("a cassette of a huge name", b"rewind", b'{"cassette":"' + b"a" * 5000 + b'"}'),
    ):
        yield Misdeed(name, post(body, target=b"/_llmtape/" + target), (400,), counted=False)
    yield Misdeed("what the proxy does not have", get(b"/_llmtape/../etc/passwd"), (404,), counted=False)
