"""What `lint` finds, and how it is laid out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from rich.cells import cell_len

from proxy.cassette.reader import Reader
from proxy.cli import linting
from proxy.cli.linting import Advice, Comparison, Volatile
from proxy.cli.screen import Screen
from proxy.core.mismatch import MISSING, Difference
from proxy.core.model import Outcome, Take, Track, Variant
from proxy.core.rules import DEFAULT, Rules, added
from proxy.core.volatile import Proposal
from tests.cassette.making import answer, question, store, taken

if TYPE_CHECKING:
    from proxy.core.model import Request

BOTH: Final = Advice([Path("one"), Path("other")])


def record(path: Path, *requests: Request) -> Path:
    store(path, [taken(request, answer(b"{}")) for request in requests])
    return path


def take(key: str) -> Take:
    return Take(1, Track(key * 64, Variant.JSON), 1, 200, Outcome.COMPLETE)


def volatile(path: Path, rules: Rules = DEFAULT) -> list[Volatile]:
    with Reader(path, rules) as reader:
        return linting.volatile(reader, rules)


def compare(one: Path, other: Path, rules: Rules = DEFAULT) -> Comparison:
    with Reader(one, rules) as reader, Reader(other, rules) as its:
        return linting.compare(reader, its, rules)


def told(found: Comparison, one: Path, other: Path) -> list[str]:
    return [line.plain for line in linting.comparison_lines(Screen(), found, DEFAULT, Advice([one, other]))]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)


def test_kinds_stand_in_the_order_of_the_scrubbers_each_with_its_first_place(tmp_path: Path) -> None:
    asked = [question("on 2026-11-23 and 2026-11-24"), question("at /tmp/a/b, localhost:53211, on 2026-11-23")]
    path = record(tmp_path / "a.sqlite", *asked)
    first, second = (taken(request, answer(b"{}")).track.key[:12] + ":1" for request in asked)
    assert volatile(path) == [
        Volatile("tmp-path", "/tmp/a", "messages[0].content", second, 1),
        Volatile("date", "2026-11-23", "messages[0].content", first, 3),
        Volatile("localhost-port", "53211", "messages[0].content", second, 1),
    ]


def test_what_a_rule_covers_is_not_found_and_its_lines_are_told_with_the_new_ones(tmp_path: Path) -> None:
    path = record(tmp_path / "a.sqlite", question("on 2026-11-23 at /tmp/a/b"))
    rules = Rules(scrub=("date",))
    found = volatile(path, rules)
    assert [it.rule for it in found] == ["tmp-path"]
    assert added(rules, linting.covering(found, rules)) == ["[rules]", 'scrub = ["tmp-path", "date"]']
    assert linting.covering([], rules) == rules


@pytest.mark.usefixtures("pipe")
def test_two_runs_without_a_difference_are_told_in_a_line(tmp_path: Path) -> None:
    one, other = (record(tmp_path / name, question("a"), question("b")) for name in ("one.sqlite", "other.sqlite"))
    found = compare(one, other)
    assert (found.equal, found.pairs, found.alone) == (2, (), ())
    assert told(found, one, other) == ["2 calls equal, none different, none without a counterpart."]


@pytest.mark.usefixtures("pipe")
@pytest.mark.parametrize(
    ("days", "solved"),
    [
        ([("on 2026-11-23", "on 2026-11-24")], "To make it equal, write into llmtape.toml:"),
        (
            [(f"on 2026-11-23, part {part}", f"on 2026-11-24, part {part}") for part in "ab"],
            "To make all 2 equal, write into llmtape.toml:",
        ),
        (
            [("on 2026-11-23 a b c", "on 2026-11-24 a b c"), ("we count to three", "we count on to three")],
            "To make 1 of the 2 equal, write into llmtape.toml:",
        ),
        ([], ""),
    ],
)
def test_the_lines_are_told_with_what_they_make_equal(days: list[tuple[str, str]], solved: str, tmp_path: Path) -> None:
    texts = days or [("same", "same")]
    one = record(tmp_path / "one.sqlite", *(question(mine) for mine, _ in texts))
    other = record(tmp_path / "other.sqlite", *(question(its) for _, its in texts))
    lines = told(compare(one, other), one, other)
    assert (solved in lines) is bool(solved)
    assert (f"  llmtape rekey {other}" in lines) is bool(solved)


@pytest.mark.usefixtures("pipe")
def test_lines_that_make_no_call_equal_promise_no_more_than_they_do() -> None:
    rest = (0, Difference("body.messages[0].content", "a", "b"))
    found = Comparison(0, ((take("a"), take("b")),), (), (), Proposal(Rules(scrub=("date",)), 0, (rest,)))
    assert "To let fewer fields differ, write into llmtape.toml:" in [
        line.plain for line in linting.comparison_lines(Screen(), found, DEFAULT, BOTH)
    ]


@pytest.mark.usefixtures("pipe")
def test_of_very_many_differences_the_first_are_told_and_how_many_are_left() -> None:
    rest = tuple((0, Difference(f"body.f{place}", place, MISSING)) for place in range(57))
    alone = tuple(take(digit) for digit in "0123456789abcdef" * 2)
    found = Comparison(3, ((take("a"), take("b")),), alone, (), Proposal(DEFAULT, 0, rest))
    lines = [line.plain for line in linting.comparison_lines(Screen(), found, DEFAULT, BOTH)]
    assert lines[0] == "3 calls equal, 1 different, 32 without a counterpart."
    assert lines[2] == "calls in one alone"
    assert lines[23:26] == ["  and 12 more", "", "fields that no rule makes equal"]
    assert lines[26:29] == ["  f0", f"    {'a' * 12}:1  0", f"    {'b' * 12}:1  (absent)"]
    assert lines[-1] == "  and 37 more"
    assert not any("rekey" in line for line in lines)


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_nothing_but_commands_and_config_is_wider_than_it_is(tmp_path: Path) -> None:
    long = "/tmp/" + "日本語" * 60
    one = record(tmp_path / "one.sqlite", question(f"{long}1 " + "word " * 40), question("x" * 300))
    other = record(tmp_path / "other.sqlite", question(f"{long}2 " + "term " * 40), question("y" * 300))
    found = volatile(one)
    lines = [
        *linting.volatile_lines(Screen(), found, added(DEFAULT, linting.covering(found, DEFAULT)), Advice([one])),
        *linting.comparison_lines(Screen(), compare(one, other), DEFAULT, Advice([one, other])),
    ]
    wide = [line.plain for line in lines if cell_len(line.plain) > 80]
    assert [line for line in wide if not line.startswith(("  llmtape rekey ", "  pattern = "))] == []
    assert long not in "".join(line.plain for line in lines)


@pytest.mark.usefixtures("terminal")
def test_control_characters_do_not_reach_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\x07\x9b31m\u202e\ud800\t[bold]"
    screen = Screen()
    advice = Advice([Path(nasty), Path(nasty)])
    pair = (take("a"), take("b"))
    proposal = Proposal(DEFAULT, 0, ((0, Difference(nasty, nasty, MISSING)),))
    screen.show(linting.volatile_lines(screen, [Volatile("date", nasty, nasty, "a:1", 1)], [nasty], advice))
    screen.show(linting.comparison_lines(screen, Comparison(0, (pair,), pair, (), proposal), DEFAULT, advice))
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x07\x9b\u202e\ud800\t")
    assert "[bold]" in shown


@pytest.mark.usefixtures("pipe")
def test_calls_with_different_answers_that_the_lines_would_merge_are_named(tmp_path: Path) -> None:
    asked = [question(f"Answer the question: {word}") for word in ("cats", "dogs", "birds")]
    one = tmp_path / "one.sqlite"
    store(one, [taken(asked[0], answer(b"1")), taken(asked[1], answer(b"2"))])
    other = record(tmp_path / "other.sqlite", asked[0], asked[2])
    found = compare(one, other)
    assert [len(merge.takes) for merge in found.conflicts] == [2]
    lines = [line.plain for line in linting.comparison_lines(Screen(), found, DEFAULT, Advice([one, other]))]
    assert "calls that these lines would make one, with different answers" in "\n".join(lines)
    assert linting.comparison_json(found, DEFAULT)["conflicts"] == [[take.name for take in found.conflicts[0].takes]]
