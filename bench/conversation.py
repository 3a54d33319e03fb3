"""What an agent's conversation of 50 turns costs on disk, against storing each request whole."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING, Any

import orjson

from bench.figures import show
from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.normalize import normalize

if TYPE_CHECKING:
    from pathlib import Path

TURNS = (10, 50, 200)
COLUMNS = ("turns", "requests, whole", "cassette, whole requests", "cassette", "of whole")


def run(folder: Path) -> None:
    rows = []
    for turns in TURNS:
        bodies = conversation(turns)
        shared, whole = folder / f"shared{turns}.sqlite", folder / f"whole{turns}.sqlite"
        record(shared, bodies)
        store_whole(shared, whole, bodies)
        sizes = (sum(map(len, bodies)), whole.stat().st_size, shared.stat().st_size)
        rows.append((str(turns), *(f"{size / 1024:,.0f} KiB" for size in sizes), f"{sizes[2] / sizes[1]:.1%}"))
    show("An agent's conversation on disk: tools of 6 KB, a tool call and its result of 1.5 KB a turn", COLUMNS, rows)


def conversation(turns: int) -> list[bytes]:
    """Make the requests of an agent that sends all it has with each turn."""
    chance = random.Random(1)
    tools = [
        {"type": "function", "function": {"name": f"tool_{n}", "description": _prose(chance, 80)}} for n in range(12)
    ]
    messages: list[dict[str, Any]] = [{"role": "system", "content": _prose(chance, 300)}]
    bodies = []
    for turn in range(turns):
        messages.append({"role": "user", "content": _prose(chance, 40)})
        bodies.append(orjson.dumps({"messages": messages, "model": "gpt-5.4", "tools": tools, "stream": True}))
        call = {
            "id": f"call_{turn}",
            "type": "function",
            "function": {"name": "tool_1", "arguments": '{"path":"a.py"}'},
        }
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{turn}", "content": _prose(chance, 200)})
    return bodies


def record(cassette: Path, bodies: list[bytes]) -> None:
    writer = Writer(cassette, Run("2026-01-01T00:00:00Z", "record", "bench", "0", replaces=True))
    for body in bodies:
        request = Request("POST", "/v1/chat/completions", body=body)
        canonical = normalize(request)
        chunks = (Chunk(1, b'data: {"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\n'),)
        response = Response(200, (("content-type", "text/event-stream"),), chunks, Outcome.COMPLETE, 1, 1)
        track = Track(canonical.key, canonical.variant)
        writer.save(Interaction(track, 1, "2026-01-01T00:00:00.000Z", request, response)).result()
    writer.close()


def store_whole(shared: Path, whole: Path, bodies: list[bytes]) -> None:
    """Copy the cassette with each request in one piece, as it would be without parts."""
    with sqlite3.connect(whole) as connection:
        connection.execute("attach ? as shared", (str(shared),))
        connection.execute("create table interactions as select * from shared.interactions")
        connection.execute("update interactions set request_body = null")
        connection.executemany(
            "update interactions set request_body = ? where id = ?",
            [(body.decode(), number) for number, body in enumerate(bodies, 1)],
        )
    connection.execute("vacuum")
    connection.close()


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 11))) for _ in range(words)
    )
