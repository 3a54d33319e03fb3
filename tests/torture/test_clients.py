"""Clients do everything wrong, in short; `make torture` does it at length."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from proxy.core.modes import Mode
from tests.running import running
from torture.clients import AT_ONCE, misbehave, mixtures, run_stalled
from torture.item import BrokenPromiseError, nothing
from torture.misdeeds import GOOD, Then, misdeeds
from torture.stalling import record
from torture.unruly import ANSWER, Act, Leaving, act, drawn

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1_000_000
CASES = misdeeds(LIMIT)


def test_whatever_a_client_does_it_gets_what_it_should_and_the_next_one_is_served_well(tmp_path: Path) -> None:
    """Each misdeed at once, then mixtures: in pieces of any size, and with clients that leave at any point."""
    told: list[None] = []
    figures = asyncio.run(misbehave(mixtures(CASES, range(20)), tmp_path, LIMIT, lambda: told.append(None)))
    assert figures.startswith(f"{len(CASES) + 20 * AT_ONCE} misdeeds")
    assert len(told) == 20


def test_who_does_not_read_takes_no_memory_and_holds_nobody_up(tmp_path: Path) -> None:
    assert "replay" in run_stalled(4, tmp_path, nothing)


@pytest.mark.parametrize(
    ("name", "change", "broken"),
    [
        ("the proxy's health", {"statuses": (204,)}, "200 came, and not 204"),
        ("garbage", {"then": Then.STAYS}, "instead of an answer came"),
        ("the proxy's health", {"then": Then.WAITS, "statuses": ()}, "after all answers came"),
    ],
)
async def test_what_does_not_hold_is_told(tmp_path: Path, name: str, change: dict[str, object], broken: str) -> None:
    case = next(case for case in CASES if case.name == name)
    changed = replace(case, **change)  # type: ignore[arg-type]
    record(tmp_path / "c.sqlite", (GOOD, (ANSWER,)))
    async with running(Mode.REPLAY, tmp_path / "c.sqlite") as proxy:
        with pytest.raises(BrokenPromiseError, match=f"{name}, in pieces cut at .*{broken}"):
            await act(Act(changed), proxy.url)


def test_each_misdeed_has_a_name_of_its_own_and_all_ways_to_do_it_are_drawn() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    found = [drawn(case, Random(number)) for number, case in enumerate(CASES)]
    assert {one.leaving for one in found} == {None, *Leaving}
    assert any(one.leaving is Leaving.FIN and one.sends < len(one.misdeed.sent) for one in found)
