"""What is saved is on disk, whole and in order, whoever else writes, and leaves one plain file."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette import format as layout
from proxy.cassette.draft import drafted
from proxy.cassette.reader import Reader
from proxy.cassette.rekey import rekey
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError, CassetteOutOfReachError
from proxy.core.model import Interaction, Outcome, RecordedRun, Variant
from proxy.core.rules import Rules
from tests.cassette.making import (
    AUTO,
    NOON,
    RECORD,
    SSE_TYPE,
    answer,
    bodies,
    files,
    held,
    interactions,
    question,
    rows,
    store,
    taken,
)

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.cassette.writer import Run

HELLO = question("hello")
OTHER = question("other")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(interactions(), min_size=1, max_size=4, unique_by=lambda one: (one.track, one.number)))
def test_what_is_saved_is_read_again_whatever_it_is(path: Path, drawn: list[Interaction]) -> None:
    path.unlink(missing_ok=True)
    store(path, drawn, AUTO)
    assert sorted(held(path), key=repr) == sorted(drawn, key=repr)


def test_a_future_that_is_done_means_on_disk_for_any_other_connection(path: Path) -> None:
    writer = Writer(path, RECORD)
    try:
        for number in range(1, 6):
            writer.save(taken(HELLO, answer(b"%d" % number), number)).result()
            assert len(bodies(path)) == number
    finally:
        writer.close()


def test_many_saved_at_once_all_come_in(path: Path) -> None:
    writer = Writer(path, RECORD)
    saved = [writer.save(taken(question(f"q{number}"), answer(b"%d" % number))) for number in range(200)]
    writer.close()
    assert all(future.done() and future.exception() is None for future in saved)
    assert sorted(bodies(path), key=int) == [b"%d" % number for number in range(200)]


# Record mode's replacement, told as runs: each a list of (question, body) in the order of arrival.
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([["a1"], ["a2"]], ["a2"]),
        ([["a1", "a2"], ["a3"]], ["a3"]),
        ([["a1"], ["a2", "a3", "a4"]], ["a2", "a3", "a4"]),
        ([["a1", "b1"], ["b2"]], ["a1", "b2"]),
        ([["a1", "b1"], [], ["a2"]], ["a2", "b1"]),
        ([["a1"], ["b1"], ["a2", "b2"]], ["a2", "b2"]),
    ],
)
def test_the_first_take_in_a_run_replaces_the_earlier_runs_takes(
    path: Path, runs: list[list[str]], expected: list[str]
) -> None:
    for number, run in enumerate(runs):
        counts: dict[str, int] = {}
        made: list[Interaction] = []
        for body in run:
            counts[body[0]] = counts.get(body[0], 0) + 1
            at = NOON.replace("12:", f"{12 + number}:")
            made.append(taken(question(body[0]), answer(body.encode()), counts[body[0]], at=at))
        store(path, made, RECORD)
    assert sorted(body.decode() for body in bodies(path)) == expected


@pytest.mark.parametrize(
    "beside",
    [
        taken(HELLO, answer(b"beside"), variant=Variant.SSE),
        taken(HELLO, answer(b"beside"), lane="another"),
        taken(OTHER, answer(b"beside")),
    ],
    ids=["another variant", "another lane", "another question"],
)
def test_a_run_replaces_nothing_but_what_it_asks_again(path: Path, beside: Interaction) -> None:
    store(path, [beside, taken(HELLO, answer(b"old"))])
    store(path, [taken(HELLO, answer(b"new"))])
    assert sorted(bodies(path)) == [b"beside", b"new"]


def test_a_run_that_asks_nothing_replaces_nothing(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"old"))])
    before = path.read_bytes()
    store(path, [])
    assert path.read_bytes() == before


def test_auto_replaces_nothing(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"), 1)], AUTO)
    store(path, [taken(HELLO, answer(b"2"), 2)], AUTO)
    assert bodies(path) == [b"1", b"2"]


@pytest.mark.parametrize("run", [RECORD, AUTO], ids=lambda run: run.mode)
@pytest.mark.parametrize("outcome", [Outcome.CUT, Outcome.UNFINISHED])
def test_a_take_that_did_not_end_well_gives_way(path: Path, run: Run, outcome: Outcome) -> None:
    store(path, [taken(HELLO, answer(b"stump", outcome=outcome)), taken(OTHER, answer(b"other"))], run)
    store(path, [taken(HELLO, answer(b"whole"))], AUTO)
    assert sorted(bodies(path)) == [b"other", b"whole"]


@pytest.mark.parametrize("run", [RECORD, AUTO], ids=lambda run: run.mode)
def test_a_take_saved_again_in_its_run_is_amended(path: Path, run: Run) -> None:
    head, rest = b"data: [DONE]\n\n", b": late\n\n"
    store(path, [taken(HELLO, answer(head, headers=SSE_TYPE)), taken(HELLO, answer(head, rest, headers=SSE_TYPE))], run)
    assert bodies(path) == [head + rest]


def test_a_take_that_another_recorder_took_is_amended_under_its_new_number(path: Path) -> None:
    one, other = Writer(path, AUTO), Writer(path, AUTO)
    try:
        one.save(taken(HELLO, answer(b"theirs"))).result()
        other.save(taken(HELLO, answer(b"ours"))).result()
        other.save(taken(HELLO, answer(b"ours", b" and more"))).result()
    finally:
        one.close()
        other.close()
    assert bodies(path) == [b"theirs", b"ours and more"]


def test_two_recorders_on_one_file_lose_nothing(path: Path) -> None:
    def record(name: str) -> None:
        writer = Writer(path, AUTO)
        try:
            own = [writer.save(taken(question(f"{name}{n}"), answer(b"%b%d" % (name.encode(), n)))) for n in range(40)]
            same = [writer.save(taken(HELLO, answer(b"%b-%d" % (name.encode(), n)), n)) for n in range(1, 21)]
            for future in (*own, *same):
                future.result()
        finally:
            writer.close()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(record, "abc"))
    expected = [f"{name}{number}" for name in "abc" for number in range(40)]
    expected += [f"{name}-{number}" for name in "abc" for number in range(1, 21)]
    assert sorted(body.decode() for body in bodies(path)) == sorted(expected)
    assert files(path) == [path.name]


def test_a_recorder_that_stored_nothing_leaves_the_file_of_another_alone(path: Path) -> None:
    first, second = Writer(path, RECORD), Writer(path, RECORD)
    second.save(taken(HELLO, answer(b"kept"))).result()
    first.close()
    second.close()
    assert bodies(path) == [b"kept"]


def test_a_recorder_that_stored_nothing_leaves_the_file_of_another_that_already_ended(path: Path) -> None:
    first, second = Writer(path, RECORD), Writer(path, RECORD)
    second.save(taken(HELLO, answer(b"kept"))).result()
    second.close()
    first.close()
    assert bodies(path) == [b"kept"]


def test_a_recorder_that_stored_nothing_leaves_the_file_of_another_that_has_not_stored_yet(path: Path) -> None:
    """It made the file, and would remove it; the other holds it open, and would write into the void."""
    first, second = Writer(path, RECORD), Writer(path, RECORD)
    first.close()
    second.save(taken(HELLO, answer(b"kept"))).result()
    assert bodies(path) == [b"kept"]
    second.close()
    assert bodies(path) == [b"kept"]
    assert files(path) == [path.name]


def test_a_recorder_beside_another_leaves_one_file_though_neither_stored_anything(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    first, second = Writer(path, RECORD), Writer(path, RECORD)
    first.close()
    second.close()
    assert bodies(path) == [b"1"]
    assert files(path) == [path.name]


@pytest.mark.parametrize("last", [0, 1])
def test_the_recorder_that_ends_last_brings_the_file_to_rest(path: Path, last: int) -> None:
    """Be it one that stored nothing: it is the only one that can."""
    store(path, [taken(HELLO, answer(b"1"))])
    idle, busy = Writer(path, AUTO), Writer(path, AUTO)
    busy.save(taken(OTHER, answer(b"2"))).result()
    for writer in (idle, busy) if last else (busy, idle):
        writer.close()
    assert files(path) == [path.name]
    assert path.read_bytes()[18:20] == b"\x01\x01"


def test_a_new_file_without_recordings_is_removed(path: Path) -> None:
    Writer(path, RECORD).close()
    assert files(path) == []


@pytest.mark.parametrize("texts", [["hello"], []])
def test_what_a_command_put_in_a_new_files_place_stays(path: Path, texts: list[str]) -> None:
    writer = Writer(path, RECORD)
    with drafted(path) as draft:
        for text in texts:
            draft.add(taken(question(text), answer(b"1")), RecordedRun(1, NOON, "record", "", "0.1.0"))
    writer.close()
    assert len(held(path)) == len(texts)
    assert files(path) == ["tape.sqlite"]


@pytest.mark.parametrize("records_before", [False, True])
def test_a_recorder_whose_file_was_replaced_loses_nothing_of_another_that_records_into_the_new_one(
    path: Path, *, records_before: bool
) -> None:
    store(path, [taken(question(f"q{number}"), answer(b"q" * 3000)) for number in range(40)])
    first = Writer(path, AUTO)
    with drafted(path) as draft:
        draft.copy(path, lambda id_: id_ % 2 == 0)
    second = Writer(path, RECORD)
    for number in range(10):
        second.save(taken(question(f"second {number}"), answer(b"s" * 3000))).result()
    if records_before:
        first.save(taken(question("first"), answer(b"f"))).result()
        second.save(taken(question("second"), answer(b"s"))).result()
    first.close()
    second.save(taken(question("last"), answer(b"l"))).result()
    second.close()
    assert len(held(path)) == 20 + 10 + 2 * records_before + 1
    assert files(path) == ["tape.sqlite"]


def test_an_old_file_stays_though_nothing_was_recorded(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    Writer(path, RECORD).close()
    assert bodies(path) == [b"1"]


def test_a_cassette_at_rest_is_one_file_for_its_owner_alone(path: Path) -> None:
    writer = Writer(path, RECORD)
    writer.save(taken(HELLO, answer(b"1"))).result()
    writer.close()
    assert files(path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes()[18:20] == b"\x01\x01"  # the header's word for: no WAL


def test_a_cassette_comes_to_rest_though_someone_reads_it(path: Path) -> None:
    """A replay server, or `llmtape ls`, may hold the file open while a recorder ends."""
    writer = Writer(path, RECORD)
    writer.save(taken(HELLO, answer(b"1"))).result()
    with Reader(path):
        writer.close()
    Writer(path, RECORD).close()
    assert files(path) == [path.name]
    assert bodies(path) == [b"1"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    store(tmp_path / "a" / "b" / "tape.sqlite", [taken(HELLO, answer(b"1"))])
    assert bodies(tmp_path / "a" / "b" / "tape.sqlite") == [b"1"]


@pytest.mark.parametrize("name", ["a b.sqlite", "a?b#c%20d&e=f.sqlite", "grüße-🎲.sqlite", "'quoted\".sqlite", "plain"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    store(tmp_path / name, [taken(HELLO, answer(b"1"))])
    assert bodies(tmp_path / name) == [b"1"]
    assert files(tmp_path / name) == [name]


@pytest.mark.parametrize("run", [RECORD, AUTO], ids=lambda run: run.mode)
def test_replaced_takes_leave_no_parts_behind(path: Path, run: Run) -> None:
    shared = "s" * 3000
    old = question("o" * 3000)
    both = [
        replace(old, body=old.body[:-2] + b',{"role":"user","content":"%b"}]}' % text)
        for text in (shared.encode(), b"x" * 3000)
    ]
    stump = Outcome.CUT
    for request in both:
        store(path, [taken(request, answer(b"old", outcome=stump))], run)
    again = replace(both[0], body=both[0].body.replace(b'{"model"', b'{ "model"'))
    store(path, [taken(again, answer(b"new"))], run)
    used = {part for request in (again, both[1]) for part in [request.body]}
    assert {one.request.body for one in held(path)} == used
    reachable = rows(
        path,
        """with recursive used(id) as (select request_body from interactions union
           select parent_id from bodies join used on bodies.id = used.id)
           select count(*) from bodies where id not in (select id from used)""",
    )
    assert reachable == [(0,)]
    assert rows(path, "select count(*) from parts where id not in (select part_id from bodies)") == [(0,)]
    assert rows(path, "select count(*) from bodies where part_id not in (select id from parts)") == [(0,)]


def test_an_agents_conversation_takes_a_small_share_of_its_requests_size(path: Path) -> None:
    tools = [{"type": "function", "function": {"name": f"f{n}", "description": "d" * 400}} for n in range(9)]
    messages = [{"role": "system", "content": "You are an agent. " * 100}]
    made: list[Interaction] = []
    for turn in range(50):
        messages.append({"role": "user", "content": f"{turn}: " + "what next? " * 40})
        reply = {"role": "assistant", "content": f"{turn}: " + "do this. " * 60}
        body = json.dumps({"model": "m", "messages": messages, "tools": tools}).encode()
        made.append(taken(replace(HELLO, body=body), answer(json.dumps({"choices": [{"message": reply}]}).encode())))
        messages.append(reply)
    store(path, made)
    whole = sum(len(one.request.body) for one in made)
    assert held(path) == made
    assert path.stat().st_size < whole / 6


def test_one_that_cannot_be_stored_harms_no_other(path: Path) -> None:
    bad = replace(taken(question("bad"), answer(b"bad")), recorded_at="\ud83d")  # SQLite holds no lone surrogate
    writer = Writer(path, RECORD)
    try:
        saved = [writer.save(taken(question(f"q{number}"), answer(b"%d" % number))) for number in range(20)]
        broken = writer.save(bad)
        saved += [writer.save(taken(question(f"q{number}"), answer(b"%d" % number))) for number in range(20, 40)]
        for future in saved:
            future.result()
        with pytest.raises(CassetteError, match="cannot write the cassette"):
            broken.result()
        writer.save(taken(question("after"), answer(b"40"))).result()
    finally:
        writer.close()
    assert sorted(bodies(path), key=int) == [b"%d" % number for number in range(41)]


@pytest.mark.parametrize(
    "body",
    [
        b'{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}',
        b'{"usage":{"prompt_tokens":9223372036854775808}}',
        b'{"usage":{"prompt_tokens":-9223372036854775809}}',
        b'{"usage":{"prompt_tokens":1e400}}',
        b'{"usage":{"prompt_tokens":1.5,"completion_tokens":"many"}}',
    ],
)
def test_no_answer_is_too_strange_to_be_stored(path: Path, body: bytes) -> None:
    """A count past 63 bits is the upstream's folly; it must neither be lost nor end the writer's thread."""
    writer = Writer(path, RECORD)
    saved = [writer.save(taken(HELLO, answer(body))), writer.save(taken(OTHER, answer(b"next")))]
    for future in saved:
        future.result(timeout=10)
    writer.close()
    assert sorted(bodies(path)) == sorted([body, b"next"])


def test_a_failed_first_recording_leaves_no_run_behind(path: Path) -> None:
    writer = Writer(path, RECORD)
    with pytest.raises(CassetteError):
        writer.save(replace(taken(HELLO, answer(b"bad")), recorded_at="\ud83d")).result()
    writer.save(taken(HELLO, answer(b"good"))).result()
    writer.close()
    assert rows(path, "select count(*) from runs") == [(1,)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"just some text, longer than the head of a database " * 40, "database"),
        (b"SQLite format 3\0" + b"\xff" * 200, "is not a cassette"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(CassetteError, match=words) as caught:
        Writer(path, RECORD)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("create table notes(text)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CassetteError, match="is not a cassette"):
        Writer(path, RECORD)
    assert path.read_bytes() == before
    assert files(path) == [path.name]


@pytest.mark.parametrize(
    "statement", ["pragma user_version = 99", "update cassette set value = 0 where name = 'normalizer'"]
)
def test_a_cassette_of_a_later_format_or_of_other_rules_is_not_written_to(path: Path, statement: str) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=r"update llmtape|other rules"):
        Writer(path, RECORD)
    assert path.read_bytes() == before
    assert files(path) == [path.name]


def test_other_rules_than_those_of_the_file_are_refused_with_what_to_do(path: Path) -> None:
    dates = Rules(scrub=("date",))
    store(path, [taken(question("2026-11-25"), answer(b"1"))])
    before = path.read_bytes()
    with pytest.raises(CassetteError, match=f"llmtape rekey {path}"):
        Writer(path, RECORD, dates)
    assert path.read_bytes() == before
    rekey(path, dates, lambda _: True)
    store(path, [taken(question("2026-11-26"), answer(b"2"), 2, rules=dates)], AUTO, dates)
    assert [(one.number, one.response.body) for one in held(path, dates)] == [(1, b"1"), (2, b"2")]


def test_a_path_below_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = Writer(tmp_path / "file" / "tape.sqlite", RECORD)
    assert re.search(r"cannot write the cassette .*Is the folder there", writer.trouble)
    with pytest.raises(CassetteOutOfReachError):
        writer.save(taken(HELLO, answer(b"1"))).result()
    (tmp_path / "file").unlink()
    writer.save(taken(HELLO, answer(b"1"))).result()
    assert writer.trouble == ""
    writer.close()
    assert bodies(tmp_path / "file" / "tape.sqlite") == [b"1"]


def test_a_folder_in_the_files_place_is_refused_in_words(path: Path) -> None:
    path.mkdir()
    with pytest.raises(CassetteError, match="is a folder"):
        Writer(path, RECORD)


def test_an_empty_file_becomes_a_cassette(path: Path) -> None:
    path.touch()
    store(path, [taken(HELLO, answer(b"1"))])
    assert bodies(path) == [b"1"]


def test_the_file_says_what_it_is(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    head = path.read_bytes()[:100]
    assert head[:16] == b"SQLite format 3\0"
    assert head[68:72] == b"ltap"
    assert rows(path, "pragma user_version") == [(layout.VERSION,)]
    assert dict(rows(path, "select name, value from cassette")) == {
        "format": "2",
        "normalizer": "1",
        "rules": "{}",
    }
    assert rows(path, "select started_at, mode, upstream, llmtape_version from runs") == [
        (RECORD.started_at, RECORD.mode, RECORD.upstream, RECORD.llmtape_version)
    ]


def test_only_the_first_take_of_a_run_replaces_and_never_what_a_recorder_beside_it_stored_since(path: Path) -> None:
    with_numbers = {"a": 0, "b": 0}
    writers = {name: Writer(path, RECORD) for name in with_numbers}
    for name in "abab":
        with_numbers[name] += 1
        body = f"{name}{with_numbers[name]}".encode()
        writers[name].save(taken(HELLO, answer(body), with_numbers[name])).result()
    for writer in writers.values():
        writer.close()
    assert sorted(bodies(path)) == [b"a2", b"b1", b"b2"]


# Lanes


UNSTORABLE = answer(b"1", status=2**63)
"""No number of SQLite's is so large."""


