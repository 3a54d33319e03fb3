"""Writing the keys that other rules make.

Rule: the plan is made and written within one transaction, or nothing is changed; a file whose keys are as the rules
make them is not touched. The index goes with the keys: the same rules make both.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette import index, rest, statements
from proxy.cassette.migration import migrate
from proxy.cassette.reader import Reader
from proxy.cassette.transaction import connected, transaction, translated
from proxy.core.rekeying import Rekeying

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from proxy.core.rules import Rules


def rekey(path: Path, rules: Rules, accepts: Callable[[Rekeying], bool]) -> Rekeying:
    """Give all recordings the keys that the rules make, if the plan is accepted; return the plan.

    Raises CassetteError where the file is no cassette or cannot be written.
    """
    planned = _plan(path, rules)
    if planned is None or not accepts(planned):
        return planned or Rekeying({})
    try:
        with closing(connected(path)) as connection:
            connection.execute("pragma journal_mode = delete")  # refused while a recorder goes on by the old rules
            with transaction(connection):
                planned = _plan(path, rules)  # nobody else writes now
                if planned is not None and accepts(planned):
                    _write(connection, planned, rules)
        rest.settle(path, numbers_anew=True)
    except Exception as error:
        raise translated(error, path) from error
    return planned or Rekeying({})


def _plan(path: Path, rules: Rules) -> Rekeying | None:
    """Return what is to be written, be it only the rules; None where the file's own are the same."""
    with Reader(path, rules) as reader:
        return reader.rekeying


def _write(connection: sqlite3.Connection, planned: Rekeying, rules: Rules) -> None:
    changed = planned.takes.items()
    # Out of each other's way first: keys and takes may change places.
    connection.executemany(statements.UPDATE_KEY, [_row(id_, take.track.key, -id_) for id_, take in changed])
    connection.executemany(statements.UPDATE_KEY, [_row(id_, take.track.key, take.number) for id_, take in changed])
    if not migrate(connection, rules):
        index.rebuild(connection, rules)
    for name, value in layout.keyed_by(rules).items():
        row = {"name": name, "value": value}
        if not connection.execute(statements.UPDATE_CASSETTE, row).rowcount:
            connection.execute(statements.INSERT_CASSETTE, row)


def _row(id_: int, key: str, take: int) -> dict[str, object]:
    return {"id": id_, "key": key, "take": take}
