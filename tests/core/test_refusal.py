"""Our own errors, as a client sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.core import refusal
from proxy.core.errors import (
    BadAddressError,
    BodyTooLargeError,
    CassetteError,
    ForbiddenError,
    LlmtapeError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from proxy.core.model import header


def error_of(body: bytes) -> dict[str, Any]:
    document = json.loads(body)
    assert list(document) == ["error"]
    error: dict[str, Any] = document["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def test_a_miss_has_a_status_that_no_client_sends_again() -> None:
    assert refusal.STATUS == 424


@pytest.mark.parametrize("param", [None, "messages[0].content", "\ud83d", "\u00e9"])
@pytest.mark.parametrize(
    "message", ["", "first\n\nsecond", 'a "quoted" \\ thing', "\u00e9\U0001f642", "\ud83d", "\x00"], ids=ascii
)
def test_any_text_becomes_an_error_object(message: str, param: str | None) -> None:
    error = error_of(refusal.body(message, "cassette_miss", "not_recorded", param))
    assert (error["type"], error["code"]) == ("cassette_miss", "not_recorded")
    if message.isprintable() and message.isascii():
        assert error["message"] == message


@pytest.mark.parametrize(
    ("error", "status", "code", "should_retry"),
    [
        (ForbiddenError("x"), 403, "forbidden", "false"),
        (BadAddressError("x"), 400, "bad_address", "false"),
        (BodyTooLargeError("x"), 413, "body_too_large", "false"),
        (UpstreamUnreachableError("x"), 502, "upstream_unreachable", None),
        (UpstreamTimeoutError("x"), 504, "upstream_timeout", None),
        (CassetteError("x"), 424, "cassette_error", "false"),
        (LlmtapeError("x"), 424, "cassette_error", "false"),
    ],
)
def test_an_error_of_ours_is_answered_in_the_apis_shape(
    error: LlmtapeError, status: int, code: str, should_retry: str | None
) -> None:
    answered, headers, body = refusal.answer(error)
    assert (answered, header(headers, "content-type"), header(headers, "x-should-retry")) == (
        status,
        "application/json",
        should_retry,
    )
    assert (error_of(body)["message"], error_of(body)["code"]) == ("x", code)
