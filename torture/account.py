"""What must be in a cassette, and whether it is.

Rule: what clients saw the end of, and what the upstream sent, is held against what is read from the file: by the
reader, by `verify`, and by a replay that serves it.
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio.subprocess import PIPE
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette.checkup import Checkup
from proxy.cassette.reader import Reader
from proxy.core.finding import Kind
from proxy.core.model import Outcome, Variant
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT
from torture.answering import STABLE, question_of, serial_of
from torture.asking import answers
from torture.item import check
from torture.recorder import LLMTAPE, Serving

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from proxy.core.model import Response, Take
    from torture.answering import Question, Teller
    from torture.asking import Seen

LEFT: Final = frozenset({Kind.UNSETTLED, Kind.SIDE_FILE, Kind.UNUSED, Kind.GAP, Kind.INCOMPLETE})
"""What `verify` may find where a recorder was killed: its log beside the file, that calls whose take was reserved never
ended, what the recordings that it replaced have left, and answers that broke off."""

AT_REST: Final = frozenset({Kind.GAP, Kind.INCOMPLETE})
"""What it may find once the next recorder has ended."""


@dataclass(frozen=True, slots=True)
class Held:
    """One recording, as a cassette holds it."""

    take: Take
    question: Question
    response: Response
    serial: int


@dataclass(slots=True)
class Account:
    """All answers that clients saw the end of, by serial number, and who sent them."""

    teller: Teller
    is_in_turn: bool = True
    """Whether one recorder comes after the other: then only what a later one recorded takes an earlier one's place."""
    seen: dict[int, Seen] = field(default_factory=dict)
    slowest_opening_s: float = 0.0

    def see(self, seen: Seen) -> None:
        """Take note of an answer that a recorder says it has recorded, and check it against what the upstream sent."""
        serial = serial_of(seen.body)
        told = self.teller.told.get(serial)
        check(told is not None, f"an answer came that the upstream never gave: {seen.status} {seen.body[:300]!r}")
        assert told is not None
        is_whole = told.is_whole(seen.question, seen.status, seen.body)
        check(is_whole, f"answer {serial} reached its client other than the upstream sent it")
        if told.status in STABLE:
            check(not seen.mark.startswith("not-recorded"), f"answer {serial} was not recorded: {seen.mark}")
        if seen.is_recorded:
            self.seen[serial] = seen

    def read(self, path: Path) -> list[Held]:
        """Return all that a cassette holds, nothing where there is none."""
        if not path.exists():
            return []
        began = time.monotonic()
        with Reader(path) as reader:
            self.slowest_opening_s = max(self.slowest_opening_s, time.monotonic() - began)
            return [
                Held(
                    entry.take,
                    question_of(reader.request(entry.take).body),
                    response := reader.response(entry.take)[0],
                    serial_of(response.body),
                )
                for entry in reader.entries()
            ]

    def check_held(self, held: list[Held], doomed: str = "") -> int:
        """Check what a cassette holds against what was seen; return how many answers were found that clients saw.

        `doomed` is the model whose recordings were removed on purpose.
        """
        by_serial: dict[int, Held] = {}
        recorders: defaultdict[Question, set[int]] = defaultdict(set)
        for one in held:
            self._check_one(one)
            check(one.serial not in by_serial, f"answer {one.serial} is in the cassette twice")
            by_serial[one.serial] = one
            recorders[one.question].add(self.teller.told[one.serial].recorder)
        self._check_takes(held)
        return sum(self._is_found(serial, by_serial, recorders, doomed) for serial in self.seen)

    def _check_one(self, held: Held) -> None:
        told = self.teller.told.get(held.serial)
        name = f"{held.take.track.key[:12]}:{held.take.number} ({held.question})"
        check(told is not None, f"{name} holds what the upstream never sent: {held.response.body[:300]!r}")
        assert told is not None
        check(told.question == held.question, f"{name} holds the answer to {told.question}")
        is_stream = held.take.track.variant is not Variant.JSON
        check(is_stream == held.question.streams, f"{name} is of the wrong variant")
        if held.take.outcome is Outcome.COMPLETE:
            is_whole = told.is_whole(held.question, held.response.status, held.response.body)
            check(is_whole, f"{name} passes for complete, and is not what the upstream sent as answer {held.serial}")

    def _check_takes(self, held: list[Held]) -> None:
        numbers = [(one.take.track, one.take.number) for one in held]
        check(len(numbers) == len(set(numbers)), "a take's number is there twice")

    def _is_found(
        self,
        serial: int,
        by_serial: Mapping[int, Held],
        recorders: Mapping[Question, set[int]],
        doomed: str,
    ) -> bool:
        if serial in by_serial:
            check(by_serial[serial].take.outcome is Outcome.COMPLETE, f"answer {serial}, seen whole, is not complete")
            return True
        told = self.teller.told[serial]
        others = recorders.get(told.question, set()) - {told.recorder}
        is_replaced = max(others, default=0) > told.recorder if self.is_in_turn else bool(others)
        lost = f"answer {serial} to {told.question} from recorder {told.recorder} was seen whole, and is lost"
        check(is_replaced or told.question.model == doomed, lost)
        return False


