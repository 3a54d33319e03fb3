"""Which answers and which header fields are kept."""

from __future__ import annotations

import pytest

from proxy.core import keep
from proxy.core.keep import Errors


@pytest.mark.parametrize("status", [200, 201, 204, 400, 404, 413, 418, 422, 424])
def test_stable_answers_are_recorded(status: int) -> None:
    assert keep.is_recorded(status, Errors.STABLE)
    assert keep.is_recorded(status, Errors.ALL)


@pytest.mark.parametrize(
    "status", [206, 301, 302, 304, 308, 401, 403, 408, 409, 412, 416, 429, 500, 502, 503, 504, 529, 599]
)
def test_what_passes_is_recorded_only_where_all_are(status: int) -> None:
    assert not keep.is_recorded(status, Errors.STABLE)
    assert keep.is_recorded(status, Errors.ALL)


def test_request_fields_are_kept_by_an_allow_list() -> None:
    kept = (("Content-Type", "application/json"), ("accept", "*/*"))
    dropped = (
        ("Authorization", "Bearer x"),
        ("api-key", "x"),
        ("Cookie", "a=b"),
        ("OpenAI-Organization", "org"),
        ("x-nobody-thought-of", "x"),
        ("user-agent", "x"),
        ("host", "x"),
    )
    assert keep.of_request(dropped + kept) == kept


def test_response_fields_are_kept_by_an_allow_list_in_their_order_and_spelling() -> None:
    kept = (
        ("Content-Type", "text/event-stream"),
        ("Content-Encoding", "x-of-its-own"),
        ("x-request-id", "req_1"),
        ("OpenAI-Processing-Ms", "12"),
        ("openai-version", "2020-10-01"),
        ("openai-model", "gpt"),
        ("X-RateLimit-Remaining-Tokens", "1"),
        ("x-ratelimit-reset-requests", "1s"),
        ("retry-after", "2"),
        ("retry-after-ms", "20"),
        ("x-should-retry", "false"),
    )
    dropped = (
        ("set-cookie", "a=b"),
        ("openai-organization", "org"),
        ("server", "x"),
        ("x-ratelimits", "x"),
        ("date", "x"),
    )
    assert keep.of_response(kept + dropped) == kept


def test_fields_named_in_the_config_are_kept_too() -> None:
    headers = (("X-Trace", "1"), ("x-other", "2"))
    assert keep.of_response(headers, ["x-trace"]) == (("X-Trace", "1"),)


def test_a_status_is_one_of_three_digits() -> None:
    assert [keep.check_status(status) for status in (100, 200, 599, 999)] == [100, 200, 599, 999]
    for other in (99, 1000, -200, 2**63, 200.0, True, "200", None):
        with pytest.raises(ValueError, match="'status' should be"):
            keep.check_status(other)
