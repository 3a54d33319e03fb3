"""Recording an answer while it passes.

Rule: bytes go on at once; the tee says which of them wait for the commit. A client that leaves does not end a
recording, an upstream that breaks off does, and a cassette that cannot be written is not the client's trouble: it is
told of it in the head where that is known by then, else in the trailer.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from proxy.core import http1, keep
from proxy.core.completion import judge
from proxy.core.errors import CassetteError, ClientGoneError, UpstreamBrokeOffError
from proxy.core.model import Interaction, Outcome, Request, Response, Track, Variant, is_stream, take_name
from proxy.core.redact import Redactor
from proxy.tee import PassingTee, PlainTee, StreamTee, Tee

if TYPE_CHECKING:
    from collections.abc import Collection
    from concurrent.futures import Future

    from proxy.core.canonical import Json
    from proxy.core.model import Headers
    from proxy.ports import Answer, Client, Clock


log = logging.getLogger("llmtape")


MOST_BYTES: Final = 100 * 1024 * 1024
_LONG_BYTES: Final = 256 * 1024
LINGER_US: Final = 600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Keeping:
    """What of an exchange is kept: which answers, which header fields, and what is redacted in them."""

    errors: keep.Errors = keep.Errors.STABLE
    headers: Collection[str] = ()
    redactor: Redactor = field(default_factory=Redactor)
    most_bytes: int = MOST_BYTES
    """Of an answer's body; one that is longer is passed on, and not kept."""
    linger_us: int = LINGER_US
    """How long an answer is waited for whose client has left."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a recording goes, and what is known of it before its answer comes. `request` is redacted."""

    track: Track
    number: int
    recorded_at: str
    sent_us: int
    request: Request
    secrets: frozenset[bytes]
    content: dict[str, Json] | None = None
    """What the key is made of."""

    @property
    def name(self) -> str:
        """The take's name."""
        return take_name(self.track.key, self.number)


class Keeper(Protocol):
    """Whoever stores a recording."""

    @property
    def trouble(self) -> str:
        """Why the latest recording could not be stored, so that this one probably cannot be; empty where it could."""

    def save(self, interaction: Interaction) -> Future[None]:
        """Store it; the future is done once it is committed, or bears a CassetteError."""

    def mark(self, trouble: str) -> Headers:
        """Write what a client is told of its recording: what the trouble is, or where there is none its name."""


