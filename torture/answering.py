"""An upstream whose answers tell them apart: each bears a serial number, and is remembered as it was sent.

Rule: no two answers are alike, whatever was asked, so that what a cassette or a replay has can be held against the one
answer that it must be. What an answer looks like is drawn; when it comes is not waited for.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, Final

from proxy.demo.script import Send, Wait, head, plain, stream
from tests.running import DONE, STOP, chat, delta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from proxy.demo.script import ReceivedRequest, Script, Step

STABLE: Final = (200, 400)
"""The statuses that are recorded, of those that it answers with."""

_FLEETING: Final = 429
_SERIAL: Final = re.compile(rb"serial (\d+),")
_PIECES: Final = (0, 1, 5, 30, 200)
"""How many pieces of text an answer may have."""

_LARGE: Final = 300_000
DOOMED: Final = "doomed"
"""The model whose recordings somebody removes."""

CONFIDENTIAL: Final = "confidential"
"""The model whose answers have what somebody redacts."""

SECRET: Final = b"tell nobody"
_SYSTEM: Final = "You answer in one word. " * 30


@dataclass(frozen=True, slots=True, order=True)
class Question:
    """What is asked, and whether for a stream: what makes the track of a recording."""

    prompt: str
    streams: bool
    model: str = "m"

    @property
    def body(self) -> bytes:
        """The request's body, of whose parts many share the most."""
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": self.prompt}]
        streams: dict[str, Any] = {"stream": True} if self.streams else {}
        return chat(model=self.model, messages=messages, **streams)


def question_of(body: bytes) -> Question:
    """Return the question that a request's body asks."""
    asked = json.loads(body)
    return Question(asked["messages"][-1]["content"], asked.get("stream", False), asked["model"])


def serial_of(body: bytes) -> int:
    """Return the serial number that stands in an answer; 0 where none does."""
    found = _SERIAL.search(body)
    return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Told:
    """One answer as it was sent, and the recorder that asked for it."""

    question: Question
    status: int
    body: bytes
    recorder: int

    def is_whole(self, question: Question, status: int, body: bytes) -> bool:
        """Tell whether this is it, from its first byte to its last, be what is confidential redacted or not."""
        if (question, status) != (self.question, self.status):
            return False
        if body == self.body or question.model != CONFIDENTIAL:
            return body == self.body
        before, _, after = self.body.partition(SECRET)
        return len(body) == len(self.body) and body.startswith(before) and body.endswith(after)


class Teller:
    """All answers that were given, by their serial numbers. Several upstreams may answer from one."""

    def __init__(self, random: Random) -> None:
        self.told: dict[int, Told] = {}
        self._serials = count(1)
        self._random = random

    def answer(self, request: ReceivedRequest, recorder: int) -> Script:
        """Make up an answer to what a recorder passes on."""
        question = question_of(request.body)
        serial = next(self._serials)
        random = self._random
        status = random.choices((*STABLE, _FLEETING), (94, 3, 3))[0]
        if question.streams and status == STABLE[0]:
            events = list(self._events(self._words(serial, question)))
            body = b"".join(events)
            script = stream(self._cut(events))
        else:
            body = self._document(self._words(serial, question), status)
            script = self._plain(status, body)
        self.told[serial] = Told(question, status, body, recorder)
        return script

    def _words(self, serial: int, question: Question) -> str:
        """Return what an answer begins with."""
        return f"serial {serial}, " + (SECRET.decode() if question.model == CONFIDENTIAL else "")

    def _events(self, words: str) -> Iterator[bytes]:
        yield delta(words)
        size = self._random.choice((5, 60, 400))
        for piece in range(self._random.choice(_PIECES)):
            yield delta(f"{piece} ".ljust(size, "x"))
        yield STOP
        yield DONE

    def _cut(self, events: list[bytes]) -> Iterator[bytes | Step]:
        """Cut a stream into HTTP chunks: an event each, or wherever it happens; some take their time."""
        is_slow, is_torn = self._random.random() < 0.3, self._random.random() < 0.3
        whole = b"".join(events)
        places = sorted({0, len(whole), *self._random.choices(range(len(whole)), k=len(events))})
        pieces = [whole[a:b] for a, b in pairwise(places)] if is_torn else events
        for piece in pieces:
            yield piece
            if is_slow:
                yield Wait(0.002)

    def _document(self, words: str, status: int) -> bytes:
        text = words + "y" * self._random.choice((0, 100, 5000, _LARGE))
        if status != STABLE[0]:
            return json.dumps({"error": {"message": text}}).encode()
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({"object": "chat.completion", "model": "m", "choices": [choice]}).encode()

    def _plain(self, status: int, body: bytes) -> Script:
        if self._random.random() < 0.7:
            return plain(status, body=body)
        middle = self._random.randrange(len(body))
        fields = {"content-type": "application/json", "content-length": str(len(body))}
        return (Send(head(status, fields) + body[:middle]), Wait(0.005), Send(body[middle:]))
