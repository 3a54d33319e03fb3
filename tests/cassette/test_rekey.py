"""Recordings get the keys that other rules make: all of them, as if recorded so, or none."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette import format as layout
from proxy.cassette.reader import Reader
from proxy.cassette.rekey import rekey
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError, CassetteMissingError
from proxy.core.model import Outcome, Variant
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from proxy.core.rekeying import Rekeying
from proxy.core.rules import DEFAULT, PathAction, PathRule, Pattern, Rules
from tests.cassette.making import (
    AUTO,
    CALLS,
    RECORD,
    Call,
    answer,
    arriving,
    as_nobody,
    bodies,
    change,
    files,
    held,
    question,
    read_only_copy,
    rows,
    store,
    taken,
)
from tests.cassette.test_migration import FIRST, VIEWS, shape
from tests.core import scrubbing
from torture import failing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = ("cassette", "interactions", "turns", "anchors", "parts", "bodies", "runs")
RUNS = Rules(pattern=(Pattern(name="run", pattern=r"run \d+"),))
DATES = Rules(scrub=("date",))


def yes(_: Rekeying) -> bool:
    return True


def no(_: Rekeying) -> bool:
    return False


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Read all that stands in a file."""
    return {table: rows(path, f"select * from {table} order by 1, 2, 3") for table in TABLES if table != "cassette"} | {
        "cassette": rows(path, "select name, value from cassette order by name")
    }


def keys(path: Path) -> list[tuple[Any, ...]]:
    return rows(path, "select key, variant, lane, take from interactions order by id")


def runs(path: Path, texts: list[str], rules: Rules = DEFAULT) -> None:
    """Record one call after the other, each with another answer."""
    calls = [Call(question(text), b"%d" % number) for number, text in enumerate(texts, 1)]
    store(path, arriving(calls, rules), AUTO, rules)


@contextmanager
def untouched(path: Path) -> Iterator[None]:
    before = path.read_bytes(), path.stat().st_mtime_ns
    yield
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert files(path) == [path.name]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


# As if recorded under these rules


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALLS, min_size=1, max_size=6), scrubbing.ALL)
def test_all_is_as_a_recording_under_the_rules_would_have_it_and_other_rules_part_it_again(
    tmp_path: Path, calls: list[Call], rules: Rules
) -> None:
    path, fresh = tmp_path / "tape.sqlite", tmp_path / "fresh.sqlite"
    for each in (path, fresh):
        each.unlink(missing_ok=True)
    store(path, arriving(calls), AUTO)
    store(fresh, arriving(calls, rules), AUTO, rules)
    before = content(path)
    rekey(path, rules, yes)
    assert content(path) == content(fresh)
    assert shape(path) == shape(fresh)
    rekey(path, DEFAULT, yes)
    after = content(path)
    assert [row[:4] for row in after.pop("interactions")] == [row[:4] for row in before.pop("interactions")]
    assert after == before


@pytest.mark.parametrize(
    "rules",
    [
        RUNS,
        Rules(path=(PathRule(name="said", path="$.messages[0].content", action=PathAction.REPLACE),)),
        Rules(models={"alias": "m"}),
        Rules(scrub=("date",), ignore_max_tokens=True),
    ],
    ids=["pattern", "path", "models", "scrubber and switch"],
)
def test_what_is_near_is_found_by_the_index_from_then_on(path: Path, rules: Rules) -> None:
    asked = [question("run 1 at 2026-11-25"), question("hello", model="alias")]
    store(path, arriving([Call(request) for request in asked]))
    rekey(path, rules, yes)
    with Reader(path, rules) as reader:
        assert reader.is_indexed
        for request in asked:
            canonical = normalize(request, rules)
            assert canonical.key in {take.track.key for take, _, _ in reader.near(outline(canonical.content))}
    assert rows(path, "select count(*) from interactions where turn_id not in (select id from turns)") == [(0,)]
    assert rows(path, "pragma foreign_key_check") == []
    assert rows(path, "pragma integrity_check") == [("ok",)]


def test_the_plan_that_is_returned_is_the_one_that_was_asked_about_and_written(path: Path) -> None:
    runs(path, ["run 1", "run 2", "other"])
    asked: list[Rekeying] = []

    def accepts(planned: Rekeying) -> bool:
        asked.append(planned)
        return True

    planned = rekey(path, RUNS, accepts)
    assert set(map(repr, asked)) == {repr(planned)}
    assert planned.changed == 2
    assert [merge.differs for merge in planned.merges] == [True]
    with Reader(path, RUNS) as reader:
        assert {entry.take.id: entry.take for entry in reader.entries()} == planned.takes


