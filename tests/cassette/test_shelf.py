"""Which cassettes are open, what plays, which numbers recordings get, and what is nearest."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.rekey import rekey
from proxy.cassette.shelf import Shelf
from proxy.core.deck import Deck, Repeats
from proxy.core.errors import BadAddressError, CassetteError, CassetteMissingError, CassetteOutOfReachError
from proxy.core.model import Outcome, Track, Variant, take_name
from proxy.core.modes import Found, Mode, looks_up, records
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import AUTO, NOON, RECORD, Call, answer, arriving, bodies, files, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.cassette.shelf import Tape

HELLO = question("hello")
TRACK = Track(normalize(HELLO).key, Variant.JSON)
DATES = Rules(scrub=("date",))


class Shelves:
    """Makes shelves on one folder, and closes all of them at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "default.sqlite"
        self._made: list[Shelf] = []

    def shelf(self, mode: Mode, repeats: Repeats = Repeats.LAST, *, rules: Rules = DEFAULT) -> Shelf:
        run = replace(AUTO if looks_up(mode) else RECORD, mode=mode.value)
        made = Shelf(
            self.path,
            self.folder,
            mode=mode,
            run=run if records(mode) else None,
            deck=lambda: Deck(repeats),
            rules=rules,
        )
        self._made.append(made)
        return made

    def tape(self, mode: Mode, repeats: Repeats = Repeats.LAST) -> Tape:
        return self.shelf(mode, repeats).tape("")

    def close(self) -> None:
        for shelf in self._made:
            shelf.close()


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Shelves]:
    made = Shelves(tmp_path)
    yield made
    made.close()


def play(tape: Tape, calls: int, track: Track = TRACK) -> list[bytes | str]:
    """Ask so often; tell each answer's body, or why there is none."""
    told: list[bytes | str] = []
    for _ in range(calls):
        drawn = tape.look_up(track, retry=False)
        playable = drawn.found is Found.PLAYABLE and drawn.take
        told.append(tape.recorded(drawn.take).response.body if playable and drawn.take else str(drawn.found))
    return told


def record(tape: Tape, body: bytes, outcome: Outcome = Outcome.COMPLETE, track: Track = TRACK) -> int:
    """Do what an exchange in auto mode does with one call, and return the take's number."""
    number = tape.reserve(track, tape.look_up(track, retry=False))
    tape.save(taken(HELLO, answer(body, outcome=outcome), number, lane=track.lane)).result()
    return number


def test_takes_play_in_order(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"%d" % number), number) for number in (1, 2, 3)])
    assert play(shelves.tape(Mode.REPLAY), 4) == [b"1", b"2", b"3", b"3"]


def test_what_is_recorded_in_another_variant_only_is_told_so(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"), variant=Variant.SSE)])
    drawn = shelves.tape(Mode.REPLAY).look_up(TRACK, retry=False)
    assert drawn.found is Found.OTHER_VARIANT
    assert drawn.take is not None
    assert drawn.take.track.variant is Variant.SSE


def test_a_shelf_opens_each_cassette_once(shelves: Shelves) -> None:
    store(shelves.folder / "agent.sqlite", [taken(HELLO, answer(b"1"))])
    shelf = shelves.shelf(Mode.REPLAY)
    assert shelf.tape("agent") is shelf.tape("agent")
    assert [tape.path.name for tape in shelf] == ["agent.sqlite"]


@pytest.mark.parametrize("spelling", ["default.sqlite", "../{folder}/default.sqlite", "./default.sqlite"])
def test_a_file_is_one_tape_however_it_is_named(shelves: Shelves, spelling: str) -> None:
    """Two writers in one run would each take itself for the first, and replace what the other has recorded."""
    shelves.path = shelves.folder / spelling.format(folder=shelves.folder.name)
    shelf = shelves.shelf(Mode.RECORD)
    for name in ("", "default"):
        tape = shelf.tape(name)
        number = tape.reserve(TRACK, tape.deck.draw(TRACK, ()))
        tape.save(taken(HELLO, answer(name.encode()), number)).result()
    shelf.close()
    assert bodies(shelves.folder / "default.sqlite") == [b"", b"default"]


def test_in_replay_a_missing_cassette_is_told_and_none_is_made(shelves: Shelves) -> None:
    shelf = shelves.shelf(Mode.REPLAY)
    for name in ("", "other"):
        with pytest.raises(CassetteMissingError):
            shelf.tape(name)
    assert list(shelves.folder.iterdir()) == []


def test_a_link_out_of_the_folder_is_not_followed(shelves: Shelves, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    store(elsewhere / "secret.sqlite", [taken(HELLO, answer(b"1"))])
    (shelves.folder / "out").symlink_to(elsewhere)
    (shelves.folder / "file.sqlite").symlink_to(elsewhere / "secret.sqlite")
    for name in ("out/secret", "file"):
        with pytest.raises(BadAddressError):
            shelves.shelf(Mode.REPLAY).tape(name)


def test_what_one_tape_cannot_open_harms_no_other(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    (shelves.folder / "bad.sqlite").write_text("no cassette")
    shelf = shelves.shelf(Mode.AUTO)
    with pytest.raises(CassetteError):
        shelf.tape("bad")
    assert play(shelf.tape(""), 1) == [b"1"]


# Recording


def test_in_record_numbers_begin_at_one_whatever_is_held(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"old"), number) for number in (1, 2)])
    tape = shelves.tape(Mode.RECORD)
    nothing = Deck().draw(TRACK, ())
    assert [tape.reserve(TRACK, nothing) for _ in range(3)] == [1, 2, 3]
    assert tape.reserve(replace(TRACK, lane="another"), nothing) == 1


