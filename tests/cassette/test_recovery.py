"""What comes over from a damaged file is whole and the very same, and what is whole comes over."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.checkup import Checkup
from proxy.cassette.reader import Reader
from proxy.cassette.recovery import Salvage, keying_of, recover
from proxy.cassette.wreck import Wreck
from proxy.core.errors import CassetteError
from proxy.core.finding import Level
from proxy.core.model import RecordedRun
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.damaging import PAGE, RUN, agent, needs, overwrite, pages, write
from tests.cassette.making import answer, change, files, held, question, rows, store, taken
from tests.cassette.test_migration import FIRST
from tests.cassette.test_wreck import root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.model import Interaction

LANES = ("", "tests/test_a.py::test_a", "tests/test_b.py::test_b")
DATES = Rules(scrub=("date",))
SECRET = "sk-proj-" + "aB3_-" * 12


def saved(path: Path, out: Path, rules: Rules = DEFAULT) -> list[Salvage]:
    with Wreck(path) as wreck:
        for _ in wreck.search():
            pass
        return list(recover(wreck, out, keying_of(wreck, rules)))


def faults(path: Path, rules: Rules = DEFAULT) -> list[str]:
    with Checkup(path, rules, Redactor()) as checkup:
        findings = [*checkup.file(), *(it for each in checkup.interactions() for it in each)]
    return [it.what for it in findings if it.level is Level.FAULT]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "t.sqlite"
    write(path, (it for lane in LANES for it in agent(25, lane)))
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    path.write_bytes(sound.read_bytes())
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "saved.sqlite"


def stored(path: Path) -> list[Interaction]:
    with Reader(path) as reader:
        return [interaction for interaction, _ in reader.stored()]


@cache
def contents(path: Path) -> list[tuple[Interaction, set[int]]]:
    """Read a sound file: its interactions, each with the pages that it stands on."""
    on = needs(path)
    return [(interaction, on[id_]) for id_, interaction in enumerate(stored(path), 1)]


def check_recovery(sound: Path, path: Path, out: Path, lost_pages: Iterable[int]) -> list[Interaction]:
    """Hold what was recovered against what stood on pages that were left alone; return what is none of the old."""
    gone = set(lost_pages)
    before = [it for it, _ in contents(sound)]
    whole = [it for it, on in contents(sound) if not on & gone]
    try:
        salvaged = saved(path, out)
    except CassetteError:
        assert not whole
        assert not out.exists()
        return []
    after = stored(out)
    assert len(after) == sum(not it.loss for it in salvaged)
    assert [it for it in whole if it not in after] == []
    assert [it for it in before if it in after] == [it for it in after if it in before]
    assert faults(out) == []
    return [it for it in after if it not in before]


def test_a_sound_file_comes_over_byte_for_byte(path: Path, out: Path) -> None:
    assert all(not it.loss for it in saved(path, out))
    assert out.read_bytes() == path.read_bytes()
    assert faults(out) == []


@pytest.mark.parametrize("seed", range(24))
def test_pages_of_noise_or_of_zeros_cost_what_stood_on_them_and_no_more(
    sound: Path, path: Path, out: Path, seed: int
) -> None:
    chosen = random.Random(seed).sample(range(1, pages(path) + 1), 1 + seed % 7)
    overwrite(path, *chosen, seed=seed if seed % 2 else None)
    assert check_recovery(sound, path, out, chosen) == []


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_a_file_that_ends_early_at_any_byte_gives_what_comes_before(sound: Path, data: st.DataObject) -> None:
    content = sound.read_bytes()
    end = data.draw(st.integers(0, len(content)) | st.integers(0, len(content) // PAGE).map(lambda page: page * PAGE))
    with TemporaryDirectory() as folder:
        path, out = Path(folder) / "t.sqlite", Path(folder) / "out.sqlite"
        path.write_bytes(content[:end])
        assert not check_recovery(sound, path, out, range(end // PAGE + 1, len(content) // PAGE + 1))


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_pages_that_stand_in_each_others_place_cost_no_more_than_others(sound: Path, data: st.DataObject) -> None:
    """A page of one answer in the place of another's, of the same kind, is what nothing in the file gives away."""
    count = pages(sound)
    content = bytearray(sound.read_bytes())
    touched = set()
    for _ in range(data.draw(st.integers(1, 4))):
        source, target = data.draw(st.integers(1, count)), data.draw(st.integers(2, count))
        content[(target - 1) * PAGE : target * PAGE] = content[(source - 1) * PAGE : source * PAGE]
        touched |= {target} if source != target else set()
    with TemporaryDirectory() as folder:
        path, out = Path(folder) / "t.sqlite", Path(folder) / "out.sqlite"
        path.write_bytes(content)
        check_recovery(sound, path, out, touched)


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_single_bytes_that_change_never_make_an_exception(sound: Path, data: st.DataObject) -> None:
    content = bytearray(sound.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path, out = Path(folder) / "t.sqlite", Path(folder) / "out.sqlite"
        path.write_bytes(content)
        try:
            saved(path, out)
        except CassetteError:
            assert not out.exists()
        else:
            assert faults(out) == []


def test_what_was_lost_is_named_as_the_index_names_it(path: Path, out: Path) -> None:
    key, lane = rows(path, "select key, lane from interactions where id = 30")[0]
    change(path, "update interactions set response_framing = 'x' where id = 30")
    losses = [it for it in saved(path, out) if it.loss]
    assert losses == [Salvage(f"{key[:12]}:1", lane, "not all of it can be read")]
    assert len(held(out)) == 74


def test_a_recording_with_a_sign_of_damage_stays_behind_and_says_which(path: Path, out: Path) -> None:
    change(path, "update interactions set finish_reason = 'length' where id = 3")
    change(path, "update interactions set key = 'x' where id = 4")
    losses = [it.loss for it in saved(path, out) if it.loss]
    assert losses[0].startswith("it has finish_reason 'length'")
    assert losses[1].startswith("its request has the key")


def test_a_secret_is_no_damage(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "t.sqlite"
    write(path, iter([taken(question(SECRET), answer(b"{}"))]))
    assert saved(path, out)[0].loss == ""


def test_of_two_recordings_of_one_take_the_first_comes_over(path: Path, out: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute("delete from sqlite_master where name = 'sqlite_autoindex_interactions_1'")
        unique, never = "UNIQUE (key, variant, lane, take)", "CHECK (1)"
        connection.execute("update sqlite_master set sql = replace(sql, ?, ?)", (unique, never))
    change(path, "update interactions set key = (select key from interactions where id = 1), lane = '' where id = 2")
    key = rows(path, "select key from interactions where id = 1")[0][0]
    with Wreck(path) as wreck:
        recovered = list(recover(wreck, out, replace(keying_of(wreck, DEFAULT), rules=None)))
    assert [it for it in recovered if it.loss] == [Salvage(f"{key[:12]}:1", "", "another recording has its place")]


def test_without_its_run_a_recording_has_one_that_began_with_it(path: Path, out: Path) -> None:
    at = held(path)[0].recorded_at
    overwrite(path, root(path, "runs"), seed=1)
    saved(path, out)
    with Reader(out) as reader:
        assert {run for _, run in reader.stored()} == {RecordedRun(1, at, "unknown", "", "")}


def test_without_its_facts_the_rules_of_the_config_are_taken(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "t.sqlite"
    store(path, [taken(question("2026-11-22"), answer(b"{}"), rules=DATES)], rules=DATES)
    overwrite(path, root(path, "cassette"), seed=1)
    with Wreck(path) as wreck:
        for _ in wreck.search():
            pass
        assert keying_of(wreck, DATES).is_assumed
    with pytest.raises(CassetteError, match="no recording in"):
        saved(path, out)
    assert [it.loss for it in saved(path, out, DATES)] == [""]
    assert faults(out, DATES) == []


def test_keys_of_another_normalizer_come_over_as_they_are(path: Path, out: Path) -> None:
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    change(path, "update interactions set key = 'x' where id = 4")
    assert all(not it.loss for it in saved(path, out))
    assert rows(out, "select value from cassette where name = 'normalizer'") == [("0",)]
    assert rows(out, "select key from interactions where id = 4") == [("x",)]


def test_facts_that_were_noted_come_over(path: Path, out: Path) -> None:
    change(path, "insert into cassette values ('a note', 'y'), ('conflict:x', 'y'), ('conflict:x:json:', 'no lines')")
    saved(path, out)
    noted = "select name, value from cassette where name not in ('format', 'normalizer', 'rules')"
    assert rows(out, noted) == [("a note", "y")]  # a conflict that nobody can read, nobody can settle


def test_a_file_of_the_first_format_comes_over_in_the_present_one(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "t.sqlite"
    path.write_bytes(FIRST.read_bytes())
    overwrite(path, 1)
    assert all(not it.loss for it in saved(path, out))
    assert stored(out) == stored(FIRST)


@pytest.mark.parametrize("content", [b"", b"not a database " * 1000, bytes(20 * PAGE)])
def test_of_what_was_no_cassette_nothing_is_made(tmp_path: Path, out: Path, content: bytes) -> None:
    path = tmp_path / "t.sqlite"
    path.write_bytes(content)
    with pytest.raises(CassetteError, match=r"no recording in .* can be read whole"):
        saved(path, out)
    assert files(out) == []


def test_a_file_that_is_there_is_left_alone(path: Path, out: Path) -> None:
    out.parent.mkdir()
    out.write_text("mine")
    with pytest.raises(CassetteError, match="is there already"):
        saved(path, out)
    assert out.read_text() == "mine"


def test_who_stops_in_between_leaves_nothing(path: Path, out: Path) -> None:
    with Wreck(path) as wreck:
        recovering = recover(wreck, out, keying_of(wreck, DEFAULT))
        next(recovering)
        recovering.close()
    assert files(out) == []


def test_runs_that_are_there_come_over(path: Path, out: Path) -> None:
    overwrite(path, root(path, "interactions"), seed=1)
    saved(path, out)
    with Reader(out) as reader:
        assert {run for _, run in reader.stored()} == {replace(RUN, id=1)}
