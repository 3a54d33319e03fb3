"""Which fields differ, and which recorded request is nearest."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import mismatch
from proxy.core.mismatch import MISSING, Difference, differences, nearness
from proxy.core.model import Request
from proxy.core.normalize import normalize


def said(*texts: str, **settings: Any) -> dict[str, Any]:
    """Build the canonical chat of a user who said these."""
    body = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts]} | settings
    return normalize(Request("POST", "/v1/chat/completions", body=json.dumps(body).encode())).content


def asked(path: str, body: bytes, method: str = "POST") -> dict[str, Any]:
    return normalize(Request(method, path, body=body)).content


@pytest.mark.parametrize(
    ("recorded", "now", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", 1, 2)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"a": "1"}, [("a", 1, "1")]),
        ({"a": False}, {"a": 0}, [("a", False, 0)]),
        ({"a": None}, {}, [("a", None, MISSING)]),
        ({}, {"a": None}, [("a", MISSING, None)]),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, [("a.b.c", 1, 2)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("a[1]", 2, 3)]),
        ({"a": [1]}, {"a": [1, 2]}, [("a[1]", MISSING, 2)]),
        ({"a": [1, 2]}, {"a": [1]}, [("a[1]", 2, MISSING)]),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}, [("a[0].b", "x", "y")]),
        ({"a": [[1]]}, {"a": [[2]]}, [("a[0][0]", 1, 2)]),
        ({"a": {}}, {"a": []}, [("a", {}, [])]),
        ({"a": [1]}, {"a": {"0": 1}}, [("a", [1], {"0": 1})]),
        (
            {"x": 1, "b": 1, "a": 1},
            {"a": 2, "b": 2, "y": 2},
            [("a", 1, 2), ("b", 1, 2), ("y", MISSING, 2), ("x", 1, MISSING)],
        ),
        ([1], [2], [("[0]", 1, 2)]),
    ],
)
def test_each_field_that_differs_is_named_by_its_path(
    recorded: Any, now: Any, expected: list[tuple[str, Any, Any]]
) -> None:
    assert differences(recorded, now) == [Difference(*each) for each in expected]


def test_a_number_that_is_none_on_both_sides_is_no_difference() -> None:
    one = asked("/v1/chat/completions", b'{"messages":[{"role":"user","content":"a"}],"seed":NaN}')
    other = asked("/v1/chat/completions", b'{"messages":[{"role":"user","content":"b"}],"seed":NaN}')
    assert [difference.path for difference in differences(one, other)] == ["body.messages[0].content"]


def test_what_does_not_count_for_the_key_is_never_named() -> None:
    one, other = said("a", user="x", n=1, stream=True), said("b", metadata={"y": "z"}, temperature=None)
    assert [difference.path for difference in differences(one, other)] == ["body.messages[0].content"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(alphabet="ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(VALUES, VALUES)
def test_there_are_differences_exactly_where_the_canonical_json_differs(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (differences(one, other) == []) == same
    assert len(differences(one, other)) == len(differences(other, one))
    for difference in differences(one, other):
        assert all(isinstance(side, str) for side in difference.excerpt())


@pytest.mark.parametrize(
    ("recorded", "now", "expected"),
    [
        ("cat", "cap", ('"cat"', '"cap"')),
        ("", "x", ('""', '"x"')),
        ("same", "same and more", ('"same"', '"same{+ and more+}"')),
        (1, True, ("1", "true")),
        (1.5, None, ("1.5", "null")),
        (MISSING, {"a": [1]}, ("(absent)", '{"a":[1]}')),
        ("x", MISSING, ('"x"', "(absent)")),
        ("\u00e9", "e", ('"\u00e9"', '"e"')),
        (2**70, 1, (str(2**70), "1")),
        ("a\nb", "a b", ('"a[-\\n-]b"', '"a{+ +}b"')),
    ],
)
def test_both_sides_are_shown_as_json(recorded: Any, now: Any, expected: tuple[str, str]) -> None:
    assert Difference("x", recorded, now).excerpt() == expected


def test_a_lone_surrogate_can_be_shown() -> None:
    for side in Difference("x", "\ud83d", "a").excerpt():
        side.encode()


@pytest.mark.parametrize("same", ["x", "\n", '"', "\\", "\x1b", "\u00e9", "\U0001f642", "\ud83d"], ids=ascii)
@pytest.mark.parametrize("before", [0, 10, 40, 1000])
@pytest.mark.parametrize("after", [0, 500])
def test_long_texts_are_cut_to_where_they_part(same: str, before: int, after: int) -> None:
    recorded, now = Difference(
        "x", same * before + "cat" + same * after, same * before + "dog" + same * after
    ).excerpt()
    assert "cat" in recorded
    assert "dog" in now
    assert max(len(recorded), len(now)) < 1000


def test_cut_texts_say_on_which_side_they_go_on() -> None:
    recorded, now = Difference("x", "a" * 100 + " cat " + "b" * 200, "a" * 100 + " dog").excerpt()
    assert recorded.startswith('"\u2026a')
    assert now.endswith('{+dog+}"')


def test_a_large_value_is_cut() -> None:
    recorded, now = Difference("x", MISSING, list(range(1000))).excerpt()
    assert recorded == "(absent)"
    assert len(now) < 120
    assert now.endswith("\u2026")


NEAREST: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    # what is asked, and the recorded requests with the nearest one first
    "one changed word before another question": (
        said("What is the capital of France?"),
        [said("What is the capital of Spain?"), said("Sing me a song.")],
    ),
    "the longest common beginning": (
        said("a", "b", "c"),
        [said("a", "b", "x"), said("a", "x", "c"), said("x", "b", "c")],
    ),
    "an added turn": (said("a", "b"), [said("a"), said("b"), said("b", "a")]),
    "the same conversation, other settings": (
        said("a", temperature=1),
        [said("a", temperature=0), said("a!", temperature=1)],
    ),
    "fewer settings differ": (
        said("a", temperature=1, seed=1),
        [said("a", temperature=0, seed=1), said("a", temperature=0, seed=2, top_p=1)],
    ),
    "the same endpoint": (
        said("a"),
        [
            said("something else altogether"),
            asked("/v1/embeddings", b'{"model":"m","messages":[{"role":"user","content":"a"}]}'),
        ],
    ),
    "the same method": (
        asked("/v1/files", b"", "GET"),
        [asked("/v1/files", b"{}", "GET"), asked("/v1/files", b"", "DELETE")],
    ),
    "embeddings": (
        asked("/v1/embeddings", b'{"model":"m","input":"a","dimensions":5}'),
        [
            asked("/v1/embeddings", b'{"model":"m","input":"b","dimensions":5}'),
            asked("/v1/embeddings", b'{"model":"n","input":"b"}'),
        ],
    ),
    "parts": (
        said("x") | {"body": {"messages": [{"role": "user", "content": [{"type": "text", "text": "red fox"}]}]}},
        [
            said("x") | {"body": {"messages": [{"role": "user", "content": [{"type": "text", "text": "red dog"}]}]}},
            said("x") | {"body": {"messages": [{"role": "user", "content": [{"type": "text", "text": "blue sky"}]}]}},
        ],
    ),
}


@pytest.mark.parametrize(("now", "recorded"), NEAREST.values(), ids=NEAREST.keys())
def test_the_nearest_recorded_request_is_picked(now: dict[str, Any], recorded: list[dict[str, Any]]) -> None:
    for order in (recorded, recorded[::-1]):
        assert max(order, key=lambda each: nearness(each, now)) == recorded[0]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.sampled_from(["a", "b c", "d", ""]), max_size=4),
    st.lists(st.sampled_from(["a", "b c", "d", ""]), max_size=4),
)
def test_nothing_is_nearer_than_the_request_itself(one: list[str], other: list[str]) -> None:
    assert nearness(said(*one), said(*one)) >= nearness(said(*other), said(*one))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[1]",
        b"7",
        b'{"messages":7}',
        b'{"messages":[7,{"content":{}}]}',
        b'{"messages":[{"content":[{"text":"\\ud83d"}]}]}',
    ],
)
def test_odd_bodies_can_be_compared(body: bytes) -> None:
    odd = asked("/v1/chat/completions", body)
    assert nearness(odd, said("a")) < nearness(said("a"), said("a"))
    assert nearness(said("a"), odd) <= nearness(odd, odd)
    assert mismatch.differences(odd, said("a"))


def test_a_path_of_any_length_is_compared_in_no_time() -> None:
    recorded, now = asked("/" * 5_000_000, b""), asked("/v1/files", b"")
    began = time.thread_time()
    assert nearness(recorded, now)[0] == 0
    assert time.thread_time() - began < 1
