"""What `grep` finds in a cassette.

Rule: one interaction after another, its answer read only where it has to be. An agent sends its conversation again with
every turn; a text that was found before in the cassette is found again, and is marked so.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from proxy.cli.choosing import chosen, warn
from proxy.cli.progress import progress
from proxy.core.passages import Side, answered, asked

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from proxy.cassette.reader import Reader
    from proxy.core.choice import Choice
    from proxy.core.model import Take
    from proxy.core.passages import Passage

_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Match:
    """A text that matches; `is_again` says that the same text matched before, in this or another interaction."""

    take: Take
    passage: Passage
    is_again: bool


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, on which side (None is both), and in which interactions."""

    pattern: re.Pattern[str]
    side: Side | None
    choice: Choice

    def matches(self, reader: Reader) -> Iterator[Match]:
        """Yield the texts of a cassette that match, in the order in which they were asked and answered."""
        found: set[bytes] = set()
        for take in self._chosen(reader):
            for passage in self._matching(reader, take):
                digest = blake2b(passage.text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()
                yield Match(take, passage, is_again=digest in found)
                found.add(digest)

    def takes(self, reader: Reader) -> Iterator[Take]:
        """Yield the takes of a cassette that have a match."""
        return (take for take in self._chosen(reader) if any(True for _ in self._matching(reader, take)))

    def _chosen(self, reader: Reader) -> Iterator[Take]:
        warn(reader, self.choice)
        entries = progress(reader.entries(), len(reader), f"searching {reader.path.name}")
        return (entry.take for entry in chosen(reader, entries, self.choice))

    def _matching(self, reader: Reader, take: Take) -> Iterator[Passage]:
        return (passage for passage in self._passages(reader, take) if self.pattern.search(passage.text))

    def _passages(self, reader: Reader, take: Take) -> Iterator[Passage]:
        if self.side is not Side.ANSWER:
            yield from asked(reader.request(take))
        if self.side is not Side.PROMPT:
            yield from answered(reader.response(take)[0])
