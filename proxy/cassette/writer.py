"""Writing a cassette.

Rule: one thread writes, and a future tells when an interaction is committed; nothing is ever half stored. While a
recorder runs the file is in WAL mode; at rest it is one plain file. Statements are built with SQLAlchemy Core from
the tables in `schema`.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from proxy.cassette import format as layout
from proxy.cassette import parts, schema
from proxy.cassette.reader import check
from proxy.core import canonical
from proxy.core.completion import assemble
from proxy.core.errors import CassetteError
from proxy.core.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.core.model import Interaction

_BUSY_SECONDS = 30.0
"""How long one recorder waits for another to end its transaction."""


@dataclass(frozen=True, slots=True)
class Run:
    """The process that records. `upstream` bears no credentials; `replaces` is what record mode does."""

    started_at: str
    mode: str
    upstream: str
    llmtape_version: str
    replaces: bool
    """Whether the first take of a track in this run replaces the takes of earlier runs."""


@dataclass(frozen=True, slots=True)
class _Job:
    interaction: Interaction
    committed: Future[None]


class Writer:
    """One cassette, open for recording; made, with its folder, where there is none.

    Raises CassetteError where the file cannot be written or is not a cassette.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self._run = run
        self._run_id: int | None = None
        self._is_new = False
        self._replaced = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, name=f"llmtape-writer-{path.name}", daemon=True)
        self._thread.start()
        self._opened.result()

    def save(self, interaction: Interaction) -> Future[None]:
        """Store an interaction; the future is done once it is committed, or bears a CassetteError.

        A take of this run that is saved again is replaced. A take that did not end well gives way to any other.
        """
        job = _Job(interaction, Future())
        self._jobs.put(job)
        return job.committed

    def close(self) -> None:
        """Wait for all that was saved, and bring the file to rest."""
        self._jobs.put(None)
        self._thread.join()

    # All below runs on the writer's own thread.

    def _work(self) -> None:
        try:
            connection = self._open()
        except BaseException as error:  # noqa: BLE001  the opener is told, whatever it is
            self._opened.set_exception(_translate(error, self.path))
            return
        self._opened.set_result(None)
        try:
            while batch := self._next_batch():
                self._commit(connection, batch)
        finally:
            self._rest(connection)

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

    def _open(self) -> Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._is_new = _create(self.path)
        engine = create_engine("sqlite://", creator=self._connect, poolclass=NullPool)
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, isolation_level=None, timeout=_BUSY_SECONDS)

    def _prepare(self, connection: Connection) -> None:
        """Make or check the format within one transaction, then go to WAL mode."""
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)  # noqa: S101  what `_connect` returned
        connection.exec_driver_sql("begin immediate")
        if connection.exec_driver_sql("select count(*) from sqlite_master").scalar() == 0:
            self._create_format(connection)
        check(raw, self.path)
        self._check_keys(connection)
        connection.exec_driver_sql("commit")
        connection.exec_driver_sql("pragma journal_mode = wal")
        connection.exec_driver_sql("pragma synchronous = normal")
        connection.exec_driver_sql("pragma foreign_keys = on")

    def _create_format(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"pragma application_id = {layout.APPLICATION_ID}")
        connection.exec_driver_sql(f"pragma user_version = {layout.VERSION}")
        for statement in schema.statements():
            connection.exec_driver_sql(statement)
        for name, value in {"format": str(layout.VERSION), **layout.KEYED_BY}.items():
            connection.execute(insert(schema.CASSETTE), {"name": name, "value": value})

    def _check_keys(self, connection: Connection) -> None:
        rows = dict(connection.execute(select(schema.CASSETTE.c.name, schema.CASSETTE.c.value)).tuples().all())
        if not rows.items() >= layout.KEYED_BY.items():
            raise CassetteError(
                f"the keys in {self.path} were made by other rules than this llmtape's; it can be replayed, but new "
                "recordings would not match the old ones: record into a new file with -c"
            )

    def _commit(self, connection: Connection, batch: Sequence[_Job]) -> None:
        """Store a batch in one transaction; where that fails, each by itself, so that one harms no other."""
        try:
            self._store_all(connection, [job.interaction for job in batch])
        except (SQLAlchemyError, sqlite3.Error, ValueError) as error:
            if len(batch) == 1:
                batch[0].committed.set_exception(_translate(error, self.path))
                return
            for job in batch:
                self._commit(connection, [job])
            return
        for job in batch:
            job.committed.set_result(None)

    def _store_all(self, connection: Connection, interactions: Sequence[Interaction]) -> None:
        run_id = self._run_id
        connection.exec_driver_sql("begin immediate")
        try:
            if run_id is None:
                run_id = self._insert_run(connection)
            for interaction in interactions:
                self._store(connection, run_id, interaction)
            connection.exec_driver_sql("commit")
        except BaseException:
            with suppress(SQLAlchemyError):
                connection.exec_driver_sql("rollback")
            raise
        self._run_id = run_id

    def _insert_run(self, connection: Connection) -> int:
        run = self._run
        result = connection.execute(
            insert(schema.RUNS),
            {
                "started_at": run.started_at,
                "mode": run.mode,
                "upstream": run.upstream,
                "llmtape_version": run.llmtape_version,
            },
        )
        return int(result.lastrowid)

    def _store(self, connection: Connection, run_id: int, interaction: Interaction) -> None:
        self._make_room(connection, run_id, interaction)
        number = _free_number(connection, interaction)
        body = _store_body(connection, interaction.request.body)
        connection.execute(insert(schema.INTERACTIONS), _row(interaction, number, run_id, body))

    def _make_room(self, connection: Connection, run_id: int, interaction: Interaction) -> None:
        """Delete what this recording replaces, in the transaction that stores it."""
        table = schema.INTERACTIONS.c
        on_track = _on_track(interaction)
        if self._run.replaces:
            # Runs that began after ours are recorders beside us: what they stored stays.
            earlier = delete(schema.INTERACTIONS).where(*on_track, table.run_id < run_id)
            self._replaced |= connection.execute(earlier).rowcount > 0
        same = (*on_track, table.take == interaction.number)
        gives_way = (table.run_id == run_id) | (table.outcome != Outcome.COMPLETE)
        deleted = connection.execute(delete(schema.INTERACTIONS).where(*same, gives_way))
        self._replaced |= deleted.rowcount > 0

    def _rest(self, connection: Connection) -> None:
        """Bring the file to rest: one plain file; none where nothing was recorded into a new one."""
        with suppress(SQLAlchemyError):  # what was recorded is safe in the WAL, whatever fails here
            if self._replaced:
                _drop_unused_bodies(connection)
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
            connection.exec_driver_sql("pragma journal_mode = delete")
        connection.close()
        if self._is_new and self._run_id is None:
            with suppress(OSError):
                self.path.unlink()


