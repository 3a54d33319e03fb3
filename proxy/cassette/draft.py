"""A new cassette, until it is whole.

Rule: a change of a cassette is a draft of its successor: all of it is written beside the old file, which nobody else
may write meanwhile, and takes its place in one step, or leaves no trace.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette import copying, statements, storing
from proxy.cassette import format as layout
from proxy.cassette.opening import check, opened
from proxy.cassette.patience import bounded
from proxy.cassette.reader import Reader
from proxy.cassette.replacing import folder_beside, held, lay_out, put_in_place
from proxy.cassette.transaction import translated
from proxy.core.errors import CassetteError, RuleError
from proxy.core.model import take_name
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from proxy.core.model import Interaction, RecordedRun, Request
    from proxy.core.rules import Rules

_LARGEST_RUN: Final = 2**31 - 1
"""Of the numbers that a run keeps: whoever records next takes the one after the largest, and SQLite ends at 2**63."""


class Draft:
    """A cassette that is being written, from its first interaction to its last."""

    def __init__(self, path: Path, facts: Mapping[str, str]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, uri=True)
        # Nobody opens a draft, and one that was broken off is thrown away.
        for setting in ("journal_mode = off", "synchronous = off", "locking_mode = exclusive"):
            self._connection.execute(f"pragma {setting}")
        self._rules_text = facts.get("rules", DEFAULT.text)
        self._runs: dict[tuple[str, ...], int] = {}
        self._begin()
        storing.create_format(self._connection, facts)

    @cached_property
    def _rules(self) -> Rules:
        """What made the keys; copying can do without."""
        try:
            return read(self._rules_text)
        except RuleError as error:
            raise CassetteError(f"what made the keys is not known to this llmtape: {error}. Update llmtape") from error

    def copy(self, source: Path, keep: Callable[[int], bool] | None = None) -> int:
        """Copy interactions as they are, all or those whose ids are to be kept; return how many.

        Only into a draft that has none yet. Raises CassetteError.
        """
        with closing(opened(source)) as connection:
            is_indexed = check(connection, source) >= layout.INDEXED
        if not is_indexed:
            return self._copy_one_by_one(source, keep)
        self._connection.execute("commit")
        count = copying.copy(source, self._connection, keep)
        self._begin()
        for id_, *run in self._connection.execute(statements.ALL_RUNS):
            self._runs[tuple(run)] = id_
        return count

    def add(self, interaction: Interaction, run: RecordedRun) -> None:
        """Add an interaction of a run after all others; runs that are alike are one.

        Raises CassetteError where its track has such a take already.
        """
        content = interaction.content or self._content(interaction.request)
        try:
            storing.store(self._connection, interaction, interaction.number, self._run(run), id_=None, content=content)
        except sqlite3.IntegrityError as error:
            track = interaction.track
            raise CassetteError(
                f"{take_name(track.key, interaction.number)} ({track.variant}, lane {track.lane!r}) is there twice"
            ) from error
        except OverflowError as error:
            name = take_name(interaction.track.key, interaction.number)
            raise CassetteError(f"{name}: numbers end before its") from error

    def _content(self, request: Request) -> dict[str, Any]:
        with bounded(self._rules):
            return normalize(request, self._rules).content

    def note(self, name: str, value: str) -> None:
        """State a fact about the file, in its table `cassette`."""
        row = {"name": name, "value": value}
        if not self._connection.execute(statements.UPDATE_CASSETTE, row).rowcount:
            storing.insert(self._connection, statements.INSERT_CASSETTE, row)

    def forget(self, name: str) -> None:
        """State a fact no more."""
        self._connection.execute("delete from cassette where name = ?", (name,))

    def put_facts_in_order(self) -> None:
        """Have what was noted stand where it would stand had it been a fact from the beginning."""
        facts = self._connection.execute("select name, value from cassette order by name").fetchall()
        self._connection.execute("delete from cassette")
        for name, value in facts:
            storing.insert(self._connection, statements.INSERT_CASSETTE, {"name": name, "value": value})

    def close(self) -> None:
        """End writing."""
        if self._connection.in_transaction:
            self._connection.execute("commit")
        self._connection.close()

    def _begin(self) -> None:
        self._connection.execute("begin")

    def _run(self, run: RecordedRun) -> int:
        """Find a run's row, or make it: under its own number, unless another run has that."""
        content = (run.started_at, run.mode, run.upstream, run.llmtape_version)
        if content not in self._runs:
            taken = set(self._runs.values())
            is_kept = 0 < run.id <= _LARGEST_RUN and run.id not in taken
            id_ = run.id if is_kept else max(taken, default=0) + 1
            row = dict(zip(("started_at", "mode", "upstream", "llmtape_version"), content, strict=True))
            storing.insert(self._connection, statements.INSERT_RUN_AT, {**row, "id": id_})
            self._runs[content] = id_
        return self._runs[content]

    def _copy_one_by_one(self, source: Path, keep: Callable[[int], bool] | None) -> int:
        """Copy from a format that lacks what others have."""
        count = 0
        with Reader(source, self._rules) as reader:
            for interaction, run in reader.stored(keep):
                self.add(interaction, run)
                count += 1
        return count


@contextmanager
def drafted(path: Path, *, facts: Mapping[str, str] | None = None, replace: bool = True) -> Iterator[Draft]:
    """Write a cassette's successor; where the block ends well, it takes the place of `path`.

    `facts` are what the table `cassette` says: those of the file that is there, unless others are given; the default
    rules' for a new one. With `replace` false there may be no file. Raises CassetteError where the old file is no
    cassette, a recorder holds it, or the new one cannot be written.
    """
    target = path.resolve()
    try:
        with ExitStack() as stack:
            if not replace and target.exists():
                raise CassetteError(f"{path} is there already: name a file that is not, or remove it")
            folder = stack.enter_context(folder_beside(target))
            is_new = not target.exists()
            old = None if is_new else _facts_of(target, stack)
            draft = Draft(folder / "draft.sqlite", facts if facts is not None else old or layout.keyed_by(DEFAULT))
            with closing(draft):
                yield draft
                draft.put_facts_in_order()
            put_in_place(lay_out(folder / "draft.sqlite", folder), target, is_new=is_new)
    except (sqlite3.Error, OSError) as error:
        raise translated(error, path) from error


def _facts_of(path: Path, stack: ExitStack) -> Mapping[str, str] | None:
    """Hold a file until the end, and read its facts; an empty file has none."""
    if path.stat().st_size:
        with closing(opened(path)) as connection:
            check(connection, path)
    stack.enter_context(held(path))
    if not path.stat().st_size:
        return None
    with closing(opened(path)) as connection:
        return dict(connection.execute("select name, value from cassette").fetchall())
