"""The whole loop on the embedded upstream: record, stop it, replay, compare.

Rule: shows what a user would do, through the same doors: two proxies, one cassette file, a plain HTTP client.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from proxy.config import Config, Server
from proxy.core import sse
from proxy.core.model import SSE_TYPE
from proxy.core.modes import Mode
from proxy.demo.upstream import DemoUpstream
from proxy.server import Proxy

if TYPE_CHECKING:
    from pathlib import Path

_NOWHERE = "http://127.0.0.1:9/v1"
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """One request of the tour."""

    title: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client got for a step, and how long it took."""

    status: int
    kept_headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float
    take: str
    is_stream: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A step, as it was recorded and as it was replayed."""

    step: Step
    recorded: Heard
    replayed: Heard

    @property
    def events(self) -> int:
        """How many events the stream had; 0 for a plain answer."""
        return len(sse.split(self.replayed.body)) if self.replayed.is_stream else 0

    @property
    def is_same(self) -> bool:
        """Whether status, kept header fields and every byte of the body came again."""
        one, other = self.recorded, self.replayed
        return (one.status, one.kept_headers, one.body) == (other.status, other.kept_headers, other.body)


def _ask(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


_WEATHER: Final = {
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

STEPS: Final = (
    Step("plain", _ask("What is a cassette?")),
    Step("streamed", _ask("What is a proxy?", stream=True, stream_options={"include_usage": True})),
    Step("tools", _ask("What is the weather in Paris?", tools=[_WEATHER])),
    Step("tools, streamed", _ask("Weather in Paris and Rome?", tools=[_WEATHER], stream=True)),
    Step("n=2", _ask("Name a colour", n=2)),
    Step("n=2, streamed", _ask("Name a tree", n=2, stream=True)),
)

_KEPT: Final = ("content-type", "x-request-id", "openai-version")


async def take(cassette: Path) -> list[Result]:
    """Record all steps into a new cassette, stop the upstream, replay them."""
    async with DemoUpstream() as upstream:
        recorded = await _run(cassette, Mode.RECORD, upstream.url)
    replayed = await _run(cassette, Mode.REPLAY, _NOWHERE)
    return [Result(*parts) for parts in zip(STEPS, recorded, replayed, strict=True)]


async def _run(cassette: Path, mode: Mode, upstream: str) -> list[Heard]:
    config = Config(cassette=str(cassette), upstream=upstream, server=Server(port=0))
    async with Proxy(config, mode) as proxy:
        return [await asyncio.to_thread(_call, proxy.url, step) for step in STEPS]


def _call(url: str, step: Step) -> Heard:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    started = time.perf_counter()
    try:
        fields = {"Content-Type": "application/json", "Authorization": "Bearer sk-demo"}
        connection.request("POST", f"{parts.path}/chat/completions", orjson.dumps(step.body), fields)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return Heard(
        status=response.status,
        kept_headers=tuple((name, response.headers.get(name, "")) for name in _KEPT),
        body=body,
        seconds=time.perf_counter() - started,
        take=response.headers.get("x-llmtape", "").partition(" ")[2],
        is_stream=response.headers.get_content_type() == SSE_TYPE,
    )
