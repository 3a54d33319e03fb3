"""Which recordings a `KEY[:TAKE]` on the command line means.

Rule: a key names all its takes, in every lane and variant; whatever is about one recording alone wants them narrowed
down to it, and says how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from proxy.core.errors import KeyNotFoundError
from proxy.core.model import Take, Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.cassette.reader import Reader

KEY = click.argument("key", metavar="KEY[:TAKE]")
LANE = click.option("--lane", metavar="LANE", help="Only the recording of this lane.")
VARIANT = click.option(
    "--variant",
    type=click.Choice([variant.value for variant in Variant]),  # of an enum, click would take the names
    help="Only the recording that travels like this.",
)


@dataclass(frozen=True, slots=True)
class Name:
    """What was typed. A lane or variant of None means any."""

    key: str
    lane: str | None = None
    variant: str | None = None

    def takes(self, reader: Reader) -> list[Take]:
        """Return the recordings that are meant, at least one. Raises KeyNotFoundError."""
        found = reader.find(self.key)
        meant = [take for take in found if self._is_meant(take)]
        if not meant:
            raise KeyNotFoundError(f"{self.key!r} has no recording like that in {reader.path}, but {_listed(found)}")
        return meant

    def take(self, reader: Reader) -> Take:
        """Return the one recording that is meant. Raises KeyNotFoundError."""
        return self.only(self.takes(reader))

    def only(self, takes: Sequence[Take]) -> Take:
        """Return the single one. Raises KeyNotFoundError where there are more."""
        if len(takes) > 1:
            raise KeyNotFoundError(
                f"{self.key!r} has {len(takes)} recordings: name one by its take, --lane or --variant: {_listed(takes)}"
            )
        return takes[0]

    def _is_meant(self, take: Take) -> bool:
        track = take.track
        return self.lane in (None, track.lane) and self.variant in (None, track.variant)


def _listed(takes: Sequence[Take]) -> str:
    return ", ".join(_told(take) for take in takes)


def _told(take: Take) -> str:
    lane = f" in lane {take.track.lane!r}" if take.track.lane else ""
    return f"{take.name} ({take.track.variant}{lane})"
