"""The API over the wire: paths, keys, headers, errors, streams."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from proxy.demo.upstream import DemoUpstream, Tempo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    Post = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]

ASK: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Grüß dich"}]}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
async def test_chat_answers_with_and_without_v1(
    upstream: DemoUpstream, session: aiohttp.ClientSession, path: str
) -> None:
    async with session.post(upstream.origin + path, json=ASK) as answer:
        body = await answer.json()
    assert (answer.status, body["object"]) == (200, "chat.completion")
    assert "“Grüß dich”" in body["choices"][0]["message"]["content"]


async def test_azure_names_the_model_in_its_path(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    url = f"{upstream.origin}/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
    headers = {"authorization": "", "api-key": "azure"}
    async with session.post(url, json={"messages": ASK["messages"]}, headers=headers) as answer:
        assert (await answer.json())["model"] == "gpt-4o-2024-08-06"


async def test_every_answer_bears_the_apis_headers(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    ids = set()
    for body in (ASK, {**ASK, "stream": True}, {}):
        async with session.post(f"{upstream.url}/chat/completions", json=body) as answer:
            await answer.read()
        assert answer.headers["openai-version"] == "2020-10-01"
        assert answer.headers["openai-processing-ms"].isdigit()
        assert answer.headers["x-ratelimit-remaining-requests"].isdigit()
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 3


async def test_each_event_is_an_http_chunk_of_its_own(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{upstream.url}/chat/completions", json={**ASK, "stream": True}) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        data, ends = b"", []
        async for piece, end_of_chunk in answer.content.iter_chunks():
            data += piece
            ends += [len(data)] if end_of_chunk else []
    events = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert events[-1] == b"data: [DONE]\n\n"
    assert all(event.startswith(b"data: {") and event.endswith(b"}\n\n") for event in events[:-1])
    assert len({json.loads(event[6:])["id"] for event in events[:-1]}) == 1


@pytest.mark.parametrize(
    ("headers", "code", "words"),
    [
        ({"authorization": ""}, None, "You didn't provide an API key"),
        ({"authorization": "Bearer "}, None, "You didn't provide an API key"),
        ({"authorization": "", "api-key": " "}, None, "You didn't provide an API key"),
        (
            {"authorization": "Bearer sk-invalid-key-1234"},
            "invalid_api_key",
            "Incorrect API key provided: sk-inval*******1234",
        ),
    ],
)
async def test_without_a_good_key_nothing_is_answered(
    upstream: DemoUpstream,
    session: aiohttp.ClientSession,
    headers: dict[str, str],
    code: str | None,
    words: str,
) -> None:
    async with session.post(f"{upstream.url}/chat/completions", json=ASK, headers=headers) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (401, code)
    assert words in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b'{"a": NaN}', b"\xff", b"[" * 100_000])
async def test_what_is_no_json_object_is_refused(
    upstream: DemoUpstream, session: aiohttp.ClientSession, body: bytes
) -> None:
    async with session.post(f"{upstream.url}/chat/completions", data=body) as answer:
        assert answer.status == 400
        assert "could not parse the JSON body" in (await answer.json())["error"]["message"]


async def test_large_bodies_are_taken(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    body = json.dumps({**ASK, "messages": [{"role": "user", "content": "x" * 3_000_000}]}).encode()
    async with session.post(f"{upstream.url}/chat/completions", data=io.BytesIO(body)) as answer:
        assert answer.status == 200


async def test_half_an_emoji_is_taken_and_named_in_an_error_as_it_came(post: Post) -> None:
    status, _ = await post(messages=[{"role": "user", "content": "\ud83d"}])
    assert status == 200
    status, body = await post(stop="x", tool_choice="\ud83d")
    assert status == 400
    assert body["error"]["message"].startswith("Invalid value: '\ud83d'.")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v1/nothing", 404, "Invalid URL (POST /v1/nothing)"),
        ("GET", "/", 404, "Invalid URL (GET /)"),
        ("GET", "/v1/chat/completions", 405, "Not allowed to GET on /v1/chat/completions"),
    ],
)
async def test_wrong_addresses_are_said_to_be_so(
    upstream: DemoUpstream, session: aiohttp.ClientSession, method: str, path: str, status: int, words: str
) -> None:
    async with session.request(method, upstream.origin + path) as answer:
        assert answer.status == status
        assert words in (await answer.json())["error"]["message"]


async def test_models_are_listed_and_shown(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{upstream.url}/models") as answer:
        listed = (await answer.json())["data"]
    async with session.get(f"{upstream.url}/models/{listed[0]['id']}") as answer:
        assert await answer.json() == listed[0]
    async with session.get(f"{upstream.url}/models/none") as answer:
        assert (answer.status, (await answer.json())["error"]["param"]) == (404, "model")


async def test_embeddings_are_made(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    body = {"model": "text-embedding-3-small", "input": "Oslo"}
    async with session.post(f"{upstream.url}/embeddings", json=body) as answer:
        assert len((await answer.json())["data"][0]["embedding"]) == 16


@pytest.mark.parametrize(
    ("model", "statuses"),
    [
        ("demo-429", [429, 429, 429]),
        ("demo-429-once", [429, 200, 429, 200]),
        ("demo-500", [500, 500]),
        ("gpt-9", [404]),
    ],
)
async def test_models_misbehave_on_demand(post: Post, model: str, statuses: list[int]) -> None:
    assert [(await post(model=model))[0] for _ in statuses] == statuses


async def test_rate_limit_says_when_to_come_back(upstream: DemoUpstream, session: aiohttp.ClientSession) -> None:
    async with session.post(f"{upstream.url}/chat/completions", json={**ASK, "model": "demo-429"}) as answer:
        assert (answer.headers["retry-after-ms"], answer.headers["retry-after"]) == ("20", "1")
        assert (await answer.json())["error"]["code"] == "rate_limit_exceeded"


async def test_client_that_leaves_a_stream_is_nobodys_error(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
            long = {**ASK, "stream": True, "n": 20}
            for _ in range(5):
                answer = await session.post(f"{upstream.url}/chat/completions", json=long)
                await answer.content.readany()
                answer.close()
    assert caplog.records == []


async def test_client_that_leaves_in_its_upload_is_nobodys_error(caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nContent-Length: 9\r\n"
    with caplog.at_level(logging.INFO):
        async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
            reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
            writer.write(head + b"Expect: 100-continue\r\n\r\n")
            await reader.readuntil(b"100 Continue\r\n\r\n")
            writer.write(b"{")
            writer.transport.abort()
    assert caplog.records == []
