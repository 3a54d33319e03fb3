"""Rules that would make two requests one: proposed only where they were tried, and no more than it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.remedy import Remedy, remedy
from proxy.core.rules import Rules
from tests.core.scrubbing import TEXTS

DAY, NEXT_DAY = "2026-11-25", "2026-11-26"
ONE, OTHER = "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "0b9a3c52-1d2e-4f60-8a7b-9c0d1e2f3a4b"


def said(*texts: str, role: str = "user", **more: Any) -> Request:
    body = {"model": "m", "messages": [{"role": role, "content": text} for text in texts], **more}
    return Request("POST", "/v1/chat/completions", body=json.dumps(body).encode())


def found(recorded: Request, asked: Request, rules: Rules | None = None) -> Remedy:
    proposed = remedy(recorded, asked, rules or Rules())
    assert proposed is not None
    return proposed


@pytest.mark.parametrize(
    ("recorded", "asked", "lines"),
    [
        (said(f"on {DAY}"), said(f"on {NEXT_DAY}"), ['scrub = ["date"]']),
        (said(f"{DAY} {ONE}"), said(f"{NEXT_DAY} {OTHER}"), ['scrub = ["uuid", "date"]']),
        (said(f"{DAY}T10:00:00Z"), said(f"{NEXT_DAY}T11:00:00Z"), ['scrub = ["iso-datetime"]']),
        (said("cwd: /srv/a", "see /srv/a/x"), said("cwd: /w", "see /w/x"), ['scrub = ["workdir"]']),
        (said("x", role="system"), said("x", role="developer"), ["developer_is_system = true"]),
        (said("x", max_tokens=5), said("x"), ["ignore_max_tokens = true"]),
        (said("x"), said("x", model="m-2026"), ['models = { "m-2026" = "m" }']),
        (
            said("x", tools=[{"name": "a"}, {"name": "b"}]),
            said("x", tools=[{"name": "b"}, {"name": "a"}]),
            ["sort_tools = true"],
        ),
    ],
)
def test_the_least_rules_are_proposed(recorded: Request, asked: Request, lines: list[str]) -> None:
    proposed = found(recorded, asked)
    assert proposed.lines == ("[rules]", *lines)
    assert proposed.is_whole
    assert normalize(recorded, proposed.rules).key == normalize(asked, proposed.rules).key


@pytest.mark.parametrize("asked", [said("b"), said("a", temperature=1), said("a", "b"), said(f"{DAY} b")])
def test_where_no_rule_helps_none_is_proposed(asked: Request) -> None:
    assert remedy(said("a"), asked, Rules()) is None


def test_each_field_tells_the_rules_that_it_needs() -> None:
    proposed = found(said(f"{DAY}", f"{ONE} {DAY}", "x"), said(f"{NEXT_DAY}", f"{OTHER} {NEXT_DAY}", "y"))
    assert proposed.fields == {
        "body.messages[0].content": ("date",),
        "body.messages[1].content": ("uuid", "date"),
    }
    assert not proposed.is_whole


def test_what_was_chosen_before_stays_in_the_line() -> None:
    rules = Rules(scrub=("home", "uuid"), models={"a": "b"})
    assert found(said(DAY), said(NEXT_DAY), rules).lines[1:] == ('scrub = ["home", "uuid", "date"]',)
    assert found(said("x"), said("x", model="n"), rules).lines[1:] == ('models = { "a" = "b", "n" = "m" }',)


def test_for_very_large_requests_no_rule_is_tried() -> None:
    assert remedy(said(DAY, "x" * 2**20), said(NEXT_DAY, "x" * 2**20), Rules()) is None


def test_no_alias_of_an_alias_is_proposed() -> None:
    assert remedy(said("x"), said("x", model="n"), Rules(models={"m": "k"})) is None


@settings(deadline=None, max_examples=80)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3))
def test_what_is_proposed_is_true(recorded: list[str], asked: list[str]) -> None:
    one, other = said(*recorded), said(*asked)
    proposed = remedy(one, other, Rules())
    if proposed is not None:
        assert proposed.is_whole == (normalize(one, proposed.rules).key == normalize(other, proposed.rules).key)
        assert proposed.fields