def test_in_auto_what_is_recorded_plays_from_then_on(shelves: Shelves) -> None:
    tape = shelves.tape(Mode.AUTO)
    assert record(tape, b"live") == 1
    assert play(tape, 2) == [b"live", b"live"]


def test_in_auto_numbers_go_on_from_what_is_held(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"%d" % number), number) for number in (1, 2)])
    tape = shelves.tape(Mode.AUTO, Repeats.ERROR)
    assert play(tape, 3) == [b"1", b"2", "takes_exhausted"]
    assert record(tape, b"3") == 3
    shelves.close()
    assert play(shelves.tape(Mode.REPLAY), 3) == [b"1", b"2", b"3"]


def test_a_number_that_was_not_used_is_given_again(shelves: Shelves) -> None:
    tape = shelves.tape(Mode.RECORD)
    nothing = Deck().draw(TRACK, ())
    first = tape.reserve(TRACK, nothing)
    tape.release(TRACK, first)
    assert tape.reserve(TRACK, nothing) == first


def test_a_number_that_later_calls_count_on_from_is_not_given_again(shelves: Shelves) -> None:
    tape = shelves.tape(Mode.RECORD)
    nothing = Deck().draw(TRACK, ())
    first, second = tape.reserve(TRACK, nothing), tape.reserve(TRACK, nothing)
    tape.release(TRACK, first)
    assert tape.reserve(TRACK, nothing) == second + 1


def test_in_auto_a_take_that_was_cut_is_recorded_anew_in_its_place(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT)), taken(HELLO, answer(b"2"), 2)])
    tape = shelves.tape(Mode.AUTO)
    assert record(tape, b"1") == 1
    assert play(tape, 2) == [b"2", b"2"]
    shelves.close()
    assert play(shelves.tape(Mode.REPLAY), 3) == [b"1", b"2", b"2"]


def test_in_auto_a_take_that_could_not_be_recorded_anew_is_the_next_calls(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT)), taken(HELLO, answer(b"2"), 2)])
    tape = shelves.tape(Mode.AUTO)
    tape.release(TRACK, tape.reserve(TRACK, tape.look_up(TRACK, retry=False)))
    drawn = tape.look_up(TRACK, retry=True)
    assert (drawn.found, drawn.take and drawn.take.number) == (Found.INCOMPLETE, 1)


def test_in_auto_a_take_that_a_later_call_went_on_from_is_not_given_again(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT)), taken(HELLO, answer(b"2"), 2)])
    tape = shelves.tape(Mode.AUTO, Repeats.ERROR)
    number = tape.reserve(TRACK, tape.look_up(TRACK, retry=False))
    assert play(tape, 1) == [b"2"]
    tape.release(TRACK, number)
    assert play(tape, 1) == ["takes_exhausted"]


def test_in_auto_two_calls_at_once_for_a_take_that_was_cut_lose_neither_answer(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT))])
    tape = shelves.tape(Mode.AUTO)
    drawn = [tape.look_up(TRACK, retry=False) for _ in "ab"]
    numbers = [tape.reserve(TRACK, one) for one in drawn]
    for number, body in zip(numbers, (b"a", b"b"), strict=True):
        tape.save(taken(HELLO, answer(body), number)).result()
    shelves.close()
    assert bodies(shelves.path) == [b"a", b"b"]


