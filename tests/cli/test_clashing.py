"""How conflicts are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli import clashing
from proxy.cli.screen import Screen
from proxy.core.conflicts import Clash, clash
from proxy.core.model import RecordedRun, Request
from tests.cassette.making import taken
from tests.cassette.versions import recorded, say

if TYPE_CHECKING:
    import pytest

RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")


def told(found: Clash) -> list[str]:
    return [line.plain for line in clashing.lines(Screen(), [found])]


def made(*texts: str, lane: str = "") -> Clash:
    one, other = (recorded("What is a tape?", text, lane=lane) for text in texts)
    return clash(one[0].track, [(one[0], RUN)], [(other[0], RUN)])


def test_a_conflict_is_told_by_key_and_prompt_and_the_words_that_differ() -> None:
    found = made("It is a plastic band.", "It is a magnetic band.", lane="test_a")
    assert told(found) == [
        f"  {found.track.key[:12]} (lane test_a)  What is a tape?",
        "    choices[0].content",
        '      ours    "It is a [-plastic-] band."',
        '      theirs  "It is a {+magnetic+} band."',
    ]


def test_a_lane_of_several_lines_is_named_on_one() -> None:
    assert clashing.named(made("1", "2", lane="a\nb")).endswith(" (lane a\\nb)")


def test_what_is_asked_is_told_in_short_and_where_it_is_no_chat_by_its_endpoint() -> None:
    item = taken(Request("GET", "/v1/models"), say("1"))
    assert told(clash(item.track, [(item, RUN)], [])) == [
        f"  {item.track.key[:12]}  GET /v1/models",
        "    theirs deleted it",
    ]
    assert told(clash(item.track, [], [])) == [f"  {item.track.key[:12]}", "    ours deleted it"]


def test_of_many_differences_the_first_are_told() -> None:
    ours, theirs = (recorded("a", *(f"{side}{number}" for number in range(5))) for side in "xy")
    found = clash(ours[0].track, [(item, RUN) for item in ours], [(item, RUN) for item in theirs])
    assert told(found)[-1] == "    and 2 more differences"


def test_a_document_has_all_in_words() -> None:
    found = made("1", "2")
    assert clashing.document(Path("a.sqlite"), found) == {
        "cassette": "a.sqlite",
        "key": found.track.key,
        "variant": "json",
        "lane": "",
        "prompt": "What is a tape?",
        "reasons": ("choices[0].content: other words",),
    }


def test_advice_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--theirs KEY | --both KEY 'my tapes/a.sqlite'" in clashing.advice(tmp_path / "my tapes/a.sqlite")


def test_a_path_far_away_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b/c")
    assert clashing.relative(tmp_path / "a/b/x.sqlite") == "../x.sqlite"
    assert clashing.relative(tmp_path / "x.sqlite") == str(tmp_path / "x.sqlite")
