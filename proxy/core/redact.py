"""What must not be stored, and what stands in its place.

Rule: a secret is replaced by a placeholder of the same length, so that no other byte, no length and no framing
changes; redacting twice changes nothing more. Requests are redacted before they are keyed, in every mode alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from proxy.core import disguises, shapes, strewn
from proxy.core.credentials import PARAMETERS, SHORTEST, api_key, credentials
from proxy.core.disguises import Span, mark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from proxy.core.model import Chunk, Headers, Request, Response

__all__ = ["CREDENTIAL_PARAMETERS", "SHORTEST", "Redactor", "api_key", "credentials", "redactor"]

CREDENTIAL_PARAMETERS = PARAMETERS

_OURS = "llmtape:"
"""What recording adds to a request's fields: digests, and folders by which keys are made."""


def redactor(patterns: Iterable[str], *, responses: bool = False) -> Redactor:
    """Make a redactor of the config's settings; the patterns are regular expressions that compile."""
    return Redactor(tuple(re.compile(pattern.encode()) for pattern in patterns), responses)


@dataclass(frozen=True, slots=True)
class Redactor:
    """The one function, with what the config adds to it.

    `patterns` are the user's own, matched in stored requests, and with `responses` in stored responses too.
    """

    patterns: Sequence[re.Pattern[bytes]] = ()
    responses: bool = False

    def request(self, request: Request, secrets: Collection[bytes]) -> Request:
        """Return the request as it may be keyed and stored; `secrets` are credentials."""
        return replace(
            request,
            path=self.text(request.path, secrets),
            query=self._query(request.query, secrets),
            headers=tuple(
                (name, value if name.startswith(_OURS) else self.text(value, secrets))
                for name, value in request.headers
            ),
            body=self._clean(request.body, secrets, shapes_too=True),
        )

    def text(self, value: str, secrets: Collection[bytes]) -> str:
        """Return what tells of a request, such as its URL or an error's text, as it may be stored and told."""
        return self._text(value, secrets, shapes_too=True)

    def headers(self, headers: Headers, secrets: Collection[bytes]) -> Headers:
        """Return a response's header fields as they may be stored."""
        return tuple((name, self._text(value, secrets, shapes_too=self.responses)) for name, value in headers)

    def chunks(self, chunks: tuple[Chunk, ...], secrets: Collection[bytes]) -> tuple[Chunk, ...]:
        """Return a response's chunks as they may be stored: a secret may run over several of them, or over events."""
        body = b"".join(chunk.data for chunk in chunks)
        clean = self._answer(body, secrets, shapes_too=self.responses)
        return chunks if clean == body else _cut_alike(clean, chunks)

    def response(self, response: Response, secrets: Collection[bytes] = ()) -> Response:
        """Return a response as it may be stored."""
        headers, chunks = self.headers(response.headers, secrets), self.chunks(response.chunks, secrets)
        if headers == response.headers and chunks is response.chunks:
            return response
        return replace(response, headers=headers, chunks=chunks)

    def finds(self, body: bytes) -> bool:
        """Tell whether anything in a body has the shape of a secret, be it spelt over the events of a stream."""
        return self._shapes(body) != body or any(self._shapes(text) != text for text in strewn.texts(body))

    def _text(self, value: str, secrets: Collection[bytes], *, shapes_too: bool) -> str:
        data = value.encode("utf-8", "surrogateescape")
        return self._clean(data, secrets, shapes_too=shapes_too).decode("utf-8", "surrogateescape")

    def _answer(self, body: bytes, secrets: Collection[bytes], *, shapes_too: bool) -> bytes:
        # What runs over events comes first: of a shape that does, the part in one event may have it, too.
        clean = partial(self._clean, secrets=secrets, shapes_too=shapes_too)
        return clean(strewn.cleaned(body, clean) if secrets or shapes_too else body)

    def _clean(self, data: bytes, secrets: Collection[bytes], *, shapes_too: bool) -> bytes:
        data = disguises.replaced(data, disguises.spans(data, secrets))
        return self._shapes(data) if shapes_too else data

    def _shapes(self, data: bytes) -> bytes:
        for pattern in self.patterns:  # first, since a known shape may begin where one of them ended
            data = pattern.sub(lambda match: mark(len(match[0])), data)
        return disguises.replaced(data, (Span(start, end, mark) for start, end in shapes.spans(data)))

    def _query(self, query: str, secrets: Collection[bytes]) -> str:
        fields = [field for field in query.split("&") if _name(field) not in PARAMETERS]
        return self.text("&".join(fields), secrets)


def _name(parameter: str) -> str:
    return unquote_plus(parameter.partition("=")[0]).lower()


def _cut_alike(body: bytes, chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    cut: list[Chunk] = []
    start = 0
    for chunk in chunks:
        end = start + len(chunk.data)
        cut.append(replace(chunk, data=body[start:end]))
        start = end
    return tuple(cut)
