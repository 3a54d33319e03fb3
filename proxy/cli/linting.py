"""What `lint` finds in cassettes, and how it is laid out.

Rule: a cassette is gone through one request after another; only of two that are compared are the requests that differ
held in memory. Yields lines, prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from shlex import quote
from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.explanation import config_lines, cut
from proxy.cli.screen import styled
from proxy.core.meaning import meaning
from proxy.core.normalize import normalize
from proxy.core.pairing import pair
from proxy.core.rekeying import plan
from proxy.core.rules import added
from proxy.core.scrubbers import SCRUBBERS
from proxy.core.volatile import propose, uncovered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.text import Text

    from proxy.cassette.reader import Reader
    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.mismatch import Difference
    from proxy.core.model import Take
    from proxy.core.rekeying import Merge
    from proxy.core.rules import Rules
    from proxy.core.volatile import Proposal

_MOST_SHOWN: Final = 20
_LABEL: Final = 16
_INDENT: Final = 2


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
    only_one: tuple[Take, ...]
    only_other: tuple[Take, ...]
    proposal: Proposal
    conflicts: tuple[Merge, ...] = ()
    """Calls of one side with different answers that the proposed rules would make one."""

    @property
    def alone(self) -> tuple[Take, ...]:
        """Those of one side alone."""
        return (*self.only_one, *self.only_other)


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with lines of config: where they are written, and which cassettes then get new keys."""

    cassettes: Sequence[Path]
    file: Path | None = None

    def lines(self, screen: Screen, intent: str, lines: list[str]) -> Iterator[Text]:
        """Lay it out."""
        yield from config_lines(screen, intent, lines, self.file)
        yield styled()
        yield styled("and give what was recorded its new keys:")
        yield styled()
        option = f" --config {quote(str(self.file))}" if self.file else ""
        for cassette in self.cassettes:
            yield styled(("  llmtape rekey " + quote(str(cassette)) + option, "green"))


def volatile(reader: Reader, rules: Rules) -> list[Volatile]:
    """Find the text in a cassette that looks volatile and that no rule covers, a line a kind."""
    found: dict[str, Volatile] = {}
    for take, _, request in reader.requests():
        for it in uncovered(request, rules):
            seen = found.get(it.rule) or Volatile(it.rule, it.value, it.path, take.name, 0)
            found[it.rule] = replace(seen, count=seen.count + 1)
    return [found[name] for name in SCRUBBERS if name in found]


def covering(found: list[Volatile], rules: Rules) -> Rules:
    """Return the rules that cover what was found."""
    return replace(rules, scrub=(*rules.scrub, *(it.rule for it in found)))


def compare(one: Reader, other: Reader, rules: Rules) -> Comparison:
    """Compare two recordings of the same run, and find rules that make their requests equal."""
    mine, theirs = list(one.requests()), list(other.requests())
    pairing = pair(*([normalize(request, rules) for _, _, request in side] for side in (mine, theirs)))
    pairs = [(mine[place], theirs[its]) for place, its in pairing.near]
    proposal = propose([(ours[2], its[2]) for ours, its in pairs], rules)
    return Comparison(
        equal=len(pairing.same),
        pairs=tuple((ours[0], its[0]) for ours, its in pairs),
        only_one=tuple(mine[place][0] for place in pairing.only_one),
        only_other=tuple(theirs[place][0] for place in pairing.only_other),
        proposal=proposal,
        conflicts=tuple(merge for reader in (one, other) for merge in conflicts(reader, proposal.rules)),
    )


def conflicts(reader: Reader, rules: Rules) -> tuple[Merge, ...]:
    """Find calls with different answers that rules would make one."""
    keyed = ((take, normalize(request, rules).key) for take, _, request in reader.requests())
    return plan(keyed, lambda take: meaning(reader.response(take)[0])).conflicts


