"""What a recording keeps of a call's surroundings, so that its key can be made again anywhere.

Rule: kept only where a rule asks for it, among the stored header fields, under names that no client can send (no field
has a colon in its name). Of a header or an API key only a digest is kept, never the value.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from proxy.core.model import header
from proxy.core.redact import api_key
from proxy.core.scrubbers import HOME, WORKDIR

if TYPE_CHECKING:
    from proxy.core.model import Headers
    from proxy.core.rules import Rules

_API_KEY: Final = "llmtape:api-key"
_HEADER: Final = "llmtape:header:"
_PLACE: Final = "llmtape:"
_DIGITS: Final = 16
"""Hexadecimal digits of a digest: enough to tell values apart, too few to prove a guess of a weak one."""

Places = tuple[tuple[str, str], ...]
"""Folders by the name of the scrubber that takes them: `workdir` and `home`."""


def marks(headers: Headers, query: str, rules: Rules, here: Places) -> Headers:
    """Return the fields to keep beside a request's own; `here` are the folders of this process."""
    kept = [(_HEADER + name.lower(), digest) for name in rules.headers if (digest := _digest_of(headers, name))]
    if rules.api_key and (key := api_key(headers, query)):
        kept.append((_API_KEY, _digest(key)))
    kept += [(_PLACE + name, place) for name, place in here if name in rules.scrub]
    return tuple(kept)


def placed(headers: Headers, here: Places) -> Headers:
    """Return a request's fields with all folders of this process, for rules that may come to ask for them."""
    return (*headers, *((_PLACE + name, place) for name, place in here if not header(headers, _PLACE + name)))


def header_digests(headers: Headers, rules: Rules) -> dict[str, str]:
    """Return the digests of the header fields that count, by name; those that were not sent are absent."""
    found = {name.lower(): _header_digest(headers, name) for name in rules.headers}
    return {name: digest for name, digest in found.items() if digest}


def fingerprint(headers: Headers) -> str | None:
    """Return the fingerprint of the caller's API key, where one was kept."""
    return header(headers, _API_KEY)


def places(headers: Headers) -> Places:
    """Return the folders of the process that took the call."""
    found = ((name, header(headers, _PLACE + name)) for name in (WORKDIR, HOME))
    return tuple((name, place) for name, place in found if place)


def _header_digest(headers: Headers, name: str) -> str | None:
    return header(headers, _HEADER + name) or _digest_of(headers, name)


def _digest_of(headers: Headers, name: str) -> str | None:
    """Digest all fields of a name, in their order; no value has a line end in it."""
    values = [value for other, value in headers if other.lower() == name.lower()]
    return _digest("\n".join(values)) if values else None


def _digest(value: str) -> str:
    return hashlib.sha256(b"llmtape\n" + value.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
