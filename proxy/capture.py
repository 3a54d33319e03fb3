"""Recording an answer while it passes.

Rule: bytes go on at once; the tee says which of them wait for the commit. A client that leaves does not end a
recording, an upstream that breaks off does, and a cassette that cannot be written is not the client's trouble.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proxy.core import http1, keep
from proxy.core.completion import judge
from proxy.core.errors import CassetteError, ClientGoneError, UpstreamBrokeOffError
from proxy.core.model import Interaction, Outcome, Request, Response, Track, Variant, is_stream, take_name
from proxy.core.redact import Redactor
from proxy.tee import PlainTee, StreamTee, Tee

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from concurrent.futures import Future

    from proxy.core.canonical import Json
    from proxy.core.model import Headers
    from proxy.ports import Answer, Client, Clock

    Save = Callable[[Interaction], Future[None]]

log = logging.getLogger("llmtape")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What of an exchange is kept: which answers, which header fields, and what is redacted in them."""

    errors: keep.Errors = keep.Errors.STABLE
    headers: Collection[str] = ()
    redactor: Redactor = field(default_factory=Redactor)


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


class Capture:
    """One answer on its way to the client and into the cassette."""

    def __init__(
        self, slot: Slot, answer: Answer, client: Client, *, save: Save, keeping: Keeping, clock: Clock
    ) -> None:
        self._slot = slot
        self._answer = answer
        self._client = client
        self._save = save
        self._keeping = keeping
        self._clock = clock
        self._first_byte_us = self._now()
        self._was_asked = slot.track.variant is not Variant.JSON
        streams = is_stream(answer.status, answer.headers, was_asked=self._was_asked)
        # A stream goes in HTTP chunks even where its length was told: its last byte is not known from its events,
        # the last HTTP chunk can wait for the commit.
        self._length = None if streams else answer.length
        self._tee: Tee = StreamTee() if streams else PlainTee(answer.length)
        self._stored = 0  # how many chunks the last commit held
        self.is_committed = False
        self._is_whole = False  # `[DONE]`, or the last byte of a counted body, was seen: a cut after it cuts nothing
        self._is_client_there = True

    async def run(self, marks: Headers) -> None:
        """Pass the answer on, `marks` added to its head, and store it; `is_committed` tells whether it was."""
        answer = self._answer
        self._client.start(answer.status, answer.headers + marks, reason=answer.reason, length=self._length)
        if self._has_body():
            await self._write()  # the head alone; without a body it would be the end, and waits for the commit
        try:
            await self._pass_body()
        except UpstreamBrokeOffError as error:
            log.warning("%s", error)
            await self._end(None if self._is_whole else Outcome.CUT)
            await self._client.abort()
        else:
            await self._end(None)
            await self._write(last=True)

    async def _pass_body(self) -> None:
        async for data in self._answer.body:
            await self._write(self._tee.feed(data, self._now()))
            if self._tee.is_at_end:
                self._is_whole = True
                await self._commit(None)
                await self._write(self._tee.release())

    async def _end(self, outcome: Outcome | None) -> None:
        """Commit what came since the last commit, if anything did; all of it, where there was none."""
        self._tee.end(self._now())
        if not self._stored or len(self._tee.chunks) > self._stored:
            await self._commit(outcome)
        await self._write(self._tee.release())

    async def _commit(self, outcome: Outcome | None) -> None:
        """Store what came until now; where no outcome is given the protocol tells it."""
        slot = self._slot
        response = self._response(outcome)
        try:
            await asyncio.wrap_future(
                self._save(Interaction(slot.track, slot.number, slot.recorded_at, slot.request, response, slot.content))
            )
        except CassetteError as error:
            log.error("%s", error)  # noqa: TRY400  the text says it all
        else:
            self.is_committed = True
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
        if not self._is_client_there:
            return
        try:
            await self._client.write([data] if data else (), last=last)
        except ClientGoneError:
            self._is_client_there = False

    def _now(self) -> int:
        return self._clock() - self._slot.sent_us
