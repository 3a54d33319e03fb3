"""One cassette of two that both changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in, rules_in
from proxy.cassette.merge import merge
from proxy.cassette.reader import Reader
from proxy.cassette.rekey import rekey
from proxy.cassette.settle import conflicts_in, settle
from proxy.core.conflicts import Settling
from proxy.core.errors import CassetteError, CassetteMissingError
from proxy.core.model import Variant
from proxy.core.rules import Rules
from tests.cassette.making import as_nobody, bodies, change, files, held, question, read_only_copy, rows, store, taken
from tests.cassette.versions import LATER, Versions, recorded, say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.model import Interaction


T = TypeVar("T")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path)


def test_what_both_sides_recorded_beside_each_other_is_merged_without_conflict(versions: Versions) -> None:
    versions.store("base", a="1", b="1", c="1")
    versions.store("ours", a="1", b="2", c="1", d="1")
    versions.store("theirs", a="1", b="1", c="2", e="1", f="1")
    merged = versions.merge()
    assert versions.says() == ["a 1", "b 2", "c 2", "d 1", "e 1", "f 1"]
    assert (merged.recordings, merged.taken, merged.clashes, merged.unsettled) == (6, 3, (), 0)


def test_what_one_side_deleted_is_gone(versions: Versions) -> None:
    versions.store("base", a="1", b="1", c="1")
    versions.store("ours", a="1", c="1")
    versions.store("theirs", a="1", b="1")
    versions.merge()
    assert versions.says() == ["a 1"]


def test_without_a_base_nothing_is_deleted(versions: Versions) -> None:
    versions.store("ours", a="1", c="1")
    versions.store("theirs", a="1", b="1")
    merged = versions.merge(base=None)
    assert versions.says() == ["a 1", "c 1", "b 1"]
    assert merged.clashes == ()


def test_a_track_is_taken_with_all_its_takes_or_not_at_all(versions: Versions) -> None:
    versions.store("base", a=["1", "2", "3"], b="1")
    versions.store("ours", a=["1", "2", "3"], b=["1"], c="1")
    versions.store("theirs", a=["1", "x"], b=["1", "2"])
    versions.merge()
    assert versions.says() == ["a 1", "a:2 x", "b 1", "c 1", "b:2 2"]


def test_what_both_changed_is_a_conflict_in_a_file_that_plays_ours(versions: Versions) -> None:
    versions.store("base", a="1", b="1")
    versions.store("ours", a="2", b="1")
    versions.store("theirs", a="3", b="2")
    (clash,) = versions.merge().clashes
    assert versions.says() == ["a 2", "b 2"]
    assert clash.track.key == recorded("a", "1")[0].track.key
    assert clash.request is not None
    assert clash.request.body == question("a").body
    assert clash.reasons == ("choices[0].content: other words",)
    (conflict,) = conflicts_in(versions["out"]).values()
    assert [[item.response.body for item, _ in side] for side in conflict.alternatives] == [[say("3").body]]


@pytest.mark.parametrize(("deletes", "remark"), [("ours", "ours deleted it"), ("theirs", "theirs deleted it")])
def test_what_one_deleted_and_the_other_changed_is_a_conflict(deletes: str, remark: str, versions: Versions) -> None:
    versions.store("base", a="1", b="1")
    versions.store("ours", b="1")
    versions.store("theirs", b="1", a="2")
    if deletes == "theirs":
        versions["ours"].rename(versions["spare"])
        versions["theirs"].rename(versions["ours"])
        versions["spare"].rename(versions["theirs"])
    (clash,) = versions.merge().clashes
    assert clash.reasons == (remark,)
    assert versions.says() == (["b 1"] if deletes == "ours" else ["b 1", "a 2"])
    assert len(conflicts_in(versions["out"])) == 1


def test_another_number_of_takes_is_told(versions: Versions) -> None:
    versions.store("ours", a=["1"])
    versions.store("theirs", a=["1", "2"])
    (clash,) = versions.merge(base=None).clashes
    assert clash.reasons == ("1 take -> 2 takes",)


def test_ids_and_times_make_no_conflict(versions: Versions) -> None:
    versions.store("base", a="1", b="1")
    versions.store("ours", a=say("2", id="x"), b=say("1", id="z"), at=LATER)
    versions.store("theirs", a=say("2", id="y"), b="3")
    merged = versions.merge()
    assert merged.clashes == ()
    assert versions.says() == ["a 2", "b 3"]
    with Reader(versions["out"]) as reader:
        assert next(reader.stored())[0].response.body == say("2", id="x").body


def test_lanes_and_variants_are_tracks_of_their_own(versions: Versions) -> None:
    ours = recorded("a", "1", lane="t1")
    theirs = [*recorded("a", "2", lane="t2"), replace(ours[0], track=replace(ours[0].track, variant=Variant.SSE))]
    store(versions["ours"], ours)
    store(versions["theirs"], theirs)
    assert versions.merge(base=None).clashes == ()
    assert {item.track for item in held(versions["out"])} == {item.track for item in (*ours, *theirs)}
    assert len(held(versions["out"])) == 3


def test_several_are_merged_one_after_the_other(versions: Versions) -> None:
    sources = [versions.store(name, a=name, **{name: "1"}) for name in ("one", "two", "three")]
    merged = merge(versions["out"], sources)
    assert versions.says() == ["a one", "one 1", "two 1", "three 1"]
    assert (merged.recordings, merged.taken, len(merged.clashes), merged.unsettled) == (4, 2, 2, 1)
    (conflict,) = conflicts_in(versions["out"]).values()
    assert [side[0][0].response.body for side in conflict.alternatives] == [say("two").body, say("three").body]
    assert files(versions["out"]) == ["one.sqlite", "out.sqlite", "three.sqlite", "two.sqlite"]


def test_the_result_may_take_the_place_of_a_side(versions: Versions) -> None:
    versions.store("ours", a="1")
    versions.store("theirs", b="1")
    versions.merge(base=None)
    for target in ("ours", "theirs"):
        copy = Versions(versions.folder / target)
        copy.folder.mkdir()
        copy.store("ours", a="1")
        copy.store("theirs", b="1")
        merge(copy[target], [copy["ours"], copy["theirs"]])
        assert copy[target].read_bytes() == versions["out"].read_bytes()


def test_a_side_that_a_killed_recorder_left_is_merged_like_any_other(versions: Versions) -> None:
    for name in ("ours", "theirs"):
        versions.store(name, **{name: "1"})
        change(versions[name], "pragma journal_mode = wal")
    merge(versions["ours"], [versions["ours"], versions["theirs"]])
    assert versions.says("ours") == ["ours 1", "theirs 1"]


def test_runs_that_are_alike_are_one(versions: Versions) -> None:
    versions.store("ours", a="1")
    versions.store("theirs", b="1")
    versions.merge(base=None)
    assert rows(versions["out"], "select count(*) from runs") == [(1,)]


def test_a_conflict_that_a_side_has_already_survives(versions: Versions) -> None:
    versions.store("base", a="1", b="1")
    versions.store("ours", a="2", b="1")
    versions.store("theirs", a="3", b="1")
    versions.merge()
    versions["out"].rename(versions["ours"])
    versions.store("theirs", a="1", b="4")
    merged = versions.merge()
    assert (merged.clashes, merged.unsettled) == ((), 1)
    assert versions.says() == ["a 2", "b 4"]
    versions["out"].rename(versions["theirs"])
    versions.store("ours", a="1", b="1")
    assert versions.merge().unsettled == 1


def left_open(versions: Versions, *names: str) -> None:
    """Have cassettes in which a merge left what `a` is to be answered, `ours` or `theirs`."""
    versions.store("base", a="1")
    versions.store("ours", a="ours")
    versions.store("theirs", a="theirs")
    versions.merge()
    for name in names:
        shutil.copy(versions["out"], versions[name])
    versions["out"].unlink()


def settled_by(path: Path, how: Settling) -> None:
    settle(path, dict.fromkeys(conflicts_in(path), how))


def test_a_conflict_that_both_sides_settled_by_different_answers_is_one_again(versions: Versions) -> None:
    left_open(versions, "base", "ours", "theirs")
    settled_by(versions["ours"], Settling.OURS)
    settled_by(versions["theirs"], Settling.THEIRS)
    (clash,) = versions.merge().clashes
    assert versions.says() == ["a ours"]
    (conflict,) = conflicts_in(versions["out"]).values()
    assert [[item.response.body for item, _ in side] for side in conflict.alternatives] == [[say("theirs").body]]
    assert clash.changes


@pytest.mark.parametrize("how", [Settling.OURS, Settling.THEIRS])
def test_a_conflict_that_both_sides_settled_alike_is_settled(how: Settling, versions: Versions) -> None:
    left_open(versions, "base", "ours", "theirs")
    settled_by(versions["ours"], how)
    settled_by(versions["theirs"], how)
    merged = versions.merge()
    assert (merged.clashes, merged.unsettled, versions.says()) == ((), 0, [f"a {how}"])


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_conflict_that_only_one_side_settled_is_settled_by_its_answer(side: str, versions: Versions) -> None:
    left_open(versions, "base", "ours", "theirs")
    settled_by(versions[side], Settling.THEIRS)
    merged = versions.merge()
    assert (merged.clashes, merged.unsettled, versions.says()) == ((), 0, ["a theirs"])


def test_a_conflict_in_words_that_nobody_can_read_goes_on_as_it_is(versions: Versions) -> None:
    left_open(versions, "base", "ours", "theirs")
    for name in ("base", "ours", "theirs"):
        change(versions[name], "update cassette set value = 'x' where name like 'conflict:%'")
    assert versions.merge().unsettled == 1


def test_a_conflict_that_a_side_settled_is_settled(versions: Versions) -> None:
    versions.store("ours", a="2")
    versions.store("theirs", a="3")
    versions.merge(base=None)
    versions["out"].rename(versions["base"])
    versions["ours"].write_bytes(versions["base"].read_bytes())
    versions.store("theirs", a="2")
    assert versions.merge().unsettled == 0


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_keys_that_other_rules_made_are_made_anew_by_ours(side: str, versions: Versions) -> None:
    rules = Rules(scrub=("date",))
    days = {name: question(f"Today is 2026-11-{day}.") for name, day in (("ours", 23), ("theirs", 24))}
    for name, request in days.items():
        used = rules if name == side else Rules()
        store(versions[name], [taken(request, say(name), rules=used)], rules=used)
    merged = versions.merge(base=None)
    expected = rules if side == "ours" else Rules()
    assert rules_in(versions["out"]) == expected
    with Reader(versions["out"], expected) as reader:
        assert reader.rekeying is None
        assert len(reader) == (1 if side == "ours" else 2)
    assert len(merged.clashes) == (1 if side == "ours" else 0)


def test_rules_that_only_theirs_changed_are_taken(versions: Versions) -> None:
    rules = Rules(scrub=("date",))
    versions.store("base", a="1")
    versions.store("ours", a="1", b="1")
    versions.store("theirs", a="1")
    store(versions["theirs"], [taken(question("2026-11-24"), say("2"))])
    rekey(versions["theirs"], rules, lambda _: True)
    versions.merge()
    assert rules_in(versions["out"]) == rules
    with Reader(versions["out"], rules) as reader:
        assert (reader.rekeying, len(reader)) == (None, 3)


def test_other_facts_are_merged_too(versions: Versions) -> None:
    for name in ("ours", "theirs"):
        path = versions.store(name, a="1")
        with drafted(path) as draft:
            draft.copy(path)
            draft.note(f"of {name}", "x")
    versions.merge(base=None)
    assert facts_in(versions["out"]).keys() == {"format", "normalizer", "rules", "of ours", "of theirs"}


@pytest.mark.parametrize("content", [b"", b"not a database" * 100], ids=["empty", "foreign"])
def test_what_is_no_cassette_is_told_and_nothing_is_written(content: bytes, versions: Versions) -> None:
    versions.store("ours", a="1")
    versions["theirs"].write_bytes(content)
    with pytest.raises(CassetteError, match="not a cassette"):
        versions.merge(base=None)
    assert files(versions["out"]) == ["ours.sqlite", "theirs.sqlite"]


def test_a_merged_file_is_laid_out_like_any_other(versions: Versions) -> None:
    versions.store("ours", a="1", b="1")
    versions.store("theirs", a="2", b="2", c="1")
    assert len(versions.merge(base=None).clashes) == 2
    with drafted(versions["copy"], facts=facts_in(versions["out"])) as draft:
        draft.copy(versions["out"])
    assert versions["copy"].read_bytes() == versions["out"].read_bytes()


def test_a_missing_side_is_told(versions: Versions) -> None:
    versions.store("ours", a="1")
    with pytest.raises(CassetteMissingError, match="there is no cassette"):
        versions.merge(base=None)


_SAID = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.sampled_from("12"), min_size=1, max_size=2), min_size=1, max_size=4
)


def _tracks(path: Path) -> dict[str, list[str]]:
    tracks: dict[str, list[str]] = {}
    for said in Versions(path.parent).says(path.stem):
        asked, answered = said.split(" ")
        tracks.setdefault(asked.partition(":")[0], []).append(answered)
    return tracks


@given(_SAID, _SAID, _SAID)
@settings(max_examples=25, deadline=None)
def test_any_merge_is_that_of_its_tracks(
    base: dict[str, list[str]], ours: dict[str, list[str]], theirs: dict[str, list[str]]
) -> None:
    with TemporaryDirectory() as folder:
        versions = Versions(Path(folder))
        for name, said in (("base", base), ("ours", ours), ("theirs", theirs)):
            versions.store_all(name, said)
        merged = versions.merge()
        clashing = {name for name in "abcd" if len({str(side.get(name)) for side in (base, ours, theirs)}) == 3}
        wanted = {
            name: taken_
            for name in "abcd"
            if (taken_ := theirs.get(name) if ours.get(name) == base.get(name) else ours.get(name))
        }
        assert len(merged.clashes) == len(clashing) == merged.unsettled
        assert _tracks(versions["out"]) == wanted


def test_how_far_it_is_can_be_watched(versions: Versions) -> None:
    versions.store("ours", a="1")
    versions.store("theirs", b="1", c="1")
    told: list[tuple[str, int]] = []

    def watch(items: Iterable[T], total: int, doing: str) -> Iterable[T]:
        told.append((doing, total))
        return items

    merge(versions["out"], [versions["ours"], versions["theirs"]], watch=watch)
    assert told == [("Reading ours.sqlite", 1), ("Reading theirs.sqlite", 2), ("Writing", 2)]


def test_a_big_first_part_is_copied_and_the_rest_follows_in_order(versions: Versions) -> None:
    many: list[Interaction] = [item for number in range(30) for item in recorded(f"q{number}", "1")]
    store(versions["ours"], many)
    store(versions["theirs"], [*many[:20], *recorded("q20", "2"), *many[21:], *recorded("new", "1")])
    store(versions["base"], many)
    versions.merge()
    assert versions.says()[19:22] == ["q19 1", "q20 2", "q21 1"]
    assert len(bodies(versions["out"])) == 31


def test_a_folder_where_nobody_may_write_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ours.sqlite"
    store(path, [taken(question("a"), say("a"))])
    with read_only_copy(path) as copy, as_nobody(), pytest.raises(CassetteError, match="cannot write the cassette"):
        merge(copy.with_name("out.sqlite"), [copy, copy])
