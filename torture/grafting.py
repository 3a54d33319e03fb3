"""Inputs drawn by hypothesis: JSON that is right but in a few places, and words in any order.

Rule: a document of a seed keeps its form, and some of its values are others: a part of it, of another, or what no
reader expects there. So inputs come to where bytes that are changed by chance are long refused.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HOSTILE: Final[Sequence[Any]] = (
    *(None, True, False, 0, 1, -1, 200, 99, 1000, 2**53, 2**63 - 1, 2**63, 2**64, 10**400, 0.0, 1.5, 1e-320, 1e308),
    *(float("inf"), float("nan"), "", " ", "\0", "\ud83d", "\U0001f642", "é", "e\u0301", "\r\n", "\u2028", "x" * 300),
    *(
        [],
        {},
        [[]],
        [None],
        {"": {}},
        [{"": 0}] * 3,
        "[",
        "{}",
        '{"a":',
        "data:,x",
        "data:image/png;base64,%%%",
        "AAAA=",
    ),
    *(
        "[1e-99999999999999999999]",
        "-0",
        "1e5",
        "null",
        "<date:1>",
        "<run:#0>",
        "..",
        "/",
        "a:b",
        "https://[",
        "//h:x/",
    ),
    *("2026-11-25T09:30:00Z", "0001-01-01T00:00:00+23:59", "base64", "latin-1", "gzip", "sse+usage", "conflict:"),
)


def documents(seeds: Sequence[bytes]) -> Iterator[tuple[bytes, Any, bytes]]:
    """Yield the JSON values in seeds, each with what stands before and behind it."""
    for seed in seeds:
        start = min((place for mark in (b"{", b"[") if (place := seed.find(mark)) >= 0), default=-1)
        text = seed[max(start, 0) :].decode("utf-8", "replace")
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            continue
        yield seed[:start], value, text[end:].encode()


def grafted(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Draw one of the documents in seeds, with a few of its values replaced."""
    found = list(documents(seeds))
    pool = [*_HOSTILE, *(holder[name] for _, value, _ in found for holder, name in _places([value]))]

    @st.composite
    def grafts(draw: st.DrawFn) -> bytes:
        before, value, behind = draw(st.sampled_from(found))
        root = [copy.deepcopy(value)]
        for _ in range(draw(st.integers(1, 4))):
            places = list(_places(root))
            holder, name = places[draw(st.integers(0, len(places) - 1))]
            holder[name] = copy.deepcopy(pool[draw(st.integers(0, len(pool) - 1))])
        text = json.dumps(root[0], ensure_ascii=draw(st.booleans()))
        return bytes(before + text.encode("utf-8", "surrogatepass") + behind)

    return grafts()


def worded(seeds: Sequence[bytes], words: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Draw words, lines of seeds and a few bytes, in any order."""
    lines = sorted({line for seed in seeds for line in seed.splitlines(keepends=True)})
    pieces = st.sampled_from(words) | st.sampled_from(lines or [b""]) | st.binary(max_size=4)
    return st.lists(pieces, max_size=12).map(b"".join)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield all places in a value, each as what holds it and its name there."""
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, name
            yield from _places(item)
