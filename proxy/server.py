"""The composition root: from a Config to a listening proxy.

Rule: everything is put together here and nowhere else; in replay no upstream client is made at all, unless who runs
the proxy in its own process asks for one with `allow`. On the low-level server of aiohttp.web, since a reverse proxy
has no routes: a target's first segment says where it goes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from aiohttp import web

from proxy import __version__
from proxy.capture import Keeping
from proxy.cassette.shelf import Shelf
from proxy.config import DEMO, Config, places
from proxy.control import Control
from proxy.core import pace, refusal
from proxy.core.address import parse
from proxy.core.deck import Deck
from proxy.core.errors import (
    BadAddressError,
    CassetteMissingError,
    CassetteOutOfReachError,
    ClientGoneError,
    ForbiddenError,
    LlmtapeError,
    ServerError,
)
from proxy.core.guard import Guard
from proxy.core.ledger import Fate, Ledger
from proxy.core.model import Headers, Request
from proxy.core.modes import Mode, calls_upstream, looks_up, records
from proxy.core.redact import credentials, redactor
from proxy.downstream import Downstream
from proxy.downstream.connection import Server
from proxy.downstream.receiving import headers_of, read_body
from proxy.exchange import Exchange
from proxy.lanes import Lanes, Policy
from proxy.receipts import Receipts
from proxy.watch import Watch

if TYPE_CHECKING:
    from proxy.cassette.writer import Run
    from proxy.core.model import Headers
    from proxy.core.receipt import Receipt
    from proxy.upstream import Upstream

log = logging.getLogger("llmtape")

_TUNNEL = "CONNECT"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  where to call a proxy that listens on all addresses


class Proxy:
    """A proxy that listens from `__aenter__` to `__aexit__`, on `server.port` or, where that is 0, a free one.

    Entering raises ServerError where it cannot listen, CassetteError where the default cassette cannot be used,
    ConfigError where the upstream's URL is none. Leaving waits `server.drain_s` for running answers to end, and
    brings all cassettes to rest.

    The default cassette is opened at once; with `needs_default` false it may be missing where there are others in the
    folder, and with None it is opened only when asked for. `recorder` is the command that misses name, where it is
    not `llmtape auto`.
    """

    def __init__(
        self,
        config: Config,
        mode: Mode,
        *,
        upstream_key: str | None = None,
        needs_default: bool | None = True,
        recorder: str = "",
    ) -> None:
        self.config = config
        self.mode = mode
        self.ledger = Ledger()
        self.port = 0
        self._upstream_key = upstream_key if config.server.token else None
        self._needs_default = needs_default
        self._recorder = recorder
        self._redactor = redactor(config.redact.patterns, responses=config.redact.responses)
        self._guard = Guard(frozenset(config.server.hosts), config.server.token)
        self._stack = AsyncExitStack()
        self._running: set[asyncio.Task[None]] = set()
        self._upstreams = AsyncExitStack()
        self._upstream: Upstream | None = None
        self._shelf: Shelf
        self._exchange: Exchange
        self._control: Control
        self._receipts: Receipts
        self.lanes: Lanes

    @property
    def url(self) -> str:
        """The base URL that clients are pointed to."""
        host = _ANYWHERE.get(self.config.server.host, self.config.server.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/v1"

    @property
    def running(self) -> int:
        """How many answers are on their way."""
        return len(self._running)

    @property
    def receipt(self) -> Receipt:
        """What this run did; with the cassettes' digests once it has ended, since then they are at rest."""
        return self._receipts.receipt

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self._shelf = shelf = self._open_shelf()
            stack.callback(shelf.close)
            self.lanes = Lanes(self._policy(), shelf, self.ledger, patience_s=self.config.server.drain_s)
            self._receipts = Receipts(self.mode, shelf, self.ledger, self.lanes)
            stack.callback(self._receipts.gather)
            stack.callback(self.lanes.close)
            self._exchange = Exchange(self.lanes, shelf, self.ledger, clock=_microseconds, sleep=asyncio.sleep)
            self._control = Control(self.lanes, shelf, self.ledger, self.config.rules, lambda: self.url)
            self._upstreams = await stack.enter_async_context(AsyncExitStack())
            await self.allow(self.mode)
            self._check_default(shelf)
            await self._listen(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._receipts.seal()

    async def allow(self, mode: Mode) -> None:
        """Open what a mode wants beside what is open: an upstream, and what recordings are stored under.

        For who runs the proxy in its own process; nobody can ask for it over HTTP. Raises ConfigError where the
        upstream's URL is none.
        """
        if not calls_upstream(mode):
            return
        if self._upstream is None:
            self._upstream = self._exchange.sender = await self._open_upstream()
            self.lanes.has_upstream = True
        if records(mode) and self._shelf.run is None:
            self._shelf.run = self._run(self._upstream, mode)
            self._exchange.watch = Watch(self.config.rules)
            self._upstreams.callback(self._exchange.watch.close)

    async def _open_upstream(self) -> Upstream:
        from proxy.upstream import Timeouts, Upstream  # noqa: PLC0415  in replay it is not even imported

        url = self.config.upstream
        if url == DEMO:
            from proxy.demo.upstream import DemoUpstream  # noqa: PLC0415  few sessions want it

            url = (await self._upstreams.enter_async_context(DemoUpstream())).url
        limits = self.config.timeouts
        key = self._upstream_key or ("" if self.config.server.token else None)
        upstream = Upstream(url, Timeouts(limits.connect_s, limits.silence_s), key)
        return await self._upstreams.enter_async_context(upstream)

    def _open_shelf(self) -> Shelf:
        config, replay = self.config, self.config.replay
        return Shelf(
            Path(config.cassette),
            Path(config.cassette_dir),
            mode=self.mode,
            deck=lambda: Deck(replay.repeats, replay.incomplete),
            rules=config.rules,
        )

    def _run(self, upstream: Upstream, mode: Mode) -> Run:
        from proxy.cassette.writer import Run  # noqa: PLC0415  it imports SQLAlchemy

        return Run(
            started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            mode=mode,
            upstream=DEMO if self.config.upstream == DEMO else self._redactor.text(upstream.shown, self._own_secrets()),
            llmtape_version=__version__,
            replaces=not looks_up(mode),
        )

    def _check_default(self, shelf: Shelf) -> None:
        """Open the default cassette now, so that what is wrong with it is told at the start."""
        if self.mode is Mode.PASSTHROUGH or self._needs_default is None:
            return
        try:
            if trouble := shelf.tape("").trouble:
                raise CassetteOutOfReachError(trouble)
        except CassetteMissingError:
            if self._needs_default or not any(Path(self.config.cassette_dir).rglob("*.sqlite")):
                raise

    def _own_secrets(self) -> frozenset[bytes]:
        """Return what callers show to us, and we to the upstream."""
        return frozenset(secret.encode() for secret in (self._upstream_key, self.config.server.token) if secret)

    def _policy(self) -> Policy:
        config = self.config
        kept = frozenset(name.lower() for name in config.record.keep_headers)
        return Policy(
            self.mode,
            pace.parse(config.replay.pace),
            Keeping(
                config.record.errors,
                kept,
                self._redactor,
                config.record.answer_limit,
                int(config.record.linger_s * 1_000_000),
            ),
            config.rules,
            places(),
            self._own_secrets(),
            recorder=self._recorder,
        )

    async def _listen(self, stack: AsyncExitStack) -> None:
        server = self.config.server
        runner = web.ServerRunner(
            Server(self._handle),
            shutdown_timeout=1.0,  # by then `_drain` has waited
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, server.host, server.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise ServerError(
                f"cannot listen on {server.host}:{server.port}: {error.strerror or error}. Name another port with "
                "--port, or 0 for a free one"
            ) from error
        stack.push_async_callback(self._drain, site, runner)
        self.port = runner.addresses[0][1]

    async def _drain(self, site: web.TCPSite, runner: web.ServerRunner) -> None:
        """Take no more connections, and wait `drain_s` for running answers; recordings whose client left are some."""
        await site.stop()
        if runner.server is not None:  # a connection that is kept ends now where it is idle, else with its answer
            runner.server.pre_shutdown()
        self.lanes.stop_stalls()
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.config.server.drain_s
        while self._running and (left_s := deadline - clock()) > 0:  # some came just before nobody listened any more
            await asyncio.wait(self._running, timeout=left_s)
        running = tuple(self._running)
        for answer in running:
            answer.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        """Answer in a task of its own: aiohttp cancels ours when the client leaves, and a recording goes on."""
        client = Downstream(raw)
        answer = asyncio.create_task(self._serve(raw, client))
        self._running.add(answer)
        answer.add_done_callback(self._running.discard)
        try:
            await asyncio.shield(answer)
        except asyncio.CancelledError:
            if not client.outlived:
                answer.cancel()
            raise
        return client

    async def _serve(self, raw: web.BaseRequest, client: Downstream) -> None:
        try:
            await self._answer(raw, client)
        except ClientGoneError:
            log.debug("the client left before its answer")
        except asyncio.CancelledError:
            if client.started:  # it must not take what it has for the whole
                await client.abort()
            raise
        except LlmtapeError as error:
            query = raw.raw_path.partition("?")[2]
            told = self._redactor.text(str(error), credentials(headers_of(raw), query) | self._own_secrets())
            log.warning("%s", told)
            if not isinstance(error, ForbiddenError):
                self.ledger.fail()
            if client.started:
                await client.abort()
            else:
                status, fields, body = refusal.answer(error, told)
                with suppress(ClientGoneError):
                    await _answer_with(client, status, (*fields, ("x-llmtape", Fate.NOT_RECORDED.value)), body)

    async def _answer(self, raw: web.BaseRequest, client: Downstream) -> None:
        headers = headers_of(raw)
        self._guard.check(headers, raw.raw_path)
        if raw.method == _TUNNEL:
            raise BadAddressError("CONNECT asks for a tunnel to another host, and this is no proxy for any")
        address = parse(raw.raw_path)
        headers, body = await read_body(raw, headers, self.config.server.body_limit)
        if address.is_control:
            await _answer_with(client, *await self._control.answer(raw.method, address, body))
            return
        request = Request(raw.method, address.path, address.query, headers, body)
        await self._exchange.answer(request, address, client)


async def _answer_with(client: Downstream, status: int, headers: Headers, body: bytes) -> None:
    client.start(status, headers, length=len(body))
    await client.write([body], last=True)


def _microseconds() -> int:
    return time.monotonic_ns() // 1000
