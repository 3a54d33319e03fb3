"""Filling a draft with recordings of several cassettes, in a given order.

Rule: the order given is the order in the file. What comes first and stands in a file under the same keys is copied
row by row, which is fast; from the first recording on that comes from elsewhere, each is read and stored by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from proxy.cassette.draft import Draft
    from proxy.cassette.reader import Reader
    from proxy.core.model import Interaction, RecordedRun, Take


T = TypeVar("T")


class Item(Protocol):
    """A recording that can be read when its turn comes."""

    def read(self) -> tuple[Interaction, RecordedRun]:
        """Return it whole, with its run. Raises CassetteError."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A recording that stands in a cassette."""

    reader: Reader
    take: Take

    def read(self) -> tuple[Interaction, RecordedRun]:
        """Read it."""
        return self.reader.interaction(self.take), self.reader.run(self.take)


@dataclass(frozen=True, slots=True)
class Given:
    """A recording that is in memory already."""

    interaction: Interaction
    run: RecordedRun

    def read(self) -> tuple[Interaction, RecordedRun]:
        """Return it."""
        return self.interaction, self.run


def rows(reader: Reader) -> list[Stored]:
    """Return all recordings of a cassette as they stand in it. Raises CassetteError."""
    return sorted((Stored(reader, entry.take) for entry in reader.entries()), key=lambda row: row.take.id)


class Watch(Protocol):
    """Lets somebody see how far it is: gets what is to be done, how much that is and what is done, and hands it on."""

    def __call__(self, items: Iterable[T], total: int, doing: str, /) -> Iterable[T]:
        """Return the items."""


def unwatched(items: Iterable[T], _total: int, _doing: str) -> Iterable[T]:
    """Let nobody see."""
    return items


def fill(draft: Draft, items: Sequence[Item], first: Reader, watch: Watch = unwatched) -> None:
    """Write recordings into an empty draft; `first` is the reader of those that may be copied. Raises CassetteError."""
    copied = {item.take.id for item in takewhile(lambda item: _is_of(item, first), items) if isinstance(item, Stored)}
    if copied:
        draft.copy(first.path, copied.__contains__)
    rest = items[len(copied) :]
    for item in watch(rest, len(rest), "Writing"):
        draft.add(*item.read())


AnItem = TypeVar("AnItem", bound=Item)


def replaced(
    rows: Iterable[Stored], changes: Iterable[tuple[Sequence[Stored], Sequence[AnItem]]]
) -> tuple[list[Stored | AnItem], list[AnItem]]:
    """Put recordings in the places of others; return the rows as they stand then, and what there was no place for.

    A change is some of the rows, and what they are replaced by, one by one; what is more of the former goes.
    """
    new: dict[int, AnItem | None] = {}
    more: list[AnItem] = []
    for old, others in changes:
        for row, other in zip_longest(old, others):
            if row is not None:
                new[row.take.id] = other
            elif other is not None:
                more.append(other)
    standing = (new.get(row.take.id, row) for row in rows)
    return [row for row in standing if row is not None], more


def _is_of(item: Item, reader: Reader) -> bool:
    """Tell whether an item is a row of a file whose keys are those that the rules make."""
    return isinstance(item, Stored) and item.reader is reader and reader.rekeying is None
