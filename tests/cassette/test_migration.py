"""A file of the first format is read as it is, and brought to the present one with the first recording into it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from proxy.cassette import format as layout
from proxy.cassette import index
from proxy.cassette.reader import Reader
from proxy.cassette.shelf import Tape
from proxy.cassette.writer import Writer
from proxy.core.deck import Deck
from proxy.core.errors import CassetteError
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from tests.cassette.making import AUTO, RECORD, answer, bodies, change, files, held, question, rows, store, taken

FIRST = Path(__file__).with_name("first.sqlite")
"""Recorded by the first version, and kept for good: cassettes/samples.sqlite as it was then."""

NEW = taken(question("something new"), answer(b"new"))
VIEWS = ("requests", "chunks", "transcript")


def shape(path: Path) -> dict[str, Any]:
    """Describe a file's tables, columns, indexes, references and views."""
    told: dict[str, Any] = {}
    for name, kind, sql in rows(path, "select name, type, sql from sqlite_master"):
        if kind == "table":
            told[name] = [
                sorted(rows(path, f"select * from pragma_{part}('{name}')"), key=repr)
                for part in ("table_xinfo", "index_list", "foreign_key_list")
            ]
            told[name][2] = {row[2:] for row in told[name][2]}  # without the numbers that references have
        else:
            told[name] = sql
    return told


def outlines(path: Path) -> dict[str, list[int]]:
    """Read the digests that lead to each interaction, by its key."""
    turns = {turn: (parent, digest) for turn, parent, digest in rows(path, "select * from turns")}
    found: dict[str, list[int]] = {}
    for key, last in rows(path, "select key, turn_id from interactions"):
        turn, found[key] = last, []
        while turn:
            turn, digest = turns[turn]
            found[key].insert(0, digest)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(FIRST, tmp_path / "tape.sqlite"))


def test_the_first_format_has_no_index_and_is_read_all_the_same(path: Path) -> None:
    with Reader(path) as reader:
        assert not reader.is_indexed
        assert all(reader.interaction(entry.take).response.chunks for entry in reader.entries())
    assert path.read_bytes() == FIRST.read_bytes()


def test_the_nearest_is_found_in_a_file_of_the_first_format_that_nobody_may_write(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        asked = normalize(question("What is a casette?", model="gpt-4o-mini"))
        near = Tape(path, Deck()).nearest(asked)
    finally:
        path.parent.chmod(0o755)
    assert near is not None
    assert near.canonical.content["body"]["messages"][0]["content"] == "What is a cassette?"
    assert files(path) == [path.name]


def test_recording_into_it_brings_it_to_the_present_format_and_loses_nothing(path: Path) -> None:
    before = held(path)
    views = {view: rows(path, f"select * from {view}") for view in VIEWS}
    store(path, [NEW], AUTO)
    assert held(path) == [*before, NEW]
    for view, old in views.items():
        assert rows(path, f"select * from {view}")[: len(old)] == old
    assert rows(path, "pragma user_version") == [(layout.VERSION,)]
    assert rows(path, "select value from cassette where name = 'format'") == [(str(layout.VERSION),)]
    assert rows(path, "pragma foreign_key_check") == []
    assert rows(path, "pragma integrity_check") == [("ok",)]
    assert files(path) == [path.name]


def test_what_was_recorded_before_is_in_the_index_from_then_on(path: Path) -> None:
    store(path, [NEW], AUTO)
    requests = [one.request for one in held(path)]
    contents = {canonical.key: canonical.content for canonical in map(normalize, requests)}
    expected = {key: [step.digest for step in outline(content)] for key, content in contents.items()}
    assert outlines(path) == expected
    with Reader(path) as reader:
        assert reader.is_indexed
        for key, content in contents.items():
            assert key in {take.track.key for take, _, _ in reader.near(outline(content))}


def test_the_schema_is_the_one_that_a_new_file_has(path: Path) -> None:
    store(path, [NEW], AUTO)
    fresh = path.with_name("fresh.sqlite")
    store(fresh, [NEW], AUTO)
    assert shape(path) == shape(fresh)


def test_the_index_is_the_one_that_a_new_file_has(path: Path) -> None:
    fresh = path.with_name("fresh.sqlite")
    store(fresh, [*held(path), NEW], AUTO)
    store(path, [NEW], AUTO)
    for table in ("turns", "anchors"):
        assert sorted(rows(path, f"select * from {table}")) == sorted(rows(fresh, f"select * from {table}"))


@pytest.mark.parametrize("run", [RECORD, AUTO], ids=lambda run: run.mode)
def test_a_run_that_records_nothing_leaves_it_byte_for_byte(path: Path, run: Any) -> None:
    store(path, [], run)
    assert path.read_bytes() == FIRST.read_bytes()


def test_a_migration_that_fails_leaves_the_first_format(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held(path)
    added = index.add
    calls = iter(range(100))

    def fail(*args: Any) -> int:
        if next(calls) == 3:
            raise sqlite3.OperationalError("disk full")
        return added(*args)

    monkeypatch.setattr(index, "add", fail)
    writer = Writer(path, AUTO)
    with pytest.raises(CassetteError, match="disk full"):
        writer.save(NEW).result()
    assert rows(path, "pragma user_version") == [(1,)]
    assert held(path) == before
    writer.save(NEW).result()
    writer.close()
    assert rows(path, "pragma user_version") == [(layout.VERSION,)]
    assert held(path) == [*before, NEW]


def test_two_recorders_migrate_it_once(path: Path) -> None:
    one, other = Writer(path, AUTO), Writer(path, AUTO)
    one.save(NEW).result()
    other.save(taken(question("something else"), answer(b"else"))).result()
    one.close()
    other.close()
    assert bodies(path)[-2:] == [b"new", b"else"]
    assert len(outlines(path)) == len(held(path))


def test_a_file_of_the_first_format_and_of_other_rules_is_refused_and_left_as_it_is(path: Path) -> None:
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    before = path.read_bytes()
    with pytest.raises(CassetteError, match="other rules"):
        Writer(path, AUTO)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208  as short as it gets
