"""One request's journey: key, decide, then play, capture, forward or refuse.

Rule: what the modes do stands in `core.modes`; here is only how each action is done. The sender, the cassettes,
the clock and the client are arguments: this room knows neither aiohttp nor SQL. Every call is entered in the
ledger once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proxy.capture import Capture, Keeping, Slot
from proxy.core import keep, refusal
from proxy.core.counterparts import counterparts, restores_any
from proxy.core.deck import Drawn
from proxy.core.errors import AnsweredError, BadAddressError, CassetteError, CassetteMissingError, UpstreamBrokeOffError
from proxy.core.ledger import Call, Fate, Ledger
from proxy.core.marks import Places, marks, placed
from proxy.core.miss import Miss, Nearest
from proxy.core.model import KEY_DIGITS, Headers, Request, Response, Track, header
from proxy.core.modes import Action, Found, Mode, decide, looks_up
from proxy.core.normalize import Canonical, normalize
from proxy.core.pace import Instant, Pace
from proxy.core.redact import credentials
from proxy.core.remedy import Remedy, remedy
from proxy.core.restore import restored
from proxy.core.rules import DEFAULT, Rules
from proxy.playback import play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from proxy.cassette.shelf import Shelf, Tape
    from proxy.core.address import Address
    from proxy.core.model import Take
    from proxy.ports import Answer, Client, Clock, Sender, Sleep
    from proxy.watch import Watch

log = logging.getLogger("llmtape")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the config says on recording and replaying."""

    mode: Mode
    pace: Pace = field(default_factory=Instant)
    keeping: Keeping = field(default_factory=Keeping)
    rules: Rules = DEFAULT
    here: Places = ()
    """The folders of this process, which prompts may tell."""
    secrets: frozenset[bytes] = frozenset()
    """Credentials of our own, which an upstream may echo in its answers."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request on its way. `request` goes upstream; `clean` is what may be stored and told of it."""

    request: Request
    clean: Request
    canonical: Canonical
    track: Track
    cassette: str
    is_named: bool
    arrived_us: int
    client: Client


