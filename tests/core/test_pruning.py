"""What receipts say of recordings that nobody plays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.pruning import Likeness, Pruning, prune
from proxy.core.receipt import MIXED, CassetteSheet, LaneSheet, Named, Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C = (Named(letter * 64, "json", "t", 1) for letter in "abc")
LANE = LaneSheet("tape.sqlite", "t", "replay", {"played": 1})


MONDAY, TUESDAY, WEDNESDAY = (f"2026-11-{day}T12:00:00.000Z" for day in (23, 24, 25))
LIKE = {"tape.sqlite": Likeness.SAME, "/ci/tape.sqlite": Likeness.NAMESAKE, "/ci/b/tape.sqlite": Likeness.NAMESAKE}


def sheet(
    played: Sequence[Named] = (), unplayed: Sequence[Named] = (), path: str = "tape.sqlite", newest: str = MONDAY
) -> CassetteSheet:
    return CassetteSheet(path, "", len(played) + len(unplayed), tuple(played), tuple(unplayed), newest)


def receipt(*sheets: CassetteSheet, lane: LaneSheet = LANE) -> Receipt:
    return Receipt("0.1.0", "replay", had_upstream=False, faults=0, cassettes=sheets, lanes=(lane,))


def pruned(*receipts: Receipt) -> Pruning:
    named = {f"{place}.json": found for place, found in enumerate(receipts)}
    return prune(named, lambda sheet: LIKE.get(sheet.path, Likeness.NONE))


def test_what_no_run_played_goes_and_what_any_run_played_stays() -> None:
    found = pruned(receipt(sheet([A], [B, C])), receipt(sheet([B], [A, C])))
    assert found == Pruning({C: MONDAY})


def test_what_no_run_knew_stays() -> None:
    found = pruned(receipt(sheet([A], [])), receipt(sheet([A], [B])))
    assert [found.dooms(recording, MONDAY) for recording in (A, B, C)] == [False, True, False]


def test_what_took_the_place_of_a_recording_since_stays() -> None:
    found = pruned(receipt(sheet([A], [B])), receipt(sheet([A], [B, C], newest=TUESDAY)))
    assert [found.dooms(B, at) for at in (MONDAY, TUESDAY, WEDNESDAY)] == [True, True, False]
    assert pruned(receipt(sheet([A], [B], newest=""))).dooms(B, WEDNESDAY)  # it was written before receipts told that


def test_sheets_of_other_cassettes_do_not_count() -> None:
    found = pruned(receipt(sheet([A], [B]), sheet([B], [C], path="other.sqlite")), receipt(sheet(path="other.sqlite")))
    assert found == Pruning({B: MONDAY}, strangers=("1.json",))
    assert pruned(receipt()).strangers == ("0.json",)


def test_a_namesake_counts_where_nothing_surer_is_told() -> None:
    elsewhere = sheet([B], [A, C], path="/ci/tape.sqlite")
    assert pruned(receipt(elsewhere)) == Pruning({A: MONDAY, C: MONDAY})
    assert pruned(receipt(elsewhere, sheet([A], [B]))) == Pruning({B: MONDAY})


def test_of_several_namesakes_nobody_knows_which_is_meant() -> None:
    found = pruned(receipt(*(sheet([A], [B], path=path) for path in LIKE if path != "tape.sqlite")))
    assert found.unplayed
    assert found.doubts == (
        "0.json: it tells of several cassettes that may be meant: /ci/b/tape.sqlite, /ci/tape.sqlite",
    )


@pytest.mark.parametrize(
    ("witness", "doubt"),
    [
        (replace(receipt(sheet([A], [B])), mode="record"), "in mode record, not a replay"),
        (replace(receipt(sheet([A], [B])), mode=MIXED), "in mode mixed"),
        (receipt(sheet([], [B])), "played nothing"),
        (receipt(sheet([A], [B]), lane=replace(LANE, misses=("a report",))), r"calls missed \(1\)"),
        (receipt(sheet([A], [B]), lane=replace(LANE, counts={"missed": 3})), r"calls missed \(3\)"),
        (replace(receipt(sheet([A], [B])), faults=2), r"calls failed \(2\)"),
        (receipt(sheet([A], [B]), lane=replace(LANE, passed=False)), r"tests failed \(1\), t among them"),
    ],
)
def test_why_a_run_is_a_bad_witness_is_told_with_its_name(witness: Receipt, doubt: str) -> None:
    (told,) = pruned(receipt(sheet([A], [B])), witness).doubts
    assert told.startswith("1.json: ")
    assert re.search(doubt, told)


def test_a_receipt_that_is_no_witness_at_all_raises_no_doubts_of_its_own() -> None:
    """It is refused as a stranger."""
    stranger = replace(receipt(sheet([A], [B], path="other.sqlite")), mode="record", faults=3)
    assert pruned(receipt(sheet([A], [B])), stranger).doubts == ()


@settings(max_examples=200)
@given(st.lists(st.tuples(st.frozensets(st.sampled_from([A, B, C])), st.frozensets(st.sampled_from([A, B, C])))))
def test_what_goes_was_known_to_a_run_and_played_by_none(runs: list[tuple[frozenset[Named], frozenset[Named]]]) -> None:
    found = pruned(*(receipt(sheet(sorted(known & played), sorted(known - played))) for known, played in runs))
    assert {*found.unplayed} == {
        one
        for one in (A, B, C)
        if any(one in known for known, _ in runs) and not any(one in known & played for known, played in runs)
    }
