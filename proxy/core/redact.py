"""What must not be stored, and what stands in its place.

Rule: a secret is replaced by a placeholder of the same length, so that no other byte, no length and no framing
changes; redacting twice changes nothing more. Requests are redacted before they are keyed, in every mode alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote_from_bytes, unquote_plus

from proxy.core.model import header

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from proxy.core.model import Chunk, Headers, Request

_CREDENTIAL_NAME = re.compile(r"auth|key|token|secret|credential", re.IGNORECASE)
_NO_CREDENTIALS = frozenset({"idempotency-key", "sec-websocket-key"})
CREDENTIAL_PARAMETERS = frozenset({"key", "api-key", "api_key", "apikey", "access_token", "token", "sig", "signature"})

_KEY_PARAMETERS = frozenset({"key", "api-key", "api_key", "apikey"})

SHORTEST = 8
"""Credentials of fewer bytes are dummies such as `x` or `test`, and too common in prose to replace."""

DUMMIES = frozenset(
    {b"lm-studio", b"no-key-required", b"not-needed", b"placeholder", b"sk-no-key-required", b"not-required"}
)
"""What local servers tell their users to send as a key: words, and not secret."""

_SCHEME = re.compile(r"(?:bearer|basic|token|apikey)\b:?\s*", re.IGNORECASE)
_WORD = re.compile(rb"[a-z]{1,19}")

_SHAPES: tuple[tuple[bytes, bytes], ...] = (
    # what a secret begins with (looked for first, because it is fast), and its whole shape
    (b"sk-", rb"sk-(?:proj|svcacct|admin|ant|or|None)-[A-Za-z0-9_\-]{16,}|sk-[A-Za-z0-9]{32,}"),
    (b"sk_", rb"sk_(?:live|test)_[A-Za-z0-9]{16,}"),
    (b"gsk_", rb"gsk_[A-Za-z0-9]{32,}"),
    (b"xai-", rb"xai-[A-Za-z0-9]{32,}"),
    (b"hf_", rb"hf_[A-Za-z0-9]{30,}"),
    (b"AIza", rb"AIza[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])"),
    (b"AKIA", rb"AKIA[A-Z0-9]{16}(?![A-Za-z0-9_\-])"),
    (b"gh", rb"gh[pousr]_[A-Za-z0-9]{36,}"),
    (b"github_pat_", rb"github_pat_[A-Za-z0-9_]{22,}"),
    (b"glpat-", rb"glpat-[A-Za-z0-9_\-]{20,}"),
    (b"xox", rb"xox[abeoprs]-[A-Za-z0-9\-]{10,}"),
)
# At the beginning of a word; the letter of a JSON escape such as \n is no part of one.
_NOT_WITHIN_A_WORD = rb"(?:(?<![A-Za-z0-9_\-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
# Apart from the shapes, which are found by their first letters: looking behind first is 30 times slower.
_KNOWN = tuple((start, re.compile(shape)) for start, shape in _SHAPES)
_WORD_BEGINS = re.compile(_NOT_WITHIN_A_WORD)

_MARK = b"[redacted]"


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
        body = self._shapes(_values(request.body, secrets))
        return replace(
            request,
            path=self.text(request.path, secrets),
            query=self._query(request.query, secrets),
            headers=self.headers(request.headers, secrets),
            body=body,
        )

    def text(self, value: str, secrets: Collection[bytes]) -> str:
        """Return what tells of a request, such as its URL, as it may be stored."""
        return self._shapes(_values(value.encode(), secrets)).decode()

    def headers(self, headers: Headers, secrets: Collection[bytes]) -> Headers:
        """Return header fields as they may be stored."""
        return tuple((name, _text(value, secrets)) for name, value in headers)

    def chunks(self, chunks: tuple[Chunk, ...], secrets: Collection[bytes]) -> tuple[Chunk, ...]:
        """Return a response's chunks as they may be stored: a secret may run over several of them."""
        body = b"".join(chunk.data for chunk in chunks)
        clean = _values(body, secrets)
        if self.responses:
            clean = self._shapes(clean)
        if clean == body:
            return chunks
        return _cut_alike(clean, chunks)

    def finds(self, body: bytes) -> bool:
        """Tell whether anything in the body has the shape of a secret."""
        return self._shapes(body) != body

    def _shapes(self, data: bytes) -> bytes:
        for pattern in self.patterns:  # first, since a known shape may begin where one of them ended
            data = pattern.sub(_placeholder, data)
        for start, pattern in _KNOWN:
            if start in data:
                data = pattern.sub(_placeholder_for_word, data)
        return data

    def _query(self, query: str, secrets: Collection[bytes]) -> str:
        fields = [field for field in query.split("&") if _name(field) not in CREDENTIAL_PARAMETERS]
        return self._shapes(_values("&".join(fields).encode(), secrets)).decode()


def credentials(headers: Headers, query: str = "") -> frozenset[bytes]:
    """Return the secret values that a call bears: its keys, tokens and cookies."""
    found: set[str] = set()
    for name, value in headers:
        if _CREDENTIAL_NAME.search(name) and name.lower() not in _NO_CREDENTIALS:
            found.add(_without_scheme(value))
        elif name.lower() == "cookie":
            found |= {pair.partition("=")[2].strip() for pair in value.split(";")}
    found |= {value for name, value in parse_qsl(query) if name.lower() in CREDENTIAL_PARAMETERS}
    encoded = {value.encode("utf-8", "surrogateescape") for value in found}
    return frozenset(value for value in encoded if not _is_dummy(value))


def api_key(headers: Headers, query: str = "") -> str | None:
    """Return the key that a call shows to the API, wherever it stands, without its scheme."""
    for name in ("authorization", "api-key", "x-api-key"):
        if shown := header(headers, name):
            return _without_scheme(shown)
    return next((value for name, value in parse_qsl(query) if name.lower() in _KEY_PARAMETERS), None)


def _is_dummy(value: bytes) -> bool:
    """Tell whether a credential is none: too short, a word of prose, or what a server tells its users to send."""
    return len(value) < SHORTEST or value in DUMMIES or bool(_WORD.fullmatch(value))


def _without_scheme(value: str) -> str:
    scheme = _SCHEME.match(value)
    return value[scheme.end() if scheme else 0 :].strip()


def _name(parameter: str) -> str:
    return unquote_plus(parameter.partition("=")[0]).lower()


def _values(data: bytes, secrets: Collection[bytes]) -> bytes:
    for secret in sorted(secrets, key=len, reverse=True):
        for spelt in {secret, secret.replace(b"/", rb"\/"), quote_from_bytes(secret, safe="").encode()}:
            if spelt in data:
                data = data.replace(spelt, _mark(len(spelt)))
    return data


def _text(value: str, secrets: Collection[bytes]) -> str:
    return _values(value.encode("utf-8", "surrogateescape"), secrets).decode("utf-8", "surrogateescape")


def _placeholder(match: re.Match[bytes]) -> bytes:
    return _mark(len(match[0]))


def _placeholder_for_word(match: re.Match[bytes]) -> bytes:
    return _placeholder(match) if _WORD_BEGINS.match(match.string, match.start()) else match[0]


def _mark(length: int) -> bytes:
    return _MARK.ljust(length, b"*")[:length]


def _cut_alike(body: bytes, chunks: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    cut: list[Chunk] = []
    start = 0
    for chunk in chunks:
        end = start + len(chunk.data)
        cut.append(replace(chunk, data=body[start:end]))
        start = end
    return tuple(cut)
