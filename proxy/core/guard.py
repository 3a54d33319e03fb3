"""Who may use the proxy.

Rule: a web page never may. A browser sends a page's requests to loopback as readily as anywhere, so a request must
name us as its host, and bear no origin but ours. Beyond loopback callers also show the token, as their API key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proxy.core.errors import ForbiddenError
from proxy.core.model import header

if TYPE_CHECKING:
    from proxy.core.model import Headers


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request is checked for. `hosts` are allowed beside loopback; an empty `token` asks for none."""

    hosts: frozenset[str] = frozenset()
    token: str = ""

    def check(self, headers: Headers) -> None:
        """Raise ForbiddenError where the request may not pass."""
        host = header(headers, "host")
        if host is not None and not self._knows(f"//{host}"):
            raise ForbiddenError(
                f"the host {host!r} is not this proxy's: call it as 127.0.0.1 or localhost, or name the host in "
                "server.hosts"
            )
        origin = header(headers, "origin")
        if origin is not None and not self._knows(origin):
            raise ForbiddenError(f"a web page at {origin!r} may not use this proxy")
        site = header(headers, "sec-fetch-site") or "none"
        if site not in {"none", "same-origin"}:
            raise ForbiddenError("a web page may not use this proxy")
        if self.token and not self._bears_token(headers):
            raise ForbiddenError("this proxy wants its own token (server.token) as the API key")

    def _knows(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in {host.lower() for host in self.hosts}

    def _bears_token(self, headers: Headers) -> bool:
        bearer = (header(headers, "authorization") or "").partition(" ")[2].strip()
        shown = bearer or header(headers, "api-key") or ""
        return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), self.token.encode())


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
