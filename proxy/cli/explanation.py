"""The layout of `explain`: why a request has its key, as a person reads it.

Rule: what is told comes from the core; here it is only laid out. Yields lines, prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.cli import wording
from proxy.cli.screen import styled
from proxy.core.mismatch import MISSING
from proxy.core.modes import Found
from proxy.core.view import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.deck import Drawn
    from proxy.core.explain import Explanation, Touch
    from proxy.core.miss import Miss
    from proxy.core.rekeying import Rekeying

_LABEL = 10
_INDENT = 2
_LONGEST_VALUE = 240


@dataclass(frozen=True, slots=True)
class Layout:
    """Lays an explanation out for a screen. `miss` is the report where the request would not play."""

    screen: Screen
    explanation: Explanation
    rules: str
    drawn: Drawn
    miss: Miss | None

    def lines(self) -> Iterator[Text]:
        """Yield the whole: the key, whether it plays, what was done to come to it, and what it is made of."""
        form = self.explanation.canonical
        yield from self._fact("key", form.key)
        yield from self._fact("variant", form.variant)
        yield from self._fact("rules", "none" if self.rules == "{}" else self.rules)
        yield from self._verdict()
        yield from self._titled(f"what was done ({len(self.explanation.touches)})")
        for touch in self.explanation.touches:
            yield from self._touch(touch)
        yield from self._titled("the canonical request")
        yield from self.screen.block(styled(wording.indented(opened(form.content))), _INDENT)

    def _verdict(self) -> Iterator[Text]:
        if self.drawn.found is Found.PLAYABLE and self.drawn.take:
            yield from self._fact("plays", self.drawn.take.name, "green")
            return
        yield from self._fact("misses", str(self.drawn.found), "red")
        if self.miss:
            yield from self._titled("the miss report")
            yield from self.screen.block(styled(self.miss.report()), _INDENT)

    def _touch(self, touch: Touch) -> Iterator[Text]:
        yield from self.screen.block(styled((touch.path, "cyan")), _INDENT)
        for label, value in (("was", touch.was), ("is", touch.now)):
            yield from self.screen.block(styled(shown(value)), 2 * _INDENT + 5, styled("    ", (label, "dim")))
        yield from self.screen.block(styled((f"{touch.rule}: {touch.why}", "dim")), 2 * _INDENT + 5)

    def _titled(self, title: str) -> Iterator[Text]:
        yield styled()
        yield styled((title, "bold"))

    def _fact(self, name: str, value: str, style: str = "") -> Iterator[Text]:
        yield from self.screen.block(styled((value, style)), _LABEL, styled((name, "dim")))


def merging_lines(screen: Screen, planned: Rekeying, held: int, *, is_done: bool) -> Iterator[Text]:
    """Lay out what other rules do to recordings, or would."""
    changed, merged = ("changed", "merged") if is_done else ("would change", "would merge")
    yield styled(f"{planned.changed} of {held} keys {changed}, {len(planned.merges)} groups of recordings {merged}.")
    for merge in sorted(planned.merges, key=lambda merge: not merge.differs):
        yield from screen.block(styled((merge.told(), "red" if merge.differs else "")), _INDENT)


def shown(value: Json) -> str:
    """Write a value on one line, cut; a text as it stands."""
    if value is MISSING:
        return "(absent)"
    text = value if isinstance(value, str) else wording.compact(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
