"""Tokens are the text, in pieces."""

from __future__ import annotations

from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.demo import tokens


@given(st.text())
def test_joined_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens.split(text)) == text


def test_conversations_cost_more_than_their_words() -> None:
    assert tokens.count("one two") == 2
    assert tokens.count_messages(["one two", "three"]) == 3 + (3 + 2) + (3 + 1)
    assert tokens.count_json(None) == 0
    assert tokens.count_json({"a": 1}) > 1


@pytest.mark.parametrize("top", [0, 1, 2, 20])
def test_logprobs_are_in_order_and_their_sum_stays_below_one(top: int) -> None:
    text = "Zürich, it is 🎲"
    scored = tokens.logprobs(tokens.split(text), top, Random(1))
    assert b"".join(bytes(entry["bytes"]) for entry in scored).decode() == text
    for entry in scored:
        ranked = [other["logprob"] for other in entry["top_logprobs"]]
        assert len(ranked) == top
        assert ranked == sorted(ranked, reverse=True)
        assert sum(map(exp, ranked)) < 1
        assert len({other["token"] for other in entry["top_logprobs"]}) == top
