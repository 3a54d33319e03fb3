"""A file's tables and views are those of its format, however they came to be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.blueprint import differences
from proxy.core.finding import Kind
from tests.cassette.making import answer, change, question, store, taken
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from pathlib import Path


def found(path: Path) -> list[tuple[Kind, str]]:
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        return [(it.kind, it.what) for it in differences(connection, version)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    store(path, [taken(question(), answer(b"{}"))])
    return path


def test_a_file_that_was_recorded_is_as_it_should_be(path: Path) -> None:
    assert found(path) == []


def test_so_is_one_of_the_first_format_and_one_that_was_brought_to_the_present(path: Path) -> None:
    assert found(FIRST) == []
    path.write_bytes(FIRST.read_bytes())
    store(path, [taken(question("new"), answer(b"{}"))])
    assert found(path) == []


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("drop table anchors", Kind.SCHEMA, "the table anchors is missing"),
        ("alter table runs drop column upstream", Kind.SCHEMA, "it lacks: column upstream TEXT not null"),
        ("alter table runs rename column mode to way", Kind.SCHEMA, "the table runs is made otherwise"),
        ("drop index interactions_by_turn", Kind.SCHEMA, "it lacks: index on turn_id"),
        ("drop view transcript", Kind.VIEW, "the view transcript is missing"),
        ("create table notes (x)", Kind.EXTRA, "the table notes is none of a cassette's"),
        ("create view mine as select 1", Kind.EXTRA, "the view mine is none of a cassette's"),
        ("alter table runs add column host TEXT", Kind.EXTRA, "column host TEXT"),
        ("create index by_model on interactions (model)", Kind.EXTRA, "index on model"),
        (
            "create trigger t after insert on runs begin delete from interactions; end",
            Kind.TRIGGER,
            "the trigger t is none of a cassette's",
        ),
    ],
)
def test_what_differs_is_told(path: Path, statement: str, kind: Kind, what: str) -> None:
    change(path, statement)
    ((found_kind, told),) = found(path)
    assert found_kind is kind
    assert what in told


def test_a_view_that_says_something_else_is_told(path: Path) -> None:
    change(path, "drop view chunks")
    change(path, "create view chunks as select 1 as interaction_id, 2 as seq, 3 as at_us, 'x' as data")
    ((kind, what),) = found(path)
    assert kind is Kind.VIEW
    assert what.startswith("the view chunks is made otherwise")


def test_a_table_of_another_type_is_told(path: Path) -> None:
    change(path, "drop table anchors")
    change(path, "create table anchors (parent_id TEXT, word INTEGER, turn_id INTEGER)")
    told = dict(found(path))
    assert "column parent_id INTEGER not null key 1" in told[Kind.SCHEMA]


def test_a_column_that_is_computed_is_told(path: Path) -> None:
    change(path, "alter table runs add column more text as (hex(zeroblob(9)))")
    assert [(kind, "computed column more" in what) for kind, what in found(path)] == [(Kind.EXTRA, True)]
