"""Who may use the proxy.

Rule: a web page never may. A browser sends a page's requests to loopback as readily as anywhere, so a request must
name us as its host, and bear no origin but ours. Beyond loopback callers also show the token, as their API key.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from proxy.core.errors import ForbiddenError
from proxy.core.model import header

if TYPE_CHECKING:
    from proxy.core.model import Headers

_NAME: Final = r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?"
_HOST: Final = re.compile(_NAME)
_ORIGIN: Final = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>{_NAME})")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*)")
"""Source: RFC 9110, section 7.2, RFC 6454, section 7, and RFC 9112, section 3.2.2. Nothing more than these is taken: a
host that has user info, or is two, means one thing here and another elsewhere."""

_OF_NO_PAGE: Final = frozenset({"none", "same-origin"})


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request is checked for. `hosts` are allowed beside loopback; an empty `token` asks for none."""

    hosts: frozenset[str] = frozenset()
    token: str = ""

    def check(self, headers: Headers, target: str = "/") -> None:
        """Raise ForbiddenError where the request may not pass: by a header field, or by the host of its target."""
        absolute = _ABSOLUTE.match(target)
        hosts = [*_all(headers, "host"), *([absolute["host"]] if absolute else [])]
        for host in hosts:
            if self._knows(host):
                continue
            raise ForbiddenError(
                f"the host {host!r} is not this proxy's: call it as 127.0.0.1 or localhost, or name the host in "
                "server.hosts"
            )
        for origin in _all(headers, "origin"):
            page = _ORIGIN.fullmatch(origin)
            if page is None or not self._knows(page["host"]):
                raise ForbiddenError(f"a web page at {origin!r} may not use this proxy")
        if not _OF_NO_PAGE.issuperset(_all(headers, "sec-fetch-site")):
            raise ForbiddenError("a web page may not use this proxy")
        if self.token and not self._bears_token(headers):
            raise ForbiddenError("this proxy wants its own token (server.token) as the API key")

    def _knows(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower()
        return is_loopback(name) or name.strip("[]") in {known.lower().strip("[]") for known in self.hosts}

    def _bears_token(self, headers: Headers) -> bool:
        bearer = (header(headers, "authorization") or "").partition(" ")[2].strip()
        shown = bearer or header(headers, "api-key") or ""
        return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self.token.encode())


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None  # newer Pythons see through it
    return (mapped or address).is_loopback


def _all(headers: Headers, name: str) -> list[str]:
    """Return each field of that name: who sends two may mean either."""
    return [value for key, value in headers if key.lower() == name]
