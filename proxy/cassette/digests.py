"""What stands in a cassette, in few bytes.

Rule: two recordings have one digest if and only if all that was recorded is the same: the request, the response, and
when. Where a recording stands in its file, under which key, and how its body was cut do not count: so files that
different versions wrote are compared without reading each recording whole.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.cassette import format as layout
from proxy.cassette.filling import Stored, rows, unwatched
from proxy.cassette.opening import opened
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from proxy.cassette.filling import Watch
    from proxy.cassette.reader import Reader
    from proxy.core.model import Response, Track

_BYTES: Final = 16

_BODIES: Final = """
select bodies.id, parent_id, data from bodies join parts on parts.id = part_id order by bodies.id"""

_INTERACTIONS: Final = """
select id, request_body, recorded_at, method, path, query, request_headers, status, response_headers, outcome,
  first_byte_us, duration_us, response_framing, response_body
from interactions order by id"""


@dataclass(frozen=True, slots=True)
class Content:
    """What a track has: its takes in their order. Equal to another if the same was recorded.

    `open` is what a merge left to be settled there; while that is open nobody has chosen what the track is to have.
    """

    digests: tuple[bytes, ...] = ()
    takes: tuple[Stored, ...] = field(default=(), compare=False)
    open: str = ""

    def responses(self) -> list[Response]:
        """Read what each take was answered. Raises CassetteError."""
        return [row.reader.response(row.take)[0] for row in self.takes]


def contents(reader: Reader, watch: Watch = unwatched) -> dict[Track, Content]:
    """Return all tracks of a cassette with what they have, in the order of the file. Raises CassetteError."""
    digests = _digests(reader, watch)
    tracks: dict[Track, list[Stored]] = {}
    for row in rows(reader):
        tracks.setdefault(row.take.track, []).append(row)
    for on_track in tracks.values():
        on_track.sort(key=lambda row: row.take.number)
    return {
        track: Content(tuple(digests[row.take.id] for row in on_track), tuple(on_track))
        for track, on_track in tracks.items()
    }


def _digests(reader: Reader, watch: Watch) -> dict[int, bytes]:
    """Return the digest of each interaction, by its id."""
    try:
        with closing(opened(reader.path)) as connection:
            bodies = _bodies(connection)
            rows_ = watch(connection.execute(_INTERACTIONS), len(reader), f"Reading {reader.path.name}")
            return {
                id_: _hash(bodies.get(body, b"") + repr(row).encode("utf-8", "surrogatepass")).digest()
                for id_, body, *row in rows_
            }
    except (sqlite3.Error, TypeError) as error:
        raise CassetteError(
            f"cannot read the cassette {reader.path}: {error}. `llmtape verify {reader.path}` tells more"
        ) from error


def _bodies(connection: sqlite3.Connection) -> dict[int, bytes]:
    """Return the digest of each request body, by its last step: that of all bytes up to there, however they are cut."""
    states: dict[int, hashlib.blake2b] = {}
    for step, parent, data in connection.execute(_BODIES):
        state = states[parent].copy() if parent in states else _hash()
        state.update(layout.restored(data))
        states[step] = state
    return {step: state.digest() for step, state in states.items()}


def _hash(data: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=_BYTES)
