"""The events of a recorded answer, one after another, each with its time.

Rule: yields, prints nothing. What arrived is shown as it was spelt; a plain answer is shown by the pieces in which it
arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.document import named
from proxy.cli.screen import styled
from proxy.core import sse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.model import Chunk, Interaction

_TIME: Final = 12
_SECOND = 1_000_000


def lines(interaction: Interaction, screen: Screen) -> Iterator[Text]:
    """Show each event: seconds since the request was sent, then its lines."""
    for chunk in interaction.response.chunks:
        text = _text(chunk.data).rstrip("\r\n")
        yield from screen.block(styled(text), _TIME, styled((_seconds(chunk), "cyan")))


def documents(interaction: Interaction) -> Iterator[dict[str, Json]]:
    """Tell each event to a program."""
    read = _data if interaction.response.is_stream else _text
    for chunk in interaction.response.chunks:
        yield {
            **named(interaction),
            "at_us": chunk.at_us,
            "bytes": len(chunk.data),
            "data": read(chunk.data),
        }


def _seconds(chunk: Chunk) -> str:
    return f"{chunk.at_us / _SECOND:{_TIME - 4}.3f} s"


def _data(event: bytes) -> Json:
    data = sse.data_of(event)
    return None if data is None else wording.parsed(data)


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace")
