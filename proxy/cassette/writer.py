"""Writing a cassette.

Rule: one thread writes, and a future tells when an interaction is committed; nothing is ever half stored. While a
recorder runs the file is in WAL mode; at rest it is one plain file.
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

from proxy.cassette import format as layout
from proxy.cassette import index, parts, schema, statements
from proxy.cassette.migration import migrate
from proxy.cassette.opening import check
from proxy.cassette.transaction import connected, transaction, translated
from proxy.core import canonical
from proxy.core.completion import summarize
from proxy.core.errors import CassetteError, NotJsonError
from proxy.core.model import Outcome
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from proxy.core.rules import DEFAULT, Rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.core.model import Interaction, Track

_REST_MILLISECONDS = 1000
"""How long a recorder that ends waits for others to let go of the file."""


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

    Raises CassetteError where the file cannot be written or is not a cassette.
    """

    def __init__(self, path: Path, run: Run, rules: Rules = DEFAULT) -> None:
        self.path = path
        self._run = run
        self._rules = rules
        self._run_id: int | None = None
        self._is_new = False
        self._is_awake = False
        self._is_current = False
        self._replaced = False
        self._renumbered: dict[tuple[Track, int], int] = {}
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

    def close(self) -> None:
        """Wait for all that was saved, and bring the file to rest."""
        self._jobs.put(None)
        self._thread.join()

    # All below runs on the writer's own thread.

    def _work(self) -> None:
        try:
            connection = self._open()
        except BaseException as error:  # noqa: BLE001  the opener is told, whatever it is
            self._opened.set_exception(translated(error, self.path))
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

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._is_new = _create(self.path)
        connection = connected(self.path)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make or check the format within one transaction; a file that is as it should be is not touched."""
        with transaction(connection):
            if connection.execute("select count(*) from sqlite_master").fetchone() == (0,):
                _create_format(connection, self._rules)
            check(connection, self.path)
            self._check_keys(connection)
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

    def _commit(self, connection: sqlite3.Connection, batch: Sequence[_Job]) -> None:
        """Store a batch in one transaction; where that fails, each by itself, so that one harms no other."""
        try:
            self._store_all(connection, batch)
        except Exception as error:  # noqa: BLE001  whoever waits is told, and the thread goes on
            if len(batch) == 1:
                batch[0].committed.set_exception(translated(error, self.path))
                return
            for job in batch:
                self._commit(connection, [job])
            return
        for job in batch:
            job.committed.set_result(None)

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
                run_id = _insert(connection, statements.INSERT_RUN, self._run.row())
            for job in batch:
                self._clear(connection, job.replaced_lane)
                for interaction in job.interactions:
                    self._store(connection, run_id or 0, interaction, replaces=job.replaces)
        self._run_id = run_id
        self._is_current = self._is_current or adds

    def _wake(self, connection: sqlite3.Connection) -> None:
        """Go to WAL mode, where another recorder is not just about to; until then a commit is as safe, and slower."""
        if not self._is_awake:
            with suppress(sqlite3.OperationalError):
                self._is_awake = connection.execute("pragma journal_mode = wal").fetchone() == ("wal",)

    def _clear(self, connection: sqlite3.Connection, lane: str | None) -> None:
        """Make room for a conversation recorded anew: what is left of the old one would never be asked for again."""
        if lane is not None and connection.execute(statements.DELETE_LANE, {"lane": lane}).rowcount:
            self._replaced = True

    def _store(self, connection: sqlite3.Connection, run_id: int, interaction: Interaction, *, replaces: bool) -> None:
        number = self._make_room(connection, run_id, interaction, replaces=replaces)
        row = _row(interaction, number, run_id)
        row["request_body"] = _store_body(connection, interaction.request.body)
        row["turn_id"] = index.add(connection, outline(self._content(interaction)))
        _insert(connection, statements.INSERT_INTERACTION, row)

    def _content(self, interaction: Interaction) -> dict[str, Any]:
        return interaction.content or normalize(interaction.request, self._rules).content

    def _make_room(
        self, connection: sqlite3.Connection, run_id: int, interaction: Interaction, *, replaces: bool
    ) -> int:
        """Delete what this recording replaces, in the transaction that stores it; return the take's number."""
        track = interaction.track
        on_track = {"key": track.key, "variant": track.variant.value, "lane": track.lane}
        wanted = self._renumbered.get((track, interaction.number), interaction.number)
        others = set()
        rows = connection.execute(statements.SELECT_TRACK, on_track).fetchall()
        replaces = replaces and all(other_run != run_id for _, _, other_run, _ in rows)
        for id_, number, other_run, outcome in rows:
            # Runs that began after ours are recorders beside us: what they stored stays.
            is_earlier = replaces and other_run < run_id
            gives_way = number == wanted and (other_run == run_id or outcome != Outcome.COMPLETE)
            if is_earlier or gives_way:
                connection.execute(statements.DELETE_INTERACTION, {"id": id_})
                self._replaced = True
            else:
                others.add(number)
        if wanted in others:  # a recorder beside us took it meanwhile
            wanted = max(others) + 1
            self._renumbered[track, interaction.number] = wanted
        return wanted

    def _rest(self, connection: sqlite3.Connection) -> None:
        """Bring the file to rest: one plain file; none where nothing was recorded into a new one.

        Where another process has the file open that is left to it; what was recorded is safe in the WAL.
        """
        with suppress(sqlite3.Error):
            if self._replaced:
                _drop_unused(connection)
            if self._is_new or connection.execute("pragma journal_mode").fetchone() == ("wal",):
                connection.execute(f"pragma busy_timeout = {_REST_MILLISECONDS}")
                connection.execute("pragma wal_checkpoint(truncate)")
                connection.execute("pragma journal_mode = delete")
                self._remove_unused(connection)
        connection.close()

    def _remove_unused(self, connection: sqlite3.Connection) -> None:
        if self._is_new and connection.execute("select count(*) from runs").fetchone() == (0,):
            with suppress(OSError):
                self.path.unlink()


