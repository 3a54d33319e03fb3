"""`llmtape demo`, as a newcomer runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from proxy.cli import demo as command
from proxy.cli import main
from proxy.tour import STEPS, Heard, Result

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_shows_each_request_and_ends_well(tmp_path: Path) -> None:
    cassette = tmp_path / "kept.sqlite"
    ran = CliRunner().invoke(main, ["demo", "-c", str(cassette)], env={"COLUMNS": "120"})
    assert ran.exit_code == 0, ran.output
    assert [step.title for step in STEPS if step.title not in ran.output] == []
    assert f"{len(STEPS)} of {len(STEPS)} answers came again byte for byte" in ran.output
    assert cassette.exists()


def test_it_does_not_write_over_a_file(tmp_path: Path) -> None:
    cassette = tmp_path / "mine.sqlite"
    cassette.write_bytes(b"mine")
    ran = CliRunner().invoke(main, ["demo", "-c", str(cassette)])
    assert (ran.exit_code, cassette.read_bytes()) == (2, b"mine")
    assert "is there already" in ran.output


def test_it_fails_where_anything_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (Heard(200, (), body, 0.1, "k:1", is_stream=False) for body in (b"a", b"b"))

    async def differing(_cassette: Path) -> list[Result]:
        return [Result(STEPS[0], one, one), Result(STEPS[1], one, other)]

    monkeypatch.setattr(command, "take", differing)
    ran = CliRunner().invoke(main, ["demo"], env={"COLUMNS": "120"})
    assert ran.exit_code == 1
    assert "NO" in ran.output
    assert "1 of 2" in ran.output
