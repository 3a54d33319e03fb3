"""What must hold from row to row is looked at, each thing by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.inspections import Inspection
from proxy.core.finding import Kind
from tests.cassette.damaging import agent, write
from tests.cassette.making import answer, change, question, rows, store, taken
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.finding import Finding


def found(path: Path) -> list[Finding]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        return [it for _, look in Inspection(connection, version).looks() for it in look]


def told(path: Path) -> list[tuple[Kind, str]]:
    return [(it.kind, it.what) for it in found(path)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    write(path, agent(5))
    return path


def test_a_file_at_rest_of_either_format_has_no_findings(path: Path) -> None:
    assert found(path) == found(FIRST) == []


def test_damage_that_sqlite_finds_is_told(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute("update sqlite_master set sql = replace(sql, 'UNIQUE (\"key\"', 'UNIQUE (key')")
        connection.execute("update sqlite_master set rootpage = 4 where name = 'interactions_by_turn'")
    kinds = {kind for kind, _ in told(path)}
    assert Kind.DAMAGE in kinds


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("update parts set data = 'x' where id = 2", Kind.DAMAGE, "part 2 of the stored requests is not what"),
        ("update parts set data = 7 where id = 2", Kind.DAMAGE, "part 2 of the stored requests is not what"),
        (
            "update interactions set run_id = 9 where id = 3",
            Kind.REFERENCE,
            "row 3 of interactions refers to a row of runs",
        ),
        ("delete from parts where id = 3", Kind.REFERENCE, "of bodies refers to a row of parts"),
        ("update bodies set parent_id = 999 where id = 4", Kind.REFERENCE, "row 4 of bodies has no parent"),
        ("update bodies set parent_id = 4 where id = 4", Kind.REFERENCE, "row 4 of bodies has no parent"),
        ("update turns set parent_id = 999 where id = 3", Kind.REFERENCE, "row 3 of turns has no parent"),
        ("update interactions set turn_id = null where id = 2", Kind.REFERENCE, "it is not indexed"),
        ("insert into runs values (7, 'a', 'b', 'c', 'd')", Kind.UNUSED, "needs 1 of the rows of runs"),
        ("insert into parts values (777, x'00', 'y')", Kind.UNUSED, "needs 1 of the rows of parts"),
        ("insert into bodies values (777, 0, 5)", Kind.UNUSED, "needs 1 of the rows of bodies"),
        ("insert into turns values (777, 0, 5)", Kind.UNUSED, "needs 1 of the rows of turns"),
        ("insert into anchors values (1, 5, 777)", Kind.UNUSED, "needs 1 of the rows of anchors"),
        ("update interactions set take = 3 where id = 2", Kind.GAP, "its takes are 3"),
    ],
)
def test_what_does_not_hold_is_told(path: Path, statement: str, kind: Kind, what: str) -> None:
    change(path, statement)
    assert any(it is kind and what in text for it, text in told(path))


def test_a_gap_names_the_key_the_lane_and_the_takes(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    store(path, [taken(question(), answer(b"%d" % number), number, lane="a") for number in (1, 2, 4)])
    (it,) = found(path)
    key = rows(path, "select key from interactions")[0][0]
    assert (it.kind, it.what, it.name, it.lane) == (Kind.GAP, "its takes are 1, 2, 4", key[:12], "a")


def test_a_step_that_leads_in_a_circle_ends_no_look(path: Path) -> None:
    change(path, "update bodies set parent_id = id + 1 where id < 5")
    change(path, "update turns set parent_id = id")
    assert {Kind.REFERENCE} <= {kind for kind, _ in told(path)}
