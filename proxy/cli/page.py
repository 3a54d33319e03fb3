"""What a page of `show` is made of: titles, blocks of text, tool calls, facts.

Rule: one look for each of them, whoever says it. Yields lines, prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.screen import styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.completion import ToolCall

INDENT: Final = 2
LABEL: Final = 10
"""Columns of a fact's name."""

_LONGEST_BODY = 2_000


@dataclass(frozen=True, slots=True)
class Page:
    """Lays pieces out for a screen."""

    screen: Screen

    def titled(self, title: str, style: str, remark: str = "") -> Iterator[Text]:
        """Begin a part, below an empty line."""
        yield styled()
        yield from self.screen.block(styled((title, f"bold {style}"), (f"  {remark}" if remark else "", "dim")))

    def block(self, text: str, style: str = "") -> Iterator[Text]:
        """Lay out a text, whole."""
        yield from self.screen.block(styled((text, style)), INDENT)

    def body(self, value: Json) -> Iterator[Text]:
        """Lay out a body that is no conversation; a long one is cut, since `--json` has it whole."""
        yield from self.block(_shortened(value))

    def call(self, call: ToolCall) -> Iterator[Text]:
        """Lay out a tool call: its tool, then what the tool is given."""
        kind = "" if call.kind == "function" else f"  {call.kind}"
        yield from self.screen.block(styled("→ ", (call.name, "bold"), (f"{kind}  {call.id}", "dim")), INDENT)
        yield from self.screen.block(styled(wording.laid_out(call.arguments)), 2 * INDENT)

    def fact(self, name: str, value: str) -> Iterator[Text]:
        """Lay out a name and what it stands for."""
        yield from self.screen.block(styled(value), LABEL, styled((name, "dim")))


def _shortened(value: Json) -> str:
    text = value if isinstance(value, str) else wording.indented(value)
    if len(text) <= _LONGEST_BODY:
        return text
    text = value if isinstance(value, str) else wording.compact(value)
    left_out = len(text) - _LONGEST_BODY
    return f"{text[:_LONGEST_BODY]}…\n({left_out} more characters: see --json)" if left_out > 0 else text
