"""A draft: all of a change, or nothing of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cassette.reader import Reader
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError
from proxy.core.normalize import normalize
from proxy.core.rules import Rules
from tests.cassette.making import (
    RECORD,
    answer,
    as_nobody,
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

if TYPE_CHECKING:
    from proxy.core.model import Interaction, RecordedRun

RUN = remembered(RECORD)
OTHER_RUN = replace(RUN, started_at="2026-11-23T12:00:00Z")
FIRST = Path(__file__).parent / "first.sqlite"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def some(*texts: str) -> list[Interaction]:
    return [taken(question(text), answer(text.encode())) for text in texts]


def one(text: str) -> Interaction:
    return taken(question(text), answer(text.encode()))


def write(path: Path, *made: Interaction, run: RecordedRun = RUN) -> None:
    with drafted(path) as draft:
        for interaction in made:
            draft.add(interaction, run)


def distinct(drawn: list[Interaction]) -> list[Interaction]:
    return list({(one.track, one.number): one for one in drawn}.values())


@settings(max_examples=50, deadline=None)
@given(st.lists(interactions(), max_size=6).map(distinct))
def test_what_is_added_is_held_in_that_order(drawn: list[Interaction]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tape.sqlite"
        write(path, *drawn)
        with Reader(path) as reader:
            assert [interaction for interaction, _ in reader.stored()] == drawn


@settings(max_examples=50, deadline=None)
@given(st.lists(interactions(), min_size=1, max_size=6).map(distinct))
def test_a_recorder_a_draft_and_a_copy_write_the_same_bytes(drawn: list[Interaction]) -> None:
    with TemporaryDirectory() as folder:
        recorded, added, copied = (Path(folder) / f"{name}.sqlite" for name in ("recorded", "added", "copied"))
        store(recorded, drawn, replace(RECORD, replaces=False))
        with Reader(recorded) as reader, drafted(added) as draft:
            for interaction, run in reader.stored():
                draft.add(interaction, run)
        with drafted(copied) as draft:
            assert draft.copy(recorded) == len(drawn)
        assert added.read_bytes() == recorded.read_bytes() == copied.read_bytes()


def test_a_change_that_is_broken_off_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    write(path, *some("a"))
    before = path.read_bytes()
    with pytest.raises(CassetteError, match="twice"):
        write(path, one("b"), one("b"))
    assert (path.read_bytes(), files(path)) == (before, ["tape.sqlite"])


def test_who_reads_sees_the_old_file_until_the_new_one_is_whole(path: Path) -> None:
    write(path, *some("a"))
    with drafted(path) as draft:
        draft.add(one("b"), RUN)
        assert bodies(path) == [b"a"]
    assert bodies(path) == [b"b"]
    with Reader(path) as reader:
        write(path, *some("c"))
        assert len(reader) == 1
        assert [interaction.response.body for interaction, _ in reader.stored()] == [b"b"]


def test_some_are_kept_and_what_the_others_alone_needed_goes(path: Path) -> None:
    write(path, *some("a", "b" * 2000, "c"))
    with drafted(path) as draft:
        assert draft.copy(path, lambda id_: id_ != 2) == 2
    assert bodies(path) == [b"a", b"c"]
    assert rows(path, "select count(*) from parts") == [(2,)]
    alone = path.with_name("alone.sqlite")
    write(alone, *some("a", "c"))
    assert path.read_bytes() == alone.read_bytes()


def test_facts_stay_unless_others_are_given(path: Path) -> None:
    rules = Rules(developer_is_system=True)
    store(path, [taken(question(), answer(b"a"), rules=rules)], rules=rules)
    with drafted(path) as draft:
        draft.copy(path)
        draft.note("conflict:1", "text")
        draft.note("conflict:1", "other text")
    with Reader(path, rules) as reader:
        facts = reader.facts
    assert (facts["rules"], facts["conflict:1"]) == (rules.text, "other text")
    with drafted(path, facts={"normalizer": "1", "rules": "{}"}) as draft:
        draft.copy(path)
    assert rows(path, "select name, value from cassette where name <> 'format'") == [
        ("normalizer", "1"),
        ("rules", "{}"),
    ]


def test_under_rules_that_nobody_knows_recordings_are_copied_but_none_is_added(path: Path) -> None:
    write(path, *some("a"))
    change(path, "update cassette set value = '{\"magic\":true}' where name = 'rules'")
    with drafted(path) as draft:
        draft.copy(path)
    with pytest.raises(CassetteError, match=r"magic.*Update llmtape"):
        write(path, one("b"))
    assert rows(path, "select count(*) from interactions") == [(1,)]


def test_the_index_is_made_under_the_files_rules(path: Path) -> None:
    rules = Rules(scrub=("date",))
    asked = normalize(question("on 2026-11-25"), rules)
    facts = {"normalizer": "1", "rules": rules.text}
    with drafted(path, facts=facts) as draft:
        draft.add(taken(question("on 2026-11-25"), answer(b"a"), rules=rules), RUN)
    other = path.with_name("other.sqlite")
    store(other, [taken(question("on 2026-11-25"), answer(b"a"), rules=rules)], rules=rules)
    assert rows(path, "select digest from turns") == rows(other, "select digest from turns")
    assert held(path, rules)[0].track.key == asked.key


def test_runs_that_are_alike_are_one_and_each_keeps_its_number_where_it_can(path: Path) -> None:
    with drafted(path) as draft:
        for text, run in (("a", RUN), ("b", replace(RUN, id=7)), ("c", replace(OTHER_RUN, id=1))):
            draft.add(one(text), run)
        draft.add(one("d"), replace(RUN, id=5, mode="auto"))
    assert rows(path, "select run_id from interactions order by id") == [(1,), (1,), (2,), (5,)]
    with drafted(path) as draft:
        draft.copy(path, lambda id_: id_ > 2)
        draft.add(one("e"), replace(OTHER_RUN, id=9))
    assert rows(path, "select id from runs") == [(2,), (5,)]


def test_one_take_twice_is_refused_by_its_name(path: Path) -> None:
    take = one("a")
    with pytest.raises(CassetteError, match=rf"{take.track.key[:12]}:1.*twice"):
        write(path, take, take)
    assert not path.exists()


def test_a_new_file_takes_the_place_of_none(path: Path) -> None:
    with drafted(path, replace=False) as draft:
        draft.add(one("a"), RUN)
    for text in ("b", "c"):
        with pytest.raises(CassetteError, match="there already"), drafted(path, replace=False) as draft:
            draft.add(one(text), RUN)
    assert bodies(path) == [b"a"]


@pytest.mark.parametrize("replaces", [False, True])
def test_of_two_that_make_the_same_new_file_the_second_is_refused(path: Path, *, replaces: bool) -> None:
    making = drafted(path, replace=replaces)
    making.__enter__().add(one("a"), RUN)
    write(path, one("b"))
    with pytest.raises(CassetteError, match="another process made"):
        making.__exit__(None, None, None)
    assert bodies(path) == [b"b"]


def test_a_recorder_that_goes_on_is_told_to_end_first(path: Path) -> None:
    write(path, *some("a"))
    writer = Writer(path, RECORD)
    try:
        writer.save(one("b")).result()
        with pytest.raises(CassetteError, match="another process, such as a recorder, holds it"):
            write(path, *some("c"))
        writer.save(one("d")).result()
    finally:
        writer.close()
    assert bodies(path) == [b"a", b"b", b"d"]


def test_a_recorder_that_waited_while_a_file_was_replaced_records_into_the_new_one(path: Path) -> None:
    write(path, *some("a"))
    writer = Writer(path, RECORD)  # it holds nothing before it stores something
    try:
        write(path, *some("b"))
        writer.save(one("c")).result()
        writer.save(one("d")).result()
    finally:
        writer.close()
    assert (bodies(path), files(path)) == ([b"b", b"c", b"d"], ["tape.sqlite"])


def test_a_recorder_finds_its_own_run_in_the_new_file(path: Path) -> None:
    first = one("a")
    write(path, *some("z"))
    change(path, "pragma journal_mode = delete")
    writer = Writer(path, RECORD)
    writer._is_awake = True  # as where another recorder just opens the file: it goes on without WAL
    try:
        writer.save(first).result()
        with drafted(path) as draft:
            draft.copy(path)
        writer.save(replace(first, number=2)).result()  # of the same run: it replaces nothing
    finally:
        writer.close()
    assert bodies(path) == [b"z", b"a", b"a"]


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\1" * 5000, b"no database"])
def test_what_is_no_cassette_is_refused_but_for_an_empty_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if content:
        with pytest.raises(CassetteError, match=r"tape\.sqlite"):
            write(path, *some("a"))
        assert path.read_bytes() == content
    else:
        write(path, *some("a"))
        assert bodies(path) == [b"a"]


def test_a_cassette_of_the_first_format_is_copied_into_the_present_one(path: Path) -> None:
    shutil.copy(FIRST, path)
    before = held(path)
    with drafted(path) as draft:
        assert draft.copy(path) == len(before)
    assert held(path) == before
    assert rows(path, "pragma user_version") == [(2,)]
    with drafted(path) as draft:
        draft.copy(path, lambda id_: id_ == 1)
    assert len(held(path)) == 1


def test_a_link_stays_one_and_a_mode_as_it_was(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.sqlite"
    write(real, *some("a"))
    assert real.stat().st_mode & 0o777 == 0o600
    real.chmod(0o640)
    path.symlink_to(real)
    write(path, *some("b"))
    assert path.is_symlink()
    assert bodies(real) == [b"b"]
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_folder_where_nobody_may_write_is_told_in_words(path: Path) -> None:
    write(path, *some("a"))
    with read_only_copy(path) as copy, as_nobody(), pytest.raises(CassetteError, match="cannot write the cassette"):
        write(copy, *some("b"))


@pytest.mark.parametrize("number", [2**31, 2**63 - 1])
def test_a_run_leaves_room_for_the_numbers_of_those_that_follow(number: int, path: Path) -> None:
    with drafted(path) as draft:
        draft.add(one("a"), replace(RUN, id=number))
        draft.add(one("b"), replace(RUN, id=number, mode="auto"))
    assert rows(path, "select id from runs order by id") == [(1,), (2,)]


def test_a_take_whose_number_no_file_can_hold_is_told_in_words(path: Path) -> None:
    with pytest.raises(CassetteError, match="numbers end"):
        write(path, replace(one("a"), number=2**63))
