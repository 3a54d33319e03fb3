"""A stream's timeline: events a second over time, as bars over an axis.

Rule: yields lines, prints nothing; fits the width it is given, and never takes more than 80 columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.screen import styled
from proxy.core.timeline import rate, spoken_at, ticks, timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from proxy.core.model import Response

_BARS: Final = " ▁▂▃▄▅▆▇█"
_LEVELS: Final = len(_BARS) - 1
_ROWS: Final = 3
_WIDEST: Final = 80
_NARROWEST: Final = 20
_FEWEST_EVENTS: Final = 2
_EVENTS_A_BAR: Final = 2
"""On average, so that a steady stream looks steady and not like a comb."""

_FEWEST_BARS: Final = 16
_SHORT: Final = 100_000
"""Rates that are written out below this one fit every margin."""

_TICK_EVERY: Final = 11
"""Columns that a tick's label and the space around it take."""


def described(response: Response, tokens: int | None) -> str:
    """Say what the bars do not: when the first token came, how fast the others did, and the longest silence.

    `tokens` is how many the answer says it has; where it does not, its events are counted.
    """
    times = sorted(spoken_at(response))
    drawn = timeline(times, response.duration_us, 1)
    speed = rate(tokens or len(times), times[0], times[-1])
    facts = [f"first token {wording.duration(times[0])}"]
    if speed is not None:
        facts.append(f"{_number(speed)} {'tokens' if tokens else 'events'} a second")
    if drawn and drawn.gap_us:
        facts.append(f"longest gap {wording.duration(drawn.gap_us)}, after {wording.duration(drawn.gap_at_us)}")
    return ", ".join(facts)


def chart(response: Response, width: int, margin: int) -> Iterator[Text]:
    """Draw when the events came, right of a margin that has the scale; nothing where there is no room or no time."""
    columns = min(width, _WIDEST) - margin - 1
    times = spoken_at(response)
    if columns < _NARROWEST or len(times) < _FEWEST_EVENTS:
        return
    drawn = timeline(times, response.duration_us, min(columns, max(len(times) // _EVENTS_A_BAR, _FEWEST_BARS)))
    if drawn is None:
        return
    scale = f"{drawn.peak if drawn.peak < _SHORT else format(drawn.peak, '.0e')}/s"
    for row in _rows([drawn.counts[column * len(drawn.counts) // columns] for column in range(columns)]):
        yield styled((f"{scale:<{margin}}│", "dim"), (row.rstrip(), "cyan"))
        scale = ""
    places = {at * columns // drawn.duration_us: at for at in ticks(drawn.duration_us, columns // _TICK_EVERY)}
    axis = "".join("┬" if place in places else "─" for place in range(columns))
    yield styled((f"{'':{margin}}└{axis}", "dim"))
    yield styled((f"{'':{margin}} {_labels(places, columns)}", "dim"))


def _rows(counts: Sequence[int]) -> Iterator[str]:
    """Draw bars from the top row down, the highest over all rows; what is not zero is never drawn as nothing."""
    most = max(counts)
    heights = [-(-count * _LEVELS * _ROWS // most) for count in counts]
    for below in reversed(range(0, _LEVELS * _ROWS, _LEVELS)):
        yield "".join(_BARS[min(max(height - below, 0), _LEVELS)] for height in heights)


def _labels(places: dict[int, int], columns: int) -> str:
    """Write each tick's time from its place on, less those that the line has no room for."""
    line = ""
    for place, at in places.items():
        label = wording.duration(at) if at else "0"
        if place + len(label) <= columns and place >= len(line):
            line = f"{line:<{place}}{label}"
    return line


def _number(value: float) -> str:
    """Write a rate to about two digits."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004  a digit more below ten
