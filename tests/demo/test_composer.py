"""Answers do what the request demands, and are never the same."""

from __future__ import annotations

import json
import re
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from proxy.demo.chat import read_chat
from proxy.demo.composer import Composer
from proxy.demo.faults import ApiError

if TYPE_CHECKING:
    from proxy.demo.completion import Choice, Completion

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}


def _compose(content: Any = "How is the weather in Oslo?", *, seed: int = 1, **fields: Any) -> Completion:
    body = {"model": "demo", "messages": [{"role": "user", "content": content}], **fields}
    return Composer(Random(seed), now=lambda: 1_700_000_000.5).compose(read_chat(body))


def _only(completion: Completion) -> Choice:
    (choice,) = completion.choices
    return choice


def _text(choice: Choice) -> str:
    return "".join(choice.content or ())


def test_no_two_answers_are_alike() -> None:
    composer = Composer(Random(1))
    request = read_chat({"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "n": 2})
    answers = [composer.compose(request) for _ in range(50)]
    assert len({answer.id for answer in answers}) == 50
    assert len({_text(choice) for answer in answers for choice in answer.choices}) == 100


def test_seeded_generator_repeats_itself_from_start_to_start() -> None:
    assert _compose(seed=3) == _compose(seed=3)
    assert _compose(seed=3) != _compose(seed=4)


def test_ids_and_time_look_like_the_apis() -> None:
    completion = _compose(seed=5)
    assert re.fullmatch("chatcmpl-[A-Za-z0-9]{29}", completion.id)
    assert completion.created == 1_700_000_000
    assert re.fullmatch("fp_[0-9a-f]{10}", completion.system_fingerprint)


def test_seed_of_the_request_is_echoed() -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hi"}], "seed": 42}
    assert Composer(Random(1)).compose(read_chat(body)).system_fingerprint == "fp_seed_42"


def test_limit_cuts_and_says_so() -> None:
    completion = _compose(max_completion_tokens=3)
    assert len(_only(completion).content or ()) == 3
    assert _only(completion).finish_reason == "length"
    assert completion.usage.visible == 3


def test_reasoning_is_spent_before_anything_is_said() -> None:
    completion = _compose(max_completion_tokens=10, reasoning_effort="low")
    assert (_text(_only(completion)), _only(completion).finish_reason) == ("", "length")
    assert completion.usage.render()["completion_tokens"] == 10


@pytest.mark.parametrize("stop", ["weather", ["absent", "weather"], ["Oslo", "weather"]])
def test_text_ends_before_the_first_stop(stop: str | list[str]) -> None:
    choice = _only(_compose(stop=stop))
    assert _text(choice).endswith("is the ")
    assert choice.finish_reason == "stop"


def test_stop_that_does_not_occur_changes_nothing() -> None:
    assert _compose(stop="§§") == _compose()


def test_calls_have_valid_arguments() -> None:
    completion = _compose(tools=[WEATHER])
    (call,) = _only(completion).tool_calls
    assert json.loads("".join(call.input)) == {"city": "Oslo"}
    assert re.fullmatch("call_[A-Za-z0-9]{24}", call.id)
    assert (_only(completion).content, _only(completion).finish_reason) == (None, "tool_calls")
    assert completion.usage.visible > len(call.input)


def test_parallel_calls_are_about_one_thing_each() -> None:
    calls = _only(_compose("How is the weather in Oslo and Rome?", tools=[WEATHER])).tool_calls
    assert [json.loads("".join(call.input)) for call in calls] == [{"city": "Oslo"}, {"city": "Rome"}]
    assert len({call.id for call in calls}) == 2


def test_limit_cuts_calls_too() -> None:
    choice = _only(_compose(tools=[WEATHER], max_tokens=2))
    assert (len(choice.tool_calls[0].input), choice.finish_reason) == (2, "length")


def test_old_style_functions_are_called_in_the_old_style() -> None:
    choice = _only(_compose(functions=[WEATHER["function"]]))
    assert choice.function_call is not None
    assert (choice.function_call.name, choice.finish_reason) == ("get_weather", "function_call")
    assert choice.tool_calls == ()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (None, r"shell: Oslo #\d+"),
        ({"type": "text"}, r"shell: Oslo #\d+"),
        ({"type": "grammar", "grammar": {"syntax": "regex", "definition": "ls( -l)?"}}, "ls( -l)?"),
    ],
)
def test_custom_tools_get_text_or_what_their_pattern_allows(form: Any, expected: str) -> None:
    tool = {"type": "custom", "custom": {"name": "shell", "format": form}}
    (call,) = _only(_compose(tools=[tool], tool_choice="required")).tool_calls
    assert call.kind == "custom"
    assert re.fullmatch(expected, "".join(call.input))


def test_documents_satisfy_their_schema() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": PARAMETERS}}
    assert json.loads(_text(_only(_compose(response_format=form)))) == {"city": "Oslo"}
    anything = json.loads(_text(_only(_compose("Oslo as json", response_format={"type": "json_object"}))))
    assert anything.keys() == {"topic", "answer", "confidence", "seen"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"$ref": "#"}}}},
            "response_format",
        ),
        (
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": 3}}}],
                "tool_choice": "required",
            },
            "tools",
        ),
    ],
)
def test_faulty_schemas_are_the_callers_fault(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        _compose(**fields)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


def test_logprobs_are_those_of_the_text() -> None:
    choice = _only(_compose(logprobs=True, top_logprobs=2))
    assert choice.logprobs is not None
    assert tuple(entry["token"] for entry in choice.logprobs) == choice.content


def test_spoken_answer_has_its_text_in_the_transcript() -> None:
    completion = _compose(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    sound = _only(completion).sound
    assert sound is not None
    assert _only(completion).content is None
    assert "weather" in sound.transcript
    assert completion.usage.audio == sound.tokens
