"""What is recorded, on its way from an exchange into the cassette.

Rule: the cassette gets it, or the lane that holds it; the ledger learns of it, too. Whether there is a client makes no
difference.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from proxy.asked import mark
from proxy.core.ledger import Fate
from proxy.core.modes import looks_up

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from proxy.asked import Asked
    from proxy.capture import Slot
    from proxy.cassette.shelf import Tape
    from proxy.core.ledger import Ledger, Line
    from proxy.core.model import Headers, Interaction, Response


class Recording:
    """A `Keeper` of one answer: into the cassette, or held by its lane. `response` is what was recorded until now."""

    def __init__(self, asked: Asked, slot: Slot, tape: Tape, ledger: Ledger, line: Line) -> None:
        self.slot = slot
        self.line = line
        self.response: Response | None = None
        self._asked = asked
        self._tape = tape
        save = partial(tape.save, replaces=not looks_up(asked.policy.mode))
        self._save = asked.lane.hold if asked.lane.holds else save
        self._ledger = ledger

    @property
    def trouble(self) -> str:
        """Why the latest recording could not be stored; a lane's are stored at its end."""
        return "" if self._asked.lane.holds else self._tape.trouble

    def save(self, interaction: Interaction) -> Future[None]:
        """Store it; called before the client sees its end, and again where more comes after that."""
        self.response = interaction.response
        self._ledger.amend(self.line, response=interaction.response, injected=self._asked.wanted)
        return self._save(interaction)

    def mark(self, trouble: str) -> Headers:
        """Tell the client the take's name, or why there is none."""
        return (
            mark(Fate.NOT_RECORDED, self._asked.short_key, trouble) if trouble else mark(Fate.RECORDED, self.slot.name)
        )


class Nobody:
    """A client that is not there: an answer that is wanted whole before anybody gets it goes here."""

    outlived = True

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        """Take no head."""

    async def write(self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()) -> None:
        """Take nothing."""

    async def abort(self) -> None:
        """Do nothing."""