def save_lane(path: Path, lane: str, interactions: list[Interaction], *, replaces: bool, run: Run = RECORD) -> None:
    writer = Writer(path, run)
    try:
        writer.save_lane(lane, interactions, replaces=replaces).result()
    finally:
        writer.close()


def lanes(path: Path) -> list[tuple[str, int, bytes]]:
    return sorted((one.track.lane, one.number, one.response.body) for one in held(path))


def test_a_lane_is_replaced_whole_and_no_other(path: Path) -> None:
    """Also what its test asks for no longer."""
    old = [taken(HELLO, answer(b"1"), 1, lane="a"), taken(HELLO, answer(b"2"), 2, lane="a")]
    others = [taken(HELLO, answer(b"3"), lane="b"), taken(HELLO, answer(b"4"))]
    store(path, [*old, taken(OTHER, answer(b"5"), lane="a"), *others])
    save_lane(path, "a", [taken(HELLO, answer(b"new"), lane="a")], replaces=True)
    assert lanes(path) == [("", 1, b"4"), ("a", 1, b"new"), ("b", 1, b"3")]
    assert files(path) == [path.name]


def test_what_a_replaced_lane_alone_had_asked_leaves_the_file(path: Path) -> None:
    store(path, [taken(question("planted"), answer(b"1"), lane="a")])
    save_lane(path, "a", [taken(HELLO, answer(b"2"), lane="a")], replaces=True)
    assert len(rows(path, "select id from bodies")) == len(rows(path, "select id from parts")) == 1


