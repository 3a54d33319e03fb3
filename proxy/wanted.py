"""What a runner wants of a lane, as a control call or a pytest marker says it.

Rule: both say it in the same words, and are checked here alone; what is not known is an error that names the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  msgspec reads the fields' types
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from proxy import declared
from proxy.config import rules_over
from proxy.core import faults, pace
from proxy.core.deck import Repeats  # noqa: TC001  as above
from proxy.core.faults import Fault  # noqa: TC001  as above
from proxy.core.modes import Mode  # noqa: TC001  as above
from proxy.core.rules import Rules  # noqa: TC001  as above


class Said(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The words. `rules` are as in the config, and count beside its own; `current` takes calls that name no lane."""

    cassette: str = ""
    lane: str = ""
    mode: Mode | None = None
    pace: str | None = None
    repeats: Repeats | None = None
    rules: Mapping[str, Any] | None = None
    faults: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a runner wants of a lane; None means as the proxy has it."""

    cassette: str = ""
    lane: str = ""
    mode: Mode | None = None
    pace: str | None = None
    repeats: Repeats | None = None
    rules: Rules | None = None
    faults: tuple[Fault, ...] = ()
    is_current: bool = False
    """Whether calls that name no cassette and no lane belong here until its end."""
    recorder: str = ""
    """The command that records what misses, where the runner has one of its own."""


def read(values: Mapping[str, Any], rules: Rules, where: str) -> Wanted:
    """Read what a runner says; `rules` are the proxy's, `where` names the source in errors.

    Raises ConfigError for what cannot be, FaultError for a fault that there is not.
    """
    declared.check_names(values, Said, where)
    said = declared.convert(values, Said, where)
    if said.pace is not None:
        pace.parse(said.pace)
    return Wanted(
        cassette=said.cassette,
        lane=said.lane,
        mode=said.mode,
        pace=said.pace,
        repeats=said.repeats,
        rules=rules_over(rules, said.rules, where) if said.rules else None,
        faults=faults.parse(said.faults) if said.faults else (),
        is_current=said.current,
    )
