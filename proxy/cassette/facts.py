"""What a file tells before anybody knows by which rules to open it.

Rule: each question opens the file, reads little, and closes it again.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from proxy.cassette.opening import check, opened, unreadable, why_not_a_cassette
from proxy.core import conflicts
from proxy.core.errors import CassetteError, CassetteMissingError, RuleError
from proxy.core.rules import DEFAULT, Rules, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def facts_in(path: Path) -> dict[str, str]:
    """Read what a cassette says of itself: its format, what made its keys, and what else was noted.

    Raises CassetteError.
    """
    with _peeked(path) as connection:
        return dict(connection.execute("select name, value from cassette").fetchall())


def rules_in(path: Path) -> Rules:
    """Read the rules that made the keys in a cassette. Raises CassetteError."""
    try:
        return read(facts_in(path).get("rules", DEFAULT.text))
    except RuleError as error:
        raise CassetteError(f"what made the keys in {path} is not known here: {error}. Update llmtape") from error


def require_settled(path: Path) -> None:
    """Raise CassetteError where a merge left conflicts: they hold recordings that nothing else shows."""
    if any(map(conflicts.is_one, facts_in(path))):
        raise CassetteError(
            f"{path} has conflicts of a merge, which hold recordings of their own: settle them first. "
            f"`llmtape merge --conflicts {path}` lists them"
        )


def lanes_in(path: Path) -> list[str]:
    """Name the lanes that have recordings in a cassette, sorted. Raises CassetteError."""
    with _peeked(path) as connection:
        return [lane for (lane,) in connection.execute("select distinct lane from interactions order by lane")]


@contextmanager
def _peeked(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise CassetteMissingError(f"there is no cassette {path}: record one with `llmtape record -c {path}`")
    try:
        with closing(opened(path)) as connection:
            check(connection, path)
            yield connection
    except sqlite3.Error as error:
        raise CassetteError(why_not_a_cassette(path, error) or unreadable(path, error)) from error
