"""What `lint` finds in cassettes, and how it is laid out.

Rule: a cassette is gone through one request after another; only of two that are compared are the requests that differ
held in memory. Yields lines, prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proxy.cli.screen import styled
from proxy.core.normalize import normalize
from proxy.core.pairing import pair
from proxy.core.rules import added
from proxy.core.scrubbers import SCRUBBERS
from proxy.core.volatile import propose, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.text import Text

    from proxy.cassette.reader import Reader
    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.mismatch import Difference
    from proxy.core.model import Take
    from proxy.core.rules import Rules
    from proxy.core.volatile import Proposal

_MOST_SHOWN: Final = 20
_LABEL: Final = 16


@dataclass(frozen=True, slots=True)
class Volatile:
    """A kind of text that looks volatile: how often it occurs, and where for the first time."""

    rule: str
    value: str
    path: str
    take: str
    count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two recordings of one run: the calls that are equal, those that differ in pairs, and those of one side alone."""

    equal: int
    pairs: tuple[tuple[Take, Take], ...]
    alone: tuple[Take, ...]
    proposal: Proposal


def volatile(reader: Reader, rules: Rules) -> list[Volatile]:
    """Find the text in a cassette that looks volatile and that no rule covers, a line a kind."""
    found: dict[str, Volatile] = {}
    for take, _, request in reader.requests():
        for it in uncovered(request, rules):
            seen = found.get(it.rule) or Volatile(it.rule, it.value, it.path, take.name, 0)
            found[it.rule] = replace(seen, count=seen.count + 1)
    return [found[name] for name in SCRUBBERS if name in found]


def covering(found: list[Volatile], rules: Rules) -> list[str]:
    """Write the lines of config that cover what was found."""
    return added(rules, replace(rules, scrub=(*rules.scrub, *(it.rule for it in found))))


def compare(one: Reader, other: Reader, rules: Rules) -> Comparison:
    """Compare two recordings of the same run, and find rules that make their requests equal."""
    mine, theirs = list(one.requests()), list(other.requests())
    pairing = pair(*([normalize(request, rules) for _, _, request in side] for side in (mine, theirs)))
    pairs = [(mine[place], theirs[its]) for place, its in pairing.near]
    return Comparison(
        equal=len(pairing.same),
        pairs=tuple((ours[0], its[0]) for ours, its in pairs),
        alone=(
            *(mine[place][0] for place in pairing.only_one),
            *(theirs[place][0] for place in pairing.only_other),
        ),
        proposal=propose([(ours[2], its[2]) for ours, its in pairs], rules),
    )


def volatile_lines(screen: Screen, found: list[Volatile], rules: Rules, cassette: Path) -> Iterator[Text]:
    """Lay out what one cassette holds."""
    if not found:
        yield styled("No text that looks volatile is left uncovered.")
        return
    for it in found:
        times = f"{it.count} time{'s' if it.count > 1 else ''}, the first in {it.take}, {it.path}: "
        yield from screen.block(styled(times, (it.value, "yellow")), _LABEL, styled((it.rule, "cyan")))
    yield from _config(screen, covering(found, rules), cassette)


def comparison_lines(screen: Screen, found: Comparison, rules: Rules, cassette: Path) -> Iterator[Text]:
    """Lay out what two cassettes differ in."""
    yield styled(f"{found.equal} calls are equal, {len(found.pairs)} differ, {len(found.alone)} have no counterpart.")
    if not found.pairs:
        return
    lines = added(rules, found.proposal.rules)
    if lines:
        yield styled(f"Under these rules {found.proposal.solved} of the {len(found.pairs)} that differ are equal:")
        yield from _config(screen, lines, cassette)
    rest = found.proposal.rest
    for place, difference in rest[:_MOST_SHOWN]:
        yield styled()
        yield from _difference(screen, found.pairs[place], difference)
    if len(rest) > _MOST_SHOWN:
        yield styled()
        yield styled(f"and {len(rest) - _MOST_SHOWN} more fields that no rule makes equal")


def comparison_json(found: Comparison, rules: Rules) -> dict[str, Json]:
    """Write what two cassettes differ in for programs."""
    return {
        "equal": found.equal,
        "pairs": len(found.pairs),
        "alone": [take.name for take in found.alone],
        "solved": found.proposal.solved,
        "rest": [_rest(*found.pairs[place], difference) for place, difference in found.proposal.rest],
        "lines": added(rules, found.proposal.rules),
    }


def _rest(take: Take, other: Take, difference: Difference) -> dict[str, Json]:
    recorded, asked = difference.excerpt()
    path = difference.path.removeprefix("body.")
    return {"take": take.name, "other": other.name, "path": path, "recorded": recorded, "asked": asked}


def _difference(screen: Screen, takes: tuple[Take, Take], difference: Difference) -> Iterator[Text]:
    path = difference.path.removeprefix("body.")
    yield from screen.block(styled((path, "cyan"), (f"  {takes[0].name} and {takes[1].name}", "dim")))
    for label, side in zip(("one", "other"), difference.excerpt(), strict=True):
        yield from screen.block(styled(side), _LABEL, styled("  ", (label, "dim")))


def _config(screen: Screen, lines: list[str], cassette: Path) -> Iterator[Text]:
    yield styled()
    yield styled("To let it not count, write into llmtape.toml:")
    yield styled()
    for line in lines:
        yield from screen.block(styled((line, "green")), 2)
    yield styled()
    yield styled(f"and give what was recorded its new keys: llmtape rekey {cassette}")
