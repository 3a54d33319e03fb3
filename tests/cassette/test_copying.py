"""Copying rows, also those of a damaged file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.draft import drafted
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, bodies, change, question, rows, store, taken

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question(text), answer(text.encode())) for text in ("a", "b")])
    return path


@pytest.mark.parametrize("table", ["parts", "bodies", "turns", "runs"])
def test_rows_that_others_need_and_are_not_there_are_told(path: Path, table: str) -> None:
    change(path, f"delete from {table} where id = 1")
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=r"damaged.*llmtape verify"), drafted(path) as draft:
        draft.copy(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("table", ["bodies", "turns"])
def test_a_path_that_leads_in_a_circle_is_walked_once(path: Path, table: str) -> None:
    change(path, f"update {table} set parent_id = 2 where id = 1")
    change(path, f"update {table} set parent_id = 1 where id = 2")
    with drafted(path) as draft:
        assert draft.copy(path) == 2
    assert rows(path, f"select count(*) from {table}")[0][0] >= 2


def test_what_nobody_needs_stays_behind(path: Path) -> None:
    change(path, "insert into parts (sha256, data) values (x'00', 'left over')")
    change(path, "insert into turns (parent_id, digest) values (0, 7)")
    change(path, "insert into runs select 9, started_at, mode, upstream, llmtape_version from runs")
    with drafted(path) as draft:
        draft.copy(path)
    assert [rows(path, f"select count(*) from {table}") for table in ("parts", "turns", "runs")] == [
        [(2,)],
        [(3,)],
        [(1,)],
    ]
    assert bodies(path) == [b"a", b"b"]


def test_a_file_whose_name_sqlite_could_misread_is_copied(path: Path) -> None:
    odd = path.with_name("100% a?b#c.sqlite")
    path.rename(odd)
    with drafted(odd) as draft:
        assert draft.copy(odd, lambda id_: id_ == 2) == 1
    assert bodies(odd) == [b"b"]


def test_runs_that_are_alike_are_one(path: Path) -> None:
    change(path, "insert into runs select 3, started_at, mode, upstream, llmtape_version from runs")
    change(path, "update interactions set run_id = 3 where id = 2")
    with drafted(path) as draft:
        draft.copy(path)
    assert rows(path, "select run_id from interactions") == [(1,), (1,)]
    assert rows(path, "select id from runs") == [(1,)]


def test_a_recording_whose_run_is_no_number_is_told(path: Path) -> None:
    change(path, "pragma foreign_keys = off")
    change(path, "update interactions set run_id = 'x' where id = 1")
    with pytest.raises(CassetteError, match="stands where an integer should"), drafted(path) as draft:
        draft.copy(path)
