"""Making one cassette of two that both changed, or of several.

Rule: what is merged is a track with all its takes, since a replay plays them in turn. The result is usable whatever
comes: where both sides changed a track to something else, ours is in place, and theirs is kept beside it in the file,
to be settled. To settle it is a change, too: where both did, by different answers, that is a conflict again.
Recordings stand in our order; one that theirs replaced stays in its place, and new ones follow.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette.digests import Content, contents
from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in, rules_in
from proxy.cassette.filling import fill, replaced, unwatched
from proxy.cassette.patience import bounded
from proxy.cassette.reader import Reader
from proxy.cassette.replacing import folder_beside
from proxy.cassette.transaction import translated
from proxy.core import conflicts
from proxy.core.errors import CassetteError, InterchangeError
from proxy.core.merging import Decision, merged, plan
from proxy.core.rules import read
from proxy.core.verdict import Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from proxy.cassette.filling import Stored, Watch
    from proxy.core.conflicts import Clash
    from proxy.core.model import Track
    from proxy.core.rules import Rules

    Facts = Mapping[str, str]
    Tracks = Mapping[Track, Content]


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of it: how many recordings, how many of them are not the first cassette's, what the sides clash on.

    `unsettled` counts all conflicts in the file, also those that came with a side.
    """

    recordings: int
    taken: int
    clashes: tuple[Clash, ...]
    unsettled: int


@dataclass(frozen=True, slots=True)
class _Sides:
    """What two cassettes have, and what is decided on each track."""

    ours: Tracks
    theirs: Tracks
    decisions: Mapping[Track, Decision]

    @property
    def clashing(self) -> list[Track]:
        conflicting = [track for track, decision in self.decisions.items() if decision is Decision.CONFLICT]
        return [track for track in conflicting if not _is_same_answer(self.ours.get(track), self.theirs.get(track))]

    def order(self) -> list[Stored]:
        """Return all takes of the result: ours, or theirs in their places, then the others of theirs."""
        taken = [track for track, decision in self.decisions.items() if decision is Decision.THEIRS]
        changes = [(_takes(self.ours, track), _takes(self.theirs, track)) for track in taken]
        standing, more = replaced(_in_order(row for content in self.ours.values() for row in content.takes), changes)
        return [*standing, *_in_order(more)]

    def note(self, track: Track, keyed: Facts) -> str:
        """Write what theirs has on a track."""
        return conflicts.written(keyed, (row.read() for row in _takes(self.theirs, track)))

    def clash(self, track: Track) -> Clash:
        """Say what the sides clash on."""
        ours, theirs = ([row.read() for row in _takes(side, track)] for side in (self.ours, self.theirs))
        return conflicts.clash(track, ours, theirs)


def merge(out: Path, sources: Sequence[Path], base: Path | None = None, watch: Watch = unwatched) -> Merged:
    """Merge two cassettes or more, the first being ours, into `out`, which may be one of them.

    `base` is what they began from, where they did; each but the first is merged into what those before it gave. Keys
    are by the first one's rules, or, where only another side changed the rules since the base, by that one's; keys
    that other rules made are made anew from the requests. Raises CassetteError, and leaves `out` as it was then.
    """
    ours, *others = sources
    done: list[Merged] = []
    try:
        with folder_beside(out) as folder:
            for place, theirs in enumerate(others, 1):
                target = out if place == len(others) else folder / f"{place}.sqlite"
                done.append(_merge(target, ours, theirs, base, watch))
                ours = target
    except OSError as error:
        raise translated(error, out) from error
    return Merged(
        done[-1].recordings,
        sum(step.taken for step in done),
        tuple(clash for step in done for clash in step.clashes),
        done[-1].unsettled,
    )


def _merge(out: Path, ours: Path, theirs: Path, base: Path | None, watch: Watch) -> Merged:
    facts = [facts_in(path) if path else {} for path in (base, ours, theirs)]
    rules = _common_rules(base, ours, theirs)
    keyed = layout.keyed_by(rules)
    # The file is held first, and read while nobody can change it.
    with drafted(out, facts=merged(*map(_without_conflicts, facts)) | keyed) as draft, ExitStack() as stack:
        if [facts_in(path) if path else {} for path in (base, ours, theirs)] != facts:
            raise CassetteError(f"another process changed what {out} is made of meanwhile, and nothing was merged")
        before = _tracks(stack.enter_context(Reader(base, rules)), facts[0], rules, watch) if base else {}
        mine, others = (stack.enter_context(Reader(path, rules)) for path in (ours, theirs))
        sides = _decided(before, _tracks(mine, facts[1], rules, watch), _tracks(others, facts[2], rules, watch))
        del before
        order = sides.order()
        fill(draft, order, mine, watch)
        notes = conflicts.merged(*facts)
        for track in sides.clashing:
            name = conflicts.name_of(track)
            notes[name] = conflicts.combined(notes.get(name, ""), sides.note(track, keyed))
        for name, text in sorted(notes.items()):
            draft.note(name, text)
        clashes = tuple(map(sides.clash, sides.clashing))
    return Merged(len(order), sum(row.reader is others for row in order), clashes, len(notes))


def _tracks(reader: Reader, facts: Facts, rules: Rules, watch: Watch) -> Tracks:
    """Return what a side has on each track, and what is open there."""
    found = contents(reader, watch)
    for name, text in facts.items():
        if conflicts.is_one(name):
            with bounded(rules), suppress(InterchangeError):  # what is damaged goes on as it is: `settle` tells of it
                track = conflicts.read(name, text, rules).track
                found[track] = replace(found.get(track, Content()), open=text)
    return found


def _decided(base: Tracks, ours: Tracks, theirs: Tracks) -> _Sides:
    return _Sides(ours, theirs, dict(plan(base, ours, theirs, _is_same)))


def _common_rules(base: Path | None, ours: Path, theirs: Path) -> Rules:
    before, mine, others = ({"rules": rules_in(path).text} if path else {} for path in (base, ours, theirs))
    return read(merged(before, mine, others)["rules"])


def _without_conflicts(facts: Facts) -> dict[str, str]:
    return {name: value for name, value in facts.items() if not conflicts.is_one(name)}


def _is_same(one: Content, other: Content) -> bool:
    """Tell whether two contents of a track differ in nothing that counts."""
    return one.open == other.open and _is_same_answer(one, other)


def _is_same_answer(one: Content | None, other: Content | None) -> bool:
    """Tell whether a client gets the same answers by both."""
    one, other = one or Content(), other or Content()
    if len(one.takes) != len(other.takes):
        return False
    pairs = zip(one.responses(), other.responses(), strict=True)
    return all(compare(*pair).verdict is Verdict.IDENTICAL for pair in pairs)


def _takes(tracks: Tracks, track: Track) -> tuple[Stored, ...]:
    return tracks[track].takes if track in tracks else ()


def _in_order(rows: Iterable[Stored]) -> list[Stored]:
    """Return rows as they stand in their file."""
    return sorted(rows, key=lambda row: row.take.id)