def _create(path: Path) -> bool:
    """Make the file, for its owner alone; tell whether it was not there."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    return True


def _on_track(interaction: Interaction) -> tuple[Any, ...]:
    table = schema.INTERACTIONS.c
    track = interaction.track
    return (table.key == track.key, table.variant == track.variant, table.lane == track.lane)


def _free_number(connection: Connection, interaction: Interaction) -> int:
    """Return the take's number, or the next one where a recorder beside us took it meanwhile."""
    table = schema.INTERACTIONS.c
    taken = set(connection.scalars(select(table.take).where(*_on_track(interaction))))
    return interaction.number if interaction.number not in taken else max(taken) + 1


def _store_body(connection: Connection, body: bytes) -> int | None:
    """Store a request body as a path of parts; return its last step, or None for an empty body."""
    if not body:
        return None
    step = 0
    for part in parts.cut(body):
        step = _step(connection, step, _part(connection, part))
    return step


def _part(connection: Connection, data: bytes) -> int:
    digest = hashlib.sha256(data).digest()
    table = schema.PARTS
    found = connection.scalar(select(table.c.id).where(table.c.sha256 == digest))
    if found is not None:
        return int(found)
    added = connection.execute(insert(table), {"sha256": digest, "data": layout.stored(data)})
    return int(added.lastrowid)


def _step(connection: Connection, parent: int, part: int) -> int:
    table = schema.BODIES
    found = connection.scalar(select(table.c.id).where(table.c.parent_id == parent, table.c.part_id == part))
    if found is not None:
        return int(found)
    added = connection.execute(insert(table), {"parent_id": parent, "part_id": part})
    return int(added.lastrowid)


def _drop_unused_bodies(connection: Connection) -> None:
    """Delete the parts of requests that were replaced and that no other request shares."""
    bodies, interactions = schema.BODIES, schema.INTERACTIONS
    used = select(interactions.c.request_body.label("id")).where(interactions.c.request_body.is_not(None))
    reached = used.cte("used", recursive=True)
    reached = reached.union(select(bodies.c.parent_id).where(bodies.c.id == reached.c.id))
    connection.exec_driver_sql("begin immediate")
    connection.execute(delete(bodies).where(bodies.c.id.not_in(select(reached.c.id))))
    connection.execute(delete(schema.PARTS).where(schema.PARTS.c.id.not_in(select(bodies.c.part_id))))
    connection.exec_driver_sql("commit")


def _row(interaction: Interaction, number: int, run_id: int, body: int | None) -> dict[str, Any]:
    track, request, response = interaction.track, interaction.request, interaction.response
    answer = assemble(response)
    return {
        "key": track.key,
        "variant": track.variant.value,
        "lane": track.lane,
        "take": number,
        "run_id": run_id,
        "recorded_at": interaction.recorded_at,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "model": _model(request.body) or answer.model,
        "request_headers": layout.headers_text(request.headers),
        "request_body": body,
        "status": response.status,
        "response_headers": layout.headers_text(response.headers),
        "outcome": response.outcome.value,
        "first_byte_us": response.first_byte_us,
        "duration_us": response.duration_us,
        "finish_reason": answer.finish_reason,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "response_framing": layout.framing_text(response.chunks),
        "response_body": layout.stored(response.body),
    }


def _model(body: bytes) -> str:
    try:
        value = canonical.loads(body).value
    except canonical.NotJsonError:
        return ""
    model = value.get("model") if isinstance(value, dict) else None
    return model.encode("utf-8", "replace").decode() if isinstance(model, str) else ""


def _translate(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, CassetteError):
        return error
    if isinstance(error, (OSError, SQLAlchemyError, sqlite3.Error, ValueError)):
        cause = getattr(error, "orig", None) or error
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
        return CassetteError(
            f"cannot write the cassette {path}: {reason}. Is the folder there, writable, and has it room?"
        )
    return error