def test_recordings_that_merge_become_takes_in_the_order_in_which_they_were_recorded(path: Path) -> None:
    runs(path, ["run 1", "other", "run 2", "run 1"])
    rekey(path, RUNS, yes)
    merged, other = normalize(question("run 3"), RUNS).key, normalize(question("other")).key
    assert [row[::3] for row in keys(path)] == [(merged, 1), (other, 1), (merged, 2), (merged, 3)]
    assert [one.response.body for one in held(path, RUNS)] == [b"1", b"2", b"3", b"4"]


def test_recordings_of_several_runs_merge_in_the_order_in_which_they_were_recorded(path: Path) -> None:
    for text in ("run 2", "run 1"):
        runs(path, [text])
    rekey(path, RUNS, yes)
    assert [row[-1] for row in keys(path)] == [1, 2]


def test_recordings_merge_within_their_lane_and_variant(path: Path) -> None:
    places = [("", Variant.JSON), ("t", Variant.JSON), ("", Variant.SSE)]
    calls = [Call(question(f"run {n}"), lane=lane, variant=variant) for n in (1, 2) for lane, variant in places]
    store(path, arriving(calls))
    rekey(path, RUNS, yes)
    assert [row[1:] for row in keys(path)] == [(variant, lane, take) for take in (1, 2) for lane, variant in places]


def test_what_was_merged_is_parted_again_by_the_rules_of_before(path: Path) -> None:
    texts = ["run 1", "run 2", "run 1", "other"]
    runs(path, texts)
    rekey(path, RUNS, yes)
    rekey(path, DEFAULT, yes)
    assert [key for key, *_ in keys(path)] == [normalize(question(text)).key for text in texts]
    with Reader(path) as reader:
        for text, expected in (("run 1", [b"1", b"3"]), ("run 2", [b"2"]), ("other", [b"4"])):
            takes = reader.takes_of_key(normalize(question(text)).key)
            assert [reader.response(take)[0].body for take in takes] == expected


def test_keys_that_change_places_do_not_collide(path: Path) -> None:
    """Where each is to get the key that another still has."""
    runs(path, ["a", "b", "c"])
    before = keys(path)
    change(path, "update interactions set key = 'x' || id")
    for id_ in (1, 2, 3):
        change(path, f"update interactions set key = '{before[id_ % 3][0]}' where id = {id_}")
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    assert sorted(keys(path)) == sorted(before)
    assert keys(path) != before
    assert rekey(path, DEFAULT, yes).changed == 3
    assert keys(path) == before


def test_takes_that_change_places_do_not_collide(path: Path) -> None:
    """The alias was asked first, and gets the very key and number that the model's own call still has."""
    models = Rules(models={"alias": "m"})
    store(path, arriving([Call(question(model=model)) for model in ("alias", "m", "alias", "m")]))
    rekey(path, models, yes)
    assert [row[::3] for row in keys(path)] == [(normalize(question()).key, take) for take in (1, 2, 3, 4)]


def test_what_was_asked_and_answered_stays_as_it_is(path: Path) -> None:
    made = arriving([Call(question(f"run {number}"), b"%d" % number) for number in (1, 2)])
    made.append(taken(question("cut"), answer(b"stump", outcome=Outcome.CUT)))
    store(path, made)
    views = {view: rows(path, f"select * from {view}") for view in VIEWS}
    rekey(path, RUNS, yes)
    assert {(one.request, one.response, one.recorded_at) for one in held(path, RUNS)} == {
        (one.request, one.response, one.recorded_at) for one in made
    }
    assert {view: rows(path, f"select * from {view}") for view in VIEWS} == views


def test_a_file_that_does_not_say_what_made_its_keys_says_it_afterwards(path: Path) -> None:
    runs(path, ["run 1"])
    change(path, "delete from cassette where name <> 'format'")
    rekey(path, RUNS, yes)
    assert dict(rows(path, "select name, value from cassette")).items() >= layout.keyed_by(RUNS).items()
    runs(path, ["run 2"], RUNS)


def test_a_file_without_recordings_gets_the_rules(path: Path) -> None:
    """A recorder that was killed leaves one; else nothing could be recorded into it any more."""
    runs(path, ["run 1"])
    change(path, "delete from interactions")
    assert rekey(path, RUNS, yes).takes == {}
    runs(path, ["run 2"], RUNS)
    assert bodies(path)[-1:] == [b"1"]