class Capture:
    """One answer on its way to the client and into the cassette. `trouble` is why it is not stored, if so."""

    def __init__(
        self, slot: Slot, answer: Answer, client: Client, *, keeper: Keeper, keeping: Keeping, clock: Clock
    ) -> None:
        self._slot = slot
        self._answer = answer
        self._client = client
        self._keeper = keeper
        self._keeping = keeping
        self._clock = clock
        self._first_byte_us = self._now()
        self._was_asked = slot.track.variant is not Variant.JSON
        streams = is_stream(answer.status, answer.headers, was_asked=self._was_asked)
        # A stream goes in HTTP chunks even where its length was told: its last byte is not known from its events,
        # the last HTTP chunk can wait for the commit.
        self._length = None if streams else answer.length
        self._tee: Tee = StreamTee() if streams else PlainTee(answer.length)
        self._size = 0
        self._stored = 0  # how many chunks the last commit held
        self.trouble = keeper.trouble
        self._told = ""  # of the trouble, in the head
        self.is_committed = False
        self._is_kept = True
        self._is_whole = False  # `[DONE]`, or the last byte of a counted body, was seen: a cut after it cuts nothing
        self._is_started = False
        self._left_us: int | None = None  # when the client did

    async def run(self) -> None:
        """Pass the answer on, its head marked, and store it; `is_committed` tells whether it was."""
        if self._has_body() and self._length is None:
            await self._write()  # the head alone; where bytes wait for the commit it goes with the first of them
        try:
            await self._pass_body()
        except UpstreamBrokeOffError as error:
            log.warning("%s", self._keeping.redactor.text(str(error), self._slot.secrets))
            await self._end(None if self._is_whole else Outcome.CUT)
            await self._write()  # the head, where no byte came after it
            await self._client.abort()
        else:
            await self._end(None)
            await self._write(last=True)

    async def _pass_body(self) -> None:
        async for data in self._answer.body:
            self._size += len(data)
            if self._is_kept and (why := self._why_not_kept()):
                self._give_up(why)
            if not self._is_kept and self._left_us is not None:
                return  # nobody wants it any more
            if passed := self._tee.feed(data, self._now()):
                await self._write(passed)
            if self._tee.is_at_end:
                self._is_whole = True
                await self._commit(None)
                await self._write(self._tee.release())

    def _why_not_kept(self) -> str:
        keeping = self._keeping
        if self._size > keeping.most_bytes:
            return f"the answer is over {keeping.most_bytes} bytes: raise record.answer_limit to record it"
        if self._left_us is not None and self._now() - self._left_us > keeping.linger_us:
            seconds = f"{keeping.linger_us / 1_000_000:g} s"
            return f"the answer went on for {seconds} after its client had left: raise record.linger_s to record it"
        return ""

    def _give_up(self, why: str) -> None:
        """Keep no more of it than was committed already."""
        self._is_kept = False
        self._tee = PassingTee(self._tee.release())
        if not self.is_committed:
            self.trouble = why
            log.warning("%s is not recorded: %s", self._slot.name, why)

    async def _end(self, outcome: Outcome | None) -> None:
        """Commit what came since the last commit, if anything did; all of it, where there was none."""
        self._tee.end(self._now())
        if self._is_kept and (not self._stored or len(self._tee.chunks) > self._stored):
            await self._commit(outcome)
        if passed := self._tee.release():
            await self._write(passed)

    async def _commit(self, outcome: Outcome | None) -> None:
        """Store what came until now; where no outcome is given the protocol tells it."""
        slot = self._slot
        is_long = self._size > _LONG_BYTES  # others would wait while it is looked through for secrets
        response = await asyncio.to_thread(self._response, outcome) if is_long else self._response(outcome)
        recording = Interaction(slot.track, slot.number, slot.recorded_at, slot.request, response, slot.content)
        try:
            await asyncio.wrap_future(self._keeper.save(recording))
        except CassetteError as error:
            log.error("%s", error)  # noqa: TRY400  the text says it all
            if not self.is_committed:
                self.trouble = str(error)
        else:
            self.is_committed = True
            self.trouble = ""
        self._stored = len(response.chunks)

    def _response(self, outcome: Outcome | None) -> Response:
        slot, redactor = self._slot, self._keeping.redactor
        response = Response(
            status=self._answer.status,
            headers=redactor.headers(keep.of_response(self._answer.headers, self._keeping.headers), slot.secrets),
            chunks=redactor.chunks(tuple(self._tee.chunks), slot.secrets),
            outcome=outcome or Outcome.COMPLETE,
            first_byte_us=self._first_byte_us,
            duration_us=self._now(),
            was_asked_as_stream=self._was_asked,
        )
        if redactor.finds(response.body):
            log.warning("the answer recorded as %s has text in the shape of a secret", slot.name)
        return response if outcome else replace(response, outcome=judge(response, slot.request.path))

    def _has_body(self) -> bool:
        return self._answer.length != 0 and http1.allows_body(self._slot.request.method, self._answer.status)

    async def _write(self, data: bytes = b"", *, last: bool = False) -> None:
        if self._left_us is not None:
            return
        if not self._is_started:
            self._is_started = True
            self._told = self.trouble
            answer = self._answer
            fields = answer.headers + self._keeper.mark(self.trouble)
            self._client.start(answer.status, fields, reason=answer.reason, length=self._length)
        is_news = last and bool(self.trouble) != bool(self._told)
        trailers = self._keeper.mark(self.trouble) if is_news else ()
        try:
            await self._client.write([data] if data else (), last=last, trailers=trailers)
        except ClientGoneError:
            self._left_us = self._now()

    def _now(self) -> int:
        return self._clock() - self._slot.sent_us