def test_a_lane_that_lacked_something_gets_it_beside_what_it_has(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"), lane="a")])
    added = [taken(HELLO, answer(b"2"), 2, lane="a"), taken(OTHER, answer(b"3"), lane="a")]
    save_lane(path, "a", added, replaces=False, run=AUTO)
    assert lanes(path) == [("a", 1, b"1"), ("a", 1, b"3"), ("a", 2, b"2")]


def test_what_a_lane_adds_replaces_nothing_though_its_run_is_one_of_record_mode(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"), lane="a")])
    save_lane(path, "a", [taken(HELLO, answer(b"2"), 2, lane="a")], replaces=False)
    assert lanes(path) == [("a", 1, b"1"), ("a", 2, b"2")]


def test_a_lane_takes_the_place_of_a_take_that_had_not_ended_well(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT), lane="a")])
    save_lane(path, "a", [taken(HELLO, answer(b"whole"), lane="a")], replaces=False, run=AUTO)
    assert lanes(path) == [("a", 1, b"whole")]


@pytest.mark.parametrize("replaces", [True, False])
def test_of_a_lane_all_is_stored_or_nothing(path: Path, *, replaces: bool) -> None:
    store(path, [taken(HELLO, answer(b"old"), lane="a")])
    whole = [taken(HELLO, answer(b"new"), 2, lane="a"), taken(OTHER, UNSTORABLE, lane="a")]
    writer = Writer(path, RECORD)
    try:
        with pytest.raises(CassetteError):
            writer.save_lane("a", whole, replaces=replaces).result()
        assert lanes(path) == [("a", 1, b"old")]
        writer.save_lane("a", [taken(OTHER, answer(b"then"), lane="a")], replaces=replaces).result()
    finally:
        writer.close()
    kept = [] if replaces else [("a", 1, b"old")]
    assert lanes(path) == [*kept, ("a", 1, b"then")]


