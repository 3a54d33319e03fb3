"""What reaches the terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from proxy.cli.screen import PIPED_WIDTH, Screen, check_bytes, styled

if TYPE_CHECKING:
    import pytest


def test_markup_and_control_characters_in_recorded_text_mean_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().show([styled("[bold]a[/bold] :smile: \x1b[31m", ("[/]", "red"))])
    assert capsys.readouterr().out == "[bold]a[/bold] :smile: \\x1b[31m[/]\n"


def test_a_pipe_is_wide_unless_columns_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", None)
    monkeypatch.delenv("COLUMNS", raising=False)
    assert Screen().width == PIPED_WIDTH
    monkeypatch.setenv("COLUMNS", "33")
    assert Screen().width == 33


def test_piped_lines_are_never_wrapped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    screen = Screen()
    screen.show(screen.block(styled("word " * 20 + "\n\nend"), 2))
    assert capsys.readouterr().out.splitlines() == ["  " + ("word " * 20).rstrip(), "", "  end"]


def test_on_a_terminal_lines_are_wrapped_to_its_width_and_indented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = [line.plain for line in Screen().block(styled("one two three four five\n\nsix"), 6, styled("a:"))]
    assert lines == ["a:    one two three", "      four five", "", "      six"]


def test_pieces_go_on_where_the_last_one_ended(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    for piece in ("a ", " b\n", "\n", "c"):
        screen.write(styled(piece))
    assert capsys.readouterr().out == "a  b\n\nc"


def test_any_bytes_may_go_into_a_pipe() -> None:
    check_bytes(b"\x1b[2J\xff")


def test_lines_go_to_standard_output_as_it_is_when_they_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar puts itself in its place, and prints above what it draws; Rich would pass it by."""
    screen = Screen()

    class Bar(io.StringIO):
        rich_proxied_file = sys.stdout

    bar = Bar()
    monkeypatch.setattr(sys, "stdout", bar)
    screen.show([styled("above")])
    assert bar.getvalue() == "above\n"
