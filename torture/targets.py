"""What is fuzzed: each target with what feeds it, what it begins with, and its share of all inputs.

Rule: a target takes any bytes and raises nothing, unless a promise broke; an LlmtapeError is an answer like any other.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.errors import LlmtapeError
from torture import reading, wired, wrecks
from torture.samples import ANSWERS, CHATS, FILES, LINES, SETTINGS, STREAMS, TEXTS, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is fuzzed. `share` is its part of a thousand inputs, `longest` the bytes that one may have."""

    name: str
    share: float
    feed: Callable[[bytes, Path], None]
    seeds: tuple[bytes, ...]
    longest: int = 4096
    is_text: bool = True
    """Whether its inputs are read as they are, and do not only say what is done to something else."""

    is_guided: bool = True
    """Whether coverage guides its inputs; that needs all of it to run in the process that makes them, and quickly."""

    def take(self, data: bytes, folder: Path) -> None:
        """Feed one input; what we raise on purpose is an answer."""
        with suppress(LlmtapeError):
            self.feed(data, folder)


_ALL: Final = (
    Target("request", 70, reading.request, tuple(bytes([n * 37 % 256]) + chat for n, chat in enumerate(CHATS * 3))),
    Target("miss", 10, reading.miss, tuple(bytes([n * 37 % 256]) + chat for n, chat in enumerate(CHATS * 3))),
    Target("framing", 300, reading.framing, tuple(bytes([n, 1, 7, 0]) + body for n, body in enumerate(STREAMS))),
    Target("answer", 25, reading.answer, tuple(bytes([n]) + body for n in range(4) for body in (*ANSWERS, *STREAMS))),
    Target("line", 200, reading.line, LINES),
    Target("file", 60, reading.file, FILES, 16384),
    Target("settings", 25, reading.settings, SETTINGS),
    Target("text", 100, reading.text, TEXTS, 512),
    Target("control", 200, reading.control, VALUES, 1024),
    Target("pages", 4, wrecks.by_bytes, wrecks.SEEDS, 64, is_text=False),
    Target("rows", 4, wrecks.by_sql, wrecks.SEEDS, 64, is_text=False),
    Target("wire", 2, wired.ask, wired.SEEDS, is_guided=False),
)

TARGETS: Final[Mapping[str, Target]] = {target.name: target for target in _ALL}
