"""The embedded upstream: a server on loopback that stands in for the real API.

One rule: it counts what reaches it, requests and connections, so that a test can prove that nothing did.

    async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
        client = AsyncOpenAI(base_url=upstream.url, api_key="demo")
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Self

from aiohttp import web

from proxy.demo.endpoints import application
from proxy.demo.tempo import Tempo

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp.typedefs import Handler

__all__ = ["DemoUpstream", "Tempo"]

# Answers that are still being written when the server closes are cut off after this long.
_GRACE_S = 0.1


class DemoUpstream:
    """A server that speaks the chat completions API, and whose model is made of chance.

    No two of its answers are alike, so that a replay cannot be taken for a new one; with a seed, the answers of one
    server are those of the next.
    """

    def __init__(self, *, port: int = 0, tempo: Tempo | None = None, seed: int | None = None) -> None:
        self.port = port
        self.requests = 0
        self.connections = 0
        app = application(tempo or Tempo(), Random(seed))  # noqa: S311 - chance, not secrecy
        app.middlewares.insert(0, self._count)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S)
        self._listener: asyncio.Server | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port; Azure's paths begin here."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base URL for a client; it stays the same after the server is closed."""
        return f"{self.origin}/v1"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        # Asked for a protocol once a connection, which is what no hook of aiohttp's would tell.
        self.connections += 1
        if self._runner.server is None:
            raise RuntimeError("connections are accepted only after setup")
        return self._runner.server()

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.requests += 1
        return await handler(request)
