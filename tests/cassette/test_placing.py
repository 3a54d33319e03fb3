"""Which recordings come in, and as which takes; how they are written is tested with the intake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.placing import OnConflict, Placing
from proxy.core.errors import CassetteError
from proxy.core.model import Interaction, RecordedRun
from tests.cassette.making import answer, interactions, question, taken

RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
PATH = Path("tape.sqlite")


@dataclass(frozen=True, slots=True)
class Item:
    interaction: Interaction
    run: RecordedRun = RUN
    where: str = "calls.jsonl, line 7"


def said(text: str, body: str, number: int = 1) -> Item:
    return Item(taken(question(text), answer(body.encode()), number))


def placed(way: OnConflict, *items: Item) -> list[tuple[int, bytes]]:
    """Tell the takes that come into a new cassette."""
    placing = Placing(None, way)
    if way is OnConflict.REPLACE:
        placing.look_ahead(items)
    stored = [stored for item in items if (stored := placing.place(item))]
    placing.check(PATH)
    return [(interaction.number, interaction.response.body) for interaction in stored]


ITEMS = [said("a", "1"), said("a", "2", 2), said("a", "other"), said("a", "1"), said("b", "1")]


@pytest.mark.parametrize(
    ("way", "takes"),
    [
        (OnConflict.KEEP, [(1, b"1"), (2, b"2"), (1, b"1")]),
        (OnConflict.REPLACE, [(2, b"2"), (1, b"1"), (1, b"1")]),
        (OnConflict.ADD, [(1, b"1"), (2, b"2"), (3, b"other"), (1, b"1")]),
    ],
)
def test_each_way_settles_a_conflict(way: OnConflict, takes: list[tuple[int, bytes]]) -> None:
    assert placed(way, *ITEMS) == takes


def test_without_a_way_a_conflict_is_told_in_the_end_with_its_place() -> None:
    with pytest.raises(CassetteError, match=r"tape.sqlite already, .*:1 \(calls.jsonl, line 7\)"):
        placed(OnConflict.ERROR, *ITEMS)


def test_when_it_was_recorded_makes_no_other_recording() -> None:
    again = replace(ITEMS[0].interaction, recorded_at="2027-01-01T00:00:00.000Z")
    assert placed(OnConflict.ERROR, ITEMS[0], Item(again)) == [(1, b"1")]


@settings(deadline=None, max_examples=100)
@given(st.lists(interactions().map(Item), max_size=6), st.sampled_from(OnConflict))
def test_no_slot_is_given_twice_and_every_recording_is_counted(items: list[Item], way: OnConflict) -> None:
    placing = Placing(None, way)
    if way is OnConflict.REPLACE:
        placing.look_ahead(items)
    stored = [stored for item in items if (stored := placing.place(item))]
    slots = [(interaction.track, interaction.number) for interaction in stored]
    assert len(set(slots)) == len(slots)
    done = placing.done()
    assert done.added == len(stored)
    if way is not OnConflict.ERROR:
        assert done.added + done.there_already + done.gave_way == len(items)