def _create(path: Path) -> bool:
    """Make the file, for its owner alone; tell whether it was not there."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return False
    return True


def _create_format(connection: sqlite3.Connection, rules: Rules) -> None:
    connection.execute(f"pragma application_id = {layout.APPLICATION_ID}")
    connection.execute(f"pragma user_version = {layout.VERSION}")
    for statement in schema.statements():
        connection.execute(statement)
    for name, value in {"format": str(layout.VERSION), **layout.keyed_by(rules)}.items():
        _insert(connection, statements.INSERT_CASSETTE, {"name": name, "value": value})


def _insert(connection: sqlite3.Connection, statement: str, row: dict[str, Any]) -> int:
    return connection.execute(statement, row).lastrowid or 0


def _find_or_insert(connection: sqlite3.Connection, select_: str, insert_: str, row: dict[str, Any]) -> int:
    found: tuple[int] | None = connection.execute(select_, row).fetchone()
    return found[0] if found else _insert(connection, insert_, row)


def _store_body(connection: sqlite3.Connection, body: bytes) -> int | None:
    """Store a request body as a path of parts; return its last step, or None for an empty body."""
    step = 0
    for data in parts.cut(body) if body else ():
        part = {"sha256": hashlib.sha256(data).digest(), "data": layout.stored(data)}
        part_id = _find_or_insert(connection, statements.SELECT_PART, statements.INSERT_PART, part)
        link = {"parent_id": step, "part_id": part_id}
        step = _find_or_insert(connection, statements.SELECT_BODY, statements.INSERT_BODY, link)
    return step or None


def _drop_unused(connection: sqlite3.Connection) -> None:
    """Delete what was stored of requests that were replaced, and that no other request shares."""
    with transaction(connection):
        connection.execute(statements.DELETE_UNUSED_BODIES)
        connection.execute(statements.DELETE_UNUSED_PARTS)
        index.drop_unused(connection)


def _row(interaction: Interaction, number: int, run_id: int) -> dict[str, Any]:
    """Return all of an interaction's row but what stands in other tables."""
    track, request, response = interaction.track, interaction.request, interaction.response
    answer = summarize(response)
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
    except NotJsonError:
        return ""
    model = value.get("model") if isinstance(value, dict) else None
    return model.encode("utf-8", "replace").decode() if isinstance(model, str) else ""
