"""Text that will miss tomorrow: found, and covered by rules that were tried."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.rules import PathAction, PathRule, Pattern, Rules, check
from proxy.core.volatile import propose, uncovered
from tests.core.scrubbing import TEXTS

ONE, OTHER = "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "0b9a3c52-1d2e-4f60-8a7b-9c0d1e2f3a4b"


def said(*texts: str, **more: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **more}
    return Request("POST", "/v1/chat/completions", body=json.dumps(body).encode())


def result(**content: Any) -> Request:
    body = {"messages": [{"role": "tool", "tool_call_id": "c", "content": json.dumps(content)}]}
    return Request("POST", "/v1/chat/completions", body=json.dumps(body).encode())


def test_text_that_looks_volatile_is_told_with_its_place_and_the_scrubber_that_takes_it() -> None:
    found = uncovered(said("hello", f"{ONE} on 2026-11-25"), Rules())
    assert [(it.path, it.rule, it.value) for it in found] == [
        ("messages[1].content", "uuid", ONE),
        ("messages[1].content", "date", "2026-11-25"),
    ]


def test_what_a_rule_covers_is_not_told() -> None:
    request = said(f"{ONE} on 2026-11-25")
    assert [it.rule for it in uncovered(request, Rules(scrub=("uuid",)))] == ["date"]
    assert uncovered(request, Rules(pattern=(Pattern(name="any", pattern="[0-9a-f-]{10,}"),))) == []
    assert uncovered(said("nothing of the kind"), Rules()) == []


@pytest.mark.parametrize(
    ("recorded", "asked", "pattern"),
    [
        ("session-8f3a is on", "session-91bc is on", "session-(?P<value>[0-9a-f]+)"),
        ("session-8f3a is on", "session-8e11 is on", "session-(?P<value>[0-9a-f]+)"),
        ("the run #17 of", "the run #18 of", r"run #(?P<value>\d+)"),
        ("job=aX9_b.", "job=Zt1_c.", r"job=(?P<value>\w+)"),
        ("trace: 00-4bf92f-01", "trace: 00-ffe2aa-01", "trace: 00-(?P<value>[0-9a-f]+)"),
        ("build v1.2+a (x)", "build v1.3+b (x)", r"build v1\.(?P<value>[\w.:+-]+)"),
        ("one word", "another thing", None),
        ("# 17", "# 18", None),
    ],
)
def test_an_expression_is_proposed_for_a_value_that_follows_a_word(
    recorded: str, asked: str, pattern: str | None
) -> None:
    proposal = propose([(said(recorded), said(asked))], Rules())
    assert [rule.pattern for rule in proposal.rules.pattern] == ([pattern] if pattern else [])
    assert proposal.solved == (1 if pattern else 0)
    check(proposal.rules)


def test_named_scrubbers_are_proposed_before_expressions_and_together_with_them() -> None:
    proposal = propose([(said(f"{ONE} of session-8f3a"), said(f"{OTHER} of session-91bc"))], Rules())
    assert proposal.rules.scrub == ("uuid",)
    assert [rule.name for rule in proposal.rules.pattern] == ["session"]
    assert (proposal.solved, proposal.rest) == (1, ())


def test_for_what_no_expression_takes_in_the_json_of_a_tool_its_path_is_proposed() -> None:
    proposal = propose([(result(token="QQ==", ok=True), result(token="+x/=", ok=True))], Rules())
    assert proposal.rules.path == (
        PathRule(name="token", path="$.messages[*].content.token", action=PathAction.REPLACE),
    )
    assert proposal.solved == 1


def test_one_rule_serves_all_pairs_and_names_are_free() -> None:
    pairs = [(said(f"run {number}"), said(f"run {number + 50}")) for number in range(5)]
    rules = Rules(pattern=(Pattern(name="run", pattern="run-x"),))
    proposal = propose(pairs, rules)
    assert [rule.name for rule in proposal.rules.pattern] == ["run", "run-2"]
    assert proposal.solved == 5


def test_what_differs_for_good_is_left_and_named() -> None:
    proposal = propose([(said("a", "2026-11-25"), said("b", "2026-11-26")), (said("x"), said("x"))], Rules())
    assert proposal.rules.scrub == ("date",)
    assert proposal.solved == 1
    assert [(place, difference.path) for place, difference in proposal.rest] == [(0, "body.messages[0].content")]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_what_is_proposed_is_true(texts: list[tuple[str, str]]) -> None:
    pairs = [(said(one), said(other)) for one, other in texts]
    proposal = propose(pairs, Rules())
    check(proposal.rules)
    keys = [[normalize(request, proposal.rules).key for request in pair] for pair in pairs]
    assert proposal.solved == sum(1 for one, other in keys if one == other)
