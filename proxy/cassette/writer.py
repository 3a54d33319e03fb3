"""Writing a cassette.

Rule: one thread writes, and a future tells when an interaction is committed; nothing is ever half stored. What keeps
the file from being written now, such as a full disk, is told, and tried again with the next recording. While a recorder
runs the file is in WAL mode; at rest it is one plain file.
"""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette import format as layout
from proxy.cassette import rest, statements, storing
from proxy.cassette.aside import identity, is_in_place
from proxy.cassette.draft import drafted
from proxy.cassette.migration import migrate
from proxy.cassette.opening import check
from proxy.cassette.places import Places
from proxy.cassette.replacing import PATIENCE_MILLISECONDS, held
from proxy.cassette.transaction import BUSY_SECONDS, connected, is_busy, is_replaced, transaction, translated
from proxy.core.errors import CassetteError, CassetteOutOfReachError
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.cassette.aside import Identity
    from proxy.core.model import Interaction


_OF_WHAT_IS_STORED: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    ArithmeticError,
    ValueError,
)
"""Errors that say nothing of the next recording."""

_PATIENCE_TO_OPEN_MILLISECONDS: Final = 5000
"""Whoever asks for a cassette to be opened waits for it, with all that the proxy does; a commit waits by itself."""


@dataclass(frozen=True, slots=True)
class Run:
    """The process that records. `upstream` bears no credentials; `replaces` is what record mode does."""

    started_at: str
    mode: str
    upstream: str
    llmtape_version: str
    replaces: bool
    """Whether the first take of a track in this run replaces the takes of earlier runs."""

    def row(self) -> dict[str, str]:
        """Return the run as the table `runs` has it."""
        return {
            "started_at": self.started_at,
            "mode": self.mode,
            "upstream": self.upstream,
            "llmtape_version": self.llmtape_version,
        }


@dataclass(frozen=True, slots=True)
class _Job:
    """What is stored together: one interaction as it comes, or all that a test recorded in its lane."""

    interactions: tuple[Interaction, ...]
    committed: Future[None]
    replaces: bool = False
    """Whether each first take of this run replaces its track's earlier ones."""
    replaced_lane: str | None = None
    """The lane whose recordings these replace as a whole."""


