"""The API's endpoints, and what all of them have in common: keys, headers, the shape of errors.

One rule: to a client this is the real thing, down to the wording; a client that leaves in the middle of an answer is
nobody's error.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import web

from proxy.demo import faults, models, wire
from proxy.demo.chat import read_chat
from proxy.demo.composer import Composer
from proxy.demo.embeddings import embed
from proxy.demo.faults import ApiError
from proxy.demo.tempo import Metronome

if TYPE_CHECKING:
    from random import Random

    from aiohttp.typedefs import Handler

    from proxy.demo.chat import StreamOptions
    from proxy.demo.completion import Completion
    from proxy.demo.tempo import Tempo

_LOG = logging.getLogger(__name__)
_LARGEST_BODY = 1 << 30
_STARTED = web.RequestKey("started", float)
_EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_STANDING = {
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "10000",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-requests": "9999",
    "x-ratelimit-remaining-tokens": "199950",
    "x-ratelimit-reset-requests": "6ms",
    "x-ratelimit-reset-tokens": "15ms",
}


def application(tempo: Tempo, random: Random) -> web.Application:
    """Put the endpoints together, at the paths of the API, of clients without `/v1`, and of Azure."""
    endpoints = _Endpoints(tempo, random)
    app = web.Application(middlewares=[_in_the_apis_words, _with_a_key], client_max_size=_LARGEST_BODY)
    app.on_response_prepare.append(endpoints.sign)
    for mount in ("/v1", ""):
        app.router.add_post(f"{mount}/chat/completions", endpoints.chat)
        app.router.add_post(f"{mount}/embeddings", endpoints.embeddings)
        app.router.add_get(f"{mount}/models", endpoints.list_models)
        app.router.add_get(f"{mount}/models/{{model:.+}}", endpoints.show_model)
    app.router.add_post("/openai/deployments/{model}/chat/completions", endpoints.chat)
    return app


class _Endpoints:
    """The handlers, with the little they remember."""

    def __init__(self, tempo: Tempo, random: Random) -> None:
        self._tempo = tempo
        self._random = random
        self._composer = Composer(random)
        self._just_limited = False

    async def chat(self, request: web.Request) -> web.StreamResponse:
        metronome = Metronome(self._tempo)
        body = await _read_object(request)
        if deployment := request.match_info.get("model"):
            body["model"] = deployment
        asked = read_chat(body)
        self._misbehave(asked.model)
        completion = self._composer.compose(asked)
        if asked.stream is not None:
            return await self._stream(request, completion, asked.stream, metronome)
        await metronome.until(completion.tokens)
        return _json(wire.plain_body(completion))

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        return _json(embed(await _read_object(request)))

    async def list_models(self, _request: web.Request) -> web.StreamResponse:
        return _json(models.listing())

    async def show_model(self, request: web.Request) -> web.StreamResponse:
        return _json(models.entry(request.match_info["model"]))

    async def sign(self, request: web.Request, response: web.StreamResponse) -> None:
        """Put on the headers that every answer bears."""
        elapsed = time.perf_counter() - request[_STARTED]
        response.headers.update(_STANDING)
        response.headers["x-request-id"] = f"req_{self._random.getrandbits(128):032x}"
        response.headers["openai-processing-ms"] = str(round(elapsed * 1000))

    async def _stream(
        self, request: web.Request, completion: Completion, options: StreamOptions, metronome: Metronome
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_EVENT_STREAM)
        await response.prepare(request)
        for number, chunk in enumerate(wire.chunks(completion, options, self._random)):
            # Several choices are written side by side, not one after the other.
            await metronome.until(number // len(completion.choices))
            await response.write(wire.event(chunk))
        await response.write(wire.DONE)
        await response.write_eof()
        return response

    def _misbehave(self, model: str) -> None:
        """Fail, where the model is one that fails on purpose."""
        if model == models.LIMITED:
            raise faults.rate_limited(model)
        if model == models.LIMITED_ONCE:
            self._just_limited = not self._just_limited
            if self._just_limited:
                raise faults.rate_limited(model)
        if model == models.BROKEN:
            raise faults.server_error()


@web.middleware
async def _in_the_apis_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure in the API's shape."""
    request[_STARTED] = time.perf_counter()
    try:
        return await handler(request)
    except ApiError as error:
        fault = error.fault
    except web.HTTPNotFound:
        fault = faults.unknown_url(request.method, request.path).fault
    except web.HTTPMethodNotAllowed:
        fault = faults.wrong_method(request.method, request.path).fault
    except ConnectionError:
        return web.Response()  # the client has left: nobody reads this, and aiohttp would log an exception
    except Exception:  # noqa: BLE001 - a server answers 500, whatever went wrong in it
        _LOG.exception("the embedded upstream failed")
        fault = faults.server_error().fault
    return _json(fault.body(), fault.status, fault.headers)


@web.middleware
async def _with_a_key(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let nobody in without a key; but say of a wrong address first that it is wrong."""
    if request.match_info.http_exception is None:
        _check_key(request)
    return await handler(request)


def _check_key(request: web.Request) -> None:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
    key = bearer or request.headers.get("api-key", "").strip()
    if not key:
        raise faults.no_key()
    if "invalid" in key:
        raise faults.wrong_key(key)


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise faults.not_json() from None
    if not isinstance(body, dict):
        raise faults.not_json()
    return body


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> web.StreamResponse:
    return web.Response(body=wire.encode(value), status=status, headers=headers, content_type="application/json")
