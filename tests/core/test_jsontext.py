"""The strings of a JSON text are found, read and placed; and nothing that comes in makes it fall over."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import jsontext
from proxy.core.canonical import DEEPEST
from proxy.core.jsontext import Kind, Path, Scalar, scan

if TYPE_CHECKING:
    from collections.abc import Iterator

EMOJI = "\U0001f642"
HALVES = "\ud83d\ude42"

TEXTS = st.text(
    st.characters() | st.sampled_from(['"', "\\", "/", "u", "0", "\n", "\u00e9", EMOJI, *HALVES]), max_size=8
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

SPELLINGS: dict[str, tuple[str, str]] = {
    "plain": ("abc", "abc"),
    "empty": ("", ""),
    "escapes": (r"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
    "a code": (r"a\u00e9b", "a\u00e9b"),
    "a code in capitals": (r"\u00E9", "\u00e9"),
    "raw": ("\u00e9", "\u00e9"),
    "a raw emoji": (f"a{EMOJI}b", f"a{HALVES}b"),
    "an emoji in two codes": (r"\ud83d\ude42", HALVES),
    "half an emoji": (r"a\ud83d", "a\ud83d"),
    "the other half": (r"\ude42b", "\ude42b"),
    "halves the wrong way round": (r"\ude42\ud83d", "\ude42\ud83d"),
    "a raw half": ("\ud83d", "\ud83d"),
    "an escaped backslash before a u": (r"\\u00e9", "\\u00e9"),
    "an escaped backslash at the end": (r"a\\", "a\\"),
    "NUL": (r"\u0000", "\0"),
    "a raw line end": ("a\nb", "a\nb"),
    "a backslash that begins no escape": (r"C:\Users\x", r"C:\Users\x"),
    "a code of no digits": (r"\uzzzz", r"\uzzzz"),
    "a code of too few digits": (r"\u12", r"\u12"),
    "a backslash before an emoji": ("\\" + EMOJI, "\\" + HALVES),
}


def found(text: str) -> list[tuple[Kind, Path, str]]:
    return [(scalar.kind, scalar.path, scalar.text) for scalar in scan(text)]


def strings(text: str) -> list[tuple[Path, str]]:
    return [(path, found_text) for kind, path, found_text in found(text) if kind is Kind.STRING]


def by_walking(value: Any, path: Path = ()) -> Iterator[tuple[Kind, Path, str]]:
    """Yield what `scan` should, from a parsed value; numbers without their spelling."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield Kind.NAME, (*path, jsontext.units(name)), jsontext.units(name)
            yield from by_walking(item, (*path, jsontext.units(name)))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from by_walking(item, (*path, place))
    elif isinstance(value, str):
        yield Kind.STRING, path, jsontext.units(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Kind.NUMBER, path, json.dumps(value)


def assert_placed(text: str, scalar: Scalar) -> None:
    """Hold that the places lead from one unit's spelling to the next, and that each spells its unit."""
    places = list(scalar.places)
    assert len(places) == len(scalar.text) + 1
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)
    spellings = [text[start:end] for start, end in pairwise(places)]
    if scalar.kind is not Kind.NUMBER:
        # A raw character of two units is spelt at the first of them.
        read = "".join(
            json.loads(f'"{one}"', strict=False) if one[:1] == "\\" and one[1:] else one for one in spellings
        )
        assert jsontext.units(read) == scalar.text


def test_names_strings_and_numbers_come_in_order_with_their_paths() -> None:
    text = '{"a": ["x", 1, {"b": null, "c": "y"}], "d": -2.50e+1, "e": true, "f": {}, "g": "z"}'
    assert found(text) == [
        (Kind.NAME, ("a",), "a"),
        (Kind.STRING, ("a", 0), "x"),
        (Kind.NUMBER, ("a", 1), "1"),
        (Kind.NAME, ("a", 2, "b"), "b"),
        (Kind.NAME, ("a", 2, "c"), "c"),
        (Kind.STRING, ("a", 2, "c"), "y"),
        (Kind.NAME, ("d",), "d"),
        (Kind.NUMBER, ("d",), "-2.50e+1"),
        (Kind.NAME, ("e",), "e"),
        (Kind.NAME, ("f",), "f"),
        (Kind.NAME, ("g",), "g"),
        (Kind.STRING, ("g",), "z"),
    ]


