"""Which cassette, lane and API path a request target names.

Rule: a target is taken apart here and nowhere else. A cassette's name can only lead into the cassette folder:
its parts are plain words, so that neither `..` nor an absolute path can be spelt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from proxy.core.errors import BadAddressError

CONTROL = "/_llmtape"

_MOUNT = "/v1"

_NOT_OF_A_PATH = re.compile(rb"[\x80-\xff#]")
_SLASHES = re.compile(r"/{2,}")
_NAME = re.compile(r"\w[\w.\-]*(?:/\w[\w.\-]*)*")
_LANE = re.compile(r"[^\x00-\x1f\x7f]*")
_LONGEST_NAME = 200  # bytes; with `.sqlite-journal` behind it, what file systems take
_LONGEST_LANE = 1000  # characters; a test's id may be long


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes. `cassette` is empty for the default one; `path` is folded and percent-encoded."""

    cassette: str
    lane: str
    path: str
    query: str

    @property
    def is_control(self) -> bool:
        """Tell whether the proxy itself is asked, and not the API."""
        is_mounted = self.cassette or self.lane
        return not is_mounted and (self.path == CONTROL or self.path.startswith(CONTROL + "/"))


def parse(target: str) -> Address:
    """Take a request target apart, in origin form or absolute form (a client that takes us for its proxy).

    Raises BadAddressError for a target that has no path, and for a mount whose name or lane is not one.
    """
    path, _, query = _ascii(target if target.startswith("/") else _in_origin_form(target)).partition("?")
    path = _SLASHES.sub("/", path)
    mount, _, rest = path[1:].partition("/")
    mount = unquote(mount)
    if not mount.startswith("@"):
        return Address("", "", fold(path), query)
    name, _, lane = mount[1:].partition(":")
    if name or not lane:  # `/@:LANE/v1` is a lane of the default cassette
        check_name(name)
    return Address(name, check_lane(lane), fold("/" + rest), query)


def mounted(url: str, cassette: str, lane: str) -> str:
    """Return a proxy's base URL (`http://HOST:PORT/v1`) for a cassette and lane; as it is for the default ones."""
    if not cassette and not lane:
        return url
    mount = f"/@{quote(cassette, safe='')}" + (f":{quote(lane, safe='')}" if lane else "")
    return url.removesuffix("/v1") + mount + "/v1"


def upward(path: str, base: str) -> str:
    """Return the path that an upstream is asked for: its URL's own path, `base`, stands in for `/v1`."""
    if path == _MOUNT or path.startswith(_MOUNT + "/"):
        return base.rstrip("/") + path.removeprefix(_MOUNT)
    return path


def _in_origin_form(target: str) -> str:
    try:
        parts = urlsplit(target)
    except ValueError:
        parts = urlsplit("")
    if target and not parts.netloc:
        raise BadAddressError(f"the request target {target[:80]!r} has no path")
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _ascii(target: str) -> str:
    """Percent-encode what a careless client sends as it is: bytes over 127, and `#`, which no target has."""
    raw = target.encode("utf-8", "surrogateescape")
    return _NOT_OF_A_PATH.sub(lambda match: b"%%%02X" % match[0][0], raw).decode("ascii")


def fold(path: str) -> str:
    """Fold doubled and trailing slashes; the root stays one slash."""
    return _SLASHES.sub("/", path).rstrip("/") or "/"


def check_name(name: str) -> str:
    """Return a cassette's name if it is one. Raises BadAddressError where not."""
    if not _NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME:
        raise BadAddressError(
            f"{name!r} is not a cassette's name: letters, digits, '_', '-' and '.', in parts joined by '/' "
            "(%2F in a URL), as in /@agent/v1 for agent.sqlite in the cassette folder"
        )
    return name


def check_lane(lane: str) -> str:
    """Return a lane if it is one. Raises BadAddressError where not."""
    if len(lane) > _LONGEST_LANE or not _LANE.fullmatch(lane):
        raise BadAddressError(f"{lane[:40]!r} is not a lane: up to {_LONGEST_LANE} characters, none of them a control")
    return lane