def test_a_lane_that_cannot_be_stored_harms_none_that_is_stored_with_it(path: Path) -> None:
    writer = Writer(path, RECORD)
    try:
        bad = writer.save_lane("a", [taken(HELLO, UNSTORABLE, lane="a")], replaces=True)
        good = [
            writer.save_lane(lane, [taken(HELLO, answer(lane.encode()), lane=lane)], replaces=True) for lane in "bcd"
        ]
        for future in good:
            future.result()
        assert bad.exception() is not None
    finally:
        writer.close()
    assert [lane for lane, *_ in lanes(path)] == ["b", "c", "d"]


def test_lanes_of_recorders_beside_each_other_stay_apart(path: Path) -> None:
    writers = [Writer(path, RECORD) for _ in "ab"]
    with ThreadPoolExecutor() as pool:
        for number in range(1, 6):
            list(
                pool.map(
                    lambda one, number=number: (
                        one[0]
                        .save_lane(one[1], [taken(HELLO, answer(b"%d" % number), lane=one[1])], replaces=True)
                        .result()
                    ),
                    zip(writers, "ab", strict=True),
                )
            )
    for writer in writers:
        writer.close()
    assert lanes(path) == [("a", 1, b"5"), ("b", 1, b"5")]


@pytest.mark.parametrize(
    ("run", "replaces", "expected"),
    [
        (RECORD, None, [b"new"]),
        (AUTO, None, [b"old", b"new"]),
        (RECORD, False, [b"old", b"new"]),
        (AUTO, True, [b"new"]),
    ],
)
def test_what_is_recorded_in_another_mode_than_the_runs_replaces_as_that_one_does(
    path: Path, run: Run, *, replaces: bool | None, expected: list[bytes]
) -> None:
    store(path, [taken(HELLO, answer(b"old"))])
    writer = Writer(path, run)
    writer.save(taken(HELLO, answer(b"new"), 2), replaces=replaces).result()
    writer.close()
    assert bodies(path) == expected


