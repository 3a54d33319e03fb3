"""Errors have one shape."""

from __future__ import annotations

import pytest

from proxy.demo import faults


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (faults.invalid("no", "p", "c"), 400),
        (faults.not_json(), 400),
        (faults.no_key(), 401),
        (faults.wrong_key("sk-invalid-1234567890"), 401),
        (faults.unknown_model("m"), 404),
        (faults.unknown_url("GET", "/x"), 404),
        (faults.wrong_method("GET", "/x"), 405),
        (faults.rate_limited("m"), 429),
        (faults.server_error(), 500),
    ],
)
def test_every_error_has_the_four_fields(error: faults.ApiError, status: int) -> None:
    assert error.fault.status == status
    assert error.fault.body()["error"].keys() == {"message", "type", "param", "code"}
    assert str(error) == error.fault.message


@pytest.mark.parametrize(
    ("key", "masked"),
    [("sk-invalid-1234567890", "sk-inval*********7890"), ("invalid", "invalid****alid")],
)
def test_wrong_key_is_shown_masked(key: str, masked: str) -> None:
    assert f"provided: {masked}." in str(faults.wrong_key(key))
