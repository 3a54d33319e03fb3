"""Header fields come back from JSON byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import fields


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=4))
@example([(b"x-request-id", b"caf\xe9")])
@example([(b"x-request-id", "café".encode())])
@example([(b"X-Twice", b"1"), (b"x-twice", b"2")])
def test_fields_come_back_byte_for_byte(raw: list[tuple[bytes, bytes]]) -> None:
    headers = tuple(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")) for name, value in raw
    )
    text = json.dumps(fields.to_json(headers), ensure_ascii=False)
    text.encode()  # no file holds surrogates
    assert fields.from_json(json.loads(text)) == headers


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, "x", {}, ["ab"], [["a"]], [["a", 1]], [["a", "b", "c"]], [["a", "b", "latin-1", "d"]]),
        [["a", "🎲", "latin-1"]],
    ],
)
def test_what_is_no_list_of_fields_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        fields.from_json(value)