def test_in_auto_a_take_that_is_cut_again_is_recorded_anew_by_the_next_call(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT))])
    tape = shelves.tape(Mode.AUTO)
    assert record(tape, b"another stump", outcome=Outcome.CUT) == 1
    assert record(tape, b"whole") == 1
    shelves.close()
    assert bodies(shelves.path) == [b"whole"]


def test_in_auto_what_was_played_alone_leaves_the_file_byte_for_byte(shelves: Shelves) -> None:
    """A cassette lives in git: a test run that recorded nothing must not show up as a change."""
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    before = shelves.path.read_bytes()
    assert play(shelves.tape(Mode.AUTO), 1) == [b"1"]
    shelves.close()
    assert shelves.path.read_bytes() == before
    assert files(shelves.path) == [shelves.path.name]


def test_in_auto_nothing_recorded_leaves_no_file(shelves: Shelves) -> None:
    assert play(shelves.tape(Mode.AUTO), 1) == ["not_recorded"]
    shelves.close()
    assert list(shelves.folder.iterdir()) == []


# Reports


def test_unplayed_takes_are_those_that_were_not_played_since_the_last_rewind(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"%d" % number), number) for number in (1, 2, 3)])
    tape = shelves.tape(Mode.REPLAY)
    assert [take.number for take in tape.unplayed()] == [1, 2, 3]
    play(tape, 2)
    assert [take.number for take in tape.unplayed()] == [3]
    tape.deck.rewind()
    assert [take.number for take in tape.unplayed()] == [1, 2, 3]


def test_the_nearest_recording_is_found_among_all(shelves: Shelves) -> None:
    told = ["Tell me about Oslo in winter", "Tell me about Rome", "Sing a song"]
    store(shelves.path, [taken(question(text), answer(b"1"), at=NOON) for text in told])
    tape = shelves.tape(Mode.REPLAY)
    nearest = tape.nearest(normalize(question("Tell me about Oslo in summer")))
    assert tape.held == 3
    assert nearest is not None
    assert nearest.take.track.key == normalize(question(told[0])).key
    assert nearest.recorded_at == NOON


@pytest.mark.parametrize("rules", [DEFAULT, DATES], ids=["its own", "others"])
def test_the_nearest_is_named_as_it_is_found(shelves: Shelves, rules: Rules) -> None:
    store(shelves.path, [taken(question("On 2026-11-25 in Oslo"), answer(b"1"))])
    tape = shelves.shelf(Mode.REPLAY, rules=rules).tape("")
    nearest = tape.nearest(normalize(question("On 2026-11-25 in Rome"), rules))
    assert nearest is not None
    assert tape.look_up(nearest.take.track, retry=False).take == nearest.take


# Lanes


def lane(name: str) -> Track:
    return replace(TRACK, lane=name)


def test_alone_a_lane_plays_its_own_takes_and_those_of_no_lane(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(name.encode()), lane=name) for name in ("a", "b")])
    tape = shelves.tape(Mode.REPLAY)
    assert tape.look_up(lane("c"), retry=False).found is Found.PLAYABLE
    assert tape.look_up(lane("c"), retry=False, alone=True).found is Found.NOT_RECORDED
    assert tape.look_up(lane("a"), retry=False, alone=True).found is Found.PLAYABLE


def test_alone_a_lane_without_takes_plays_those_of_no_lane(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(name.encode()), lane=name) for name in ("", "b")])
    drawn = shelves.tape(Mode.REPLAY).look_up(lane("c"), retry=False, alone=True)
    assert drawn.take is not None
    assert drawn.take.track.lane == ""


def test_a_look_up_may_want_other_repeats(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    tape = shelves.tape(Mode.REPLAY)
    wanted = (None, Repeats.ERROR, Repeats.LAST)
    drawn = [tape.look_up(TRACK, retry=False, repeats=repeats) for repeats in wanted]
    assert [(one.found, one.is_again) for one in drawn] == [
        (Found.PLAYABLE, False),
        (Found.EXHAUSTED, False),
        (Found.PLAYABLE, True),
    ]


def test_a_lane_that_is_restarted_plays_and_numbers_from_the_first(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"%d" % number), number) for number in (1, 2)])
    tape = shelves.tape(Mode.REPLAY)
    play(tape, 2)
    tape.restart("")
    assert play(tape, 2) == [b"1", b"2"]
    recorder = shelves.tape(Mode.RECORD)
    nothing = Deck().draw(TRACK, ())
    assert [recorder.reserve(asked, nothing) for asked in (lane("a"), lane("a"), lane("b"))] == [1, 2, 1]
    recorder.restart("a")
    assert [recorder.reserve(asked, nothing) for asked in (lane("a"), lane("b"))] == [1, 2]


