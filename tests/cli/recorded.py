"""A cassette with one of everything that the commands that look must show, and how they are called."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from proxy.cli import main
from proxy.core.model import Chunk, Outcome, Request, Response, Variant
from tests.cassette.making import CHAT, JSON_TYPE, SSE_TYPE, answer, taken

if TYPE_CHECKING:
    from click.testing import Result

WEATHER = '{"city": "Zürich"}'
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
PICTURE = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(bytes(4321)).decode()}"}},
]


def ask(content: Any, **fields: Any) -> Request:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}], **fields}
    return Request("POST", CHAT, "", JSON_TYPE, json.dumps(body).encode())


def say(*messages: dict[str, Any]) -> Response:
    choices = [
        {"index": index, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
        for index, message in enumerate(messages)
    ]
    usage = {"prompt_tokens": 20, "completion_tokens": 7}
    return answer(json.dumps({"model": "gpt-4o-mini", "choices": choices, "usage": usage}).encode())


def event(finish: str | None = None, **delta: Any) -> bytes:
    data = {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def stream(*events: bytes, outcome: Outcome = Outcome.COMPLETE) -> Response:
    chunks = tuple(Chunk(200_000 * place, data) for place, data in enumerate(events, 1))
    return Response(200, SSE_TYPE, chunks, outcome, 150_000, 1_300_000)


def call(arguments: str, **named: Any) -> bytes:
    return event(tool_calls=[{"index": 0, "function": {"arguments": arguments, **named}}])


DONE = b"data: [DONE]\n\n"
RECORDED = {
    "plain": taken(ask("Say hello", temperature=0.2), say({"content": "Hello there."})),
    "second take": taken(ask("Say hello", temperature=0.2), say({"content": "Hello again."}), 2),
    "stream": taken(
        ask("naïve 日本語 👋?", stream=True),
        stream(event(role="assistant", content="Grüße"), event(content=" 🎲"), event("stop"), DONE),
        variant=Variant.SSE,
        lane="test_greeting",
    ),
    "tools": taken(
        ask("Weather?", stream=True, tools=TOOLS),
        stream(call('{"city":', name="weather"), call(' "Zürich"}'), event("tool_calls"), DONE),
        variant=Variant.SSE,
    ),
    "n=2": taken(ask("Two names", n=2), say({"content": "Ada"}, {"content": "Grace"})),
    "error": taken(ask("x", temperature=9), answer(b'{"error":{"message":"Too hot."}}', status=400)),
    "cut": taken(ask("A story", stream=True), stream(event(content="Once"), outcome=Outcome.CUT), variant=Variant.SSE),
    "picture": taken(ask(PICTURE), say({"content": "A [bold]cat[/bold]\x1b[2J."})),
}


def run(*arguments: object, **environment: str) -> Result:
    settings = {"COLUMNS": "200", "NO_COLOR": None, "FORCE_COLOR": None, **environment}
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=settings)


def told(*arguments: object, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def key(name: str) -> str:
    return RECORDED[name].track.key
