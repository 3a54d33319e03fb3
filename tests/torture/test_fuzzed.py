"""The short form of the fuzzing; and that a promise that breaks is seen, whichever way it is fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torture import chance, wrecks
from torture.feeding import Feeder, Tally
from torture.fuzzed import Fed, fuzz, is_guided, shares
from torture.item import BrokenPromiseError, check, nothing
from torture.targets import TARGETS, Target

if TYPE_CHECKING:
    from pathlib import Path

# Files are changed and then read by twenty commands; the others take no time.
FEW = {"pages": 40, "rows": 60, "wire": 60, "miss": 60, "answer": 100}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_an_answer_or_an_error_in_words_comes_out(name: str, tmp_path: Path) -> None:
    chance.feed(TARGETS[name], FEW.get(name, 300), 6, tmp_path)


def test_seeds_are_what_they_should_be(tmp_path: Path) -> None:
    for target in TARGETS.values():
        assert target.seeds
        for data in target.seeds if target.is_text and target.is_guided else ():
            target.take(data, tmp_path)


@pytest.mark.parametrize("base", range(3))
def test_a_file_that_nothing_was_done_to_is_read_by_every_command(base: int, tmp_path: Path) -> None:
    for command in range(len(wrecks.COMMANDS)):
        wrecks.by_bytes(bytes([base, command]), tmp_path)


@pytest.mark.skipif(not is_guided(), reason="the coverage-guided fuzzer is not installed")
def test_coverage_guides_and_is_told(tmp_path: Path) -> None:
    steps: list[None] = []
    fed = fuzz(TARGETS["line"], 200, tmp_path / "line", lambda: steps.append(None))
    assert (fed.tally.inputs, len(steps)) == (200, 200)
    assert fed.tally.covered > 100
    assert "edges" in fed.told("line")


def broken(target: Target, data: bytes, folder: Path, longest_s: float = 20) -> str:
    with pytest.raises(BrokenPromiseError) as caught:
        Feeder(target, 10, folder, longest_s).feed(data)
    return str(caught.value)


def fails(data: bytes, _folder: Path) -> None:
    check(b"x" not in data, "an x came in")


def raises(data: bytes, _folder: Path) -> None:
    int(data)


def test_an_input_that_breaks_a_promise_is_shown_with_what_came_of_it(tmp_path: Path) -> None:
    assert broken(Target("a", 1, fails, (b"",)), b"ax", tmp_path).startswith("a, input 1, b'ax': BrokenPromiseError")
    assert "ValueError: invalid literal" in broken(Target("b", 1, raises, (b"",)), b"ax", tmp_path)


def test_an_input_that_takes_too_long_breaks_one(tmp_path: Path) -> None:
    def slow(_data: bytes, _folder: Path) -> None:
        sum(range(100_000))

    assert "1 bytes take " in broken(Target("a", 1, slow, (b"",)), b"x", tmp_path, 1e-6)


def test_memory_that_grows_breaks_one(tmp_path: Path) -> None:
    kept: list[bytearray] = []
    target = Target("a", 1, lambda _data, _folder: kept.append(bytearray(b"x" * 2**24)), (b"",))
    feeder = Feeder(target, 10, tmp_path)
    feeder.feed(b"x")
    with pytest.raises(BrokenPromiseError, match="the process grew"):
        list(map(feeder.feed, [b"x"] * 9))


def test_a_process_that_ends_badly_breaks_one_and_tells_how_to_see_it_again(tmp_path: Path) -> None:
    nobody = Target("nobody", 1, fails, (b"",), is_guided=False)
    with pytest.raises(BrokenPromiseError, match=r"python -m torture\.chance nobody 10 6 FOLDER ended with status 1"):
        fuzz(nobody, 10, tmp_path / "nobody", nothing)


@settings(deadline=None)
@given(st.integers(0, 2_000_000))
def test_each_target_gets_its_share(count: int) -> None:
    shared = shares(count)
    assert shared.keys() == TARGETS.keys()
    assert min(shared.values()) >= 20
    assert count - len(shared) <= sum(shared.values()) <= count + 21 * len(shared)


def test_what_it_cost_is_told() -> None:
    tally = Tally(1000, 0.5, 60) + Tally(1000, 0.25, 70, 99)
    assert Fed(tally, 3.2).told("line") == "line 2,000 in 3 s, slowest 500 ms, 70 MB, 99 edges"
