"""An answer in the making: what its events add, put onto a screen as they come.

Rule: what is shown in the end is the same for any cut of a text into pieces, and as safe as `printable` makes the
whole. One choice speaks at a time; the others wait for their turn, so that two that were streamed at once can be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.cli.screen import styled
from proxy.cli.wording import TAB, printable
from proxy.core.delta import Kind
from proxy.core.lenient import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.text import Text

    from proxy.core.delta import Addition, Piece

_STYLES: Final[Mapping[Kind, str]] = {
    Kind.REASONING: "dim",
    Kind.CONTENT: "",
    Kind.AUDIO: "blue",
    Kind.REFUSAL: "red",
    Kind.CALL: "",
    Kind.ERROR: "red",
}
_LEADS: Final[Mapping[Kind, str]] = {
    Kind.REASONING: "[reasoning] ",
    Kind.CONTENT: "",
    Kind.AUDIO: "[audio] ",
    Kind.REFUSAL: "refusal: ",
    Kind.CALL: "→ ",
    Kind.ERROR: "error: ",
}


class Flow:
    """Makes a text safe to show that comes in pieces. Holds back what the next piece may belong to."""

    def __init__(self) -> None:
        self._held = ""
        self._column = 0

    def feed(self, text: str) -> str:
        """Return what can be shown now that this piece is there."""
        text = self._held + text
        self._held = text[-1:] if text[-1:] == "\r" or "\ud800" <= text[-1:] <= "\udbff" else ""
        return self._shown(text.removesuffix(self._held))

    def flush(self) -> str:
        """Return what was held back; the text has ended."""
        held, self._held = self._held, ""
        return self._shown(held)

    def _shown(self, text: str) -> str:
        """Lay tabs out from the column where the piece begins."""
        line = " " * self._column + joined([text]).replace("\r\n", "\n")
        expanded = line.expandtabs(TAB)
        shown = printable(expanded[self._column :])
        self._column = len(expanded.replace("\r", "\n").rpartition("\n")[2]) % TAB
        return shown


class Speech:
    """Says pieces one after another. `write` puts text onto the screen and goes on behind it."""

    def __init__(self, write: Callable[[Text], None]) -> None:
        self._write = write
        self._flow = Flow()
        self._part: tuple[int, Kind, int] | None = None
        self._is_line_open = False
        self._speaking: int | None = None
        self._waiting: dict[int, list[Piece]] = {}
        self._ended: set[int] = set()

    def add(self, addition: Addition) -> None:
        """Say what an event adds, or keep it until its choice's turn."""
        for piece in addition.pieces:
            if self._speaking is None:
                self._speaking = piece.choice
            if piece.choice == self._speaking or piece.kind is Kind.ERROR:
                self._say(piece)
            else:
                self._waiting.setdefault(piece.choice, []).append(piece)
        self._ended |= addition.ended
        while self._speaking in self._ended and self._waiting:
            self._next()
        if self._speaking in self._ended:
            self._speaking = None

    def show(self, text: str) -> None:
        """Show a text that is no part of a choice."""
        self._put(self._flow.feed(text), "")

    def finish(self) -> None:
        """Let everyone finish, and end the line."""
        while self._waiting:
            self._next()
        self._end_part()

    def _next(self) -> None:
        self._speaking = min(self._waiting)
        for piece in self._waiting.pop(self._speaking):
            self._say(piece)

    def _say(self, piece: Piece) -> None:
        part = (piece.choice, piece.kind, piece.call)
        if part != self._part:
            self._begin(part, piece)
        self._put(self._flow.feed(piece.text), _STYLES[piece.kind])

    def _begin(self, part: tuple[int, Kind, int], piece: Piece) -> None:
        earlier = self._part
        self._end_part()
        if piece.choice and (earlier is None or earlier[0] != piece.choice):
            self._put(f"[choice {piece.choice + 1}]\n", "dim")
        name = f"{printable(joined([piece.name]))} " if piece.name else ""
        self._put(_LEADS[piece.kind] + name, "bold" if piece.kind is Kind.CALL else _STYLES[piece.kind])
        self._part = part

    def _end_part(self) -> None:
        self._put(self._flow.flush(), _STYLES[self._part[1]] if self._part else "")
        if self._is_line_open:
            self._put("\n", "")
        self._flow = Flow()
        self._part = None

    def _put(self, text: str, style: str) -> None:
        if text:
            self._is_line_open = not text.endswith("\n")  # first: Ctrl-C may come in the midst of writing
            self._write(styled((text, style)))
