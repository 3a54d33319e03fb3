"""How conflicts are told: what was asked, and how theirs differs from ours.

Rule: a conflict is named by what settles it, its key, and told in words that let somebody choose.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from proxy.cli import wording
from proxy.cli.prompt import last_user_message
from proxy.cli.screen import styled
from proxy.core.model import KEY_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.text import Text

    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.conflicts import Clash
    from proxy.core.verdict import Change

_LONGEST_PROMPT = 60
_MOST_CHANGES = 3


def lines(screen: Screen, clashes: Iterable[Clash]) -> Iterator[Text]:
    """Yield for each conflict its name and what was asked, and below it how the answers differ."""
    for clash in clashes:
        yield from screen.block(styled((named(clash), "bold cyan"), f"  {_prompt(clash)}" if clash.request else ""), 2)
        if clash.remark:
            yield from screen.block(styled(clash.remark), 4)
        for change in clash.changes[:_MOST_CHANGES]:
            yield from _change(screen, change)
        if len(clash.changes) > _MOST_CHANGES:
            yield styled(f"    and {wording.counted(len(clash.changes) - _MOST_CHANGES, 'more difference')}")


def _change(screen: Screen, change: Change) -> Iterator[Text]:
    yield from screen.block(styled((change.difference.path, "dim")), 4)
    for side, text in zip(("ours", "theirs"), change.difference.excerpt(), strict=True):
        yield from screen.block(styled(text), 14, styled(f"      {side}"))


def named(clash: Clash) -> str:
    """Name a conflict by its key, and by its lane where it has one."""
    lane = wording.on_one_line(clash.track.lane)
    return clash.track.key[:KEY_DIGITS] + (f" (lane {lane})" if lane else "")


def document(path: Path, clash: Clash) -> dict[str, Json]:
    """Return a conflict for programs."""
    asked = last_user_message(wording.parsed(clash.request.body)) if clash.request else None
    return {
        "cassette": str(path),
        "key": clash.track.key,
        "variant": clash.track.variant,
        "lane": clash.track.lane,
        "prompt": asked,
        "reasons": clash.reasons,
    }


def advice(path: Path) -> str:
    """Say how the conflicts in a cassette are settled."""
    return f"llmtape merge --ours KEY | --theirs KEY | --both KEY {shlex.quote(relative(path))}   (KEY, or all)"


def relative(path: Path) -> str:
    """Name a path as a user here would."""
    name = os.path.relpath(path)
    return str(path) if name.startswith(os.pardir + os.sep + os.pardir) else name


def _prompt(clash: Clash) -> str:
    if clash.request is None:
        return ""
    asked = last_user_message(wording.parsed(clash.request.body))
    text = f"{clash.request.method} {clash.request.path}" if asked is None else wording.folded(asked)
    return text if len(text) <= _LONGEST_PROMPT else f"{text[: _LONGEST_PROMPT - 1]}…"
