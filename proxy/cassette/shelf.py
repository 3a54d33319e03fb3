"""Which cassettes are open, and all that one exchange wants of one.

Rule: a `Tape` is one open cassette: what is in it (reader), what plays next (deck), and in the modes that record
what is added (writer). A shelf opens each on its first use, and closes all. SQLAlchemy is imported only where
something is recorded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from proxy.cassette.reader import Reader
from proxy.core.deck import Deck, Drawn
from proxy.core.errors import BadAddressError
from proxy.core.mismatch import nearness
from proxy.core.miss import Nearest
from proxy.core.modes import Found, Mode, looks_up, records
from proxy.core.normalize import normalize
from proxy.core.outline import outline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from proxy.cassette.writer import Run, Writer
    from proxy.core.mismatch import Score
    from proxy.core.model import Interaction, Request, Response, Take, Track
    from proxy.core.normalize import Canonical


FEW = 200
FEW_BYTES = 2 * 1024 * 1024
"""Up to so many recordings, and so much of their requests, a miss is compared with all; else with those that the index
names, the most promising first, as far as these hold no more either."""

MOST_COMPARED = 2000
MOST_BYTES_COMPARED = 16 * 1024 * 1024
"""How many recordings a miss is compared with where a file has no index, the latest first, and how much of their
requests: a second's work."""


class Tape:
    """One open cassette. All but `save` and `nearest` belong to the thread that opened it."""

    def __init__(self, path: Path, deck: Deck, *, reader: Reader | None, writer: Writer | None) -> None:
        self.path = path
        self.deck = deck
        self._reader = reader
        self._writer = writer
        self._one_at_a_time = Lock()  # searches on many threads would only slow each other down
        self._numbers: Counter[Track] = Counter()
        self._retaken: defaultdict[Track, set[int]] = defaultdict(set)

    @property
    def title(self) -> str:
        """How reports name it."""
        return str(self.path)

    def look_up(self, asked: Track, *, retry: bool) -> Drawn:
        """Find what plays for a track, and move the deck on."""
        assert self._reader is not None  # noqa: S101  opened in the modes that look up
        drawn = self.deck.draw(asked, self._reader.takes(asked), retry=retry)
        if drawn.found is Found.NOT_RECORDED and (others := self._reader.takes_of_key(asked.key)):
            return Drawn(Found.OTHER_VARIANT, others[0])
        return drawn

    def response(self, take: Take) -> tuple[Response, int | None]:
        """Return a take's response, and how many tokens it says it has."""
        assert self._reader is not None  # noqa: S101  as above
        return self._reader.response(take)

    def reserve(self, asked: Track, drawn: Drawn) -> int:
        """Give the next take's number to a call that is recorded now, in the order in which calls arrive."""
        if drawn.found is Found.INCOMPLETE and drawn.take and self._is_free(asked, drawn.take):
            return drawn.take.number
        if asked not in self._numbers and self._reader is not None:
            own = [take.number for take in self._reader.takes(asked) if take.track.lane == asked.lane]
            self._numbers[asked] = max(own, default=0)
        self._numbers[asked] += 1
        self.deck.skip(asked)
        return self._numbers[asked]

    def _is_free(self, asked: Track, incomplete: Take) -> bool:
        """Tell whether a take that did not end well may be recorded anew, and no other call does so already."""
        if incomplete.track != asked or incomplete.number in self._retaken[asked]:
            return False
        self._retaken[asked].add(incomplete.number)
        return True

    def release(self, asked: Track, number: int) -> None:
        """Take a number back whose call was not recorded, unless later calls count on from it."""
        if number in self._retaken[asked]:
            self._retaken[asked].discard(number)
        elif self._numbers[asked] == number:
            self._numbers[asked] -= 1

    def save(self, interaction: Interaction) -> Future[None]:
        """Store an interaction; the future is done once it is committed."""
        assert self._writer is not None  # noqa: S101  opened in the modes that record
        committed = self._writer.save(interaction)
        committed.add_done_callback(lambda _: self._retaken[interaction.track].discard(interaction.number))
        return committed

    @property
    def held(self) -> int:
        """How many interactions are in it."""
        return len(self._reader) if self._reader else 0

    def nearest(self, asked: Canonical) -> Nearest | None:
        """Find the recorded request most like this one, the latest of several. Call it on a thread: it reads."""
        best: tuple[Score, int, Nearest] | None = None
        with self._one_at_a_time, Reader(self.path) as reader:
            for take, recorded_at, request in _candidates(reader, asked):
                canonical = normalize(request)
                score = nearness(canonical.content, asked.content)
                if score[0] and (best is None or (score, take.id) > best[:2]):
                    best = score, take.id, Nearest(take, recorded_at, request, canonical)
        return best[-1] if best else None

    def unplayed(self) -> list[Take]:
        """List the takes that were not played since the start or the last rewind."""
        if self._reader is None:
            return []
        return [entry.take for entry in self._reader.entries() if entry.take.id not in self.deck.played]

    def close(self) -> None:
        """Let go of the file; the reader first, since a file at rest has one owner."""
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            self._writer.close()


