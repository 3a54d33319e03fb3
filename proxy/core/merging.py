"""What becomes of values that two sides changed, each from the same base.

Rule: a change on one side alone is taken, the same change on both is taken once, and what both changed to something
else is a conflict: nobody's value is ever dropped unseen. What a value is does not matter here; None is no value, so
that adding and deleting are changes like any other.
"""

from __future__ import annotations

from enum import StrEnum
from operator import eq
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

K = TypeVar("K")
V = TypeVar("V")


class Decision(StrEnum):
    """Whose value is taken. In a conflict ours stays in place, and theirs is kept beside it."""

    OURS = "ours"
    THEIRS = "theirs"
    CONFLICT = "conflict"


def decide(base: V | None, ours: V | None, theirs: V | None, same: Callable[[V, V], bool] = eq) -> Decision:
    """Decide on one value. `same` tells whether two that are not equal differ in nothing that counts.

    Equality is asked first: what one side left untouched is never preferred to what the other made of it.
    """

    def is_same(one: V | None, other: V | None) -> bool:
        return one is not None and other is not None and same(one, other)

    for alike in (eq, is_same):
        if alike(ours, theirs):
            return Decision.OURS
        if alike(ours, base):
            return Decision.THEIRS
        if alike(theirs, base):
            return Decision.OURS
    return Decision.CONFLICT


def plan(
    base: Mapping[K, V], ours: Mapping[K, V], theirs: Mapping[K, V], same: Callable[[V, V], bool] = eq
) -> Iterator[tuple[K, Decision]]:
    """Decide on all values that a side has: ours in their order, then those that only theirs has in theirs."""
    for name, value in ours.items():
        yield name, decide(base.get(name), value, theirs.get(name), same)
    for name, value in theirs.items():
        if name not in ours:
            yield name, decide(base.get(name), None, value, same)


def merged(base: Mapping[K, V], ours: Mapping[K, V], theirs: Mapping[K, V]) -> dict[K, V]:
    """Merge values of which ours may win where both sides changed one."""
    taken = {name: theirs if decision is Decision.THEIRS else ours for name, decision in plan(base, ours, theirs)}
    return {name: side[name] for name, side in taken.items() if name in side}
