"""Settling what a merge left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in
from proxy.cassette.rekey import rekey
from proxy.cassette.settle import clashes_in, conflicts_in, settle
from proxy.core.conflicts import Settling, name_of
from proxy.core.errors import CassetteError
from proxy.core.rules import Rules
from tests.cassette.making import files
from tests.cassette.versions import Versions, recorded, say

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (name_of(recorded(asked, "1")[0].track) for asked in "abc")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    """Three conflicts: on `a` and `b` by another answer, on `c` because ours has none."""
    versions = Versions(tmp_path)
    versions.store("base", a="1", b="1", c="1", d="1")
    versions.store("ours", a="ours", b="ours", d="1")
    versions.store("theirs", a="theirs", b=["theirs", "more"], c="theirs", d="1")
    versions.merge()
    return versions


def test_the_open_conflicts_are_told(versions: Versions) -> None:
    found = conflicts_in(versions["out"])
    assert found.keys() == {A, B, C}
    told = {name_of(clash.track): clash.reasons for clash in clashes_in(versions["out"])}
    assert told == {
        A: ("choices[0].content: other words",),
        B: ("1 take -> 2 takes", "choices[0].content: other words"),
        C: ("ours deleted it",),
    }


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (Settling.OURS, ["a ours", "b ours", "d 1"]),
        (Settling.THEIRS, ["a theirs", "b theirs", "d 1", "b:2 more", "c theirs"]),
        (Settling.BOTH, ["a ours", "b ours", "d 1", "a:2 theirs", "b:2 theirs", "b:3 more", "c theirs"]),
    ],
)
def test_all_are_settled_in_one_step(how: Settling, says: list[str], versions: Versions) -> None:
    assert settle(versions["out"], dict.fromkeys((A, B, C), how)) == 0
    assert versions.says() == says
    assert conflicts_in(versions["out"]) == {}
    assert facts_in(versions["out"]).keys() == {"format", "normalizer", "rules"}


def test_what_was_not_named_stays_open(versions: Versions) -> None:
    assert settle(versions["out"], {B: Settling.THEIRS}) == 2
    assert conflicts_in(versions["out"]).keys() == {A, C}
    assert settle(versions["out"], {A: Settling.OURS, C: Settling.BOTH}) == 0
    assert versions.says() == ["a ours", "b theirs", "d 1", "b:2 more", "c theirs"]


def test_settled_by_ours_a_merge_is_ours(versions: Versions) -> None:
    settle(versions["out"], dict.fromkeys((A, B, C), Settling.OURS))
    assert versions["out"].read_bytes() == versions["ours"].read_bytes()


def test_that_theirs_deleted_it_is_settled_by_deleting(versions: Versions) -> None:
    versions["ours"].rename(versions["spare"])
    versions["theirs"].rename(versions["ours"])
    versions["spare"].rename(versions["theirs"])
    versions.merge()
    settle(versions["out"], {C: Settling.THEIRS})
    assert "c theirs" not in versions.says()


def test_a_conflict_is_still_settled_when_the_keys_were_made_anew(versions: Versions) -> None:
    rules = Rules(models={"m": "other"})
    rekey(versions["out"], rules, lambda _: True)
    (asked,) = {name for name, it in conflicts_in(versions["out"]).items() if len(it.alternatives[0]) == 2}
    settle(versions["out"], {asked: Settling.THEIRS})
    (clash, *_) = clashes_in(versions["out"])
    assert clash.request is not None
    assert "b theirs" in versions.says()


def test_a_damaged_conflict_is_told(versions: Versions) -> None:
    with drafted(versions["out"]) as draft:
        draft.copy(versions["out"])
        draft.note(A, "nonsense")
    with pytest.raises(CassetteError, match=r"a conflict in .*out.sqlite is damaged"):
        conflicts_in(versions["out"])


def test_nothing_is_left_behind(versions: Versions) -> None:
    before = files(versions["out"])
    settle(versions["out"], {A: Settling.BOTH})
    assert files(versions["out"]) == before
    assert say("theirs").body in versions["out"].read_bytes()


def test_what_another_process_settled_meanwhile_is_told(versions: Versions) -> None:
    settle(versions["out"], {A: Settling.OURS})
    before = versions["out"].read_bytes()
    with pytest.raises(CassetteError, match="another process settled"):
        settle(versions["out"], {A: Settling.THEIRS, B: Settling.THEIRS})
    assert versions["out"].read_bytes() == before
