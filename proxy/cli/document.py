"""JSON for programs: what the reading commands print with `--json`.

Rule: one list a call, each of its values printed as soon as it is there, so that a cassette of any size is never in
memory whole. The names in it are a promise to programs: fields may be added, none is renamed or dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from proxy.cli import wording
from proxy.core.model import take_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.canonical import Json
    from proxy.core.model import Interaction, Take
    from proxy.core.rekeying import Rekeying


def print_list(values: Iterable[Json], indent: int | None = None) -> None:
    """Print one JSON list, each of its values as soon as it is there."""
    opening = "[\n"
    for value in values:
        click.echo(opening + wording.document(value, indent=indent), nl=False)
        opening = ",\n"
    click.echo("[]" if opening == "[\n" else "\n]")


def named(interaction: Interaction | Take) -> dict[str, Json]:
    """Return what tells an interaction from the others: its names and what it is numbered under."""
    track = interaction.track
    return {
        "name": take_name(track.key, interaction.number),
        "key": track.key,
        "take": interaction.number,
        "variant": track.variant,
        "lane": track.lane,
    }


def rekeyed(planned: Rekeying) -> dict[str, Json]:
    """Return what becomes of keys."""
    merges = [
        {"key": merge.key, "takes": [take.name for take in merge.takes], "differs": merge.differs}
        for merge in planned.merges
    ]
    return {"changed": planned.changed, "merges": merges}
