"""The embedded upstream, as the official SDK sees it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import aiohttp
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from proxy.demo.upstream import DemoUpstream, Tempo

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How is the weather in Oslo and Rome?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}


class Forecast(BaseModel):
    city: str
    days: list[int]
    mood: Literal["sunny", "grey"]
    next: Forecast | None


async def test_plain_answer(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    assert answer.choices[0].finish_reason == "stop"
    assert "weather in Oslo" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_answers_differ(client: AsyncOpenAI) -> None:
    answers = [await client.chat.completions.create(model="demo", messages=ASK, n=2) for _ in range(5)]
    assert len({answer.id for answer in answers}) == 5
    assert len({choice.message.content for answer in answers for choice in answer.choices}) == 10


async def test_stream_with_usage(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="demo", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert "weather in Oslo" in text
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


async def test_stream_helper_puts_the_answer_together(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="demo", messages=ASK, n=2, logprobs=True) as stream:
        answer = await stream.get_final_completion()
    assert [choice.finish_reason for choice in answer.choices] == ["stop", "stop"]
    assert all(choice.message.content for choice in answer.choices)


async def test_tools_round_trip(client: AsyncOpenAI) -> None:
    asked = await client.chat.completions.create(model="demo", messages=ASK, tools=[WEATHER])
    message = asked.choices[0].message
    assert message.tool_calls is not None
    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{number + 20} °C"}
        for number, call in enumerate(message.tool_calls)
    ]
    echoed: Any = message.to_dict()
    told = await client.chat.completions.create(model="demo", messages=[*ASK, echoed, *results], tools=[WEATHER])
    assert "20 °C; 21 °C" in (told.choices[0].message.content or "")


async def test_parallel_calls_streamed(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="demo", messages=ASK, tools=[WEATHER], stream=True)
    arguments: dict[int, str] = {}
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or ():
            assert call.function is not None
            arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert [json.loads(text)["city"] for text in arguments.values()] == ["Oslo", "Rome"]


async def test_structured_output_parses(client: AsyncOpenAI) -> None:
    for _ in range(10):
        answer = await client.chat.completions.parse(model="demo", messages=ASK, response_format=Forecast)
        assert isinstance(answer.choices[0].message.parsed, Forecast)


async def test_sound_is_returned(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="gpt-4o-audio-preview",
        messages=ASK,
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
    )
    sound = answer.choices[0].message.audio
    assert sound is not None
    assert "weather" in sound.transcript


async def test_embeddings_and_models(client: AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [len(entry.embedding) for entry in answer.data] == [16, 16]
    assert "gpt-4o-mini" in [model.id async for model in client.models.list()]


@pytest.mark.parametrize(
    ("model", "fields", "error"),
    [
        ("demo", {"temperature": 3}, openai.BadRequestError),
        ("gpt-9", {}, openai.NotFoundError),
        ("demo-429", {}, openai.RateLimitError),
        ("demo-500", {}, openai.InternalServerError),
    ],
)
async def test_errors_become_the_sdks_exceptions(
    client: AsyncOpenAI, model: str, fields: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model=model, messages=ASK, **fields)
    assert caught.value.request_id is not None
    assert caught.value.request_id.startswith("req_")


async def test_wrong_key_is_an_authentication_error(upstream: DemoUpstream) -> None:
    async with AsyncOpenAI(base_url=upstream.url, api_key="sk-invalid") as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()


async def test_sdk_retries_past_a_rate_limit(upstream: DemoUpstream) -> None:
    async with AsyncOpenAI(base_url=upstream.url, api_key="sk-demo") as client:
        await client.chat.completions.create(model="demo-429-once", messages=ASK)
    assert upstream.requests == 2


async def test_synchronous_client_is_served_from_a_thread(upstream: DemoUpstream) -> None:
    def ask() -> str | None:
        with OpenAI(base_url=upstream.url, api_key="sk-demo") as client:
            return client.chat.completions.create(model="demo", messages=ASK).choices[0].message.content

    assert "weather" in (await asyncio.to_thread(ask) or "")


async def test_requests_and_connections_are_counted(upstream: DemoUpstream, client: AsyncOpenAI) -> None:
    assert (upstream.requests, upstream.connections) == (0, 0)
    for _ in range(3):
        await client.chat.completions.create(model="demo", messages=ASK)
    assert (upstream.requests, upstream.connections) == (3, 1)


async def test_same_seed_gives_the_same_answers_and_no_seed_does_not() -> None:
    assert await _first_id(seed=5) == await _first_id(seed=5)
    assert await _first_id(seed=None) != await _first_id(seed=None)


async def _first_id(seed: int | None) -> str:
    async with (
        DemoUpstream(tempo=Tempo(0, 0), seed=seed) as upstream,
        AsyncOpenAI(base_url=upstream.url, api_key="sk-demo") as client,
    ):
        return (await client.chat.completions.create(model="demo", messages=ASK)).id


async def test_port_can_be_chosen_and_is_free_after_closing() -> None:
    async with DemoUpstream() as first:
        port = first.port
    async with DemoUpstream(port=port) as second:
        assert second.url == first.url == f"http://127.0.0.1:{port}/v1"


async def test_closing_cuts_off_what_is_still_being_written(session: aiohttp.ClientSession) -> None:
    async with DemoUpstream(tempo=Tempo(first_token=0.0, interval=3600.0)) as upstream:
        body = {"model": "demo", "messages": ASK, "stream": True}
        answer = await session.post(f"{upstream.url}/chat/completions", json=body)
        await answer.content.readany()
    with pytest.raises(aiohttp.ClientPayloadError):
        await answer.read()
