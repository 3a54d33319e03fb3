"""The real SDK against the proxy: recorded, the upstream gone, replayed. Equal object for object, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, OpenAI
from pydantic import BaseModel

from proxy.core.ledger import Fate
from proxy.core.modes import Mode
from proxy.demo.script import ScriptedUpstream, plain, stream
from proxy.demo.upstream import DemoUpstream, Tempo
from tests.running import NOWHERE, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from proxy.server import Proxy

KEY: Final = "sk-proj-planted-0123456789abcdefghij"
PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
ASK: Final[list[ChatCompletionMessageParam]] = [{"role": "user", "content": "How is the weather in Oslo and Rome? 🌦"}]
WEATHER: Final[ChatCompletionToolParam] = {
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


@dataclass(slots=True)
class Wire:
    """What came over the wire: status, the fields that must come again, and the body, an item an answer."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def note(self, status: int, headers: dict[str, str], body: bytes) -> None:
        kept = {
            name: value for name, value in headers.items() if name.startswith(("x-request", "x-ratelimit", "openai-"))
        }
        self.answers.append((status, {**kept, "content-type": headers.get("content-type", "")}, body))
        self.marks.append(headers.get("x-llmtape", ""))


@asynccontextmanager
async def async_client(proxy: Proxy, wire: Wire, *, retries: int = 0, path: str = "") -> AsyncIterator[AsyncOpenAI]:
    async def note(response: Any) -> None:
        wire.note(response.status_code, dict(response.headers), await response.aread())

    url = proxy.url.removesuffix("/v1") + path if path else proxy.url
    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [note]})
    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=retries, http_client=http) as client:
        yield client


def with_sync_client(url: str, wire: Wire, scenario: Callable[[OpenAI], object]) -> object:
    def note(response: Any) -> None:
        wire.note(response.status_code, dict(response.headers), response.read())

    http = openai.DefaultHttpxClient(event_hooks={"response": [note]})
    with OpenAI(base_url=url, api_key=KEY, max_retries=0, http_client=http) as client:
        return scenario(client)


@asynccontextmanager
async def recording(tape: Path, **settings: Any) -> AsyncIterator[Proxy]:
    """Record the embedded upstream, which is gone once this ends."""
    async with (
        DemoUpstream(tempo=Tempo(0, 0)) as upstream,
        running(Mode.RECORD, tape, upstream.url, **settings) as proxy,
    ):
        yield proxy


def replaying(tape: Path, **replay: Any) -> Any:
    return running(Mode.REPLAY, tape, replay=replay)


# Scenarios: what an application does, and what it gets to see.


async def plain_answer(client: AsyncOpenAI) -> object:
    return await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)


async def streamed_answer(client: AsyncOpenAI) -> object:
    return [chunk async for chunk in await client.chat.completions.create(model="demo", messages=ASK, stream=True)]


