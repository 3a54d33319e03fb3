"""Progress is told on a terminal alone, and where it takes a while."""

from __future__ import annotations

import io
import sys
from itertools import count
from threading import Event

import pytest

from proxy.cli.progress import progress, waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, total: int, seconds: float) -> str:
    """Tell the progress of items on standard error; the clock goes on by so many seconds when it is looked at."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    times = count(0, seconds)
    items = progress(iter(range(total)), total, "counting", clock=lambda: next(times))
    assert list(items) == list(range(total))
    return stream.getvalue()


@pytest.mark.parametrize("total", [0, 1, 2, 5])
def test_all_items_come_in_their_order_and_a_pipe_is_told_nothing(monkeypatch: pytest.MonkeyPatch, total: int) -> None:
    assert told(monkeypatch, io.StringIO(), total, 5) == ""


@pytest.mark.parametrize(
    ("total", "seconds", "is_told"), [(0, 5, False), (5, 0.001, False), (1, 5, True), (5, 0.6, True)]
)
def test_a_terminal_is_told_what_takes_a_while_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, total: int, seconds: float, *, is_told: bool
) -> None:
    assert ("counting" in told(monkeypatch, Terminal(), total, seconds)) is is_told


@pytest.mark.parametrize("stream", [io.StringIO, Terminal], ids=["piped", "terminal"])
def test_what_is_printed_meanwhile_is_not_lost_in_the_bar(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO]
) -> None:
    """A terminal shows it above the bar, which is drawn on standard error; a pipe gets it as ever."""
    bar, printed = Terminal(), stream()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", bar)
    monkeypatch.setattr(sys, "stdout", printed)
    times = count(0, 5)
    for number in progress(range(3), 3, "counting", clock=lambda: next(times)):
        sys.stdout.write(f"line {number}\n")
    shown = bar.getvalue() + printed.getvalue() if stream is Terminal else printed.getvalue()
    assert [number for number in range(3) if f"line {number}" in shown] == [0, 1, 2]
    assert ("line 2" in bar.getvalue()) is (stream is Terminal)


class Told(Terminal):
    """A terminal that somebody can wait for to be told something."""

    def __init__(self) -> None:
        super().__init__()
        self.was_told = Event()

    def write(self, text: str) -> int:
        written = super().write(text)
        if "removing" in text:
            self.was_told.set()
        return written


def test_work_of_which_nobody_knows_how_far_it_is_is_told_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Told()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with waiting("removing", patience=0):
        assert terminal.was_told.wait(10)
    assert terminal.getvalue().endswith("\x1b[2K")  # it is gone when it ends


@pytest.mark.parametrize(("stream", "patience"), [(Terminal, 3600), (io.StringIO, 0)], ids=["short", "piped"])
def test_short_work_and_a_pipe_are_told_nothing(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], patience: float
) -> None:
    told_to = stream()
    monkeypatch.setattr(sys, "stderr", told_to)
    with pytest.raises(ZeroDivisionError), waiting("removing", patience=patience):
        raise ZeroDivisionError
    assert told_to.getvalue() == ""
