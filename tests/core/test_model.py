"""Values that all rooms share."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

from proxy.core import model
from proxy.core.model import Chunk, Headers, Outcome, Response, Take, Track, Variant

VALUES = [value for _, value in inspect.getmembers(model, dataclasses.is_dataclass) if isinstance(value, type)]


def answer(*chunks: bytes, headers: Headers = ()) -> Response:
    return Response(200, headers, tuple(Chunk(0, data) for data in chunks), Outcome.COMPLETE, 0, 0)


@pytest.mark.parametrize("value", VALUES)
def test_values_are_frozen_and_slotted(value: type) -> None:
    parameters = value.__dataclass_params__  # type: ignore[attr-defined]  # set by dataclasses on each of them
    assert parameters.frozen
    assert "__slots__" in vars(value)


def test_a_body_is_all_of_its_chunks() -> None:
    assert answer(b"a", b"", b"b\r\n").body == b"ab\r\n"
    assert answer().body == b""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("Content-Type", "application/json"),), "application/json"),
        ((("content-type", "Text/Event-Stream; charset=utf-8"),), "text/event-stream"),
        ((("CONTENT-TYPE", " application/json ;x"), ("content-type", "text/plain")), "application/json"),
        ((("content-type", ""),), ""),
        ((("x-content-type", "a/b"),), ""),
        ((), ""),
    ],
)
def test_a_content_type_is_the_first_one_without_parameters(headers: Headers, expected: str) -> None:
    assert answer(headers=headers).content_type == expected


def test_a_header_is_found_without_case() -> None:
    headers = (("X-One", "1"), ("x-one", "2"))
    assert (model.header(headers, "x-ONE"), model.header(headers, "x-on"), model.header((), "x")) == ("1", None, None)


def test_a_take_is_named_by_its_key_and_number() -> None:
    assert Take(7, Track("0123456789abcdef" * 4, Variant.SSE, "lane"), 2, 200, Outcome.CUT).name == "0123456789ab:2"


def test_a_request_shows_no_body_in_logs() -> None:
    assert "planted" not in repr(model.Request("POST", "/v1", body=b"planted"))