def test_a_file_of_the_first_format_is_brought_to_the_present_one(path: Path) -> None:
    shutil.copy(FIRST, path)
    before = held(path)
    fresh = path.with_name("fresh.sqlite")
    store(
        fresh, [taken(one.request, one.response, variant=one.track.variant, rules=DATES) for one in before], AUTO, DATES
    )
    rekey(path, DATES, yes)
    assert rows(path, "pragma user_version") == [(layout.VERSION,)]
    assert shape(path) == shape(fresh)
    assert keys(path) == keys(fresh)
    for table in ("cassette", "turns", "anchors"):
        assert sorted(rows(path, f"select * from {table}")) == sorted(rows(fresh, f"select * from {table}"))
    assert [(one.request, one.response) for one in held(path, DATES)] == [(one.request, one.response) for one in before]
    with Reader(path, DATES) as reader:
        assert reader.is_indexed


# Nothing is touched


@pytest.mark.parametrize(
    "rules", [DATES, Rules(scrub=("date", "date"), restore=True)], ids=["same", "same but for keys"]
)
def test_a_file_of_the_same_rules_is_not_touched(path: Path, rules: Rules) -> None:
    runs(path, ["2026-11-25"], DATES)
    with untouched(path):
        assert rekey(path, rules, yes) == Rekeying({})


def test_a_file_of_the_first_format_and_of_the_same_rules_is_not_touched(path: Path) -> None:
    shutil.copy(FIRST, path)
    with untouched(path):
        rekey(path, DEFAULT, yes)


def test_where_the_plan_is_not_accepted_nothing_is_touched(path: Path) -> None:
    runs(path, ["run 1", "run 2"])
    with untouched(path):
        planned = rekey(path, RUNS, no)
        assert len(planned.conflicts) == 1
        assert rekey(path, RUNS, lambda planned: not planned.conflicts) == planned


def test_a_file_that_nobody_may_write_can_be_asked_what_would_change(path: Path) -> None:
    runs(path, ["run 1"])
    with read_only_copy(path) as copy, untouched(copy), as_nobody():
        assert rekey(copy, RUNS, no).changed == 1


# All or nothing


@pytest.mark.parametrize("first", [True, False], ids=["first format", "present format"])
def test_a_full_disk_leaves_the_file_as_it_was(path: Path, *, first: bool) -> None:
    if first:
        shutil.copy(FIRST, path)
    else:
        runs(path, [f"{number} of many words at 2026-11-25" for number in range(50)])
    with failing.disk(path.parent) as disk:
        for at in (1, 2, 20, 40):
            disk.fail(failing.KINDS["full"], at, lasts=True)
            with untouched(path), pytest.raises(CassetteError, match=r"disk is full|No space left|unable to open"):
                rekey(path, DATES, yes)
        disk.repair()
        rekey(path, DATES, yes)
    assert layout.keyed_by(DATES).items() <= dict(rows(path, "select name, value from cassette")).items()


@pytest.mark.parametrize("mode", [0o444, 0o666], ids=["file", "folder"])
def test_a_file_that_cannot_be_written_is_told(path: Path, mode: int) -> None:
    runs(path, ["run 1"])
    with (
        read_only_copy(path, mode=mode) as copy,
        untouched(copy),
        as_nobody(),
        pytest.raises(CassetteError, match=r"cannot write the cassette .*Is the folder there, writable"),
    ):
        rekey(copy, RUNS, yes)


def test_a_missing_file_is_told_and_none_is_made(path: Path) -> None:
    with pytest.raises(CassetteMissingError, match="there is no cassette"):
        rekey(path, RUNS, yes)
    assert files(path) == []


@pytest.mark.parametrize("made", ["text", "folder", "another program's", "a later format"])
def test_what_is_no_cassette_is_told_and_left_as_it_is(path: Path, made: str) -> None:
    if made == "folder":
        path.mkdir()
    elif made == "text":
        path.write_text("just some text, longer than the head of a database " * 40)
    elif made == "another program's":
        change(path, "create table interactions(id)")
    else:
        runs(path, ["run 1"])
        change(path, f"pragma user_version = {layout.VERSION + 1}")
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(CassetteError, match=r"is not a cassette|is a folder|update llmtape") as caught:
        rekey(path, RUNS, yes)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


# Beside others


