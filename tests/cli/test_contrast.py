"""Two recordings side by side, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from proxy.cassette.reader import Reader
from proxy.cli.contrast import STANDINGS, Contrast, Layout, Tally
from proxy.cli.screen import Screen
from proxy.core.mismatch import MISSING, Difference
from proxy.core.model import Outcome, Response, Take, Track, Variant
from proxy.core.verdict import compare
from tests.cassette.making import store
from tests.cli.recorded import RECORDED
from tests.core.test_verdict import calling, saying

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proxy.core.canonical import Json

LONG = "One two three four five six seven eight nine ten, and so on to a hundred and beyond."


def take(key: str = "a", number: int = 1, lane: str = "") -> Take:
    return Take(1, Track(key * 64, Variant.JSON, lane), number, 200, Outcome.COMPLETE)


def contrast(one: Response, other: Response, *asked: Difference) -> Contrast:
    return Contrast(take(), take("b"), compare(one, other), asked)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path: Path = tmp_path_factory.mktemp("contrast") / "tape.sqlite"
    store(path, [RECORDED["plain"]])
    with Reader(path) as opened:
        yield opened


@pytest.fixture(params=[80, 200])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Screen:
    environment = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(request.param)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Screen()


def lines(screen: Screen, reader: Reader, shown: Contrast) -> list[str]:
    return [line.plain for line in Layout(screen, reader, reader).lines(shown)]


def test_a_pair_is_told_in_a_line_with_what_was_asked(screen: Screen, reader: Reader) -> None:
    shown = contrast(saying("x"), saying("x"))
    assert lines(screen, reader, shown) == ["identical  aaaaaaaaaaaa:1 → bbbbbbbbbbbb:1  Say hello"]


def test_one_name_is_told_once_and_lanes_with_it(screen: Screen, reader: Reader) -> None:
    same = compare(saying("x"), saying("x"))
    assert lines(screen, reader, Contrast(take(lane="t"), take(lane="t"), same)) == [
        "identical  aaaaaaaaaaaa:1  t  Say hello"
    ]
    assert lines(screen, reader, Contrast(take(lane="t"), take(lane="u"), same)) == [
        "identical  aaaaaaaaaaaa:1  t  u  Say hello"
    ]


@pytest.mark.parametrize("sides", [(take(), None), (None, take())])
def test_what_is_alone_is_told_with_where_it_is(
    sides: tuple[Take | None, Take | None], screen: Screen, reader: Reader
) -> None:
    (line,) = lines(screen, reader, Contrast(*sides))
    assert line.startswith("missing    aaaaaaaaaaaa:1  only in ")


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (calling(("f", {"a": 1})), calling(("f", {"a": 2})), ["choices[0].tool_calls[0].arguments.a  1 → 2"]),
        (calling(("f", {"a": 1})), calling(("f", {"a": "1"})), ['choices[0].tool_calls[0].arguments.a  1 → "1"']),
        (saying("Yes.\nNo."), saying("Yes."), ["choices[0].content", "  - Yes.[-\n    No.-]", "  + Yes."]),
        (
            saying(LONG),
            saying(LONG.replace("hundred", "thousand")),
            [
                "choices[0].content",
                "  - … eight nine ten, and so on to a [-hundred-] and beyond.",
                "  + … eight nine ten, and so on to a {+thousand+} and beyond.",
            ],
        ),
        (
            calling(("f", {"a": [1] * 20})),
            calling(("f", {})),
            ["choices[0].tool_calls[0].arguments.a", "  - [" + "1," * 19 + "1]", "  + (absent)"],
        ),
    ],
)
def test_short_values_stand_on_a_line_and_others_below_each_other(
    one: Response, other: Response, told: list[str], screen: Screen, reader: Reader
) -> None:
    indented = "\n".join(told).replace("\n", "\n" + " " * 11)
    assert "\n".join(lines(screen, reader, contrast(one, other))[1:]) == " " * 11 + indented


def test_what_was_asked_otherwise_comes_first(screen: Screen, reader: Reader) -> None:
    asked = Difference("model", "gpt-4o", "gpt-5"), Difference("seed", MISSING, 1)
    shown = lines(screen, reader, contrast(saying("x"), saying("y"), *asked))
    assert [line.strip() for line in shown[1:]] == [
        "asked model  gpt-4o → gpt-5",
        "asked seed  (absent) → 1",
        "choices[0].content  x → y",
    ]


def test_of_very_many_differences_the_first_are_told(screen: Screen, reader: Reader) -> None:
    asked = [Difference(f"messages[{place}].content", "a", "b") for place in range(9)]
    shown = lines(screen, reader, contrast(saying({"a": [1] * 50}), saying({"a": [2] * 50}), *asked))
    assert [line.strip() for line in shown if "more: see --json" in line] == [
        "asked and 6 more: see --json",
        "and 38 more: see --json",
    ]


def test_no_line_is_wider_than_the_screen_and_nothing_reaches_it_raw(
    screen: Screen, reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "\x1b[2J\x07\x9b31m\u202e\ud800[bold] 日本語 " * 9
    shown = contrast(saying(nasty), saying(nasty + "!"), Difference("m", nasty, MISSING), Difference(nasty, 1, 2))
    screen.show(Layout(screen, reader, reader).lines(shown))
    text = capsys.readouterr().out
    assert not set(text) & set("\x1b\x07\x9b\u202e\ud800")
    assert all(cell_len(line) <= screen.width for line in text.splitlines())


def tally(*contrasts: Contrast) -> Tally:
    counted = Tally()
    assert list(counted.counting(contrasts)) == list(contrasts)
    return counted


ALL = {
    "identical": contrast(saying("x"), saying("x"), Difference("messages[0].content", "a", "b")),
    "reworded": contrast(saying("x"), saying("y"), Difference("messages[7].content", "a", "b")),
    "changed": contrast(saying("x"), saying(""), Difference("seed", 1, 2)),
    "missing": Contrast(take(), None),
}


@pytest.mark.parametrize(
    ("least", "failing"),
    [
        ("reworded", {"reworded", "changed", "missing"}),
        ("changed", {"changed", "missing"}),
        ("missing", {"missing"}),
        ("none", set()),
    ],
)
def test_it_fails_on_the_verdict_that_is_named_and_on_worse_ones(least: str, failing: set[str]) -> None:
    assert {standing for standing in ALL if tally(ALL[standing]).fails(least)} == failing
    assert tuple(ALL) == STANDINGS


def test_the_counts_are_told_in_a_line_or_with_what_differs(screen: Screen) -> None:
    counted = tally(*ALL.values(), Contrast(None, take()), ALL["reworded"])
    assert [line.plain for line in counted.line(screen, "a.sqlite", "b.sqlite")] == [
        "1 identical, 2 reworded, 1 changed, 1 only in a.sqlite, 1 only in b.sqlite"
    ]
    assert [line.plain for line in counted.lines("a.sqlite", "b.sqlite")] == [
        "1  identical",
        "2  reworded",
        "1  changed",
        "1  only in a.sqlite",
        "1  only in b.sqlite",
        "",
        "asked otherwise",
        "3  messages[].content",
        "1  seed",
        "",
        "answered otherwise",
        "3  choices[].content",
    ]
    assert [line.plain for line in Tally().line(screen, "a", "b")] == ["nothing to compare"]


def test_programs_get_the_counts_and_every_field_whole() -> None:
    assert tally(*ALL.values()).json() == {
        "identical": 1,
        "reworded": 1,
        "changed": 1,
        "only_one": 1,
        "only_other": 0,
        "request": {"messages[].content": 2, "seed": 1},
        "answer": {"choices[].content": 2},
    }
    sides: Sequence[dict[str, Json]] = [
        {"name": key * 12 + ":1", "key": key * 64, "take": 1, "variant": "json", "lane": ""} for key in "ab"
    ]
    expected: dict[str, Any] = {
        "verdict": "changed",
        "one": sides[0],
        "other": sides[1],
        "request": [{"path": "seed", "other": 1}],
        "answer": [{"path": "choices[0].content", "one": LONG}],
        "reasons": [f"choices[0].content: {LONG[:39]}… -> (absent)"],
    }
    assert contrast(saying(LONG), saying(""), Difference("seed", MISSING, 1)).json() == expected
    assert Contrast(None, take("b")).json() == {
        "verdict": "missing",
        "one": None,
        "other": sides[1],
        "request": [],
        "answer": [],
        "reasons": [],
    }
