"""The layout of `diff`: two recordings side by side.

Rule: a line a pair, below it what differs: what was asked otherwise first, then the answers; of long texts the words
that changed, marked as `git diff --word-diff` does. Yields lines, prints nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.document import named
from proxy.cli.prompt import last_user_message
from proxy.cli.screen import styled
from proxy.core.mismatch import MISSING
from proxy.core.verdict import Comparison, Verdict
from proxy.core.worddiff import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.text import Text

    from proxy.cassette.reader import Reader
    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.mismatch import Difference
    from proxy.core.model import Take

ALONE: Final = "missing"
"""The standing of a recording that has no counterpart."""

STANDINGS: Final = (*(verdict.value for verdict in Verdict), ALONE)
"""What can be said of a pair, from the least to the worst."""

_STYLES: Final = {"identical": "green", "reworded": "blue", "changed": "red", ALONE: "magenta"}
_LABEL: Final = 11
_INDENT: Final = 2
_MOST_ASKED: Final = 3
_MOST_ANSWERED: Final = 12
_MOST_COUNTED: Final = 10
_LONGEST: Final = 32
_PLACE: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two recordings, or one that has no counterpart; `asked` is what differs between their requests."""

    one: Take | None
    other: Take | None
    answers: Comparison | None = None
    asked: Sequence[Difference] = ()

    @property
    def standing(self) -> str:
        """One of STANDINGS."""
        return ALONE if self.answers is None else self.answers.verdict.value

    def json(self) -> dict[str, Json]:
        """Write it for programs."""
        answers = self.answers or Comparison(Verdict.IDENTICAL)
        return {
            "verdict": self.standing,
            "one": self.one and named(self.one),
            "other": self.other and named(self.other),
            "request": [_sides(difference) for difference in self.asked],
            "answer": [_sides(change.difference) for change in answers.changes],
            "reasons": list(answers.reasons),
        }


@dataclass(slots=True, frozen=True)
class Layout:
    """Lays pairs out for a screen; the readers are those of the two cassettes."""

    screen: Screen
    one: Reader
    other: Reader

    def lines(self, contrast: Contrast) -> Iterator[Text]:
        """Yield a line that names the pair, and what differs."""
        yield self._head(contrast)
        changes = contrast.answers.changes if contrast.answers else ()
        yield from self._first(contrast.asked, _MOST_ASKED, "asked ")
        yield from self._first([change.difference for change in changes], _MOST_ANSWERED)

    def _head(self, contrast: Contrast) -> Text:
        takes = [take for take in (contrast.one, contrast.other) if take]
        names = dict.fromkeys(take.name for take in takes)
        lanes = dict.fromkeys(take.track.lane for take in takes if take.track.lane)
        reader, take = (self.one, contrast.one) if contrast.one else (self.other, takes[0])
        request = reader.request(take)
        asked = last_user_message(wording.parsed(request.body)) or f"{request.method} {request.path}"
        where = f"  only in {reader.path}" if contrast.answers is None else ""
        line = styled(
            (contrast.standing.ljust(_LABEL), f"bold {_STYLES[contrast.standing]}"),
            (" → ".join(names), "cyan"),
            where,
            ("".join(f"  {wording.on_one_line(lane)}" for lane in lanes), "dim"),
            f"  {wording.folded(asked)}",
        )
        line.truncate(self.screen.width, overflow="ellipsis")
        return line

    def _first(self, differences: Sequence[Difference], most: int, label: str = "") -> Iterator[Text]:
        """Lay out the first of what may be many."""
        for difference in differences[:most]:
            yield from self._difference(difference, label)
        if len(differences) > most:
            more = f"{label}and {len(differences) - most} more: see --json"
            yield from self.screen.block(styled((more, "dim")), _LABEL)

    def _difference(self, difference: Difference, label: str) -> Iterator[Text]:
        name = styled((label, "dim"), (difference.path, "cyan"))
        before, after = _plain(difference)
        if max(len(before), len(after)) <= _LONGEST and "\n" not in before + after:
            line = name + styled("  ", (before, "red"), " → ", (after, "green"))
            if line.cell_len <= self.screen.width - _LABEL:
                yield from self.screen.block(line, _LABEL)
                return
        yield from self.screen.block(name, _LABEL)
        for mark, style, text in zip("-+", ("red", "green"), _marked(difference), strict=True):
            yield from self.screen.block(
                styled((text, style)), _LABEL + 2 * _INDENT, styled(" " * (_LABEL + _INDENT), (mark, style))
            )