def test_a_take_that_an_attempt_did_not_record_anew_is_free_for_the_next(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"stump", outcome=Outcome.CUT), lane="a")])
    tape = shelves.tape(Mode.AUTO)
    for _ in "ab":
        assert tape.reserve(lane("a"), tape.look_up(lane("a"), retry=False)) == 1
        tape.restart("a")


def test_recorded_anew_beside_an_open_reader_takes_are_numbered_from_the_first(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"), lane="a")])
    tape = shelves.tape(Mode.AUTO)
    assert tape.reserve(lane("a"), Deck().draw(TRACK, ())) == 1


def test_a_lane_is_saved_at_once_and_replaces_what_it_had(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"old"), number, lane="a") for number in (1, 2)])
    tape = shelves.tape(Mode.RECORD)
    tape.save_lane("a", [taken(HELLO, answer(b"new"), lane="a")], replaces=True).result()
    shelves.close()
    assert bodies(shelves.path) == [b"new"]


def test_what_a_lane_was_not_played_is_known_apart(shelves: Shelves) -> None:
    numbered = [taken(HELLO, answer(b"%d" % number), number, lane="a") for number in (1, 2)]
    store(shelves.path, [*numbered, taken(HELLO, answer(b"3"), lane="b")])
    tape = shelves.tape(Mode.REPLAY)
    play(tape, 1, lane("a"))
    play(tape, 3, lane("c"))  # another's calls play none of them for it
    assert [take.number for take in tape.unplayed_of("a")] == [2]
    assert len(tape.unplayed_of("b")) == 1
    assert tape.unplayed_of("c") == []
    tape.restart("a")
    assert [take.number for take in tape.unplayed_of("a")] == [1, 2]


