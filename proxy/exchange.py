"""One request's journey: key, decide, then play, capture, forward or refuse.

Rule: what the modes do stands in `core.modes`; here is only how each action is done. The sender, the cassettes,
the clock and the client are arguments: this room knows neither aiohttp nor SQL. Every call is entered in the
ledger once.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from proxy.asked import Asked, faults_of, mark, retry_count
from proxy.capture import Capture, Slot
from proxy.core import faults, keep, refusal
from proxy.core.counterparts import counterparts, restores_any
from proxy.core.credentials import Seen, credentials
from proxy.core.deck import Drawn
from proxy.core.errors import (
    AnsweredError,
    BadAddressError,
    CassetteError,
    CassetteMissingError,
    CassetteOutOfReachError,
    FaultError,
    LlmtapeError,
    UpstreamBrokeOffError,
)
from proxy.core.inject import Injected, inject
from proxy.core.ledger import Call, Fate, Ledger, Line
from proxy.core.marks import marks, placed
from proxy.core.miss import Miss, Nearest
from proxy.core.model import Chunk, Headers, Outcome, Request, Response, Track
from proxy.core.modes import Action, Found, Mode, calls_upstream, decide, looks_up, records
from proxy.core.normalize import normalize
from proxy.core.remedy import Remedy, remedy
from proxy.core.restore import restored
from proxy.playback import play
from proxy.recording import Nobody, Recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from proxy.cassette.shelf import Shelf, Tape
    from proxy.core.address import Address
    from proxy.core.model import Take
    from proxy.lanes import Lane, Lanes, Policy
    from proxy.ports import Answer, Client, Clock, Sender, Sleep
    from proxy.watch import Watch

log = logging.getLogger("llmtape")


class Exchange:
    """Answers requests. `sender` is None where no upstream may exist, `watch` where nothing is recorded."""

    def __init__(
        self,
        lanes: Lanes,
        shelf: Shelf,
        ledger: Ledger,
        *,
        clock: Clock,
        sleep: Sleep,
        sender: Sender | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.sender = sender
        self.watch = watch
        self._lanes = lanes
        self._shelf = shelf
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._seen = Seen()

    async def answer(self, request: Request, address: Address, client: Client) -> None:
        """Answer one API request.

        Raises BadAddressError for a cassette outside of the folder, BadLaneError for a test's call after its end.
        """
        address = self._lanes.resolve(address)
        lane = self._lanes.find(address)
        with lane.busy():
            try:
                asked = self._ask(request, address, client, lane)
            except FaultError as error:
                await self._refuse_fault(error, request, address, client, lane.policy)
                return
            try:
                await self._go_or_pass_by(asked, address)
            except (AnsweredError, CassetteError) as error:  # nothing was answered yet
                await self._fail(asked, error)

    async def _go_or_pass_by(self, asked: Asked, address: Address) -> None:
        try:
            await self._go(asked, address)
        except CassetteOutOfReachError as error:  # nothing was answered yet
            if not records(asked.policy.mode):
                raise
            await self._pass_by(asked, error)

    async def _go(self, asked: Asked, address: Address) -> None:
        if asked.faults and (refused := faults.refusal(asked.faults)):
            await self._inject(asked, *refused)
            return
        tape, drawn = self._look_up(asked, address)
        action = decide(asked.policy.mode, drawn.found)
        if action is Action.PLAY and tape:
            await self._play(asked, tape, drawn)
        elif action is Action.CAPTURE and tape:
            spoilt = asked.lane.spoilt.pop(asked.track, None)
            if spoilt and retry_count(asked.request.headers):
                await self._play_spoilt(asked, *spoilt)
            else:
                await self._capture(asked, tape, drawn)
        elif action is Action.FORWARD:
            await self._forward(asked)
        else:
            await self._refuse(asked, tape, drawn)

    def _ask(self, request: Request, address: Address, client: Client, lane: Lane) -> Asked:
        policy = lane.policy
        # What any caller has shown, since a prompt may hold what an earlier one was told.
        secrets = self._seen.add(credentials(request.headers, request.query) | policy.secrets)
        for name in (address.cassette, address.lane):  # before anything is told of the call
            if policy.keeping.redactor.text(name, secrets) != name:
                raise BadAddressError(
                    "the lane or the cassette bears a credential, or what redact.patterns match: name it otherwise"
                )
        request, wanted = faults_of(request, lane)
        clean = policy.keeping.redactor.request(request, secrets)
        kept = keep.of_request(clean.headers) + marks(request.headers, request.query, policy.rules, policy.here)
        clean = replace(clean, headers=kept)
        canonical = normalize(clean, policy.rules)
        return Asked(
            request=request,
            clean=clean,
            canonical=canonical,
            track=Track(canonical.key, canonical.variant, address.lane),
            cassette=str(self._shelf.path_of(address.cassette)),
            is_named=bool(address.cassette),
            arrived_us=self._clock(),
            client=client,
            lane=lane,
            faults=wanted,
        )

    def _look_up(self, asked: Asked, address: Address) -> tuple[Tape | None, Drawn]:
        policy = asked.policy
        if policy.mode is Mode.PASSTHROUGH:
            return None, Drawn(Found.NOT_RECORDED)
        try:
            tape = asked.lane.tape or self._shelf.tape(address.cassette, policy.mode)
            return tape, self._draw(asked, tape)
        except CassetteMissingError:
            return None, Drawn(Found.NO_CASSETTE)

    def _draw(self, asked: Asked, tape: Tape) -> Drawn:
        policy = asked.policy
        if not looks_up(policy.mode):
            return Drawn(Found.NOT_RECORDED)
        # A test that records what it lacks must not depend on what another one recorded just before.
        alone = asked.lane.holds and records(policy.mode)
        retry = retry_count(asked.request.headers) > 0
        return tape.look_up(asked.track, retry=retry, repeats=policy.repeats, alone=alone)

    async def _play(self, asked: Asked, tape: Tape, drawn: Drawn) -> None:
        assert drawn.take is not None  # noqa: S101  a playable draw has one
        recorded = tape.recorded(drawn.take)  # shared with all who play it now, for as long as it is named here
        response = recorded.response
        if restores_any(asked.canonical, asked.policy.rules):
            response = await self._restored(response, asked, tape, drawn.take)
        await self._play_take(asked, drawn.take.name, response, recorded.tokens, is_again=drawn.is_again)

    async def _play_take(
        self, asked: Asked, take: str, response: Response, tokens: int | None = None, *, is_again: bool = False
    ) -> None:
        injected = inject(response, asked.faults)
        call = asked.call(Fate.PLAYED, injected.response.status, take)
        told = replace(call, response=injected.response, injected=asked.wanted)
        self._enter(replace(told, is_again=is_again))
        await self._send_recorded(asked, injected, tokens, mark(Fate.PLAYED, take))

    async def _send_recorded(self, asked: Asked, injected: Injected, tokens: int | None, marks: Headers) -> None:
        """Play an answer at the lane's pace, with the faults that were wanted of it."""
        response = injected.response
        begin_us = (self._clock() if asked.client.outlived else asked.arrived_us) + injected.delay_us
        asked.client.outlived = False

        async def sleep_until(due_us: int) -> None:
            delay = begin_us + due_us - self._clock()
            if delay > 0:
                await self._sleep(delay / 1_000_000)

        if injected.delay_us:
            await self._delay(asked, begin_us - self._clock())
        schedule = asked.policy.pace.schedule(response, tokens)
        stall = asked.lane.over.wait if injected.stalls else None
        await play(
            asked.client,
            response,
            schedule,
            marks + asked.told_faults,
            sleep_until,
            counts=not asked.faults,
            stall=stall,
        )

    async def _inject(self, asked: Asked, status: int, headers: Headers, body: bytes) -> None:
        """Answer with an error on purpose, whatever is recorded; no take is spent."""
        response = Response(status, headers, (Chunk(0, body),), Outcome.COMPLETE, 0, 0)
        call = asked.call(Fate.INJECTED, status, note="an error on purpose")
        self._enter(replace(call, response=response, injected=asked.wanted))
        await self._delay(asked, inject(response, asked.faults).delay_us)
        marks = mark(Fate.INJECTED, asked.short_key) + asked.told_faults
        await _say(asked.client, status, headers + marks, body)

    async def _delay(self, asked: Asked, delay_us: int) -> None:
        """Wait on purpose; not longer than the test runs, which need not wait for its answer."""
        if delay_us <= 0:
            return
        over = asyncio.ensure_future(asked.lane.over.wait())
        slept = asyncio.ensure_future(self._sleep(delay_us / 1_000_000))
        try:
            await asyncio.wait({over, slept}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            slept.cancel()

    async def _restored(self, response: Response, asked: Asked, tape: Tape, take: Take) -> Response:
        """Put this request's values in place of those that the recorded request had."""
        rules = asked.policy.rules
        recorded = normalize(tape.request(take), rules)
        values = counterparts(recorded, asked.canonical, rules)
        return await asyncio.to_thread(restored, response, asked.request.path, values)  # a long stream takes its time

    async def _capture(self, asked: Asked, tape: Tape, drawn: Drawn) -> None:
        number = tape.reserve(asked.track, drawn)
        asked.client.outlived = True
        # What was seen of any caller, since an answer may echo what an earlier one was told.
        slot = Slot(
            asked.track,
            number,
            _timestamp(),
            self._clock(),
            asked.clean,
            self._seen.all,
            asked.canonical.content,
        )
        async with self._send(asked, on_failure=lambda: tape.release(asked.track, number)) as answer:
            if not keep.is_recorded(answer.status, asked.policy.keeping.errors):
                tape.release(asked.track, number)
                asked.client.outlived = False
                await self._pass(asked, answer, Fate.NOT_RECORDED, f"status {answer.status} is not recorded")
                return
            line = self._enter(asked.call(Fate.RECORDED, answer.status, slot.name))
            recording = Recording(asked, slot, tape, self._ledger, line)
            await self._record(asked, answer, recording)
        if asked.faults and recording.response:
            asked.lane.spoil(asked.track, slot.name, recording.response)
            injected = inject(recording.response, asked.faults)
            await self._send_recorded(asked, injected, None, mark(Fate.RECORDED, slot.name))

    async def _play_spoilt(self, asked: Asked, take: str, response: Response) -> None:
        """Answer the retry of a call whose answer was spoilt on purpose with the same take, as a replay will."""
        if asked.faults:
            asked.lane.spoil(asked.track, take, response)
        await self._play_take(asked, take, response)

    async def _record(self, asked: Asked, answer: Answer, recording: Recording) -> None:
        """Store an answer while it passes; where a fault is wanted of it, store the whole of it first."""
        client = Nobody() if asked.faults else asked.client
        slot, keeping = recording.slot, asked.policy.keeping
        capture = Capture(slot, answer, client, keeper=recording, keeping=keeping, clock=self._clock)
        try:
            await capture.run()
        finally:
            if not capture.is_committed:
                note = f"{slot.name} is not in the cassette: {capture.trouble or 'its answer did not end'}"
                log.warning("%s", note)
                self._ledger.amend(recording.line, fate=Fate.NOT_RECORDED, note=note, failed=True)
            elif self.watch:
                self.watch.look(self._placed(asked), slot.name)

    async def _forward(self, asked: Asked) -> None:
        if asked.faults:
            raise FaultError(
                f"{', '.join(asked.wanted)} is done to recordings, and mode {asked.policy.mode} has none; only "
                "status=N can be asked for there"
            )
        async with self._send(asked) as answer:
            await self._pass(asked, answer, Fate.FORWARDED)

    async def _pass_by(self, asked: Asked, error: CassetteOutOfReachError) -> None:
        """Hand on what the upstream answers, unrecorded: nobody can tell now whether it is recorded already."""
        told = self._redacted(error, asked.policy)
        log.warning("%s", told)
        async with self._send(asked) as answer:
            await self._pass(asked, answer, Fate.NOT_RECORDED, told, failed=True)

    @asynccontextmanager
    async def _send(self, asked: Asked, on_failure: Callable[[], None] = lambda: None) -> AsyncIterator[Answer]:
        """Call the upstream; `on_failure` is for where no answer begins."""
        assert self.sender is not None  # noqa: S101  given in the modes that call the upstream
        try:
            async with self.sender.send(asked.request) as answer:
                yield answer
        except AnsweredError:
            on_failure()
            raise

    def _redacted(self, error: LlmtapeError, policy: Policy) -> str:
        """Return an error's text as it may be told: it may quote a client, or an upstream."""
        return policy.keeping.redactor.text(str(error), self._seen.all)

    async def _fail(self, asked: Asked, error: AnsweredError | CassetteError) -> None:
        """Answer with an error of ours; the ledger has it as a fault."""
        told = self._redacted(error, asked.policy)
        log.warning("%s", told)
        fate = Fate.NOT_RECORDED if calls_upstream(asked.policy.mode) else Fate.MISSED
        status, headers, body = refusal.answer(error, told)
        self._enter(replace(asked.call(fate, status, note=told), failed=True))
        await _say(asked.client, status, headers + mark(fate, asked.short_key), body)

    async def _refuse_fault(
        self, error: FaultError, request: Request, address: Address, client: Client, policy: Policy
    ) -> None:
        """Answer a call that asks for a fault that there is not; its test fails, though it expects errors."""
        told = self._redacted(error, policy)
        log.warning("%s", told)
        status, headers, body = refusal.answer(error, told)
        cassette = str(self._shelf.path_of(address.cassette))
        fate, path = Fate.NOT_RECORDED, policy.keeping.redactor.text(request.path, self._seen.all)
        self._enter(Call(fate, cassette, address.lane, "", request.method, path, status, told, failed=True))
        await _say(client, status, (*headers, ("x-llmtape", fate.value)), body)

    async def _pass(self, asked: Asked, answer: Answer, fate: Fate, note: str = "", *, failed: bool = False) -> None:
        """Hand on an answer that is not recorded; where the client leaves, so do we."""
        self._enter(replace(asked.call(fate, answer.status, note=note), failed=failed))
        client = asked.client
        marks = mark(fate, asked.short_key, note)
        client.start(answer.status, answer.headers + marks, reason=answer.reason, length=answer.length)
        await client.write(())
        try:
            async for data in answer.body:
                await client.write([data])
        except UpstreamBrokeOffError as error:
            log.warning("%s", self._redacted(error, asked.policy))
            await client.abort()
        else:
            await client.write((), last=True)

    async def _refuse(self, asked: Asked, tape: Tape | None, drawn: Drawn) -> None:
        held = tape.held if tape else 0
        miss = Miss(
            drawn.found,
            asked.cassette,
            asked.track,
            asked.canonical,
            held=held,
            take=drawn.take,
            is_named=asked.is_named,
            recorder=asked.policy.recorder,
        )
        # Counted before anything is waited for: a client that gives up has missed all the same.
        line = self._enter(asked.call(Fate.MISSED, refusal.STATUS, note=miss.report()))
        if tape and drawn.found is Found.NOT_RECORDED:
            nearest, proposed = await asyncio.to_thread(self._explain, asked, tape)
            miss = replace(miss, nearest=nearest, remedy=proposed)
        report = miss.report()
        self._ledger.amend(line, note=report)
        if not asked.lane.holds:  # else the account of the lane has it, and its runner tells
            log.warning("%s", report.removeprefix("llmtape "))
        body = refusal.body(report, "cassette_miss", drawn.found, miss.param)
        marks = mark(Fate.MISSED, asked.short_key)
        await _say(asked.client, refusal.STATUS, refusal.FINAL + marks, body)

    def _explain(self, asked: Asked, tape: Tape) -> tuple[Nearest | None, Remedy | None]:
        """Find what is nearest to a request that missed, and the rules that would have made it hit."""
        try:
            nearest = tape.nearest(asked.canonical)
        except CassetteError as error:  # it is a miss all the same
            log.warning("%s", error)
            return None, None
        return nearest, remedy(nearest.request, self._placed(asked), asked.policy.rules) if nearest else None

    def _placed(self, asked: Asked) -> Request:
        """Return a request with all that rules may come to ask for."""
        return replace(asked.clean, headers=placed(asked.clean.headers, asked.policy.here))

    def _enter(self, call: Call) -> Line:
        log.info("%s %s %s %s %d", call.fate, call.take, call.method, call.path, call.status)
        return self._ledger.enter(call)


async def _say(client: Client, status: int, headers: Headers, body: bytes) -> None:
    client.start(status, headers, length=len(body))
    await client.write([body], last=True)


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
