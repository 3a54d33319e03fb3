"""Small vectors for texts.

One rule: a vector depends on the words of its text and on nothing else; it has length one, and texts that share
words are near each other.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import TYPE_CHECKING, Any

from proxy.demo import models, tokens
from proxy.demo.checks import array, either, one_of, record, text, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIMENSIONS = 16
_TOKEN_IDS = array(whole(0), shortest=1)
_CHECK = record(
    {
        "model": text(),
        "input": either({str: text(), list: array(either({str: text(), int: whole(0), list: _TOKEN_IDS}), shortest=1)}),
        "dimensions": whole(1, 3072),
        "encoding_format": one_of("float", "base64"),
        "user": text(),
    },
    required=["model", "input"],
)


def embed(body: dict[str, Any]) -> dict[str, Any]:
    """Answer `POST /embeddings`, or raise the API's error."""
    _CHECK("", body)
    models.check_embedder(body["model"])
    texts = _texts(body["input"])
    size = int(body.get("dimensions") or _DIMENSIONS)
    packed = body.get("encoding_format") == "base64"
    used = sum(map(len, texts))
    return {
        "object": "list",
        "data": [_entry(index, words, size, packed=packed) for index, words in enumerate(texts)],
        "model": body["model"],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _texts(given: str | list[Any]) -> list[tuple[str, ...]]:
    """Return the tokens of each text; callers may have cut them themselves."""
    if isinstance(given, str):
        return [tokens.split(given)]
    if isinstance(given[0], int):
        return [tuple(map(str, given))]
    return [tokens.split(item) if isinstance(item, str) else tuple(map(str, item)) for item in given]


def _entry(index: int, words: Sequence[str], size: int, *, packed: bool) -> dict[str, Any]:
    vector = _vector(words, size)
    embedding = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if packed else vector
    return {"object": "embedding", "index": index, "embedding": embedding}


def _vector(words: Sequence[str], size: int) -> list[float]:
    columns = zip(*(_direction(word.strip().lower(), size) for word in (*words, "")), strict=True)
    sums = [sum(column) for column in columns]
    length = math.hypot(*sums) or 1.0
    return [value / length for value in sums]


def _direction(word: str, size: int) -> tuple[float, ...]:
    digest = hashlib.shake_256(word.encode("utf-8", "replace")).digest(2 * size)
    return tuple(value / 32768 for value in struct.unpack(f"<{size}h", digest))