class Writer:
    """One cassette, open for recording; made, with its folder, where there is none.

    Raises CassetteError where the file is no cassette, or not one for these rules. Where it is out of reach for now,
    `trouble` says why.
    """

    def __init__(self, path: Path, run: Run, rules: Rules = DEFAULT) -> None:
        self.path = path
        self.trouble = ""
        """Why the latest recording could not be stored, and the next one probably cannot be; empty where it could."""
        self._run = run
        self._rules = rules
        self._run_id: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._is_new = False
        self._file: Identity = (0, 0)
        self._is_awake = False
        self._is_current = False
        self._places = Places()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, name=f"llmtape-writer-{path.name}", daemon=True)
        self._thread.start()
        self._opened.result()

    def save(self, interaction: Interaction, *, replaces: bool | None = None) -> Future[None]:
        """Store an interaction; the future is done once it is committed, or bears a CassetteError.

        A take of this run that is saved again is replaced. A take that did not end well gives way to any other.
        `replaces` is for what is recorded in another mode than the run's.
        """
        return self._put(_Job((interaction,), Future(), self._run.replaces if replaces is None else replaces))

    def save_lane(self, lane: str, interactions: Sequence[Interaction], *, replaces: bool) -> Future[None]:
        """Store all that a test recorded, or nothing of it; with `replaces`, in place of what its lane had."""
        return self._put(_Job(tuple(interactions), Future(), replaced_lane=lane if replaces else None))

    def _put(self, job: _Job) -> Future[None]:
        job.committed.set_running_or_notify_cancel()  # who stops waiting does not take a recording back
        self._jobs.put(job)
        return job.committed

    @property
    def run_id(self) -> int | None:
        """Its run's row in the file that is there now; None as long as nothing of it is there."""
        return self._run_id

    def close(self) -> None:
        """Wait for all that was saved, and bring the file to rest."""
        self._jobs.put(None)
        self._thread.join()

    # All below runs on the writer's own thread.

    def _work(self) -> None:
        try:
            self._open()
        except BaseException as error:  # noqa: BLE001  the opener is told, whatever it is
            told = translated(error, self.path)
            if not isinstance(told, CassetteOutOfReachError):
                self._opened.set_exception(told)
                return
            self.trouble = str(told)
        self._opened.set_result(None)
        try:
            while batch := self._next_batch():
                self._commit(batch)
        finally:
            self._rest()

    def _next_batch(self) -> list[_Job]:
        """Wait for a job, and take all that came meanwhile: they share one commit."""
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if self._jobs.empty():
                return batch
            job = self._jobs.get()
        if batch:
            self._jobs.put(None)
        return batch

    def _in_place(self) -> sqlite3.Connection:
        """Return the file that stands at the path now: others may have replaced or removed it, or we let go of it."""
        if self._connection is None or not is_in_place(self.path, self._file):
            self._let_go()
            return self._open()
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_made = self._create()
        file = identity(self.path)
        connection = connected(self.path)
        try:
            self._is_new = is_made or (self._is_new and file == self._file)
            self._is_awake = False
            self._prepare(connection)
            self._recognize(connection, is_other=file != self._file)
        except BaseException:
            connection.close()
            raise
        self._file = file
        self._connection = connection
        return connection

    def _create(self) -> bool:
        """Make the file, whole or not at all, for its owner alone; tell whether it was not there."""
        if self.path.exists():
            return False
        try:
            with drafted(self.path, facts=layout.keyed_by(self._rules), replace=False):
                pass
        except CassetteError:
            if self.path.exists():  # another was quicker
                return False
            raise
        return True

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make or check the format within one transaction; a file that is as it should be is not touched."""
        connection.execute(f"pragma busy_timeout = {_PATIENCE_TO_OPEN_MILLISECONDS}")
        with transaction(connection):
            if connection.execute("select count(*) from sqlite_master").fetchone() == (0,):
                storing.create_format(connection, layout.keyed_by(self._rules))
            check(connection, self.path)
            self._check_keys(connection)
        connection.execute(f"pragma busy_timeout = {int(BUSY_SECONDS * 1000)}")
        if self._is_new:  # there is nothing to leave as it is, and in WAL mode two recorders see each other
            self._wake(connection)
        connection.execute("pragma synchronous = normal")
        connection.execute("pragma foreign_keys = on")

    def _check_keys(self, connection: sqlite3.Connection) -> None:
        rows = dict(connection.execute("select name, value from cassette").fetchall())
        if not rows.items() >= layout.keyed_by(self._rules).items():
            raise CassetteError(
                f"the keys in {self.path} were made by other rules than those in force; it can be replayed, but new "
                f"recordings would not match the old ones. Give them new keys first: llmtape rekey {self.path}"
            )

    def _recognize(self, connection: sqlite3.Connection, *, is_other: bool) -> None:
        """Find our run in the file, and drop what was known of it where it is not the one of before."""
        ours = tuple(self._run.row().values())
        runs = connection.execute(statements.ALL_RUNS).fetchall() if self._run_id is not None else ()
        alike = [id_ for id_, *run in runs if tuple(run) == ours]
        # A recorder that began beside us in the same second has a run like ours, and what it stored is not ours.
        run_id = self._run_id if self._run_id in alike else next(iter(alike), None)
        if is_other or run_id != self._run_id:  # a new file may have the number of one that was removed
            self._run_id = run_id
            self._places = Places()
            self._is_current = False

    def _commit(self, batch: Sequence[_Job]) -> None:
        """Store a batch in one transaction; where that fails, each by itself, so that one harms no other."""
        try:
            self._store_all(self._in_place(), batch)
        except Exception as error:  # noqa: BLE001  whoever waits is told, and the thread goes on
            self._fail(batch, error)
        else:
            self.trouble = ""
            for job in batch:
                job.committed.set_result(None)

    def _fail(self, batch: Sequence[_Job], error: Exception) -> None:
        told = translated(error, self.path)
        if isinstance(told, CassetteOutOfReachError) or is_replaced(error):
            self._let_go()  # what SQLite makes of a file that failed it is best begun anew
        if is_replaced(error):
            self._commit(batch)
        elif len(batch) > 1 and not is_busy(error):
            for job in batch:
                self._commit([job])
        else:
            if not isinstance(error, _OF_WHAT_IS_STORED):
                self.trouble = str(told)
            for job in batch:
                job.committed.set_exception(told)

    def _store_all(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        run_id = self._run_id
        adds = any(job.interactions for job in batch)  # else tests that ask for nothing any more
        if adds:
            self._wake(connection)
        with transaction(connection):
            self._check_keys(connection)  # a file that no recording of ours holds may have got other rules meanwhile
            if adds and not self._is_current:  # a file into which nothing comes stays as it is
                migrate(connection, self._rules)
            if adds and run_id is None:
                run_id = storing.insert(connection, statements.INSERT_RUN, self._run.row())
            for job in batch:
                self._places.clear(connection, job.replaced_lane)
                for interaction in job.interactions:
                    self._store(connection, run_id or 0, interaction, replaces=job.replaces)
        self._run_id = run_id
        self._is_current = self._is_current or adds

    def _wake(self, connection: sqlite3.Connection) -> None:
        """Go to WAL mode, where another recorder is not just about to; until then a commit is as safe, and slower."""
        if not self._is_awake:
            with suppress(sqlite3.OperationalError):
                self._is_awake = connection.execute("pragma journal_mode = wal").fetchone() == ("wal",)

    def _store(self, connection: sqlite3.Connection, run_id: int, interaction: Interaction, *, replaces: bool) -> None:
        place = self._places.find(connection, run_id, interaction, replaces=replaces)
        content = self._content(interaction)
        storing.store(connection, interaction, place.number, run_id, id_=place.id, content=content)

    def _content(self, interaction: Interaction) -> dict[str, Any]:
        return interaction.content or normalize(interaction.request, self._rules).content

    def _rest(self) -> None:
        """Bring the file to rest: one plain file; none where nothing was recorded into a new one.

        Where another process has the file open that is left to it; what was recorded is safe in the WAL.
        """
        if is_in_place(self.path, self._file):  # else who replaced it brought it to rest
            with suppress(sqlite3.Error, OSError, CassetteError):
                self._come_to_rest(self._in_place())
        self._let_go()

    def _come_to_rest(self, connection: sqlite3.Connection) -> None:
        replaced = self._places.were_vacated
        if replaced:
            with transaction(connection):
                storing.drop_unused(connection)
        if self._is_new or connection.execute("pragma journal_mode").fetchone() == ("wal",):
            connection.execute(f"pragma busy_timeout = {PATIENCE_MILLISECONDS}")
            connection.execute("pragma wal_checkpoint(truncate)")
            connection.execute("pragma journal_mode = delete")
            self._remove_unused(connection)
        if replaced or self._run_id is not None:
            rest.settle(self.path, numbers_anew=replaced)

    def _remove_unused(self, connection: sqlite3.Connection) -> None:
        if not self._is_new or self._run_id is not None:
            return
        with held(self.path):
            is_ours = is_in_place(self.path, self._file)
            if is_ours and connection.execute("select count(*) from runs").fetchone() == (0,):
                self.path.unlink()
