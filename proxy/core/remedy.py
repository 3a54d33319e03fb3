"""Which rules would make two requests one.

Rule: proposes only what it has tried: under the rules that come back the two requests have the same key, or fewer
fields differ and the rest is named. No rule is proposed that could be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from proxy.core.mismatch import differences
from proxy.core.normalize import normalize
from proxy.core.rules import Rules, added
from proxy.core.scrubbers import SCRUBBERS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from proxy.core.canonical import Json
    from proxy.core.mismatch import Difference
    from proxy.core.model import Request


@dataclass(frozen=True, slots=True)
class Remedy:
    """Rules to adopt. `fields` tells, by the path of a field that differs, which of them make it equal.

    `is_whole` says that under them nothing differs any more.
    """

    rules: Rules
    lines: tuple[str, ...]
    """The rules as lines of config."""

    fields: Mapping[str, tuple[str, ...]]
    is_whole: bool


_MOST_BYTES: Final = 2**20
"""Of two bodies: trying rules on more would take seconds."""

Change = Callable[[Rules], Rules]
"""Adopts one rule."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Pairs of requests, and the changes of rules that might make those of each pair equal, by name."""

    pairs: Sequence[tuple[Request, Request]]
    rules: Rules
    changes: Mapping[str, Change]

    def under(self, names: Collection[str]) -> Rules:
        """Return the rules with these changes made."""
        rules = self.rules
        for name, change in self.changes.items():
            if name in names:
                rules = change(rules)
        return rules

    def differing(self, names: Collection[str]) -> dict[tuple[int, str], Difference]:
        """Return what still differs, by pair and path, once these changes are made."""
        rules = self.under(names)
        return {(place, found.path): found for place, pair in enumerate(self.pairs) for found in between(*pair, rules)}

    def pruned(self) -> list[str]:
        """Name the changes without which more would differ."""
        names = list(self.changes)
        least = self.differing(names).keys()
        if least >= self.differing(()).keys():
            return []
        for name in self.changes:
            without = [other for other in names if other != name]
            if self.differing(without).keys() <= least:
                names = without
        return names


def remedy(recorded: Request, asked: Request, rules: Rules) -> Remedy | None:
    """Find the rules that would make two requests equal, or as nearly so as rules can; None where none helps."""
    if len(recorded.body) + len(asked.body) > _MOST_BYTES:
        return None
    trial = Trial([(recorded, asked)], rules, named_changes(recorded, asked, rules))
    if not trial.changes or not (names := trial.pruned()):
        return None
    least = trial.differing(names).keys()
    fields: dict[str, tuple[str, ...]] = {}
    for name in names:
        for _, path in trial.differing([other for other in names if other != name]).keys() - least:
            fields[path] = (*fields.get(path, ()), name)
    adopted = trial.under(names)
    return Remedy(adopted, tuple(added(rules, adopted)), fields, is_whole=not least)


def between(one: Request, other: Request, rules: Rules) -> list[Difference]:
    """Return how two requests differ under the rules."""
    forms = normalize(one, rules), normalize(other, rules)
    return [] if forms[0].key == forms[1].key else differences(forms[0].content, forms[1].content)


def named_changes(recorded: Request, asked: Request, rules: Rules) -> dict[str, Change]:
    """Name the changes that touch either request; trying the others would only cost time."""
    everything = replace(rules, scrub=tuple(SCRUBBERS))
    forms = [normalize(request, everything) for request in (recorded, asked)]
    taken = {scrubbed.rule for form in forms for scrubbed in form.scrubbed}
    names = [name for name in SCRUBBERS if name in taken and name not in rules.scrub]
    names += [name for name in ("developer_is_system", "sort_tools", "ignore_max_tokens") if not getattr(rules, name)]
    changes: dict[str, Change] = {name: partial(Rules.adopting, name=name) for name in names}
    one, other = (_model(form.content.get("body")) for form in forms)
    if one and other and one != other and not {one, other} & {*rules.models, *rules.models.values()}:
        changes["models"] = lambda now: replace(now, models={**now.models, other: one})
    return changes


def _model(body: Json) -> str | None:
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None
