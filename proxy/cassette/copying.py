"""Copying rows from one cassette into an empty one.

Rule: what is copied is numbered as if it had just been recorded in its order: interactions from 1 on, and what they
share (parts and bodies, turns) where it first appears. What no interaction needs stays behind.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from proxy.cassette import schema
from proxy.cassette.logs import address
from proxy.cassette.opening import unreadable
from proxy.cassette.values import check_whole
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

Numbers = dict[int, int]
"""From the numbers of rows as they were to those that they get, in the order of the latter."""

_REFERENCES: Final = ("id", "run_id", "request_body", "turn_id")
_AS_THEY_ARE: Final = [column.name for column in schema.INTERACTIONS.c if column.name not in _REFERENCES]

_COPIES: Final = {
    "runs": """
select m.new, s.started_at, s.mode, s.upstream, s.llmtape_version
from temp.new_runs m join source.runs s on s.id = m.old where m.old = m.new order by m.new""",
    "parts": """
select m.new, s.sha256, s.data from temp.new_parts m join source.parts s on s.id = m.old order by m.new""",
    "bodies": """
select m.new, coalesce(before.new, 0), part.new
from temp.new_bodies m join source.bodies s on s.id = m.old
left join temp.new_bodies before on before.old = s.parent_id
join temp.new_parts part on part.old = s.part_id order by m.new""",
    "turns": """
select m.new, coalesce(before.new, 0), s.digest
from temp.new_turns m join source.turns s on s.id = m.old
left join temp.new_turns before on before.old = s.parent_id order by m.new""",
    "anchors": """
select coalesce(before.new, 0), s.word, m.new
from source.anchors s join temp.new_turns m on m.old = s.turn_id
left join temp.new_turns before on before.old = s.parent_id order by 1, 2, 3""",
    f"interactions ({', '.join((*_REFERENCES, *_AS_THEY_ARE))})": f"""
select m.new, run.new, body.new, turn.new, {", ".join(f"s.{name}" for name in _AS_THEY_ARE)}
from temp.new_interactions m join source.interactions s on s.id = m.old
join temp.new_runs run on run.old = s.run_id
left join temp.new_bodies body on body.old = s.request_body
left join temp.new_turns turn on turn.old = s.turn_id order by m.new""",  # noqa: S608
}
"""What fills each table; in this order, in which none refers to one that is still empty."""


def copy(source: Path, connection: sqlite3.Connection, keep: Callable[[int], bool] | None) -> int:
    """Copy the interactions whose ids are to be kept, all where nothing says which; return how many.

    The connection is to an empty cassette, in no transaction. Raises sqlite3.Error, and CassetteError where the source
    lacks rows that others refer to.
    """
    with _attached(connection, source):
        try:
            numbers = _numbers(connection, keep)
        except ValueError as error:
            raise CassetteError(unreadable(source, error)) from error
        connection.execute("begin")
        for name, moved in numbers.items():
            connection.execute(f"create temp table new_{name} (old integer primary key, new integer not null)")
            connection.executemany(f"insert into temp.new_{name} values (?, ?)", moved.items())  # noqa: S608
        for table, rows in _COPIES.items():
            done = connection.execute(f"insert into main.{table} {rows}").rowcount
            name = table.partition(" ")[0]
            if name in numbers and done != len(set(numbers[name].values())):
                raise CassetteError(
                    f"{source} is damaged: rows of {name} that others need are not there. "
                    f"`llmtape verify {source}` tells more"
                )
        for name in numbers:
            connection.execute(f"drop table temp.new_{name}")
        connection.execute("commit")
    return len(numbers["interactions"])


@contextmanager
def _attached(connection: sqlite3.Connection, source: Path) -> Iterator[None]:
    connection.execute("attach ? as source", (address(source),))
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("rollback")
        connection.execute("detach source")


def _numbers(connection: sqlite3.Connection, keep: Callable[[int], bool] | None) -> Mapping[str, Numbers]:
    rows = connection.execute("select id, run_id, request_body, turn_id from source.interactions order by id")
    kept = [row for row in rows if keep is None or keep(row[0])]
    check_whole(*(run for _, run, _, _ in kept))
    steps = {
        id_: (parent, part)
        for id_, parent, part in connection.execute("select id, parent_id, part_id from source.bodies")
    }
    turns = dict(connection.execute("select id, parent_id from source.turns").fetchall())
    bodies = _in_order((body for _, _, body, _ in kept), {id_: parent for id_, (parent, _) in steps.items()})
    return {
        "runs": _first_alike(connection, {run for _, run, _, _ in kept}),
        "parts": _numbered(steps[body][1] for body in bodies if body in steps),
        "bodies": bodies,
        "turns": _in_order((turn for *_, turn in kept), turns),
        "interactions": _numbered(id_ for id_, *_ in kept),
    }


def _first_alike(connection: sqlite3.Connection, runs: Collection[int]) -> Numbers:
    """Let runs keep their numbers, those that are alike the first one's."""
    known: dict[tuple[object, ...], int] = {}
    rows = connection.execute("select id, started_at, mode, upstream, llmtape_version from source.runs order by id")
    found = {id_: known.setdefault(tuple(run), id_) for id_, *run in rows if id_ in runs}
    return {run: found.get(run, run) for run in sorted(runs)}


def _numbered(ids: Iterable[int]) -> Numbers:
    numbers: Numbers = {}
    for id_ in ids:
        numbers.setdefault(id_, len(numbers) + 1)
    return numbers


def _in_order(ends: Iterable[int | None], parents: Mapping[int, int]) -> Numbers:
    """Count the steps of all paths that lead to the ends, each path from its beginning."""
    numbers: Numbers = {}
    for end in ends:
        climbed: dict[int, None] = {}  # a path of a damaged file may lead in a circle
        step = end or 0
        while step and step not in numbers and step not in climbed:
            climbed[step] = None
            step = parents.get(step, 0)
        for new in reversed(climbed):
            numbers[new] = len(numbers) + 1
    return numbers
