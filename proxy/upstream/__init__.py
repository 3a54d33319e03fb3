"""The upstream's side: the one client session.

Rule: the only room that knows aiohttp's client; its errors leave here as ours. Forwards what a client sent and
hands on what came back, less the fields that belong to one connection. Timeouts are for connecting and for
silence, never for the whole of an answer.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from proxy.core.address import upward
from proxy.core.coding import Decoder, undone
from proxy.core.errors import ConfigError, UpstreamBrokeOffError, UpstreamTimeoutError, UpstreamUnreachableError
from proxy.ports import Answer
from proxy.upstream.connection import LONGEST_HEAD, MOST_FIELDS, connector, told, unread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import SimpleNamespace

    from proxy.core.model import Headers, Request

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Source: RFC 9110, section 7.6.1, and RFC 2616, section 13.5.1."""

_OURS_UPWARD: Final = frozenset({"host", "content-length", "accept-encoding", "expect"})
"""Fields that are written anew: the body goes up whole and plain, and the answer is asked for uncompressed."""

_DROPPED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)
"""How a connection ends on which nothing came back."""

_READ_AHEAD: Final = 32 * 1024
"""How many bytes of an answer wait for a client that is slower than the upstream; twice as many stop the upstream."""

_LARGE = 2**20  # aiohttp warns of larger bytes, and writes a file in pieces


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds: for a connection to be made, and for the longest silence in an answer."""

    connect_s: float
    silence_s: float


@dataclass(slots=True)
class _Attempt:
    """What one try of a request learns about its connection."""

    reused: bool = False


class Upstream:
    """The API behind the proxy. `url` stands in for `/v1`; a `key` replaces the callers', an empty one by none."""

    def __init__(self, url: str, timeouts: Timeouts, key: str | None = None) -> None:
        self._url = parse_url(url)
        self._timeouts = timeouts
        self._key = key
        self._pooled: aiohttp.ClientSession
        self._fresh: aiohttp.ClientSession

    @property
    def shown(self) -> str:
        """The URL, for messages and for the cassette; it has no credentials."""
        return str(self._url)

    async def __aenter__(self) -> Self:
        self._pooled = self._session(force_close=False)
        self._fresh = self._session(force_close=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pooled.close()
        await self._fresh.close()

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Answer]:
        """Forward a request; leaving the context lets the connection go.

        Raises UpstreamUnreachableError or UpstreamTimeoutError where no answer began; reading the body raises
        UpstreamBrokeOffError where it ends too early.
        """
        response = await self._begin(request)
        try:
            if response.status < HTTPStatus.OK:
                raise UpstreamUnreachableError(
                    f"the upstream {self.shown} answered with status {response.status}, which is none of an answer"
                )
            codings = undone(response.headers.getall("Content-Encoding", ()))
            is_counted = request.method != "HEAD" and not codings
            yield Answer(
                status=response.status,
                reason=response.reason or "",
                headers=_downward(response, is_undone=bool(codings)),
                length=response.content_length if is_counted else None,
                body=self._body(response, Decoder(codings)),
            )
        finally:
            response.close()

    def target(self, request: Request) -> URL:
        """Tell where a request goes: the URL stands in for `/v1`, any other path is joined to its origin."""
        path = upward(request.path, self._url.raw_path)
        query = f"?{request.query}" if request.query else ""
        return URL(f"{self._url.origin()}{path}{query}", encoded=True)

    async def _begin(self, request: Request) -> aiohttp.ClientResponse:
        attempt = _Attempt()
        try:
            return await self._try(self._pooled, request, attempt)
        except _DROPPED as error:
            # Some servers drop the next request on a kept connection unanswered. Nothing came back, so it is sent
            # once more, on a connection of its own.
            if not attempt.reused:
                raise self._unreachable(error) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        try:
            return await self._try(self._fresh, request, _Attempt())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def _try(self, session: aiohttp.ClientSession, request: Request, attempt: _Attempt) -> aiohttp.ClientResponse:
        return await session.request(
            request.method,
            self.target(request),
            headers=self._upward(request.headers),
            data=BytesIO(request.body) if len(request.body) > _LARGE else request.body or None,
            allow_redirects=False,
            trace_request_ctx=attempt,
        )

    def _session(self, *, force_close: bool) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self._timeouts.connect_s, sock_read=self._timeouts.silence_s
        )
        return aiohttp.ClientSession(
            connector=connector(force_close=force_close),
            auto_decompress=False,  # it takes a compressed body that is cut off for whole
            cookie_jar=aiohttp.DummyCookieJar(),  # one client's cookies are none of the next one's
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
            timeout=timeout,
            trace_configs=[tracing],
            read_bufsize=_READ_AHEAD,
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
            max_headers=MOST_FIELDS,
        )

    def _upward(self, headers: Headers) -> CIMultiDict[str]:
        named = _named_by_connection(headers)
        kept = CIMultiDict(
            (name, _readable(value))
            for name, value in headers
            if (low := name.lower()) not in _HOP_BY_HOP
            and low not in _OURS_UPWARD
            and low not in named
            and not low.startswith("x-llmtape")
        )
        if self._key is not None:
            for name in ("authorization", "api-key"):
                kept.popall(name, None)
            if self._key:
                kept["Authorization"] = f"Bearer {self._key}"
        kept["Accept-Encoding"] = "identity"
        return kept

    async def _body(self, response: aiohttp.ClientResponse, decoder: Decoder) -> AsyncIterator[bytes]:
        broken: Exception | None = None
        try:
            async for data in response.content.iter_any():
                for piece in decoder.feed(data):
                    yield piece
            if error := response.content.exception():
                raise error
            decoder.end()
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            broken = error
        if broken is None:
            return
        if not isinstance(broken, ValueError):
            with suppress(ValueError):
                for piece in decoder.feed(unread(response.content)):
                    yield piece
        raise self._broke_off(broken) from broken

    def _broke_off(self, error: Exception) -> UpstreamBrokeOffError:
        if isinstance(error, TimeoutError):
            return UpstreamBrokeOffError(f"the upstream {self.shown} fell silent for {self._timeouts.silence_s:g} s")
        if isinstance(error, ValueError):
            return UpstreamBrokeOffError(f"the upstream {self.shown} sent {error}")
        return UpstreamBrokeOffError(
            f"the upstream {self.shown} broke off its answer: {told(error.__cause__ or error)}"
        )

    def _unreachable(self, error: BaseException) -> UpstreamUnreachableError | UpstreamTimeoutError:
        if isinstance(error, asyncio.TimeoutError):
            what = "connect" if isinstance(error, aiohttp.ConnectionTimeoutError) else "answer"
            limit = self._timeouts.connect_s if what == "connect" else self._timeouts.silence_s
            return UpstreamTimeoutError(
                f"the upstream {self.shown} did not {what} within {limit:g} s (the limits are in [timeouts])"
            )
        if isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
            return UpstreamUnreachableError(f"the upstream {self.shown} answered with what is no HTTP: {told(error)}")
        if isinstance(error, _DROPPED) and not isinstance(error, aiohttp.ClientConnectorError):
            return UpstreamUnreachableError(
                f"the upstream {self.shown} ended the connection without an answer: {told(error)}"
            )
        return UpstreamUnreachableError(
            f"cannot reach the upstream {self.shown}: {told(error)}. Is the URL right (--upstream), and the server up?"
        )


