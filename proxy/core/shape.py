"""The shape of JSON: what a program that reads it relies on.

Rule: two values have one shape where their objects have the same names, each with one shape, and where each element of
an array has its like in the other. How many elements there are, and which texts and numbers, does not count; an empty
array is like any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.mismatch import MISSING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from proxy.core.canonical import Json

_KINDS: Final = {bool: "boolean", int: "number", float: "number", str: "text", type(None): "null"}


def kind(value: Json) -> str:
    """Name the kind of a value as JSON does; `(absent)` where it is MISSING."""
    if value is MISSING:
        return "(absent)"
    if isinstance(value, (dict, list)):
        return "object" if isinstance(value, dict) else "array"
    return _KINDS[type(value)]


def is_alike(one: Json, other: Json) -> bool:
    """Tell whether two values have one shape."""
    return _fits(_shape(one), _shape(other))


def _shape(value: Json) -> Hashable:
    """Return a shape: an object's names with their shapes, the shapes that stand in an array, or a kind."""
    if isinstance(value, dict):
        return tuple(sorted((name, _shape(item)) for name, item in value.items()))
    if isinstance(value, list):
        return frozenset(map(_shape, value))
    return kind(value)


def _fits(one: Hashable, other: Hashable) -> bool:
    if one == other:
        return True
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return not one or not other or (_all_fit(one, other) and _all_fit(other, one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(
            name == its and _fits(shape, its_shape) for (name, shape), (its, its_shape) in zip(one, other, strict=True)
        )
    return False


def _all_fit(some: frozenset[Hashable], others: frozenset[Hashable]) -> bool:
    return all(shape in others or any(_fits(shape, other) for other in others) for shape in some)