def test_what_is_recorded_meanwhile_is_neither_told_nor_left_over(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    tape = shelves.tape(Mode.AUTO)
    other = replace(TRACK, key=normalize(question("other")).key)
    tape.save(taken(question("other"), answer(b"2"), tape.reserve(other, Deck().draw(other, ())))).result()
    tape.save_lane("a", [taken(HELLO, answer(b"3"), lane="a")], replaces=False).result()
    assert [take.track for take in tape.takes()] == [take.track for take in tape.unplayed()] == [TRACK]


def test_a_recorder_that_looks_nothing_up_has_nothing_to_tell(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"), lane="a")])
    tape = shelves.tape(Mode.RECORD)
    assert (tape.takes(), tape.unplayed(), tape.unplayed_of("a")) == ([], [], [])


def test_a_mode_of_its_own_opens_what_the_same_tape_lacks(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    shelf = shelves.shelf(Mode.RECORD)
    tape = shelf.tape("")
    assert shelf.tape("", Mode.REPLAY) is tape
    assert play(tape, 1) == [b"1"]
    assert shelf.tape("", Mode.AUTO) is tape
    assert len(list(shelf)) == 1


def test_rules_of_its_own_make_another_tape_and_rules_like_the_shelfs_the_same(shelves: Shelves) -> None:
    store(shelves.path, [taken(question("2026-11-25"), answer(b"1"))])
    shelf = shelves.shelf(Mode.REPLAY)
    dated = Track(normalize(question("2026-11-26"), DATES).key, Variant.JSON)
    assert shelf.tape("", rules=Rules()) is shelf.tape("")
    assert play(shelf.tape("", rules=DATES), 1, dated) == [b"1"]
    assert shelf.tape("", rules=DATES) is shelf.tape("", rules=DATES) is not shelf.tape("")


def test_what_a_mode_of_its_own_cannot_open_leaves_the_tape_as_it_was(shelves: Shelves) -> None:
    shelf = shelves.shelf(Mode.RECORD)
    with pytest.raises(CassetteMissingError):
        shelf.tape("", Mode.REPLAY)
    assert list(shelf) == []
    tape = shelf.tape("")
    assert shelf.tape("", Mode.REPLAY) is tape


# Rules of a config that are not the file's


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {(record.name, record.levelname) for record in caplog.records} <= {("llmtape", "WARNING")}
    return [record.getMessage() for record in caplog.records]


def test_where_no_rules_are_in_force_the_config_is_asked_for_and_not_that_they_be_given_up(
    shelves: Shelves, caplog: pytest.LogCaptureFixture
) -> None:
    store(shelves.path, [taken(question("2026-11-25"), answer(b"1"))])
    rekey(shelves.path, DATES, lambda _: True)
    shelves.shelf(Mode.REPLAY).tape("")
    (message,) = told(caplog)
    assert "no rules are in force (is there an llmtape.toml?)" in message
    assert "rekey" not in message


def test_a_replay_under_other_rules_says_so_and_names_what_writes_the_keys(
    shelves: Shelves, caplog: pytest.LogCaptureFixture
) -> None:
    store(shelves.path, [taken(question("2026-11-25"), answer(b"1"))])
    before = shelves.path.read_bytes()
    shelf = shelves.shelf(Mode.REPLAY, rules=DATES)
    for _ in "ab":
        assert play(shelf.tape(""), 1, Track(normalize(question("2026-11-26"), DATES).key, Variant.JSON)) == [b"1"]
    (message,) = told(caplog)
    assert "were made by other rules" in message
    assert f"`llmtape rekey {shelves.path}`" in message
    assert "merge" not in message
    assert shelves.path.read_bytes() == before


def test_recordings_that_merge_with_different_answers_are_named_once(
    shelves: Shelves, caplog: pytest.LogCaptureFixture
) -> None:
    same = [Call(question("2026-11-21"), b"same"), Call(question("2026-11-22"), b"same")]
    differ = [Call(question("On 2026-11-23"), b"one"), Call(question("On 2026-11-24"), b"other")]
    store(shelves.path, arriving([*same, *differ]))
    shelf = shelves.shelf(Mode.REPLAY, rules=DATES)
    for _ in "ab":
        shelf.tape("")
    head, first, second = told(caplog)
    assert "recordings merge, 1 of them with different answers" in head
    assert f"`llmtape rekey {shelves.path}`" in head
    names = [take_name(normalize(call.request).key, 1) for call in (*differ, *same)]
    assert first.startswith(f"{names[0]}, {names[1]} become takes of ")
    assert first.endswith("with different answers")
    assert second.startswith(f"{names[2]}, {names[3]} become takes of ")
    assert second.endswith("with the same answer")


def test_of_many_that_merge_a_few_are_named_those_with_different_answers_first(
    shelves: Shelves, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [
        Call(question(f"{number} at 2026-11-{day}"), day.encode() if number % 3 == 0 else b"same")
        for number in range(12)
        for day in ("21", "22")
    ]
    store(shelves.path, arriving(calls))
    shelves.shelf(Mode.REPLAY, rules=DATES).tape("")
    head, *named = told(caplog)
    assert "4 of them with different answers" in head
    assert [message.rpartition(", ")[-1] for message in named] == [
        *["with different answers"] * 4,
        "with the same answer",
    ]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("rules", [DATES, replace(DATES, restore=True)], ids=["as they are", "with values restored"])
@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.AUTO])
def test_under_the_files_own_rules_nothing_is_said(
    shelves: Shelves, caplog: pytest.LogCaptureFixture, mode: Mode, rules: Rules
) -> None:
    store(shelves.path, [taken(question("2026-11-25"), answer(b"1"), rules=DATES)], RECORD, DATES)
    shelves.shelf(mode, rules=rules).tape("")
    assert told(caplog) == []


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
def test_nothing_is_recorded_under_other_rules(shelves: Shelves, mode: Mode) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    before = shelves.path.read_bytes()
    with pytest.raises(CassetteError, match=f"llmtape rekey {shelves.path}"):
        shelves.shelf(mode, rules=DATES).tape("")
    assert shelves.path.read_bytes() == before
    assert files(shelves.path) == [shelves.path.name]


# Starting


@pytest.mark.parametrize("module", ["sqlalchemy", "proxy.upstream", "proxy.cassette.writer", "proxy.demo"])
def test_a_replay_starts_without_what_only_recording_needs(shelves: Shelves, module: str) -> None:
    """It is also how no upstream can be called: what makes one is not even loaded."""
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    script = """if True:
        import asyncio, sys
        from proxy.config import Config, Server
        from proxy.core.modes import Mode
        from proxy.server import Proxy

        async def run():
            async with Proxy(Config(cassette=sys.argv[1], server=Server(port=0)), Mode.REPLAY):
                return sys.argv[2] in sys.modules

        sys.exit(asyncio.run(run()))
    """
    done = subprocess.run([sys.executable, "-c", script, shelves.path, module], check=False, timeout=60)
    assert done.returncode == 0


# Where another file takes the cassette's place


def put(path: Path, body: bytes, *, in_place: bool = False) -> None:
    """Let a cassette with one recording take the place of what is there, or be written over it."""
    made = path.with_name("made.sqlite")
    store(made, [taken(HELLO, answer(body))])
    if in_place:
        path.write_bytes(made.read_bytes())
        made.unlink()
    else:
        made.replace(path)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_cassette_that_is_replaced_while_it_plays_is_played_from_the_next_call_on(
    shelves: Shelves, *, in_place: bool
) -> None:
    put(shelves.path, b"one")
    tape = shelves.tape(Mode.REPLAY)
    assert play(tape, 1) == [b"one"]
    put(shelves.path, b"two", in_place=in_place)
    assert play(tape, 1) == [b"two"]
    assert tape.unplayed() == []


def test_takes_go_on_from_where_they_were_in_a_file_that_takes_the_cassettes_place(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"%d" % number), number) for number in (1, 2, 3)])
    tape = shelves.tape(Mode.REPLAY)
    assert play(tape, 1) == [b"1"]
    made = shelves.path.with_name("made.sqlite")
    store(made, [taken(HELLO, answer(b"%d anew" % number), number) for number in (1, 2, 3)])
    made.replace(shelves.path)
    assert play(tape, 2) == [b"2 anew", b"3 anew"]
    assert [take.number for take in tape.takes()] == [1, 2, 3]


