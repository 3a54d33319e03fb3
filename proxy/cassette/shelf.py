"""Which cassettes are open, and all that one exchange wants of one.

Rule: a `Tape` is one open cassette: what is in it (reader), what plays next (deck), and in the modes that record
what is added (writer). A shelf opens each on its first use, and closes all; where another file takes a cassette's
place, as when git checks out another branch, that one is played from the next call on. SQLAlchemy is imported only
where something is recorded.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from proxy.cassette.nearest import nearest
from proxy.cassette.opening import PATIENCE_S
from proxy.cassette.reader import Reader, playing
from proxy.cassette.transaction import is_busy
from proxy.core.deck import Deck, Drawn, Repeats
from proxy.core.errors import BadAddressError, CassetteOutOfReachError
from proxy.core.modes import Found, Mode, looks_up, records
from proxy.core.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from proxy.cassette.reader import Entry
    from proxy.cassette.writer import Run, Writer
    from proxy.core.miss import Nearest
    from proxy.core.model import Interaction, Place, Request, Response, Take, Track
    from proxy.core.normalize import Canonical
    from proxy.core.rekeying import Rekeying


log = logging.getLogger("llmtape")

_MOST_TOLD = 5

_PATIENCE_S: Final = 1.0
"""Where what cannot be looked up is passed on to the upstream; whoever reads does it on the event loop."""

_PAUSE_S: Final = 5.0
"""How long a file that another process has for itself alone is left alone."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Recorded:
    """A recorded response, and how many tokens it says it has."""

    response: Response
    tokens: int | None


