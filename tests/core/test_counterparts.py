"""Values of then and now, paired by what stands for both."""

from __future__ import annotations

import json

from proxy.core.counterparts import counterparts, restores_any
from proxy.core.model import Request
from proxy.core.normalize import Canonical, normalize
from proxy.core.occurrences import Replacement
from proxy.core.rules import PathAction, PathRule, Pattern, Rules
from proxy.core.scrubbers import SCRUBBERS

DATE = SCRUBBERS["date"]
RULES = Rules(scrub=("date", "localhost-port"), restore=True)


def asked(text: str, rules: Rules = RULES, role: str = "user") -> Canonical:
    body = {"messages": [{"role": role, "content": text}]}
    return normalize(Request("POST", "/v1/chat/completions", body=json.dumps(body).encode()), rules)


def pairs(recorded: str, now: str, rules: Rules = RULES, role: str = "user") -> list[tuple[str, str]]:
    found = counterparts(asked(recorded, rules, role), asked(now, rules, role), rules)
    return [(pair.recorded, pair.asked) for pair in found]


def test_values_are_paired_by_their_placeholder() -> None:
    assert pairs("2026-11-25, 2026-12-24, 2026-11-25", "2026-11-26, 2026-12-25, 2026-11-26") == [
        ("2026-11-25", "2026-11-26"),
        ("2026-12-24", "2026-12-25"),
    ]


def test_a_value_is_restored_only_where_its_scrubber_would_take_it() -> None:
    form = asked("on 2026-11-25 at localhost:53211")
    assert counterparts(form, form, RULES) == [
        Replacement("2026-11-25", "2026-11-25", DATE.before, DATE.after),
        Replacement("53211", "53211", SCRUBBERS["localhost-port"].before, SCRUBBERS["localhost-port"].after),
    ]


def test_only_rules_that_restore_are_paired() -> None:
    assert pairs("2026-11-25", "2026-11-26", Rules(scrub=("date",))) == []
    assert not restores_any(asked("2026-11-25", Rules(scrub=("date",))), Rules(scrub=("date",)))
    assert restores_any(asked("2026-11-25"), RULES)
    assert not restores_any(asked("nothing"), RULES)


def test_a_users_value_is_restored_as_whole_words() -> None:
    rules = Rules(pattern=(Pattern(name="run", pattern=r"run \S+", restore=True),))
    (pair,) = counterparts(asked("run 5!", rules), asked("run 6!", rules), rules)
    assert (pair.recorded, pair.before, pair.after) == ("run 5!", r"(?<!\w)", "")


def test_a_value_that_would_become_two_things_is_left() -> None:
    patterns = tuple(Pattern(name=name, pattern=rf"{name}-(?P<value>\d+)", restore=True) for name in ("user", "order"))
    rules = Rules(pattern=patterns)
    assert pairs("user-7000 order-7000", "user-8000 order-9000", rules) == []
    assert pairs("user-7000 order-7000", "user-8000 order-8000", rules) == [("7000", "8000")] * 2


def test_a_short_value_of_the_users_own_is_too_common_to_be_restored() -> None:
    rules = Rules(pattern=(Pattern(name="session", pattern=r"session-(?P<value>\w+)", restore=True),))
    assert pairs("session-5", "session-6", rules) == []
    assert pairs("session-5f3a", "session-6b7c", rules) == [("5f3a", "6b7c")]


def test_numbers_are_restored_and_larger_json_is_not() -> None:
    path = PathRule(name="at", path="$.messages[*].content.*", action=PathAction.REPLACE, restore=True)
    rules = Rules(path=(path,))
    assert pairs('{"a": 1000, "b": [2], "c": "word"}', '{"a": 3000, "b": [4], "c": "other"}', rules, "tool") == [
        ("1000", "3000"),
        ("word", "other"),
    ]
