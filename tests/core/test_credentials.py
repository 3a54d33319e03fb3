"""What a call shows to prove whose it is, and what only looks like it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from proxy.core.credentials import PARAMETERS, SHORTEST, Seen, api_key, credentials

if TYPE_CHECKING:
    from proxy.core.model import Headers

KEY = "sk-planted-0123456789"
PAIR = "user:a pass/word-1"
BASIC = base64.b64encode(PAIR.encode()).decode()
AWS = "AWS4-HMAC-SHA256 Credential=planted-id/20261125/x, SignedHeaders=host;x-amz-date, Signature=0123456789abcdef"


def secrets_of(*values: str) -> frozenset[bytes]:
    return frozenset(value.encode() for value in values)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ((("Authorization", f"Bearer {KEY}"),), "", {KEY}),
        ((("authorization", f"bearer   {KEY} "),), "", {KEY}),
        ((("AUTHORIZATION", f"Basic {KEY}"),), "", {KEY}),
        ((("authorization", KEY),), "", {KEY}),
        ((("authorization", f"Custom-Scheme {KEY}"),), "", {KEY}),
        ((("authorization", f"Basic {BASIC}"),), "", {BASIC, PAIR, "a pass/word-1"}),
        ((("authorization", f"Basic {base64.b64encode(f'{KEY}:'.encode()).decode()}"),), "", None),
        ((("authorization", AWS),), "", None),
        ((("api-key", KEY), ("X-Api-Key", "another-key")), "", {KEY, "another-key"}),
        ((("x-goog-api-key", KEY),), "", {KEY}),
        ((("proxy-authorization", f"Bearer {KEY}"),), "", {KEY}),
        ((("Cookie", f"a=1; session={KEY}; c={KEY}x=="),), "", {KEY, f"{KEY}x=="}),
        ((("cookie", 'flag; tz=America/New_York; id="quoted-0123"; theme=very-dark'),), "", {"quoted-0123"}),
        ((("cookie", "s=planted%2Fvalue1"),), "", {"planted%2Fvalue1", "planted/value1"}),
        ((), f"key={KEY}&api-version=2024-10-21", {KEY}),
        ((), "api-key=a%2Fb%2Bc%3Dd12&access_token=abcdefg8", {"a/b+c=d12", "abcdefg8"}),
        ((), f"API_KEY={KEY}", {KEY}),
        ((), f"q={KEY}&page_token={KEY}", set()),
        ((("openai-organization", "org-0123456789"), ("user-agent", "x" * 20)), "", {"org-0123456789"}),
        ((("OpenAI-Project", "proj_0123456789"), ("openai-organization", "my-company")), "", {"proj_0123456789"}),
        ((("authorization", "Bearer short"), ("api-key", "x" * (SHORTEST - 1))), "", set()),
        ((("api-key", "X" * SHORTEST),), "", {"X" * SHORTEST}),
        ((("api-key", "anything"), ("authorization", "Bearer lm-studio")), "", set()),
        ((("api-key", "1730000000"), ("x-auth-version", "2024.10.21")), "", set()),
        ((("api-key", "[redacted]****"), ("x-token", "[redacted")), "", set()),
        ((("Helicone-Auth", f"Bearer {KEY}"), ("x-portkey-api-key", "another-key")), "", {KEY, "another-key"}),
        ((("authorization", f"Bearer: {KEY}"), ("Idempotency-Key", "stainless-0123")), "", {KEY}),
        ((("X-Author", "Jane-Doe-99"), ("X-Tokenizer", "cl100k_base"), ("x-keyword", "weather-1")), "", set()),
        ((("X-My-Password", KEY), ("x-csrf", "another-key"), ("X-User-PAT", "third-key-1")), "", None),
        ((("x-nobody-knows", "sk-proj-0123456789abcdefghij"),), "", {"sk-proj-0123456789abcdefghij"}),
        ((("authorization", "Bearer "), ("api-key", "")), "key=", set()),
    ],
)
def test_credentials_are_found_in_headers_query_and_cookies(
    headers: Headers, query: str, expected: set[str] | None
) -> None:
    found = credentials(headers, query)
    if expected is None:
        assert found & secrets_of(KEY, "0123456789abcdef")
    else:
        assert found == secrets_of(*expected)


def test_the_key_that_is_shown_to_the_api_is_told_without_its_scheme() -> None:
    assert api_key((("Authorization", f"Bearer {KEY}"),)) == KEY
    assert api_key((("x-api-key", KEY),)) == KEY
    assert api_key((), f"api-version=1&key={KEY}") == KEY
    assert api_key((), "token=no-key-of-an-api") is None


def test_pages_and_limits_are_no_credentials() -> None:
    assert PARAMETERS.isdisjoint({"page_token", "pageToken", "max_tokens", "after", "key_id", "code"})


def test_what_any_caller_showed_is_remembered_and_the_oldest_forgotten() -> None:
    seen = Seen(most=2)
    assert seen.add([b"first"]) == {b"first"}
    assert seen.add([b"second"]) == {b"first", b"second"}
    assert seen.add([b"first", b"third"]) == {b"first", b"third"}
    assert seen.all == {b"first", b"third"}


def test_all_that_one_call_shows_counts_for_it_though_it_is_more_than_is_remembered() -> None:
    seen = Seen(most=1)
    assert seen.add([b"first", b"second"]) == {b"first", b"second"}
    assert len(seen.all) == 1
