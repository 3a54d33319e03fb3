"""Tables of numbers."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from proxy.cli.table import table


def drawn(width: int, *rows: tuple[str, ...]) -> list[str]:
    return [line.plain for line in table(("model", "calls", "time"), rows, width)]


def test_names_stand_on_the_left_and_numbers_on_the_right() -> None:
    assert drawn(80, ("gpt-4o", "1,234", "2 h 5 min"), ("o3", "7", "400 ms")) == [
        "model   calls       time",
        "gpt-4o  1,234  2 h 5 min",
        "o3          7     400 ms",
    ]


@pytest.mark.parametrize("name", ["tests/test_checkout.py::test_refund[eur]" * 3, "日本語" * 30])
def test_a_name_gives_way_and_a_number_never_does(name: str) -> None:
    lines = drawn(50, (name, "1,234,567", "400 ms"))
    assert max(map(cell_len, lines)) <= 50
    assert "…" in lines[1]
    assert lines[1].endswith("1,234,567  400 ms")


def test_a_table_without_rows_is_its_titles() -> None:
    assert drawn(80) == ["model  calls  time"]


def test_a_name_has_some_room_however_narrow_the_screen_is() -> None:
    assert drawn(10, ("a-long-model-name", "1", "2"))[1].startswith("a-long-mode…")


def test_what_could_steer_a_terminal_is_told_in_letters() -> None:
    assert drawn(80, ("\x1b[2J", "1", "2"))[1].startswith("\\x1b[2J")
