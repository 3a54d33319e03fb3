"""The receipt of a run: its verdict, its forms, and reading and merging it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.errors import ConfigError
from proxy.core.ledger import Fate
from proxy.core.model import Variant
from proxy.core.modes import Mode
from proxy.core.receipt import CassetteSheet, LaneSheet, Named, Receipt, from_dict, merged

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = "\x00\x1b[31m<failure/>]]>&\"'\ud800\ufffe\uffff\U0001f3b2\r\n\ttail\x0b\x85"
REPORT = "llmtape replay miss (not_recorded): nothing like it\n\n  cassette  c.sqlite\n\nrecord it"

A, B, C = (Named(letter * 64, "json", "", 1) for letter in "abc")


def lane(name: str = "", cassette: str = "c.sqlite", misses: tuple[str, ...] = (), **counts: int) -> LaneSheet:
    return LaneSheet(cassette, name, "replay", {name.replace("_", "-"): n for name, n in counts.items()}, misses)


def receipt(*lanes: LaneSheet, had_upstream: bool = False, mode: str = "replay") -> Receipt:
    return Receipt("1.0", mode, had_upstream, 0, (), lanes)


def sheet(*played: Named, unplayed: tuple[Named, ...] = (), path: str = "c.sqlite", sha256: str = "") -> CassetteSheet:
    return CassetteSheet(path, sha256, len(played) + len(unplayed), played, unplayed)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (receipt(lane(played=1)), []),
        (receipt(lane(injected=1)), []),
        (receipt(lane(played=2), lane("t")), []),
        (receipt(lane(played=1, not_recorded=1)), []),
        (receipt(), ["no call was served"]),
        (receipt(lane()), ["no call was served"]),
        (receipt(lane(missed=1)), ["1 call missed", "no call was served"]),
        (receipt(lane(played=5), lane("t", missed=2)), ["2 calls missed"]),
        (receipt(lane(played=5, misses=(REPORT,))), ["1 call missed"]),
        (receipt(lane(played=1, missed=3, misses=(REPORT,))), ["3 calls missed"]),
        (receipt(lane(played=1), had_upstream=True, mode="auto"), ["an upstream existed in the process (mode auto)"]),
        (receipt(lane(played=1, recorded=1, forwarded=1)), ["2 calls went to an upstream"]),
        (
            receipt(lane(missed=1, recorded=1), had_upstream=True),
            ["1 call missed", "an upstream existed", "1 call went to an upstream", "no call was served"],
        ),
    ],
)
def test_a_run_is_isolated_where_calls_were_served_none_missed_and_no_upstream_was(
    made: Receipt, words: list[str]
) -> None:
    assert len(made.reasons) == len(words)
    assert all(reason.startswith(word) for reason, word in zip(made.reasons, words, strict=True))
    assert made.isolated is (not words)


def test_counts_are_summed_over_lanes_and_name_every_fate() -> None:
    made = receipt(lane(played=1, missed=2), lane("t", played=3, later=1))
    assert made.counts == dict.fromkeys(Fate, 0) | {"played": 4, "missed": 2, "later": 1}
    assert list(made.counts) == [*Fate, "later"]


def test_the_json_has_the_verdict_before_the_sheets() -> None:
    made = replace(receipt(lane("t", played=1)), cassettes=(sheet(A, unplayed=(B,), sha256="f" * 64),), faults=2)
    told = json.loads(made.as_json())
    assert told == made.as_dict()
    assert list(told) == [
        *("llmtape", "receipt", "mode", "had_upstream", "isolated", "reasons", "counts", "failed"),
        *("cassettes", "lanes"),
    ]
    assert (told["llmtape"], told["receipt"], told["isolated"], told["failed"]) == ("1.0", 1, False, 2)
    assert told["cassettes"] == [
        {
            "path": "c.sqlite",
            "sha256": "f" * 64,
            "recordings": 2,
            "played": [{"key": "a" * 64, "variant": "json", "lane": "", "take": 1}],
            "unplayed": [{"key": "b" * 64, "variant": "json", "lane": "", "take": 1}],
            "newest": "",
        }
    ]
    assert told["lanes"] == [
        {
            "cassette": "c.sqlite",
            "lane": "t",
            "mode": "replay",
            "counts": {"played": 1},
            "misses": [],
            "unplayed": [],
            "exhausted": [],
            "injected": [],
            "passed": None,
        }
    ]
    assert made.as_json().endswith(b"}\n")
    assert b"\n  " in made.as_json()


def test_the_same_run_gives_the_same_bytes_in_whatever_order_it_is_told() -> None:
    lanes = (lane("a", played=1, missed=1), lane("b", cassette="a.sqlite", played=1))
    one = replace(receipt(*lanes), cassettes=(sheet(A, B), sheet(path="a.sqlite", unplayed=(A, B))))
    turned = tuple(replace(made, counts=dict(reversed([*made.counts.items()]))) for made in reversed(lanes))
    other = replace(receipt(*turned), cassettes=(sheet(path="a.sqlite", unplayed=(B, A)), sheet(B, A)))
    assert one.as_json() == other.as_json()
    assert one.as_junit() == other.as_junit()


def test_members_of_enums_are_written_as_what_they_say() -> None:
    named = replace(A, variant=Variant.SSE_USAGE)
    found = LaneSheet("c.sqlite", "", Mode.REPLAY, {Fate.PLAYED: 1, Fate.NOT_RECORDED: 0})
    made = Receipt("1.0", Mode.REPLAY, had_upstream=False, faults=0, cassettes=(sheet(named),), lanes=(found,))
    told = json.loads(made.as_json())
    assert (told["mode"], told["lanes"][0]["counts"]) == ("replay", {"played": 1, "not-recorded": 0})
    assert told["cassettes"][0]["played"][0]["variant"] == "sse+usage"
    assert from_dict(told) == made


def test_json_can_be_written_of_any_text() -> None:
    made = replace(receipt(lane(HOSTILE, HOSTILE, (HOSTILE,))), cassettes=(sheet(path=HOSTILE),), version=HOSTILE)
    assert json.loads(made.as_json())["lanes"][0]["lane"] == HOSTILE.replace("\ud800", "?")


# --- reading ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.integers(0, 2**40)
NAMED = st.builds(Named, TEXT, TEXT, TEXT, NUMBER)
NAMES = st.sets(NAMED, max_size=3).map(lambda names: tuple(sorted(names)))
SHEETS = st.lists(st.builds(CassetteSheet, TEXT, TEXT, NUMBER, NAMES, NAMES), max_size=3, unique_by=lambda it: it.path)
COUNTS = st.dictionaries(st.sampled_from([*map(str, Fate), "later"]), NUMBER)
LANE = st.builds(LaneSheet, TEXT, TEXT, TEXT, COUNTS, TEXTS, TEXTS, TEXTS, TEXTS, st.none() | st.booleans())
RECEIPTS = st.builds(
    Receipt,
    TEXT,
    TEXT,
    st.booleans(),
    NUMBER,
    SHEETS.map(lambda found: tuple(sorted(found, key=lambda it: it.path))),
    st.lists(LANE, max_size=3).map(lambda found: tuple(sorted(found, key=lambda it: (it.cassette, it.lane)))),
)


@settings(deadline=None)
@given(RECEIPTS)
def test_a_receipt_that_is_read_is_the_one_that_was_written(made: Receipt) -> None:
    assert from_dict(made.as_dict()) == made
    assert from_dict(json.loads(made.as_json())) == made


def test_the_verdict_is_found_anew_when_a_receipt_is_read() -> None:
    told = receipt(lane(missed=1)).as_dict() | {"isolated": True, "reasons": [], "counts": {"played": 1}}
    assert not from_dict(told).isolated


def test_what_a_receipt_has_beside_what_is_known_is_passed_over() -> None:
    made = receipt(lane(played=1))
    assert from_dict(made.as_dict() | {"later": 1}) == made


def with_lane(**changes: Any) -> dict[str, Any]:
    told = receipt(lane(played=1)).as_dict()
    told["lanes"][0] |= changes
    return told


def with_cassette(**changes: Any) -> dict[str, Any]:
    told = replace(receipt(), cassettes=(sheet(A),)).as_dict()
    told["cassettes"][0] |= changes
    return told


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "a receipt is not an object"),
        ([], "a receipt is not an object"),
        ({}, "llmtape is not a text"),
        ({"llmtape": "1.0"}, "receipt is not a whole number"),
        (receipt().as_dict() | {"receipt": True}, "receipt is not a whole number"),
        (receipt().as_dict() | {"mode": None}, "mode is not a text"),
        (receipt().as_dict() | {"had_upstream": 0}, "had_upstream is not true or false"),
        (receipt().as_dict() | {"failed": -1}, "failed is less than 0"),
        (receipt().as_dict() | {"lanes": {}}, "lanes is not a list"),
        (receipt().as_dict() | {"lanes": [1]}, "lanes[0] is not an object"),
        (with_lane(misses="text"), "lanes[0].misses is not a list"),
        (with_lane(misses=["text", 2]), "lanes[0].misses[1] is not a text"),
        (with_lane(counts={"played": 1.5}), "lanes[0].counts.played is not a whole number"),
        (with_lane(counts=[]), "lanes[0].counts is not an object"),
        (with_lane(passed="yes"), "lanes[0].passed is not true or false"),
        (with_cassette(sha256=None), "cassettes[0].sha256 is not a text"),
        (with_cassette(played=[{}]), "cassettes[0].played[0].key is not a text"),
        (with_cassette(recordings=-3), "cassettes[0].recordings is less than 0"),
    ],
)
def test_what_is_no_receipt_is_an_error_that_names_the_field(value: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"^this is no receipt of llmtape: {re.escape(reason)}\\. "):
        from_dict(value)


def test_a_receipt_of_a_later_format_is_refused_with_the_version_that_wrote_it() -> None:
    with pytest.raises(ConfigError, match=r"format 2, written by llmtape 9\.1"):
        from_dict({"llmtape": "9.1", "receipt": 2})


# --- JUnit XML ---


def suites(made: Receipt) -> list[ET.Element]:
    root = ET.fromstring(made.as_junit())
    assert root.tag == "testsuites"
    return list(root)


def cases(suite: ET.Element) -> dict[str, list[str | None]]:
    return {case.attrib["name"]: [found.text for found in case] for case in suite}


def test_junit_has_a_suite_a_cassette_a_case_a_lane_and_the_verdict() -> None:
    lanes = (lane("t1", played=1), lane(missed=2, misses=(REPORT, "other")), lane("t2", "a.sqlite", played=1))
    first, second, last = suites(receipt(*lanes))
    assert cases(first) == {"t2": []}
    assert cases(second) == {"(no lane)": [REPORT, "other"], "t1": []}
    assert cases(last) == {"isolated": ["2 calls missed"]}
    assert {suite.attrib["name"] for suite in (first, second, last)} == {"llmtape"}
    assert [case.attrib["classname"] for case in (*first, *second, *last)] == [
        *("a.sqlite", "c.sqlite", "c.sqlite", "llmtape")
    ]
    assert [found.attrib["message"] for found in second[0]] == [REPORT.partition("\n")[0], "other"]


def test_junit_counts_cases_and_those_that_failed() -> None:
    lanes = (lane("t1", played=1), lane(missed=2, misses=(REPORT, REPORT)), lane("t2", "a.sqlite", played=1))
    root = ET.fromstring(receipt(*lanes).as_junit())
    told = [(part.attrib["tests"], part.attrib["failures"], part.attrib["time"]) for part in (root, *root)]
    assert told == [("4", "2", "0"), ("1", "0", "0"), ("2", "1", "0"), ("1", "1", "0")]
    assert {case.attrib["time"] for case in root.iter("testcase")} == {"0"}


def test_junit_of_an_isolated_run_has_no_failure() -> None:
    root = ET.fromstring(receipt(lane(played=1)).as_junit())
    assert root.attrib["failures"] == "0"
    assert list(root.iter("failure")) == []


def test_junit_gives_all_reasons_of_the_verdict() -> None:
    made = receipt(lane(missed=1), had_upstream=True)
    failure = suites(made)[-1][0][0]
    assert failure.text == "\n".join(made.reasons)
    assert failure.attrib["message"] == "; ".join(made.reasons)


def test_junit_tells_of_misses_whose_reports_were_not_kept() -> None:
    found = cases(suites(receipt(lane("t", missed=5, misses=(REPORT,))))[0])
    assert found == {"t": [REPORT, "4 calls missed whose reports were not kept"]}


def test_junit_replaces_what_xml_cannot_hold_and_keeps_the_rest() -> None:
    kept = HOSTILE.translate(dict.fromkeys(map(ord, "\x00\x1b\ud800\ufffe\uffff\x0b"), "\ufffd"))
    suite = suites(receipt(lane(HOSTILE, HOSTILE, (HOSTILE,), missed=1)))[0]
    assert suite[0].attrib == {"classname": kept, "name": kept, "time": "0"}
    assert suite[0][0].text == kept.replace("\r\n", "\n")
    assert suite[0][0].attrib["message"] == kept.partition("\r")[0]


@settings(deadline=None)
@given(st.text(), st.text(), st.lists(st.text(), max_size=3).map(tuple))
def test_junit_is_well_formed_whatever_the_text(cassette: str, name: str, misses: tuple[str, ...]) -> None:
    suite = suites(receipt(lane(name, cassette, misses)))[0]
    assert len(suite[0]) == len(misses)


# --- merging ---


def test_of_several_workers_a_recording_was_played_if_any_played_it() -> None:
    one = replace(receipt(lane("t2", played=1)), cassettes=(sheet(A, unplayed=(B, C), sha256="1"),), faults=1)
    other = replace(receipt(lane("t1", played=1)), cassettes=(sheet(B, unplayed=(A, C), sha256="2"),), faults=2)
    found = merged([one, other])
    assert found.cassettes == (CassetteSheet("c.sqlite", "2", 3, (A, B), (C,)),)
    assert [made.lane for made in found.lanes] == ["t1", "t2"]
    assert (found.mode, found.faults, found.isolated) == ("replay", 3, False)


def test_how_new_a_cassette_is_is_told_by_who_saw_the_newest_of_it() -> None:
    seen = [replace(receipt(), cassettes=(replace(sheet(A), newest=newest),)) for newest in ("2", "3", "", "1")]
    assert [made.newest for made in merged(seen).cassettes] == ["3"]


def test_a_receipt_from_before_they_told_how_new_a_cassette_is_can_be_read() -> None:
    value = replace(receipt(), cassettes=(replace(sheet(A), newest="2026-11-25"),)).as_dict()
    assert from_dict(value).cassettes[0].newest == "2026-11-25"
    del value["cassettes"][0]["newest"]
    assert from_dict(value).cassettes == (sheet(A),)


def test_a_worker_that_had_no_use_for_a_cassette_has_no_say_in_it() -> None:
    one = replace(receipt(), cassettes=(sheet(A, unplayed=(B,)),))
    assert merged([one, receipt(), receipt()]).cassettes == one.cassettes


def test_what_is_new_to_a_cassette_and_played_by_nobody_else_stays_played() -> None:
    one = replace(receipt(), cassettes=(sheet(A),))
    other = replace(receipt(), cassettes=(sheet(A, B, unplayed=(C,)),))
    found = merged([one, other]).cassettes[0]
    assert (found.played, found.unplayed) == ((A, B), ())


@pytest.mark.parametrize(
    ("parts", "isolated"),
    [
        ([receipt(lane(played=1)), receipt()], True),
        ([receipt(lane(played=1)), receipt(lane(missed=1))], False),
        ([receipt(lane(played=1)), receipt(had_upstream=True, mode="auto")], False),
        ([receipt(), receipt()], False),
    ],
)
def test_the_verdict_on_several_workers_is_on_all_their_calls(parts: list[Receipt], *, isolated: bool) -> None:
    assert merged(parts).isolated is isolated


def test_workers_of_several_modes_have_a_mixed_one() -> None:
    parts = [receipt(), receipt(mode="auto")]
    assert merged(parts).mode == "mixed"
    assert merged([merged(parts), receipt()]).mode == "mixed"


@settings(deadline=None)
@given(st.lists(RECEIPTS, min_size=1, max_size=4))
def test_merging_in_steps_is_merging_at_once(parts: list[Receipt]) -> None:
    assert merged([merged(parts[:1]), *parts[1:]]) == merged(parts)
    stepped = parts[0]
    for part in parts[1:]:
        stepped = merged([stepped, part])
    assert merged([stepped]).as_json() == merged(parts).as_json()


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_merging_nothing_is_an_error(kind: Callable[[tuple[Receipt, ...]], Any]) -> None:
    with pytest.raises(ConfigError, match="no receipt to merge"):
        merged(kind(()))
