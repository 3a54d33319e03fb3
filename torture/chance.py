"""`python -m torture.chance TARGET COUNT SEED FOLDER`: feed a target inputs that are made by chance.

Rule: a process of its own, which an input may bring down: then its count and seed make that input again. Half of the
inputs are seeds with bytes changed, or chance alone; the others are drawn by hypothesis.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from torture.feeding import Feeder
from torture.grafting import documents, grafted, worded
from torture.item import BrokenPromiseError
from torture.mutating import mutated
from torture.samples import WORDS
from torture.targets import TARGETS

if TYPE_CHECKING:
    from torture.targets import Target


def feed(target: Target, count: int, number: int, folder: Path) -> None:
    """Feed a target so many inputs, the same for the same number. Raises BrokenPromiseError."""
    feeder = Feeder(target, count, folder)
    random = Random(number)
    drawn = count // 4 if target.is_text else 0
    for _ in range(count - drawn):
        feeder.feed(mutated(target.seeds, WORDS, random, target.longest) if target.is_text else _any(target, random))
    if drawn:
        _draw(target, feeder, drawn, number)
    while feeder.tally.inputs < count:  # hypothesis may find no more that differ
        feeder.feed(mutated(target.seeds, WORDS, random, target.longest))
    feeder.end()


def _any(target: Target, random: Random) -> bytes:
    return random.choice(target.seeds)[:2] + random.randbytes(random.choice([6, 6, 6, 12, 18, 30, 48]))


def _draw(target: Target, feeder: Feeder, count: int, number: int) -> None:
    inputs = worded(target.seeds, WORDS)
    if any(True for _ in documents(target.seeds)):
        inputs = grafted(target.seeds) | grafted(target.seeds) | inputs

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs)
    def draw(data: bytes) -> None:
        feeder.feed(data)

    draw()


def main(name: str, count: str, number: str, folder: str) -> int:
    """Feed the target of that name; return the exit status."""
    try:
        feed(TARGETS[name], int(count), int(number), Path(folder))
    except BrokenPromiseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
