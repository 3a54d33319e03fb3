"""The choices beside volatile text: each does what it says, and only where it was made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.core.marks import marks
from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.options import CHOICES
from proxy.core.rules import DEFAULT, OPTIONS, Rules

CHAT = "/v1/chat/completions"


def key(body: Any, rules: Rules, **parts: Any) -> str:
    request = Request("POST", parts.get("path", CHAT), parts.get("query", ""), (), json.dumps(body).encode())
    headers = parts.get("headers", ())
    return normalize(
        Request(request.method, request.path, request.query, marks(headers, request.query, rules, ()), request.body),
        rules,
    ).key


def tool(name: str, kind: str = "function") -> dict[str, Any]:
    return {"type": kind, kind: {"name": name}}


SAID = [{"role": "user", "content": "x"}]
ALIKE: dict[str, tuple[Rules, Any, Any]] = {
    "developer_is_system": (
        Rules(developer_is_system=True),
        {"messages": [{"role": "developer", "content": "x"}]},
        {"messages": [{"role": "system", "content": "x"}]},
    ),
    "sort_tools": (
        Rules(sort_tools=True),
        {"messages": SAID, "tools": [tool("b"), tool("a"), tool("c", "custom")]},
        {"messages": SAID, "tools": [tool("c", "custom"), tool("a"), tool("b")]},
    ),
    "ignore_max_tokens": (
        Rules(ignore_max_tokens=True),
        {"messages": SAID, "max_tokens": 5},
        {"messages": SAID, "max_completion_tokens": 9},
    ),
    "models": (
        Rules(models={"gpt-4o-2024-08-06": "gpt-4o"}),
        {"messages": SAID, "model": "gpt-4o-2024-08-06"},
        {"messages": SAID, "model": "gpt-4o"},
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_makes_two_calls_one_and_only_where_it_is_made(name: str) -> None:
    rules, one, other = ALIKE[name]
    assert key(one, rules) == key(other, rules)
    assert key(one, DEFAULT) != key(other, DEFAULT)


def test_tools_of_one_name_stay_in_their_order() -> None:
    one, other = [{**tool("a"), "n": n} for n in (1, 2)]
    rules = Rules(sort_tools=True)
    assert key({"tools": [one, other]}, rules) != key({"tools": [other, one]}, rules)


@pytest.mark.parametrize("body", [{"tools": 5}, {"tools": [5, {}]}, {"messages": 5}, {"messages": [5]}, {"model": []}])
def test_odd_bodies_go_through(body: Any) -> None:
    rules = Rules(sort_tools=True, developer_is_system=True, ignore_max_tokens=True, models={"a": "b"})
    assert len(key(body, rules)) == 64


def test_a_query_parameter_counts_where_it_is_named() -> None:
    named = Rules(query=("api-version",))
    assert key({}, named, query="api-version=1") != key({}, named, query="api-version=2")
    assert key({}, named, query="api-version=1&x=1") == key({}, named, query="x=2&api%2Dversion=1".replace("%2D", "-"))
    assert key({}, DEFAULT, query="api-version=1") == key({}, DEFAULT, query="api-version=2")
    embed = {"path": "/v1/embeddings"}
    assert key({}, named, query="api-version=1", **embed) != key({}, named, query="api-version=2", **embed)


def test_a_header_counts_where_it_is_named() -> None:
    named = Rules(headers=("X-Tenant",))
    ada, bob, none = ((("x-tenant", "ada"),), (("X-TENANT", "bob"),), ())
    assert len({key({}, named, headers=headers) for headers in (ada, bob, none)}) == 3
    assert len({key({}, DEFAULT, headers=headers) for headers in (ada, bob, none)}) == 1


def test_the_api_key_counts_where_it_is_wanted_wherever_it_is_shown() -> None:
    rules = Rules(api_key=True)
    bearer = (("authorization", "Bearer sk-one"),)
    assert key({}, rules, headers=bearer) == key({}, rules, headers=(("api-key", "sk-one"),))
    assert key({}, rules, headers=bearer) == key({}, rules, query="key=sk-one")
    assert key({}, rules, headers=bearer) != key({}, rules, headers=(("authorization", "Bearer sk-two"),))
    assert key({}, rules, headers=bearer) != key({}, rules)
    assert key({}, DEFAULT, headers=bearer) == key({}, DEFAULT)


def test_every_choice_is_described() -> None:
    assert set(CHOICES) <= set(OPTIONS)
