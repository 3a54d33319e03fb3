"""Checks pass in silence, or name what is wrong and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.demo import checks
from proxy.demo.faults import ApiError

if TYPE_CHECKING:
    from proxy.demo.checks import Check

PERSON = checks.record({"name": checks.text(longest=3), "age": checks.whole(0, 150)}, required=["name"])
SHAPE = checks.tagged("type", {"circle": checks.record({"r": checks.number()}, required=["r"])})


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.anything, object()),
        (checks.flag, False),
        (checks.text(pattern="[a-z]+"), "abc"),
        (checks.number(0, 2), 0),
        (checks.number(0, 2), 2.0),
        (checks.whole(1), 1.0),
        (checks.one_of("a", "b"), "b"),
        (checks.array(checks.flag), []),
        (checks.mapping(checks.text()), {"a": "b"}),
        (PERSON, {"name": "Ada", "age": None, "unknown": 1}),
        (SHAPE, {"type": "circle", "r": 1}),
        (checks.either({str: checks.text(), list: checks.array(checks.text())}), ["a"]),
    ],
)
def test_good_values_pass(check: Check, value: Any) -> None:
    check("it", value)


@pytest.mark.parametrize(
    ("check", "value", "param", "code", "words"),
    [
        (checks.flag, 1, "it", "invalid_type", "expected a boolean, but got an integer instead"),
        (checks.text(), None, "it", "invalid_type", "expected a string, but got null instead"),
        (checks.text(longest=1), "ab", "it", "string_above_max_length", "maximum length 1, but got a string with"),
        (checks.text(pattern="a+"), "b", "it", "invalid_value", "the pattern '^a+$'"),
        (checks.number(), True, "it", "invalid_type", "expected a decimal, but got a boolean"),
        (checks.number(0, 2), 3, "it", "decimal_above_max_value", "<= 2, but got 3"),
        (checks.whole(1), 0, "it", "integer_below_min_value", ">= 1, but got 0"),
        (checks.whole(), 1.5, "it", "invalid_type", "expected an integer, but got a decimal"),
        (checks.one_of("a"), "z", "it", "invalid_value", "Invalid value: 'z'. Supported values are: 'a'."),
        (checks.one_of("a", "b", "c"), "z", "it", "invalid_value", "'a', 'b', and 'c'"),
        (checks.array(checks.flag, shortest=1), [], "it", "empty_array", "minimum length 1"),
        (checks.array(checks.flag, longest=1), [True] * 2, "it", "array_above_max_length", "an array with length 2"),
        (checks.array(checks.flag), [True, 0], "it[1]", "invalid_type", "'it[1]'"),
        (checks.mapping(checks.flag), {"a": 0}, "it.a", "invalid_type", "'it.a'"),
        (checks.mapping(checks.flag, most=0), {"a": True}, "it", "object_above_max_properties", "at most 0"),
        (PERSON, {}, "it.name", "missing_required_parameter", "Missing required parameter: 'it.name'"),
        (PERSON, {"name": None}, "it.name", "invalid_type", "got null"),
        (PERSON, [], "it", "invalid_type", "expected an object, but got an array"),
        (SHAPE, {}, "it.type", "missing_required_parameter", "'it.type'"),
        (SHAPE, {"type": "square"}, "it.type", "invalid_value", "'circle'"),
        (SHAPE, {"type": "circle"}, "it.r", "missing_required_parameter", "'it.r'"),
        (
            checks.either({str: checks.text(), list: checks.anything}),
            1,
            "it",
            "invalid_type",
            "one of a string or array",
        ),
    ],
)
def test_bad_values_are_named(check: Check, value: Any, param: str, code: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        check("it", value)
    fault = caught.value.fault
    assert (fault.status, fault.param, fault.code) == (400, param, code)
    assert words in fault.message


def test_paths_at_the_root_have_no_dot() -> None:
    with pytest.raises(ApiError, match="'name'"):
        PERSON("", {})