def _candidates(reader: Reader, asked: Canonical) -> Iterable[tuple[Take, str, Request]]:
    """Choose which recordings a miss is compared with."""
    latest = reader.requests(latest_first=True)
    if not reader.is_indexed:
        return _bounded(latest, MOST_COMPARED, MOST_BYTES_COMPARED)
    if (held := len(reader)) <= FEW:
        few = list(_bounded(latest, FEW, FEW_BYTES))
        if len(few) == held:
            return few
    return _bounded(reader.near(outline(asked.content)), MOST_COMPARED, FEW_BYTES)


def _bounded(
    requests: Iterator[tuple[Take, str, Request]], most: int, most_bytes: int
) -> Iterator[tuple[Take, str, Request]]:
    size = 0
    for take, recorded_at, request in islice(requests, most):
        yield take, recorded_at, request
        size += len(request.body)
        if size > most_bytes:
            return


class Shelf:
    """The cassettes of one proxy: the default one, and those of the cassette folder by name."""

    def __init__(self, default: Path, folder: Path, *, mode: Mode, run: Run | None, deck: Callable[[], Deck]) -> None:
        self._default = default
        self._folder = folder
        self._mode = mode
        self._run = run
        self._deck = deck
        self._paths: dict[str, Path] = {}
        self._tapes: dict[Path, Tape] = {}

    def __iter__(self) -> Iterator[Tape]:
        return iter(tuple(self._tapes.values()))

    def path_of(self, name: str) -> Path:
        """Tell which file a name means; the empty name means the default cassette."""
        if name not in self._paths:
            self._paths[name] = self._find(name) if name else self._default
        return self._paths[name]

    def tape(self, name: str) -> Tape:
        """Return the cassette of that name, opened on its first use. Raises CassetteError."""
        path = self.path_of(name)
        if path not in self._tapes:
            self._tapes[path] = self._open(path)
        return self._tapes[path]

    def close(self) -> None:
        """Close all, each brought to rest."""
        for tape in self:
            tape.close()
        self._tapes.clear()

    def _find(self, name: str) -> Path:
        path = self._folder / f"{name}.sqlite"
        place = path.resolve()
        # Names are checked where they are parsed; this holds also where a folder within is a link to elsewhere.
        if not place.is_relative_to(self._folder.resolve()):
            raise BadAddressError(f"the cassette {name!r} is outside of the folder {self._folder}")
        known = (other for other in (self._default, *self._paths.values()) if other.resolve() == place)
        return next(known, path)  # however it is named, a file is one tape

    def _open(self, path: Path) -> Tape:
        writer = self._open_writer(path) if records(self._mode) else None
        try:
            reader = Reader(path) if looks_up(self._mode) else None
        except BaseException:
            if writer is not None:
                writer.close()
            raise
        return Tape(path, self._deck(), reader=reader, writer=writer)

    def _open_writer(self, path: Path) -> Writer:
        from proxy.cassette.writer import Writer  # noqa: PLC0415  it imports SQLAlchemy

        assert self._run is not None  # noqa: S101  given in the modes that record
        return Writer(path, self._run)
