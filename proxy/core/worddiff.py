"""Two texts side by side, the words that changed marked.

Rule: both come out short, whatever their length: what is equal is cut to what stands around the changes. Marks are
those of `git diff --word-diff`: `[-recorded-]` and `{+asked+}`.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import takewhile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TOKENS: Final = re.compile(r"\s+|\w+|[^\w\s]")
_CONTEXT: Final = 32
"""Characters of what is equal that are shown before and after a change."""

_LONGEST_CHANGE: Final = 96
_HARDLY: Final = 1
_MOST_CHANGES: Final = 4
_MOST_WORK: Final = 250_000
"""Pairs of words that are compared at most: above it what lies between the first and the last change is one."""

_LONGEST_READ: Final = 100_000
"""Characters of each text that are looked at, counted from the first that differs."""

Run = tuple[str, str]
"""A stretch of the recorded text and the one in its place; the same one where nothing changed."""


def marked(recorded: str, asked: str) -> tuple[str, str]:
    """Return both texts, cut to their changes, each change marked; texts that share nothing need no marks."""
    runs = _merged(_runs(recorded, asked))
    if len(runs) == 1 and recorded != asked:
        return _short(recorded), _short(asked)
    changes = [place for place, (one, other) in enumerate(runs) if one != other]
    if len(changes) > _MOST_CHANGES:
        runs = [*runs[: changes[_MOST_CHANGES - 1] + 1], ("…", "…")]
    shown = [_shown(run, place == 0, place == len(runs) - 1) for place, run in enumerate(runs)]
    return "".join(one for one, _ in shown), "".join(other for _, other in shown)


def _runs(recorded: str, asked: str) -> Iterator[Run]:
    """Cut both texts into runs that are equal and runs that are not."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(recorded, asked, strict=False)))
    begin = max(0, same - 2 * _CONTEXT)
    one, other = (_TOKENS.findall(text[begin : begin + _LONGEST_READ]) for text in (recorded, asked))
    if begin:
        yield recorded[:begin], recorded[:begin]
    head = _common(one, other)
    tail = _common(one[head:][::-1], other[head:][::-1])
    one_end, other_end = len(one) - tail, len(other) - tail
    yield from _equal(one[:head])
    yield from _between(one[head:one_end], other[head:other_end])
    yield from _equal(one[one_end:])


def _between(one: Sequence[str], other: Sequence[str]) -> Iterator[Run]:
    if len(one) * len(other) > _MOST_WORK:
        yield from _narrowed("".join(one), "".join(other))
        return
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for _, start, end, other_start, other_end in matcher.get_opcodes():
        yield from _narrowed("".join(one[start:end]), "".join(other[other_start:other_end]))


def _narrowed(one: str, other: str) -> Iterator[Run]:
    """Cut a long change down to its characters: a word may be as long as a file in base64."""
    if max(len(one), len(other)) <= _LONGEST_CHANGE:
        yield one, other
        return
    head = _common(one, other)
    tail = _common(one[head:][::-1], other[head:][::-1])
    yield one[:head], one[:head]
    yield one[head : len(one) - tail], other[head : len(other) - tail]
    yield one[len(one) - tail :], one[len(one) - tail :]


def _merged(runs: Iterable[Run]) -> list[Run]:
    """Join what is equal side by side, and changes that hardly anything parts."""
    merged: list[Run] = []
    for one, other in runs:
        if one != other and len(merged) > 1 and len(between := merged[-1][0]) <= _HARDLY and merged[-1][1] == between:
            merged.pop()
            before, its = merged.pop()
            merged.append((before + between + one, its + between + other))
            continue
        if one == other and merged and merged[-1][0] == merged[-1][1]:
            whole = merged.pop()[0] + one
            merged.append((whole, whole))
        elif one or other:
            merged.append((one, other))
    return merged


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _equal(tokens: Sequence[str]) -> Iterator[Run]:
    if text := "".join(tokens):
        yield text, text


def _shown(run: Run, is_first: bool, is_last: bool) -> Run:  # noqa: FBT001  two facts of the same kind
    one, other = run
    if one != other:
        return _marked(one, "[-", "-]"), _marked(other, "{+", "+}")
    short = _around(one, 0 if is_first and not is_last else _CONTEXT, 0 if is_last else _CONTEXT)
    return short, short


def _marked(text: str, begin: str, end: str) -> str:
    return f"{begin}{_short(text)}{end}" if text else ""


def _short(text: str) -> str:
    half = _LONGEST_CHANGE // 2
    return text if len(text) <= _LONGEST_CHANGE else f"{text[:half]}…{text[-half:]}"


def _around(text: str, after: int, before: int) -> str:
    """Cut an equal text to what stands after one change and before the next."""
    if len(text) <= after + before + 1:
        return text
    return text[:after] + "…" + (text[-before:] if before else "")
