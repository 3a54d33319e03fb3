"""What an item of the long form is.

Rule: an item knows nothing of terminals. It does its cruelty `count` times in a folder of its own, tells after each,
raises BrokenPromiseError where a promise does not hold, and returns its figures in one line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  an alias below names it

Advance = Callable[[], None]
"""To be called after each of the `count` steps."""


class BrokenPromiseError(AssertionError):
    """A promise that did not hold: says which, and how to see it again, such as by a seed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item. `count` is how often the long form does it, and `unit` what is counted, such as `kills`."""

    name: str
    count: int
    unit: str
    promise: str
    """What is shown, in a few words."""
    run: Callable[[int, Path, Advance], str]
    """Takes the count, an empty folder and what to call after each step; returns figures, raises BrokenPromiseError."""


def nothing() -> None:
    """Advance nothing that anybody looks at."""


def check(holds: object, broken: str) -> None:
    """Raise BrokenPromiseError where a promise does not hold."""
    if not holds:
        raise BrokenPromiseError(broken)
