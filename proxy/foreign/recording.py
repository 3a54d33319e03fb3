"""What another tool recorded becomes a recording of ours.

Rule: everything goes the way that a recording goes: the same fields are kept, the same is redacted, the same answers
are not stored. Credentials are those that the entry itself bears: it was written by a tool that keeps them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from proxy.core import address, keep, sse
from proxy.core.completion import CHAT_PATH, judge
from proxy.core.credentials import Seen, credentials
from proxy.core.errors import BadAddressError
from proxy.core.marks import marks
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track, Variant, header, is_stream
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor
from proxy.foreign.coding import decoded

if TYPE_CHECKING:
    from collections.abc import Collection

    from proxy.core.rules import Rules
    from proxy.foreign.exchange import Exchange, Told

_AZURE: Final = "/openai/deployments/"
_MOUNT: Final = "/v1"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What of an exchange is kept, as the config says it for recordings. `now` is when it is imported."""

    now: str
    errors: keep.Errors = keep.Errors.STABLE
    headers: Collection[str] = ()
    redactor: Redactor = field(default_factory=Redactor)


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording, and the URL that stood in for `/v1`."""

    interaction: Interaction
    upstream: str


class PassedOverError(ValueError):
    """An entry that is not imported, and why: none of its faults, just not what a cassette holds."""


class Recorder:
    """Makes recordings of exchanges, takes numbered in their order."""

    def __init__(self, keeping: Keeping, rules: Rules) -> None:
        self._keeping = keeping
        self._rules = rules
        self._numbers: Counter[Track] = Counter()
        self._seen = Seen()

    def take(self, told: Told) -> Taken:
        """Make a recording. Raises PassedOverError for what is none, ValueError for an entry that cannot be read."""
        upstream, target = _addressed(told)
        exchange = told.read()
        if not keep.is_recorded(exchange.status, self._keeping.errors):
            raise PassedOverError(f"answered {exchange.status}, which is not recorded")
        secrets = self._seen.add(_secrets(exchange))
        request = self._request(exchange, target, secrets)
        canonical = normalize(request, self._rules)
        track = Track(canonical.key, canonical.variant)
        response = self._response(exchange, request.path, track.variant, secrets)
        self._numbers[track] += 1
        recorded_at = exchange.recorded_at or self._keeping.now
        interaction = Interaction(track, self._numbers[track], recorded_at, request, response, canonical.content)
        return Taken(interaction, self._keeping.redactor.text(upstream, secrets))

    def _request(self, exchange: Exchange, target: address.Address, secrets: frozenset[bytes]) -> Request:
        headers = exchange.request_headers
        body = decoded(exchange.request_body, header(headers, "content-encoding") or "")
        request = Request("POST", target.path, target.query, headers, body)
        clean = self._keeping.redactor.request(request, secrets)
        return replace(clean, headers=keep.of_request(clean.headers) + marks(headers, target.query, self._rules, ()))

    def _response(self, exchange: Exchange, path: str, variant: Variant, secrets: frozenset[bytes]) -> Response:
        redactor = self._keeping.redactor
        coded = "content-encoding"  # and undone
        headers = tuple(field for field in exchange.response_headers if field[0].lower() != coded)
        was_asked = variant is not Variant.JSON
        response = Response(
            status=exchange.status,
            headers=redactor.headers(keep.of_response(headers, self._keeping.headers), secrets),
            chunks=redactor.chunks(_chunks(exchange, was_asked=was_asked), secrets),
            outcome=Outcome.COMPLETE,
            first_byte_us=exchange.first_byte_us,
            duration_us=exchange.duration_us,
            was_asked_as_stream=was_asked,
        )
        return replace(response, outcome=judge(response, path))


def _addressed(told: Told) -> tuple[str, address.Address]:
    """Tell a call's upstream, and where it goes here: what stands before the endpoint is the client's base URL.

    Azure's names the deployment, and stays.
    """
    url = urlsplit(told.url)
    if told.method.upper() != "POST" or not address.fold(url.path).endswith(CHAT_PATH):
        raise PassedOverError("no chat completion")
    path = address.fold(url.path)
    before, azure, deployment = path.partition(_AZURE)
    base, own = (before, azure + deployment) if azure else (path.removesuffix(CHAT_PATH), _MOUNT + CHAT_PATH)
    host = url.netloc.rpartition("@")[2]
    try:
        return f"{url.scheme}://{host}{base}", address.parse(f"{own}?{url.query}")
    except BadAddressError as error:
        raise ValueError(str(error)) from error


def _secrets(exchange: Exchange) -> frozenset[bytes]:
    url = urlsplit(exchange.url)
    within = (("authorization", url.password),) if url.password else ()
    return credentials((*exchange.request_headers, *within), url.query)


def _chunks(exchange: Exchange, *, was_asked: bool) -> tuple[Chunk, ...]:
    """Cut a body as it is recorded; when each event came is not known, so they are spread over the time it took."""
    headers = exchange.response_headers
    body = decoded(exchange.response_body, header(headers, "content-encoding") or "")
    if not is_stream(exchange.status, headers, was_asked=was_asked):
        return (Chunk(exchange.duration_us, body),) if body else ()
    events = sse.split(body)
    took = max(0, exchange.duration_us - exchange.first_byte_us)
    return tuple(
        Chunk(exchange.first_byte_us + took * place // len(events), event) for place, event in enumerate(events, 1)
    )
