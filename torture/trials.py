"""Every chance that a disk has to fail, each tried.

Rule: how many chances there are is counted in a first run without any failure; all of them are tried, or so many as are
wanted, drawn by a seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Final

from torture.failing import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torture.failing import Disk, Kind

SEED: Final = 20261125


class Until(StrEnum):
    """How long a disk fails that began to."""

    ONCE = "once"
    REPAIRED = "until it is repaired"
    END = "until the end"


@dataclass(frozen=True, slots=True)
class Trial:
    """One scenario on a disk that fails at the `at`-th chance."""

    scenario: str
    kind: Kind
    until: Until
    at: int

    def __str__(self) -> str:
        """Say how to see it again."""
        return f"{self.scenario}, {self.kind.name} at chance {self.at}, {self.until}"

    def begin(self, disk: Disk) -> None:
        """Let the disk fail from now on as it should."""
        disk.fail(self.kind, self.at, lasts=self.until is not Until.ONCE)


def trials(chances: Mapping[str, Mapping[str, int]], untils: Sequence[Until], count: int, seed: int) -> list[Trial]:
    """Return so many trials, all that there are where those are fewer; `chances` are by scenario and kind.

    Each chance is tried once before any is tried in another way.
    """
    random = Random(seed)
    first: list[Trial] = []
    others: list[Trial] = []
    for scenario, kinds in chances.items():
        for kind, number in kinds.items():
            for at in range(1, number + 1):
                one, *more = (Trial(scenario, KINDS[kind], until, at) for until in random.sample(untils, len(untils)))
                first.append(one)
                others += more
    return (random.sample(first, len(first)) + random.sample(others, len(others)))[:count]
