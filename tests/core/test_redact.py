"""Nothing leaks, and nothing but secrets is touched."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Chunk, Headers, Request
from proxy.core.redact import SHORTEST, Redactor, credentials

if TYPE_CHECKING:
    from collections.abc import Collection

KEY = "sk-planted-0123456789"
PROJECT_KEY = "sk-proj-" + "aB3_-" * 12

SHAPES = [
    PROJECT_KEY,
    "sk-" + "a1B2c3D4" * 6,
    "sk-svcacct-" + "a1B2" * 6,
    "sk-admin-" + "a1B2" * 6,
    "sk-ant-api03-" + "a1_-" * 10,
    "sk-or-v1-" + "0a1b" * 16,
    "sk_live_" + "a1B2" * 6,
    "gsk_" + "a1B2" * 12,
    "xai-" + "a1B2" * 12,
    "hf_" + "a1B2c" * 7,
    "AIza" + "a1B2c-_" * 5,
    "AKIA" + "A1B2" * 4,
    "ghp_" + "a1B2" * 9,
    "github_pat_" + "a1B2_" * 8,
    "glpat-" + "a1B2-" * 4,
    "xoxb-" + "1234567890-abc",
]

INNOCENT = [
    '{"max_tokens":128,"max_completion_tokens":256,"token":"x","secret":"y","password":"hunter2"}',
    '{"created":1730000000,"id":"chatcmpl-AbCdEf0123456789AbCdEf0123456789"}',
    '{"tool_call_id":"call_0123456789abcdefghijklmn","system_fingerprint":"fp_0123456789"}',
    "sk-",
    "sk-proj-",
    "sk-short",
    "a task-proj-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "risk-0123456789abcdefghijklmnopqrstuvwxyz01",
    "high_fidelity hf_ gsk_ xai- AIza AKIA ghp_",
    "+1 555 010 0199, a@example.com",
    "1234 5678 9012 3456",
    "req_0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
]

BEFORE = ["", " ", '"', "=", ":", "\n", "\t", "\r\n", "'", "(", "/", ",", "\u00e9", "\\", "\b", "\f", "\u2028", "\x1b"]


def secrets_of(*values: str) -> frozenset[bytes]:
    return frozenset(value.encode() for value in values)


def redacted(body: bytes, secrets: Collection[bytes] = (), redactor: Redactor | None = None) -> bytes:
    return (redactor or Redactor()).request(Request("POST", "/v1", body=body), secrets).body


def chunked(*pieces: bytes) -> tuple[Chunk, ...]:
    return tuple(Chunk(at, piece) for at, piece in enumerate(pieces))


@pytest.mark.parametrize("secret", SHAPES)
def test_a_known_shape_is_replaced_by_as_many_bytes(secret: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": f"my key is {secret}."}]}).encode()
    clean = redacted(body)
    assert secret.encode() not in clean
    assert clean == body.replace(secret.encode(), b"[redacted]".ljust(len(secret), b"*"))
    assert json.loads(clean)
    assert Redactor().finds(body)
    assert not Redactor().finds(clean)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("before", BEFORE, ids=ascii)
def test_a_known_shape_is_found_after_any_character_as_json_spells_it(before: str, *, ascii_only: bool) -> None:
    body = json.dumps({"content": f"keys:{before}{PROJECT_KEY}"}, ensure_ascii=ascii_only).encode()
    assert PROJECT_KEY.encode() not in redacted(body)


def test_a_known_shape_is_found_in_json_within_json() -> None:
    arguments = json.dumps({"text": f"a\n{PROJECT_KEY}\n"})
    assert PROJECT_KEY.encode() not in redacted(json.dumps({"arguments": arguments}).encode())


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_not_touched(text: str) -> None:
    for body in (text.encode(), json.dumps({"content": text}).encode()):
        assert redacted(body, secrets_of(KEY)) == body
        assert not Redactor().finds(body)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ((("Authorization", f"Bearer {KEY}"),), "", {KEY}),
        ((("authorization", f"bearer   {KEY} "),), "", {KEY}),
        ((("AUTHORIZATION", f"Basic {KEY}"),), "", {KEY}),
        ((("authorization", KEY),), "", {KEY}),
        ((("api-key", KEY), ("X-Api-Key", "another-key")), "", {KEY, "another-key"}),
        ((("x-goog-api-key", KEY),), "", {KEY}),
        ((("proxy-authorization", f"Bearer {KEY}"),), "", {KEY}),
        ((("Cookie", f"a=1; session={KEY}; c={KEY}x=="),), "", {KEY, f"{KEY}x=="}),
        ((("cookie", "flag"),), "", set()),
        ((), f"key={KEY}&api-version=2024-10-21", {KEY}),
        ((), "api-key=a%2Fb%2Bc%3Dd12&access_token=abcdefg8", {"a/b+c=d12", "abcdefg8"}),
        ((), f"API_KEY={KEY}", {KEY}),
        ((), f"q={KEY}", set()),
        ((("openai-organization", "org-0123456789"), ("user-agent", "x" * 20)), "", set()),
        ((("authorization", "Bearer short"), ("api-key", "x" * (SHORTEST - 1))), "", set()),
        ((("api-key", "X" * SHORTEST),), "", {"X" * SHORTEST}),
        ((("api-key", "anything"), ("authorization", "Bearer lm-studio")), "", set()),
        ((("Helicone-Auth", f"Bearer {KEY}"), ("x-portkey-api-key", "another-key")), "", {KEY, "another-key"}),
        ((("authorization", f"Bearer: {KEY}"), ("Idempotency-Key", "stainless-0123")), "", {KEY}),
        ((("authorization", "Bearer "), ("api-key", "")), "key=", set()),
    ],
)
def test_credentials_are_found_in_headers_query_and_cookies(headers: Headers, query: str, expected: set[str]) -> None:
    assert credentials(headers, query) == secrets_of(*expected)


def test_a_credential_is_replaced_wherever_it_stands_in_a_request() -> None:
    headers = (("authorization", f"Bearer {KEY}"), ("content-type", "application/json"))
    request = Request(
        "POST", f"/v1/{KEY}/x", f"key={KEY}&x={KEY}&api-version=1", headers, f'{{"a":"{KEY}{KEY}"}}'.encode()
    )
    clean = Redactor().request(request, credentials(request.headers, request.query))
    mark = "[redacted]".ljust(len(KEY), "*")
    assert clean.body == f'{{"a":"{mark}{mark}"}}'.encode()
    assert clean.path == f"/v1/{mark}/x"
    assert clean.query == f"x={mark}&api-version=1"


def test_no_field_of_a_redacted_request_bears_the_credential() -> None:
    request = Request("POST", "/v1", headers=(("authorization", f"Bearer {KEY}"), ("x-copy", KEY)))
    assert KEY not in str(Redactor().request(request, secrets_of(KEY)).headers)


@pytest.mark.parametrize(
    "name",
    ["key", "api-key", "api_key", "apikey", "access_token", "token", "sig", "signature", "Key", "api%2Dkey", "TOKEN"],
)
def test_credential_parameters_are_left_out_of_a_query(name: str) -> None:
    request = Request("GET", "/v1", f"a=1&{name}=short&b=2&{name}")
    assert Redactor().request(request, ()).query == "a=1&b=2"


@pytest.mark.parametrize("query", ["", "a=1", "keys=1&monkey=2&max_tokens=3", "a=%20&a=&b"])
def test_other_parameters_stay_as_they_are_spelt(query: str) -> None:
    assert Redactor().request(Request("GET", "/v1", query), ()).query == query


def test_a_credential_is_replaced_in_header_fields() -> None:
    headers = (("x-request-id", f"req-{KEY}"), ("content-type", "caf\udce9"))
    assert Redactor().headers(headers, secrets_of(KEY)) == (
        ("x-request-id", "req-[redacted]***********"),
        ("content-type", "caf\udce9"),
    )


def test_a_longer_credential_is_replaced_before_one_that_it_contains() -> None:
    assert (
        redacted(b"abcdefgh-longer abcdefgh", secrets_of("abcdefgh", "abcdefgh-longer")) == b"[redacted]***** [redacte"
    )


def test_a_credential_that_runs_over_several_chunks_is_replaced_and_no_chunk_changes_its_length() -> None:
    pieces = (b"a" + KEY[:3].encode(), KEY[3:4].encode(), b"", KEY[4:].encode() + b"b" + KEY.encode())
    clean = Redactor().chunks(chunked(*pieces), secrets_of(KEY))
    body = b"".join(chunk.data for chunk in clean)
    assert KEY.encode() not in body
    assert body == b"a[redacted]***********b[redacted]***********"
    assert [len(chunk.data) for chunk in clean] == [len(piece) for piece in pieces]
    assert [chunk.at_us for chunk in clean] == [0, 1, 2, 3]


def test_a_response_without_secrets_comes_back_as_it_is() -> None:
    chunks = chunked(b"data: 1\n\n", b"data: 2\n\n")
    assert Redactor().chunks(chunks, secrets_of(KEY)) is chunks


def test_shapes_in_a_response_stay_unless_the_config_says_otherwise() -> None:
    chunks = chunked(b"x ", PROJECT_KEY[:9].encode(), PROJECT_KEY[9:].encode())
    assert Redactor().chunks(chunks, ()) == chunks
    clean = Redactor(responses=True).chunks(chunks, ())
    assert b"".join(chunk.data for chunk in clean) == b"x [redacted]".ljust(2 + len(PROJECT_KEY), b"*")


def test_patterns_of_the_users_own_hold_for_requests_and_for_responses_where_asked() -> None:
    patterns = (re.compile(rb"cust-\d+"),)
    assert redacted(b'{"a":"cust-12345678 cust-x"}', redactor=Redactor(patterns)) == b'{"a":"[redacted]*** cust-x"}'
    chunks = chunked(b"cust-", b"12345678")
    assert Redactor(patterns).chunks(chunks, ()) == chunks
    assert Redactor(patterns, responses=True).chunks(chunks, ()) == chunked(b"[reda", b"cted]***")


def test_a_redactor_leaves_its_request_as_it_was() -> None:
    request = Request("POST", "/v1", body=KEY.encode())
    Redactor().request(request, secrets_of(KEY))
    assert request.body == KEY.encode()


PIECES = st.lists(
    st.sampled_from([*SHAPES, *INNOCENT, KEY, "[redacted]", "*", "sk-", "proj-", "\n", '"', "\u00e9", "x"]), max_size=6
).map("".join)


@settings(deadline=None, max_examples=200)
@given(PIECES, st.sets(st.sampled_from([KEY, "proj-aB3", PROJECT_KEY, "chatcmpl-"])))
def test_redacting_twice_changes_nothing_more_and_no_length(text: str, secrets: set[str]) -> None:
    body = json.dumps(text).encode()
    redactor = Redactor((re.compile(rb"[a-z]+@[a-z.]+"),))
    clean = redacted(body, secrets_of(*secrets), redactor)
    assert len(clean) == len(body)
    assert redacted(clean, secrets_of(*secrets), redactor) == clean
    assert not any(secret.encode() in clean for secret in secrets)


@settings(deadline=None, max_examples=150)
@given(PIECES, st.lists(st.integers(0, 30), max_size=6))
def test_chunks_of_a_response_are_redacted_as_their_whole_body_is(text: str, sizes: list[int]) -> None:
    body, pieces, start = text.encode(), list[bytes](), 0
    for size in sizes:
        pieces.append(body[start : start + size])
        start += size
    clean = Redactor().chunks(chunked(*pieces, body[start:]), secrets_of(KEY))
    assert b"".join(chunk.data for chunk in clean) == body.replace(KEY.encode(), b"[redacted]".ljust(len(KEY), b"*"))
    assert [len(chunk.data) for chunk in clean] == [*map(len, pieces), len(body[start:])]


@pytest.mark.parametrize("spelt", ["ab/cd+0123456789", r"ab\/cd+0123456789", "ab%2Fcd%2B0123456789"])
def test_a_credential_is_found_however_it_is_spelt(spelt: str) -> None:
    clean = redacted(f'{{"content":"{spelt}"}}'.encode(), secrets_of("ab/cd+0123456789"))
    assert b"0123456789" not in clean
    assert len(clean) == len(f'{{"content":"{spelt}"}}')
