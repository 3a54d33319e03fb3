"""What became of an answer: two of them, side by side.

Rule: an answer is reworded where a program that acts on it would do the same: the same tool calls, finish reasons,
number of choices and JSON shape. Whatever such a program could trip over is a change. What does not count at all is
told by `meaning`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.core import canonical
from proxy.core.meaning import CHOICE_FIELDS, meaning, said
from proxy.core.mismatch import MISSING, Difference, differences
from proxy.core.shape import is_alike, kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.canonical import Json
    from proxy.core.model import Response

_WORDED: Final = frozenset({"content", "audio", "refusal", "reasoning", "annotations", "body"})
"""What a model words: here another text is no change, but another kind of it is."""

_LONGEST: Final = 40


class Verdict(StrEnum):
    """How two answers compare; in the order of their weight."""

    IDENTICAL = "identical"
    REWORDED = "reworded"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """A field of an answer that differs. `is_worded` where it is the wording alone."""

    difference: Difference
    is_worded: bool

    @property
    def reason(self) -> str:
        """Say it in a phrase, such as `choices[0].finish_reason: stop -> length`."""
        before, after = self.difference.recorded, self.difference.asked
        if isinstance(before, str) and isinstance(after, str) and self.is_worded:
            return f"{self.difference.path}: other words"
        if MISSING not in (before, after) and kind(before) != kind(after):
            return f"{self.difference.path}: {kind(before)} -> {kind(after)}"
        return f"{self.difference.path}: {_short(before)} -> {_short(after)}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of an answer, and what tells so: first what changed, then what was reworded."""

    verdict: Verdict
    changes: tuple[Change, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The changes in phrases, each once."""
        return tuple(dict.fromkeys(change.reason for change in self.changes))


IDENTICAL: Final = Comparison(Verdict.IDENTICAL)


def compare(one: Response, other: Response) -> Comparison:
    """Compare two answers to the same question, or to one that was asked again otherwise."""
    if _is_same_record(one, other) or meaning(one) == meaning(other):
        return IDENTICAL
    changes = sorted(_changes(said(one), said(other)), key=lambda change: change.is_worded)
    verdict = Verdict.REWORDED if all(change.is_worded for change in changes) else Verdict.CHANGED
    return Comparison(verdict, tuple(changes))


def _is_same_record(one: Response, other: Response) -> bool:
    """Tell whether there is nothing to read: of two recordings most answers are the same bytes."""
    return (one.status, one.outcome, one.is_stream, one.body) == (
        other.status,
        other.outcome,
        other.is_stream,
        other.body,
    )


def _changes(one: dict[str, Json], other: dict[str, Json]) -> Iterator[Change]:
    yield from _fields("", one, other, ("status", "outcome", "error", "body"))
    choices, others = one.get("choices", []), other.get("choices", [])
    if len(choices) != len(others):
        yield Change(Difference("choices", len(choices), len(others)), is_worded=False)
    for place, (choice, its) in enumerate(zip(choices, others, strict=False)):
        yield from _fields(f"choices[{place}].", choice, its, CHOICE_FIELDS)


def _fields(prefix: str, one: dict[str, Json], other: dict[str, Json], names: Iterable[str]) -> Iterator[Change]:
    for name in names:
        mine, theirs = one.get(name, MISSING), other.get(name, MISSING)
        if name in _WORDED:
            # A model may think aloud, and say beside a tool call what it does, or not: nothing acts on that.
            is_aside = name == "reasoning" or (name == "content" and bool(one.get("tool_calls")))
            found = _worded(name, mine, theirs, is_aside=is_aside)
        else:
            found = (Change(it, is_worded=False) for it in differences({name: mine}, {name: theirs}))
        for change in found:
            yield replace(change, difference=replace(change.difference, path=prefix + change.difference.path))


def _worded(name: str, one: Json, other: Json, *, is_aside: bool) -> Iterator[Change]:
    """Compare what a model wrote: texts as texts, and where both are JSON field by field."""
    mine, theirs = _read(one), _read(other)
    if isinstance(mine, str) and isinstance(theirs, str):
        found, is_worded = [Difference(name, one, other)] if one != other else [], True
    elif kind(mine) == kind(theirs):
        # Where no field differs, the two are spelt differently.
        found = differences({name: mine}, {name: theirs}) or ([Difference(name, one, other)] if one != other else [])
        is_worded = is_alike(mine, theirs)
    else:
        found, is_worded = [Difference(name, mine, theirs)], is_aside and MISSING in (one, other)
    for it in found:
        yield Change(it, is_worded=is_worded or kind(it.recorded) == kind(it.asked))


def _read(value: Json) -> Json:
    """Read the JSON that a text may be."""
    document = canonical.embedded(value) if isinstance(value, str) else None
    return value if document is None else document.value


def _short(value: Json) -> str:
    if value is MISSING:
        return "(absent)"
    text = " ".join((value if isinstance(value, str) else canonical.dumps_in_order(value))[: 2 * _LONGEST].split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
