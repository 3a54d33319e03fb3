"""A cassette at rest: the same recordings are the same bytes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette import rest
from proxy.cassette.draft import drafted
from proxy.cassette.reader import Reader
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError
from proxy.core.model import Request
from tests.cassette.making import CHAT, JSON_TYPE, RECORD, answer, bodies, files, question, rows, store, taken

if TYPE_CHECKING:
    from proxy.core.model import Interaction

LATER = replace(RECORD, started_at="2026-11-23T12:00:00Z")
LONG = [{"role": "system", "content": "be kind " * 50}, {"role": "user", "content": "go on " * 200}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def some(*texts: str, lane: str = "", says: str = "") -> list[Interaction]:
    return [taken(question(text), answer((says or text).encode()), lane=lane) for text in texts]


def rewritten(path: Path) -> bytes:
    """Write a file's recordings into a new one, as an import of its export does."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.sqlite"
        with Reader(path) as reader, drafted(copy, facts=reader.facts) as draft:
            for interaction, run in reader.stored():
                draft.add(interaction, run)
        return copy.read_bytes()


def everything(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("runs", "parts", "bodies", "turns", "anchors", "interactions")
    return {table: rows(path, f"select * from {table}") for table in tables}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["record", "lane"]),
            st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("123")), min_size=1, max_size=4),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_in_whatever_steps_recordings_came_the_same_are_the_same_bytes(
    steps: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tape.sqlite"
        for number, (kind, calls) in enumerate(steps):
            run = replace(RECORD, started_at=f"2026-11-{number + 1:02}T12:00:00Z")
            made = [(taken(question(text * 400), answer(says.encode()))) for text, says in dict(calls).items()]
            if kind == "record":
                store(path, made, run)
            else:
                save_lane(path, "t", [replace(one, track=replace(one.track, lane="t")) for one in made], run)
        assert path.read_bytes() == rewritten(path)


def save_lane(path: Path, lane: str, made: list[Interaction], run: Any = LATER) -> None:
    writer = Writer(path, run)
    try:
        writer.save_lane(lane, made, replaces=True).result()
    finally:
        writer.close()


def test_one_recorded_again_leaves_the_rows_of_the_others_as_they_were(path: Path) -> None:
    store(path, some("a", "b", "c"))
    before = everything(path)
    store(path, some("b", says="new"), LATER)
    after = everything(path)
    assert [row for row in after["interactions"] if row[0] != 2] == [
        row for row in before["interactions"] if row[0] != 2
    ]
    assert {name: rows for name, rows in after.items() if name not in {"interactions", "runs"}} == {
        name: rows for name, rows in before.items() if name not in {"interactions", "runs"}
    }
    with Reader(path) as reader:
        assert [interaction.response.body for interaction, _ in reader.stored()] == [b"a", b"new", b"c"]


def test_one_asked_again_in_other_words_for_the_same_leaves_them_too(path: Path) -> None:
    store(path, some("a", "b", "c"))
    before = rows(path, "select * from interactions where id <> 2")
    respelt = Request("POST", CHAT, "", JSON_TYPE, b'{"messages": [{"content": "b", "role": "user"}], "model": "m"}')
    store(path, [taken(respelt, answer(b"new"))], LATER)
    assert rows(path, "select * from interactions where id <> 2") == before
    assert rows(path, "select count(*) from parts") == [(3,)]


def test_all_takes_of_a_call_recorded_again_stand_where_they_stood(path: Path) -> None:
    first, second = (replace(one, number=number) for number, one in enumerate(some("a", "a"), 1))
    store(path, [first, *some("b"), second, *some("c")])
    store(path, [first, second], LATER)
    assert rows(path, "select id, take, run_id from interactions") == [(1, 1, 2), (2, 1, 1), (3, 2, 2), (4, 1, 1)]


def test_a_lane_recorded_again_stands_where_it_stood(path: Path) -> None:
    store(path, [*some("x", lane="t"), *some("y"), *some("z", lane="t")])
    save_lane(path, "t", [*some("z", "x", lane="t", says="new"), *some("w", lane="t")])
    with Reader(path) as reader:
        said = [interaction.request.body[-6:-4] for interaction, _ in reader.stored()]
    assert said == [b'"x', b'"y', b'"z', b'"w']


def test_a_shorter_lane_leaves_no_gap(path: Path) -> None:
    store(path, [*some("x", "v", lane="t"), *some("y")])
    save_lane(path, "t", some("v", lane="t"))
    assert rows(path, "select id from interactions") == [(1,), (2,)]
    assert rows(path, "pragma freelist_count") == [(0,)]


def test_who_still_reads_the_old_file_is_given_no_other_answer(path: Path) -> None:
    store(path, [*some("x", lane="t"), *some("y")])
    with Reader(path) as reader:
        takes = [reader.takes(one.track)[0] for one in (*some("x", lane="t"), *some("y"))]
        save_lane(path, "t", some("w", lane="t"))
        with pytest.raises(CassetteError, match="vanished"):
            reader.response(takes[0])
        assert reader.response(takes[1])[0].body == b"y"
    assert bodies(path) == [b"y", b"w"]


def test_a_conversation_cut_in_parts_is_numbered_as_it_first_appears(path: Path) -> None:
    def turn(count: int) -> Interaction:
        messages = ",".join(['{"role":"user","content":"%s"}' % (f"{place} " * 300) for place in range(count)])
        body = f'{{"model":"m","messages":[{messages}]}}'.encode()
        return taken(Request("POST", CHAT, "", JSON_TYPE, body), answer(b"a"))

    store(path, [turn(1), turn(3), turn(2), turn(4)])
    store(path, [turn(3), turn(1)], LATER)
    assert path.read_bytes() == rewritten(path)


def test_a_file_into_which_nothing_was_recorded_stays_as_it_is(path: Path) -> None:
    store(path, some("a"))
    before = (path.stat().st_ino, path.stat().st_mtime_ns)
    store(path, [], LATER)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_a_large_file_is_left_as_it_lies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(path, some("a"))
    before = path.stat().st_ino
    monkeypatch.setattr(rest, "LARGEST_BYTES", 100)
    rest.settle(path, numbers_anew=True)
    assert path.stat().st_ino == before


def test_a_file_that_others_write_is_left_to_them(path: Path) -> None:
    store(path, some("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("pragma journal_mode = wal")
        other.execute("select count(*) from runs").fetchone()
        writer = Writer(path, LATER)
        writer.save(*some("b")).result()
        writer.close()
        assert other.execute("select count(*) from interactions").fetchone() == (2,)
    assert bodies(path) == [b"a", b"b"]
    assert files(path)[0] == "tape.sqlite"
