"""Lines that match a pattern."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.errors import ConfigError
from proxy.core.matching import Line, compiled, lines


def found(pattern: str, text: str, *, is_fixed: bool = False, ignores_case: bool = False) -> list[Line]:
    return list(lines(compiled(pattern, is_fixed=is_fixed, ignores_case=ignores_case), text))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("b", [Line("abc", ((1, 2),)), Line("b b", ((0, 1), (2, 3)))]),
        ("^b", [Line("b b", ((0, 1),))]),
        ("c$", [Line("abc", ((2, 3),))]),
        ("c\nd", [Line("abc\nd", ((2, 5),))]),
        ("x", []),
        ("^", [Line("abc", ((0, 0),)), Line("d", ((0, 0),)), Line("b b", ((0, 0),)), Line("", ((0, 0),))]),
    ],
)
def test_a_line_is_told_once_with_all_its_matches(pattern: str, expected: list[Line]) -> None:
    assert found(pattern, "abc\nd\nb b\n") == expected


def test_a_match_over_a_lines_end_takes_both_lines_and_what_matches_in_them() -> None:
    assert found("b\nc|d", "ab\ncd\nd") == [Line("ab\ncd", ((1, 4), (4, 5))), Line("d", ((0, 1),))]


def test_a_fixed_pattern_is_a_text_and_case_counts_unless_told() -> None:
    assert found("a.b", "a.b axb", is_fixed=True) == [Line("a.b axb", ((0, 3),))]
    assert found("GRÜSSE", "grüsse") == []
    assert found("GRÜSSE", "grüsse", ignores_case=True)


@pytest.mark.parametrize("pattern", ["(", "[a", "*", "(?P<1>a)", "a{3,2}", "a{99999999999}"])
def test_a_wrong_pattern_is_told_with_what_to_do(pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"no regular expression: .*give -F"):
        compiled(pattern)
    assert compiled(pattern, is_fixed=True).search(pattern)


@given(st.text("ab\n", max_size=30), st.sampled_from(["a", "ab", "b\n", "a*", "$", "(?s)a.b", "[^a]+"]))
def test_every_match_is_told_once_where_it_stands(text: str, pattern: str) -> None:
    told = [line.text[first:last] for line in found(pattern, text) for first, last in line.matches]
    assert told == [match[0] for match in re.compile(pattern, re.MULTILINE).finditer(text)]
