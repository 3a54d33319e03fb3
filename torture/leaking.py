"""Credentials on their way through processes: a recorder, a replay, and all commands that write or tell.

Rule: every file in the folder is read as bytes, while they run and after, and every word that they say; the client must
have got the very bytes that the upstream sent, and the replay may change none but those that were planted.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from click.testing import CliRunner

from proxy.cli import main
from proxy.demo.script import ScriptedUpstream, plain, raw, stream
from tests.running import ask
from torture.hiding import HIDDEN, credential, shows
from torture.item import check
from torture.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from proxy.demo.script import ReceivedRequest, Script
    from tests.running import RawAnswer

_CHAT: Final = "/chat/completions"
_OWNER_ALONE: Final = 0o600
_PATTERN: Final = "cust-[0-9]{6}"
_UMASKS: Final = ("0", "022", "077")


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who calls, and with what."""

    secret: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked, by whom, and what the upstream answers."""

    caller: _Caller
    target: str
    body: bytes
    answer: Script


def _callers(random: Random) -> list[_Caller]:
    """Return two callers; the second is told of the first one's credential."""
    first, second = (_plain(credential(random)) for _ in range(2))
    return [
        _Caller(first, {"Authorization": f"Bearer {first}", "OpenAI-Organization": "org-planted0123456789"}),
        _Caller(second, {"api-key": second, "Cookie": f"session={second.replace(';', '')}"}),
    ]


def _plain(secret: str) -> str:
    return secret.replace(";", "_")


def _calls(random: Random) -> Iterator[_Call]:
    """Draw calls whose prompts and answers hold credentials; the number in each makes it one of its own."""
    first, second = _callers(random)
    for number, (caller, secret) in enumerate([(first, first.secret), (second, first.secret), (second, second.secret)]):

        def spelt(secret: str = secret) -> str:
            return HIDDEN[random.choice(list(HIDDEN))](secret, random)

        def asked(of: str, number: int = number, secret: str = secret, *, streams: bool = False) -> bytes:
            told = (
                f"call {number}, {of}, of cust-123456: my key is {HIDDEN[random.choice(list(HIDDEN))](secret, random)}"
            )
            return json.dumps(
                {"model": "m", "max_tokens": 128, "stream": streams, "messages": [{"role": "user", "content": told}]}
            ).encode()

        echo = {
            "choices": [{"index": 0, "message": {"content": spelt()}, "finish_reason": "stop"}],
            "created": 1730000000,
        }
        fields = {"x-request-id": f"req-{secret}"} if secret.isprintable() and secret.isascii() else {}
        yield _Call(caller, _CHAT, asked("plain"), plain(headers=fields, body=json.dumps(echo).encode()))
        yield _Call(caller, _CHAT, asked("a stream", streams=True), stream(_events(random, spelt())))
        refused = json.dumps({"error": {"message": f"Incorrect API key: {spelt()}", "type": "invalid_request_error"}})
        yield _Call(caller, f"{_CHAT}?api-key=planted-in-query-1", asked("refused"), plain(400, body=refused.encode()))
        yield _Call(caller, _CHAT, asked("no HTTP"), raw(f"{secret[:20]} this is no HTTP\r\n\r\n".encode()))
        broken = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n" + secret.encode() + b"\r\n"
        yield _Call(caller, f"{_CHAT}?api-key=planted-in-query-1", asked("broken"), raw(broken))