def test_what_is_no_cassette_in_a_cassettes_place_is_told_until_one_is_there_again(shelves: Shelves) -> None:
    put(shelves.path, b"one")
    tape = shelves.tape(Mode.REPLAY)
    shelves.path.write_bytes(b"no cassette, and long enough to be looked at as a database's head" * 9)
    for _ in range(2):
        with pytest.raises(CassetteError, match="is not a cassette"):
            play(tape, 1)
    put(shelves.path, b"two")
    assert play(tape, 1) == [b"two"]


def test_a_cassette_that_is_removed_is_missing_until_it_is_there_again(shelves: Shelves) -> None:
    put(shelves.path, b"one")
    tape = shelves.tape(Mode.REPLAY)
    shelves.path.unlink()
    with pytest.raises(CassetteMissingError):
        play(tape, 1)
    put(shelves.path, b"two")
    assert play(tape, 1) == [b"two"]


def test_in_auto_a_cassette_that_is_removed_is_recorded_anew(shelves: Shelves) -> None:
    tape = shelves.tape(Mode.AUTO)
    record(tape, b"one")
    assert play(tape, 1) == [b"one"]
    shelves.path.unlink()
    assert play(tape, 1) == ["not_recorded"]
    record(tape, b"two")
    assert play(tape, 1) == [b"two"]


def test_all_who_play_a_take_at_one_time_share_what_they_play(shelves: Shelves) -> None:
    put(shelves.path, b"one")
    tape = shelves.tape(Mode.REPLAY)
    takes = [tape.look_up(TRACK, retry=False).take for _ in range(2)]
    assert takes[0]
    assert takes[1]
    first = tape.recorded(takes[0])
    assert tape.recorded(takes[1]) is first
    put(shelves.path, b"two")
    again = tape.look_up(TRACK, retry=False).take
    assert again
    assert tape.recorded(again).response.body == b"two"
    assert first.response.body == b"one"


def test_a_cassette_that_another_has_for_itself_alone_is_told_and_left_alone_for_a_while(shelves: Shelves) -> None:
    put(shelves.path, b"one")
    tape = shelves.tape(Mode.AUTO)
    with closing(sqlite3.connect(shelves.path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        for _ in range(2):
            with pytest.raises(CassetteOutOfReachError, match="for itself alone"):
                play(tape, 1)
        other.execute("rollback")
    with pytest.raises(CassetteOutOfReachError, match="for itself alone"):  # each try would hold up all other calls
        play(tape, 1)
