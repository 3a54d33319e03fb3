"""Feeding a target, and what that cost.

Rule: whatever makes the inputs, each goes through `Feeder.feed`: there it is counted and timed, and there an input that
breaks a promise becomes an error that says which, and how to see it again. What is asked of an input stands here.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from torture.item import BrokenPromiseError

if TYPE_CHECKING:
    from torture.targets import Target

LONGEST_S: Final = 1.0
"""Of computing for one input, of the few thousand bytes that a target takes."""

MOST_GROWTH_MB: Final = 64
"""By which a process may grow once it has seen a tenth of its inputs."""

_STATUS: Final = Path("/proc/self/status")
_TOLD_EVERY: Final = 1000
_LOOKS: Final = 100
_SHOWN: Final = 2000


@dataclass(frozen=True, slots=True)
class Tally:
    """What a target was fed. `covered` counts the branches of `proxy` that were seen, 0 where nobody counted."""

    inputs: int = 0
    slowest_s: float = 0.0
    peak_mb: int = 0
    covered: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Put two tallies together."""
        return Tally(
            self.inputs + other.inputs,
            max(self.slowest_s, other.slowest_s),
            max(self.peak_mb, other.peak_mb),
            max(self.covered, other.covered),
        )


class Feeder:
    """Feeds one target, of `count` inputs in all; tells on standard output how far it is, a line of JSON at a time."""

    def __init__(self, target: Target, count: int, folder: Path, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._target = target
        self._count = count
        self._folder = folder
        self._inputs = 0
        self._slowest_s = 0.0
        self._early_mb = 0

    @property
    def tally(self) -> Tally:
        """What it was up to now."""
        return Tally(self._inputs, self._slowest_s, peak_mb())

    def feed(self, data: bytes) -> None:
        """Feed one input. Raises BrokenPromiseError."""
        data = data[: self._target.longest]
        began = time.thread_time()
        try:
            self._target.take(data, self._folder)
        except Exception as error:
            raise self._broken(data, _told(error)) from error
        took = time.thread_time() - began
        if took > self._longest_s:
            raise self._broken(data, f"{len(data)} bytes take {took:.1f} s")
        self._slowest_s = max(self._slowest_s, took)
        self._inputs += 1
        self._look_at_memory(data)
        if self._inputs % _TOLD_EVERY == 0:
            tell(Tally(_TOLD_EVERY))

    def end(self) -> None:
        """Tell what is left to tell."""
        tell(Tally(self._inputs % _TOLD_EVERY, self._slowest_s, peak_mb()))

    def _look_at_memory(self, data: bytes) -> None:
        """Look now and then, for it takes as long as a quick input."""
        if not self._early_mb and self._inputs >= self._count // 10:
            self._early_mb = peak_mb()
        if self._inputs % max(1, self._count // _LOOKS) == 0:
            peak = peak_mb()
            if self._early_mb and peak - self._early_mb > MOST_GROWTH_MB:
                raise self._broken(data, f"the process grew from {self._early_mb} to {peak} MB")

    def _broken(self, data: bytes, what: str) -> BrokenPromiseError:
        shown = data if len(data) <= _SHOWN else data[:_SHOWN] + b"..."
        return BrokenPromiseError(f"{self._target.name}, input {self._inputs + 1}, {shown!r}: {what}")


def tell(tally: Tally) -> None:
    """Write a tally for the process that waits for it."""
    print(json.dumps(asdict(tally)), flush=True)


def peak_mb() -> int:
    """Tell how much memory this process had at most, in MB."""
    if _STATUS.exists():  # elsewhere the peak of whoever started a process may count as its own
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)


def _told(error: Exception) -> str:
    """Say in one line what was raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " <- ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-4:]))
    return f"{type(error).__name__}: {error} ({where})"
