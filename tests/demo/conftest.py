"""An embedded upstream without delays, and clients for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from proxy.demo.upstream import DemoUpstream, Tempo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


@pytest.fixture
async def upstream() -> AsyncIterator[DemoUpstream]:
    async with DemoUpstream(tempo=Tempo(0, 0), seed=7) as server:
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"authorization": "Bearer sk-demo"}) as opened:
        yield opened


@pytest.fixture
async def client(upstream: DemoUpstream) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=upstream.url, api_key="sk-demo", max_retries=0) as opened:
        yield opened


@pytest.fixture
def post(
    upstream: DemoUpstream, session: aiohttp.ClientSession
) -> Callable[..., Awaitable[tuple[int, dict[str, Any]]]]:
    async def send(**fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"model": "demo", "messages": [{"role": "user", "content": "Tell me of Oslo"}], **fields}
        async with session.post(f"{upstream.url}/chat/completions", json=body) as answer:
            return answer.status, await answer.json()

    return send
