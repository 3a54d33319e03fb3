"""A new cassette from what a damaged one still gives.

Rule: a recording comes over whole, and without any sign of damage, or not at all: half an answer, or the answer to
another question, is worse than none. What does not come over is told, as far as anybody knows that it was there. (A
request proves itself by its parts' digests and its key; an answer has no digest, and must agree with its row.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.cassette import format as layout
from proxy.cassette.draft import drafted
from proxy.core import conflicts
from proxy.core.errors import CassetteError, InterchangeError, RuleError
from proxy.core.finding import Kind, Level
from proxy.core.model import RecordedRun, take_name
from proxy.core.normalize import NORMALIZER
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT, Rules, read

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from proxy.cassette.draft import Draft
    from proxy.cassette.records import Record
    from proxy.cassette.wreck import Named, Wreck
    from proxy.core.model import Track

_NO_DAMAGE: Final = frozenset({Kind.SECRET, Kind.SECRET_ASIDE})
"""Faults that no damage brings about, and that a copy may have as its original has."""

_UNREADABLE: Final = "not all of it can be read"
_TAKEN: Final = "another recording has its place"


@dataclass(frozen=True, slots=True)
class Salvage:
    """What became of an interaction. `loss` says why it is not in the new cassette; it is empty where it is."""

    name: str
    lane: str
    loss: str = ""


@dataclass(frozen=True, slots=True)
class Keying:
    """What a wreck says of how its keys were made. `rules` are None where this version cannot make such keys."""

    facts: Mapping[str, str]
    rules: Rules | None
    is_assumed: bool
    """Whether the wreck does not say it any more, so that the config's rules were taken."""


def keying_of(wreck: Wreck, otherwise: Rules) -> Keying:
    """Read what made the keys of a wreck; where that is gone, `otherwise` is taken for it."""
    facts = {name: text for name, text in wreck.facts().items() if _is_whole(name, text)}
    try:
        rules, is_assumed = read(facts["rules"]), False
    except (KeyError, RuleError):
        rules, is_assumed = otherwise, True
    keyed = layout.keyed_by(rules) | ({"normalizer": facts["normalizer"]} if "normalizer" in facts else {})
    is_ours = keyed["normalizer"] == str(NORMALIZER)
    return Keying({**facts, **keyed}, rules if is_ours else None, is_assumed)


def _is_whole(name: str, text: str) -> bool:
    """Tell whether a fact is no conflict that cannot be read any more."""
    try:
        return not conflicts.is_one(name) or bool(conflicts.read(name, text, DEFAULT))
    except InterchangeError:
        return False


def recover(wreck: Wreck, out: Path, keying: Keying) -> Generator[Salvage, None, None]:
    """Write what can be read of a wreck into a new cassette; yield what becomes of each interaction.

    `Wreck.search` goes before. The new cassette is in its place when the last was yielded. Raises CassetteError where
    there is a file of its name, where it cannot be written, or where nothing was recovered.
    """
    with drafted(out, facts=keying.facts, replace=False) as draft:
        crossing = _Crossing(wreck, draft, keying)
        named = wreck.takes()
        for id_ in wreck.ids():
            yield crossing.bring(id_, named.pop(id_, None))
        for name in named.values():
            yield _lost(name, _UNREADABLE)
        if not crossing.places:
            raise CassetteError(f"no recording in {wreck.path} can be read whole, so that {out} was not made")


class _Crossing:
    """Brings one interaction after another from a wreck into a draft."""

    def __init__(self, wreck: Wreck, draft: Draft, keying: Keying) -> None:
        self._wreck = wreck
        self._draft = draft
        self._rules = keying.rules
        self._runs: dict[int, RecordedRun] = {}
        self.places: set[tuple[Track, int]] = set()
        """The takes that came over."""

    def bring(self, id_: int, named: Named | None) -> Salvage:
        """Bring an interaction over; `named` is what the index of takes says of it."""
        losses = [_UNREADABLE]
        for record in self._wreck.records(id_):
            it = record.interaction
            named = (it.track.key, it.number, it.track.lane)
            losses = self._losses(record)
            if not losses:
                self._draft.add(it, self._run(record))
                self.places.add((it.track, it.number))
                return Salvage(take_name(it.track.key, it.number), it.track.lane)
        return _lost(named, losses[0]) if named else Salvage(f"interaction {id_}", "", losses[0])

    def _losses(self, record: Record) -> list[str]:
        """Say what speaks against a recording."""
        it = record.interaction
        if (it.track, it.number) in self.places:
            return [_TAKEN]
        findings = record.findings(self._rules, Redactor())
        return [found.what for found in findings if found.level is Level.FAULT and found.kind not in _NO_DAMAGE]

    def _run(self, record: Record) -> RecordedRun:
        """Return a recording's run; where that is gone, one of its number that began with the recording."""
        id_ = record.run_id
        if id_ not in self._runs:
            at = record.interaction.recorded_at
            self._runs[id_] = self._wreck.run(id_) or RecordedRun(id_, at, "unknown", "", "")
        return self._runs[id_]


def _lost(named: Named, why: str) -> Salvage:
    key, number, lane = named
    return Salvage(take_name(key, number), lane, why)
