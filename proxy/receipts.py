"""The receipt of a run: what its cassettes and lanes have to tell, gathered before they close.

Rule: reads and judges nothing; the verdict is `core.receipt`'s. A cassette's digest is taken once it is at rest,
since before that its file is not what will be committed.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from proxy import __version__
from proxy.core.errors import CassetteError, ConfigError, ReceiptError
from proxy.core.ledger import Fate
from proxy.core.receipt import CassetteSheet, LaneSheet, Named, Receipt, from_dict

if TYPE_CHECKING:
    from proxy.cassette.shelf import Shelf, Tape
    from proxy.core.ledger import Ledger
    from proxy.core.model import Take
    from proxy.core.modes import Mode
    from proxy.lanes import Lanes

log = logging.getLogger("llmtape")


class Receipts:
    """Writes the receipt of one proxy, at any moment of its run."""

    def __init__(self, mode: Mode, shelf: Shelf, ledger: Ledger, lanes: Lanes) -> None:
        self._mode = mode
        self._shelf = shelf
        self._ledger = ledger
        self._lanes = lanes
        self._gathered: Receipt | None = None

    @property
    def receipt(self) -> Receipt:
        """What was done until now; as it was gathered, once it was."""
        return self._gathered or self._written()

    def gather(self) -> None:
        """Keep what the cassettes tell, just before they close."""
        self._gathered = self._written()

    def seal(self) -> None:
        """Add the digests of the files, once they are at rest."""
        if self._gathered is not None:
            sealed = tuple(replace(sheet, sha256=digest(Path(sheet.path))) for sheet in self._gathered.cassettes)
            self._gathered = replace(self._gathered, cassettes=sealed)

    def _written(self) -> Receipt:
        sheets = sorted(map(self._sheet, self._shelf), key=lambda sheet: sheet.path)
        return Receipt(
            version=__version__,
            mode=self._mode,
            had_upstream=self._lanes.has_upstream,
            faults=self._ledger.faults,
            cassettes=tuple(sheets),
            lanes=self._lane_sheets(),
        )

    def _sheet(self, tape: Tape) -> CassetteSheet:
        """Write a sheet for a cassette; that one cannot be read any more is a fault, and no other one's."""
        try:
            return _sheet(tape)
        except CassetteError as error:
            log.error("%s", error)  # noqa: TRY400  the text says it all
            self._ledger.fail()
            return CassetteSheet(tape.title, "", 0, (), (), "")

    def _lane_sheets(self) -> tuple[LaneSheet, ...]:
        """Write a sheet for each lane that was started or asked; its counts are those of all its attempts."""
        sheets = self._lanes.sheets()
        places = sorted({*sheets, *self._ledger.lanes})
        return tuple(self._lane_sheet(place, sheets.get(place)) for place in places)

    def _lane_sheet(self, place: tuple[str, str], sheet: LaneSheet | None) -> LaneSheet:
        cassette, lane = place
        counts = {fate.value: self._ledger.lanes.get(place, {}).get(fate, 0) for fate in Fate}
        misses = tuple(call.note for call in self._ledger.misses if (call.cassette, call.lane) == place)
        if sheet is None:
            return LaneSheet(cassette, lane, self._lanes.mode, counts, misses)
        return replace(sheet, counts=counts, misses=misses)


_OWNER_ALONE: Final = 0o600  # the report of a miss quotes prompts


def empty(mode: Mode) -> Receipt:
    """Return the receipt of a run in which no proxy was wanted."""
    return Receipt(__version__, mode, had_upstream=False, faults=0, cassettes=(), lanes=())


def write(receipt: Receipt, file: Path) -> None:
    """Write a receipt to a file, as JUnit XML where its name ends so, else as JSON. Raises ReceiptError."""
    data = receipt.as_junit() if file.suffix.lower() == ".xml" else receipt.as_json()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, _OWNER_ALONE)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
    except OSError as error:
        raise ReceiptError(f"cannot write the receipt {file}: {error.strerror}. Name another file") from error


def read(file: Path) -> Receipt:
    """Read a receipt from JSON. Raises ConfigError where the file is no receipt."""
    try:
        return from_dict(orjson.loads(file.read_bytes()))
    except OSError as error:
        raise ConfigError(f"cannot read the receipt {file}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{file} is no receipt: {error}. Name one that `llmtape replay --report FILE.json` wrote"
        ) from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error


def _sheet(tape: Tape) -> CassetteSheet:
    ever_played = tape.deck.ever_played  # a suite that rewinds between its tests needs all of it
    played: list[Named] = []
    unplayed: list[Named] = []
    newest = ""
    for entry in tape.entries():
        (played if entry.take.place in ever_played else unplayed).append(_named(entry.take))
        newest = max(newest, entry.recorded_at)
    return CassetteSheet(tape.title, "", len(played) + len(unplayed), tuple(played), tuple(unplayed), newest)


def _named(take: Take) -> Named:
    return Named(take.track.key, take.track.variant.value, take.track.lane, take.number)


def digest(path: Path) -> str:
    """Return a file's sha256 in hexadecimal, empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # there is no file, since nothing was recorded
        return ""