def parse_url(url: str) -> URL:
    """Parse an upstream's URL. Raises ConfigError where it is none that can be called."""
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigError(f"upstream {url!r} is no URL: say https://HOST/v1, or demo for the embedded one")
    if parsed.user or parsed.password or parsed.query_string or parsed.fragment:
        raise ConfigError(
            f"the upstream's URL at {parsed.host} may have a path, and no credentials, query or fragment: clients send "
            "their own with each request"
        )
    return parsed


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True


def _named_by_connection(headers: Headers) -> frozenset[str]:
    values = [value for name, value in headers if name.lower() == "connection"]
    return frozenset(name.strip().lower() for value in values for name in value.split(","))


def _fields(response: aiohttp.ClientResponse) -> Headers:
    return tuple(
        (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
        for name, value in response.raw_headers
    )


def _downward(response: aiohttp.ClientResponse, *, is_undone: bool) -> Headers:
    """Return the fields that go on to the client; the body's framing is written anew, its coding is undone."""
    headers = _fields(response)
    dropped = _HOP_BY_HOP | _named_by_connection(headers) | {"content-length", "x-llmtape"}
    if is_undone:
        dropped |= {"content-encoding"}
    return tuple((name, value) for name, value in headers if name.lower() not in dropped)


def _readable(value: str) -> str:
    """Return a field whose bytes are no UTF-8 as the Latin-1 that it is: aiohttp would drop those bytes."""
    raw = value.encode("utf-8", "surrogateescape")
    return value if value.isascii() or raw.decode("utf-8", "ignore") == value else raw.decode("latin-1")
