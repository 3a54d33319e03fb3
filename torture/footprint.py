"""What a process holds: memory, descriptors, threads; and whether that grows.

Rule: read from the kernel, from outside of the process. A trend is a line through the samples, and is none as long as
it is within their own noise.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

_MIB = 1024.0  # the kernel tells KiB


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds at one moment."""

    memory_mib: float
    """Resident, and of no file."""
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Read it. Raises OSError where there is no such process."""
        place = Path("/proc") / str(pid)
        told = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line)
        memory = float(told["RssAnon"].split()[0]) / _MIB
        return cls(memory, len(list((place / "fd").iterdir())), int(told["Threads"]))


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through samples that are equally far apart."""

    slope: float
    """What a sample is more than the one before it."""
    error: float
    """The slope's standard error."""
    rise: float
    """What the line rises from the first sample to the last."""

    @classmethod
    def of(cls, samples: Sequence[float]) -> Self:
        """Fit it, by least squares; fewer than three samples have no trend."""
        count = len(samples)
        if count < 3:
            return cls(0.0, math.inf, 0.0)
        middle, mean = (count - 1) / 2, sum(samples) / count
        spread = sum((at - middle) ** 2 for at in range(count))
        slope = sum((at - middle) * (value - mean) for at, value in enumerate(samples)) / spread
        rest = sum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(samples))
        return cls(slope, math.sqrt(rest / (count - 2) / spread), slope * (count - 1))


@asynccontextmanager
async def watched(pid: int, apart_s: float = 0.25) -> AsyncIterator[list[Footprint]]:
    """Take samples of a process as long as the block lasts, the first and the last at its ends."""
    samples = [Footprint.of(pid)]

    async def sample() -> None:
        with suppress(OSError):  # it has ended
            while True:
                await asyncio.sleep(apart_s)
                samples.append(Footprint.of(pid))

    sampling = asyncio.ensure_future(sample())
    try:
        yield samples
    finally:
        sampling.cancel()
        with suppress(OSError):
            samples.append(Footprint.of(pid))