async def streamed_with_usage(client: AsyncOpenAI) -> object:
    chunks = await client.chat.completions.create(
        model="demo", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    seen = [chunk async for chunk in chunks]
    assert seen[-1].usage is not None
    return seen


async def two_choices(client: AsyncOpenAI) -> object:
    answer = await client.chat.completions.create(model="demo", messages=ASK, n=2, logprobs=True, top_logprobs=2)
    assert len(answer.choices) == 2
    return answer


async def two_choices_streamed(client: AsyncOpenAI) -> object:
    seen = [chunk async for chunk in await client.chat.completions.create(model="demo", messages=ASK, n=2, stream=True)]
    assert {choice.index for chunk in seen for choice in chunk.choices} == {0, 1}
    return seen


async def agent(client: AsyncOpenAI) -> object:
    """Ask, call the tools, answer them, ask again; the conversation grows with each turn."""
    messages: list[Any] = []
    seen: list[object] = []
    for question in ("How is the weather in Oslo and Rome?", "And the weather in Lima and Bergen?"):
        messages.append({"role": "user", "content": question})
        while True:
            answer = await client.chat.completions.create(model="demo", messages=messages, tools=[WEATHER])
            seen.append(answer)
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                assert call.type == "function"
                city = json.loads(call.function.arguments)["city"]
                messages.append({"role": "tool", "tool_call_id": call.id, "content": f'{{"city": "{city}", "t": 7}}'})
    assert len(seen) >= 3
    return seen, messages


async def parallel_tools_streamed(client: AsyncOpenAI) -> object:
    seen = [
        chunk
        async for chunk in await client.chat.completions.create(
            model="demo", messages=ASK, tools=[WEATHER], parallel_tool_calls=True, stream=True
        )
    ]
    calls = {call.index for chunk in seen for choice in chunk.choices for call in choice.delta.tool_calls or ()}
    assert calls == {0, 1}
    return seen


async def stream_helper(client: AsyncOpenAI) -> object:
    async with client.chat.completions.stream(model="demo", messages=ASK, response_format=Forecast) as events:
        kinds = [event.type async for event in events]
        return kinds, await events.get_final_completion()


async def structured_output(client: AsyncOpenAI) -> object:
    answer = await client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=Forecast)
    assert isinstance(answer.choices[0].message.parsed, Forecast)
    return answer


async def image(client: AsyncOpenAI) -> object:
    content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    return await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": content}])


async def embeddings(client: AsyncOpenAI) -> object:
    model = "text-embedding-3-small"
    one = await client.embeddings.create(model=model, input=["one", "two"])
    return one, await client.embeddings.create(model=model, input="one", encoding_format="float", dimensions=8)


async def list_of_models(client: AsyncOpenAI) -> object:
    return [model async for model in client.models.list()], await client.models.retrieve("gpt-4o")


async def raw_response(client: AsyncOpenAI) -> object:
    answer = await client.chat.completions.with_raw_response.create(model="demo", messages=ASK)
    assert answer.headers["x-request-id"].startswith("req_")
    kept = {name: answer.headers[name] for name in ("x-request-id", "openai-processing-ms", "x-ratelimit-limit-tokens")}
    return kept, answer.request_id, answer.status_code, answer.parse()


async def streaming_response(client: AsyncOpenAI) -> object:
    async with client.chat.completions.with_streaming_response.create(
        model="demo", messages=ASK, stream=True
    ) as answer:
        return [line async for line in answer.iter_lines()]


async def same_question_thrice(client: AsyncOpenAI) -> object:
    seen = [await client.chat.completions.create(model="demo", messages=ASK) for _ in range(3)]
    assert len({answer.id for answer in seen}) == 3
    return seen


async def bad_request(client: AsyncOpenAI) -> object:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="demo", messages=ASK, temperature=9)
    return caught.value.message, caught.value.body, caught.value.param, caught.value.request_id


async def bad_request_for_a_stream(client: AsyncOpenAI) -> object:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="demo", messages=ASK, n=0, stream=True)
    return caught.value.message, caught.value.body, caught.value.param, caught.value.request_id


async def unknown_model(client: AsyncOpenAI) -> object:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="gpt-none", messages=ASK)
    return caught.value.message, caught.value.body, caught.value.code, caught.value.request_id


Scenario: TypeAlias = Callable[[AsyncOpenAI], Awaitable[object]]
SCENARIOS: Final[tuple[Scenario, ...]] = (
    *(plain_answer, streamed_answer, streamed_with_usage, two_choices, two_choices_streamed, agent),
    *(parallel_tools_streamed, stream_helper, structured_output, image, embeddings, list_of_models),
    *(raw_response, streaming_response, same_question_thrice, bad_request, bad_request_for_a_stream, unknown_model),
)
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


async def run(proxy: Proxy, scenario: Scenario) -> tuple[object, Wire]:
    wire = Wire()
    async with async_client(proxy, wire) as client:
        return await scenario(client), wire


