"""`stats`: what recordings add up to.

Rule: bodies are read only where a key was asked for more than once, to tell whether the answers differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette.ordering import Order
from proxy.cassette.reader import Reader
from proxy.cli import wording
from proxy.cli.arguments import CASSETTES, CHOICE, CONFIG, JSON, cassettes_of, config_of
from proxy.cli.choosing import chosen, warn
from proxy.cli.progress import progress
from proxy.cli.screen import Screen, styled
from proxy.cli.table import table
from proxy.core.choice import Ending
from proxy.core.meaning import meaning
from proxy.core.statistics import Statistics, Tally, gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.text import Text

    from proxy.cassette.size import Size
    from proxy.core.canonical import Json
    from proxy.core.choice import Choice
    from proxy.core.rules import Rules
    from proxy.core.statistics import Repeats

_MOST_ROWS: Final = 20
_LABEL: Final = 10
_NOBODY: Final = "(none)"
_TITLES: Final = ("calls", "tokens in", "tokens out", "time", "a call")

_PARTS: Final[Sequence[tuple[str, Callable[[Size], int]]]] = (
    ("responses", lambda size: size.responses),
    ("requests", lambda size: size.requests),
    ("indexes and the rest", lambda size: size.rest),
    ("free", lambda size: size.free),
)
"""What takes the room in a file."""


@click.command(short_help="Add up calls, tokens, time and size.")
@CASSETTES
@CHOICE
@CONFIG
@JSON
def stats(cassettes: tuple[Path, ...], choice: Choice, file: Path | None, *, as_json: bool) -> None:
    """Add up what cassettes hold: calls, tokens and time by model and lane, repeated calls, and size on disk.

    The time is what the upstream took: what one replay of all of them saves. A call is repeated where an earlier one
    has its key. Options choose among the calls, while the size is the file's. Without a CASSETTE it is the configured
    one.

    \b
    llmtape stats
    llmtape stats cassettes/default.sqlite tests/chat.sqlite
    llmtape stats tests/chat.sqlite --model 'gpt-4o*' --newer 7d
    llmtape stats tests/chat.sqlite --json | jq '.models'

    \b
    --json is an object: total, cassettes [{cassette, size {file, requests, responses, free, rest},
    ...total}], models [{model, ...}], lanes [{lane, ...}]. Each of these and the total has calls,
    prompt_tokens, completion_tokens, duration_us; the total and each cassette also outcomes {complete,
    unfinished, cut, error}, oldest, newest, and repeated {calls, same_answer, keys_in_lanes}. Sizes are
    bytes.
    """  # noqa: D301  click wants the character
    config = config_of(file)
    holdings = [_holding(cassette, choice, config.rules) for cassette in cassettes_of(cassettes, config)]
    whole = sum((holding.statistics for holding in holdings), start=Statistics())
    if as_json:
        click.echo(wording.document(_document(whole, holdings), indent=2))
    else:
        screen = Screen()
        screen.show(_lines(screen, whole, holdings))


@dataclass(frozen=True, slots=True)
class _Holding:
    """What one cassette holds."""

    cassette: Path
    statistics: Statistics
    size: Size


def _holding(cassette: Path, choice: Choice, rules: Rules) -> _Holding:
    with Reader(cassette, rules) as reader:
        warn(reader, choice)
        entries = progress(reader.entries(Order.KEY), len(reader), f"adding up {cassette.name}")
        by_key = groupby(chosen(reader, entries, choice), key=lambda entry: entry.take.track.key)
        statistics = gathered((list(group) for _, group in by_key), lambda take: meaning(reader.response(take)[0]))
        return _Holding(cassette, statistics, reader.size)


def _lines(screen: Screen, whole: Statistics, holdings: Sequence[_Holding]) -> Iterator[Text]:
    for name, value in _facts(whole, [holding.size for holding in holdings]):
        yield from screen.block(styled(value), _LABEL, styled((name, "dim")))
    if len(holdings) > 1:
        sized = [(str(it.cassette), *_cells(it.statistics.total), wording.size(it.size.file)) for it in holdings]
        yield from _titled(("cassette", *_TITLES, "size"), sized, screen.width)
    for title, tallies in (("model", whole.models), ("lane", whole.lanes)):
        if any(tallies):
            most = sorted(tallies, key=lambda name: (-tallies[name].duration_us, name))
            rows = [(name or _NOBODY, *_cells(tallies[name])) for name in most[:_MOST_ROWS]]
            yield from _titled((title, *_TITLES), rows, screen.width)
            if len(most) > _MOST_ROWS:
                yield styled((f"and {len(most) - _MOST_ROWS:,} more, each with less time; --json has all", "dim"))


def _facts(whole: Statistics, sizes: Sequence[Size]) -> Iterator[tuple[str, str]]:
    total = whole.total
    since = f" from {wording.minute(whole.oldest)} to {wording.minute(whole.newest)} UTC" if whole.oldest else ""
    yield "calls", f"{total.calls:,}{since}"
    yield "outcomes", _ended(whole.endings)
    yield "tokens", f"{total.prompt_tokens:,} in, {total.completion_tokens:,} out"
    yield "time", f"{wording.span(total.duration_us)}, which a replay saves"
    yield "repeated", _repeated(whole.repeats)
    parts = ", ".join(f"{name} {wording.size(sum(map(of, sizes)))}" for name, of in _PARTS)
    yield "on disk", f"{wording.size(sum(size.file for size in sizes))}: {parts}"


def _ended(endings: Mapping[Ending, int]) -> str:
    outcomes = [f"{count:,} {ending}" for ending, count in sorted(endings.items()) if ending is not Ending.ERROR]
    errors = endings.get(Ending.ERROR, 0)
    return f"{', '.join(outcomes) or 'none'}{f'; {errors:,} of them with an error status' if errors else ''}"


def _repeated(repeats: Repeats) -> str:
    if not repeats.calls:
        return "no call has the key of an earlier one"
    same = f"{repeats.calls:,} with the key of an earlier call, {repeats.same_answer:,} of them with its answer"
    return f"{same}; {wording.counted(repeats.keys_in_lanes, 'key')} in several lanes"


def _titled(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[Text]:
    yield styled()
    yield from table(titles, rows, width)


def _cells(tally: Tally) -> tuple[str, ...]:
    counts = (tally.calls, tally.prompt_tokens, tally.completion_tokens)
    mean = tally.duration_us // tally.calls if tally.calls else 0
    return (*(f"{count:,}" for count in counts), wording.span(tally.duration_us), wording.duration(mean))


def _document(whole: Statistics, holdings: Sequence[_Holding]) -> dict[str, Json]:
    return {
        "total": _told(whole),
        "cassettes": [
            {"cassette": str(holding.cassette), **_told(holding.statistics), "size": _sized(holding.size)}
            for holding in holdings
        ],
        "models": [{"model": name, **asdict(tally)} for name, tally in sorted(whole.models.items())],
        "lanes": [{"lane": name, **asdict(tally)} for name, tally in sorted(whole.lanes.items())],
    }


def _told(statistics: Statistics) -> dict[str, Json]:
    return {
        **asdict(statistics.total),
        "outcomes": {ending.value: statistics.endings.get(ending, 0) for ending in Ending},
        "oldest": statistics.oldest or None,
        "newest": statistics.newest or None,
        "repeated": asdict(statistics.repeats),
    }


def _sized(size: Size) -> dict[str, Json]:
    return {**asdict(size), "rest": size.rest}
