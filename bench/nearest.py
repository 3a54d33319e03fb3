"""How long a miss takes to find the nearest recording in a large cassette, and whether it is the right one.

`python -m bench.nearest 20000` takes another size than 100,000: half of it prompts that share a system message, half
an agent's conversations of 20 turns.
"""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import wait
from itertools import accumulate
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson

from bench.figures import show
from proxy.cassette.shelf import Tape
from proxy.cassette.writer import Run, Writer
from proxy.core.deck import Deck
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.normalize import Canonical, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Messages = list[dict[str, Any]]

RECORDINGS = 100_000
TURNS = 20
SEARCHES = 50  # of each kind
BATCH = 500  # recordings that share a commit
COLUMNS = ("asked", "median, ms", "worst, ms", "right")
SYSTEM = "You are a careful assistant. Today is 2026-11-22. Answer in one sentence, and say where you are not sure."
CHUNKS = (Chunk(1, b'{"choices":[{"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}'),)
RESPONSE = Response(200, (("content-type", "application/json"),), CHUNKS, Outcome.COMPLETE, 1, 1)

# A language of its own, in which some words are frequent and short, and most are rare and long.
_CHANCE = random.Random(1)
_LENGTHS = [_CHANCE.randint(2, 4) + rank.bit_length() // 2 for rank in range(1, 8001)]
_WORDS = ["".join(_CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=length)) for length in _LENGTHS]
_FREQUENCY = list(accumulate(1 / rank for rank in range(1, 8001)))


def run(folder: Path, recordings: int = RECORDINGS) -> None:
    file = folder / "nearest.sqlite"
    started = time.perf_counter()
    record(file, recordings)
    took = time.perf_counter() - started
    tape = Tape(file, Deck())
    rows = [_row(name, tape, change, recordings) for name, change in CHANGES.items()]
    size = file.stat().st_size / 2**20
    show(f"The nearest of {recordings:,} recordings ({size:,.0f} MiB, recorded in {took:,.0f} s)", COLUMNS, rows)


def record(file: Path, recordings: int) -> None:
    writer = Writer(file, Run("2026-01-01T00:00:00Z", "auto", "bench", "0", replaces=False))
    saved = []
    for messages in conversations(recordings):
        request = _request(messages)
        canonical = normalize(request)
        track = Track(canonical.key, canonical.variant)
        saved.append(writer.save(Interaction(track, 1, "2026-01-01T00:00:00.000Z", request, RESPONSE)))
        if len(saved) == BATCH:
            wait(saved)
            saved.clear()
    writer.close()


def conversations(recordings: int) -> Iterator[Messages]:
    """Yield what is asked: now a prompt by itself for each turn of a conversation, now that conversation's turns."""
    for number in range(recordings // (2 * TURNS)):
        for turn in range(TURNS):
            yield prompt(number * TURNS + turn)
        messages = agent(number)
        for turn in range(TURNS):
            yield messages[: 2 + 3 * turn]


def prompt(number: int) -> Messages:
    chance = random.Random(f"prompt {number}")
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": _prose(chance, 25)}]


def agent(number: int) -> Messages:
    """Make a whole conversation; a turn is the first few of its messages."""
    chance = random.Random(f"agent {number}")
    messages: Messages = [{"role": "system", "content": f"{SYSTEM} Use your tools."}]
    for turn in range(TURNS):
        call = {"id": f"call_{turn}", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}}
        messages += [
            {"role": "user", "content": _prose(chance, 20)},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": _prose(chance, 30)},
        ]
    return messages


def _typo(chance: random.Random, recordings: int) -> tuple[Canonical, Canonical | None]:
    messages = prompt(chance.randrange(recordings // 2))
    return _asked([messages[0], _mistyped(messages[1], chance)]), _asked(messages)


def _temperature(chance: random.Random, recordings: int) -> tuple[Canonical, Canonical | None]:
    messages = prompt(chance.randrange(recordings // 2))
    return _asked(messages, temperature=0.5), _asked(messages)


def _middle(chance: random.Random, recordings: int) -> tuple[Canonical, Canonical | None]:
    messages = agent(chance.randrange(recordings // (2 * TURNS)))[: 2 + 3 * (TURNS - 1)]
    at = 3 * chance.randrange(5, 15)
    return _asked([*messages[:at], _mistyped(messages[at], chance), *messages[at + 1 :]]), _asked(messages)


def _system(chance: random.Random, recordings: int) -> tuple[Canonical, Canonical | None]:
    messages = prompt(chance.randrange(recordings // 2))
    tomorrow = {"role": "system", "content": SYSTEM.replace("22", "23")}
    return _asked([tomorrow, messages[1]]), _asked(messages)


def _unrelated(chance: random.Random, recordings: int) -> tuple[Canonical, Canonical | None]:
    del recordings
    return _asked([{"role": "user", "content": _prose(chance, 40)}]), None


CHANGES: dict[str, Callable[[random.Random, int], tuple[Canonical, Canonical | None]]] = {
    "a typo in the only user message": _typo,
    "another temperature": _temperature,
    "another date in the system message": _system,
    "a changed message amid an agent's 20 turns": _middle,
    "something unrelated": _unrelated,
}


def _row(
    name: str,
    tape: Tape,
    change: Callable[[random.Random, int], tuple[Canonical, Canonical | None]],
    recordings: int,
) -> tuple[str, ...]:
    chance = random.Random(name)
    times = []
    right = 0
    for _ in range(SEARCHES):
        asked, wanted = change(chance, recordings)
        started = time.perf_counter()
        nearest = tape.nearest(asked)
        times.append((time.perf_counter() - started) * 1000)
        right += nearest is not None and (wanted is None or nearest.take.track.key == wanted.key)
    return name, f"{median(times):.1f}", f"{max(times):.1f}", f"{right} of {SEARCHES}"


def _asked(messages: Messages, **settings: Any) -> Canonical:
    return normalize(_request(messages, **settings))


def _request(messages: Messages, **settings: Any) -> Request:
    body = orjson.dumps({"model": "gpt-5.4", "messages": messages, **settings})
    return Request("POST", "/v1/chat/completions", body=body)


def _mistyped(message: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    words = message["content"].split()
    words[chance.randrange(len(words))] += "x"
    return {**message, "content": " ".join(words)}


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, cum_weights=_FREQUENCY, k=words))


if __name__ == "__main__":
    with TemporaryDirectory(prefix="llmtape-bench-") as temporary:
        run(Path(temporary), *map(int, sys.argv[1:2]))