def volatile_lines(
    screen: Screen, found: list[Volatile], lines: list[str], advice: Advice, merging: Sequence[Merge] = ()
) -> Iterator[Text]:
    """Lay out what one cassette holds, the lines of config that cover it, and what they merge."""
    if not found:
        yield styled("No text that looks volatile is left uncovered.")
        return
    for it in found:
        yield from screen.block(styled((cut(it.value), "magenta")), _LABEL, styled((it.rule, "cyan")))
        times = f"{wording.counted(it.count, 'time')}, the first in {it.take}, {it.path}"
        yield from screen.block(styled((times, "dim")), _LABEL)
    yield from advice.lines(screen, "To let it not count", lines)
    yield from _merging(screen, merging)


def comparison_lines(screen: Screen, found: Comparison, rules: Rules, advice: Advice) -> Iterator[Text]:
    """Lay out what two cassettes differ in."""
    differing, alone = (len(items) or "none" for items in (found.pairs, found.alone))
    equal = wording.counted(found.equal, "call")
    yield from screen.block(styled(f"{equal} equal, {differing} different, {alone} without a counterpart."))
    for takes, cassette in zip((found.only_one, found.only_other), advice.cassettes, strict=True):
        names = [screen.block(styled(take.name), _INDENT) for take in takes]
        yield from _first(screen, names, f"calls in {cassette} alone")
    if lines := added(rules, found.proposal.rules):
        yield from advice.lines(screen, _intent(found.proposal.solved, len(found.pairs)), lines)
        yield from _merging(screen, found.conflicts)
    blocks = [_difference(screen, found.pairs[place], difference) for place, difference in found.proposal.rest]
    yield from _first(screen, blocks, "fields that no rule makes equal")


def _merging(screen: Screen, merging: Sequence[Merge]) -> Iterator[Text]:
    """Warn of calls that the lines would make one, though they were answered differently."""
    blocks = [screen.block(styled((merge.told(), "red")), _INDENT) for merge in merging]
    yield from _first(screen, blocks, "calls that these lines would make one, with different answers")


def comparison_json(found: Comparison, rules: Rules) -> dict[str, Json]:
    """Write what two cassettes differ in for programs."""
    return {
        "equal": found.equal,
        "pairs": len(found.pairs),
        "alone": [take.name for take in found.alone],
        "solved": found.proposal.solved,
        "rest": [_rest(*found.pairs[place], difference) for place, difference in found.proposal.rest],
        "lines": added(rules, found.proposal.rules),
        "conflicts": names(found.conflicts),
    }


def names(merging: Sequence[Merge]) -> list[list[str]]:
    """Name the recordings that merge, for programs."""
    return [[take.name for take in merge.takes] for merge in merging]


def _rest(take: Take, other: Take, difference: Difference) -> dict[str, Json]:
    recorded, asked = difference.excerpt()
    path = difference.path.removeprefix("body.")
    return {"take": take.name, "other": other.name, "path": path, "recorded": recorded, "asked": asked}


def _difference(screen: Screen, takes: tuple[Take, Take], difference: Difference) -> Iterator[Text]:
    path = difference.path.removeprefix("body.")
    yield from screen.block(styled((path, "cyan")), _INDENT)
    for take, side in zip(takes, difference.excerpt(), strict=True):
        yield from screen.block(styled(side), 2 * _INDENT + _LABEL, styled(" " * 2 * _INDENT, (take.name, "dim")))


def _intent(solved: int, differing: int) -> str:
    if not solved:
        return "To let fewer fields differ"
    if solved < differing:
        return f"To make {solved} of the {differing} equal"
    return f"To make {'it' if differing == 1 else f'all {differing}'} equal"


def _first(screen: Screen, blocks: Sequence[Iterator[Text]], title: str) -> Iterator[Text]:
    """Lay out the first of what may be many, below a title."""
    if not blocks:
        return
    yield styled()
    yield from screen.block(styled((title, "bold")))
    for block in blocks[:_MOST_SHOWN]:
        yield from block
    if len(blocks) > _MOST_SHOWN:
        yield from screen.block(styled(f"and {len(blocks) - _MOST_SHOWN} more"), _INDENT)
