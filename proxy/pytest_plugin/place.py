"""Where the recordings of a test are, and what its markers say.

Rule: names come from where a test stands in the project, so that they are the same on each machine, in any order and
on any worker.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER: Final = "llmtape"
WORDS: Final = ("cassette", "mode", "pace", "repeats", "rules", "faults")
"""What a marker may say."""

_LONGEST_LANE: Final = 800
_NOT_OF_A_NAME: Final = re.compile(r"[^\w.\-/]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test's recordings are, unless its marker says otherwise."""

    cassette: str
    lane: str


def place_of(item: pytest.Item, base: Path) -> Place:
    """Return a test's place: its module's path for the cassette, its id for the lane, both from the base folder."""
    path = Path(os.path.relpath(item.path, base))  # it may stand outside
    cassette = "/".join(_part(part) for part in path.with_suffix("").parts)
    lane = f"{path.as_posix()}::{node_id(item).partition('::')[2]}"
    lane = "".join(sign if sign.isprintable() else "?" for sign in lane)
    if len(lane) > _LONGEST_LANE:
        lane = f"{lane[:_LONGEST_LANE]}~{hashlib.sha256(lane.encode()).hexdigest()[:12]}"
    return Place(cassette, lane)


def node_id(item: pytest.Item) -> str:
    """Return a test's id without the groups that pytest-xdist adds to it where it parts tests by them."""
    groups = {_group(mark) for mark in item.iter_markers("xdist_group")}
    return item.nodeid.removesuffix(f"@{'_'.join(sorted(groups))}") if groups else item.nodeid


def _group(mark: pytest.Mark) -> str:
    return str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))


def _part(name: str) -> str:
    """Spell a part of a path as a cassette's name may have it."""
    name = _NOT_OF_A_NAME.sub("-", name)
    return name if name[:1].isalnum() or name[:1] == "_" else f"_{name}"


def said(item: pytest.Item) -> tuple[dict[str, Any], pytest.Item | pytest.Class | None]:
    """Merge the markers of a test; return also the node below its module that gives it rules of its own."""
    words: dict[str, Any] = {}
    owner = None
    for node, mark in item.iter_markers_with_node(MARKER):
        values = dict(mark.kwargs)
        if mark.args:
            values.setdefault("cassette", mark.args[0])
        if unknown := (set(values) - set(WORDS)) or mark.args[1:]:
            raise ConfigError(
                f"@pytest.mark.{MARKER} of {item.nodeid}: there is no {', '.join(map(str, unknown))}. "
                f"Known are: {', '.join(WORDS)}"
            )
        if "rules" in values and "rules" not in words and isinstance(node, (pytest.Item, pytest.Class)):
            owner = node
        for word, value in values.items():
            words.setdefault(word, value)
    return words, owner


def names_of(owner: pytest.Item | pytest.Class) -> Iterator[str]:
    """Name a test or class from its module on; a test's parameters are one, unless they bear the rules themselves."""
    parameters = getattr(getattr(owner, "callspec", None), "marks", ())
    bear_rules = any(mark.name == MARKER and "rules" in mark.kwargs for mark in parameters)
    for node in owner.listchain():
        if isinstance(node, (pytest.Item, pytest.Class)):
            whole = None if bear_rules else getattr(node, "originalname", None)
            yield _NOT_OF_A_NAME.sub("-", whole or node.name)
