"""An interaction as a person reads it."""

from __future__ import annotations

import json
from typing import Any

from proxy.cli.conversation import Conversation
from proxy.cli.screen import Screen
from proxy.core.model import Interaction, Outcome, RecordedRun, Request, Response
from tests.cassette.making import CHAT, JSON_TYPE, SSE_TYPE, answer, question, taken

RUN = RecordedRun(3, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
ORIGIN = "run 3 (record from http://127.0.0.1:9/v1, llmtape 0.1.0)"


def chat(*messages: dict[str, Any], **fields: Any) -> Request:
    return Request("POST", CHAT, "", JSON_TYPE, json.dumps({"model": "m", "messages": messages, **fields}).encode())


def plain(body: Any, **fields: Any) -> Response:
    return answer(json.dumps(body).encode(), **fields)


def said(*choices: dict[str, Any], **fields: Any) -> Response:
    read = [
        {"index": index, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
        for index, message in enumerate(choices)
    ]
    return plain({"choices": read, **fields})


def shown(interaction: Interaction) -> list[str]:
    """Return the lines as they are piped."""
    return [line.plain for line in Conversation(Screen(), interaction, RUN).lines()]


def test_a_whole_conversation() -> None:
    request = chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "One\n\ntwo"}]},
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": '{"a":"é"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"b":2}'},
        temperature=0.2,
        seed=7,
    )
    response = said({"content": "Done."}, usage={"prompt_tokens": 20, "completion_tokens": 3})
    interaction = taken(request, response, 2, lane="checkout")
    assert shown(interaction) == [
        f"{interaction.track.key[:12]}:2  m  POST /v1/chat/completions",
        "temperature=0.2  seed=7",
        "",
        "system",
        "  Be brief.",
        "",
        "user  ann",
        "  One",
        "",
        "  two",
        "",
        "assistant",
        "  → f  c1",
        "    {",
        '      "a": "é"',
        "    }",
        "",
        "tool  f",
        "  {",
        '    "b": 2',
        "  }",
        "",
        "answer  stop",
        "  Done.",
        "",
        "tokens    20 in, 3 out",
        "timing    first byte 0.1 ms, 0.1 ms in all, complete",
        f"recorded  2026-11-22 12:00:00 UTC, take 2, variant json, lane checkout, {ORIGIN}",
    ]


def test_all_choices_and_their_refusals_are_told() -> None:
    lines = shown(taken(question(), said({"content": "a"}, {"refusal": "No."})))
    assert lines[lines.index("answer 1 of 2  stop") :][:6] == [
        "answer 1 of 2  stop",
        "  a",
        "",
        "answer 2 of 2  stop",
        "  refusal: No.",
        "",
    ]


def test_a_stream_that_was_cut_says_so_and_how_far_it_came() -> None:
    event = b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    lines = shown(taken(question(), answer(event, event, headers=SSE_TYPE, outcome=Outcome.CUT)))
    assert lines[lines.index("answer  no finish reason, cut") + 1] == "  HelHel"
    assert "stream    first token 0.1 ms, 10000 events a second, longest gap 0.1 ms, after 0.1 ms" in lines
    assert (
        "timing    first byte 0.1 ms, first event 0.1 ms, 2 events, 0.2 ms in all, cut: the upstream broke off" in lines
    )


def test_an_error_in_a_stream_stands_after_what_was_said() -> None:
    events = b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n', b'data: {"error":{"message":"overloaded"}}\n\n'
    lines = shown(taken(question(), answer(*events, headers=SSE_TYPE)))
    assert lines.index("  Hel") < lines.index("error") < lines.index("  overloaded")


def test_an_error_answer_shows_its_status() -> None:
    lines = shown(taken(question(), plain({"error": {"message": "No such model"}}, status=404)))
    assert lines[lines.index("error  status 404") + 1] == "  No such model"


def test_bodies_of_another_form_are_shown_as_they_are() -> None:
    request = Request("POST", "/v1/embeddings", "api-version=1", JSON_TYPE, b'{"model":"e","input":"x"}')
    lines = shown(taken(request, answer(b"Bad gateway", status=502, headers=())))
    assert lines[0].endswith("  e  POST /v1/embeddings?api-version=1")
    assert lines[2:7] == ["request", "  {", '    "model": "e",', '    "input": "x"', "  }"]
    assert lines[8:10] == ["answer  status 502", "  Bad gateway"]


def test_a_long_body_of_another_form_is_cut() -> None:
    text = json.dumps({"data": [0.5] * 5000})
    lines = shown(taken(Request("GET", "/v1/models"), answer(text.encode())))
    cut = lines.index("answer") + 1
    assert lines[cut : cut + 2] == [f"  {text[:2000]}…", f"  ({len(text) - 2000} more characters: see --json)"]


def test_functions_results_are_laid_out_as_tools_are() -> None:
    request = chat({"role": "function", "name": "f", "content": '{"a":1}'}, {"role": "user", "content": '{"a":1}'})
    lines = shown(taken(request, said({"content": "."})))
    assert lines[1:8] == ["", "function  f", "  {", '    "a": 1', "  }", "", "user"]
    assert '  {"a":1}' in lines


def test_speech_is_told_by_the_type_that_was_asked_for() -> None:
    request = chat({"role": "user", "content": "Speak."}, audio={"format": "mp3", "voice": "alloy"})
    lines = shown(taken(request, said({"audio": {"id": "a", "data": "AAAA", "transcript": "Yes."}})))
    assert "  [audio, audio/mp3, 3 bytes] Yes." in lines
