"""No web page may use the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.core.errors import ForbiddenError
from proxy.core.guard import Guard, is_loopback

if TYPE_CHECKING:
    from proxy.core.model import Headers

OPEN = Guard()
WIDE = Guard(hosts=frozenset({"build-box", "10.0.0.5"}), token="let-me-in")
TOKEN = ("Authorization", "Bearer let-me-in")


def passes(guard: Guard, headers: Headers) -> bool:
    try:
        guard.check(headers)
    except ForbiddenError:
        return False
    return True


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("Host", "127.0.0.1:8000"),),
        (("host", "localhost"),),
        (("host", "LocalHost:1"),),
        (("host", "[::1]:8000"),),
        (("host", "127.9.9.9"),),
        (("host", "localhost:"),),
        (("host", "[::ffff:127.0.0.1]:8000"),),
        (("host", "127.0.0.1"), ("origin", "http://localhost:3000")),
        (("host", "127.0.0.1"), ("origin", "http://[::1]")),
    ],
)
def test_loopback_may_use_the_proxy(headers: Headers) -> None:
    assert passes(OPEN, headers)


@pytest.mark.parametrize(
    "headers",
    [
        (("host", "evil.example"),),
        (("host", "localhost.evil.example"),),
        (("host", "127.0.0.1.evil.example"),),
        (("host", "evil.example:127"),),
        (("host", "192.168.0.1"),),
        (("host", "0.0.0.0:8000"),),
        (("host", ""),),
        (("host", "["),),
        (("host", "localhost."),),
        (("host", "2130706433"),),
        (("host", "0x7f000001"),),
        (("host", "0177.0.0.1"),),
        (("host", "127.1"),),
        (("host", "::1"),),
        (("host", "[::]"),),
        (("host", "[::1%25lo]"),),
        (("host", "[localhost]"),),
        (("host", "[::ffff:10.0.0.1]"),),
        (("host", "a@localhost"),),
        (("host", "localhost@evil.example"),),
        (("host", "localhost/evil"),),
        (("host", "localhost?evil"),),
        (("host", "localhost#evil"),),
        (("host", "localhost:x"),),
        (("host", "localhost, evil.example"),),
        (("host", "localhost evil.example"),),
        (("host", " localhost"),),
        (("host", "localhost\n"),),
        (("host", "\u24dbocalhost"),),
        (("host", "localho\u017ft"),),
        (("host", "\uff11\uff12\uff17.0.0.1"),),
        (("host", "127.0.0.1"), ("host", "evil.example")),
        (("host", "127.0.0.1"), ("origin", "http://localhost"), ("origin", "https://evil.example")),
        (("host", "127.0.0.1"), ("origin", "http://localhost http://evil.example")),
        (("host", "127.0.0.1"), ("origin", "http://a@localhost")),
        (("host", "127.0.0.1"), ("origin", "localhost")),
        (("host", "127.0.0.1"), ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")),
        (("host", "127.0.0.1"), ("sec-fetch-site", "")),
        (("host", "build-box"),),
        (("host", "127.0.0.1"), ("origin", "https://evil.example")),
        (("host", "127.0.0.1"), ("origin", "null")),
        (("host", "127.0.0.1"), ("origin", "")),
        (("host", "127.0.0.1"), ("origin", "https://localhost.evil.example")),
        (("host", "127.0.0.1"), ("origin", "https://localhost@evil.example")),
        (("host", "127.0.0.1"), ("ORIGIN", "file://")),
        (("origin", "https://evil.example"),),
    ],
)
def test_a_foreign_host_or_origin_is_refused(headers: Headers) -> None:
    assert not passes(OPEN, headers)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/models", True),
        ("//evil.example/v1", True),  # a path, doubled slashes and all
        ("*", True),
        ("http://127.0.0.1:1/v1", True),
        ("HTTPS://LOCALHOST", True),
        ("http://localhost?x=//evil.example", True),
        ("http://evil.example/v1", False),
        ("http://localhost@evil.example/", False),
        ("http://a@localhost/", False),
        ("http://", False),
        ("http://localhost.evil.example#localhost", False),
    ],
)
def test_the_host_of_an_absolute_target_counts_beside_the_field(target: str, *, expected: bool) -> None:
    try:
        OPEN.check((("host", "localhost"),), target)
    except ForbiddenError:
        assert not expected
    else:
        assert expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("host", "build-box:80"), TOKEN), True),
        ((("host", "BUILD-BOX"), TOKEN), True),
        ((("host", "10.0.0.5"), ("api-key", "let-me-in")), True),
        ((("host", "127.0.0.1"), ("authorization", "bearer let-me-in")), True),
        ((("host", "build-box"),), False),
        ((("host", "build-box"), ("authorization", "let-me-in")), False),
        ((("host", "build-box"), ("authorization", "Bearer let-me-i")), False),
        ((("host", "build-box"), ("authorization", "Bearer let-me-in2")), False),
        ((("host", "build-box"), ("authorization", "Bearer ")), False),
        ((("host", "build-box"), ("authorization", "Bearer \udce9")), False),
        ((("host", "10.0.0.6"), TOKEN), False),
        ((("host", "127.0.0.1"),), False),
    ],
)
def test_beyond_loopback_a_caller_shows_the_token(headers: Headers, *, expected: bool) -> None:
    assert passes(WIDE, headers) is expected


def test_names_of_hosts_have_no_case() -> None:
    assert passes(Guard(hosts=frozenset({"Build-Box"})), (("host", "build-box"),))


def test_a_refusal_does_not_tell_the_token() -> None:
    with pytest.raises(ForbiddenError) as caught:
        WIDE.check((("host", "build-box"),))
    assert "let-me-in" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