@pytest.mark.parametrize(("spelling", "text"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_string_is_decoded_and_each_unit_placed(spelling: str, text: str) -> None:
    document = f'["{spelling}"]'
    (scalar,) = scan(document)
    assert scalar.text == text
    assert len(scalar.places) == len(text) + 1
    assert (scalar.places[0], scalar.places[-1]) == (2, 2 + len(spelling))


def test_the_places_of_units_are_those_of_their_spellings() -> None:
    document = rf'["a\n\u00e9{EMOJI}\ud83d\ude42\x"]'
    (scalar,) = scan(document)
    spellings = [document[start:end] for start, end in pairwise(scalar.places)]
    assert spellings == ["a", r"\n", r"\u00e9", EMOJI, "", r"\ud83d", r"\ude42", "\\", "x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" ", []),
        ("null", []),
        ('"a"', [((), "a")]),
        ('\ufeff{"a":"b"}', [(("a",), "b")]),
        ('{"a":"b"', [(("a",), "b")]),
        ('{"a":"b', [(("a",), "b")]),
        ('{"a":"b\\', [(("a",), "b")]),
        ('{"a":"b\\u00', [(("a",), "b")]),
        ('{"a":"', [(("a",), "")]),
        ('{"a":', []),
        ('{"a', []),
        ('{"a":"b"} x "c"', [(("a",), "b"), ((), "c")]),
        ('["a",,"b"]', [((0,), "a"), ((2,), "b")]),
        ('["a"]]]["b"]', [((0,), "a"), ((0,), "b")]),
        ('{"a":None,"b":"c"}', [(("b",), "c")]),
        ('[NaN,-Infinity,"a"]', [((2,), "a")]),
        ('{"a":"b","a":"c"}', [(("a",), "b"), (("a",), "c")]),
        ("Internal Server Error", []),
        ("}{", []),
        (',:,"a"', [((), "a")]),
    ],
)
def test_what_is_no_json_or_cut_off_gives_what_it_can(text: str, expected: list[tuple[Path, str]]) -> None:
    assert strings(text) == expected


@settings(deadline=None, max_examples=300)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1, "\t"]))
def test_all_that_json_reads_is_found(value: Any, *, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert found(text) == list(by_walking(value))
    for scalar in scan(text):
        assert_placed(text, scalar)


@settings(deadline=None, max_examples=100)
@given(value=VALUES, ascii_only=st.booleans())
def test_a_text_cut_off_anywhere_yields_the_beginning_of_what_the_whole_does(value: Any, *, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    full = [scalar for scalar in scan(text) if scalar.kind is not Kind.NUMBER]
    for end in range(len(text)):
        scalars = [scalar for scalar in scan(text[:end]) if scalar.kind is not Kind.NUMBER]
        assert scalars[:-1] == full[: len(scalars)][:-1]
        if scalars:
            last, whole = scalars[-1], full[len(scalars) - 1]
            assert whole.text.startswith(last.text)
            assert list(last.places) == list(whole.places)[: len(last.places)]
            assert last.kind is whole.kind


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([*'{}[],:"\\u0dx \n1-', "null", r"\u", EMOJI, "\ud83d", "\ufeff"]), max_size=30).map(
        "".join
    )
)
@example('"\\u12"')
def test_no_text_makes_it_fall_over(text: str) -> None:
    for scalar in scan(text):
        places = list(scalar.places)
        assert len(places) == len(scalar.text) + 1
        assert places == sorted(places)
        assert places[-1] <= len(text)


