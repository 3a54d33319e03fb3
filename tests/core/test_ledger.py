"""What the ledger counts and keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.core.ledger import NOT_KEPT, Call, Fate, Ledger
from proxy.core.model import Request


def call(fate: Fate, lane: str = "", cassette: str = "", note: str = "") -> Call:
    return Call(fate, cassette, lane, "0123456789ab:1", "POST", "/v1/chat/completions", 200, note)


def test_calls_are_counted_by_cassette_and_lane() -> None:
    ledger = Ledger()
    for entry in (
        call(Fate.PLAYED),
        call(Fate.PLAYED),
        call(Fate.MISSED),
        call(Fate.PLAYED, lane="a"),
        call(Fate.RECORDED, cassette="agent"),
        call(Fate.RECORDED, cassette="agent", lane="a"),
    ):
        ledger.enter(entry)
    assert ledger.lanes == {
        ("", ""): {Fate.PLAYED: 2, Fate.MISSED: 1},
        ("", "a"): {Fate.PLAYED: 1},
        ("agent", ""): {Fate.RECORDED: 1},
        ("agent", "a"): {Fate.RECORDED: 1},
    }
    assert {fate: ledger.total(fate) for fate in Fate} == {
        Fate.PLAYED: 3,
        Fate.RECORDED: 2,
        Fate.FORWARDED: 0,
        Fate.MISSED: 1,
        Fate.NOT_RECORDED: 0,
        Fate.INJECTED: 0,
    }


def test_an_empty_ledger_has_no_lanes_no_misses_and_no_faults() -> None:
    ledger = Ledger()
    assert (ledger.lanes, ledger.misses, ledger.faults) == ({}, (), 0)
    assert not any(ledger.total(fate) for fate in Fate)


def test_faults_are_those_that_were_entered_so() -> None:
    ledger = Ledger()
    ledger.enter(call(Fate.NOT_RECORDED))
    ledger.enter(replace(call(Fate.NOT_RECORDED), failed=True))
    assert (ledger.faults, ledger.total(Fate.NOT_RECORDED)) == (1, 2)
    ledger.fail()
    assert (ledger.faults, ledger.total(Fate.NOT_RECORDED)) == (2, 2)


def test_fates_are_the_words_of_the_header() -> None:
    assert list(Fate) == ["played", "recorded", "forwarded", "missed", "not-recorded", "injected"]


def test_only_misses_are_kept_and_the_oldest_comes_first() -> None:
    ledger = Ledger()
    for fate in Fate:
        ledger.enter(call(fate, note=f"1 {fate}"))
        ledger.enter(call(fate, note=f"2 {fate}"))
    assert [miss.note for miss in ledger.misses] == ["1 missed", "2 missed"]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_the_latest_misses_are_kept_and_all_are_counted(kept: int) -> None:
    ledger = Ledger(kept=kept)
    for number in range(10):
        ledger.enter(call(Fate.MISSED, note=str(number)))
    assert [miss.note for miss in ledger.misses] == [str(number) for number in range(10)][10 - kept :]
    assert ledger.total(Fate.MISSED) == 10


def test_a_recording_that_is_lost_is_corrected_in_its_own_lane_and_is_a_fault() -> None:
    ledger = Ledger()
    line = ledger.enter(call(Fate.RECORDED, lane="a"))
    ledger.enter(call(Fate.RECORDED, lane="b"))
    ledger.amend(line, fate=Fate.NOT_RECORDED, failed=True)
    assert ledger.faults == 1
    assert (ledger.total(Fate.RECORDED), ledger.total(Fate.NOT_RECORDED)) == (1, 1)
    assert ledger.lanes["", "a"][Fate.NOT_RECORDED] == 1
    assert ledger.lanes["", "b"][Fate.RECORDED] == 1


ASKED = Request("POST", "/v1/chat/completions", body=b"{}")


def test_whole_calls_are_kept_of_opened_lanes_alone() -> None:
    ledger = Ledger()
    page = ledger.open("", "a")
    told = replace(call(Fate.PLAYED, lane="a"), request=ASKED)
    other = replace(call(Fate.PLAYED, lane="b"), request=ASKED)
    assert ledger.enter(told).call.request is ASKED
    assert ledger.enter(other).call.request is NOT_KEPT
    assert [line.call for line in page] == [told]


def test_a_page_that_is_closed_gets_no_more_calls() -> None:
    ledger = Ledger()
    page = ledger.open("", "a")
    ledger.close("", "a")
    ledger.enter(call(Fate.PLAYED, lane="a"))
    assert page == []
    assert ledger.open("", "a") is not page


def test_what_is_amended_stands_on_the_page_and_among_the_misses() -> None:
    ledger = Ledger()
    page = ledger.open("", "a")
    line = ledger.enter(call(Fate.MISSED, lane="a", note="first"))
    ledger.amend(line, note="whole")
    assert page[0].call.note == "whole"
    assert [miss.note for miss in ledger.misses] == ["whole"]
    assert ledger.total(Fate.MISSED) == 1
