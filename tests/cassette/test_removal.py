"""Removing recordings: what is left is as if they had never been there."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cassette.reader import Entry, Reader
from proxy.cassette.removal import remove
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import (
    AUTO,
    CALLS,
    RECORD,
    Call,
    answer,
    arriving,
    bodies,
    change,
    files,
    held,
    interactions,
    question,
    read_only_copy,
    remembered,
    rows,
    store,
    taken,
)
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from proxy.core.model import Interaction

RUN = remembered(AUTO)
DATES = Rules(scrub=("date",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def one(text: str, number: int = 1) -> Interaction:
    return taken(question(text), answer(text.encode()), number)


def listed(path: Path, rules: Rules = DEFAULT) -> list[Entry]:
    """List recordings as they stand in the file."""
    with Reader(path, rules) as reader:
        return sorted(reader.entries(), key=lambda entry: entry.take.id)


def distinct(drawn: list[Interaction]) -> list[Interaction]:
    return list({(one.track, one.number): one for one in drawn}.values())


RECORDINGS = st.lists(interactions(), max_size=5).map(distinct) | st.lists(CALLS, max_size=6).map(arriving)


@settings(max_examples=40, deadline=None)
@given(st.data(), RECORDINGS, st.sampled_from([DEFAULT, DATES]))
def test_the_rest_has_the_bytes_of_a_cassette_that_never_had_what_goes(
    data: st.DataObject, recorded: list[Interaction], rules: Rules
) -> None:
    gone = data.draw(st.sets(st.sampled_from(range(len(recorded)))) if recorded else st.just(set[int]()))
    with TemporaryDirectory() as folder:
        path, other = (Path(folder) / f"{name}.sqlite" for name in ("tape", "other"))
        for file, among in ((path, recorded), (other, [it for place, it in enumerate(recorded) if place not in gone])):
            with drafted(file) as draft:
                for interaction in among:
                    draft.add(interaction, RUN)
        remove(path, [listed(path, rules)[place] for place in gone], rules)
        assert path.read_bytes() == other.read_bytes()
        assert files(path) == ["other.sqlite", "tape.sqlite"]


def test_a_long_conversation_goes_without_what_others_of_it_share(path: Path) -> None:
    turns = [one("a secret of its own " + " and on" * turn * 200) for turn in range(5)]
    store(path, turns, AUTO)
    remove(path, listed(path)[1:], DEFAULT)
    store(path.with_name("other.sqlite"), turns[:1], AUTO)
    assert path.read_bytes() == path.with_name("other.sqlite").read_bytes()
    remove(path, listed(path), DEFAULT)
    assert b"a secret of its own" not in path.read_bytes()
    assert [rows(path, f"select count(*) from {table}") for table in ("parts", "bodies", "turns", "runs")] == [
        [(0,)]
    ] * 4


def test_what_was_replaced_since_it_was_listed_stays_and_so_does_all_else(path: Path) -> None:
    store(path, [one("a"), one("b"), one("c")], AUTO)
    entries = listed(path)
    with drafted(path) as draft:  # it numbers the rest anew
        draft.copy(path, lambda id_: id_ != 1)
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=r"another process changed .* nothing was removed: try again"):
        remove(path, entries[1:2], DEFAULT)
    assert path.read_bytes() == before
    assert files(path) == ["tape.sqlite"]


def test_what_was_recorded_since_it_was_listed_stays(path: Path) -> None:
    store(path, [one("a"), one("b")], AUTO)
    entries = listed(path)
    store(path, [one("c")], AUTO)
    remove(path, entries, DEFAULT)
    assert bodies(path) == [b"c"]


def test_recordings_under_other_rules_are_those_that_were_listed_under_them(path: Path) -> None:
    store(path, [one("on 2026-11-25"), one("on 2026-11-26")], AUTO)
    entries = listed(path, DATES)
    assert [entry.take.number for entry in entries] == [1, 2]
    remove(path, entries[1:], DATES)
    assert [it.request.body for it in held(path)] == [question("on 2026-11-25").body]
    assert rows(path, "select value from cassette where name = 'rules'") == [(DEFAULT.text,)]


def test_where_conflicts_of_a_merge_are_open_they_come_first(path: Path) -> None:
    store(path, [one("a")], AUTO)
    change(path, f"insert into cassette values ('conflict:{'0' * 64}:json:', 'a')")
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=r"settle them first.*merge --conflicts .*tape\.sqlite`"):
        remove(path, listed(path), DEFAULT)
    assert path.read_bytes() == before


def test_a_recorder_that_goes_on_keeps_all(path: Path) -> None:
    store(path, [one("a")], AUTO)
    writer = Writer(path, RECORD)
    try:
        writer.save(one("b")).result()
        with pytest.raises(CassetteError, match="such as a recorder, holds it"):
            remove(path, listed(path)[:1], DEFAULT)
        writer.save(one("c")).result()
    finally:
        writer.close()
    assert bodies(path) == [b"a", b"b", b"c"]


def test_a_cassette_of_the_first_format_is_written_in_the_present_one(path: Path) -> None:
    shutil.copy(FIRST, path)
    before = held(path)
    gone = listed(path)[1]
    remove(path, [gone], DEFAULT)
    assert held(path) == [it for it in before if (it.track, it.number) != (gone.take.track, gone.take.number)]
    assert rows(path, "pragma user_version") == [(2,)]
    assert rows(path, "pragma integrity_check") == [("ok",)]


def test_what_a_killed_recorder_left_is_brought_to_rest(path: Path, tmp_path: Path) -> None:
    store(path, [one("a")], AUTO)
    left = tmp_path / "left" / path.name
    left.parent.mkdir()
    writer = Writer(path, AUTO)
    writer.save(one("b")).result()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, left.parent)
    writer.close()
    assert f"{path.name}-wal" in files(left)
    remove(left, listed(left)[:1], DEFAULT)
    assert (bodies(left), files(left)) == ([b"b"], [left.name])


def test_the_mode_of_the_file_stays(path: Path) -> None:
    store(path, [one("a"), one("b")], AUTO)
    with read_only_copy(path, mode=0o640) as copy:
        copy.parent.chmod(0o755)
        remove(copy, listed(copy)[:1], DEFAULT)
        assert copy.stat().st_mode & 0o777 == 0o640
        assert bodies(copy) == [b"b"]


def test_takes_keep_their_numbers(path: Path) -> None:
    store(path, arriving([Call(question("a"), b"%d" % number) for number in (1, 2, 3)]), AUTO)
    remove(path, listed(path)[:1], DEFAULT)
    assert [(it.number, it.response.body) for it in held(path)] == [(2, b"2"), (3, b"3")]