@each_scenario
async def test_what_an_application_got_while_recording_it_gets_again(tape: Path, scenario: Scenario) -> None:
    async with recording(tape) as proxy:
        seen, wire = await run(proxy, scenario)
        assert proxy.ledger.total(Fate.RECORDED) == len(wire.answers)
    assert [mark.partition(" ")[0] for mark in wire.marks] == ["recorded"] * len(wire.marks)
    async with replaying(tape) as proxy:
        seen_again, wire_again = await run(proxy, scenario)
        assert proxy.ledger.total(Fate.PLAYED) == len(wire.answers)
    assert seen_again == seen
    assert wire_again.answers == wire.answers
    assert wire_again.marks == [mark.replace("recorded", "played") for mark in wire.marks]


@pytest.mark.parametrize("pace", ["instant", "recorded", "1000x", "0.5x", "100000tps"])
async def test_at_each_pace_the_bytes_are_the_same(tape: Path, pace: str) -> None:
    chosen = (plain_answer, streamed_with_usage, two_choices_streamed, bad_request)
    async with recording(tape) as proxy:
        live = [await run(proxy, scenario) for scenario in chosen]
    async with replaying(tape, pace=pace) as proxy:
        played = [await run(proxy, scenario) for scenario in chosen]
    assert [seen for seen, _ in played] == [seen for seen, _ in live]
    assert [wire.answers for _, wire in played] == [wire.answers for _, wire in live]


async def test_in_replay_no_connection_is_made_though_the_upstream_is_there(tape: Path) -> None:
    async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
        async with running(Mode.RECORD, tape, upstream.url) as proxy:
            await run(proxy, plain_answer)
        before = upstream.connections
        async with running(Mode.REPLAY, tape, upstream.url) as proxy:
            await run(proxy, plain_answer)
            with pytest.raises(openai.APIStatusError):
                await run(proxy, streamed_answer)
            with pytest.raises(openai.APIStatusError):
                await run(proxy, list_of_models)
        assert upstream.connections == before


async def test_calls_at_once_each_get_their_own_answer_again(tape: Path) -> None:
    async def many(proxy: Proxy, order: list[int]) -> dict[int, object]:
        wire = Wire()
        async with async_client(proxy, wire) as client:

            async def one(number: int) -> object:
                messages: Any = [{"role": "user", "content": f"question {number}"}]
                answer = client.chat.completions.create(model="demo", messages=messages, stream=number % 2 == 0)
                got: Any = await answer
                return [chunk async for chunk in got] if number % 2 == 0 else got

            return dict(zip(order, await asyncio.gather(*map(one, order)), strict=True))

    numbers = list(range(30))
    async with recording(tape) as proxy:
        live = await many(proxy, numbers)
    async with replaying(tape) as proxy:
        assert await many(proxy, numbers[::-1]) == live


# The synchronous client


def sync_plain(client: OpenAI) -> object:
    return client.chat.completions.create(model="demo", messages=ASK)


def sync_stream(client: OpenAI) -> object:
    options: Any = {"include_usage": True}
    return list(client.chat.completions.create(model="demo", messages=ASK, stream=True, stream_options=options))


def sync_tools(client: OpenAI) -> object:
    first = client.chat.completions.create(model="demo", messages=ASK, tools=[WEATHER])
    message = first.choices[0].message
    assert message.tool_calls
    answers: Any = [{"role": "tool", "tool_call_id": call.id, "content": "7 °C"} for call in message.tool_calls]
    turns: Any = [*ASK, message, *answers]
    return first, client.chat.completions.create(model="demo", messages=turns, tools=[WEATHER])


def sync_parse(client: OpenAI) -> object:
    return client.chat.completions.parse(model="gpt-4o", messages=ASK, response_format=Forecast)


def sync_raw(client: OpenAI) -> object:
    answer = client.chat.completions.with_raw_response.create(model="demo", messages=ASK)
    return answer.headers["x-request-id"], answer.text


