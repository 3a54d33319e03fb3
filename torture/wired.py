"""A running proxy, asked over a real connection.

Rule: whatever is asked, an answer comes, in time, and is no failure of the proxy's own: no status of 500 and above. It
runs in this process, replays one recording, and has nobody to call.
"""

from __future__ import annotations

import atexit
import http.client
import re
import shutil
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from proxy.config import Config
from proxy.core.modes import Mode
from proxy.testing import Background
from tests.cassette.damaging import agent, write
from torture.item import check
from torture.samples import CHATS, VALUES

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE_S: Final = 20
_UNSENDABLE: Final = re.compile(rb"[^!-~]+")
_METHODS: Final = ("POST", "POST", "POST", "GET", "DELETE", "PUT", "HEAD")
_FIELDS: Final = ("x-llmtape-fault", "content-type", "x-stainless-retry-count", "authorization", "x-llmtape-fault")


@cache
def _proxy() -> Background:
    """Start one proxy for all inputs; it ends with this process."""
    folder = Path(mkdtemp(prefix="llmtape-wired-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write(folder / "c.sqlite", agent(2))
    settings = {"cassette": str(folder / "c.sqlite"), "cassette_dir": str(folder), "server": {"port": 0}}
    background = Background(msgspec.convert(settings, Config), Mode.REPLAY)
    background.start()
    return background


def ask(data: bytes, _folder: Path) -> None:
    """Send one request: the first line is its target, the second one the value of a field, the rest its body."""
    chosen = data[:1] or b"\0"
    target, _, rest = data[1:].partition(b"\n")
    value, _, body = rest.partition(b"\n")
    path = "/" + _UNSENDABLE.sub(b"", target).decode().lstrip("/")
    fields = {_FIELDS[chosen[0] // 8 % len(_FIELDS)]: _UNSENDABLE.sub(b" ", value).strip().decode()} if value else {}
    address = urlsplit(_proxy().url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE_S)) as connection:
        connection.request(_METHODS[chosen[0] % len(_METHODS)], path, body, fields)
        answer = connection.getresponse()
        told = answer.read()
    check(answer.status < http.HTTPStatus.INTERNAL_SERVER_ERROR, f"it answers {answer.status}: {told[:200]!r}")


def _seeds() -> Iterator[bytes]:
    paths = (b"v1/chat/completions", b"@c:a%20lane/v1/chat/completions", b"v1/models?x=1", b"openai/deployments/m/x")
    for number, body in enumerate(CHATS):
        yield bytes([0]) + paths[number % len(paths)] + b"\n\n" + body
    for number, name in enumerate((b"mode", b"lane/start", b"lane/end", b"rewind?cassette=c", b"status", b"report")):
        yield bytes([3 if number > 3 else 0]) + b"_llmtape/" + name + b"\n\n" + VALUES[number % len(VALUES)]
    yield bytes([0]) + b"v1/chat/completions\ncut; after=1, framing=bytes\n" + CHATS[0]
    yield bytes([16]) + b"@..%2F..%2Fetc/v1/chat/completions\n-1\n" + CHATS[0]


SEEDS: Final = tuple(_seeds())
