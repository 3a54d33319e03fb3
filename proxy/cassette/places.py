"""Where a recording goes, and what gives way to it.

Rule: runs within the transaction that stores the recording. A recording stands in the row of the one that it replaces,
or else in a row that none had: a file changes no more than it must, and who still looks for what is gone finds
nothing else in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.cassette import statements
from proxy.core.model import Outcome, Track, Variant

if TYPE_CHECKING:
    import sqlite3

    from proxy.core.model import Interaction


@dataclass(frozen=True, slots=True)
class Place:
    """The row of a recording, and the take that it is."""

    id: int
    number: int


class Places:
    """What one recorder knows of the rows of its file."""

    def __init__(self) -> None:
        self.were_vacated = False
        """Whether recordings gave way."""
        self._renumbered: dict[tuple[Track, int], int] = {}
        self._vacated: dict[tuple[Track, int], int] = {}  # rows whose recordings are being replaced
        self._last_vacated = 0

    def clear(self, connection: sqlite3.Connection, lane: str | None) -> None:
        """Make room for a conversation recorded anew: what is left of the old one would never be asked for again."""
        if lane is not None:
            for id_, key, variant, number in connection.execute(statements.ROWS_OF_LANE, {"lane": lane}).fetchall():
                self._vacate(connection, id_, Track(key, Variant(variant), lane), number)

    def find(self, connection: sqlite3.Connection, run_id: int, interaction: Interaction, *, replaces: bool) -> Place:
        """Find the place for a recording, and delete what it replaces.

        With `replaces` those are all takes that earlier runs recorded of its track.
        """
        number = self._make_room(connection, run_id, interaction, replaces=replaces)
        return Place(self._row(connection, interaction.track, number), number)

    def _make_room(
        self, connection: sqlite3.Connection, run_id: int, interaction: Interaction, *, replaces: bool
    ) -> int:
        track = interaction.track
        on_track = {"key": track.key, "variant": track.variant.value, "lane": track.lane}
        wanted = self._renumbered.get((track, interaction.number), interaction.number)
        others = set()
        rows = connection.execute(statements.SELECT_TRACK, on_track).fetchall()
        replaces = replaces and all(other_run != run_id for _, _, other_run, _ in rows)
        for id_, number, other_run, outcome in rows:
            # Runs that began after ours are recorders beside us: what they stored stays.
            is_earlier = replaces and other_run < run_id
            gives_way = number == wanted and (other_run == run_id or outcome != Outcome.COMPLETE)
            if is_earlier or gives_way:
                self._vacate(connection, id_, track, number)
            else:
                others.add(number)
        if wanted in others:  # a recorder beside us took it meanwhile
            wanted = max(others) + 1
            self._renumbered[track, interaction.number] = wanted
        return wanted

    def _vacate(self, connection: sqlite3.Connection, id_: int, track: Track, number: int) -> None:
        connection.execute(statements.DELETE_INTERACTION, {"id": id_})
        self._vacated[track, number] = id_
        self._last_vacated = max(self._last_vacated, id_)
        self.were_vacated = True

    def _row(self, connection: sqlite3.Connection, track: Track, number: int) -> int:
        (last,) = connection.execute(statements.LAST_ID).fetchone()
        new = max(last or 0, self._last_vacated) + 1
        id_ = self._vacated.pop((track, number), new)
        is_free = connection.execute(statements.SELECT_ID, {"id": id_}).fetchone() is None
        return id_ if is_free else new
