"""What the clients of a recorder were told, and whether it is true.

Rule: an answer is held against what the upstream sent, in that moment; what was said to become of it against the
cassette, once the recorder has ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from proxy.cassette.reader import Reader
from proxy.core.address import CONTROL, mounted
from proxy.demo.script import plain, stream
from tests.running import CHAT, DONE, STOP, ask, delta
from torture.answering import Question, question_of, serial_of
from torture.item import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proxy.demo.script import ReceivedRequest, Script
    from tests.running import RawAnswer


@dataclass(frozen=True, slots=True)
class Held:
    """One recording in a cassette. `name` is its take's."""

    name: str
    lane: str
    body: bytes
    question: Question | None = None
    """None for what was recorded elsewhere."""


def held(path: Path) -> list[Held]:
    """Read all that a cassette holds."""
    with Reader(path) as reader:
        return [
            Held(entry.take.name, entry.take.track.lane, reader.response(entry.take)[0].body)
            for entry in reader.entries()
        ]


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was answered; `fate` is the first word of what was told of it, `rest` what follows."""

    question: Question
    lane: str
    fate: str
    rest: str
    body: bytes


class Source:
    """An upstream whose answers tell them apart, and are remembered."""

    def __init__(self) -> None:
        self.sent: dict[int, bytes] = {}
        self._serials = count(1)

    def answer(self, request: ReceivedRequest) -> Script:
        """Answer what a recorder passes on."""
        question, serial = question_of(request.body), next(self._serials)
        text = f"serial {serial}, {question.prompt}"
        if question.streams:
            events = (delta(text[:20]), delta(text[20:]), STOP, DONE)
            self.sent[serial] = b"".join(events)
            return stream(events)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.sent[serial] = json.dumps({"object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        return plain(body=self.sent[serial])


class Recorder:
    """One recorder of a cassette, at `url` once it listens, all calls that it answered, and what it logged."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self.url = ""
        self.log: list[str] = []
        self.calls: list[Call] = []
        self._source = source

    @property
    def lost(self) -> int:
        """How many calls were told not to be recorded."""
        return sum(call.fate == "not-recorded" for call in self.calls)

    async def ask(self, *questions: Question, lane: str = "") -> None:
        """Ask one after the other, and check each answer."""
        for question in questions:
            url = mounted(self.url, "", lane) if lane else self.url
            self._take(question, lane, await ask(url + CHAT, question.body))

    async def ask_at_once(self, *questions: Question) -> None:
        """Ask all at the same time."""
        await asyncio.gather(*map(self.ask, questions))

    async def test(self, lane: str, *questions: Question) -> None:
        """Do what a runner does with one test: what its lane's end says is what became of its calls."""
        status, told = await self._control("lane/start", lane)
        if status != 200:
            check(str(self.path) in json.dumps(told), f"it is not told why a lane cannot be started: {told}")
            return
        before = len(self.calls)
        await self.ask(*questions, lane=lane)
        status, told = await self._control("lane/end", lane)
        if status != 200 or not told["ok"]:
            check(str(self.path) in json.dumps(told), f"it is not told why a lane is not stored: {told}")
            self.calls[before:] = [
                replace(call, fate="not-recorded") if call.fate == "recorded" else call for call in self.calls[before:]
            ]

    async def _control(self, name: str, lane: str) -> tuple[int, dict[str, Any]]:
        origin = self.url.removesuffix("/v1")
        answer = await ask(f"{origin}{CONTROL}/{name}", json.dumps({"lane": lane}).encode())
        return answer.status, json.loads(answer.body)

    def _take(self, question: Question, lane: str, answer: RawAnswer) -> None:
        fate, _, rest = answer.mark.partition(" ")
        what = f"{question.prompt[:20]!r}, {'streamed' if question.streams else 'plain'}"
        told = f"{answer.status} {answer.mark!r} {answer.body[:300]!r}"
        check(answer.status == 200 and answer.ended, f"{what} was not answered: {told}")
        check(fate in {"recorded", "not-recorded", "played"}, f"{what} is not told what became of it: {told}")
        is_same = self._source.sent.get(serial_of(answer.body)) == answer.body
        check(is_same, f"{what} was not answered with the upstream's bytes: {told}")
        if fate == "not-recorded":
            reason = rest.partition("; ")[2]
            check(str(self.path) in reason, f"{what} is not told why it is not recorded: {told}")
        self.calls.append(Call(question, lane, fate, rest, answer.body))

    def check_end(self, faults: int) -> None:
        """Check what is told of the whole run: by its log, and by its faults, which make its exit status."""
        check(faults or not self.lost, f"the exit status says nothing of {self.lost} calls that were not recorded")
        log = "\n".join(self.log)
        for call in self.calls:
            reason = call.rest.partition("; ")[2]
            check(reason in log, f"the log says nothing of this: {reason}")

    def check_held(self, before: Sequence[Held]) -> None:
        """Check what is in the cassette against what was told, and what was there before against what is there now."""
        found = held(self.path) if self.path.exists() else []
        bodies = {recording.body: recording for recording in found}
        replaced = set()
        for call in self.calls:
            recording = bodies.get(call.body)
            if call.fate == "not-recorded":
                check(recording is None, f"{recording and recording.name} was told not to be recorded, and is")
            else:
                is_found = recording is not None and (recording.lane == call.lane or call.fate == "played")
                told = f"{call.fate} {call.rest}, {call.question.prompt[:20]!r} in lane {call.lane!r}"
                check(is_found, f"it is not in the cassette: {told}")
                name = call.rest.partition(";")[0]
                check(recording and recording.name == name, f"it is {recording and recording.name}: {told}")
                replaced.add((name.partition(":")[0], call.question.streams, call.lane))
        for recording in before:
            key = recording.name.partition(":")[0]
            is_replaced = {(key, streams, recording.lane) for streams in (False, True)} & replaced
            check(is_replaced or recording.body in bodies, f"{recording.name}, recorded before, is lost")


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


@contextmanager
def heard(lines: list[str]) -> Iterator[None]:
    """Take what the proxy logs; nobody else hears of it."""
    log = logging.getLogger("llmtape")
    listener, propagates = _Listener(lines), log.propagate
    log.addHandler(listener)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.propagate = propagates