def verify(path: Path, expected: frozenset[Kind]) -> None:
    """Check that `verify` finds nothing else than what is expected."""
    if not path.exists():
        return
    with Checkup(path, DEFAULT, Redactor()) as checkup:
        found = [*checkup.file(), *(finding for findings in checkup.interactions() for finding in findings)]
    wrong = [f"{finding.kind}: {finding.name} {finding.what}" for finding in found if finding.kind not in expected]
    check(not wrong, f"verify finds in {path}: {'; '.join(wrong[:5])}")


async def check_replay(path: Path, held: list[Held], log: Path, within: Sequence[str] = ()) -> int:
    """Have a replay serve all that a cassette holds, and hold it against that; return how many answers it gave.

    `within` is what the replay is started by, as `Serving.start` has it.
    """
    serving = await Serving.start("replay", path, log, within=within)
    try:
        check(await serving.listens(), f"a replay of {path} did not start: {serving.last_words}")
        for question, takes in _playable(held).items():
            for one, seen in zip(takes, await answers(serving.url, [question] * len(takes)), strict=True):
                check_played(one, seen)
    finally:
        serving.terminate()
        status = await serving.ended()
    check(status == 0, f"the replay of {path} ended with {status}: {serving.last_words}")
    return sum(map(len, _playable(held).values()))


async def check_commands(path: Path, held: list[Held], expected: frozenset[Kind]) -> None:
    """Have `ls` and `verify` read a cassette, each a process of its own."""
    listed = await _said("ls", path)
    check(len(listed) == len(held), f"ls lists {len(listed)} of the {len(held)} recordings in {path}")
    found = {finding["kind"] for finding in await _said("verify", path)}
    check(found <= expected, f"verify finds in {path}: {', '.join(sorted(found - expected))}")


async def _said(command: str, path: Path) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(*LLMTAPE, command, str(path), "--json", stdout=PIPE, stderr=PIPE)
    out, told = await process.communicate()
    check(not told, f"{command} of {path} ended with {process.returncode}: {told.decode()[-500:]}")
    said: list[dict[str, Any]] = json.loads(out)
    return said


def _playable(held: list[Held]) -> dict[Question, list[Held]]:
    """Return recordings by question, as they play; not those among which one is incomplete."""
    found: defaultdict[Question, list[Held]] = defaultdict(list)
    for one in sorted(held, key=lambda one: one.take.number):
        found[one.question].append(one)
    return {
        question: takes
        for question, takes in found.items()
        if all(one.take.outcome is Outcome.COMPLETE for one in takes)
    }


def check_played(held: Held, seen: Seen) -> None:
    """Check that a replay's answer is the recording, for a stream event by event."""
    wanted = held.response
    is_same = (wanted.status, wanted.body) == (seen.status, seen.body)
    if is_same and held.take.track.variant is not Variant.JSON and wanted.status == STABLE[0]:
        is_same = tuple(chunk.data for chunk in wanted.chunks) == seen.chunks
    check(is_same, f"{held.question} plays as {seen.status} {seen.body[:200]!r}, and is recorded otherwise")
