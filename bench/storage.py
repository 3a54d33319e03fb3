"""What it costs to store a stream: a row a chunk, or the body kept whole with its framing; and what the writer adds."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from bench.figures import show
from proxy.cassette import format as layout
from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STREAMS = 500
COLUMNS = ("a commit each", "written a second", "read a second", "KiB")
DELTA = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
STOP = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
CHUNKS = tuple(Chunk(at * 20_000, data) for at, data in enumerate([DELTA] * 99 + [STOP, b"data: [DONE]\n\n"]))
BODY = b"".join(chunk.data for chunk in CHUNKS)


def run(folder: Path) -> None:
    rows = [
        _row("sqlite3, a row a chunk", _as_rows(folder / "rows.sqlite"), folder / "rows.sqlite"),
        _row("sqlite3, body and framing", _whole(folder / "whole.sqlite"), folder / "whole.sqlite"),
        _row("llmtape's writer", _writer(folder / "writer.sqlite"), folder / "writer.sqlite"),
    ]
    show(f"Storing {STREAMS} streams of {len(CHUNKS)} events", COLUMNS, rows)


def _row(name: str, seconds: tuple[float, float | None], file: Path) -> tuple[str, ...]:
    written, read = seconds
    return (
        name,
        f"{STREAMS / written:,.0f}",
        f"{STREAMS / read:,.0f}" if read else "-",
        f"{file.stat().st_size / 1024:,.0f}",
    )


def _timed(action: Callable[[int], Any]) -> float:
    started = time.perf_counter()
    for number in range(STREAMS):
        action(number)
    return time.perf_counter() - started


def _open(file: Path, table: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    for statement in ("pragma journal_mode = wal", "pragma synchronous = normal", table):
        connection.execute(statement)
    return connection


def _as_rows(file: Path) -> tuple[float, float]:
    table = (
        "create table chunks (id integer, seq integer, at_us integer, data text, primary key (id, seq)) without rowid"
    )
    connection = _open(file, table)

    def write(number: int) -> None:
        connection.execute("begin immediate")
        rows = ((number, seq, chunk.at_us, chunk.data.decode()) for seq, chunk in enumerate(CHUNKS))
        connection.executemany("insert into chunks values (?, ?, ?, ?)", rows)
        connection.execute("commit")

    def read(number: int) -> None:
        rows = connection.execute("select at_us, data from chunks where id = ? order by seq", (number,))
        assert len([Chunk(at_us, data.encode()) for at_us, data in rows]) == len(CHUNKS)

    seconds = _timed(write), _timed(read)
    connection.close()
    return seconds


def _whole(file: Path) -> tuple[float, float]:
    connection = _open(file, "create table bodies (id integer primary key, framing text, body text)")

    def write(number: int) -> None:
        connection.execute("begin immediate")
        values = (number, layout.framing_text(CHUNKS), layout.stored(BODY))
        connection.execute("insert into bodies values (?, ?, ?)", values)
        connection.execute("commit")

    def read(number: int) -> None:
        framing, body = connection.execute("select framing, body from bodies where id = ?", (number,)).fetchone()
        assert len(layout.chunks_of(framing, body)) == len(CHUNKS)

    seconds = _timed(write), _timed(read)
    connection.close()
    return seconds


def _writer(file: Path) -> tuple[float, None]:
    writer = Writer(file, Run("2026-01-01T00:00:00Z", "record", "bench", "0", replaces=True))
    response = Response(200, (("content-type", "text/event-stream"),), CHUNKS, Outcome.COMPLETE, 1, 1)
    interactions = [_interaction(number, response) for number in range(STREAMS)]
    seconds = _timed(lambda number: writer.save(interactions[number]).result())
    writer.close()
    return seconds, None


def _interaction(number: int, response: Response) -> Interaction:
    request = Request("POST", "/v1/chat/completions", body=b'{"messages":[],"model":"m","seed":%d}' % number)
    canonical = normalize(request)
    return Interaction(Track(canonical.key, canonical.variant), 1, "2026-01-01T00:00:00.000Z", request, response)
