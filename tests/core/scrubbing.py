"""Requests with volatile text in them, for tests: strategies, and the way back from a scrubbed form."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from proxy.core import canonical
from proxy.core.rules import PathAction, PathRule, Pattern, Rules
from proxy.core.scrubbers import SCRUBBERS

if TYPE_CHECKING:
    from proxy.core.normalize import Canonical
    from proxy.core.scrub import Scrubbed

VOLATILE: Final = st.sampled_from(
    [
        "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55",
        "0b9a3c52-1d2e-4f60-8a7b-9c0d1e2f3a4b",
        "2026-11-25",
        "2026-11-26T01:02:03Z",
        "Wednesday, November 25, 2026",
        "1764063000",
        "1764063000123",
        "/tmp/tmpab12/x.py",
        "/tmp/pytest-of-ada/pytest-7/test_a0",
        "/home/ada/shop",
        "Working directory: /srv/shop\n",
        "/srv/shop/a",
        "localhost:53211",
        "<O at 0x7f3a5c0d1e80>",
        "session-8f3a",
        "run 17",
        "<uuid:1>",
        "<uuid:#2>",
        "<date:12>",
        "<session:1>",
        "<uuid:",
        "<secret:1>",
        "C:\\Users\\ada\\x",
    ]
)
PLAIN: Final = st.sampled_from(["a", " ", "\n", '"', "\\", "é", "🎲", "<", ">", ":1>", "-", "/", ".", "{", "}", "\r\n"])
TEXTS: Final = st.lists(VOLATILE | PLAIN, max_size=6).map("".join)

_INNER = st.recursive(
    TEXTS | st.sampled_from([0, 1, 1764063000, 1764063000.5, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
JSON_TEXTS: Final = st.dictionaries(TEXTS, _INNER, max_size=3).map(json.dumps) | st.lists(_INNER, max_size=3).map(
    json.dumps
)


@st.composite
def _messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [{"role": draw(st.sampled_from(["system", "developer"])), "content": draw(TEXTS)}]
    for number in range(draw(st.integers(0, 2))):
        parts = [
            {"type": "text", "text": draw(TEXTS)},
            {"type": "image_url", "image_url": {"url": "data:;base64,QQ=="}},
        ]
        said.append({"role": "user", "content": draw(TEXTS | st.just(parts[:1]) | st.just(parts))})
        call = {"name": "f", "arguments": draw(JSON_TEXTS | TEXTS)}
        ids = [f"id{number}a", f"id{number}b"]
        calls = [{"id": id_, "type": "function", "function": call} for id_ in ids]
        said.append({"role": "assistant", "content": draw(TEXTS), "tool_calls": calls})
        answers = draw(st.permutations(ids))
        said += [{"role": "tool", "tool_call_id": id_, "content": draw(JSON_TEXTS | TEXTS)} for id_ in answers]
    return said


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the body of a chat completion with volatile text wherever a model may read some."""
    schema = {"type": "object", "properties": {"id": {"type": "string", "description": draw(TEXTS)}, "a": {"x": 1}}}
    tools = [
        {"type": "function", "function": {"name": name, "description": draw(TEXTS), "parameters": schema}}
        for name in ("zoom", "ask")
    ]
    body = {"model": draw(st.sampled_from(["m", "alias"])), "messages": draw(_messages())}
    more = {"tools": tools, "max_tokens": 5, "tool_choice": "auto", "user": draw(TEXTS)}
    return body | {name: value for name, value in more.items() if draw(st.booleans())}


PATTERNS: Final = (
    Pattern(name="session", pattern=r"session-(?P<value>[0-9a-f]+)"),
    Pattern(name="run", pattern=r"run \d+"),
    Pattern(name="letter", pattern="a"),
    Pattern(name="end", pattern="x$"),
    Pattern(name="pair", pattern=r"(?<=a)\W."),
)
PATHS: Final = (
    PathRule(name="first", path="$.messages[0].content"),
    PathRule(name="any-id", path="$.messages[*].tool_calls[*].id"),
    PathRule(name="calls", path="messages[*].tool_calls"),
    PathRule(name="element", path="$.messages[1]"),
    PathRule(name="part", path="$.messages[*].content[1]"),
    PathRule(name="tools", path="$.tools"),
    PathRule(name="secret", path="$..a", action=PathAction.REPLACE),
    PathRule(name="word", path="$.messages[*].content", action=PathAction.REPLACE),
    PathRule(name="inner", path="$.messages[*].tool_calls[*].function.arguments.*", action=PathAction.REPLACE),
)


def _some(values: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=4).map(tuple)


SCRUBBING: Final = st.builds(Rules, scrub=_some(sorted(SCRUBBERS)), pattern=_some(PATTERNS))
"""Rules that replace text, and do nothing else."""

ALL: Final = st.builds(
    Rules,
    scrub=_some(sorted(SCRUBBERS)),
    pattern=_some(PATTERNS),
    path=_some(PATHS),
    developer_is_system=st.booleans(),
    sort_tools=st.booleans(),
    ignore_max_tokens=st.booleans(),
    models=st.sampled_from([{}, {"alias": "m"}]),
)


def unscrubbed(form: Canonical) -> Any:
    """Put the values back where they were taken from: shows that nothing else is lost."""
    found = deque(form.scrubbed)
    value = form.content["body"]
    body = {name: _put_back(value[name], found, name) for name in sorted(value)}
    assert not found, "a value was taken from nowhere"
    return body


def _put_back(value: Any, found: deque[Scrubbed], name: str = "", role: Any = None) -> Any:
    if isinstance(value, dict):
        return {key: _put_back(value[key], found, key, value.get("role")) for key in sorted(value)}
    if isinstance(value, list):
        if name == "properties":
            return [[key, _put_back(item, found)] for key, item in value]
        return [_put_back(item, found) for item in value]
    if not isinstance(value, str):
        return value
    if name == "arguments" or (name == "content" and role == "tool"):
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        if isinstance(inner, (dict, list)) and canonical.embedded(value):
            return canonical.respell(json.dumps(_put_back_all(inner, found)))
    return value if name in {"role", "type", "model", "id", "tool_call_id"} else _fill(value, found)


def _put_back_all(value: Any, found: deque[Scrubbed]) -> Any:
    if isinstance(value, dict):
        return {_fill(name, found): _put_back_all(item, found) for name, item in value.items()}
    if isinstance(value, list):
        return [_put_back_all(item, found) for item in value]
    return _fill(value, found) if isinstance(value, str) else value


def _fill(text: str, found: deque[Scrubbed]) -> Any:
    """Replace the placeholders of a text, from left to right, each by the next value found."""
    done = ""
    while found and (place := text.find(found[0].placeholder)) >= 0:
        entry = found.popleft()
        if entry.placeholder == text and ":#" in text and not entry.value.startswith("<"):
            return json.loads(entry.value)
        done += text[:place] + entry.value
        text = text[place + len(entry.placeholder) :]
    return done + text
