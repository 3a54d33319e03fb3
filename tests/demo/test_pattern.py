"""What is generated matches."""

from __future__ import annotations

import re
from random import Random

import pytest

from proxy.demo.pattern import NoMatchError, matching


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{3}-\\d{4}$",
        "^(?:red|green|blue)+$",
        "^\\w+@[a-z]+\\.(com|org)$",
        "a?b*c+.[^a-z\\s]",
        "^(?P<year>\\d{4})-(0[1-9]|1[0-2])$",
        "^[\\w.-]+?$",
        "^x{2,}y{0,1}z{1,3}$",
        "^\\D\\S\\W\\t$",
        "^[]a]\\]$",
        "",
    ],
)
def test_strings_match(pattern: str) -> None:
    for seed in range(20):
        assert re.search(pattern, matching(pattern, Random(seed)))


@pytest.mark.parametrize("pattern", ["(", "[a", "(?!)", "^(?=b)a$", "\\p{L}"])
def test_what_is_not_understood_is_said_so(pattern: str) -> None:
    with pytest.raises(NoMatchError, match="pattern"):
        matching(pattern, Random(1))
