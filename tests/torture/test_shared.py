"""Recorders, replays and commands on one cassette, and cassettes on a read-only medium, in the short form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from torture.item import nothing
from torture.medium import medium, read_only
from torture.shared import shared

if TYPE_CHECKING:
    from pathlib import Path


def test_recorders_replays_and_commands_on_one_cassette_lose_and_double_nothing(tmp_path: Path) -> None:
    assert "none lost or doubled" in shared(1, tmp_path, nothing)


def test_a_cassette_on_a_read_only_medium_replays(tmp_path: Path) -> None:
    if not read_only(tmp_path):
        pytest.skip("this system lets nobody mount a folder read-only in a namespace of its own")
    assert "with its log" in medium(2, tmp_path, nothing)
