"""The long form's failing disks, for a short time; and that they fail as they should."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from torture import vfs
from torture.changes import changes
from torture.disk import SCENARIOS, recorders
from torture.failing import KINDS, disk
from torture.item import nothing
from torture.mounts import CASES, mounts
from torture.trials import Until, trials

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(vfs.why_not()), reason=vfs.why_not() or "never")


def test_no_answer_and_no_recording_is_lost_to_a_failing_disk(tmp_path: Path) -> None:
    assert "calls answered byte for byte" in recorders(30, tmp_path, nothing)


def test_a_command_that_fails_leaves_the_cassette_as_it_was(tmp_path: Path) -> None:
    assert "left the file as it was" in changes(60, tmp_path, nothing)


def test_real_disks_cost_no_answer_either(tmp_path: Path) -> None:
    assert "calls answered byte for byte" in mounts(len(CASES), tmp_path, nothing)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("full", sqlite3.SQLITE_FULL),
        ("torn", sqlite3.SQLITE_FULL),
        ("quota", sqlite3.SQLITE_IOERR_WRITE),
        ("fault", sqlite3.SQLITE_IOERR_WRITE),
        ("read-only", sqlite3.SQLITE_READONLY),
    ],
)
def test_sqlite_is_refused_from_the_wanted_chance_on_until_the_repair(tmp_path: Path, kind: str, number: int) -> None:
    with disk(tmp_path) as failing, closing(sqlite3.connect(tmp_path / "any.db", isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table t (a)")
        failing.fail(KINDS[kind], 1, lasts=True)
        for _ in range(2):
            with pytest.raises(sqlite3.OperationalError) as caught:
                connection.execute("insert into t values (1)")
            assert caught.value.sqlite_errorcode == number
        failing.repair()
        connection.execute("insert into t values (2)")
        assert connection.execute("select a from t").fetchall() == [(2,)]


def test_python_is_refused_once_and_only_there(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with disk(tmp_path / "disk") as failing:
        failing.fail(KINDS["full"], 2, lasts=False)
        (tmp_path / "disk" / "first").touch()
        (tmp_path / "elsewhere").touch()
        with pytest.raises(OSError, match="No space left") as caught:
            (tmp_path / "disk" / "second").touch()
        assert caught.value.errno == errno.ENOSPC
        (tmp_path / "disk" / "second").touch()
        assert failing.failed == {"create": 1}


def test_what_is_opened_afterwards_is_on_a_good_disk(tmp_path: Path) -> None:
    with disk(tmp_path) as failing:
        failing.fail(KINDS["full"], 1, lasts=True)
    with closing(sqlite3.connect(tmp_path / "any.db")) as connection:
        connection.execute("create table t (a)")


def test_each_chance_is_tried_once_before_any_is_tried_in_another_way() -> None:
    chances = {"one": {"full": 3}, "other": {"fault": 2}}
    drawn = trials(chances, tuple(Until), 99, 1)
    places = [(trial.scenario, trial.kind.name, trial.at) for trial in drawn]
    assert len({str(trial) for trial in drawn}) == len(drawn) == 15
    assert len(set(places[:5])) == 5
    assert trials(chances, tuple(Until), 4, 1) == drawn[:4]


def test_scenarios_have_what_is_lost_before_anything_fails() -> None:
    assert {scenario.before for scenario in SCENARIOS.values()} == {"", "earlier", "first"}
