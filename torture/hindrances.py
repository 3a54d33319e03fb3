"""What may keep a proxy from ending once it was told to.

Rule: each hindrance is met by a process of its own, which is told to end at the worst moment for it; what is to come
of that stands beside it: the exit status, how long it may take, and what is in the cassette.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import random
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track
from proxy.core.normalize import normalize
from proxy.demo.script import Hold, Reached, ScriptedUpstream, plain, stream
from tests.running import CHAT, DONE, STOP, ask, chat, connected, delta, read_head, recordings, request
from torture.item import check
from torture.served import served

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from proxy.demo.script import Script
    from torture.served import End, Served

DRAIN_S: Final = 0.5
"""What `server.drain_s` is set to."""

CLOSING_S: Final = 10.0
"""What closing may take besides."""

ENV: Final = {"LLMTAPE_SERVER_DRAIN_S": str(DRAIN_S)}
PLAIN: Final = plain(body=b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}')
LARGE: Final = 64 * 1024
LARGE_COUNT: Final = 900  # of the largest cassette that is laid out anew at its end, about half


@dataclass(frozen=True, slots=True)
class Came:
    """What came of it: how the process ended, and the bodies of what is recorded."""

    end: End
    held: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One hindrance. `held` is how many recordings there must be, `status` the exit status."""

    name: str
    meet: Callable[[Path], Coroutine[Any, Any, Came]]
    status: int
    held: int
    longest_s: float = DRAIN_S + CLOSING_S + 1.0  # and what a process takes to end
    words: str = ""
    """What the process must have said."""

    def run(self, folder: Path) -> float:
        """Meet it; return how many seconds the end took. Raises BrokenPromiseError."""
        came = asyncio.run(self.meet(folder))
        said = f"it said: {came.end.out}{came.end.err}"
        check(came.end.status == self.status, f"{self.name}: the exit status is {came.end.status}; {said}")
        check(len(came.held) == self.held, f"{self.name}: {len(came.held)} are recorded, not {self.held}; {said}")
        check(came.end.seconds <= self.longest_s, f"{self.name}: the end took {came.end.seconds:.1f} s; {said}")
        check("Traceback" not in came.end.err, f"{self.name}: {said}")
        check(self.words in came.end.out + came.end.err, f"{self.name}: it did not say {self.words!r}; {said}")
        return came.end.seconds


def _held(folder: Path) -> tuple[bytes, ...]:
    tape = folder / "tape.sqlite"
    return tuple(one.response.body for one in recordings(tape)) if tape.exists() else ()


def _record(folder: Path, upstream: ScriptedUpstream, *more: str) -> tuple[str | Path, ...]:
    return ("record", "-c", folder / "tape.sqlite", "--port", "0", "--upstream", upstream.url, *more)


async def _ends(proxy: Served, folder: Path, number: int = signal.SIGTERM) -> Came:
    """Tell it to end, and see what comes of it."""
    proxy.signal(number)
    return Came(await proxy.end(), _held(folder))


async def _endless_upstream(folder: Path) -> Came:
    asked = asyncio.Event()
    script = stream([delta("a"), Reached(asked), Hold(asyncio.Event())])
    async with ScriptedUpstream(script) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        answer = asyncio.ensure_future(ask(await proxy.url() + CHAT, chat(stream=True)))
        await asked.wait()
        came = await _ends(proxy, folder)
        check(not (await answer).ended, "an answer that was cut looked whole to its client")
        return came


def _large_stream() -> Script:
    return stream([*(delta("x" * LARGE) for _ in range(160)), STOP, DONE])


async def _stalled_reader(folder: Path) -> Came:
    async with (
        ScriptedUpstream(_large_stream()) as upstream,
        served(folder, *_record(folder, upstream), env=ENV) as proxy,
        connected(url := await proxy.url()) as (reader, writer),
    ):
        writer.write(request(url + CHAT, chat(stream=True)))
        await read_head(reader)  # and nothing of its body
        return await _ends(proxy, folder)


