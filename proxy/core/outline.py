"""What a conversation is made of, in short: one digest a step.

Rule: made from a canonical request alone, and the same in every process: cassettes keep it, so that a change here is
a change of their format. It only tells where to look; what is nearest, `mismatch` tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from zlib import crc32

from proxy.core import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json

ANCHORS: Final = 8
"""How many words of a step are kept: texts that share most of their words share most of these."""

WHOLE: Final = 0
"""Stands among the words of a request that is no conversation: by it others of its kind are found."""

_WORDS = re.compile(r"\w+")
_MOST_READ = 2000  # characters of a step, as many as are compared in the end
_DIGEST_BYTES = 8
_LONG = 8  # letters; from here on a longer word is no rarer, and may be a number that changes with each run


@dataclass(frozen=True, slots=True)
class Step:
    """The endpoint, a message, or all that is asked by a request without messages."""

    digest: int
    """64 bits with a sign, as SQLite holds integers."""
    content: Json = field(repr=False)
    is_whole: bool = False

    def anchors(self, most: int = ANCHORS) -> list[int]:
        """Choose some of the words, each by itself, so that one word more or less leaves the others chosen.

        Long words first: they are rarer, and a word that all texts share tells nothing.
        """
        words = {crc32(word.encode("utf-8", "surrogatepass")): len(word) for word in _WORDS.findall(_text(self))}
        chosen = sorted(words, key=lambda word: (word // min(words[word], _LONG) ** 3, word))[:most]
        return [WHOLE, *chosen] if self.is_whole else chosen


Outline = tuple[Step, ...]
"""The endpoint first, then at least one step."""


def outline(content: dict[str, Json]) -> Outline:
    """Tell the steps of a canonical request."""
    endpoint = {name: content[name] for name in ("method", "path")}
    body = content.get("body")
    messages = body.get("messages") if isinstance(body, dict) else None
    if isinstance(messages, list) and messages:
        return (_step(endpoint), *map(_step, messages))
    rest = {name: value for name, value in content.items() if name not in endpoint}
    return _step(endpoint), _step(rest, is_whole=True)


def _step(content: Json, *, is_whole: bool = False) -> Step:
    text = canonical.dumps(canonical.Document(content))
    digest = int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest(), "big", signed=True)
    return Step(digest, content, is_whole)


def _text(step: Step) -> str:
    """Put together the first of what is said in a step, names of fields left out."""
    read: list[str] = []
    size = 0
    for text in _texts(step.content):
        read.append(text[:_MOST_READ])
        size += len(text)
        if size >= _MOST_READ:
            break
    return " ".join(read)[:_MOST_READ]


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from _texts(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
