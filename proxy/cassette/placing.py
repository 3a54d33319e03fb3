"""Which of the recordings that come into a cassette are stored, and as which takes.

Rule: what the cassette has stays, unless the caller says otherwise, and nothing is stored twice: when it was recorded,
and by which run, does not make it another recording. Nothing is written here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from proxy.core import interchange
from proxy.core.errors import CassetteError
from proxy.core.interchange import Recorded
from proxy.core.model import take_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from proxy.cassette.reader import Reader
    from proxy.core.model import Interaction, RecordedRun, Take, Track

    Slot = tuple[Track, int]
    """Where one recording stands: the take of a track."""

_MOST_TOLD: Final = 5
_DIGEST_BYTES: Final = 16


class OnConflict(StrEnum):
    """What becomes of a recording that is to be a take which is there already, with other content."""

    ERROR = "error"
    KEEP = "keep"
    REPLACE = "replace"
    ADD = "add"


class Incoming(Protocol):
    """A recording that is to come in."""

    @property
    def interaction(self) -> Interaction:
        """The recording."""

    @property
    def run(self) -> RecordedRun:
        """The run that it was recorded by."""

    @property
    def where(self) -> str:
        """Where it stands, such as `calls.jsonl, line 7`."""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many recordings came in, and what became of the others.

    Of those that came in some `replaced` others, and some were `renumbered`, becoming later takes. Of those that did
    not, some were there already, and some gave way to what was there.
    """

    added: int
    replaced: int
    renumbered: int
    there_already: int
    gave_way: int


class Placing:
    """Decides which recordings come in, and as which takes."""

    def __init__(self, reader: Reader | None, on_conflict: OnConflict) -> None:
        self._reader = reader
        self._on_conflict = on_conflict
        self._added: dict[Slot, bytes] = {}  # the digest of each that came in
        self._numbers: dict[Track, int] = {}  # the last take of each track into which one came
        self._replaced: set[int] = set()  # ids
        self._last: dict[Slot, int] = {}  # which recording a slot gets in the end
        self._seen = self._renumbered = self._there_already = self._gave_way = 0
        self._conflicts: list[str] = []

    def look_ahead(self, recordings: Iterable[Incoming]) -> None:
        """Find what is going to be replaced; of several for one slot, the last one counts."""
        digests: dict[Slot, bytes] = {}
        for place, incoming in enumerate(recordings):
            interaction = incoming.interaction
            slot = interaction.track, interaction.number
            self._last[slot] = place
            digests[slot] = _digest(interaction)
        for (track, number), digest in digests.items():
            self._replaced |= {
                take.id for take in self._takes(track) if take.number == number and self._digest_of(take) != digest
            }

    def stays(self, id_: int) -> bool:
        """Tell whether an interaction of the cassette is not replaced."""
        return id_ not in self._replaced

    def place(self, incoming: Incoming) -> Interaction | None:
        """Return the next recording as it is to be stored; None where it is not."""
        interaction = incoming.interaction
        slot = interaction.track, interaction.number
        place = self._seen
        self._seen += 1
        if self._last.get(slot, place) != place:
            self._gave_way += 1
            return None
        digest = _digest(interaction)
        there = self._there(slot)
        if there is None:
            return self._put(interaction, digest)
        if there == digest or (self._on_conflict is OnConflict.ADD and self._has(interaction.track, digest)):
            self._there_already += 1
        elif self._on_conflict is OnConflict.ADD:
            self._renumbered += 1
            return self._put(replace(interaction, number=self._last_number(interaction.track) + 1), digest)
        elif self._on_conflict is OnConflict.KEEP:
            self._gave_way += 1
        else:
            self._conflicts.append(f"{take_name(slot[0].key, slot[1])} ({incoming.where})")
        return None

    def check(self, path: Path) -> None:
        """Raise CassetteError where takes conflict."""
        if self._conflicts:
            first, rest = self._conflicts[:_MOST_TOLD], self._conflicts[_MOST_TOLD:]
            more = f" and {len(rest)} more" if rest else ""
            raise CassetteError(
                f"nothing was imported: these are in {path} already, with other content: {', '.join(first)}{more}. "
                "--on-conflict keep, replace or add tells what becomes of them"
            )

    def done(self) -> TakenIn:
        """Tell what was done."""
        return TakenIn(len(self._added), len(self._replaced), self._renumbered, self._there_already, self._gave_way)

    def _put(self, interaction: Interaction, digest: bytes) -> Interaction:
        track, number = interaction.track, interaction.number
        self._numbers[track] = max(self._last_number(track), number)
        self._added[track, number] = digest
        return interaction

    def _there(self, slot: Slot) -> bytes | None:
        """Return the digest of what stands in a slot, None where nothing does."""
        if slot in self._added:
            return self._added[slot]
        track, number = slot
        return next((self._digest_of(take) for take in self._takes(track) if take.number == number), None)

    def _has(self, track: Track, digest: bytes) -> bool:
        return any(self._digest_of(take) == digest for take in self._takes(track))

    def _last_number(self, track: Track) -> int:
        if track in self._numbers:
            return self._numbers[track]
        return max((take.number for take in self._takes(track)), default=0)

    def _takes(self, track: Track) -> list[Take]:
        """Return the takes of a track that stay."""
        if self._reader is None:
            return []
        takes = self._reader.takes_of_key(track.key)
        return [take for take in takes if take.track == track and take.id not in self._replaced]

    def _digest_of(self, take: Take) -> bytes:
        assert self._reader is not None  # noqa: S101  there are no takes without it
        return _digest(self._reader.interaction(take))


def _digest(interaction: Interaction) -> bytes:
    """Digest what was asked and answered."""
    line = interchange.dumps(Recorded(replace(interaction, number=1, recorded_at=""), 0))
    return hashlib.blake2b(line, digest_size=_DIGEST_BYTES).digest()
