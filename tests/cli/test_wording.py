"""How values are put into words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli import wording

HOSTILE = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\ud83d"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("naïve 日本語 👋🏽 👩‍👩‍👧", "naïve 日本語 👋🏽 👩‍👩‍👧"),
        ("two\nlines", "two\nlines"),
        ("two\r\nlines", "two\nlines"),
        ("back\rover", "back\\rover"),
        ("a\tb", "a   b"),
        ("\x1b[2J\x9b31m\x07\x7f", "\\x1b[2J\\x9b31m\\x07\\x7f"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_what_could_steer_a_terminal_is_escaped_and_nothing_else(text: str, shown: str) -> None:
    assert wording.printable(text) == shown


@given(HOSTILE)
def test_printable_text_can_be_encoded_and_is_printable_already(text: str) -> None:
    shown = wording.printable(text)
    assert wording.printable(shown) == shown
    shown.encode()


@given(
    st.recursive(HOSTILE | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner))
)
def test_a_document_is_safe_to_show_and_loses_nothing(value: object) -> None:
    text = wording.document(value, indent=2)
    assert json.loads(text) == value
    assert wording.printable(text) == text


def test_white_space_is_folded_into_one_line() -> None:
    assert wording.folded(" a\n\n  b\tc ") == "a b c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"city":"Zürich"}', '{\n  "city": "Zürich"\n}'),
        (" [1]", "[\n  1\n]"),
        ("[see below]", "[see below]"),
        ("plain", "plain"),
        ("7", "7"),
        ("", ""),
        ("[" * 3000, "[" * 3000),
    ],
)
def test_only_json_objects_and_arrays_are_laid_out(text: str, shown: str) -> None:
    assert wording.laid_out(text) == shown


@pytest.mark.parametrize(
    ("data", "value"),
    [(b'{"a": 1}', {"a": 1}), (b"", None), (b"Bad gateway", "Bad gateway"), (b"\xff\xfe", "\\xff\\xfe")],
)
def test_bytes_are_json_or_text(data: bytes, value: object) -> None:
    assert wording.parsed(data) == value


@pytest.mark.parametrize(
    ("microseconds", "words"),
    [
        (0, "0.0 ms"),
        (412, "0.4 ms"),
        (1_000, "1 ms"),
        (999_999, "999 ms"),
        (1_250_000, "1.2 s"),
        (125_400_000, "125 s"),
    ],
)
def test_durations_have_a_unit_that_fits(microseconds: int, words: str) -> None:
    assert wording.duration(microseconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "400 ms"), (59, "59.0 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (4e6, "1,111 h 6 min")],
)
def test_spans_are_told_in_hours_where_they_took_them(seconds: float, words: str) -> None:
    assert wording.span(int(seconds * 1_000_000)) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 bytes"), (999, "999 bytes"), (4321, "4.3 kB"), (2_500_000, "2.5 MB")]
)
def test_sizes_have_a_unit_that_fits(count: int, words: str) -> None:
    assert wording.size(count) == words


def test_times_are_told_as_they_are_stored_whatever_the_local_time_zone() -> None:
    assert wording.minute("2026-11-22T22:45:07.123Z") == "2026-11-22 22:45"
    assert wording.second("2026-11-22T22:45:07.123Z") == "2026-11-22 22:45:07"


def test_tokens_that_nobody_counted_are_a_dash() -> None:
    assert [wording.tokens(0), wording.tokens(None)] == ["0", "-"]


def test_a_count_agrees_with_its_noun() -> None:
    assert [wording.counted(count, "call") for count in (0, 1, 2, 1000)] == [
        *("no calls", "1 call", "2 calls", "1,000 calls")
    ]


@pytest.mark.parametrize("text", ["a\r\nb\tc\n", "naïve 日本語 👋🏽", ""])
def test_text_that_steers_nothing_is_safe(text: str) -> None:
    assert wording.is_safe(text)


@pytest.mark.parametrize("text", ["a\rb", "\x1b", "\x9b", "\u202e", "\ud83d", "\x00"])
def test_text_that_could_steer_a_terminal_is_not_safe(text: str) -> None:
    assert not wording.is_safe(text)


def test_what_could_steer_a_terminal_can_be_spelt_in_another_way() -> None:
    assert wording.respelt("a\x1b\tb\n", lambda character: f"<{ord(character)}>") == "a<27><9>b\n"


def test_a_name_stands_on_one_line_and_can_be_read_back() -> None:
    assert wording.on_one_line("a lane\nof two\r\nlines\x1b[31m\twide") == "a lane\\nof two\\nlines\\x1b[31m  wide"