def _events(random: Random, text: str) -> list[bytes]:
    longest = random.choice((1, 4, 16))
    pieces = []
    while text:
        size = random.randint(1, longest)
        pieces.append(text[:size])
        text = text[size:]
    told = [{"index": 0, "delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    documents = [{"choices": [one], "created": 1730000000} for one in (*told, end)]
    events = [b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents]
    return [*events, b"data: [DONE]\n\n"]


class _Eyes:
    """Looks for what was planted in all that is there."""

    def __init__(self, folder: Path, secrets: set[str]) -> None:
        self._folder = folder
        self._secrets = secrets
        self.read = 0

    def look(self, data: bytes | str, where: str) -> None:
        """Hold some bytes, or what a process said, against all that was planted."""
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        self.read += len(data)
        for secret in self._secrets:
            check(not shows(data, secret), f"{where} shows the credential {secret!r}: {_around(data, secret)!r}")

    def look_around(self, when: str) -> None:
        """Read each file in the folder; all are their owner's alone."""
        for path in sorted(self._folder.rglob("*")):
            if path.is_file():
                try:
                    data, mode = path.read_bytes(), path.stat().st_mode & 0o777
                except FileNotFoundError:
                    continue
                self.look(data, f"{path.name}, {when},")
                check(mode == _OWNER_ALONE, f"{path.name}, {when}, has the mode {mode:o}")


def _around(data: bytes, secret: str) -> bytes:
    place = data.find(secret.encode())
    return data[max(0, place - 80) : place + len(secret) + 40] if place >= 0 else data[:200]


def _umasked(umask: str) -> tuple[str, ...]:
    return "sh", "-c", f'umask {umask}; exec "$@"', "sh"


async def through(folder: Path, random: Random) -> None:
    """Record calls that hold credentials, replay them, and let every command do its work on the cassette."""
    calls = list(_calls(random))
    answers = iter(calls)

    def answered(_request: ReceivedRequest) -> Script:
        return next(answers).answer

    secrets = {call.caller.secret for call in calls} | {"planted-in-query-1", "org-planted0123456789"}
    eyes = _Eyes(folder, secrets)
    tape = folder / "tape.sqlite"
    umask = random.choice(_UMASKS)
    reports = ("--report", folder / "r.json", "--report", folder / "r.xml")
    async with ScriptedUpstream(answered) as upstream:
        flags: tuple[str | Path, ...] = ("-c", tape, "--port", "0", "--upstream", upstream.url, "-v", *reports)
        async with served(folder, "record", *flags, before=_umasked(umask)) as proxy:
            url = await proxy.url()
            got = [await _ask(url, call) for call in calls]
            eyes.look_around("while it records")
            eyes.look((await ask(_control(url), method="GET")).body, "the report of a recorder")
            proxy.signal(signal.SIGTERM)
            end = await proxy.end()
    eyes.look(end.out + end.err, "what a recorder says")
    eyes.look_around("when all is recorded")
    await _replay(folder, tape, umask, calls, got, eyes)
    await asyncio.to_thread(_commands, folder, tape, umask, eyes)


async def _ask(url: str, call: _Call) -> RawAnswer:
    return await ask(url + call.target, call.body, headers=call.caller.fields)


def _control(url: str) -> str:
    return f"{url.removesuffix('/v1')}/_llmtape/report"


async def _replay(folder: Path, tape: Path, umask: str, calls: list[_Call], got: list[RawAnswer], eyes: _Eyes) -> None:
    """Replay what was recorded; answers have every length that they had, and misses tell of no credential."""
    flags: tuple[str | Path, ...] = ("-c", tape, "--port", "0", "-v", "--report", folder / "replayed.json")
    async with served(folder, "replay", *flags, before=_umasked(umask)) as proxy:
        url = await proxy.url()
        for call, before in zip(calls, got, strict=True):
            again = await _ask(url, call)
            eyes.look(again.body, "a replay or a miss")
            if again.headers.get("x-llmtape", "").startswith("played"):
                check(len(again.body) == len(before.body), f"a replay has another length: {before} {again}")
        missing = json.loads(calls[0].body)
        missing["messages"][0]["content"] += f" and again {calls[0].caller.secret}"
        missed = await ask(url + _CHAT, json.dumps(missing).encode(), headers=calls[0].caller.fields)
        eyes.look(missed.body, "a miss")
        eyes.look((await ask(_control(url), method="GET")).body, "the report of a replay")
        proxy.signal(signal.SIGTERM)
        end = await proxy.end()
    eyes.look(end.out + end.err, "what a replay says")
    eyes.look_around("after a replay")


def _commands(folder: Path, tape: Path, umask: str, eyes: _Eyes) -> None:
    imported = folder / "imported.sqlite"
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("export", tape, "-o", folder / "export.jsonl"),
        ("git", "textconv", tape),
        ("grep", "my key", tape),
        ("ls", tape, "--json"),
        ("verify", tape),
        ("lint", tape),
        ("import", imported, folder / "export.jsonl"),
        ("merge", folder / "merged.sqlite", tape, imported),
        ("redact", tape, "--pattern", _PATTERN, "--responses"),
        ("rekey", tape),
        ("rm", tape, "--text", "call 0"),
    )
    for command in commands:
        with _files_masked(umask):
            end = CliRunner().invoke(main, [*map(str, command)])
        eyes.look(end.output, f"what `{command[0]}` says")
        eyes.look_around(f"after `{command[0]}`")
        check(end.exit_code in {0, 1}, f"`{command}` ended with {end.exit_code}: {end.output}")
    check(b"cust-123456" not in tape.read_bytes(), "what a pattern matches is still in a byte of a redacted cassette")


@contextmanager
def _files_masked(umask: str) -> Iterator[None]:
    before = os.umask(int(umask, 8))
    try:
        yield
    finally:
        os.umask(before)
