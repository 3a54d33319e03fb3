"""Two texts side by side: what changed is marked, and what did not is short."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.worddiff import marked


@pytest.mark.parametrize(
    ("recorded", "asked", "expected"),
    [
        ("What is a cassette?", "What is a casette?", ("What is a [-cassette-]?", "What is a {+casette+}?")),
        ("a b c", "a c", ("a [-b -]c", "a c")),
        ("a c", "a b c", ("a c", "a {+b +}c")),
        ("", "new", ("", "new")),
        ("cat", "dog", ("cat", "dog")),
        ("one two three", "one 2 three", ("one [-two-] three", "one {+2+} three")),
        ("x = 1; y = 2", "x = 3; y = 4", ("x = [-1-]; y = [-2-]", "x = {+3+}; y = {+4+}")),
        ("same", "same", ("same", "same")),
    ],
)
def test_changed_words_are_marked(recorded: str, asked: str, expected: tuple[str, str]) -> None:
    assert marked(recorded, asked) == expected


def test_what_is_equal_is_cut_to_what_stands_around_a_change() -> None:
    one, other = marked("a " * 500 + "cat" + " b" * 500, "a " * 500 + "dog" + " b" * 500)
    assert one.startswith("…")
    assert one.endswith("…")
    assert "[-cat-]" in one
    assert "{+dog+}" in other
    assert len(one) < 90


def test_many_changes_are_not_all_shown() -> None:
    words = [f"w{number}" for number in range(40)]
    one, _ = marked(" ".join(words), " ".join(f"{word}x" if number % 2 else word for number, word in enumerate(words)))
    assert one.count("[-") == 4
    assert one.endswith("…")


def test_long_changes_are_cut_in_their_middle() -> None:
    one, other = marked("a" * 1000, "b" * 1000)
    assert len(one) < 110
    assert "…" in other


def test_texts_of_any_length_cost_little() -> None:
    one, other = marked("a b " * 200_000, "b a " * 200_000)
    assert max(len(one), len(other)) < 1000


@given(st.text(max_size=60), st.text(max_size=60))
def test_without_its_marks_a_short_text_is_what_it_was(recorded: str, asked: str) -> None:
    for text, side in zip(marked(recorded, asked), (recorded, asked), strict=True):
        if "…" not in text and not re.search(r"[\[\]{}+-]", recorded + asked):
            assert re.sub(r"\[-|-\]|\{\+|\+\}", "", text) == side
