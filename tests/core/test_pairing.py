"""Recordings of two runs, put together."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import Request
from proxy.core.normalize import Canonical, normalize
from proxy.core.pairing import pair


def form(*texts: str, path: str = "/v1/chat/completions", **fields: Any) -> Canonical:
    body = {"messages": [{"role": "user", "content": text} for text in texts], **fields}
    return normalize(Request("POST", path, body=json.dumps(body).encode()))


def test_the_same_calls_are_paired_each_once() -> None:
    one, other = [form("a"), form("a"), form("b")], [form("b"), form("a")]
    pairing = pair(one, other)
    assert pairing.same == ((0, 1), (2, 0))
    assert (pairing.near, pairing.only_one, pairing.only_other) == ((), (1,), ())


def test_a_call_that_changed_is_paired_with_what_is_nearest_whatever_the_order() -> None:
    one = [form("the weather in Paris on Monday"), form("the news of Monday")]
    other = [form("the news of Tuesday"), form("the weather in Paris on Tuesday")]
    assert pair(one, other).near == ((0, 1), (1, 0))


def test_what_has_nothing_in_common_stays_alone() -> None:
    pairing = pair([form("apples")], [form("engines"), form("apples", path="/v1/responses")])
    assert (pairing.near, pairing.only_one, pairing.only_other) == ((), (0,), (0, 1))


def test_the_same_variant_is_preferred() -> None:
    one, other = [form("on Monday", stream=True)], [form("on Friday"), form("on Friday", stream=True)]
    assert pair(one, other).near == ((0, 1),)


@given(st.lists(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_every_place_is_told_once(one: list[str], other: list[str]) -> None:
    pairing = pair([form(f"word {name}") for name in one], [form(f"word {name}") for name in other])
    both = pairing.same + pairing.near
    assert sorted([*(place for place, _ in both), *pairing.only_one]) == list(range(len(one)))
    assert sorted([*(place for _, place in both), *pairing.only_other]) == list(range(len(other)))
