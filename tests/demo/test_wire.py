"""Plain and streamed answers are the same answer."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from random import Random
from typing import Any

import pytest

from proxy.demo import wire
from proxy.demo.chat import StreamOptions
from proxy.demo.completion import Call, Choice, Completion, Usage
from proxy.demo.media import Sound

USAGE = Usage(prompt=1, prompt_audio=0, visible=2, audio=0, reasoning=0)
BARE = StreamOptions(usage=False, obfuscation=False)
SCORED: tuple[dict[str, Any], ...] = tuple(
    {"token": token, "logprob": -1.0, "bytes": [], "top_logprobs": []} for token in ("a", "b")
)

TEXT = Choice(0, "stop", content=("Grüß", " dich"))
CALLS = Choice(
    0,
    "tool_calls",
    tool_calls=(
        Call("call_1", "f", ("{", '"a"', ":1}"), "function"),
        Call("call_2", "g", ("ls", " -l"), "custom"),
    ),
)
FUNCTION = Choice(0, "function_call", function_call=Call("call_1", "f", ("{", "}"), "function"))
SOUND = Choice(0, "stop", sound=Sound("audio_1", "QUJD" * 1000, "spoken", 1234))
CUT = Choice(0, "length", content=())
TWO = (Choice(0, "length", content=("a", "b"), logprobs=SCORED), Choice(1, "stop", content=("c",)))


def _completion(*choices: Choice) -> Completion:
    return Completion("chatcmpl-1", 5, "m", "fp", "default", choices, USAGE)


def _chunks(*choices: Choice, options: StreamOptions = BARE) -> list[dict[str, Any]]:
    return list(wire.chunks(_completion(*choices), options, Random(1)))


def _joined(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Put a message together from its deltas, as clients do."""
    messages: dict[int, dict[str, Any]] = defaultdict(dict)
    for chunk in chunks:
        for choice in chunk["choices"]:
            _join(messages[choice["index"]], choice["delta"])
    return messages


def _join(whole: dict[str, Any], delta: dict[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = whole.setdefault("tool_calls", defaultdict(dict))
            for call in value:
                _join(calls[call["index"]], {field: part for field, part in call.items() if field != "index"})
        elif isinstance(value, dict):
            _join(whole.setdefault(name, {}), value)
        elif isinstance(value, str) and name in whole:
            whole[name] += value
        else:
            whole[name] = value


@pytest.mark.parametrize("choices", [(TEXT,), (CALLS,), (FUNCTION,), (SOUND,), (CUT,), TWO])
def test_deltas_joined_are_the_plain_message(choices: tuple[Choice, ...]) -> None:
    streamed = _joined(_chunks(*choices))
    for choice in wire.plain_body(_completion(*choices))["choices"]:
        message = streamed[choice["index"]]
        if "tool_calls" in message:
            message["tool_calls"] = list(message["tool_calls"].values())
        assert {**message, "annotations": []} == choice["message"]


def test_role_comes_first_and_the_finish_reason_last() -> None:
    first, *_, last = (chunk["choices"][0] for chunk in _chunks(CALLS))
    assert first["delta"] == {"role": "assistant", "content": None, "refusal": None}
    assert (first["finish_reason"], last["delta"], last["finish_reason"]) == (None, {}, "tool_calls")


def test_calls_begin_with_their_name_and_empty_input() -> None:
    deltas = [
        chunk["choices"][0]["delta"]["tool_calls"][0]
        for chunk in _chunks(CALLS)
        if "tool_calls" in chunk["choices"][0]["delta"]
    ]
    begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
    assert deltas[0] == begun
    assert deltas[1] == {"index": 0, "function": {"arguments": "{"}}
    assert deltas[4] == {"index": 1, "id": "call_2", "type": "custom", "custom": {"name": "g", "input": ""}}
    assert deltas[5] == {"index": 1, "custom": {"input": "ls"}}


def test_choices_are_written_in_turn() -> None:
    assert [chunk["choices"][0]["index"] for chunk in _chunks(*TWO)] == [0, 1, 0, 1, 0, 1, 0]


def test_logprobs_go_with_their_token() -> None:
    scored = [chunk["choices"][0]["logprobs"] for chunk in _chunks(TWO[0])]
    assert scored == [
        None,
        {"content": [SCORED[0]], "refusal": None},
        {"content": [SCORED[1]], "refusal": None},
        None,
    ]


def test_usage_is_null_until_the_last_chunk() -> None:
    *others, last = _chunks(TEXT, options=StreamOptions(usage=True, obfuscation=False))
    assert {json.dumps(chunk["usage"]) for chunk in others} == {"null"}
    assert (last["choices"], last["usage"]) == ([], USAGE.render())
    assert not any("usage" in chunk for chunk in _chunks(TEXT))


def test_padding_differs_in_length() -> None:
    padded = _chunks(*itertools.repeat(TEXT, 5), options=StreamOptions(usage=False, obfuscation=True))
    assert len({len(chunk["obfuscation"]) for chunk in padded}) > 1
    assert not any("obfuscation" in chunk for chunk in _chunks(TEXT))


def test_event_is_compact_utf8() -> None:
    assert wire.event({"a": ["é", "\ud83d"]}) == 'data: {"a":["é","\\ud83d"]}\n\n'.encode()
