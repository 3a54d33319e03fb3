"""A line of `grep`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from proxy.cli.excerpt import MARK, excerpt
from proxy.cli.screen import styled
from proxy.cli.wording import printable
from proxy.core.matching import Line, compiled, lines

if TYPE_CHECKING:
    from rich.text import Text

TITLE = "3f2a9c:1 user: "


def laid_out(text: str, pattern: str, width: int = 60) -> Text:
    (line, *_) = lines(compiled(pattern), text)
    return excerpt(styled(TITLE), line, width)


def marked(text: Text) -> list[str]:
    return [text.plain[span.start : span.end] for span in text.spans if span.style == MARK]


def test_a_short_line_is_whole_and_all_its_matches_are_marked() -> None:
    line = laid_out("order 12 and order 13", r"\d+")
    assert line.plain == TITLE + "order 12 and order 13"
    assert marked(line) == ["12", "13"]


def test_a_long_line_is_cut_around_its_first_match() -> None:
    line = laid_out("a " * 100 + "here" + " b" * 100, "here")
    assert cell_len(line.plain) <= 60
    assert line.plain.startswith(f"{TITLE}…")
    assert line.plain.endswith("…")
    assert marked(line) == ["here"]


def test_a_line_begins_where_it_does_if_that_leaves_the_match_in() -> None:
    assert laid_out("   deeply indented", "ind").plain == TITLE + "deeply indented"
    assert laid_out("    x", "^ +").plain == TITLE + "    x"
    assert laid_out("found at once " + "b " * 90, "at").plain.startswith(TITLE + "found at once b")


def test_a_match_over_a_lines_end_is_on_one_line() -> None:
    assert laid_out("one\ntwo", "e\nt").plain == TITLE + "one two"


def test_a_match_that_fills_the_line_is_cut_itself() -> None:
    line = laid_out("x" * 500, "x+")
    assert line.plain == TITLE + "x" * 44 + "…"


def test_an_empty_match_shows_its_line() -> None:
    assert excerpt(styled(TITLE), Line("abc", ((3, 3),)), 60).plain == TITLE + "abc"


def test_what_could_steer_a_terminal_is_told_in_letters() -> None:
    line = laid_out("a\x1b[2Jb", "b")
    assert line.plain == TITLE + "a\\x1b[2Jb"
    assert marked(line) == ["b"]


@given(st.text(max_size=90), st.text("ab日👋\x1b\t", min_size=1, max_size=9), st.text(max_size=90))
def test_no_line_is_wider_than_there_is_room_and_what_was_found_is_on_it(before: str, found: str, after: str) -> None:
    before, after = (text.replace("\n", " ") for text in (before, after))
    line = excerpt(styled(TITLE), Line(before + found + after, ((len(before), len(before) + len(found)),)), 60)
    assert line.cell_len <= 60
    assert printable(line.plain) == line.plain
    assert any(mark for mark in marked(line)), line


@pytest.mark.parametrize("width", [1, 20, 35])
def test_there_is_always_some_text(width: int) -> None:
    assert marked(laid_out("a " * 90 + "here", "here", width)) == ["here"]
