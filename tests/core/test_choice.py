"""Which interactions a user means."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.choice import Choice, Ending, endings
from proxy.core.model import Outcome, Take, Track, Variant
from tests.cassette.making import answer, question, taken

NOON = "2026-11-22T12:00:00.000Z"
TAKE = Take(1, Track("3f2a9c", Variant.JSON, "tests/test_a.py::test[eur]"), 1, 200, Outcome.COMPLETE)


@dataclass(frozen=True, slots=True)
class Known:
    """An interaction as a list has it."""

    take: Take = TAKE
    run_id: int = 2
    recorded_at: str = NOON
    model: str = "gpt-4o-mini"


@pytest.mark.parametrize(
    ("choice", "is_meant"),
    [
        (Choice(), True),
        (Choice(models=("gpt-4o-mini",)), True),
        (Choice(models=("gpt-4o*",)), True),
        (Choice(models=("gpt-4o",)), False),
        (Choice(models=("GPT-4O-MINI",)), False),
        (Choice(models=("o3", "*mini")), True),
        (Choice(lanes=("tests/test_a.py::*",)), True),
        (Choice(lanes=("tests/test_a.py::test[eur]",)), True),
        (Choice(lanes=("tests/test_a.py::test[[]*",)), True),
        (Choice(lanes=("",)), False),
        (Choice(runs=(1,)), False),
        (Choice(runs=(1, 2)), True),
        (Choice(endings=(Ending.COMPLETE,)), True),
        (Choice(endings=(Ending.CUT, Ending.ERROR)), False),
        (Choice(newer=NOON), True),
        (Choice(newer="2026-11-22T12:00:00.001Z"), False),
        (Choice(older=NOON), False),
        (Choice(older="2026-11-22T12:00:00.001Z"), True),
        (Choice(models=("gpt*",), runs=(1,)), False),
        (Choice(models=("gpt*",), runs=(2,), newer=NOON), True),
    ],
)
def test_values_of_one_kind_are_alternatives_and_kinds_narrow_each_other(choice: Choice, *, is_meant: bool) -> None:
    assert choice.takes(Known()) is is_meant


def test_an_error_is_any_status_of_400_and_above_however_its_body_ended() -> None:
    refused = replace(TAKE, status=429)
    assert endings(refused) == {Ending.COMPLETE, Ending.ERROR}
    assert endings(replace(TAKE, status=399, outcome=Outcome.CUT)) == {Ending.CUT}
    assert Choice(endings=(Ending.ERROR,)).takes(Known(refused))


def test_every_outcome_can_be_chosen() -> None:
    assert {outcome.value for outcome in Outcome} | {"error"} == set(Ending)


@pytest.mark.parametrize(
    ("texts", "is_meant"),
    [
        ((), True),
        (("refund",), True),
        (("REFUND of",), True),
        (("sorry",), True),
        (("strasse",), True),
        (("none", "sorry"), True),
        (("none",), False),
        (("role",), False),
    ],
)
def test_a_text_stands_in_prompt_or_answer_in_capitals_or_not(texts: tuple[str, ...], *, is_meant: bool) -> None:
    said = answer('{"choices":[{"message":{"content":"Sorry, Hauptstraße."}}]}'.encode())
    assert Choice(texts=texts).says(taken(question("A Refund of 3"), said)) is is_meant


def test_what_a_cassette_cannot_have_is_told_by_its_kind() -> None:
    choice = Choice(models=("gpt*", "o3"), lanes=("", "x*"), runs=(1, 7), texts=("a",))
    strangers = list(choice.strangers(models=["gpt-4o"], lanes=[""], runs=[1]))
    assert strangers == [("model", "o3"), ("lane", "x*"), ("run", "7")]


def test_only_the_choice_of_nothing_is_all() -> None:
    assert Choice().is_all
    assert not Choice(texts=("a",)).is_all
    assert not Choice(older=NOON).is_all


@given(st.text(max_size=8))
def test_a_name_means_itself_whatever_it_looks_like_as_a_pattern(name: str) -> None:
    assert Choice(models=(name,)).takes(Known(model=name))