@pytest.mark.parametrize("scenario", [sync_plain, sync_stream, sync_tools, sync_parse, sync_raw])
async def test_the_synchronous_client_gets_the_same_again(tape: Path, scenario: Callable[[OpenAI], object]) -> None:
    live, played = Wire(), Wire()
    async with recording(tape) as proxy:
        seen = await asyncio.to_thread(with_sync_client, proxy.url, live, scenario)
    async with replaying(tape) as proxy:
        seen_again = await asyncio.to_thread(with_sync_client, proxy.url, played, scenario)
    assert seen_again == seen
    assert played.answers == live.answers


async def test_what_one_client_recorded_the_other_plays(tape: Path) -> None:
    async with recording(tape) as proxy:
        seen, _ = await run(proxy, streamed_with_usage)
    async with replaying(tape) as proxy:
        assert await asyncio.to_thread(with_sync_client, proxy.url, Wire(), sync_stream) == seen


# Other ways in


async def azure(proxy: Proxy) -> object:
    origin = proxy.url.removesuffix("/v1")
    async with AsyncAzureOpenAI(
        azure_endpoint=origin, api_version="2024-10-21", api_key=KEY, max_retries=0, azure_deployment="gpt-4o"
    ) as client:
        whole = await client.chat.completions.create(model="gpt-4o", messages=ASK)
        return whole, [
            chunk async for chunk in await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        ]


async def test_azures_client_gets_the_same_again(tape: Path) -> None:
    async with recording(tape) as proxy:
        seen = await azure(proxy)
    async with replaying(tape) as proxy:
        assert await azure(proxy) == seen
    assert leaks(tape) == []


@pytest.mark.parametrize("path", ["", "/@agent/v1", "/@agent:tests%2Ftest_a.py::test_b/v1", "/@sub%2Fagent/v1/"])
async def test_each_mount_has_its_own_recordings(tape: Path, path: str) -> None:
    async with recording(tape) as proxy, async_client(proxy, Wire(), path=path) as client:
        seen = await plain_answer(client)
    async with running(Mode.REPLAY, tape) if not path else running(Mode.AUTO, tape, NOWHERE) as proxy:
        async with async_client(proxy, Wire(), path=path) as client:
            assert await plain_answer(client) == seen
        async with async_client(proxy, Wire(), path="/@another/v1") as client:
            with pytest.raises(openai.APIStatusError):
                await plain_answer(client)


def leaks(tape: Path) -> list[str]:
    """Name the files that the caller's key stands in, what stands beside the cassette while it is open included."""
    return [file.name for file in tape.parent.iterdir() if KEY.encode() in file.read_bytes()]


async def test_a_callers_key_is_in_no_file(tape: Path) -> None:
    async def say_it(client: AsyncOpenAI) -> object:
        messages: Any = [{"role": "user", "content": f"my key is {KEY}, keep it"}]
        return await client.chat.completions.create(model="demo", messages=messages)

    async with recording(tape) as proxy:
        _, wire = await run(proxy, say_it)
        assert leaks(tape) == []
    assert leaks(tape) == []
    async with replaying(tape) as proxy:
        _, wire_again = await run(proxy, say_it)
    assert len(wire_again.answers[0][2]) == len(wire.answers[0][2])


# Misses


