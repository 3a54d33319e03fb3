"""Which interactions are meant: what a user chooses of a cassette.

Rule: one meaning for every command that looks, copies or removes. Values of one kind are alternatives; kinds narrow
each other. Models and lanes are told by patterns as a shell has them; what narrows nothing is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from proxy.core.passages import answered, asked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from proxy.core.model import Interaction, Take

_FIRST_ERROR = 400


class Ending(StrEnum):
    """How an interaction ended: its outcome, or any status of 400 and above."""

    COMPLETE = "complete"
    UNFINISHED = "unfinished"
    CUT = "cut"
    ERROR = "error"


class Listed(Protocol):
    """What is known of an interaction without its bodies."""

    @property
    def take(self) -> Take:
        """Where it stands, and how it ended."""

    @property
    def run_id(self) -> int:
        """The number of its run."""

    @property
    def recorded_at(self) -> str:
        """When it was recorded, as `Interaction` says it."""

    @property
    def model(self) -> str:
        """The model that was asked, empty where none was named."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an interaction must be like; the empty choice takes all.

    `texts` stand in its prompt or answer, in capitals or not. `newer` and `older` are moments, spelt as `recorded_at`
    is: the first that is meant, and the first that no longer is.
    """

    models: tuple[str, ...] = ()
    lanes: tuple[str, ...] = ()
    runs: tuple[int, ...] = ()
    endings: tuple[Ending, ...] = ()
    texts: tuple[str, ...] = ()
    newer: str = ""
    older: str = ""

    @property
    def is_all(self) -> bool:
        """Whether it takes everything."""
        return self == Choice()

    def takes(self, listed: Listed) -> bool:
        """Tell whether an interaction is meant, as far as that can be told without its texts."""
        return (
            (not self.models or _matches(listed.model, self.models))
            and (not self.lanes or _matches(listed.take.track.lane, self.lanes))
            and (not self.runs or listed.run_id in self.runs)
            and (not self.endings or not endings(listed.take).isdisjoint(self.endings))
            and (not self.newer or listed.recorded_at >= self.newer)
            and (not self.older or listed.recorded_at < self.older)
        )

    def says(self, interaction: Interaction) -> bool:
        """Tell whether an interaction has one of the texts; its answer is read only where its prompt has none."""
        wanted = [text.casefold() for text in self.texts]
        passages = chain(asked(interaction.request), answered(interaction.response)) if wanted else ()
        said = (passage.text.casefold() for passage in passages)
        return not wanted or any(text in passage for passage in said for text in wanted)

    def strangers(
        self, *, models: Collection[str], lanes: Collection[str], runs: Collection[int]
    ) -> Iterator[tuple[str, str]]:
        """Yield the values that no interaction can have, by kind, where a cassette has these models, lanes and runs."""
        yield from (("model", pattern) for pattern in _unmatched(self.models, models))
        yield from (("lane", pattern) for pattern in _unmatched(self.lanes, lanes))
        yield from (("run", str(run)) for run in self.runs if run not in runs)


def endings(take: Take) -> frozenset[Ending]:
    """Return all that can be said of how an interaction ended."""
    ended = {Ending(take.outcome.value)}
    return frozenset(ended | {Ending.ERROR} if take.status >= _FIRST_ERROR else ended)


def _matches(value: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(value, pattern) or value == pattern for pattern in patterns)


def _unmatched(patterns: Iterable[str], values: Iterable[str]) -> list[str]:
    return [pattern for pattern in patterns if not any(_matches(value, (pattern,)) for value in values)]
