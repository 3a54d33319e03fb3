"""How values become columns, and how a file says what it is.

Rule: both ways stand side by side, so that reading undoes writing. Knows no SQL library, so that a replay starts
without one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.core import fields
from proxy.core.model import Chunk
from proxy.core.normalize import NORMALIZER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.model import Headers
    from proxy.core.rules import Rules

APPLICATION_ID: Final = 0x6C746170
"""`ltap`, at a fixed place in the file's head: how `file` and we tell a cassette from another database."""

VERSION: Final = 2
"""The format's version, in `user_version`."""

INDEXED: Final = 2
"""The first version that tells what is near."""


_PAIR: Final = 2

Stored = str | bytes
"""Bytes as a column holds them: text where that loses nothing, so that people can read them."""


def keyed_by(rules: Rules) -> dict[str, str]:
    """Return what makes the keys in a file, as its table `cassette` says it."""
    return {"normalizer": str(NORMALIZER), "rules": rules.text}


def stored(data: bytes) -> Stored:
    """Return UTF-8 without NUL as text, all else as it is."""
    try:
        return data if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return data


def restored(value: Stored) -> bytes:
    """Undo `stored`."""
    return value.encode() if isinstance(value, str) else value


def headers_text(headers: Headers) -> str:
    """Write header fields as JSON."""
    return orjson.dumps(fields.to_json(headers)).decode()


def headers_of(value: str) -> Headers:
    """Undo `headers_text`. Raises ValueError for anything else."""
    return fields.from_json(orjson.loads(value))


def framing_text(chunks: Iterable[Chunk]) -> str:
    """Write when each chunk arrived and how long it is."""
    return orjson.dumps([[chunk.at_us, len(chunk.data)] for chunk in chunks]).decode()


def chunks_of(framing: str, body: Stored) -> tuple[Chunk, ...]:
    """Undo `framing_text`. Raises ValueError where the framing does not fit the body."""
    data = restored(body)
    pairs = orjson.loads(framing)
    if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
        raise ValueError(f"not a framing: {framing[:80]}")
    marks = [0]
    for _, length in pairs:
        marks.append(marks[-1] + length)
    if marks[-1] != len(data):
        raise ValueError(f"a framing of {marks[-1]} bytes for a body of {len(data)}")
    return tuple(Chunk(at, data[start:end]) for (at, _), (start, end) in zip(pairs, pairwise(marks), strict=True))


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == _PAIR and all(type(part) is int and part >= 0 for part in item)
