"""What a call shows to prove whose it is.

Rule: rather one value too many than one too few; but what no secret can be (a word, a short number, what local servers
tell their users to send) is none, since it is common in prompts and answers, which must stay as they are.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64Error
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from proxy.core import shapes
from proxy.core.disguises import MARK
from proxy.core.model import header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.model import Headers

SHORTEST: Final = 8
"""Credentials of fewer bytes are dummies such as `x` or `test`, and too common in prose to replace."""

PARAMETERS: Final = frozenset(
    {
        *("key", "api-key", "api_key", "apikey", "x-api-key", "subscription-key"),
        *("token", "access_token", "access-token", "auth_token", "id_token", "refresh_token", "authorization"),
        *("sig", "signature", "client_secret", "password"),
        *("x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential"),
    }
)
"""Query parameters that bear credentials, in lower case. `page_token` and its like tell what is asked."""

REMEMBERED: Final = 256
"""How many callers' credentials are remembered: the more, the longer each text takes to look through."""

_API_KEYS: Final = frozenset({"key", "api-key", "api_key", "apikey"})

# Names of header fields. An author is no authorization, a tokenizer no token, a keyword no key; tokens are counted.
_NAME: Final = re.compile(
    r"auth(?!or(?!i))|key(?!word|board)|token(?!i|s)|secret|credential|passw|passphrase|pwd|jwt|bearer|signature|csrf|xsrf"
    r"|(?:^|[-_])(?:pat|sig)(?:$|[-_])",
    re.IGNORECASE,
)
_NO_CREDENTIALS: Final = frozenset({"idempotency-key", "sec-websocket-key"})
_AUTHORIZATIONS: Final = frozenset({"authorization", "proxy-authorization"})
_ACCOUNTS: Final = frozenset({"openai-organization", "openai-project"})
_ACCOUNT: Final = re.compile(r"(?:org|proj)[-_][A-Za-z0-9_\-]{8,}")

_SCHEME: Final = re.compile(r"(?:bearer|basic|token|apikey)\b:?\s*", re.IGNORECASE)
_ANY_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*:?[ \t]+")
_BASIC: Final = re.compile(r"basic\s+", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'([A-Za-z_\-]+)=(?:"([^"]*)"|([^\s,;"]+))')
_SECRET_PARAMETER: Final = re.compile(
    r"^(?:response|mac|sig)$|signature|credential|token|key|secret|password", re.IGNORECASE
)

_DUMMIES: Final = frozenset(
    {b"lm-studio", b"no-key-required", b"not-needed", b"placeholder", b"sk-no-key-required", b"not-required"}
)
_WORD: Final = re.compile(rb"[a-z]{1,19}")
_NUMBER: Final = re.compile(rb"[0-9.]{1,19}")
"""What a time, a size or a version may be: as a number in JSON it must stay one."""
_SETTING: Final = re.compile(r"[A-Za-z]{1,19}(?:[-_/ .][A-Za-z]{1,19})*")
"""What a cookie may hold that is no credential, such as a time zone."""


def credentials(headers: Headers, query: str = "") -> frozenset[bytes]:
    """Return the secret values that a call bears: its keys, tokens, passwords and cookies, and whose account it is."""
    found = {*_in_query(query), *_in_shape(headers)}
    for name, value in headers:
        found.update(_in_field(name.lower(), value.strip()))
    found |= {unquote(value, errors="surrogateescape") for value in found if "%" in value}
    encoded = {value.strip().encode("utf-8", "surrogateescape") for value in found}
    return frozenset(value for value in encoded if not _is_dummy(value))


def api_key(headers: Headers, query: str = "") -> str | None:
    """Return the key that a call shows to the API, wherever it stands, without its scheme."""
    for name in ("authorization", "api-key", "x-api-key"):
        if shown := header(headers, name):
            return _without_scheme(shown)
    return next((value for name, value in parse_qsl(query) if name.lower() in _API_KEYS), None)


class Seen:
    """The credentials that callers have shown: a later caller's prompt or answer may hold an earlier one's.

    Those that were not shown for the longest time are forgotten, so that callers who show another one with each call
    do not make a proxy slow that runs for weeks.
    """

    __slots__ = ("_latest", "_most")

    def __init__(self, most: int = REMEMBERED) -> None:
        self._latest: dict[bytes, None] = {}
        self._most = most

    def add(self, shown: Iterable[bytes]) -> frozenset[bytes]:
        """Remember what a call shows; return that, and all that is remembered."""
        shown = frozenset(shown)
        for secret in shown:
            self._latest.pop(secret, None)
            self._latest[secret] = None
        while len(self._latest) > self._most:
            del self._latest[next(iter(self._latest))]
        return self.all | shown

    @property
    def all(self) -> frozenset[bytes]:
        """All that is remembered."""
        return frozenset(self._latest)


def _in_field(name: str, value: str) -> Iterator[str]:
    """Yield the credentials in one header field; `name` is in lower case."""
    if name == "cookie":
        yield from (found for pair in value.split(";") if not _SETTING.fullmatch(found := _cookie(pair)))
    elif name in _ACCOUNTS:
        if _ACCOUNT.fullmatch(value):
            yield value
    elif _NAME.search(name) and name not in _NO_CREDENTIALS:
        yield from _in_value(value, is_authorization=name in _AUTHORIZATIONS)


def _in_value(value: str, *, is_authorization: bool) -> Iterator[str]:
    if basic := _BASIC.match(value):
        yield from _in_basic(value[basic.end() :])
    scheme = (_ANY_SCHEME if is_authorization else _SCHEME).match(value)
    shown = value[scheme.end() if scheme else 0 :]
    yield shown
    if is_authorization:  # of the schemes that have parameters, such as those of AWS
        for name, quoted, bare in _PARAMETER.findall(shown):
            if _SECRET_PARAMETER.search(name):
                yield quoted or bare


def _in_basic(encoded: str) -> Iterator[str]:
    """Yield what stands in base64 there: user and password together, and the one that is the secret."""
    try:
        pair = b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
    except (NotBase64Error, ValueError):
        return
    user, _, password = pair.partition(":")
    yield pair
    yield password or user
    if _is_dummy(password.encode("utf-8", "surrogateescape")):  # a key in the place of the user, as Stripe has it
        yield user


def _in_query(query: str) -> Iterator[str]:
    if query:
        yield from (value for name, value in parse_qsl(query) if name.lower() in PARAMETERS)


def _in_shape(headers: Headers) -> Iterator[str]:
    """Yield what has the shape of a secret, in a field of whatever name."""
    values = "\n".join(value for _, value in headers).encode("utf-8", "surrogateescape")
    for start, end in shapes.spans(values):
        yield values[start:end].decode("utf-8", "surrogateescape")


def _cookie(pair: str) -> str:
    return pair.partition("=")[2].strip().strip('"')


def _without_scheme(value: str) -> str:
    scheme = _SCHEME.match(value)
    return value[scheme.end() if scheme else 0 :].strip()


def _is_dummy(value: bytes) -> bool:
    """Tell whether a credential is none: too short, a word, a number, what servers tell their users, or redacted."""
    return (
        len(value) < SHORTEST
        or value in _DUMMIES
        or value.startswith(MARK[: len(value)])
        or bool(_WORD.fullmatch(value) or _NUMBER.fullmatch(value))
    )
