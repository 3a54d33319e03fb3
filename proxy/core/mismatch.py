"""How two requests differ, and which recorded one is nearest.

Rule: compares canonical requests only, so that what does not count for the key is never named as a difference; and
compares them opened, so that a field within the JSON of a tool's arguments is named by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

import orjson

from proxy.core.view import opened, step
from proxy.core.worddiff import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json

MISSING: Final = object()
"""Stands for a field that one of the two requests does not have."""

_WORDS = re.compile(r"\w+")
_LONGEST = 96
_MOST_COMPARED = 2000  # characters of a message: enough to tell which is nearest, and bounded
_ALIKE = 0.8
_FEW = 4  # messages, from where two conversations part

Score = tuple[float, ...]
"""Compares as tuples do; the greater is the nearer."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs, by its path such as `messages[2].content`; values as JSON, or MISSING."""

    path: str
    recorded: Json
    asked: Json

    def excerpt(self) -> tuple[str, str]:
        """Show both sides in short; of texts the words that changed, marked."""
        if isinstance(self.recorded, str) and isinstance(self.asked, str):
            recorded, asked = marked(self.recorded, self.asked)
            return _spelt(recorded), _spelt(asked)
        return _shown(self.recorded), _shown(self.asked)


def differences(recorded: Json, asked: Json) -> list[Difference]:
    """Name each field that differs, outermost first, in the order of the request asked."""
    found = list(_compare("", opened(recorded), opened(asked)))
    return found or list(_compare("", recorded, asked))  # opened, the order of a schema's properties is not seen


def nearness(recorded: dict[str, Json], asked: dict[str, Json]) -> Score:
    """Say how near two canonical requests are: by endpoint, then conversation, then settings, then words.

    The first part is 0 where they have nothing to do with each other.
    """
    one, other = _mapping(recorded.get("body")), _mapping(asked.get("body"))
    mine, theirs = _list(one.get("messages")), _list(other.get("messages"))
    common = _common(mine, theirs)
    settings = sum(1 for name in one if name != "messages" and name in other and one[name] == other[name])
    return (
        _endpoint(recorded, asked),
        float(mine == theirs and bool(mine)),
        _share(common, max(len(mine), len(theirs))),
        _alike(mine[common:], theirs[common:]),
        float(settings - len(one.keys() ^ other.keys())),
    )


def _compare(path: str, recorded: Json, asked: Json) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in [*asked, *(name for name in recorded if name not in asked)]:
            yield from _compare(step(path, name), recorded.get(name, MISSING), asked.get(name, MISSING))
    elif isinstance(recorded, list) and isinstance(asked, list):
        for place in range(max(len(recorded), len(asked))):
            yield from _compare(step(path, place), _at(recorded, place), _at(asked, place))
    elif not _is_same(recorded, asked):
        yield Difference(path, recorded, asked)


def _is_same(recorded: Json, asked: Json) -> bool:
    """Compare scalars as the key does: `true` is not 1, and NaN is NaN."""
    if type(recorded) is not type(asked):
        return False
    return bool(recorded == asked) or (recorded != recorded and asked != asked)  # noqa: PLR0124  that is NaN


def _endpoint(recorded: dict[str, Json], asked: dict[str, Json]) -> float:
    """Rank the same endpoint first, then another that may be meant: the same body, or a path alike."""
    if recorded["method"] != asked["method"]:
        return 0.0
    if recorded["path"] == asked["path"]:
        return 1.0
    same_body = "body" in asked and recorded.get("body") == asked["body"]
    return 0.5 if same_body or _is_alike(recorded["path"], asked["path"]) else 0.0


def _is_alike(one: str, other: str) -> bool:
    """Tell whether two paths are spelt alike; the cheap looks first, since a path in a file may have any length."""
    matcher = SequenceMatcher(None, one, other)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE


def _at(items: list[Json], place: int) -> Json:
    return items[place] if place < len(items) else MISSING


def _shown(value: Json) -> str:
    if value is MISSING:
        return "(absent)"
    text = _spelt(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _spelt(value: Json) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # what orjson cannot write: a lone surrogate, a huge integer
        return ascii(value)


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _common(mine: list[Json], theirs: list[Json]) -> int:
    """Count the messages that both conversations begin with."""
    count = 0
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            break
        count += 1
    return count


def _alike(mine: list[Json], theirs: list[Json]) -> float:
    one, other = _words(mine), _words(theirs)
    return _share(len(one & other), len(one | other))


def _words(messages: list[Json]) -> set[str]:
    text = " ".join(str(_mapping(message).get("content", ""))[:_MOST_COMPARED] for message in messages[:_FEW])
    return set(_WORDS.findall(text))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