class Exchange:
    """Answers requests. `sender` is None where no upstream may exist, `watch` where nothing is recorded."""

    def __init__(
        self,
        policy: Policy,
        shelf: Shelf,
        sender: Sender | None,
        ledger: Ledger,
        *,
        clock: Clock,
        sleep: Sleep,
        watch: Watch | None = None,
    ) -> None:
        self._policy = policy
        self._watch = watch
        self._shelf = shelf
        self._sender = sender
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._seen: set[bytes] = set()

    async def answer(self, request: Request, address: Address, client: Client) -> None:
        """Answer one API request. Raises BadAddressError for a cassette outside of the folder."""
        asked = self._ask(request, address, client)
        try:
            await self._go(asked, address)
        except (AnsweredError, CassetteError) as error:  # nothing was answered yet
            await self._fail(asked, error)

    async def _go(self, asked: _Asked, address: Address) -> None:
        tape, drawn = self._look_up(asked, address)
        action = decide(self._policy.mode, drawn.found)
        if action is Action.PLAY and tape:
            await self._play(asked, tape, drawn)
        elif action is Action.CAPTURE and tape:
            await self._capture(asked, tape, drawn)
        elif action is Action.FORWARD:
            await self._forward(asked)
        else:
            await self._refuse(asked, tape, drawn)

    def _ask(self, request: Request, address: Address, client: Client) -> _Asked:
        secrets = credentials(request.headers, request.query) | self._policy.secrets
        self._seen |= secrets
        if any(secret in address.lane.encode() for secret in secrets):
            raise BadAddressError("the lane bears a credential: name it after the test, and nothing else")
        rules = self._policy.rules
        clean = self._policy.keeping.redactor.request(request, secrets)
        kept = keep.of_request(clean.headers) + marks(request.headers, request.query, rules, self._policy.here)
        clean = replace(clean, headers=kept)
        canonical = normalize(clean, rules)
        return _Asked(
            request=request,
            clean=clean,
            canonical=canonical,
            track=Track(canonical.key, canonical.variant, address.lane),
            cassette=str(self._shelf.path_of(address.cassette)),
            is_named=bool(address.cassette),
            arrived_us=self._clock(),
            client=client,
        )

    def _look_up(self, asked: _Asked, address: Address) -> tuple[Tape | None, Drawn]:
        if self._policy.mode is Mode.PASSTHROUGH:
            return None, Drawn(Found.NOT_RECORDED)
        try:
            tape = self._shelf.tape(address.cassette)
        except CassetteMissingError:
            return None, Drawn(Found.NO_CASSETTE)
        if not looks_up(self._policy.mode):
            return tape, Drawn(Found.NOT_RECORDED)
        return tape, tape.look_up(asked.track, retry=_is_retry(asked.request.headers))

    async def _play(self, asked: _Asked, tape: Tape, drawn: Drawn) -> None:
        assert drawn.take is not None  # noqa: S101  a playable draw has one
        response, tokens = tape.response(drawn.take)
        if restores_any(asked.canonical, self._policy.rules):
            response = await self._restored(response, asked, tape, drawn.take)
        self._enter(asked, Fate.PLAYED, response.status, drawn.take.name)

        async def sleep_until(due_us: int) -> None:
            delay = asked.arrived_us + due_us - self._clock()
            if delay > 0:
                await self._sleep(delay / 1_000_000)

        schedule = self._policy.pace.schedule(response, tokens)
        await play(asked.client, response, schedule, _mark(Fate.PLAYED, drawn.take.name), sleep_until)

    async def _restored(self, response: Response, asked: _Asked, tape: Tape, take: Take) -> Response:
        """Put this request's values in place of those that the recorded request had."""
        rules = self._policy.rules
        recorded = normalize(tape.request(take), rules)
        values = counterparts(recorded, asked.canonical, rules)
        return await asyncio.to_thread(restored, response, asked.request.path, values)  # a long stream takes its time

    async def _capture(self, asked: _Asked, tape: Tape, drawn: Drawn) -> None:
        number = tape.reserve(asked.track, drawn)
        asked.client.outlived = True
        # What was seen of any caller, since an answer may echo what an earlier one was told.
        slot = Slot(
            asked.track,
            number,
            _timestamp(),
            self._clock(),
            asked.clean,
            frozenset(self._seen),
            asked.canonical.content,
        )
        async with self._send(asked, on_failure=lambda: tape.release(asked.track, number)) as answer:
            if not keep.is_recorded(answer.status, self._policy.keeping.errors):
                tape.release(asked.track, number)
                asked.client.outlived = False
                await self._pass(asked, answer, Fate.NOT_RECORDED, f"status {answer.status} is not recorded")
                return
            self._enter(asked, Fate.RECORDED, answer.status, slot.name)
            capture = Capture(
                slot, answer, asked.client, save=tape.save, keeping=self._policy.keeping, clock=self._clock
            )
            try:
                await capture.run(_mark(Fate.RECORDED, slot.name))
            finally:
                if not capture.is_committed:
                    log.warning("%s is not in the cassette: its answer did not end, or could not be stored", slot.name)
                    self._ledger.lose(asked.cassette, asked.track.lane)
                elif self._watch:
                    self._watch.look(self._placed(asked.clean), slot.name)

    async def _forward(self, asked: _Asked) -> None:
        async with self._send(asked) as answer:
            await self._pass(asked, answer, Fate.FORWARDED)

    @asynccontextmanager
    async def _send(self, asked: _Asked, on_failure: Callable[[], None] = lambda: None) -> AsyncIterator[Answer]:
        """Call the upstream; `on_failure` is for where no answer begins."""
        assert self._sender is not None  # noqa: S101  given in the modes that call the upstream
        try:
            async with self._sender.send(asked.request) as answer:
                yield answer
        except AnsweredError:
            on_failure()
            raise

    async def _fail(self, asked: _Asked, error: AnsweredError | CassetteError) -> None:
        """Answer with an error of ours; the ledger has it as a fault."""
        log.warning("%s", error)
        fate = Fate.MISSED if self._sender is None else Fate.NOT_RECORDED
        status, headers, body = refusal.answer(error)
        self._enter(asked, fate, status, note=str(error), fault=True)
        asked.client.start(status, headers + _mark(fate, asked.track.key[:KEY_DIGITS]), length=len(body))
        await asked.client.write([body], last=True)

    async def _pass(self, asked: _Asked, answer: Answer, fate: Fate, note: str = "") -> None:
        """Hand on an answer that is not recorded; where the client leaves, so do we."""
        self._enter(asked, fate, answer.status, note=note)
        client = asked.client
        marks = _mark(fate, asked.track.key[:KEY_DIGITS], note)
        client.start(answer.status, answer.headers + marks, reason=answer.reason, length=answer.length)
        await client.write(())
        try:
            async for data in answer.body:
                await client.write([data])
        except UpstreamBrokeOffError as error:
            log.warning("%s", error)
            await client.abort()
        else:
            await client.write((), last=True)

    async def _refuse(self, asked: _Asked, tape: Tape | None, drawn: Drawn) -> None:
        held = tape.held if tape else 0
        miss = Miss(
            drawn.found,
            asked.cassette,
            asked.track,
            asked.canonical,
            held=held,
            take=drawn.take,
            is_named=asked.is_named,
        )
        # Counted before anything is waited for: a client that gives up has missed all the same.
        entered = self._enter(asked, Fate.MISSED, refusal.STATUS, note=miss.report())
        if tape and drawn.found is Found.NOT_RECORDED:
            nearest, proposed = await asyncio.to_thread(self._explain, asked, tape)
            miss = replace(miss, nearest=nearest, remedy=proposed)
        report = miss.report()
        self._ledger.explain(entered, report)
        log.warning("%s", report.removeprefix("llmtape "))
        body = refusal.body(report, "cassette_miss", drawn.found, miss.param)
        marks = _mark(Fate.MISSED, asked.track.key[:KEY_DIGITS])
        asked.client.start(refusal.STATUS, refusal.FINAL + marks, length=len(body))
        await asked.client.write([body], last=True)

    def _explain(self, asked: _Asked, tape: Tape) -> tuple[Nearest | None, Remedy | None]:
        """Find what is nearest to a request that missed, and the rules that would have made it hit."""
        try:
            nearest = tape.nearest(asked.canonical)
        except CassetteError as error:  # it is a miss all the same
            log.warning("%s", error)
            return None, None
        return nearest, remedy(nearest.request, self._placed(asked.clean), self._policy.rules) if nearest else None

    def _placed(self, request: Request) -> Request:
        """Return a request with all that rules may come to ask for."""
        return replace(request, headers=placed(request.headers, self._policy.here))

    def _enter(
        self, asked: _Asked, fate: Fate, status: int, take: str = "", *, note: str = "", fault: bool = False
    ) -> Call:
        request = asked.clean
        call = Call(fate, asked.cassette, asked.track.lane, take, request.method, request.path, status, note)
        self._ledger.enter(call, fault=fault)
        log.info("%s %s %s %s %d", fate, take or asked.track.key[:KEY_DIGITS], request.method, request.path, status)
        return call


def _mark(fate: Fate, what: str, note: str = "") -> Headers:
    return (("x-llmtape", f"{fate} {what}" + (f"; {note}" if note else "")),)


def _is_retry(headers: Headers) -> bool:
    return (header(headers, "x-stainless-retry-count") or "0") != "0"


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
