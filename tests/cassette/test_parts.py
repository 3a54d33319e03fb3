"""Cutting a request body: nothing is lost, and what repeats comes out the same."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.cassette import schema
from proxy.cassette.parts import WHOLE, cut, joined

PAD = "x" * WHOLE
SPELLINGS: tuple[dict[str, Any], ...] = ({"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False})
# Bytes that the cutter looks at, more often than chance would bring them.
TRICKY = st.lists(
    st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"a", b" ", b"\n", b"\0", b"\xff"]), max_size=60
).map(b"".join)


def spelt(value: Any, **spelling: Any) -> bytes:
    return json.dumps(value, **spelling).encode()


def conversation(turns: int) -> dict[str, Any]:
    messages: list[dict[str, str]] = [{"role": "system", "content": 'You say "[{" and \\ and 🎲. ' + PAD}]
    for turn in range(turns):
        messages.append({"role": "user", "content": f"question {turn}: what is ],[ ?"})
        messages.append({"role": "assistant", "content": f"answer {turn} " + "y" * 200})
    tools = [{"type": "function", "function": {"name": f"tool_{number}"}} for number in range(3)]
    return {"model": "m", "messages": messages, "tools": tools, "temperature": 0.5, "stop": []}


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80) | TRICKY, TRICKY)
@example(b'{"a":["', b"\\")
@example(b"{" + b"[" * 50, b"]" * 99)
def test_the_parts_joined_are_the_body_whatever_it_is(head: bytes, tail: bytes) -> None:
    for body in (head + tail, b'{"messages":[' + head + PAD.encode() + tail, b"{" + head + tail + b'"' * WHOLE):
        parts = cut(body)
        assert b"".join(parts) == body
        assert all(parts) or parts == [b""]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1,2]", b'"' + b"a" * 2000, b"[" * 3000, b"\x89PNG" + b"\0" * 3000])
def test_what_is_short_or_no_object_stays_whole(body: bytes) -> None:
    assert cut(body) == [body]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_conversation_is_cut_at_its_messages(spelling: dict[str, Any]) -> None:
    parts = cut(spelt(conversation(6), **spelling))
    for turn in range(6):
        assert [b"answer %d" % turn in part for part in parts].count(True) == 1
    assert not [part for part in parts if part.count(b"assistant") > 1]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("turns", [1, 2, 10, 40])
def test_a_turn_adds_a_few_parts_however_long_the_conversation_is(turns: int, spelling: dict[str, Any]) -> None:
    before, after = cut(spelt(conversation(turns), **spelling)), cut(spelt(conversation(turns + 1), **spelling))
    new = [part for part in after if part not in set(before)]
    assert len(new) <= 3


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_turn_keeps_the_beginning_of_the_body_as_it_was(spelling: dict[str, Any]) -> None:
    before, after = cut(spelt(conversation(9), **spelling)), cut(spelt(conversation(10), **spelling))
    shared = next(place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other)
    assert shared >= 9


def test_brackets_and_quotes_within_strings_do_not_count() -> None:
    text = '],[{"\\ ' + PAD
    parts = cut(spelt({"messages": [{"role": "user", "content": text}, {"role": "user", "content": text}]}))
    assert [part for part in parts if b"role" in part] == [
        spelt({"role": "user", "content": text}),
        b", " + spelt({"role": "user", "content": text}),
    ]


def test_inner_lists_are_not_cut() -> None:
    inner = {"role": "user", "content": [{"type": "text", "text": "a" * 900}, {"type": "text", "text": "b" * 900}]}
    assert spelt(inner) in cut(spelt({"messages": [inner]}))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + b'\\"' * 200_000,
        b'{"a":"' + b'\\"' * 200_000 + b"\\",
        b'{"a":["' + b"\\" * 400_001,
        b"{" + b'"' * 400_001,
        b"{" + b'"\\' * 200_000,
    ],
    ids=["unended", "ends in half an escape", "backslashes", "quotes", "quotes and backslashes"],
)
def test_a_string_that_never_ends_costs_no_more_than_another(body: bytes) -> None:
    """Where each quote within were tried as a beginning, this would take hours, and hold the writer up."""
    assert b"".join(cut(body)) == body


def test_a_list_of_many_small_elements_is_not_cut_into_as_many_rows() -> None:
    """`input` of an embedding may be thousands of token ids; a row costs more than the number it holds."""
    body = spelt({"model": "text-embedding-3-small", "input": list(range(8000))})
    parts = cut(body)
    assert b"".join(parts) == body
    assert len(parts) <= len(body) / 32


def test_a_body_is_joined_from_its_steps_whatever_its_parts_are_stored_as() -> None:
    stored: list[str | bytes] = ["{", b"\xff", "}"]
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in schema.statements():
            connection.execute(statement)
        for number, data in enumerate(stored, 1):
            connection.execute("insert into parts values (?, ?, ?)", (number, b"%d" % number, data))
            connection.execute("insert into bodies values (?, ?, ?)", (number, number - 1, number))
        assert joined(connection, 3) == b"{\xff}"
        assert joined(connection, 1) == b"{"
        assert joined(connection, None) == b""


def test_a_small_file_cannot_stand_for_a_body_of_any_size() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table parts (id integer primary key, data)")
        connection.execute("create table bodies (id integer primary key, parent_id, part_id)")
        connection.execute("insert into parts values (1, ?)", ("x" * 100,))
        connection.executemany("insert into bodies values (?, ?, 1)", [(step, step - 1) for step in range(1, 13)])
        assert len(joined(connection, 10, 1000)) == 1000
        with pytest.raises(ValueError, match="over 1000 bytes"):
            joined(connection, 11, 1000)
