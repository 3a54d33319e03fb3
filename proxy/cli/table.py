"""Tables of numbers: what has them on the left, a column a number.

Rule: numbers are never cut; where a line is too narrow the names give way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from proxy.cli.screen import styled
from proxy.cli.wording import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP: Final = 2
_LEAST_NAME: Final = 12
_NAME_STYLE: Final = "cyan"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[Text]:
    """Lay rows out below their titles; the first cell of each is a name."""
    cells = [[styled((title, "bold")) for title in titles]]
    cells += [[styled((on_one_line(name), _NAME_STYLE)), *map(styled, numbers)] for name, *numbers in rows]
    widths = [max(row[place].cell_len for row in cells) for place in range(len(titles))]
    room = width - sum(widths[1:]) - _GAP * len(widths[1:])
    widths[0] = min(widths[0], max(_LEAST_NAME, room))
    for row in cells:
        for cell, (place, wide) in zip(row, enumerate(widths), strict=True):
            cell.align("right" if place else "left", wide)
        yield Text(" " * _GAP).join(row)
