"""Checks for JSON values, to be put together into the grammar of a request.

One rule: a check knows its value's path and nothing else; it passes in silence, or raises the 400 that the real API
would answer, with that path as `param`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from proxy.demo.faults import ApiError, invalid

Check: TypeAlias = Callable[[str, Any], None]

_JSON_NAMES: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a decimal",
    bool: "a boolean",
    type(None): "null",
}


def anything(_path: str, _value: Any) -> None:
    """Accept any value."""


def flag(path: str, value: Any) -> None:
    """Accept true and false."""
    _expect(path, value, bool)


def text(*, longest: int | None = None, pattern: str | None = None) -> Check:
    """Accept a string, up to a length, of a form."""

    def check(path: str, value: Any) -> None:
        _expect(path, value, str)
        if longest is not None and len(value) > longest:
            raise _too_long(path, "string", longest, len(value))
        if pattern is not None and not re.fullmatch(pattern, value):
            raise invalid(
                f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
                f"'^{pattern}$'.",
                path,
                "invalid_value",
            )

    return check


def number(low: float | None = None, high: float | None = None) -> Check:
    """Accept any number within bounds."""

    def check(path: str, value: Any) -> None:
        # A bool is an int to Python, never to JSON.
        if type(value) not in {int, float}:
            raise _wrong_type(path, "a decimal", value)
        _within(path, value, low, high, "decimal")

    return check


def whole(low: int | None = None, high: int | None = None) -> Check:
    """Accept an integer within bounds, however it is spelt."""

    def check(path: str, value: Any) -> None:
        if type(value) is not int and not (type(value) is float and value.is_integer()):
            raise _wrong_type(path, "an integer", value)
        _within(path, value, low, high, "integer")

    return check


def one_of(*values: str) -> Check:
    """Accept one of the given strings."""

    def check(path: str, value: Any) -> None:
        _expect(path, value, str)
        if value not in values:
            raise _unsupported(path, value, values)

    return check


def array(item: Check, *, shortest: int = 0, longest: int | None = None) -> Check:
    """Accept an array whose items all pass."""

    def check(path: str, value: Any) -> None:
        _expect(path, value, list)
        if len(value) < shortest:
            raise invalid(
                f"Invalid '{path}': empty array. Expected an array with minimum length {shortest}, but got an empty "
                "array instead.",
                path,
                "empty_array",
            )
        if longest is not None and len(value) > longest:
            raise _too_long(path, "array", longest, len(value))
        for position, element in enumerate(value):
            item(f"{path}[{position}]", element)

    return check


def mapping(value_check: Check, *, most: int | None = None) -> Check:
    """Accept an object with free names, whose values all pass."""

    def check(path: str, value: Any) -> None:
        _expect(path, value, dict)
        if most is not None and len(value) > most:
            raise invalid(
                f"Invalid '{path}': too many properties. Expected an object with at most {most} properties, but got "
                f"an object with {len(value)} properties instead.",
                path,
                "object_above_max_properties",
            )
        for name, element in value.items():
            value_check(f"{path}.{name}", element)

    return check


def record(fields: Mapping[str, Check], *, required: Sequence[str] = ()) -> Check:
    """Accept an object by its known fields; others pass, and an optional null is an absent field."""

    def check(path: str, value: Any) -> None:
        _expect(path, value, dict)
        for name, field_check in fields.items():
            where = f"{path}.{name}" if path else name
            if name in required and name not in value:
                raise missing(where)
            if value.get(name) is not None or name in required:
                field_check(where, value[name])

    return check


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """Accept an object that says by one field which of several forms it has."""
    head = record({tag: one_of(*variants)}, required=(tag,))

    def check(path: str, value: Any) -> None:
        head(path, value)
        variants[value[tag]](path, value)

    return check


def either(forms: Mapping[type, Check]) -> Check:
    """Accept values of several JSON types, each by its own check."""

    def check(path: str, value: Any) -> None:
        form = forms.get(type(value))
        if form is None:
            expected = " or ".join(_JSON_NAMES[kind].removeprefix("an ").removeprefix("a ") for kind in forms)
            raise _wrong_type(path, f"one of a {expected}", value)
        form(path, value)

    return check


def missing(path: str) -> ApiError:
    """Say that a required parameter is not there."""
    return invalid(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")


def _expect(path: str, value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise _wrong_type(path, _JSON_NAMES[kind], value)


def _wrong_type(path: str, expected: str, value: Any) -> ApiError:
    got = _JSON_NAMES[type(value)]
    return invalid(f"Invalid type for '{path}': expected {expected}, but got {got} instead.", path, "invalid_type")


def _within(path: str, value: float, low: float | None, high: float | None, kind: str) -> None:
    if low is not None and value < low:
        raise _out_of_bounds(path, value, f"{kind} below minimum value", f">= {low}")
    if high is not None and value > high:
        raise _out_of_bounds(path, value, f"{kind} above maximum value", f"<= {high}")


def _out_of_bounds(path: str, value: float, how: str, bound: str) -> ApiError:
    code = how.replace("minimum", "min").replace("maximum", "max").replace(" ", "_")
    return invalid(f"Invalid '{path}': {how}. Expected a value {bound}, but got {value} instead.", path, code)


def _too_long(path: str, kind: str, longest: int, length: int) -> ApiError:
    article = "an" if kind == "array" else "a"
    return invalid(
        f"Invalid '{path}': {kind} too long. Expected {article} {kind} with maximum length {longest}, but got "
        f"{article} {kind} with length {length} instead.",
        path,
        f"{kind}_above_max_length",
    )


def _unsupported(path: str, value: str, values: Sequence[str]) -> ApiError:
    quoted = [f"'{known}'" for known in values]
    listed = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
    return invalid(f"Invalid value: '{value}'. Supported values are: {listed}.", path, "invalid_value")
