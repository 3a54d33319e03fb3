"""A text is taken for its JSON value only where that gives the very bytes again."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import spelling

VALUE = {"model": "m", "text": "Zürich 🎲", "n": [1, -0.0, 1e-7, 18446744073709551615], "none": {}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=10,
)
DUMPS = [
    {"separators": (",", ":")},
    {},
    {"indent": 2},
    {"indent": 4},
    {"separators": (",", ":"), "ensure_ascii": False},
    {"ensure_ascii": False},
    {"indent": 2, "ensure_ascii": False},
]


@pytest.mark.parametrize(
    ("how", "style"),
    [
        ({"separators": (",", ":"), "ensure_ascii": False}, ""),
        ({"separators": (",", ":")}, "ascii"),
        ({"ensure_ascii": False}, "spaced"),
        ({}, "ascii spaced"),
        ({"indent": 2, "ensure_ascii": False}, "indented"),
        ({"indent": 2}, "ascii indented"),
    ],
)
def test_what_clients_and_servers_write_is_taken_for_its_value(how: dict[str, Any], style: str) -> None:
    value = {"model": "m", "text": "Zürich 🎲", "n": [1, -0.0, 0.5], "none": {}}
    for end, ended in (("", style), ("\n", spelling.NEWLINE)):
        data = (json.dumps(value, **how) + end).encode()
        found = spelling.parsed(data)
        assert found is not None
        assert found[0] == value
        assert set(found[1].split()) == {*style.split(), *ended.split()}
        assert spelling.written(*found) == data


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"1", b'"x"', b"null", b"x", b"\xff", b"{", b"\xef\xbb\xbf{}"),
        *(b'{"a":1,"a":2}', b'{"a":1e5}', b'{"a":1E5}', b'{"a":-0}', b'{"a":1.50}', b'{"a":NaN}', b'{"a":Infinity}'),
        *(b'{"a":18446744073709551616}', b'{"a":-9223372036854775809}', b'{"a":123456789012345678901234567890}'),
        *(b'{"a":"\\ud83d"}', b'{"a":"\\u00FC"}', b'{"a":"\\/"}', b'{"a":"\\u0041"}', b'{"a": 1,"b":2}', b'{ "a":1}'),
        *(b" {}", b"{}\r\n", b"{}\n\n", b"[" * 250 + b"]" * 250, b"[" * 5000),
    ],
)
def test_what_its_value_would_not_give_again_stays_a_text(data: bytes) -> None:
    assert spelling.parsed(data) is None


@settings(deadline=None, max_examples=400)
@given(JSON, st.sampled_from(DUMPS), st.sampled_from(["", "\n"]))
@example(VALUE, DUMPS[0], "")
def test_what_is_taken_for_its_value_gives_the_very_bytes_again(value: Any, how: dict[str, Any], end: str) -> None:
    data = (json.dumps(value, **how) + end).encode("utf-8", "surrogatepass")
    if found := spelling.parsed(data):
        carried = orjson.loads(orjson.dumps({"within": [found[0]]}))["within"][0]
        assert spelling.written(carried, found[1]) == data


@pytest.mark.parametrize(
    ("value", "style"), [({}, "wide"), ([[]], "spaced, ascii"), (json.loads("[" * 300 + "]" * 300), "")]
)
def test_what_cannot_be_written_is_told(value: Any, style: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        spelling.written(value, style)
