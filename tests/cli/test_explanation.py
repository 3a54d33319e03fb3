"""The layout of an explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from proxy.cli.explanation import Layout, config_lines, merging_lines, sides
from proxy.cli.screen import Screen
from proxy.core.deck import Drawn
from proxy.core.explain import Explanation, Touch, explain
from proxy.core.mismatch import MISSING
from proxy.core.model import Outcome, Take, Track, Variant
from proxy.core.modes import Found
from proxy.core.rekeying import Merge, Rekeying
from tests.cassette.making import question

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.text import Text

TERMINAL = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb"}


def take(number: int = 1, key: str = "a" * 64) -> Take:
    return Take(number, Track(key, Variant.JSON), number, 200, Outcome.COMPLETE)


def touch(
    was: Any, now: Any = MISSING, path: str = "messages[0].content", rule: str = "rule", why: str = "why"
) -> Touch:
    return Touch(path, was, now, rule, why)


def plain(lines: Iterable[Text]) -> list[str]:
    return [line.plain for line in lines]


def done(*touches: Touch) -> list[str]:
    """Lay out what was done alone."""
    explanation = Explanation(explain(question()).canonical, touches)
    lines = plain(Layout(Screen(), explanation, "{}", Drawn(Found.PLAYABLE, take()), None).lines())
    return lines[lines.index("what was done") + 1 : lines.index("the canonical request") - 1]


@pytest.fixture(params=["piped", "terminal"])
def medium(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({**TERMINAL, "COLUMNS": "80"} if request.param == "terminal" else {"COLUMNS": "200"}).items():
        monkeypatch.setenv(name, value)
    medium: str = request.param
    return medium


@pytest.mark.usefixtures("medium")
def test_what_was_done_for_one_reason_stands_together_in_order_of_the_first() -> None:
    assert done(touch("a", "b"), touch(1, why="other"), touch("c", "d", "messages[1].content")) == [
        "  rule: why",
        '    messages[0].content  "a" → "b"',
        '    messages[1].content  "c" → "d"',
        "  rule: other",
        "    messages[0].content  1 → (absent)",
    ]


@pytest.mark.usefixtures("medium")
def test_what_only_changed_its_place_is_told_once() -> None:
    assert done(touch(200, 200, "max_tokens"))[1] == "    max_tokens  200"


@pytest.mark.usefixtures("medium")
def test_where_nothing_was_done_it_says_so() -> None:
    assert done() == ["  nothing: it is in its one form as it was asked"]


def test_what_does_not_fit_in_a_line_stands_in_two(medium: str) -> None:
    lines = done(touch("x" * 60, "y" * 20))
    assert (len(lines) == 2) is (medium == "piped")
    if medium == "terminal":
        assert lines[1:] == ["    messages[0].content", f'      was  "{"x" * 60}"', f'      is   "{"y" * 20}"']


def test_nothing_is_wider_than_a_terminal(medium: str) -> None:
    word = "日本語" * 70
    lines = done(
        touch(word, "<tmp-path:1>"),
        touch(f"before {word} after", "before it after"),
        touch({"type": "image", "data": word}, {"sha256": "0" * 64}),
        touch(list(range(900)), MISSING),
        touch("a", "b", ".".join(["parameters"] * 20), why=word),
    )
    assert (max(map(cell_len, lines)) <= 80) is (medium == "terminal")


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("a\r\nb", "a\nb", (r'"a\r\nb"', r'"a\nb"')),
        ("1", 1, ('"1"', "1")),
        (None, MISSING, ("null", "(absent)")),
        ({"a": ["é"]}, False, ('{"a": ["é"]}', "false")),
        ("x" * 300, "<a:1>", (f'"{"x" * 48}…{"x" * 48}"', '"<a:1>"')),
        (["y" * 300], MISSING, (f'["{"y" * 94}…', "(absent)")),
    ],
)
def test_values_are_told_as_json_and_long_ones_cut(was: Any, now: Any, told: tuple[str, str]) -> None:
    assert sides(touch(was, now)) == told


def test_of_long_texts_what_changed_is_told() -> None:
    was, now = sides(touch("word " * 100 + "end\r\nend", "word " * 100 + "end\nend"))
    assert was.endswith(r'[-\r\n-]end"')
    assert now.endswith(r'{+\n+}end"')
    assert len(was) < 100


@pytest.mark.usefixtures("medium")
def test_control_characters_do_not_reach_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\x07\x9b31m\u202e\ud800\t[bold]"
    explanation = Explanation(
        explain(question()).canonical, (touch(nasty, MISSING, nasty, nasty, nasty), touch("long " * 50 + nasty, nasty))
    )
    screen = Screen()
    screen.show(Layout(screen, explanation, nasty, Drawn(Found.NOT_RECORDED), None).lines())
    screen.show(config_lines(screen, nasty, [nasty], None))
    shown = capsys.readouterr().out
    assert not set(shown) & set("\x1b\x07\x9b\u202e\ud800\t")
    assert "[bold]" in shown


@pytest.mark.parametrize(
    ("planned", "is_done", "told"),
    [
        (Rekeying({1: take()}), False, "No recording would get another key; no calls would merge."),
        (Rekeying({1: take()}, changed=1), True, "1 of 1 recording got another key; no calls merged."),
        (
            Rekeying({1: take(), 2: take(2)}, (Merge("c" * 64, (take(), take(2, "b" * 64)), differs=False),), 2),
            False,
            "2 of 2 recordings would get another key; 2 calls would merge into 1.",
        ),
    ],
)
def test_what_rules_do_to_recordings_is_told_in_a_sentence(planned: Rekeying, is_done: bool, told: str) -> None:  # noqa: FBT001
    assert plain(merging_lines(Screen(), planned, is_done=is_done))[0] == told


def test_recordings_that_differ_in_their_answers_are_told_first() -> None:
    same, other = (
        Merge(key * 64, (take(), take(2, "b" * 64)), differs=differs) for key, differs in (("c", False), ("d", True))
    )
    lines = plain(merging_lines(Screen(), Rekeying({}, (same, other)), is_done=False))
    assert [line.rpartition(", ")[2] for line in lines[1:]] == ["with different answers", "with the same answer"]


def test_lines_of_config_are_never_wrapped(medium: str, tmp_path: Path) -> None:
    line = "scrub = [" + '"uuid", ' * 40 + "]"
    lines = plain(config_lines(Screen(), "To adopt it", ["[rules]", line], tmp_path / "my.toml"))
    assert medium
    assert lines[-3:] == ["", "  [rules]", f"  {line}"]
    assert "".join(lines).startswith("To adopt it, write into")
