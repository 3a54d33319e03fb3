"""Which lanes a runner has started, and what holds for each.

Rule: a lane that was started has a policy of its own, an account of all its calls, and holds what it records until
its end says that the test passed: then all of it is stored at once, else nothing. Any other lane goes by the
proxy's policy, and is recorded as it comes.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from proxy.capture import Keeping
from proxy.core import pace
from proxy.core.account import Account
from proxy.core.address import Address, check_lane, check_name
from proxy.core.errors import BadLaneError, CassetteError, CassetteMissingError
from proxy.core.ledger import Call, Fate, Ledger, Line
from proxy.core.modes import Mode, calls_upstream, looks_up, records
from proxy.core.pace import Instant, Pace
from proxy.core.receipt import LaneSheet
from proxy.core.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.cassette.shelf import Shelf, Tape
    from proxy.core.deck import Repeats
    from proxy.core.faults import Fault
    from proxy.core.marks import Places
    from proxy.core.model import Interaction, Response, Track
    from proxy.wanted import Wanted

_MOST_SPOILT: Final = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """How calls are answered, played and recorded. What is None is as the proxy's cassettes have it."""

    mode: Mode
    pace: Pace = field(default_factory=Instant)
    keeping: Keeping = field(default_factory=Keeping)
    rules: Rules = DEFAULT
    here: Places = ()
    """The folders of this process, which prompts may tell."""
    secrets: frozenset[bytes] = frozenset()
    """Credentials of our own, which an upstream may echo in its answers."""
    repeats: Repeats | None = None
    faults: tuple[Fault, ...] = ()
    recorder: str = ""
    """The command that records what misses, where its runner has one of its own."""


class Lane:
    """One lane, from its start to its end; or, where `holds` is false, all those that nobody started."""

    def __init__(self, policy: Policy, cassette: str = "", name: str = "", *, holds: bool = False) -> None:
        self.policy = policy
        self.cassette = cassette
        self.name = name
        self.holds = holds
        self.tape: Tape | None = None
        self.over = asyncio.Event()
        """Set as its end begins: what still stalls on purpose may go."""
        self.is_closed = False
        self.held: list[Interaction] = []
        self.spoilt: dict[Track, tuple[str, Response]] = {}
        """The latest recordings, by name, whose answer was spoilt on purpose, and may be asked for again."""
        self._page: list[Line] = []
        self._arrived = 0
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def keep(self, page: list[Line]) -> None:
        """Take the page of the ledger on which its calls are entered."""
        self._page = page

    def count(self) -> int:
        """Return the number of a call that arrives, from 1."""
        self._arrived += 1
        return self._arrived

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Be known to answer a call for as long as the block lasts."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def idle(self, timeout_s: float) -> None:
        """Wait until no call is being answered, for so long at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)

    def hold(self, interaction: Interaction) -> Future[None]:
        """Keep a recording until the end; a later form of the same take replaces the earlier one."""
        stored: Future[None] = Future()
        if self.is_closed:
            stored.set_exception(CassetteError(f"the test of lane {self.name!r} ended before this answer did"))
            return stored
        place = interaction.track, interaction.number
        self.held = [other for other in self.held if (other.track, other.number) != place]
        self.held.append(interaction)
        stored.set_result(None)
        return stored

    def spoil(self, track: Track, take: str, response: Response) -> None:
        """Keep a recording whose answer was spoilt for its retry; of the lanes that do not end only the latest ones."""
        self.spoilt[track] = take, response
        while len(self.spoilt) > _MOST_SPOILT:
            del self.spoilt[next(iter(self.spoilt))]

    def inject(self, wanted: tuple[Fault, ...]) -> None:
        """Do this to its calls from now on, which are numbered anew."""
        self.policy = replace(self.policy, faults=wanted)
        self._arrived = 0

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its lines in the ledger, in the order of the calls."""
        return tuple(self._page)

    def account(self) -> Account:
        """Sum up what it was asked until now. Raises CassetteError where its recordings cannot be read."""
        unplayed = self.tape.unplayed_of(self.name) if self.tape and looks_up(self.policy.mode) else ()
        names = tuple(take.name for take in unplayed)
        return Account(self.cassette, self.name, self.policy.mode, self.calls, names)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All its calls until now, in their order."""
        return tuple(line.call for line in self._page)


def _readable(lane: Lane) -> Account:
    """Return a lane's account, be it without what its cassette does not tell any more: it has not ended."""
    try:
        return lane.account()
    except CassetteError as error:
        return Account(lane.cassette, lane.name, lane.policy.mode, lane.calls, trouble=str(error))


