"""Recorders that are killed at any moment: the short form of what `make torture` does at length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torture.item import nothing
from torture.killed import killed

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_client_saw_the_end_of_outlives_the_kill_of_its_recorder(tmp_path: Path) -> None:
    assert "none lost" in killed(3, tmp_path, nothing)
