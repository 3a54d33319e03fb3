"""The calls behind cassettes/samples.sqlite: plain, stream, tools, an agent's turns, an error.

Record them anew with `make cassettes`; replay them with

    llmtape replay -c cassettes/samples.sqlite -- python cassettes/samples.py
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from openai import BadRequestError, OpenAI

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

MODEL = "gpt-4o-mini"

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}

TURNS = ("What is the weather in Paris?", "And the weather in Rome?", "Which of the two is warmer?")


def plain(client: OpenAI) -> str:
    """Ask one question, get one answer."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is a cassette?"}]
    return client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content or ""


def stream(client: OpenAI) -> str:
    """Ask for the answer as it is written."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Tell a short story about a tape."}]
    events = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    return "".join(event.choices[0].delta.content or "" for event in events if event.choices)


def agent(client: OpenAI) -> list[str]:
    """Hold a conversation of three turns, with the tool calls that the model asks for."""
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "You are a weather agent. Use your tool, then answer in one sentence."}
    ]
    answers = []
    for question in TURNS:
        messages.append({"role": "user", "content": question})
        answers.append(_turn(client, messages))
    return answers


def error(client: OpenAI) -> str:
    """Ask for what the API refuses."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Too hot"}]
    try:
        client.chat.completions.create(model=MODEL, messages=messages, temperature=3)
    except BadRequestError as refused:
        return str(refused)
    return "not refused"


def _turn(client: OpenAI, messages: list[ChatCompletionMessageParam]) -> str:
    """Ask, run the tools that are called for, and ask again until there is an answer in words."""
    while True:
        message = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER]).choices[0].message
        messages.append(message.to_dict())  # type: ignore[arg-type]  # the SDK takes back what it gave
        if not message.tool_calls:
            return message.content or ""
        messages += [
            {"role": "tool", "tool_call_id": call.id, "content": json.dumps(_weather(call))}
            for call in message.tool_calls
        ]


def _weather(call: Any) -> dict[str, Any]:
    city = json.loads(call.function.arguments).get("city", "nowhere")
    return {"city": city, "celsius": len(city) * 3, "sky": "clear"}


def main() -> None:
    """Make all calls, and print what came back."""
    client = OpenAI()
    print(plain(client), stream(client), *agent(client), error(client), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
