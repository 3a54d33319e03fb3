"""A small crowd; what is measured with it is not judged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from torture import crowd
from torture.item import nothing

if TYPE_CHECKING:
    from pathlib import Path


def test_each_of_a_small_crowd_gets_its_own_bytes_recorded_and_replayed(tmp_path: Path) -> None:
    told = asyncio.run(crowd.meet(40, tmp_path / "crowd.sqlite", nothing, apart_ms=20))
    assert "each client's bytes the same" in told
