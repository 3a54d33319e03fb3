"""Texts cut into pieces: joined they are the text, and rules look at whole texts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.cut import MOST_ANNOUNCED, Cutter, Value, announced, matchers
from proxy.core.rules import Pattern
from proxy.core.scrubbers import SCRUBBERS
from tests.core.scrubbing import PATTERNS, TEXTS

PLACES = (("home", "/var/lib/ci"), ("workdir", "/srv/shop"))
EVERY = frozenset(SCRUBBERS)


def cutter(*patterns: Pattern, names: frozenset[str] = EVERY) -> Cutter:
    return Cutter(matchers(names, patterns, PLACES), {*names, *(pattern.name for pattern in patterns)})


def told(text: str, *patterns: Pattern) -> list[str | tuple[str, str]]:
    return [piece if isinstance(piece, str) else (piece.rule, piece.text) for piece in cutter(*patterns).cut(text)]


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.lists(st.sampled_from(PATTERNS), unique=True).map(tuple))
def test_the_pieces_joined_are_the_text(text: str, patterns: tuple[Pattern, ...]) -> None:
    pieces = cutter(*patterns).cut(text)
    assert "".join(piece if isinstance(piece, str) else piece.text for piece in pieces) == text
    assert all(piece if isinstance(piece, str) else piece.text for piece in pieces) or text == ""


def test_what_an_earlier_rule_took_is_no_part_of_a_later_one() -> None:
    number = Pattern(name="number", pattern=r"\d+")
    first = Pattern(name="first", pattern=r"a\d")
    assert told("a123 2026-11-25", first, number) == [
        ("first", "a1"),
        ("number", "23"),
        " ",
        ("number", "2026"),
        "-",
        ("number", "11"),
        "-",
        ("number", "25"),
    ]
    assert told("a1", number, first) == ["a", ("number", "1")]


def test_a_placeholder_is_taken_first() -> None:
    assert told("<uuid:3> <other:1>", Pattern(name="word", pattern="uuid")) == [("uuid", "<uuid:3>"), " <other:1>"]
    assert cutter().placeholder("<uuid:#7>") == Value("uuid", "<uuid:#7>", "#", 7)
    assert cutter().placeholder("<uuid:7>!") is None


def test_a_folder_that_is_told_in_part_by_a_placeholder_is_none() -> None:
    assert announced({"a": ["cwd: /srv/x", "Working directory: /a/<uuid:1>/b"]}, {"uuid"}) == {"/srv/x"}
    assert announced("localhost:<localhost-port:1>cwd: /a/b", {"localhost-port"}) == set()


def test_more_folders_than_a_request_can_have_are_none() -> None:
    assert len(announced(" ".join(f"cwd: /srv/a{number}" for number in range(200)), ())) == MOST_ANNOUNCED
