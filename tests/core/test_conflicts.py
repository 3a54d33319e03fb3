"""What both sides of a merge changed, kept as a fact of the cassette."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core import conflicts
from proxy.core.conflicts import Conflict, Settling
from proxy.core.errors import InterchangeError
from proxy.core.model import Interaction, RecordedRun, Track, Variant
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import interactions, question, taken
from tests.cassette.versions import recorded, say

KEYED = {"normalizer": "1", "rules": "{}"}
RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
OTHER_RUN = replace(RUN, id=2, mode="auto")
TRACK = recorded("a", "1")[0].track
NAME = conflicts.name_of(TRACK)


def side(*answers: str, run: RecordedRun = RUN) -> tuple[conflicts.Recording, ...]:
    return tuple((item, run) for item in recorded("a", *answers))


def written(*answers: str) -> str:
    return conflicts.written(KEYED, side(*answers))


def answers(recordings: list[conflicts.Recording]) -> list[tuple[int, str]]:
    return [(item.number, item.response.json()["choices"][0]["message"]["content"]) for item, _ in recordings]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(Variant))
def test_a_name_tells_its_track_whatever_the_lane(lane: str, variant: Variant) -> None:
    track = Track("0" * 64, variant, lane)
    name = conflicts.name_of(track)
    assert conflicts.is_one(name)
    assert conflicts.track_of(name) == track


@pytest.mark.parametrize("name", ["conflict:", "conflict:abc", "conflict:abc:xml:lane"])
def test_a_name_that_tells_none_is_refused(name: str) -> None:
    with pytest.raises(InterchangeError, match="no conflict"):
        conflicts.track_of(name)


def test_other_facts_are_no_conflicts() -> None:
    assert not any(map(conflicts.is_one, ("format", "normalizer", "rules", "conflicts")))


@given(interactions())
def test_reading_undoes_writing_for_any_interaction(interaction: Interaction) -> None:
    text = conflicts.written(KEYED, [(interaction, RUN)])
    found = conflicts.read(conflicts.name_of(interaction.track), text, DEFAULT)
    assert found == Conflict(interaction.track, (((interaction, RUN),),))


def test_each_run_is_written_once_and_before_its_recordings() -> None:
    recordings = (*side("1", "2"), *((replace(item, number=3), run) for item, run in side("3", run=OTHER_RUN)))
    text = conflicts.written(KEYED, recordings)
    assert text.count('{"run":') == 2
    assert conflicts.read(NAME, text, DEFAULT).alternatives == (recordings,)


def test_alternatives_are_kept_apart_and_each_is_there_once() -> None:
    both = conflicts.combined(written("1"), written("2", "3"))
    assert conflicts.combined(both, written("1")) == both
    assert conflicts.combined("", both) == both
    assert conflicts.read(NAME, both, DEFAULT).alternatives == (side("1"), side("2", "3"))


def test_that_theirs_was_deleted_is_an_alternative_without_recordings() -> None:
    assert conflicts.read(NAME, conflicts.written(KEYED, ()), DEFAULT) == Conflict(TRACK, ((),))


def test_under_other_rules_a_conflict_goes_with_what_was_asked() -> None:
    rules = Rules(scrub=("date",))
    asked = question("on 2026-11-22")
    item = taken(asked, say("1"))
    found = conflicts.read(conflicts.name_of(item.track), conflicts.written(KEYED, [(item, RUN)]), rules)
    assert found.track == taken(asked, say("1"), rules=rules).track != item.track
    assert found.alternatives[0][0][0].track == found.track


@pytest.mark.parametrize("text", ["x", "{}", '{"interaction": {}}', written("1").replace('"run":1', '"run":7')])
def test_a_damaged_text_is_told(text: str) -> None:
    with pytest.raises(InterchangeError):
        conflicts.read(NAME, text, DEFAULT)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "kept"),
    [
        ("", "1", "", "1"),
        ("", "", "1", "1"),
        ("1", "1", "1", "1"),
        ("1", "", "1", ""),
        ("1", "1", "", ""),
        ("", "1", "2", "12"),
        ("1", "", "2", "2"),
    ],
)
def test_conflicts_of_both_sides_survive_unless_one_was_settled(base: str, ours: str, theirs: str, kept: str) -> None:
    def facts(texts: str) -> dict[str, str]:
        alternatives = "".join(written(text) for text in texts)
        return {"format": "2", **({NAME: alternatives} if texts else {})}

    merged = conflicts.merged(facts(base), facts(ours), facts(theirs))
    assert merged == ({NAME: "".join(written(text) for text in kept)} if kept else {})


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (Settling.OURS, [(1, "1"), (2, "2")]),
        (Settling.THEIRS, [(1, "x")]),
        (Settling.BOTH, [(1, "1"), (2, "2"), (3, "3"), (4, "x")]),
    ],
)
def test_a_conflict_is_settled_by_what_was_chosen(how: Settling, wanted: list[tuple[int, str]]) -> None:
    conflict = Conflict(TRACK, (side("2", "3"), side("x")))
    assert answers(conflicts.settled(conflict, side("1", "2"), how)) == wanted


def test_both_keeps_ours_as_it_is_even_where_it_repeats_itself() -> None:
    assert answers(conflicts.settled(Conflict(TRACK, (side("1"),)), side("1", "1"), Settling.BOTH)) == [
        (1, "1"),
        (2, "1"),
    ]


def test_a_clash_says_how_theirs_differs() -> None:
    assert conflicts.clash(TRACK, side("1"), side("2")).reasons == ("choices[0].content: other words",)
    assert conflicts.clash(TRACK, side("1"), side("1", "2")).reasons == ("1 take -> 2 takes",)
    assert conflicts.clash(TRACK, side("1"), ()).reasons == ("theirs deleted it",)
    assert conflicts.clash(TRACK, (), side("1")).reasons == ("ours deleted it",)
    assert conflicts.clash(TRACK, (), side("1")).request == question("a")
    assert conflicts.clash(TRACK, (), ()).request is None