async def ask(client: AsyncOpenAI, text: str = "hello", **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": text}]
    return await client.chat.completions.create(model="demo", messages=messages, **more)


@pytest.mark.parametrize(
    ("recorded", "asked", "code", "words"),
    [
        ({}, {"text": "hallo"}, "not_recorded", "differs in messages[0].content"),
        ({}, {"temperature": 0.5}, "not_recorded", "differs in temperature"),
        ({}, {"text": "hallo", "stream": True}, "not_recorded", "differs in messages[0].content"),
        ({}, {"stream": True}, "variant_not_recorded", "recorded without a stream, and is asked for as a stream"),
        ({"stream": True}, {}, "variant_not_recorded", "recorded as a stream, and is asked for without a stream"),
    ],
)
async def test_a_miss_raises_at_once_and_says_what_differs(
    tape: Path, recorded: dict[str, Any], asked: dict[str, Any], code: str, words: str
) -> None:
    async with recording(tape) as proxy, async_client(proxy, Wire()) as client:
        answer = await ask(client, **recorded)
        if recorded.get("stream"):
            assert [chunk async for chunk in answer]
    wire = Wire()
    async with replaying(tape) as proxy:
        async with async_client(proxy, wire, retries=5) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                await ask(client, **asked)
        assert proxy.ledger.total(Fate.MISSED) == 1
    error = caught.value
    first_line = error.message.partition("\n")[0]
    assert len(wire.answers) == 1
    assert (error.status_code, error.code, error.type) == (424, code, "cassette_miss")
    assert f"llmtape replay miss ({code}): " in first_line
    assert words in first_line
    assert "auto -c" in error.message
    assert wire.marks[0].startswith("missed ")


async def test_a_take_too_many_raises_where_the_config_says_so(tape: Path) -> None:
    async with recording(tape) as proxy:
        await run(proxy, plain_answer)
    async with replaying(tape, repeats="error") as proxy:
        await run(proxy, plain_answer)
        with pytest.raises(openai.APIStatusError) as caught:
            await run(proxy, plain_answer)
    assert caught.value.code == "takes_exhausted"


# Errors of a moment


async def test_a_rate_limit_and_the_answer_after_it_are_played_in_their_order(tape: Path) -> None:
    async def limited_once(client: AsyncOpenAI) -> object:
        return await client.chat.completions.create(model="demo-429-once", messages=ASK)

    async def with_retries(proxy: Proxy) -> tuple[object, Wire]:
        wire = Wire()
        async with async_client(proxy, wire, retries=2) as client:
            return await limited_once(client), wire

    async with recording(tape, record={"errors": "all"}) as proxy:
        live, wire = await with_retries(proxy)
    assert [status for status, _, _ in wire.answers] == [429, 200]
    async with replaying(tape) as proxy:
        played, wire_again = await with_retries(proxy)
        assert proxy.ledger.total(Fate.PLAYED) == 2
    assert played == live
    assert wire_again.answers == wire.answers


async def test_a_rate_limit_is_not_recorded_unless_asked_for(tape: Path) -> None:
    wire = Wire()
    async with recording(tape) as proxy, async_client(proxy, wire, retries=2) as client:
        live = await client.chat.completions.create(model="demo-429-once", messages=ASK)
    assert [mark.partition(" ")[0] for mark in wire.marks] == ["not-recorded", "recorded"]
    wire = Wire()
    async with replaying(tape) as proxy, async_client(proxy, wire, retries=2) as client:
        assert await client.chat.completions.create(model="demo-429-once", messages=ASK) == live
    assert [status for status, _, _ in wire.answers] == [200]


async def test_a_wrong_key_passes_and_shadows_no_good_answer(tape: Path) -> None:
    async with recording(tape) as proxy:
        async with AsyncOpenAI(base_url=proxy.url, api_key="an-invalid-key", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                await plain_answer(client)
        seen, _ = await run(proxy, plain_answer)
    async with replaying(tape) as proxy:
        assert (await run(proxy, plain_answer))[0] == seen


# Streams that break off


def delta(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(chunk).encode()


async def collect(proxy: Proxy) -> tuple[list[str | None], str]:
    """Stream an answer; return what came, and how it ended."""
    seen: list[str | None] = []
    async with AsyncOpenAI(base_url=proxy.url, api_key=KEY, max_retries=0) as client:
        try:
            async for chunk in await client.chat.completions.create(model="m", messages=ASK, stream=True):
                seen.append(chunk.choices[0].delta.content)  # noqa: PERF401  what came before the error counts
        except Exception as error:  # noqa: BLE001  its kind is what is compared
            return seen, type(error).__name__
    return seen, "end"


@pytest.mark.parametrize("pace", ["instant", "recorded", "1000x"])
@pytest.mark.parametrize("end", ["abort", "close"])
async def test_a_stream_that_was_cut_is_cut_again_where_the_config_says_so(
    tape: Path, end: Literal["abort", "close"], pace: str
) -> None:
    async with (
        ScriptedUpstream(stream([delta("a"), delta("b"), b'data: {"cho'], end=end)) as upstream,
        running(Mode.RECORD, tape, upstream.url) as proxy,
    ):
        live, ended = await collect(proxy)
    assert ended not in {"end", "APIStatusError"}
    async with replaying(tape, incomplete="play", pace=pace) as proxy:
        played, ended_again = await collect(proxy)
    assert ended_again == ended
    assert played == ["a", "b"]
    assert live == ["a", "b"]
    async with replaying(tape) as proxy:
        with pytest.raises(openai.APIStatusError, match=r"recording_incomplete.*cut"):
            await run(proxy, lambda client: client.chat.completions.create(model="m", messages=ASK, stream=True))


async def test_a_stream_that_ended_too_early_but_cleanly_does_so_again(tape: Path) -> None:
    async with (
        ScriptedUpstream(stream([delta("a"), delta("b")])) as upstream,
        running(Mode.RECORD, tape, upstream.url) as proxy,
    ):
        assert await collect(proxy) == (["a", "b"], "end")
    async with replaying(tape, incomplete="play") as proxy:
        assert await collect(proxy) == (["a", "b"], "end")
    async with replaying(tape) as proxy:
        assert (await collect(proxy))[0] == []


async def test_an_application_that_leaves_a_stream_still_gets_it_recorded_whole(tape: Path) -> None:
    async def first_words(client: AsyncOpenAI) -> object:
        answer = await client.chat.completions.create(model="m", messages=ASK, stream=True)
        async for chunk in answer:
            await answer.close()
            return chunk
        return None

    events = [*(delta(f"word {number} ") for number in range(200)), delta("", "stop"), b"data: [DONE]\n\n"]
    async with (
        ScriptedUpstream(stream(events)) as upstream,
        running(Mode.RECORD, tape, upstream.url) as proxy,
        AsyncOpenAI(base_url=proxy.url, api_key=KEY, max_retries=0) as client,
    ):
        assert await first_words(client)
    async with replaying(tape) as proxy:
        seen, ended = await collect(proxy)
    assert ended == "end"
    assert len(seen) == 201


async def test_an_error_within_a_stream_is_raised_again(tape: Path) -> None:
    failing = b'data: {"error":{"message":"overloaded","type":"server_error","code":null}}\n\n'
    async with (
        ScriptedUpstream(stream([delta("a"), failing, b"data: [DONE]\n\n"])) as upstream,
        running(Mode.RECORD, tape, upstream.url) as proxy,
    ):
        live = await collect(proxy)
    assert live == (["a"], "APIError")
    async with replaying(tape) as proxy:
        assert await collect(proxy) == live


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"detail": "no such thing"}', "application/json"),
        (b"Bad Request", "text/plain"),
        (b"", "text/html; charset=latin-1"),
        (b'{"error": "just words"}', "application/json"),
    ],
)
async def test_errors_of_another_shape_come_back_as_they_were(tape: Path, body: bytes, kind: str) -> None:
    async def fail(client: AsyncOpenAI) -> object:
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            await plain_answer(client)
        return caught.value.message, caught.value.body

    async with (
        ScriptedUpstream(plain(422, {"content-type": kind}, body)) as upstream,
        running(Mode.RECORD, tape, upstream.url) as proxy,
    ):
        live, wire = await run(proxy, fail)
    async with replaying(tape) as proxy:
        played, wire_again = await run(proxy, fail)
    assert played == live
    assert wire_again.answers == wire.answers
    assert wire_again.answers[0][2] == body