def test_a_recorder_that_is_at_work_is_told_and_goes_on_undisturbed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on by the old rules, and its recordings would never be found again."""
    runs(path, ["run 1"])
    monkeypatch.setattr("proxy.cassette.transaction.BUSY_SECONDS", 0.01)
    writer = Writer(path, AUTO)
    writer.save(taken(question("run 2"), answer(b"2"))).result()
    before = content(path)
    with pytest.raises(
        CassetteError, match=r"cannot write the cassette .*: another process, such as a recorder, holds"
    ):
        rekey(path, RUNS, yes)
    assert content(path) == before
    writer.save(taken(question("run 3"), answer(b"3"))).result()
    writer.close()
    assert [one.track.key for one in held(path)] == [normalize(question(f"run {n}")).key for n in (1, 2, 3)]
    assert rekey(path, RUNS, yes).changed == 3
    assert files(path) == [path.name]


def test_one_who_writes_for_long_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(path, ["run 1"])
    monkeypatch.setattr("proxy.cassette.transaction.BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(CassetteError, match="another process, such as a recorder, holds it"):
            rekey(path, RUNS, yes)
        other.execute("rollback")
    assert rekey(path, RUNS, yes).changed == 1


def test_one_who_writes_shortly_is_waited_for(path: Path) -> None:
    runs(path, ["run 1"])
    begun: list[threading.Timer] = []
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:

        def accepts(_: Rekeying) -> bool:
            if not begun:
                other.execute("begin immediate")
                begun.append(threading.Timer(0.05, other.execute, ["commit"]))
                begun[0].start()
            return True

        assert rekey(path, RUNS, accepts).changed == 1
        begun[0].join()
    assert keys(path)[0][0] == normalize(question("run 2"), RUNS).key


def test_what_another_recorded_since_the_plan_was_made_gets_its_key_as_well(path: Path) -> None:
    runs(path, ["run 1"])
    seen: list[int] = []

    def accepts(planned: Rekeying) -> bool:
        if not seen:
            runs(path, ["run 2"])
        seen.append(len(planned.takes))
        return True

    planned = rekey(path, RUNS, accepts)
    assert seen == [1, 2]
    assert len(planned.merges) == 1
    assert [row[-1] for row in keys(path)] == [1, 2]


def test_what_another_recorded_since_may_make_the_plan_unacceptable(path: Path) -> None:
    runs(path, ["run 1"])
    calls: list[Rekeying] = []

    def accepts(planned: Rekeying) -> bool:
        if not calls:
            store(path, [taken(question("run 2"), answer(b"another"))], AUTO)
        calls.append(planned)
        return not planned.conflicts

    with pytest.raises(CassetteError, match=r"another process changed .* meanwhile, and nothing was written"):
        rekey(path, RUNS, accepts)
    assert [len(planned.conflicts) for planned in calls] == [0, 1]
    assert [key for key, *_ in keys(path)] == [normalize(question(f"run {n}")).key for n in (1, 2)]


def test_what_another_rekeyed_since_is_left_as_it_is(path: Path) -> None:
    runs(path, ["run 1"])
    begun: list[Rekeying] = []

    def accepts(planned: Rekeying) -> bool:
        if not begun:
            begun.append(planned)
            rekey(path, RUNS, yes)
        return True

    assert rekey(path, RUNS, accepts) == Rekeying({})
    assert keys(path)[0][0] == normalize(question("run 1"), RUNS).key


def test_a_cassette_is_one_plain_file_afterwards(path: Path) -> None:
    runs(path, ["run 1", "run 2"])
    rekey(path, RUNS, yes)
    assert files(path) == [path.name]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # the header's word for: no WAL


def test_a_recorder_that_was_idle_meanwhile_records_nothing_under_the_old_rules(path: Path) -> None:
    runs(path, ["run 1"])
    writer = Writer(path, AUTO)
    rekey(path, RUNS, yes)
    before = content(path)
    with pytest.raises(CassetteError, match="llmtape rekey"):
        writer.save(taken(question("run 2"), answer(b"2"))).result()
    writer.close()
    assert content(path) == before


def test_what_a_killed_recorder_left_is_brought_to_rest(path: Path) -> None:
    runs(path, ["run 1"])
    left = path.parent / "left" / path.name
    left.parent.mkdir()
    writer = Writer(path, RECORD)
    writer.save(taken(question("run 2"), answer(b"2"))).result()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, left.with_name(file.name))
    writer.close()
    assert f"{path.name}-wal" in files(left)
    rekey(left, RUNS, yes)
    assert [row[-1] for row in keys(left)] == [1, 2]
    assert files(left) == [left.name]
