"""`llmtape stats`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cli.wording import printable
from tests.cassette.making import AUTO, answer, change, interactions, question, store, taken
from tests.cli.recorded import RECORDED, ask, run, say, told

if TYPE_CHECKING:
    from proxy.core.model import Interaction


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stats") / "one.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


@pytest.fixture(scope="module")
def other(cassette: Path) -> Path:
    """Make a cassette in which two lanes asked the same, and were told the same."""
    path = cassette.with_name("other.sqlite")
    lanes = ("a", "b")
    store(path, [taken(ask("Say hello"), say({"content": "Hello."}), lane=lane) for lane in lanes])
    return path


def test_it_is_told_in_words_and_tables(cassette: Path) -> None:
    lines = [line.split() for line in told("stats", cassette).splitlines()]
    text = "\n".join(" ".join(line) for line in lines)
    for fragment in (
        "calls 8 from 2026-11-22 12:00 to 2026-11-22 12:00 UTC",
        "outcomes 7 complete, 1 cut; 1 of them with an error status",
        "tokens 80 in, 28 out",
        "time 3.9 s, which a replay saves",
        "repeated 1 with the key of an earlier call, 0 of them with its answer; no keys in several lanes",
        "model calls tokens in tokens out time a call\ngpt-4o-mini 8 80 28 3.9 s 487 ms",
        "lane calls tokens in tokens out time a call\n(none) 7 80 28 2.6 s 371 ms\ntest_greeting 1 0 0 1.3 s 1.3 s",
    ):
        assert fragment in text
    size = f"{cassette.stat().st_size / 1000:.1f} kB"
    assert f"on disk {size}: responses " in text


def test_json_has_all_numbers(cassette: Path) -> None:
    document = json.loads(told("stats", cassette, "--json"))
    total = {
        "calls": 8,
        "prompt_tokens": 80,
        "completion_tokens": 28,
        "duration_us": 3_900_550,
        "outcomes": {"complete": 7, "unfinished": 0, "cut": 1, "error": 1},
        "oldest": "2026-11-22T12:00:00.000Z",
        "newest": "2026-11-22T12:00:00.000Z",
        "repeated": {"calls": 1, "same_answer": 0, "keys_in_lanes": 0},
    }
    assert document["total"] == total
    (held,) = document["cassettes"]
    size = held.pop("size")
    assert held == {"cassette": str(cassette), **total}
    assert size["file"] == cassette.stat().st_size == sum(size[of] for of in ("requests", "responses", "free", "rest"))
    assert [model["model"] for model in document["models"]] == ["gpt-4o-mini"]
    assert [(lane["lane"], lane["calls"]) for lane in document["lanes"]] == [("", 7), ("test_greeting", 1)]


def test_several_cassettes_are_told_each_and_together(cassette: Path, other: Path) -> None:
    document = json.loads(told("stats", cassette, other, "--json"))
    assert [held["calls"] for held in document["cassettes"]] == [8, 2]
    assert document["total"]["calls"] == 10
    assert document["total"]["repeated"] == {"calls": 2, "same_answer": 1, "keys_in_lanes": 1}
    lines = told("stats", cassette, other).splitlines()
    assert any(line.startswith("cassette ") and line.endswith("size") for line in lines)
    assert sum(line.startswith(str(cassette.parent)) for line in lines) == 2


def test_options_choose_among_the_calls(cassette: Path) -> None:
    chosen = json.loads(told("stats", cassette, "--outcome", "cut", "--text", "once", "--json"))
    assert chosen["total"]["calls"] == 1
    assert chosen["models"][0]["duration_us"] == 1_300_000


def test_without_a_cassette_the_configured_one_is_meant(
    cassette: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("stats").exit_code == 2
    (tmp_path / "llmtape.toml").write_text(f'cassette = "{cassette}"\n')
    assert told("stats").startswith("calls     8 ")


def test_what_adds_up_to_nothing_is_told_as_that(cassette: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.sqlite"
    store(empty, [taken(question(), answer(b"[]"))])
    change(empty, "delete from interactions")
    assert told("stats", empty).splitlines()[:2] == ["calls     0", "outcomes  none"]
    assert json.loads(told("stats", empty, "--json"))["total"]["oldest"] is None
    none = run("stats", cassette, "--model", "gpt-9")
    assert none.exit_code == 0
    assert "has no model 'gpt-9'" in none.stderr


def test_of_many_lanes_those_that_took_longest_are_told(tmp_path: Path) -> None:
    path = tmp_path / "lanes.sqlite"
    store(path, [taken(question(), answer(*[b"1"] * number), lane=f"t{number:02}") for number in range(1, 26)])
    lines = told("stats", path).splitlines()
    assert lines[-21].startswith("t25 ")
    assert lines[-2].startswith("t06 ")
    assert lines[-1] == "and 5 more, each with less time; --json has all"
    assert len(json.loads(told("stats", path, "--json"))["lanes"]) == 25


@pytest.mark.parametrize("width", [80, 200])
def test_tables_keep_to_the_width(width: int, cassette: Path, other: Path) -> None:
    lines = told("stats", cassette, other, COLUMNS=str(width)).splitlines()
    tables = lines[next(place for place, line in enumerate(lines) if not line) :]
    assert max(map(cell_len, tables)) <= width


def test_a_file_that_is_no_cassette_is_told_in_words(cassette: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    foreign.write_bytes(b"")
    result = run("stats", cassette, foreign)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not a cassette" in result.stderr


@given(interactions())
@settings(max_examples=30, deadline=None)
def test_whatever_was_recorded_adds_up_and_reaches_no_terminal_raw(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.sqlite"
        store(path, [interaction])
        text, document = told("stats", path), told("stats", path, "--json")
        assert (printable(text), printable(document)) == (text, document)
        assert json.loads(document)["total"]["calls"] == 1
