"""An answer as a person reads it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proxy.cli.answer import Answer, unusual
from proxy.cli.page import Page
from proxy.cli.screen import Screen
from proxy.core.model import Outcome
from tests.cassette.making import SSE_TYPE, answer
from tests.cli.recorded import call, event

PAGE = Page(Screen())


def shown(body: dict[str, Any], **wanted: Any) -> list[str]:
    return [line.plain for line in Answer(PAGE, answer(json.dumps(body).encode()), **wanted).lines()]


def said(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_stands_before_the_answer(name: str) -> None:
    body = said(content="42", **{name: "Let me\nthink."})
    assert shown(body) == ["", "reasoning", "  Let me", "  think.", "", "answer  stop", "  42"]


def test_every_choice_has_its_own_reasoning() -> None:
    choices = [{"index": n, "message": {"content": "x", "reasoning": f"thought {n}"}} for n in range(2)]
    lines = shown({"choices": choices})
    assert [line for line in lines if line and not line.startswith(" ")] == [
        "reasoning 1 of 2",
        "answer 1 of 2  no finish reason",
        "reasoning 2 of 2",
        "answer 2 of 2  no finish reason",
    ]


def test_pages_that_an_answer_refers_to_are_listed_below_it() -> None:
    page = {"type": "url_citation", "url_citation": {"title": "Weather", "url": "https://w.test/z"}}
    other = {"type": "file_citation", "file_citation": {"filename": "a.pdf", "file_id": "file-1"}}
    assert shown(said(content="Rain.", annotations=[page, other, {"type": "new"}])) == [
        "",
        "answer  stop",
        "  Rain.",
        "  [1] Weather  https://w.test/z",
        "  [2] a.pdf  file-1",
        "  [3] new",
    ]


def test_speech_is_told_by_type_size_and_transcript() -> None:
    spoken = {"id": "a", "data": base64.b64encode(bytes(4321)).decode(), "transcript": "Yes."}
    assert shown(said(content=None, audio=spoken), audio="audio/wav")[-1] == "  [audio, audio/wav, 4.3 kB] Yes."
    assert shown(said(content=None, audio={"transcript": "Yes."}), audio="audio/wav")[-1] == "  [audio] Yes."


def test_probabilities_are_told_where_they_are_asked_for() -> None:
    tokens = [
        {
            "token": "Hi",
            "logprob": -0.7,
            "top_logprobs": [{"token": t, "logprob": p} for t, p in (("Hi", -0.7), ("Ho", -5), ("é", -9999.0))],
        },
        {"token": "!", "logprob": 0.1},
        {"token": " no", "logprob": "x"},
    ]
    body = {"choices": [{"message": {"content": "Hi! no"}, "logprobs": {"content": tokens}}]}
    assert shown(body)[1:] == ["answer  no finish reason, logprobs of 3 tokens", "  Hi! no"]
    assert shown(body, shows_logprobs=True)[3:] == [
        "  logprobs",
        '    "Hi"    49.66%    "Ho" 0.67%  "é" <0.01%',
        '    "!"    100.00%',
        '    " no"        ?',
    ]


def test_refusals_tool_calls_and_what_was_cut_off() -> None:
    events = event(content="Well"), call('{"a":', name="f"), call("1}"), event(refusal="No.")
    cut = answer(*events, headers=SSE_TYPE, outcome=Outcome.CUT)
    assert [line.plain for line in Answer(PAGE, cut).lines()] == [
        "",
        "answer  no finish reason, cut",
        "  Well",
        "  refusal: No.",
        "  → f",
        "    {",
        '      "a": 1',
        "    }",
    ]


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        (200, Outcome.COMPLETE, ""),
        (400, Outcome.COMPLETE, "status 400"),
        (500, Outcome.CUT, "status 500, cut"),
    ],
)
def test_what_is_unusual_is_told_in_short(status: int, outcome: Outcome, told: str) -> None:
    assert unusual(answer(status=status, outcome=outcome)) == told