class Tape:
    """One open cassette. All but `save`, `save_lane` and `nearest` belong to the thread that opened it."""

    def __init__(
        self,
        path: Path,
        deck: Deck,
        *,
        reader: Reader | None = None,
        writer: Writer | None = None,
        rules: Rules = DEFAULT,
    ) -> None:
        self.path = path
        self.rules = rules
        self.deck = deck
        self._reader = reader
        self._writer = writer
        self._held = ""
        self._held_until = 0.0
        self._one_at_a_time = Lock()  # searches on many threads would only slow each other down
        self._numbers: Counter[Track] = Counter()
        self._retaken: dict[Place, int] = {}
        """The takes that are recorded anew now, each with the deck's position after it was drawn."""
        self._playing: WeakValueDictionary[Place, Recorded] = WeakValueDictionary()

    def open_for(self, mode: Mode, run: Run | None) -> None:
        """Open what a mode wants and was not open yet. Raises CassetteError."""
        if records(mode) and self._writer is None:
            from proxy.cassette.writer import Writer  # noqa: PLC0415  it imports SQLAlchemy

            assert run is not None  # noqa: S101  given in the modes that record
            self._writer = Writer(self.path, run, self.rules)
        if looks_up(mode):
            try:
                self._renew()
            except CassetteOutOfReachError as error:
                if self._writer is None:
                    raise
                log.warning("%s", error)  # whoever looks up tries again

    def _renew(self) -> None:
        """Open the file that is there now; in the modes that record there may be none."""
        if self._reader is not None and self._reader.is_current:
            return
        self._let_go()
        if self._writer is not None and not self.path.exists():
            return  # out of reach for now, or removed: it is made with what is recorded next
        if monotonic() < self._held_until:
            raise CassetteOutOfReachError(self._held)
        with self._reading():
            self._reader = Reader(self.path, self.rules, patience_s=_PATIENCE_S if self._writer else PATIENCE_S)
        if self._reader.rekeying:
            _warn(self.path, self._reader, self._reader.rekeying, self.rules)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Let go of a file that fails: whoever asks next opens what is there then.

        One that was waited for in vain is asked for again only after a while, since all others wait, too.
        """
        try:
            yield
        except CassetteOutOfReachError as error:
            self._let_go()
            if error.__cause__ is not None and is_busy(error.__cause__):
                self._held, self._held_until = str(error), monotonic() + _PAUSE_S
            raise

    def _let_go(self) -> None:
        """Read no more in a file that was replaced, or failed: whoever asks next finds what is there then."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._playing.clear()

    @property
    def trouble(self) -> str:
        """Why the latest recording could not be stored; empty where it could."""
        return self._writer.trouble if self._writer else ""

    @property
    def title(self) -> str:
        """How reports name it."""
        return str(self.path)

    def look_up(self, asked: Track, *, retry: bool, repeats: Repeats | None = None, alone: bool = False) -> Drawn:
        """Find what plays for a track, and move the deck on; `alone` leaves other tests' lanes out.

        Raises CassetteError, CassetteMissingError where the file was removed.
        """
        self._renew()
        with self._reading():
            of_key = self._reader.takes_of_key(asked.key) if self._reader is not None else []
        takes = playing(asked, of_key)
        if alone:
            takes = [take for take in takes if take.track.lane in {asked.lane, ""}]
        drawn = self.deck.draw(asked, takes, retry=retry, repeats=repeats)
        if drawn.found is Found.NOT_RECORDED and of_key and not alone:
            return Drawn(Found.OTHER_VARIANT, of_key[0])
        return drawn

    def request(self, take: Take) -> Request:
        """Return a take's request."""
        assert self._reader is not None  # noqa: S101  it found the take
        with self._reading():
            return self._reader.request(take)

    def recorded(self, take: Take) -> Recorded:
        """Return what was answered; all who play it at one time share it, however slowly they read."""
        recorded = self._playing.get(take.place)
        if recorded is None:
            assert self._reader is not None  # noqa: S101  as above
            with self._reading():
                recorded = self._playing[take.place] = Recorded(*self._reader.response(take))
        return recorded

    def reserve(self, asked: Track, drawn: Drawn) -> int:
        """Give the next take's number to a call that is recorded now, in the order in which calls arrive."""
        if drawn.found is Found.INCOMPLETE and drawn.take and self._is_free(asked, drawn.take):
            return drawn.take.number
        if asked not in self._numbers and self._reader is not None and drawn.found is not Found.NOT_RECORDED:
            with self._reading():
                own = [take.number for take in self._reader.takes(asked) if take.track.lane == asked.lane]
            self._numbers[asked] = max(own, default=0)
        self._numbers[asked] += 1
        self.deck.skip(asked)
        return self._numbers[asked]

    def restart(self, lane: str) -> None:
        """Let a lane begin anew: its takes play, and are numbered, from the first."""
        self.deck.restart(lane)
        for track in [track for track in self._numbers if track.lane == lane]:
            del self._numbers[track]
        # Copied in one step: the writer's thread takes places out.
        for place in [place for place in tuple(self._retaken) if place[0].lane == lane]:
            self._retaken.pop(place, None)

    def _is_free(self, asked: Track, incomplete: Take) -> bool:
        """Tell whether a take that did not end well may be recorded anew, and no other call does so already."""
        if incomplete.track != asked or incomplete.place in self._retaken:
            return False
        self._retaken[incomplete.place] = self.deck.position(asked)
        return True

    def release(self, asked: Track, number: int) -> None:
        """Take a number back whose call was not recorded, unless later calls count on from it."""
        if (position := self._retaken.pop((asked, number), None)) is not None:
            if self.deck.position(asked) == position:
                self.deck.take_back(asked)
        elif self._numbers[asked] == number:
            self._numbers[asked] -= 1
            self.deck.take_back(asked)
        if not self._numbers[asked]:  # an upstream in trouble leaves nothing of the calls that it did not answer
            del self._numbers[asked]

    def save(self, interaction: Interaction, *, replaces: bool | None = None) -> Future[None]:
        """Store an interaction; the future is done once it is committed. See `Writer.save`."""
        assert self._writer is not None  # noqa: S101  opened in the modes that record
        committed = self._writer.save(interaction, replaces=replaces)
        committed.add_done_callback(lambda _: self._retaken.pop((interaction.track, interaction.number), None))
        return committed

    def save_lane(self, lane: str, interactions: Sequence[Interaction], *, replaces: bool) -> Future[None]:
        """Store all that a test recorded in its lane at once, in place of what was there with `replaces`."""
        assert self._writer is not None  # noqa: S101  as above
        return self._writer.save_lane(lane, interactions, replaces=replaces)

    @property
    def held(self) -> int:
        """How many interactions are in it."""
        return len(self._reader) if self._reader is not None else 0

    def nearest(self, asked: Canonical) -> Nearest | None:
        """Find the recorded request most like this one, the latest of several. Call it on a thread: it reads."""
        known = self._reader  # the thread that opened it may let go of it meanwhile
        planned = known.rekeying if known is not None and known.is_current else None
        with self._one_at_a_time, Reader(self.path, self.rules, planned) as reader:
            return nearest(reader, asked, self.rules)

    def takes(self) -> list[Take]:
        """List all takes, but those that were recorded through this tape."""
        return [entry.take for entry in self.entries()]

    def entries(self) -> Iterator[Entry]:
        """Yield them as they are listed, in their order."""
        ours = self._writer.run_id if self._writer else None
        entries = self._reader.entries() if self._reader is not None else ()
        yield from (entry for entry in entries if entry.run_id != ours)

    def unplayed(self) -> list[Take]:
        """List the takes that were not played since the start or the last rewind, nor recorded meanwhile."""
        played = self.deck.played
        return [take for take in self.takes() if take.place not in played]

    def unplayed_of(self, lane: str) -> list[Take]:
        """List the takes of a lane that its own clients were not played since it was started."""
        if self._reader is None:
            return []
        played = self.deck.played_by(lane)
        return [take for take in self._reader.takes_of_lane(lane) if take.place not in played]

    def close(self) -> None:
        """Let go of the file; the reader first, since a file at rest has one owner."""
        if self._reader is not None:
            self._reader.close()
        if self._writer is not None:
            self._writer.close()