async def _stalled_replay(folder: Path) -> Came:
    async with (
        ScriptedUpstream(_large_stream()) as upstream,
        served(folder, *_record(folder, upstream), env=ENV) as proxy,
    ):
        await ask(await proxy.url() + CHAT, chat(stream=True))
        await _ends(proxy, folder)
    replay = ("replay", "-c", folder / "tape.sqlite", "--port", "0")
    async with served(folder, *replay, env=ENV) as proxy, connected(url := await proxy.url()) as (reader, writer):
        writer.write(request(url + CHAT, chat(stream=True)))
        await read_head(reader)
        return await _ends(proxy, folder)


async def _client_that_left(folder: Path) -> Came:
    """Its answer goes on once the process was told to end."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    script = stream([delta("a"), Reached(asked), Hold(go_on), STOP, DONE])
    async with ScriptedUpstream(script) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        async with connected(url := await proxy.url()) as (reader, writer):
            writer.write(request(url + CHAT, chat(stream=True)))
            await read_head(reader)
        await asked.wait()
        proxy.signal(signal.SIGTERM)
        await _refused(url)
        go_on.set()
        return Came(await proxy.end(), _held(folder))


async def _refused(url: str) -> None:
    """Try to connect until nobody listens any more."""
    with suppress(OSError):
        while True:
            async with connected(url):
                pass


async def _open_lane(folder: Path) -> Came:
    async with ScriptedUpstream(PLAIN) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        root = (await proxy.url()).removesuffix("/v1")
        await ask(f"{root}/_llmtape/lane/start", json.dumps({"lane": "t", "current": True}).encode())
        await ask(f"{root}/v1{CHAT}", chat())
        return await _ends(proxy, folder)


async def _kept_connection(folder: Path) -> Came:
    """One client asks on and on, on one connection."""
    async with ScriptedUpstream(PLAIN) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        asked = asyncio.Event()
        asking = asyncio.ensure_future(_ask_on(await proxy.url(), asked))
        await asked.wait()
        came = await _ends(proxy, folder)
        answered = await asking
        check(len(came.held) == answered, f"{answered} were answered, {len(came.held)} recorded")
        return Came(came.end, came.held[:1])


async def _ask_on(url: str, asked: asyncio.Event) -> int:
    count = 0
    async with connected(url) as (reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                writer.write(request(url + CHAT, chat(str(count))))
                _, fields = await read_head(reader)
                await reader.readexactly(int(fields["content-length"]))
                count += 1
                asked.set()
    return count


async def _locked_cassette(folder: Path) -> Came:
    """Another process began to write, and does not end."""
    reached = [asyncio.Event() for _ in range(4)]
    scripts = (PLAIN, *((Reached(asked), *PLAIN) for asked in reached))
    async with ScriptedUpstream(*scripts) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        url = await proxy.url() + CHAT
        await ask(url, chat("before"))
        with closing(sqlite3.connect(folder / "tape.sqlite", isolation_level=None)) as other:
            other.execute("begin immediate")
            waiting = [asyncio.ensure_future(ask(url, chat(f"while {number}"))) for number in range(len(reached))]
            await asyncio.gather(*(asked.wait() for asked in reached))
            proxy.signal(signal.SIGTERM)
            end = await proxy.end()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        lost = sum(isinstance(answer, BaseException) or not answer.ended for answer in answers)
        held = _held(folder)
        check(len(held) >= 1 + len(waiting) - lost, f"{len(waiting) - lost} were answered, {len(held)} recorded")
        return Came(end, held[:1])


async def _stubborn_command(folder: Path) -> Came:
    ignores = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    script = f"{ignores}; print('goes on', flush=True); time.sleep(99)"
    async with ScriptedUpstream(PLAIN) as upstream:
        line = _record(folder, upstream, "--", sys.executable, "-c", script)
        async with served(folder, *line, env=ENV) as proxy:
            await proxy.told("goes on")
            return await _ends(proxy, folder)


async def _grandchild(folder: Path) -> Came:
    """Let the command end with the signal, and a child of it read its stream to the end."""
    asked, go_on = asyncio.Event(), asyncio.Event()
    child = (
        "import http.client, os, urllib.parse as u\n"
        "p = u.urlsplit(os.environ['OPENAI_BASE_URL'])\n"
        "c = http.client.HTTPConnection(p.netloc)\n"
        f"c.request('POST', p.path + {CHAT!r}, {chat(stream=True)!r})\n"
        "print(c.getresponse().read()[-14:], flush=True)"
    )
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(99)"
    answer = stream([delta("a"), Reached(asked), Hold(go_on), STOP, DONE])
    async with ScriptedUpstream(answer) as upstream:
        line = _record(folder, upstream, "--", sys.executable, "-c", script)
        async with served(folder, *line, env=ENV) as proxy:
            await asked.wait()
            proxy.signal(signal.SIGTERM)
            await proxy.told("Waiting up to")
            go_on.set()
            return Came(await proxy.end(), _held(folder))


async def _large_cassette(folder: Path) -> Came:
    """Its recordings were replaced, so that it is laid out anew."""
    fill(folder / "tape.sqlite", LARGE_COUNT)
    async with ScriptedUpstream(PLAIN) as upstream, served(folder, *_record(folder, upstream), env=ENV) as proxy:
        await ask(await proxy.url() + CHAT, chat("0"))
        came = await _ends(proxy, folder)
        check(len(came.held) == LARGE_COUNT, f"of {LARGE_COUNT} recordings {len(came.held)} are left")
        return Came(came.end, came.held[:1])


def fill(tape: Path, count: int) -> None:
    """Record answers of 64 KiB each."""
    chance = random.Random(count)
    writer = Writer(tape, Run("2026-01-01T00:00:00Z", "record", "torture", "0", replaces=False))
    for number in range(count):
        asked = Request("POST", "/v1" + CHAT, body=chat(str(number)))
        canonical = normalize(asked)
        chunks = (Chunk(1, chance.randbytes(LARGE // 2).hex().encode()),)
        answered = Response(200, (("content-type", "application/json"),), chunks, Outcome.COMPLETE, 1, 1)
        track = Track(canonical.key, canonical.variant)
        writer.save(Interaction(track, 1, "2026-01-01T00:00:00.000Z", asked, answered)).result()
    writer.close()


async def _deaf_reader(folder: Path) -> Came:
    """Whoever started it has read its URL, and closed its output, as `head` does."""
    line = ("record", "-c", "tape.sqlite", "--port", "0", "--report", "receipt.json")
    return await _without_ears(folder, line, *os.pipe())


async def _closed_terminal(folder: Path) -> Came:
    line = ("record", "-c", "tape.sqlite", "--port", "0", "--report", "receipt.json")
    return await _without_ears(folder, line, *pty.openpty(), number=signal.SIGHUP)


async def _without_ears(folder: Path, line: tuple[str, ...], ours: int, its: int, number: int = signal.SIGTERM) -> Came:
    async with (
        ScriptedUpstream(PLAIN) as upstream,
        served(folder, *line, "--upstream", upstream.url, env=ENV, output=its) as proxy,
    ):
        os.close(its)
        told = b""
        while b"stops it" not in told:
            told += await asyncio.to_thread(os.read, ours, 65536)
        os.close(ours)
        url = next(word for word in told.decode().split() if word.startswith("http://127") and word != upstream.url)
        await ask(url + CHAT, chat())
        came = await _ends(proxy, folder, number)
        check((folder / "receipt.json").exists(), "its receipt was not written")
        return came


HINDRANCES: Final = (
    Hindrance("an upstream that never ends", _endless_upstream, 1, 0, words="is not in the cassette"),
    Hindrance("a stalled reader", _stalled_reader, 1, 0, words="is not in the cassette"),
    Hindrance("a stalled reader of a replay", _stalled_replay, 0, 1, words="1 played"),
    Hindrance("a client that left", _client_that_left, 0, 1, DRAIN_S + 1, "1 recorded"),
    Hindrance("a lane that did not end", _open_lane, 1, 0, words="1 failed"),
    Hindrance("a kept connection", _kept_connection, 0, 1, DRAIN_S + 1),
    Hindrance("a locked cassette", _locked_cassette, 1, 1),
    Hindrance("a command that goes on", _stubborn_command, 128 + signal.SIGKILL, 0, words="is killed"),
    Hindrance("a command's child", _grandchild, 128 + signal.SIGTERM, 1, words="1 recorded"),
    Hindrance("a large cassette", _large_cassette, 0, 1, words="1 recorded"),
    Hindrance("a reader that closed its pipe", _deaf_reader, 0, 1),
    Hindrance("a closed terminal", _closed_terminal, 0, 1),
)
"""All of them."""
