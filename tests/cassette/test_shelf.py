"""Which cassettes are open, what plays, which numbers recordings get, and what is nearest."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.shelf import Shelf
from proxy.core.deck import Deck, Incomplete, Repeats
from proxy.core.errors import BadAddressError, CassetteError, CassetteMissingError
from proxy.core.model import Outcome, Track, Variant
from proxy.core.modes import Found, Mode, looks_up, records
from proxy.core.normalize import normalize
from tests.cassette.making import AUTO, NOON, RECORD, answer, bodies, files, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.cassette.shelf import Tape

HELLO = question("hello")
TRACK = Track(normalize(HELLO).key, Variant.JSON)


class Shelves:
    """Makes shelves on one folder, and closes all of them at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "default.sqlite"
        self._made: list[Shelf] = []

    def shelf(self, mode: Mode, repeats: Repeats = Repeats.LAST, incomplete: Incomplete = Incomplete.REFUSE) -> Shelf:
        run = replace(AUTO if looks_up(mode) else RECORD, mode=mode.value)
        made = Shelf(
            self.path,
            self.folder,
            mode=mode,
            run=run if records(mode) else None,
            deck=lambda: Deck(repeats, incomplete),
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
        told.append(tape.response(drawn.take)[0].body if playable and drawn.take else str(drawn.found))
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


@pytest.mark.parametrize(("few", "few_bytes"), [(200, 2**20), (2, 2**20), (200, 60)])
def test_the_nearest_is_the_same_with_the_index_as_without(
    shelves: Shelves, monkeypatch: pytest.MonkeyPatch, few: int, few_bytes: int
) -> None:
    monkeypatch.setattr("proxy.cassette.nearest.FEW", few)
    monkeypatch.setattr("proxy.cassette.nearest.FEW_BYTES", few_bytes)
    told = ["Tell me about Oslo in winter", "Tell me about Rome", "Sing a song"]
    store(shelves.path, [taken(question(text), answer(b"1")) for text in told])
    nearest = shelves.tape(Mode.REPLAY).nearest(normalize(question("Tell me about Oslo in summer")))
    assert nearest is not None
    assert nearest.request.body == question(told[0]).body


def test_the_nearest_is_found_also_where_keys_are_made_anew(shelves: Shelves, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the index was made by other rules as well, and only comparing helps."""
    monkeypatch.setattr("proxy.cassette.nearest.FEW", 0)
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    with sqlite3.connect(shelves.path) as connection:
        connection.execute("update cassette set value = '0' where name = 'normalizer'")
        connection.execute("delete from turns")
    connection.close()
    nearest = shelves.tape(Mode.REPLAY).nearest(normalize(question("hello there")))
    assert nearest is not None
    assert nearest.take.track == TRACK


def test_nothing_is_near_a_request_to_another_endpoint(shelves: Shelves) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    other = replace(question("Sing a song"), path="/v1/embeddings")
    assert shelves.tape(Mode.REPLAY).nearest(normalize(other)) is None


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completion"])
def test_a_request_that_only_went_to_another_path_is_near(shelves: Shelves, path: str) -> None:
    store(shelves.path, [taken(HELLO, answer(b"1"))])
    assert shelves.tape(Mode.REPLAY).nearest(normalize(replace(HELLO, path=path))) is not None


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