class Shelf:
    """The cassettes of one proxy: the default one, and those of the cassette folder by name.

    `run` is what recordings are stored under; None as long as nothing may be recorded.
    """

    def __init__(
        self,
        default: Path,
        folder: Path,
        *,
        mode: Mode,
        run: Run | None = None,
        deck: Callable[[], Deck],
        rules: Rules = DEFAULT,
    ) -> None:
        self.run = run
        self._default = default
        self._rules = rules
        self._text = rules.text  # it takes its time to write
        self._folder = folder
        self._mode = mode
        self._deck = deck
        self._paths = {"": default}  # of those that are open: names that are only asked for leave nothing here
        self._tapes: dict[tuple[Path, str], Tape] = {}

    def __iter__(self) -> Iterator[Tape]:
        return iter(tuple(self._tapes.values()))

    def path_of(self, name: str) -> Path:
        """Tell which file a name means; the empty name means the default cassette."""
        return self._paths.get(name) or self._find(name)

    def tape(self, name: str, mode: Mode | None = None, rules: Rules | None = None) -> Tape:
        """Return the cassette of that name, opened on its first use; a lane may have a mode and rules of its own.

        Raises CassetteError.
        """
        place = self.path_of(name), rules.text if rules else self._text
        tape = self._tapes.get(place) or Tape(place[0], self._deck(), rules=rules or self._rules)
        try:
            tape.open_for(mode or self._mode, self.run)
        except BaseException:
            if place not in self._tapes:
                tape.close()
            raise
        self._tapes[place] = tape
        self._paths[name] = place[0]
        return tape

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
        known = (other for other in {*self._paths.values()} if other.resolve() == place)
        return next(known, path)  # however it is named, a file is one tape


def _warn(path: Path, reader: Reader, rekeying: Rekeying, rules: Rules) -> None:
    """Tell that a cassette is replayed under other rules than those that made its keys, and what comes of it."""
    remedy = f"`llmtape rekey {path}` writes the new keys"
    if reader.has_rules and rules.text == DEFAULT.text:
        told = "no rules are in force (is there an llmtape.toml?), but some made the keys in %s; it is replayed without"
        log.warning(told, path)
        return
    if not rekeying.merges:
        log.warning("the keys in %s were made by other rules; it is replayed by new ones, and %s", path, remedy)
        return
    log.warning(
        "the keys in %s were made by other rules; under those in force recordings merge, %d of them with different "
        "answers. It is replayed so; %s, or refuses to",
        *(path, len(rekeying.conflicts), remedy),
    )
    for merge in sorted(rekeying.merges, key=lambda merge: not merge.differs)[:_MOST_TOLD]:
        log.warning("%s", merge.told())