def test_nesting_past_the_deepest_is_not_followed() -> None:
    assert strings("[" * DEEPEST + '"a"') == [((0,) * DEEPEST, "a")]
    assert strings("[" * (DEEPEST + 1) + '"a"') == []
    assert strings("[" * 100_000) == []


@pytest.mark.parametrize(
    "text", ['"' + "\\" * 600_001, '["' + r"\u00e9" * 200_000, '["",' * 199 + " " * 500_000, '"' * 300_000]
)
def test_long_texts_take_time_in_proportion(text: str) -> None:
    assert sum(len(scalar.text) for scalar in scan(text)) < len(text)


@pytest.mark.parametrize(
    ("text", "spelling", "ascii_spelling"),
    [
        ("abc/", "abc/", "abc/"),
        ('"\\\n\0', r"\"\\\n\u0000", r"\"\\\n\u0000"),
        ("\u00e9", "\u00e9", r"\u00e9"),
        (EMOJI, EMOJI, r"\ud83d\ude42"),
        (HALVES, EMOJI, r"\ud83d\ude42"),
        ("\ud83d", r"\ud83d", r"\ud83d"),
        ("\ude42a", r"\ude42a", r"\ude42a"),
    ],
)
def test_a_text_is_spelt_with_no_more_escapes_than_it_needs(text: str, spelling: str, ascii_spelling: str) -> None:
    assert jsontext.spelt(text) == spelling
    assert jsontext.spelt(text, ascii_only=True) == ascii_spelling


@settings(deadline=None, max_examples=200)
@given(text=TEXTS, ascii_only=st.booleans())
def test_what_was_spelt_reads_the_same(text: str, *, ascii_only: bool) -> None:
    spelling = jsontext.spelt(text, ascii_only=ascii_only)
    assert json.loads(f'"{spelling}"') == jsontext.whole(text)
    assert [scalar.text for scalar in scan(f'"{spelling}"')] == [jsontext.units(text)]
    assert spelling.isascii() or not ascii_only
    spelling.encode()


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_units_and_characters_are_two_views_of_one_text(text: str) -> None:
    halves = jsontext.units(text)
    assert all(unit <= "\uffff" for unit in halves)
    assert len(halves) == len(text.encode("utf-16-le", "surrogatepass")) // 2
    assert jsontext.units(jsontext.whole(halves)) == halves
    assert jsontext.whole(jsontext.whole(halves)) == jsontext.whole(halves)


@pytest.mark.parametrize(
    ("text", "begins", "is_whole"),
    [
        ("{}", True, True),
        ("[]", True, True),
        (' \r\n\t{ "a": 1 } ', True, True),
        ('{"a": "b\n"}', True, True),
        ('{"a": ' + "1" * 5000 + "}", True, True),
        ('{"a": NaN}', True, True),
        ('{"a"', True, False),
        ("{", True, False),
        ("[", True, False),
        ("[1] says so", True, False),
        ("[" * 100_000, True, False),
        ("{} {}", True, False),
        ("{'a': 1}", False, False),
        ("{a}", False, False),
        ("1", False, True),
        ('"a"', False, True),
        ("a", False, False),
        ("", False, False),
    ],
)
def test_a_text_is_seen_to_begin_as_json_and_to_be_it(text: str, *, begins: bool, is_whole: bool) -> None:
    assert jsontext.begins(text) is begins
    assert jsontext.is_whole(text) is is_whole


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e9", "-0.5E-3", "1" * 5000])
def test_a_number_is_known_by_its_spelling(text: str) -> None:
    assert jsontext.is_number(text)


@pytest.mark.parametrize("text", ["", "-", "01", "+1", ".5", "1.", "1e", "0x1", "1 ", "1\n", "NaN", "\u0661"])
def test_what_json_does_not_call_a_number_is_none(text: str) -> None:
    assert not jsontext.is_number(text)
