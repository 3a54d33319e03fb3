"""The layout of `explain`: why a request has its key, as a person reads it.

Rule: what is told comes from the core; here it is only laid out. Yields lines, prints nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.cli import wording
from proxy.cli.screen import styled
from proxy.core.mismatch import MISSING, Difference
from proxy.core.modes import Found
from proxy.core.view import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.text import Text

    from proxy.cli.screen import Screen
    from proxy.core.deck import Drawn
    from proxy.core.explain import Explanation, Touch
    from proxy.core.miss import Miss
    from proxy.core.rekeying import Rekeying

_LABEL = 10
_INDENT = 2
_LONGEST_VALUE = 96


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
        yield from self._titled("what was done")
        yield from self._done()
        yield from self._canonical()

    def _canonical(self) -> Iterator[Text]:
        """Show what the key is made of: its body as paths address it, and whatever counts beside."""
        content = dict(self.explanation.canonical.content)
        body = content.pop("body", None)
        yield from self._titled("the canonical request")
        asked = f"{content.pop('method', '')} {content.pop('path', '')}"
        yield from self.screen.block(styled((asked, "dim")), _INDENT)
        for name, value in content.items():
            yield from self.screen.block(styled(wording.compact(value)), _INDENT + _LABEL, styled("  ", (name, "dim")))
        if body is not None:
            yield from self.screen.block(styled(wording.indented(opened(body))), _INDENT)

    def _verdict(self) -> Iterator[Text]:
        if self.drawn.found is Found.PLAYABLE and self.drawn.take:
            yield from self._fact("plays", self.drawn.take.name, "green")
            return
        yield from self._fact("misses", str(self.drawn.found), "red")
        if self.miss:
            yield from self._titled("the miss report")
            yield from self.screen.block(styled(self.miss.report()), _INDENT)

    def _done(self) -> Iterator[Text]:
        """Yield what was done, together what was done for the same reason: an agent's call ids fill pages."""
        reasons: defaultdict[str, list[Touch]] = defaultdict(list)
        for touch in self.explanation.touches:
            reasons[f"{touch.rule}: {touch.why}"].append(touch)
        if not reasons:
            yield from self.screen.block(styled("nothing: it is in its one form as it was asked"), _INDENT)
        for reason, touches in reasons.items():
            yield from self.screen.block(styled(reason), _INDENT)
            for touch in touches:
                yield from self._touch(touch)

    def _touch(self, touch: Touch) -> Iterator[Text]:
        was, now = sides(touch)
        change = was if was == now else f"{was} → {now}"
        line = styled((touch.path, "cyan"), f"  {change}")
        if 2 * _INDENT + line.cell_len <= self.screen.width:
            yield from self.screen.block(line, 2 * _INDENT)
            return
        yield from self.screen.block(styled((touch.path, "cyan")), 2 * _INDENT)
        for label, side in (("was", was), ("is", now)):
            yield from self.screen.block(styled(side), 3 * _INDENT + 5, styled(" " * 3 * _INDENT, (label, "dim")))

    def _titled(self, title: str) -> Iterator[Text]:
        yield styled()
        yield styled((title, "bold"))

    def _fact(self, name: str, value: str, style: str = "") -> Iterator[Text]:
        yield from self.screen.block(styled((value, style)), _LABEL, styled((name, "dim")))


def merging_lines(screen: Screen, planned: Rekeying, *, is_done: bool) -> Iterator[Text]:
    """Lay out what other rules do to recordings, or would."""
    got, merged = ("got", "merged") if is_done else ("would get", "would merge")
    calls = sum(len({take.track.key for take in merge.takes}) for merge in planned.merges)
    into = f" into {len(planned.merges)}" if calls else ""
    of_all = f"{planned.changed:,} of {wording.counted(len(planned.takes), 'recording')}"
    told = f"{of_all if planned.changed else 'No recording'} {got} another key"
    yield from screen.block(styled(f"{told}; {wording.counted(calls, 'call')} {merged}{into}."))
    for merge in sorted(planned.merges, key=lambda merge: not merge.differs):
        yield from screen.block(styled((merge.told(), "red" if merge.differs else "")), _INDENT)


def config_lines(screen: Screen, intent: str, lines: Iterable[str], file: Path | None) -> Iterator[Text]:
    """Lay out lines of config that somebody may want to have; never wrapped, since they are copied."""
    yield styled()
    yield from screen.block(styled(f"{intent}, write into {file or 'llmtape.toml'}:"))
    yield styled()
    for line in lines:
        yield styled(" " * _INDENT if line else "", (line, "green"))


def sides(touch: Touch) -> tuple[str, str]:
    """Write what was and what is, each on a line: short values whole, of long texts what changed."""
    was, now = ("(absent)" if value is MISSING else wording.compact(value) for value in (touch.was, touch.now))
    is_short = max(len(was), len(now)) <= _LONGEST_VALUE
    return (was, now) if is_short else Difference(touch.path, touch.was, touch.now).excerpt()


def cut(text: str) -> str:
    """Cut a text that is too long to be told."""
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
