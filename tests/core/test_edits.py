"""Edits change their spans and nothing else, in a whole text as in its pieces."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.edits import Edit, applied, measured, spread

PAIR = "\ud83d\ude42"

CUTS = st.lists(st.integers(0, 40), max_size=8)
TEXT = st.text(st.sampled_from("ab\u00e9\U0001f642"), max_size=30)
NEW = st.text(st.sampled_from("xyz"), max_size=6)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[Edit[str]]]:
    """Draw a text and some edits of it."""
    text = draw(TEXT)
    places = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return text, [Edit(start, end, draw(NEW)) for start, end in zip(places[::2], places[1::2], strict=False)]


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def spread_over(pieces: list[str], edits: list[Edit[str]]) -> list[str]:
    shares = spread(edits, [len(piece) for piece in pieces])
    return [applied(piece, share) for piece, share in zip(pieces, shares, strict=True)]


def test_edits_are_applied_in_order() -> None:
    assert applied("abcdef", [Edit(0, 1, "xyz"), Edit(2, 4, ""), Edit(4, 6, "!")]) == "xyzb!"
    assert applied(b"abcdef", [Edit(1, 2, b"--")]) == b"a--cdef"
    assert applied("abc", []) == "abc"


@pytest.mark.parametrize(
    ("pieces", "edit", "expected"),
    [
        (["abcdef"], Edit(1, 3, "xyz"), ["axyzdef"]),
        (["abc", "def"], Edit(0, 3, "xyz!"), ["xyz!", "def"]),
        (["abc", "def"], Edit(3, 4, "xyz"), ["abc", "xyzef"]),
        (["abc", "def"], Edit(1, 5, "wxyz"), ["awx", "yzf"]),
        (["abc", "def"], Edit(1, 5, "stuvwxyz"), ["ast", "uvwxyzf"]),
        (["abc", "def"], Edit(1, 5, "x"), ["ax", "f"]),
        (["abc", "def"], Edit(0, 6, ""), ["", ""]),
        (["a", "", "b", "", "c", ""], Edit(0, 3, "xyz!"), ["x", "", "y", "", "z!", ""]),
        (["", "ab"], Edit(0, 1, "xy"), ["", "xyb"]),
    ],
)
def test_each_piece_gets_as_much_as_it_had_and_the_last_the_rest(
    pieces: list[str], edit: Edit[str], expected: list[str]
) -> None:
    assert spread_over(pieces, [edit]) == expected


def test_several_edits_may_fall_on_one_piece_or_share_one() -> None:
    assert spread_over(["abcd", "efgh"], [Edit(0, 1, "1"), Edit(2, 3, "2"), Edit(3, 5, "34"), Edit(7, 8, "")]) == [
        "1b23",
        "4fg",
    ]


@pytest.mark.parametrize(("size", "expected"), [(1, [PAIR, "x"]), (2, [PAIR, "x"]), (3, [PAIR + "x", ""])])
def test_a_new_text_is_not_cut_within_a_character(size: int, expected: list[str]) -> None:
    assert spread_over(["a" * size, "b"], [Edit(0, size + 1, PAIR + "x")]) == expected


@settings(deadline=None, max_examples=300)
@given(edited(), CUTS)
def test_for_any_pieces_what_they_join_to_is_the_edited_text(
    case: tuple[str, list[Edit[str]]], cuts: list[int]
) -> None:
    text, edits = case
    pieces = pieces_of(text, cuts)
    new = spread_over(pieces, edits)
    assert "".join(new) == applied(text, edits)
    assert len(new) == len(pieces)
    starts = accumulate((len(piece) for piece in pieces), initial=0)
    for piece, start, changed in zip(pieces, starts, new, strict=False):
        if not any(edit.start < start + len(piece) and start < edit.end for edit in edits):
            assert changed == piece


@settings(deadline=None, max_examples=200)
@given(edited())
def test_edits_in_another_measure_do_the_same(case: tuple[str, list[Edit[str]]]) -> None:
    text, edits = case
    in_bytes = [
        Edit(edit.start, edit.end, edit.text.encode())
        for edit in measured(text, edits, lambda piece: len(piece.encode()))
    ]
    assert applied(text.encode(), in_bytes) == applied(text, edits).encode()
