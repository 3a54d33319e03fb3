"""The way onto the terminal.

Rule: recorded text becomes a `Text` through `styled` alone, which makes it safe to show; markup in it means nothing.
Lines are laid out here and not by the console, so that piped output is never wrapped.
"""

from __future__ import annotations

import shutil
import sys
from io import StringIO
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.text import Text

from proxy.cli.wording import is_safe, printable
from proxy.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.containers import Lines

PIPED_WIDTH: Final = 200
"""Columns of piped output, unless COLUMNS says otherwise."""


class _Stdout(StringIO):
    """Standard output as it is when it is written to: while a progress bar is drawn, lines go above the bar.

    Rich lets its consoles pass by what it puts in the place of `sys.stdout` meanwhile.
    """

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()

    def isatty(self) -> bool:
        return sys.stdout.isatty()


class Screen:
    """Standard output: a terminal, with colour and a width to keep to, or a pipe."""

    def __init__(self) -> None:
        # COLUMNS counts first, then the terminal's width; a pipe has neither.
        self.width = shutil.get_terminal_size((PIPED_WIDTH, 0)).columns
        self._console = Console(file=_Stdout(), width=self.width, markup=False, highlight=False, emoji=False)

    def show(self, lines: Iterable[Text]) -> None:
        """Print lines as they come, each as it stands."""
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def write(self, text: Text) -> None:
        """Print a piece of a line at once; what comes next goes on behind it."""
        self._console.print(text, end="", soft_wrap=True)

    def block(self, text: Text, indent: int = 0, label: Text | None = None) -> Iterator[Text]:
        """Cut a text into indented lines; on a terminal they are wrapped between words to its width.

        A label stands in the first line's indent.
        """
        margin = Text() if label is None else label
        for line in self._wrapped(text, max(1, self.width - indent)):
            margin.align("left", indent)
            whole = margin + line
            whole.rstrip()
            yield whole
            margin = Text()

    def _wrapped(self, text: Text, width: int) -> Lines:
        if self._console.is_terminal:
            return text.wrap(self._console, width, overflow="fold")
        return text.split("\n", allow_blank=True)


def check_bytes(data: bytes) -> None:
    """Raise ConfigError where bytes that are to be printed as they are could steer the terminal they would go to."""
    if sys.stdout.isatty() and not is_safe(data.decode("utf-8", "surrogateescape")):
        raise ConfigError("these bytes hold what a terminal takes for commands: send them to a file or a pager")


def styled(*pieces: str | tuple[str, str]) -> Text:
    """Put a text together from pieces, each a text or a text and its style."""
    text = Text(overflow="ellipsis")
    for piece in pieces:
        content, style = (piece, "") if isinstance(piece, str) else piece
        text.append(printable(content), style)
    return text
