"""What each value of a recorded request is in the request of today.

Rule: values are paired by the placeholder that both stand under; the two requests have one key, so each has the
other's placeholders. Only values of rules that restore are paired, and of those only texts and numbers. A value that
would have to become two things at once, or one of the user's own that is so short that it may stand anywhere, stays.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from proxy.core.occurrences import Replacement
from proxy.core.scrubbers import SCRUBBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.normalize import Canonical
    from proxy.core.rules import Rules

_ENCLOSED = ("{", "[", '"')

SHORTEST: Final = 4
"""Characters that a value of the user's own rules must have to be restored."""


def restores_any(asked: Canonical, rules: Rules) -> bool:
    """Tell whether a replay for this request has anything to restore."""
    return any(rules.restores(found.rule) for found in asked.scrubbed)


def counterparts(recorded: Canonical, asked: Canonical, rules: Rules) -> list[Replacement]:
    """Pair the recorded values with those of today; both where they are the same, too."""
    then, now = dict(_values(recorded, rules)), dict(_values(asked, rules))
    becomes: defaultdict[str, set[str]] = defaultdict(set)
    for name in then.keys() & now.keys():
        becomes[then[name]].add(now[name])
    return [
        Replacement(then[name], now[name], *_around(name[0], then[name]))
        for name in then
        if name in now and len(becomes[then[name]]) == 1 and not _is_common(name[0], then[name])
    ]


def _values(form: Canonical, rules: Rules) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the values that are restored, by their rule and number; one that is a text and a number once is one."""
    for found in form.scrubbed:
        is_text = ":#" not in found.placeholder
        if rules.restores(found.rule) and (is_text or not found.value.startswith(_ENCLOSED)):
            yield (found.rule, found.placeholder.replace("#", "", 1)), found.value


def _is_common(rule: str, value: str) -> bool:
    return rule not in SCRUBBERS and len(value) < SHORTEST


def _around(rule: str, value: str) -> tuple[str, str]:
    """Tell what must stand around a value where it is restored; a value of the user's own stands as whole words."""
    if rule in SCRUBBERS:
        return SCRUBBERS[rule].before, SCRUBBERS[rule].after
    begins, ends = (character.isalnum() or character == "_" for character in (value[:1], value[-1:]))
    return r"(?<!\w)" if begins else "", r"(?!\w)" if ends else ""