class Tally:
    """Counts pairs, and what differs between them."""

    def __init__(self) -> None:
        self._standings: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()

    def counting(self, contrasts: Iterable[Contrast]) -> Iterator[Contrast]:
        """Count what passes."""
        for contrast in contrasts:
            self._standings[_column(contrast)] += 1
            changes = contrast.answers.changes if contrast.answers else ()
            self._asked.update(_paths(contrast.asked))
            self._answered.update(_paths(change.difference for change in changes))
            yield contrast

    def fails(self, least: str) -> bool:
        """Tell whether there is anything of that standing, or of a worse one; of one that is none there is nothing."""
        worse = STANDINGS[STANDINGS.index(least) :] if least in STANDINGS else ()
        return any(self._standings[column] for column in _COLUMNS if _COLUMNS[column] in worse)

    def line(self, screen: Screen, one: str, other: str) -> Iterator[Text]:
        """Say how many there are of each, in a line."""
        titles = _titles(one, other)
        told = [f"{self._standings[column]} {titles[column]}" for column in _COLUMNS if self._standings[column]]
        yield from screen.block(styled((", ".join(told) or "nothing to compare", "bold")))

    def lines(self, one: str, other: str) -> Iterator[Text]:
        """Say how many there are of each, and which fields differ most often."""
        width = max(len(str(count)) for count in (0, *self._standings.values()))
        for column, title in _titles(one, other).items():
            yield styled(f"{self._standings[column]:{width}}  ", (title, _STYLES[_COLUMNS[column]]))
        for title, counts in (("asked otherwise", self._asked), ("answered otherwise", self._answered)):
            if counts:
                yield from (styled(), styled((title, "bold")))
                for path, count in islice(counts.most_common(), _MOST_COUNTED):
                    yield styled(f"{count:{width}}  ", (path, "cyan"))

    def json(self) -> dict[str, Json]:
        """Write the counts for programs."""
        counts = {column: self._standings[column] for column in _COLUMNS}
        return {**counts, "request": dict(self._asked.most_common()), "answer": dict(self._answered.most_common())}


_COLUMNS: Final = {**{verdict.value: verdict.value for verdict in Verdict}, "only_one": ALONE, "only_other": ALONE}
"""What is counted, and the standing that it has."""


def _paths(differences: Iterable[Difference]) -> list[str]:
    """Name the fields that differ, each once, whatever place in an array they have."""
    return list(dict.fromkeys(_PLACE.sub("[]", difference.path) for difference in differences))


def _column(contrast: Contrast) -> str:
    if contrast.standing != ALONE:
        return contrast.standing
    return "only_one" if contrast.one else "only_other"


def _titles(one: str, other: str) -> dict[str, str]:
    alone = {"only_one": f"only in {one}", "only_other": f"only in {other}"}
    return {column: alone.get(column, column) for column in _COLUMNS}


def _plain(difference: Difference) -> tuple[str, str]:
    """Put both sides into words: a text as it stands, unless the other is none; all else as JSON."""
    sides = difference.recorded, difference.asked
    is_text = all(side is MISSING or isinstance(side, str) for side in sides)
    before, after = ("(absent)" if side is MISSING else side if is_text else wording.compact(side) for side in sides)
    return before, after


def _marked(difference: Difference) -> tuple[str, str]:
    """Put both sides into words: of texts those that changed, marked."""
    before, after = difference.recorded, difference.asked
    return marked(before, after) if isinstance(before, str) and isinstance(after, str) else difference.excerpt()


def _sides(difference: Difference) -> dict[str, Json]:
    sides = {"path": difference.path, "one": difference.recorded, "other": difference.asked}
    return {name: value for name, value in sides.items() if value is not MISSING}