# What is done to the file meanwhile


@pytest.mark.parametrize("removed", ["the file", "the folder"])
def test_a_file_that_was_removed_is_made_again_with_what_is_recorded_next(tmp_path: Path, removed: str) -> None:
    path = tmp_path / "folder" / "tape.sqlite"
    writer = Writer(path, RECORD)
    writer.save(taken(HELLO, answer(b"1"))).result()
    if removed == "the folder":
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    writer.save(taken(question("again"), answer(b"2"))).result()
    assert bodies(path) == [b"2"]
    writer.close()
    assert (bodies(path), files(path)) == ([b"2"], [path.name])


def test_what_takes_the_files_place_and_is_no_cassette_is_told_and_left_alone(path: Path, tmp_path: Path) -> None:
    writer = Writer(path, RECORD)
    (tmp_path / "other").write_bytes(b"not a database, and longer than a header would be" * 9)
    content = (tmp_path / "other").read_bytes()
    (tmp_path / "other").replace(path)
    for _ in range(2):
        with pytest.raises(CassetteError, match="is not a cassette"):
            writer.save(taken(HELLO, answer(b"1"))).result()
    assert "is not a cassette" in writer.trouble
    writer.close()
    assert path.read_bytes() == content


def test_a_recorder_that_opens_its_file_again_takes_no_recording_of_one_that_began_in_the_same_second(
    path: Path,
) -> None:
    one, other = Writer(path, AUTO), Writer(path, AUTO)
    try:
        one.save(taken(HELLO, answer(b"theirs"))).result()
        other.save(taken(OTHER, answer(b"ours"))).result()
        path.rename(path.with_name("away"))
        path.mkdir()  # so that the other lets go of it
        with pytest.raises(CassetteError):
            other.save(taken(HELLO, answer(b"lost"))).result()
        path.rmdir()
        path.with_name("away").rename(path)
        other.save(taken(HELLO, answer(b"ours, too"))).result()
    finally:
        one.close()
        other.close()
    assert sorted(bodies(path)) == [b"ours", b"ours, too", b"theirs"]
