"""Cassettes to damage, and ways to do it."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette.draft import drafted
from proxy.cassette.pages import Pages, Table
from proxy.cassette.records import COLUMNS
from proxy.core.model import Chunk, Interaction, Outcome, RecordedRun, Request, Response, Variant
from tests.cassette.making import CHAT, JSON_TYPE, NOON, SSE_TYPE, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PAGE: Final = 4096
RUN: Final = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
_SYSTEM: Final = {"role": "system", "content": "You are careful. " * 40}


def agent(turns: int, lane: str = "") -> Iterator[Interaction]:
    """Make an agent's conversation: each turn asks all that was said before again, and is answered with a stream."""
    messages = [_SYSTEM]
    for turn in range(turns):
        messages.append(
            {"role": "user", "content": f"Step {turn} of {lane or 'all'}: " + f"look at file {turn}. " * 20}
        )
        body = {"model": "m", "messages": messages, "stream": True}
        request = Request("POST", CHAT, "", JSON_TYPE, json.dumps(body).encode())
        said = [f"word{turn}-{place} " for place in range(60)]
        yield taken(
            request, _stream(said), lane=lane, at=NOON.replace("00.000", f"{turn % 60:02}.000"), variant=Variant.SSE
        )
        messages.append({"role": "assistant", "content": "".join(said)})


def _stream(said: list[str]) -> Response:
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in said]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": len(said)}}
    events = [b"data: %b\n\n" % json.dumps(data).encode() for data in (*deltas, end, usage)] + [b"data: [DONE]\n\n"]
    chunks = tuple(Chunk(1000 * place, event) for place, event in enumerate(events, 1))
    return Response(200, SSE_TYPE, chunks, Outcome.COMPLETE, 500, 1000 * len(chunks) + 1, was_asked_as_stream=True)


def write(path: Path, interactions: Iterator[Interaction], facts: Mapping[str, str] | None = None) -> list[Interaction]:
    """Write a cassette at rest; return what is in it."""
    kept = list(interactions)
    with drafted(path, facts=facts) as draft:
        for interaction in kept:
            draft.add(interaction, RUN)
    return kept


def overwrite(path: Path, *pages: int, seed: int | None = None) -> None:
    """Overwrite pages, counted from 1: with zeros, or with noise."""
    noise = random.Random(seed)
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(bytes(PAGE) if seed is None else noise.randbytes(PAGE))


def needs(path: Path) -> dict[int, set[int]]:
    """Tell on which pages each interaction of a sound file stands, with all that its request shares with others."""
    with path.open("rb") as file:
        watched = _Watched(file.read())
    source = Pages(watched)
    read: dict[tuple[Table, int], tuple[tuple[Any, ...], set[int]]] = {}
    for page in range(1, source.count + 1):
        for cell in source.cells(page):
            watched.seen.clear()
            row = source.row(cell)
            if cell.table is not Table.STEPS or 0 <= row[2] < 2**32:  # else a turn
                read[cell.table, cell.id] = row, {at // PAGE + 1 for at in watched.seen}
    found: dict[int, set[int]] = {}
    for (table, id_), (row, on) in read.items():
        if table is Table.INTERACTIONS:
            step = row[COLUMNS.index("request_body")]
            found[id_] = set(on)
            while step:
                (_, parent, part), of_step = read[Table.STEPS, step]
                found[id_] |= of_step | read[Table.PARTS, part][1]
                step = parent
    return found


class _Watched(io.BytesIO):
    """A file that remembers from where it was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.seen: set[int] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.seen.add(self.tell())
        return super().read(size)


def pages(path: Path) -> int:
    """Count a file's pages."""
    return path.stat().st_size // PAGE