def _sheet(account: Account, *, passed: bool | None) -> LaneSheet:
    return LaneSheet(
        account.cassette,
        account.lane,
        mode=account.mode,
        counts=account.counts,
        misses=account.misses,
        unplayed=account.unplayed,
        exhausted=account.exhausted,
        injected=account.injected,
        passed=passed,
    )


class Lanes:
    """All lanes of one proxy."""

    def __init__(self, policy: Policy, shelf: Shelf, ledger: Ledger, *, patience_s: float = 10.0) -> None:
        self.has_upstream = False
        self._policy = policy
        self._shelf = shelf
        self._ledger = ledger
        self._patience_s = patience_s
        self._free = Lane(policy)
        self._started: dict[tuple[str, str], Lane] = {}
        self._ended: dict[tuple[str, str], LaneSheet] = {}
        self._current: tuple[str, str] = ("", "")

    @property
    def mode(self) -> Mode:
        """The mode of all lanes that were not started with one of their own."""
        return self._policy.mode

    def change(self, mode: Mode) -> None:
        """Go on in another mode, with all lanes that were not started. Raises BadLaneError where it may not be."""
        self._check(mode)
        self._policy = replace(self._policy, mode=mode)
        self._free.policy = self._policy

    def stop_stalls(self) -> None:
        """Let go of all answers that stall on purpose."""
        for lane in (self._free, *self._started.values()):
            lane.over.set()

    def resolve(self, address: Address) -> Address:
        """Return where a call goes: one that names no place goes to the current lane."""
        if address.cassette or address.lane:
            return address
        cassette, lane = self._current
        return replace(address, cassette=cassette, lane=lane)

    def find(self, address: Address) -> Lane:
        """Return the lane of a resolved address. Raises BadLaneError for a call that comes after its test's end."""
        if not self._started and not self._ended:
            return self._free
        place = str(self._shelf.path_of(address.cassette)), address.lane
        lane = self._started.get(place, self._free)
        if lane is self._free and place in self._ended and records(self._policy.mode):
            raise BadLaneError(
                f"lane {address.lane!r} has ended, and this call came after: nothing is recorded for it. Let the test "
                "wait for what it started"
            )
        return lane

    def start(self, wanted: Wanted) -> Lane:
        """Begin a lane anew, at its first takes; what it held of an attempt that never ended is dropped.

        Raises BadAddressError, BadLaneError, CassetteError.
        """
        if wanted.cassette:
            check_name(wanted.cassette)
        check_lane(wanted.lane)
        policy = self._policy_for(wanted)
        path = str(self._shelf.path_of(wanted.cassette))
        lane = Lane(policy, path, wanted.lane, holds=True)
        if policy.mode is not Mode.PASSTHROUGH:
            with suppress(CassetteMissingError):  # each call will miss, and say so
                lane.tape = self._shelf.tape(wanted.cassette, policy.mode, wanted.rules)
                lane.tape.restart(wanted.lane)
        if old := self._started.pop((path, wanted.lane), None):
            old.over.set()
            old.is_closed = True
            self._mark_dropped(old, "its test was started again before it ended", failed=False)
            self._ledger.close(path, wanted.lane)
        lane.keep(self._ledger.open(path, wanted.lane))
        self._started[path, wanted.lane] = lane
        self._ended.pop((path, wanted.lane), None)
        if wanted.is_current:
            self.point(wanted.cassette, wanted.lane)
        return lane

    def point(self, cassette: str = "", lane: str = "") -> tuple[str, str]:
        """Let calls that name no place go there; return where they went before."""
        before = self._current
        self._current = cassette, lane
        return before

    def started(self, cassette: str, name: str) -> Lane:
        """Return a lane that was started. Raises BadLaneError where it was not."""
        lane = self._started.get((str(self._shelf.path_of(cassette)), name))
        if lane is None:
            known = ", ".join(repr(name) for _, name in self._started) or "none"
            raise BadLaneError(f"lane {name!r} of cassette {cassette!r} was not started; started are: {known}")
        return lane

    async def end(self, cassette: str, name: str, *, passed: bool, strict: bool = False) -> Account:
        """End a lane: store what it recorded where its test passed, and nothing was wrong; drop it where not.

        Waits for the answers that are on their way. Raises BadLaneError where it was not started.
        """
        lane = self.started(cassette, name)
        lane.over.set()
        await lane.idle(self._patience_s)
        lane.is_closed = True
        self._mark_late(lane)
        account = lane.account()
        keeps = passed and not account.problems(strict=strict)
        trouble = await self._store(lane) if keeps else self._drop(lane)
        place = lane.cassette, lane.name
        if self._started.get(place) is lane:
            del self._started[place]
            self._ledger.close(*place)
        if (str(self._shelf.path_of(self._current[0])), self._current[1]) == place:
            self.point()
        account = replace(account, calls=lane.calls, trouble=trouble)
        self._ended[place] = _sheet(account, passed=passed)
        return account

    def close(self) -> None:
        """Drop what lanes hold whose end nobody told, and count it as lost."""
        for lane in self._started.values():
            lane.is_closed = True
            self._mark_dropped(lane, f"lane {lane.name!r} was started and never ended", failed=True)

    def sheets(self) -> dict[tuple[str, str], LaneSheet]:
        """Write down of each lane that was started what its receipt tells."""
        running = {place: _sheet(_readable(lane), passed=None) for place, lane in self._started.items()}
        return {**self._ended, **running}

    async def _store(self, lane: Lane) -> str:
        """Store what a lane held, where it is recorded anew be it nothing; return what went wrong, if anything did."""
        replaces = not looks_up(lane.policy.mode)
        if lane.tape is None or not (lane.held or replaces):
            return ""
        stored = lane.tape.save_lane(lane.name, lane.held, replaces=replaces)
        try:
            await asyncio.wrap_future(stored)
        except CassetteError as error:
            self._mark_dropped(lane, str(error), failed=True)
            return str(error)
        return ""

    def _mark_late(self, lane: Lane) -> None:
        """Tell of answers that were waited for in vain: what comes of them now has no place any more."""
        note = f"the answer had not ended {self._patience_s:g} s after the test of lane {lane.name!r} did"
        for line in lane.lines:
            if line.call.fate is Fate.RECORDED and line.call.response is None:
                self._ledger.amend(line, fate=Fate.NOT_RECORDED, note=note, failed=True)

    def _drop(self, lane: Lane) -> str:
        self._mark_dropped(lane, "its test did not pass", failed=False)
        return ""

    def _mark_dropped(self, lane: Lane, note: str, *, failed: bool) -> None:
        for line in lane.lines:
            if line.call.fate is Fate.RECORDED:
                self._ledger.amend(line, fate=Fate.NOT_RECORDED, note=note, failed=failed)

    def _policy_for(self, wanted: Wanted) -> Policy:
        policy = self._policy
        mode = wanted.mode or policy.mode
        self._check(mode)
        return replace(
            policy,
            mode=mode,
            pace=pace.parse(wanted.pace) if wanted.pace else policy.pace,
            repeats=wanted.repeats or policy.repeats,
            rules=wanted.rules or policy.rules,
            faults=wanted.faults,
            recorder=wanted.recorder or policy.recorder,
        )

    def _check(self, mode: Mode) -> None:
        can = not records(mode) or self._shelf.run is not None
        if calls_upstream(mode) and not (self.has_upstream and can):
            raise BadLaneError(
                f"this proxy was started with {'no way to record' if self.has_upstream else 'no upstream'}, and cannot "
                f"go on in mode {mode}: start it with `llmtape {mode}`"
            )
