"""HAR files: one that mitmproxy saved, and what other tools make of the format."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxy.foreign import har

if TYPE_CHECKING:
    from proxy.foreign.exchange import Exchange

HERE = Path(__file__).parent
URL = "https://api.openai.com/v1/chat/completions"


def one(request: Any = None, response: Any = None, **entry: Any) -> Exchange:
    """Read an entry that has what is given, and else what it must have."""
    asked = {"method": "POST", "url": URL, "headers": [], **(request or {})}
    answered = {"status": 200, "headers": [], "content": {"text": ""}, **(response or {})}
    (told,) = har.entries({"log": {"entries": [{"request": asked, "response": answered, **entry}]}})
    return told.read()


def test_what_mitmproxy_saved_is_read() -> None:
    value = json.loads((HERE / "mitmproxy.har").read_bytes())
    assert har.is_har(value)
    plain, stream, azure, refused, models = [told.read() for told in har.entries(value)]
    assert json.loads(plain.request_body)["messages"][0]["content"] == "Zürich?"
    assert json.loads(plain.response_body)["choices"][0]["message"]["content"] == "Grüße 🎲"
    assert plain.recorded_at == "2026-11-25T15:19:26.239Z"
    assert 0 < plain.first_byte_us < plain.duration_us
    assert stream.response_body.endswith(b"data: [DONE]\n\n")
    assert azure.url.endswith("/openai/deployments/dep/chat/completions?api-version=2024-06-01")
    assert [refused.status, models.method] == [429, "GET"]


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"text": "ü"}, "ü".encode()),
        ({"text": base64.b64encode(b"\xff\0").decode(), "encoding": "base64"}, b"\xff\0"),
        ({"size": 0}, b""),
        (None, b""),
    ],
)
def test_a_body_is_text_or_base64(content: Any, body: bytes) -> None:
    assert one(response={"content": content}).response_body == body
    assert one({"postData": content}).request_body == body


@pytest.mark.parametrize("content", [{"size": 12}, {"_file": "abc.json"}])
def test_a_body_that_was_not_saved_is_told(content: Any) -> None:
    with pytest.raises(ValueError, match="save it with content"):
        one(response={"content": content})


def test_fields_of_http2_that_are_no_headers_are_left_out() -> None:
    fields = [{"name": ":path", "value": "/v1"}, {"name": "accept", "value": "*/*"}, {"name": "accept", "value": "x"}]
    assert one({"headers": fields}).request_headers == (("accept", "*/*"), ("accept", "x"))


@pytest.mark.parametrize(
    ("entry", "times"),
    [
        ({"timings": {"send": 1, "wait": 12.5, "receive": 30}}, (12_500, 42_500)),
        ({"timings": {"wait": -1, "receive": -1}}, (0, 0)),
        ({"timings": {"wait": 5}, "time": 100}, (5_000, 5_000)),
        ({"time": 7.25}, (0, 7_250)),
        ({"timings": {"wait": float("nan"), "receive": float("inf")}}, (0, 604_800_000_000)),
        ({"timings": {"wait": 10**400, "receive": "9"}}, (604_800_000_000, 604_800_000_000)),
        ({"timings": {"wait": True, "receive": None}}, (0, 0)),
        ({"timings": []}, (0, 0)),
        ({}, (0, 0)),
    ],
)
def test_times_are_those_of_waiting_and_receiving(entry: Any, times: tuple[int, int]) -> None:
    exchange = one(**entry)
    assert (exchange.first_byte_us, exchange.duration_us) == times


@pytest.mark.parametrize(
    ("started", "at"),
    [
        ("2026-11-22T12:00:00.123Z", "2026-11-22T12:00:00.123Z"),
        ("2026-11-22T13:00:00.1234567+01:00", "2026-11-22T12:00:00.123Z"),
        ("2026-11-22T12:00:00", "2026-11-22T12:00:00.000Z"),
        ("0001-01-01T00:00:00+23:00", None),
        ("soon", None),
        (1764072000, None),
        (None, None),
    ],
)
def test_when_it_was_recorded_is_told(started: Any, at: str | None) -> None:
    assert one(startedDateTime=started).recorded_at == at


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ({"method": 1}, {}),
        ({"url": None}, {}),
        ({"headers": {}}, {}),
        ({"headers": ["a: b"]}, {}),
        ({"headers": [{"name": "a"}]}, {}),
        ({"postData": "text"}, {}),
        ({"postData": {"text": {}}}, {}),
        ({}, {"status": 0}),
        ({}, {"content": {"text": "!", "encoding": "base64"}}),
        ({}, {"content": {"text": "\ud83d"}}),
    ],
)
def test_an_entry_that_has_another_form_is_told_when_it_is_read(request_: Any, response: Any) -> None:
    with pytest.raises(ValueError):
        one(request_, response)


@pytest.mark.parametrize("item", [None, 1, [], {}, {"request": "GET /"}])
def test_an_entry_of_which_nothing_can_be_told_is_told_as_that(item: Any) -> None:
    (told,) = har.entries({"log": {"entries": [item]}})
    assert (told.place, told.method, told.url) == (1, "", "")
    with pytest.raises(ValueError):
        told.read()


@pytest.mark.parametrize("value", [None, [], {}, {"log": []}, {"log": {"entries": {}}}])
def test_what_is_no_har_is_known(value: Any) -> None:
    assert not har.is_har(value)
