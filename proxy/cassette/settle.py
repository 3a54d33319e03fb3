"""Settling what a merge left open.

Rule: a cassette is settled in one step with all that was asked for; what was not named stays open, and the other
recordings stay as they are and where they are.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in, rules_in
from proxy.cassette.filling import Given, Stored, fill, replaced, rows
from proxy.cassette.patience import bounded
from proxy.cassette.reader import Reader
from proxy.core import conflicts
from proxy.core.errors import CassetteError, InterchangeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from proxy.cassette.filling import Item
    from proxy.core.conflicts import Clash, Conflict, Settling
    from proxy.core.model import Take, Track


def conflicts_in(path: Path) -> dict[str, Conflict]:
    """Return the open conflicts of a cassette, by the names of the facts that tell of them. Raises CassetteError."""
    told = {name: text for name, text in facts_in(path).items() if conflicts.is_one(name)}
    rules = rules_in(path)
    try:
        with bounded(rules):
            return {name: conflicts.read(name, text, rules) for name, text in sorted(told.items())}
    except InterchangeError as error:
        raise CassetteError(f"a conflict in {path} is damaged: {error}. Take the file from version control") from error


def clashes_in(path: Path) -> Iterator[Clash]:
    """Yield what the open conflicts of a cassette are about. Raises CassetteError."""
    open_ = conflicts_in(path).values()
    with Reader(path, rules_in(path)) as reader:
        for conflict in open_:
            takes = sorted(_takes_of(reader, conflict.track), key=lambda take: take.number)
            ours = [Stored(reader, take).read() for take in takes]
            for theirs in conflict.alternatives:
                yield conflicts.clash(conflict.track, ours, theirs)


def settle(path: Path, chosen: Mapping[str, Settling]) -> int:
    """Settle conflicts, each named as `conflicts_in` names it; return how many stay open. Raises CassetteError."""
    with drafted(path) as draft, Reader(path, rules_in(path)) as reader:
        conflicts_ = conflicts_in(path)  # nobody else writes now
        if not conflicts_.keys() >= chosen.keys():
            raise CassetteError(f"another process settled conflicts in {path} meanwhile: list those that are left")
        held = rows(reader)
        by_track = _on_tracks(held, (conflicts_[name].track for name in chosen))
        changes = [
            (mine := by_track[conflicts_[name].track], list(_settled(mine, conflicts_[name], how)))
            for name, how in chosen.items()
        ]
        standing, more = replaced(held, changes)
        fill(draft, [*standing, *more], reader)
        for name in chosen:
            draft.forget(name)
    return len(conflicts_.keys() - chosen.keys())


def _takes_of(reader: Reader, track: Track) -> list[Take]:
    return [take for take in reader.takes_of_key(track.key) if take.track == track]


def _on_tracks(held: Iterable[Stored], tracks: Iterable[Track]) -> dict[Track, list[Stored]]:
    found: dict[Track, list[Stored]] = {track: [] for track in tracks}
    for row in held:
        if row.take.track in found:
            found[row.take.track].append(row)
    for on_track in found.values():
        on_track.sort(key=lambda row: row.take.number)
    return found


def _settled(mine: list[Stored], conflict: Conflict, how: Settling) -> Iterator[Item]:
    """Yield what a track is to have: the row that it has, wherever that stays as it is."""
    recordings = [row.read() for row in mine]
    wanted = conflicts.settled(conflict, recordings, how)
    for row, held, recording in zip_longest(mine, recordings, wanted):
        if recording is not None:
            yield row if recording == held else Given(*recording)
