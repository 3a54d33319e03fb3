"""An agent with two tools, which streams its answer: `python agent.py "What is the weather in Oslo?"`.

It reads what the OpenAI SDK reads (OPENAI_API_KEY, OPENAI_BASE_URL), and nothing else.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from openai import APIError, OpenAI

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai.types.chat import (
        ChatCompletionFunctionToolParam,
        ChatCompletionMessageFunctionToolCallParam,
        ChatCompletionMessageParam,
    )

MODEL: Final = "gpt-5.4-mini"
MOST_TURNS: Final = 8
SYSTEM: Final = "You answer questions about the weather. Use the tools, and say only what they told you."
SKY: Final = {"Lisbon": "24 °C, clear", "Oslo": "4 °C, rain", "Paris": "17 °C, cloudy", "Tromsø": "-9 °C, snow"}


class IncompleteAnswer(Exception):  # noqa: N818 - it says what the caller has, not whose fault it is
    """The model's answer broke off. `partial` is the text that had arrived, and was shown."""

    def __init__(self, reason: str, partial: str) -> None:
        super().__init__(f"the answer is incomplete: {reason}")
        self.partial = partial


def weather(city: str) -> str:
    """Look up the weather of a city. Raises LookupError where none is known."""
    if city not in SKY:
        raise LookupError(f"no weather is known for {city}")
    return SKY[city]


def convert(degrees: float, unit: str) -> str:
    """Convert degrees of the other unit to `unit`, which is celsius or fahrenheit."""
    if unit == "fahrenheit":
        return f"{degrees:g} °C is {degrees * 9 / 5 + 32:.1f} °F"
    return f"{degrees:g} °F is {(degrees - 32) * 5 / 9:.1f} °C"


def _offer(name: str, description: str, properties: dict[str, Any]) -> ChatCompletionFunctionToolParam:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters, "strict": True},
    }


TOOLS: Final[dict[str, Callable[..., str]]] = {"weather": weather, "convert": convert}
OFFERED: Final = [
    _offer("weather", "The weather in a city, now.", {"city": {"type": "string"}}),
    _offer(
        "convert",
        "Convert degrees to another unit.",
        {"degrees": {"type": "number"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    ),
]


@dataclass(frozen=True, slots=True)
class Reply:
    """One turn of the model: what it said, and which tools it wants called."""

    text: str
    calls: list[ChatCompletionMessageFunctionToolCallParam]


def ask(question: str, show: Callable[[str], object], client: OpenAI | None = None) -> str:
    """Answer a question, calling tools until the model wants none; `show` gets the text piece by piece.

    Raises IncompleteAnswer where the model's answer breaks off, and openai.APIError where none begins.
    """
    client = client or OpenAI()
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]
    for _ in range(MOST_TURNS):
        reply = _reply(client, messages, show)
        if not reply.calls:
            return reply.text
        messages.append({"role": "assistant", "content": reply.text or None, "tool_calls": reply.calls})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": _use(call)} for call in reply.calls]
    raise IncompleteAnswer(f"the model still calls tools after {MOST_TURNS} turns", "")


def _reply(client: OpenAI, messages: list[ChatCompletionMessageParam], show: Callable[[str], object]) -> Reply:
    text, finish = "", None
    calls: dict[int, ChatCompletionMessageFunctionToolCallParam] = {}
    stream = client.chat.completions.create(model=MODEL, messages=messages, tools=OFFERED, stream=True)
    try:
        for choice in (choice for chunk in stream for choice in chunk.choices):
            finish = choice.finish_reason or finish
            if piece := choice.delta.content:
                text += piece
                show(piece)
            for part in choice.delta.tool_calls or ():
                call = calls.setdefault(
                    part.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
                )
                call["id"] = part.id or call["id"]
                if part.function:
                    call["function"]["name"] += part.function.name or ""
                    call["function"]["arguments"] += part.function.arguments or ""
    except (APIError, json.JSONDecodeError) as error:
        # The SDK retries a call that fails, but not one whose answer has begun: part of it has been shown.
        raise IncompleteAnswer(str(error), text) from error
    if finish not in {"stop", "tool_calls"}:
        raise IncompleteAnswer(f"it ended with finish_reason {finish}", text)
    return Reply(text, [calls[index] for index in sorted(calls)])


def _use(call: ChatCompletionMessageFunctionToolCallParam) -> str:
    """Call a tool. The model is told what went wrong, so that it can do better."""
    try:
        return TOOLS[call["function"]["name"]](**json.loads(call["function"]["arguments"]))
    except (LookupError, TypeError, ValueError) as error:
        return f"error: {error}"


def main() -> int:
    """Answer the question of the command line."""
    try:
        ask(" ".join(sys.argv[1:]), lambda piece: print(piece, end="", flush=True))
    except (IncompleteAnswer, APIError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
