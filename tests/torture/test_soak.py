"""A proxy holds no more after many calls than after few; by counts, not by time."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Final

import pytest

from torture import soak
from torture.footprint import Footprint, Trend
from torture.growth import KINDS, Caller, Kind, forgetful_upstream, measure
from torture.item import BrokenPromiseError
from torture.served import served

if TYPE_CHECKING:
    from pathlib import Path

SHORT: Final = ("played", "recorded, the same again", "an upstream's error", "a large miss in a lane", "forwarded")
"""Kinds that leave nothing, or would leave much; the long form has all."""


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.name in SHORT], ids=lambda kind: kind.name)
def test_a_call_leaves_no_more_behind_than_its_bound(
    kind: Kind, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "llmtape")  # what is told is kept by the test, not by the proxy
    measure(kind, tmp_path, calls=200, warm_up=60)


async def test_a_mixed_load_leaves_descriptors_and_threads_as_they_were(tmp_path: Path) -> None:
    async with (
        forgetful_upstream() as upstream,
        served(tmp_path, "auto", "--port", "0", "--upstream", upstream) as proxy,
    ):
        load = soak.Load(Caller(await proxy.url()), random.Random(1))
        await load.run(lambda: load.calls < 150)
        before = Footprint.of(proxy.pid)
        await load.run(lambda: load.calls < 300)
        after = Footprint.of(proxy.pid)
        proxy.process.terminate()
        end = await proxy.end()
    assert after.descriptors <= before.descriptors + soak.CLIENTS
    assert after.threads <= before.threads + soak.CLIENTS
    assert "Traceback" not in end.err


def test_a_line_through_samples_tells_how_they_rise() -> None:
    rising = Trend.of([1.0, 2.0, 3.0, 4.0])
    assert (rising.slope, rising.rise) == pytest.approx((1.0, 3.0))
    assert Trend.of([2.0, 1.0, 2.0, 1.0, 2.0]).slope == pytest.approx(0.0)
    assert Trend.of([1.0, 9.0]).rise == 0.0


def samples(rise: float, threads: int = 0) -> list[Footprint]:
    return [Footprint(50 + at % 3 / 10 + rise * at / 100, 20, 10 + threads * at) for at in range(100)]


def test_what_is_constant_but_for_noise_holds_and_what_grows_does_not() -> None:
    assert "+0." in soak.judged(samples(0.5), 1)
    with pytest.raises(BrokenPromiseError, match="it grows"):
        soak.judged(samples(20), 1)
    with pytest.raises(BrokenPromiseError, match="threads grow"):
        soak.judged(samples(0, threads=1), 1)
