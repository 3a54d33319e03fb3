"""Fuzzing: whatever comes in, an answer or an error in words comes out, in time, and the memory stays.

Rule: each target is fed in processes of its own, one by chance and one guided by coverage, side by side; one that ends
badly, or not at all, is a broken promise. Where the guided fuzzer cannot be had, chance gets all of the inputs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from torture.feeding import Tally
from torture.item import Item, check
from torture.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torture.item import Advance
    from torture.targets import Target

COUNT: Final = 1_000_000
LEAST: Final = 20
"""Inputs that each target gets, however few there are."""

SEED: Final = 6
_SECONDS_AN_INPUT: Final = 1.0
_SECONDS_TO_START: Final = 120
_COVERED: Final = re.compile(r"\bcov: (\d+)")
_SHOWN: Final = 4000


@dataclass(frozen=True, slots=True)
class Fed:
    """What a target was fed, and how long that took."""

    tally: Tally
    seconds: float

    def told(self, name: str) -> str:
        """Say it in a few words."""
        covered = f", {self.tally.covered:,} edges" if self.tally.covered else ""
        return (
            f"{name} {self.tally.inputs:,} in {self.seconds:,.0f} s, slowest {self.tally.slowest_s * 1000:,.0f} ms, "
            f"{self.tally.peak_mb} MB{covered}"
        )


def is_guided() -> bool:
    """Tell whether the guided fuzzer is installed; it is not to be had for every machine."""
    return find_spec("atheris") is not None


def shares(count: int) -> dict[str, int]:
    """Share inputs out among the targets."""
    whole = sum(target.share for target in TARGETS.values())
    return {name: max(LEAST, round(count * target.share / whole)) for name, target in TARGETS.items()}


def fuzz(target: Target, count: int, folder: Path, advance: Advance, seed: int = SEED) -> Fed:
    """Feed one target so many inputs. Raises BrokenPromiseError."""
    ways = {"torture.guided": count // 2} if target.is_guided and is_guided() else {}
    ways["torture.chance"] = count - sum(ways.values())
    began = time.monotonic()
    running = [_Process(way, target, inputs, seed, folder / way) for way, inputs in ways.items()]
    try:
        tally = Tally()
        for process in running:
            for told in process.tallies():
                tally += told
                for _ in range(told.inputs):
                    advance()
    finally:
        for process in running:
            process.stop()
    return Fed(tally, time.monotonic() - began)


class _Process:
    """One process that feeds a target."""

    def __init__(self, way: str, target: Target, count: int, seed: int, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._arguments = [way, target.name, str(count), str(seed)]
        self._deadline = time.monotonic() + _SECONDS_TO_START + count * _SECONDS_AN_INPUT
        self._errors = (folder / "errors").open("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *self._arguments, str(folder)],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def tallies(self) -> Iterator[Tally]:
        """Yield what it tells until its end, and then what it covered; one that ends badly breaks a promise."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # the fuzzer may have words of its own
                yield Tally(**json.loads(line))
            check(time.monotonic() < self._deadline, f"{self._again} takes over a second an input")
        status = self._process.wait()
        self._errors.seek(0)
        told = self._errors.read()
        check(not status, f"{self._again} FOLDER ended with status {status}: {told[-_SHOWN:].strip()}")
        yield Tally(covered=max(map(int, _COVERED.findall(told)), default=0))

    def stop(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    @property
    def _again(self) -> str:
        return " ".join(["python -m", *self._arguments])


def run(count: int, folder: Path, advance: Advance) -> str:
    """Feed all targets, each its share; return the figures of each."""
    told = [fuzz(TARGETS[name], share, folder / name, advance).told(name) for name, share in shares(count).items()]
    how = "half of them guided by coverage" if is_guided() else "without the guided fuzzer, which is not installed"
    return f"no error but in words, {how}; " + "; ".join(told)


ITEMS: Final = (
    Item(
        "fuzzed",
        COUNT,
        "inputs",
        "any request, stream, file, config or call of the control ends in an answer or in words, in time",
        run,
    ),
)
