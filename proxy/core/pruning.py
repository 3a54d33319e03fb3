"""Which recordings nobody plays any more, as receipts tell it.

Rule: a recording goes only where a run knew it and did not play it, and no other run did: what was recorded since, and
what no run knew, stays. What may make a run a bad witness is told, so that somebody decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from proxy.core.modes import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from proxy.core.receipt import CassetteSheet, LaneSheet, Named, Receipt


class Likeness(IntEnum):
    """How sure it is that a sheet tells of a cassette: not at all, by its file's name, or by its path or content."""

    NONE = 0
    NAMESAKE = 1
    SAME = 2


@dataclass(frozen=True, slots=True)
class Pruning:
    """What receipts say of one cassette.

    `unplayed` tells of each recording that no run played up to what moment the runs know it, as
    `CassetteSheet.newest` does. `doubts` are reasons not to believe them; `strangers` are the receipts, by their
    names, that do not tell of the cassette.
    """

    unplayed: Mapping[Named, str]
    doubts: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    def dooms(self, recording: Named, recorded_at: str) -> bool:
        """Tell whether a recording is to go; one that took its place since has the same name, and stays."""
        known = self.unplayed.get(recording)
        return known is not None and (not known or recorded_at <= known)


def prune(receipts: Mapping[str, Receipt], likeness: Callable[[CassetteSheet], Likeness]) -> Pruning:
    """Find the recordings of a cassette that no run played; `receipts` are by their names."""
    sheets = {name: _nearest(receipt.cassettes, likeness) for name, receipt in receipts.items()}
    told = [sheet for found in sheets.values() for sheet in found]
    played = {recording for sheet in told for recording in sheet.played}
    unplayed: dict[Named, str] = {}
    for sheet in told:
        for recording in sheet.unplayed:
            if recording not in played:
                unplayed[recording] = max(unplayed.get(recording, ""), sheet.newest)
    doubts = (doubt for name, found in sheets.items() if found for doubt in _doubts(name, receipts[name], found))
    return Pruning(unplayed, tuple(doubts), tuple(name for name, found in sheets.items() if not found))


def _nearest(sheets: Iterable[CassetteSheet], likeness: Callable[[CassetteSheet], Likeness]) -> list[CassetteSheet]:
    """Return the sheets that tell of a cassette: namesakes only where none is surer."""
    found: dict[Likeness, list[CassetteSheet]] = {}
    for sheet in sheets:
        found.setdefault(likeness(sheet), []).append(sheet)
    return found.get(Likeness.SAME) or found.get(Likeness.NAMESAKE) or []


def _doubts(name: str, receipt: Receipt, sheets: Sequence[CassetteSheet]) -> Iterator[str]:
    if receipt.mode != Mode.REPLAY:
        yield f"{name}: it was a run in mode {receipt.mode}, not a replay"
    if len(namesakes := sorted({sheet.path for sheet in sheets})) > 1:
        yield f"{name}: it tells of several cassettes that may be meant: {', '.join(namesakes)}"
    if not any(sheet.played for sheet in sheets):
        yield f"{name}: the run played nothing of it"
    if missed := sum(lane.missed for lane in receipt.lanes):
        yield f"{name}: calls missed ({missed}), and what comes after a miss may not have been asked"
    if receipt.faults:
        yield f"{name}: calls failed ({receipt.faults})"
    if failed := _failed(receipt.lanes):
        yield f"{name}: tests failed ({len(failed)}), {failed[0]} among them, and may have asked for more"


def _failed(lanes: Iterable[LaneSheet]) -> list[str]:
    return [lane.lane for lane in lanes if lane.passed is False]
