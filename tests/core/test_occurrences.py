"""Values are found by what a text says, each where it stands alone, and the longest first."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import jsontext
from proxy.core.edits import applied
from proxy.core.occurrences import Finder, Replacement

EMOJI = "\U0001f642"
ALPHABET = ["a", "b", '"', "\\", "/", "\n", "\u00e9", EMOJI, "1"]
WORDS = st.text(st.sampled_from(ALPHABET), max_size=6)
VALUES = st.lists(st.builds(Replacement, WORDS, WORDS), max_size=4)


def in_text(text: str, *values: Replacement) -> str:
    return applied(text, Finder(values).in_text(text))


def in_json(text: str, *values: Replacement, is_json: bool = False) -> str:
    units = jsontext.units(text)
    return jsontext.whole(applied(units, Finder(values).in_units(units, is_json=is_json)))


def by_hand(text: str, values: list[Replacement]) -> str:
    """Replace by walking over the text, trying all values at each place."""
    done, place = "", 0
    ordered = sorted(values, key=lambda value: -len(value.recorded))
    while place < len(text):
        value = next((v for v in ordered if v.recorded and text.startswith(v.recorded, place)), None)
        done += value.asked if value else text[place]
        place += len(value.recorded) if value else 1
    return done


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a b a", [Replacement("a", "x")], "x b x"),
        ("aaa", [Replacement("aa", "x")], "xa"),
        ("a b", [Replacement("a", "b"), Replacement("b", "a")], "b a"),
        ("/tmp/a/b /tmp/a", [Replacement("/tmp/a", "/x"), Replacement("/tmp/a/b", "/y")], "/y /x"),
        ("/tmp/a/b /tmp/a", [Replacement("/tmp/a", "/x"), Replacement("/tmp/a/b", "/tmp/a/b")], "/tmp/a/b /x"),
        ("a", [Replacement("", "x")], "a"),
        ("a.c abc", [Replacement("a.c", "x")], "x abc"),
        ("abc", [], "abc"),
        ("", [Replacement("a", "x")], ""),
        ("a", [Replacement("a", r"\g<0>\1")], r"\g<0>\1"),
    ],
)
def test_occurrences_are_replaced_in_one_pass(text: str, values: list[Replacement], expected: str) -> None:
    assert in_text(text, *values) == expected


def test_what_must_hold_around_a_value_is_looked_at() -> None:
    day = Replacement("2024-05-01", "2025-01-09", r"(?<![0-9])", r"(?![0-9])")
    assert in_text("2024-05-01, 12024-05-01, 2024-05-011 and 2024-05-01", day) == (
        "2025-01-09, 12024-05-01, 2024-05-011 and 2025-01-09"
    )


def test_where_the_longest_does_not_hold_a_shorter_one_may() -> None:
    longer = Replacement("ab", "x", after=r"(?!\w)")
    assert in_text("abc ab", longer, Replacement("a", "y")) == "ybc x"


def test_of_two_with_the_same_text_the_first_that_holds_counts() -> None:
    assert in_text("80 :80", Replacement("80", "1", "(?<=:)"), Replacement("80", "2")) == "2 :1"


def test_alternatives_in_what_must_hold_stay_together() -> None:
    assert in_text("xa ya za", Replacement("a", "b", "(?<=x)|(?<=y)")) == "xb yb za"


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from(ALPHABET), max_size=20), VALUES)
def test_any_values_are_replaced_as_by_hand(text: str, values: list[Replacement]) -> None:
    assert in_text(text, *values) == by_hand(text, values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"path": "/tmp/a"}', '{"path": "C:\\\\new \\"x\\""}'),
        (r'{"path": "\/tmp\/a"}', '{"path": "C:\\\\new \\"x\\""}'),
        (r'{"path": "\u002ftmp/a\n"}', r'{"path": "C:\\new \"x\"\n"}'),
        (r'["line\n/tmp/a" ,  1.0]', r'["line\nC:\\new \"x\"" ,  1.0]'),
        ('{"/tmp/a": null}', '{"C:\\\\new \\"x\\"": null}'),
        (' \n["/tmp/a"] ', ' \n["C:\\\\new \\"x\\""] '),
        ("see /tmp/a", 'see C:\\new "x"'),
        ("[1] /tmp/a", '[1] C:\\new "x"'),
        ("{'path': '/tmp/a'}", "{'path': 'C:\\new \"x\"'}"),
        ('"/tmp/a"', '"C:\\new "x""'),
    ],
)
def test_a_text_that_is_json_is_read_as_json_and_any_other_as_it_stands(text: str, expected: str) -> None:
    assert in_json(text, Replacement("/tmp/a", 'C:\\new "x"')) == expected


def test_json_in_json_is_read_level_by_level() -> None:
    value = Replacement('/tmp/"a"', "C:\\b")
    for levels in range(4):
        text, expected = value.recorded, value.asked
        for _ in range(levels):
            text, expected = json.dumps({"x": text}), json.dumps({"x": expected})
        assert in_json(text, value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"path": "/tmp/a', '{"path": "\\"x\\"'),
        ('{"path": "/tmp/a", "at', '{"path": "\\"x\\"", "at'),
        ('{"path": "/tmp/a\\', '{"path": "\\"x\\"\\'),
        ('{"path": "/tm', '{"path": "/tm'),
        ('["/tmp/a", "', '["\\"x\\"", "'),
        ("/tmp/a", '"x"'),
        ("{'/tmp/a", '{\'"x"'),
    ],
)
def test_what_is_meant_as_json_may_be_cut_off(text: str, expected: str) -> None:
    assert in_json(text, Replacement("/tmp/a", '"x"'), is_json=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"at": 1714557600}', '{"at": 1736400000}'),
        ("[1714557600,1714557600]", "[1736400000,1736400000]"),
        ('{"at": -1714557600, "b": 1714557600.0, "c": 17145576001}', None),
        ('{"at": "1714557600"}', '{"at": "1736400000"}'),
    ],
)
def test_a_number_counts_where_it_is_the_whole_value(text: str, expected: str | None) -> None:
    assert in_json(text, Replacement("1714557600", "1736400000")) == (expected or text)


def test_a_number_is_not_replaced_by_what_is_none() -> None:
    assert in_json('[1714557600, "1714557600"]', Replacement("1714557600", "today")) == '[1714557600, "today"]'


def test_halves_of_a_character_match_the_whole() -> None:
    text = "a\ud83d\ude42b \ud83d"
    assert in_json(text, Replacement(f"{EMOJI}b", "x")) == "ax \ud83d"
    assert in_json(text, Replacement("b", EMOJI)) == f"a{EMOJI}{EMOJI} \ud83d"


def test_what_must_hold_is_asked_of_characters_and_not_of_halves() -> None:
    letter = "\U0001d400"
    assert re.fullmatch(r"\w", letter)
    assert in_json(f"{letter}a a", Replacement("a", "b", r"(?<!\w)")) == f"{letter}a b"


DOCUMENTS = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
).filter(lambda value: not isinstance(value, str))


@settings(deadline=None, max_examples=200)
@given(document=DOCUMENTS, values=VALUES, ascii_only=st.booleans())
def test_in_any_json_each_string_is_replaced_as_it_would_be_alone(
    document: Any, values: list[Replacement], *, ascii_only: bool
) -> None:
    def changed(value: Any) -> Any:
        # Names may become equal, so that an object is compared as the list of its pairs. Plain words stay as names.
        kept = [replace(it, asked=it.recorded) if re.fullmatch(r"\w+", it.recorded) else it for it in values]
        if isinstance(value, dict):
            return [[in_text(name, *kept), changed(item)] for name, item in value.items()]
        return [changed(item) for item in value] if isinstance(value, list) else in_text(value, *values)

    text = in_json(json.dumps(document, ensure_ascii=ascii_only), *values)
    assert json.loads(text, object_pairs_hook=lambda pairs: list(map(list, pairs))) == changed(document)


def test_many_hits_that_do_not_hold_take_time_in_proportion() -> None:
    text = "a" * 200_000
    assert in_text(text, Replacement("aa", "x", after="(?!a)"), Replacement("ab", "y")) == text[:-2] + "x"


def test_a_name_that_is_a_plain_word_is_the_tools_own() -> None:
    values = [Replacement("path", "file"), Replacement("/tmp/a", "/tmp/b")]
    text = '{"path": "path", "/tmp/a": 1, "/tmp/a/x": 2}'
    assert in_json(text, *values) == '{"path": "file", "/tmp/b": 1, "/tmp/b/x": 2}'
