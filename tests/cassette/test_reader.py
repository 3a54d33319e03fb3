"""A cassette is read as it was written, from anywhere, changing nothing; what is damaged is told in words."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from threading import Event
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette import format as layout
from proxy.cassette.draft import drafted
from proxy.cassette.reader import Reader
from proxy.cassette.rekey import rekey
from proxy.cassette.writer import Writer
from proxy.core.errors import CassetteError, CassetteMissingError, KeyNotFoundError
from proxy.core.marks import marks
from proxy.core.model import Headers, Outcome, Request, Track, Variant
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from proxy.core.rules import Pattern, Rules
from tests.cassette.making import (
    AUTO,
    CALLS,
    JSON_TYPE,
    NOON,
    SSE_TYPE,
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
from tests.core import scrubbing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.core.model import Interaction

HELLO = question("hello")
TRACK = Track(normalize(HELLO).key, Variant.JSON)
LATER = NOON.replace("12:", "13:")


def numbers(path: Path, asked: Track = TRACK) -> list[int]:
    with Reader(path) as reader:
        return [take.number for take in reader.takes(asked)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@pytest.fixture
def read_only(path: Path) -> Iterator[Path]:
    store(path, [taken(HELLO, answer(b"1"))])
    with read_only_copy(path) as copy:
        yield copy


def test_takes_play_in_their_own_lane_first_else_those_of_all(path: Path) -> None:
    lanes = ["", "a", "a", "b"]
    counts = [1, 1, 2, 1]
    times = [NOON.replace("00:00.000", f"0{minute}:00.000") for minute in (3, 1, 4, 2)]
    parts = list(zip(lanes, counts, times, strict=True))
    store(path, [taken(HELLO, answer(f"{lane}{n}".encode()), n, lane=lane, at=at) for lane, n, at in parts])
    with Reader(path) as reader:

        def played(lane: str) -> list[str]:
            takes = reader.takes(replace(TRACK, lane=lane))
            return [reader.response(take)[0].body.decode() for take in takes]

        assert played("") == ["1"]
        assert played("a") == ["a1", "a2"]
        assert played("b") == ["b1"]
        assert played("none of them") == ["a1", "b1", "1", "a2"]  # in the order in which they were asked for


def test_takes_are_those_of_one_variant(path: Path) -> None:
    store(path, [taken(HELLO, answer(variant.encode()), variant=variant) for variant in Variant])
    with Reader(path) as reader:
        for variant in Variant:
            takes = reader.takes(replace(TRACK, variant=variant))
            assert [take.track.variant for take in takes] == [variant]
        assert len(reader.takes_of_key(TRACK.key)) == len(Variant)


def test_a_lanes_takes_play_in_the_order_of_their_numbers_whichever_run_recorded_each(path: Path) -> None:
    """`auto` records a take anew that was cut, in its place: it must not play last from then on."""
    store(path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT), 1), taken(HELLO, answer(b"2"), 2)], AUTO)
    store(path, [taken(HELLO, answer(b"1"), 1, at=LATER)], AUTO)
    assert numbers(path) == [1, 2]


def test_a_lanes_takes_play_in_the_order_of_their_numbers_whichever_was_stored_first(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"%d" % number), number) for number in (2, 3, 1)])
    assert numbers(path) == [1, 2, 3]


def test_tokens_and_times_come_with_a_response(path: Path) -> None:
    body = b'{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":7}}'
    store(path, [taken(HELLO, answer(body[:10], body[10:]))])
    with Reader(path) as reader:
        (take,) = reader.takes(TRACK)
        response, tokens = reader.response(take)
        (entry,) = reader.entries()
    assert tokens == 7
    assert [chunk.at_us for chunk in response.chunks] == [100, 200]
    assert (entry.finish_reason, entry.prompt_tokens, entry.completion_tokens) == ("stop", 4, 7)
    assert (entry.model, entry.method, entry.path, entry.recorded_at) == ("m", "POST", "/v1/chat/completions", NOON)


def test_entries_come_in_the_order_in_which_they_were_asked_for(path: Path) -> None:
    made = [taken(question(f"q{minute}"), answer(b"x"), at=f"2026-01-01T00:0{minute}:00.000Z") for minute in range(5)]
    store(path, [made[number] for number in (3, 0, 4, 1, 2)])
    assert held(path) == made


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("{key}", [1, 2]),
        ("{key}:2", [2]),
        ("{short}", [1, 2]),
        ("{short}:1", [1]),
        ("{upper}:1", [1]),
    ],
)
def test_a_recording_is_found_by_a_beginning_of_its_key(path: Path, prefix: str, expected: list[int]) -> None:
    store(path, [taken(HELLO, answer(b"%d" % n), n) for n in (1, 2)] + [taken(question("other"), answer(b"other"))])
    named = prefix.format(key=TRACK.key, short=TRACK.key[:12], upper=TRACK.key[:12].upper())
    with Reader(path) as reader:
        assert [take.number for take in reader.find(named)] == expected


@pytest.mark.parametrize("prefix", ["", ":1", "zzzz", "{key}:3", "{key}:x", "{key}:", "%", "_", "{key}0", "*"])
def test_what_names_no_recording_is_told(path: Path, prefix: str) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    with Reader(path) as reader, pytest.raises(KeyNotFoundError):
        reader.find(prefix.format(key=TRACK.key))


def test_a_beginning_of_several_keys_is_refused(path: Path) -> None:
    made = [taken(question(str(number)), answer(b"1")) for number in range(17)]
    store(path, made)
    first_digits = [one.track.key[0] for one in made]
    twice = next(digit for digit in first_digits if first_digits.count(digit) > 1)
    with Reader(path) as reader, pytest.raises(KeyNotFoundError, match="several keys"):
        reader.find(twice)


# Reading changes nothing


def test_reading_leaves_the_file_and_its_folder_as_they_are(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    path.chmod(0o400)
    before = path.read_bytes(), path.stat().st_mtime_ns
    with Reader(path) as reader:
        reader.response(reader.takes(TRACK)[0])
        list(reader.entries())
        assert files(path) == [path.name]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert files(path) == [path.name]


def test_a_read_only_file_in_a_read_only_folder_can_be_read(read_only: Path) -> None:
    with as_nobody():
        with pytest.raises(PermissionError):
            read_only.with_name("new").touch()
        with Reader(read_only) as reader:
            assert reader.response(reader.takes(TRACK)[0])[0].body == b"1"


def test_a_reader_writes_nothing_though_it_may(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    with Reader(path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("delete from interactions")


def test_a_reader_sees_what_a_recorder_beside_it_commits(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    writer = Writer(path, AUTO)
    try:
        with Reader(path) as reader:
            assert len(reader) == 1
            writer.save(taken(HELLO, answer(b"2"), 2)).result()
            assert [take.number for take in reader.takes(TRACK)] == [1, 2]
    finally:
        writer.close()


# What is no cassette, or a damaged one


def test_a_missing_file_is_told_with_what_to_do(path: Path) -> None:
    with pytest.raises(CassetteMissingError, match=r"there is no cassette .*llmtape record -c"):
        Reader(path)
    assert files(path) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not a cassette"),
        (b"no database, but longer than the head of one " * 20, "is not a cassette"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "cannot read the cassette|is not a cassette"),
    ],
)
def test_what_is_no_database_is_told(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(CassetteError, match=words) as caught:
        Reader(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_cassette(path: Path) -> None:
    path.mkdir()
    with pytest.raises(CassetteError, match="is a folder"):
        Reader(path)


def test_another_programs_database_is_no_cassette(path: Path) -> None:
    change(path, "create table interactions(id)")
    with pytest.raises(CassetteError, match="is not a cassette: another program made this file"):
        Reader(path)


def test_a_later_format_is_refused_in_words(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    later = layout.VERSION + 1
    change(path, f"pragma user_version = {later}")
    told = f"cassette format {later}, and this llmtape reads up to {layout.VERSION}: update llmtape"
    with pytest.raises(CassetteError, match=told):
        Reader(path)


@pytest.mark.parametrize("keep", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_file_that_was_cut_short_is_told_and_never_read_wrong(path: Path, keep: float) -> None:
    made = [taken(question(f"q{number}"), answer(b"a" * 3000, b"b" * 3000)) for number in range(30)]
    store(path, made)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(CassetteError, match="cannot read the cassette"):
        held(path)


@pytest.mark.parametrize(
    "statement",
    [
        "update interactions set outcome = 'splendid'",
        "update interactions set variant = 'xml'",
        "update interactions set response_framing = '[[0,999]]'",
        "update interactions set response_framing = 'x'",
        "update interactions set response_headers = '{}'",
        "update interactions set request_headers = '[[1,2]]'",
        "update interactions set response_body = 5",
        "update interactions set status = 'teapot'",
        "update interactions set first_byte_us = 'soon'",
        "update interactions set duration_us = 'never'",
        "update interactions set take = 'first'",
        "update interactions set response_body = cast(x'ff' as text), response_framing = '[[0,1]]'",
        "drop table parts",
        "drop table cassette",
        "alter table interactions rename column response_body to body",
    ],
)
def test_a_row_that_makes_no_sense_is_told_whichever_way_it_is_read(path: Path, statement: str) -> None:
    """A cassette may come from anyone: no value in it may end in another exception than ours."""
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, statement)

    def read() -> list[Interaction]:
        with Reader(path) as reader:
            takes = [*reader.takes(TRACK), *reader.takes_of_key(TRACK.key), *reader.find(TRACK.key)]
            takes += [entry.take for entry in reader.entries()] + [take for take, _, _ in reader.requests()]
            assert takes
            return [reader.interaction(take) for take in takes]

    with pytest.raises(CassetteError, match="cannot read the cassette"):
        read()


@pytest.mark.parametrize("method", ["takes", "find"])
@pytest.mark.parametrize("column", ["outcome", "variant"])
def test_an_unknown_word_is_told_by_each_way_of_looking_up(path: Path, method: str, column: str) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, f"update interactions set {column} = 'strange'")
    with Reader(path) as reader, pytest.raises(CassetteError, match="strange"):
        reader.takes(TRACK) if method == "takes" else reader.find(TRACK.key)


def test_a_body_that_leads_in_a_circle_does_not_run_for_ever(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "update bodies set parent_id = id")
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return steps > 100

    with Reader(path) as reader:
        reader._connection.set_progress_handler(count, 10_000)
        (take,) = reader.takes(TRACK)
        with suppress(CassetteError):
            reader.interaction(take)
    assert steps <= 100


def test_a_recording_that_vanishes_is_told(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    with Reader(path) as reader:
        (take,) = reader.takes(TRACK)
        change(path, "delete from interactions")
        with pytest.raises(CassetteError, match="vanished"):
            reader.response(take)


# Keys of other rules


def make_old(path: Path) -> None:
    """Let the file say that another version made its keys, and let them be such that no request has them."""
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    change(path, "update interactions set key = 'f' || substr(key, 1, 63)")


def test_keys_that_other_rules_made_are_made_anew(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1")), taken(question("other"), answer(b"2"))])
    make_old(path)
    with Reader(path) as reader:
        (take,) = reader.takes(TRACK)
        assert take.track == TRACK
        assert reader.response(take)[0].body == b"1"
        assert reader.takes_of_key("f" + TRACK.key[:63]) == []


def test_keys_that_our_rules_made_are_taken_as_they_stand(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "update interactions set key = 'f' || substr(key, 1, 63)")
    with Reader(path) as reader:
        assert reader.takes(TRACK) == []


def test_a_cassette_that_does_not_say_what_made_its_keys_is_not_trusted(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "update interactions set key = 'f' || substr(key, 1, 63)")
    change(path, "delete from cassette")
    assert numbers(path) == [1]


def test_takes_under_keys_made_anew_play_in_order(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"%d" % number), number) for number in (3, 1, 2)])
    make_old(path)
    assert numbers(path) == [1, 2, 3]


def test_all_that_is_listed_bears_the_keys_made_anew(path: Path) -> None:
    """A miss names a key; `ls` and `show` must know it by that name."""
    store(path, [taken(HELLO, answer(b"1"))])
    make_old(path)
    with Reader(path) as reader:
        assert [entry.take.track.key for entry in reader.entries()] == [TRACK.key]
        assert [take.track.key for take, _, _ in reader.requests()] == [TRACK.key]
        assert [take.track.key for take in reader.find(TRACK.key[:12])] == [TRACK.key]


# Rules of a config that are not the file's


RUNS = Rules(pattern=(Pattern(name="run", pattern=r"run \d+"),))


def told(path: Path, rules: Rules) -> dict[int, list[object]]:
    """Tell of each recording, by its id, what each way of looking up says of it."""
    with Reader(path, rules) as reader:
        takes = [entry.take for entry in reader.entries()]
        assert sorted(takes, key=lambda take: take.id) == sorted(
            (take for take, _, _ in reader.requests()), key=lambda take: take.id
        )
        return {
            take.id: [
                take,
                [other for other in reader.takes_of_key(take.track.key) if other.track.variant is take.track.variant],
                reader.takes(take.track),
                reader.takes(replace(take.track, lane="none of them")),
                set(reader.find(take.name)),
                set(reader.find(take.track.key)),
                (reader.interaction(take).track, reader.interaction(take).number),
            ]
            for take in takes
        }


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CALLS, min_size=1, max_size=6), scrubbing.ALL, scrubbing.ALL)
def test_under_other_rules_the_keys_are_those_that_rekey_would_write_and_the_file_is_as_it_was(
    path: Path, calls: list[Call], old: Rules, new: Rules
) -> None:
    path.unlink(missing_ok=True)
    store(path, arriving(calls, old), AUTO, old)
    before = path.read_bytes(), path.stat().st_mtime_ns
    in_memory = told(path, new)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    rekey(path, new, lambda _: True)
    assert told(path, new) == in_memory


def test_recordings_that_other_rules_merge_play_in_the_order_in_which_they_were_recorded(path: Path) -> None:
    asked = ["run 1", "run 2", "run 1", "other"]
    store(path, arriving([Call(question(text), b"%d" % number) for number, text in enumerate(asked)]))
    with Reader(path, RUNS) as reader:
        track = Track(normalize(question("run 3"), RUNS).key, Variant.JSON)
        assert [(take.number, reader.response(take)[0].body) for take in reader.takes(track)] == [
            (1, b"0"),
            (2, b"1"),
            (3, b"2"),
        ]
        assert reader.takes_of_key(normalize(question("run 1")).key) == []
        with pytest.raises(KeyNotFoundError):
            reader.find(normalize(question("run 1")).key)
        assert reader.rekeying is not None
        assert reader.rekeying.changed == 3
        assert not reader.is_indexed


def test_under_the_files_own_rules_keys_are_taken_as_they_stand(path: Path) -> None:
    store(path, arriving([Call(question("run 1"))], RUNS), AUTO, RUNS)
    change(path, "update interactions set key = 'f' || substr(key, 1, 63)")
    with Reader(path, Rules(pattern=RUNS.pattern, restore=True)) as reader:  # what only restores makes no key
        assert reader.rekeying is None
        assert reader.find("f")


def test_another_reader_of_the_file_goes_by_the_same_plan(path: Path) -> None:
    store(path, arriving([Call(question("run 1")), Call(question("run 2"))]))
    with Reader(path, RUNS) as one, Reader(path, RUNS, one.rekeying) as other:
        assert other.rekeying is one.rekeying
        assert list(other.entries()) == list(one.entries())


def test_a_read_only_file_is_read_under_other_rules(path: Path) -> None:
    store(path, arriving([Call(question("run 1"))]))
    with read_only_copy(path) as copy, as_nobody(), Reader(copy, RUNS) as reader:
        assert [take.number for take in reader.takes_of_key(normalize(question("run 2"), RUNS).key)] == [1]
        assert files(copy) == [copy.name]


# What is kept of a call's surroundings


SURROUNDINGS = Rules(scrub=("workdir", "home"), headers=("x-tenant",), api_key=True)


def sent(folder: str, tenant: str = "ada", key: str = "sk-one") -> Request:
    """Build a request as it is stored: with what is kept of the headers and of the machine that it was sent from."""
    headers: Headers = (("authorization", f"Bearer {key}"), ("X-Tenant", tenant))
    here = (("workdir", f"{folder}/shop"), ("home", folder))
    asked = question(f"Look into {folder}/shop/src, not into {folder}/notes")
    return replace(asked, headers=JSON_TYPE + marks(headers, "", SURROUNDINGS, here))


def test_what_is_kept_of_a_calls_surroundings_makes_its_key_again_on_another_machine(path: Path) -> None:
    made = taken(sent("/mnt/ada"), answer(b"1"), rules=SURROUNDINGS)
    store(path, [made], AUTO, SURROUNDINGS)
    assert held(path, SURROUNDINGS) == [made]
    key = normalize(sent("/data/users/bob"), SURROUNDINGS).key
    with Reader(path, SURROUNDINGS) as reader:
        (take,) = reader.takes_of_key(key)
        assert normalize(reader.request(take), SURROUNDINGS).key == key
        for other in (sent("/mnt/ada", tenant="bob"), sent("/mnt/ada", key="sk-other")):
            assert reader.takes_of_key(normalize(other, SURROUNDINGS).key) == []


def test_what_is_kept_of_a_calls_surroundings_bears_no_value(path: Path) -> None:
    store(path, [taken(sent("/mnt/ada", tenant="acme", key="sk-planted"), answer(b"1"), rules=SURROUNDINGS)])
    ((headers,),) = rows(path, "select request_headers from interactions")
    assert "llmtape:api-key" in headers
    assert "/mnt/ada/shop" in headers  # a folder is what the prompt tells as well
    for value in (b"acme", b"sk-planted"):
        assert value not in path.read_bytes()


@pytest.mark.parametrize(
    "old", [SURROUNDINGS, Rules(scrub=("date",), headers=("x-tenant",), api_key=True)], ids=["same", "fewer"]
)
def test_what_was_kept_is_used_by_rules_that_ask_for_it_later(path: Path, old: Rules) -> None:
    later = Rules(scrub=("workdir", "home", "date"), headers=("X-TENANT",), api_key=True)
    request = sent("/mnt/ada")
    store(path, [taken(request, answer(b"1"), rules=old)], AUTO, old)
    with Reader(path, later) as reader:
        found = reader.takes_of_key(normalize(sent("/data/users/bob"), later).key)
    assert [take.number for take in found] == [1]


# What is near


def test_what_is_near_is_told_by_the_index(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1")), taken(question("other"), answer(b"2"))])
    with Reader(path) as reader:
        assert reader.is_indexed
        found = list(reader.near(outline(normalize(replace(HELLO, body=HELLO.body)).content)))
    assert [(take.track, at, request.body) for take, at, request in found] == [(TRACK, NOON, HELLO.body)]


def test_an_index_that_other_rules_made_is_not_trusted(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    make_old(path)
    with Reader(path) as reader:
        assert not reader.is_indexed


@pytest.mark.parametrize("statement", ["drop table turns", "drop table anchors", "drop index interactions_by_turn"])
def test_an_index_that_is_damaged_is_told_or_does_not_matter(path: Path, statement: str) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, statement)
    with Reader(path) as reader, suppress(CassetteError):
        list(reader.near(outline(normalize(question("other")).content)))


def test_a_stream_comes_back_event_by_event(path: Path) -> None:
    events = [b'data: {"n":%d}\n\n' % number for number in range(50)] + [b"data: [DONE]\n\n", b": bye"]
    made = taken(HELLO, answer(*events, headers=SSE_TYPE), variant=Variant.SSE_USAGE)
    store(path, [made])
    assert held(path) == [made]


# Lanes


def test_the_takes_of_a_lane_come_as_they_were_asked_for_and_those_of_no_other(path: Path) -> None:
    asked = [("a", "one"), ("b", "one"), ("a", "two"), ("", "one"), ("a", "one")]
    store(path, arriving([Call(question(text), lane=lane) for lane, text in asked]), AUTO)
    one, two = (normalize(question(text)).key for text in ("one", "two"))
    with Reader(path) as reader:
        takes = [(take.track.key, take.number) for take in reader.takes_of_lane("a")]
        assert [len(reader.takes_of_lane(lane)) for lane in ("b", "", "none")] == [1, 1, 0]
    assert takes == [(one, 1), (two, 1), (one, 2)]


def test_under_other_rules_a_lane_has_its_takes_as_they_are_found(path: Path) -> None:
    rules = Rules(scrub=("date",))
    store(path, arriving([Call(question(f"on 2026-11-{day}"), lane="a") for day in (21, 22)]))
    with Reader(path, rules) as reader:
        key = normalize(question("on 2026-11-23"), rules).key
        assert [(take.track.key, take.number) for take in reader.takes_of_lane("a")] == [(key, 1), (key, 2)]


# Beside other processes


def test_what_is_recorded_meanwhile_brings_a_replay_by_other_rules_into_no_trouble(path: Path) -> None:
    rules = Rules(scrub=("date",))
    store(path, [taken(question("on 2026-11-25"), answer(b"1"))])
    with Reader(path, rules) as reader:
        store(path, [taken(question("on 2026-11-26"), answer(b"2"))], AUTO)
        assert [entry.take.number for entry in reader.entries()] == [1, 1]
        assert len(list(reader.requests())) == 2
        assert len(reader.takes(Track(normalize(question("on 2026-11-27"), rules).key, Variant.JSON))) == 1


@pytest.mark.parametrize("column", ["method", "path", "query", "recorded_at"])
def test_a_column_of_text_that_holds_something_else_is_told(path: Path, column: str) -> None:
    store(path, [taken(question(), answer(b"1"))])
    change(path, f"update interactions set {column} = x'ff'")
    with Reader(path) as reader, pytest.raises(CassetteError, match="stands where a text should"):
        list(reader.requests())


def test_what_occurs_in_a_column_is_told_once_and_sorted(path: Path) -> None:
    made = [taken(question(text, model=model), answer(b"1"), lane=lane) for text, model, lane in ("ay ", "bxt", "cyu")]
    store(path, made)
    with Reader(path) as reader:
        assert (reader.distinct("model"), reader.distinct("lane")) == (["x", "y"], [" ", "t", "u"])
        assert reader.distinct("run_id") == [1]


def test_what_was_replaced_is_read_on_though_somebody_records_into_the_new_file(path: Path) -> None:
    store(path, [taken(question(f"q{number}"), answer(b"%d" % number * 3000)) for number in range(60)])
    with Reader(path) as reader:
        listed = reader.stored()
        first = next(listed)
        takes = [entry.take for entry in reader.entries()]
        with drafted(path) as draft:
            draft.copy(path, lambda id_: id_ % 2 == 0)
        writer = Writer(path, AUTO)
        try:
            for number in range(60):
                writer.save(taken(question(f"new {number}"), answer(b"new" * 3000))).result()
            assert len(reader) == len(takes) == 60
            assert [reader.response(take)[0].body for take in takes] == [b"%d" % n * 3000 for n in range(60)]
            assert [reader.request(take) for take in takes] == [question(f"q{number}") for number in range(60)]
            assert [first, *listed] == [(reader.interaction(take), reader.run(take)) for take in takes]
        finally:
            writer.close()
    assert len(held(path)) == 90


def test_a_file_that_is_replaced_while_it_is_opened_is_the_old_one_or_the_new_one(path: Path) -> None:
    made = [path.with_name(name) for name in ("a", "b")]
    for file in made:
        store(file, [taken(question(), answer(file.name.encode()))])
    shutil.copy(made[0], path)
    is_over = Event()

    def replace_it() -> None:
        for file in cycle(made):
            if is_over.is_set():
                return
            shutil.copy(file, path.with_name("next"))
            path.with_name("next").replace(path)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(replace_it)
        try:
            read = {body for _ in range(300) for body in bodies(path)}
        finally:
            is_over.set()
    assert read <= {b"a", b"b"}
