"""Reading a cassette.

Rule: opens read-only, works from a read-only folder, changes nothing. Uses `sqlite3` itself: replay must not pay
for SQLAlchemy's import (0.3 s) at each start of a test suite, and its statements are few.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from proxy.cassette import format as layout
from proxy.cassette import parts, search
from proxy.cassette.aside import in_memory, is_aside, state
from proxy.cassette.opening import PATIENCE_S, check, is_of_the_system, opened, unreadable, why_not_a_cassette
from proxy.cassette.ordering import CURRENT_KEY, Order, clause
from proxy.cassette.patience import bounded
from proxy.cassette.size import Size, measured
from proxy.cassette.values import check_derived, check_text, check_whole, response_of
from proxy.core.errors import CassetteError, CassetteMissingError, CassetteOutOfReachError, KeyNotFoundError
from proxy.core.meaning import meaning
from proxy.core.model import Interaction, Outcome, RecordedRun, Request, Response, Take, Track, Variant
from proxy.core.normalize import normalize
from proxy.core.rekeying import Rekeying, plan
from proxy.core.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proxy.cassette.aside import Identity, State
    from proxy.core.outline import Outline

_TAKE = "id, key, variant, lane, take, status, outcome"

_IN_ORDER = clause()

_TAKES_OF_KEY = f"select {_TAKE} from interactions where key = ? {_IN_ORDER}"  # noqa: S608

_TAKES_OF_PREFIX = f"select {_TAKE} from interactions where key >= ? and key < ? {_IN_ORDER}"  # noqa: S608
_TAKE_OF_ID = f"select {_TAKE} from interactions where id = ?"  # noqa: S608
_AFTER_ANY_DIGIT = "g"

_ANY_REQUESTS = f"select {_TAKE}, recorded_at, method, path, query, request_headers, request_body from interactions"  # noqa: S608
_REQUESTS = f"{_ANY_REQUESTS} {_IN_ORDER}"
_LATEST_REQUESTS = f"{_ANY_REQUESTS} order by id desc"
_REQUEST_OF_ID = f"{_ANY_REQUESTS} where id = ?"

_TAKES_OF_LANE = f"select {_TAKE} from interactions where lane = ? {_IN_ORDER}"  # noqa: S608

_RESPONSE = "status, response_headers, outcome, first_byte_us, duration_us, response_framing, response_body"


@dataclass(frozen=True, slots=True)
class Entry:
    """An interaction in a list: what its row says without its bodies."""

    take: Take
    run_id: int
    recorded_at: str
    method: str
    path: str
    model: str
    first_byte_us: int
    duration_us: int
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


_RUN_OF_TAKE = """
select runs.id, started_at, mode, upstream, llmtape_version
from interactions join runs on runs.id = run_id where interactions.id = ?"""

_RUNS = "select id, started_at, mode, upstream, llmtape_version from runs order by id"

_ENTRY = (
    "run_id, recorded_at, method, path, model, first_byte_us, duration_us,"
    " finish_reason, prompt_tokens, completion_tokens"
)


class Reader:
    """One cassette, open for reading. Belongs to the thread that opened it.

    `rekeying` is the plan of another reader of the same file under the same rules, which then need not be made again.
    `patience_s` is how long a program is waited for that has the file for itself alone.
    """

    def __init__(
        self,
        path: Path,
        rules: Rules = DEFAULT,
        rekeying: Rekeying | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        if not path.exists():
            raise CassetteMissingError(f"there is no cassette {path}: record one with `llmtape record -c {path}`")
        self.path = path
        self.rekeying: Rekeying | None = None
        """The keys under the rules, where others made those in the file."""
        self.has_rules = False
        """Whether those others are choices of a user's."""
        self._rules = rules
        self._rekeyed: dict[str, list[Take]] = {}
        with self._translated():
            self._state, self._opened = _opened_now(path, patience_s)
            self._file: Identity = self._state[:2]
            self._replaced: sqlite3.Connection | None = None
            try:
                self._version = check(self._connection, path)
                self.rekeying = rekeying or self._rekey()
                for take in self.rekeying.takes.values() if self.rekeying else ():
                    self._rekeyed.setdefault(take.track.key, []).append(take)
                self._know_keys()
            except BaseException:
                self._opened.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()
        if self._replaced is not None:
            self._replaced.close()

    @property
    def is_current(self) -> bool:
        """Whether the file at the path is the one that was opened, and as it was but for what is in its log.

        SQLite itself would not notice what was written over a file, as `cp` does.
        """
        return state(self.path) == self._state

    @property
    def _connection(self) -> sqlite3.Connection:
        """The file as it was opened, whatever took its place since."""
        if self._replaced is None and is_aside(self.path, self._file):
            # What is being listed goes on where it began, so that stays open.
            self._replaced, self._opened = self._opened, in_memory(self.path, self._file)
            self._know_keys()
        return self._opened

    def _know_keys(self) -> None:
        self._opened.create_function(CURRENT_KEY, 2, partial(_current_key, self.rekeying))

    def __len__(self) -> int:
        count: int = self._one("select count(*) from interactions")[0]
        return count

    def takes(self, asked: Track) -> list[Take]:
        """Return the takes that play for a track: its own lane's, else those of all lanes, in order."""
        return playing(asked, self.takes_of_key(asked.key))

    def takes_of_lane(self, lane: str) -> list[Take]:
        """Return all takes of a lane, in the order in which they were asked for."""
        return self._takes(_TAKES_OF_LANE, lane)

    def takes_of_key(self, key: str) -> list[Take]:
        """Return all takes of a key, of any variant and lane, in the order in which they were asked for."""
        if self.rekeying is not None:
            return self._rekeyed.get(key, [])
        return self._takes(_TAKES_OF_KEY, key)

    def response(self, take: Take) -> tuple[Response, int | None]:
        """Return a take's response, and how many tokens it says it has."""
        row = self._one(f"select {_RESPONSE}, completion_tokens from interactions where id = ?", take.id)  # noqa: S608
        with self._translated():
            check_derived(None, row[-1])
            return response_of(row, was_asked_as_stream=take.track.variant is not Variant.JSON), row[-1]

    def request(self, take: Take) -> Request:
        """Return a take's request."""
        row = self._one(_REQUEST_OF_ID, take.id)
        with self._translated():
            return self._with_request(row)[-1]

    def interaction(self, take: Take) -> Interaction:
        """Return a take whole."""
        row = self._one(_REQUEST_OF_ID, take.id)
        with self._translated():
            _, recorded_at, request = self._with_request(row)
        return Interaction(take.track, take.number, recorded_at, request, self.response(take)[0])

    def run(self, take: Take) -> RecordedRun:
        """Return the run that recorded a take."""
        row = self._one(_RUN_OF_TAKE, take.id)
        with self._translated():
            return _run_of(row)

    def stored(self, keep: Callable[[int], bool] | None = None) -> Iterator[tuple[Interaction, RecordedRun]]:
        """Yield all interactions as they stand in the file, or those whose ids are to be kept, each with its run."""
        rows = self._all(_RUNS)
        with self._translated():
            runs = {row[0]: _run_of(row) for row in rows}
        for id_, run_id in self._all("select id, run_id from interactions order by id"):
            if keep is None or keep(id_):
                row = self._one(_TAKE_OF_ID, id_)
                with self._translated():
                    take = self._take(row)
                yield self.interaction(take), runs.get(run_id) or self.run(take)  # which tells that it is not there

    def entries(self, order: Order = Order.RECORDED, *, is_reversed: bool = False) -> Iterator[Entry]:
        """Yield all interactions without their bodies, in the order in which they were asked for or in another."""
        in_order = clause(order, is_reversed=is_reversed)
        with self._translated():
            for row in self._connection.execute(f"select {_TAKE}, {_ENTRY} from interactions {in_order}"):  # noqa: S608
                entry = Entry(self._take(row[:7]), *row[7:])
                check_whole(entry.run_id, entry.first_byte_us, entry.duration_us)
                check_text(entry.recorded_at, entry.method, entry.path, entry.model)
                check_derived(entry.finish_reason, entry.prompt_tokens, entry.completion_tokens)
                yield entry

    def distinct(self, column: Literal["model", "lane", "run_id"]) -> list[Any]:
        """Return what occurs in a column, sorted."""
        found = [value for (value,) in self._all(f"select distinct {column} from interactions order by 1")]  # noqa: S608
        with self._translated():
            (check_whole if column == "run_id" else check_text)(*found)
        return found

    def requests(self, *, latest_first: bool = False) -> Iterator[tuple[Take, str, Request]]:
        """Yield all stored requests, each with its take and when it was recorded."""
        return self._requests(_LATEST_REQUESTS if latest_first else _REQUESTS)

    @property
    def size(self) -> Size:
        """How many bytes the cassette has, and of what."""
        with self._translated():
            return measured(self._connection)

    @property
    def facts(self) -> dict[str, str]:
        """What the file says of itself: its format, what made its keys, and what else was noted."""
        return dict(self._all("select name, value from cassette"))

    @property
    def is_indexed(self) -> bool:
        """Whether it can tell what is near: not in the first format, nor where other rules made keys and index."""
        return self._version >= layout.INDEXED and self.rekeying is None

    def near(self, asked: Outline) -> Iterator[tuple[Take, str, Request]]:
        """Yield the stored requests one of which is the nearest, as `requests` does, the most promising first."""
        with self._translated():
            for id_ in search.candidates(self._connection, asked):
                yield from self._requests(_REQUEST_OF_ID, id_)

    def find(self, prefix: str) -> list[Take]:
        """Return the takes that `KEY` or `KEY:TAKE` names, KEY being any unique beginning of a key.

        Raises KeyNotFoundError where there is none, or where keys that differ begin so.
        """
        key, colon, number = prefix.partition(":")
        takes = self._takes_of_prefix(key.lower())
        if len({take.track.key for take in takes}) > 1:
            raise KeyNotFoundError(f"{key!r} is the beginning of several keys in {self.path}: give more digits")
        named = [take for take in takes if not colon or str(take.number) == number]
        if not key or not named:
            raise KeyNotFoundError(f"no recording {prefix!r} in {self.path}: `llmtape ls {self.path}` lists them")
        return named

    def _takes_of_prefix(self, prefix: str) -> list[Take]:
        if self.rekeying is not None:
            return [take for key, takes in self._rekeyed.items() if key.startswith(prefix) for take in takes]
        return self._takes(_TAKES_OF_PREFIX, prefix, prefix + _AFTER_ANY_DIGIT)

    def _takes(self, statement: str, *values: Any) -> list[Take]:
        rows = self._all(statement, *values)
        with self._translated():
            return [self._take(row) for row in rows]

    def _take(self, row: tuple[Any, ...]) -> Take:
        id_, key, variant, lane, number, status, outcome = row
        check_whole(number, status)
        check_text(key, lane)
        if self.rekeying is not None and (planned := self.rekeying.takes.get(id_)):
            return planned  # what another process recorded since is no part of the plan, and keeps its key
        return Take(id_, Track(key, Variant(variant), lane), number, status, Outcome(outcome))

    def _requests(self, statement: str, *values: Any) -> Iterator[tuple[Take, str, Request]]:
        with self._translated():
            for row in self._connection.execute(statement, values):
                yield self._with_request(row)

    def _with_request(self, row: tuple[Any, ...]) -> tuple[Take, str, Request]:
        recorded_at, method, path, query, headers, body = row[7:]
        check_text(recorded_at, method, path, query)
        request = Request(method, path, query, layout.headers_of(headers), parts.joined(self._connection, body))
        return self._take(row[:7]), recorded_at, request

    def _rekey(self) -> Rekeying | None:
        """Plan other keys where other rules made those in the file: keys are never trusted then."""
        carried = dict(self._all("select name, value from cassette"))
        if carried.items() >= layout.keyed_by(self._rules).items():
            return None
        self.has_rules = carried.get("rules", DEFAULT.text) != DEFAULT.text
        keys = ((take, self._key(request)) for take, _, request in self.requests())
        return plan(keys, lambda take: meaning(self.response(take)[0]))

    def _key(self, request: Request) -> str:
        with bounded(self._rules):
            return normalize(request, self._rules).key

    def _one(self, statement: str, *values: Any) -> tuple[Any, ...]:
        with self._translated():
            row: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        if row is None:
            raise CassetteError(f"a recording vanished from {self.path}: another process changed the file")
        return row

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError, OverflowError) as error:
            why = why_not_a_cassette(self.path, error) or unreadable(self.path, error)
            raise (CassetteOutOfReachError if is_of_the_system(error, self.path) else CassetteError)(why) from error


def _opened_now(path: Path, patience_s: float) -> tuple[State, sqlite3.Connection]:
    """Open the file that stands at a path, and tell its state; another may take its place meanwhile."""
    while True:
        before = state(path)
        connection = opened(path, patience_s)
        if before is not None and before == state(path):
            return before, connection
        connection.close()


def playing(asked: Track, takes: list[Take]) -> list[Take]:
    """Return of the takes of its key those that play for a track: its own lane's, else those of all lanes, in order."""
    same = [take for take in takes if take.track.variant is asked.variant]
    own = [take for take in same if take.track.lane == asked.lane]
    return sorted(own, key=lambda take: take.number) or same


def _current_key(rekeying: Rekeying | None, id_: int, key: str) -> str:
    planned = rekeying.takes.get(id_) if rekeying else None
    return planned.track.key if planned else key


def _run_of(row: tuple[Any, ...]) -> RecordedRun:
    check_whole(row[0])
    check_text(*row[1:])
    return RecordedRun(*row)
