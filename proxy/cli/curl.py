"""A recorded request as a shell command.

Rule: pure text making. Run by any POSIX shell, the command sends the recorded body to the byte; nothing in it is
taken for a command, an option or a file's name, by the shell or by curl, and it is safe to show. A credential is in no
cassette: the shell puts $OPENAI_API_KEY in.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from proxy.cli.wording import printable, respelt
from proxy.config import DEMO
from proxy.core.address import upward
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import Request

_LARGEST_ARGUMENT: Final = 100_000
"""Bytes of a body that stands in the command line; Linux takes 128 KiB an argument. A larger one is piped."""

_CREDENTIAL: Final = '-H "Authorization: Bearer $OPENAI_API_KEY"'
_AZURE_CREDENTIAL: Final = '-H "api-key: $OPENAI_API_KEY"'
_AZURE: Final = "/openai/"

_DEMO_NOTE: Final = (
    "# Recorded from the embedded upstream: `llmtape passthrough --upstream demo -- sh` sets OPENAI_BASE_URL."
)

_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~][\w!#$%&'*+.^`|~-]*", re.ASCII)
_UPSTREAM = re.compile(r"""(https?://(?:[\w.-]+|\[[\dA-Fa-f:.]+\])(?::\d+)?)((?:/[!"$->@-~]*)?)""", re.ASCII)
"""Origin and path; without credentials, query and fragment, which no upstream has."""

_PATH = re.compile(r"/[!-~]*")
_VISIBLE = re.compile(r"[!-~]*")
_FIELD_VALUE = re.compile(r"[ -~]*")
_GLOB = re.compile(r"[\[\]{}]")
_NOT_SENT: Final = frozenset({"authorization", "api-key", "x-api-key", "cookie", "host", "content-length"})


def command(request: Request, upstream: str, *, streams: bool = False) -> str:
    """Write the command that sends a request again to the upstream that it was recorded from.

    Raises CassetteError where the recording holds what no request could have, such as a method with a space in it.
    """
    has_body = bool(request.body) or request.method == "POST"
    fed, data = _data(request.body) if has_body else ("", "")
    url, is_globbed = _url(request, upstream)
    words = (
        f"curl {url}",
        _method(request.method, has_body=has_body),
        "--globoff" if is_globbed else "",
        "--no-buffer" if streams else "",
        _AZURE_CREDENTIAL if request.path.startswith(_AZURE) else _CREDENTIAL,
        *_headers(request),
        data,
    )
    note = f"{_DEMO_NOTE}\n" if upstream == DEMO else ""
    return note + fed + " \\\n  ".join(filter(None, words))


def _url(request: Request, upstream: str) -> tuple[str, bool]:
    """Spell the URL for the shell, and tell whether curl would see a pattern in it."""
    path = _checked(_PATH, request.path, "a path")
    query = _checked(_VISIBLE, f"?{request.query}", "a query") if request.query else ""
    if upstream == DEMO:
        beneath = upward(path, "")
        base = '"${OPENAI_BASE_URL%/v1}"' if beneath == path else '"$OPENAI_BASE_URL"'
        return base + shlex.quote(beneath + query), bool(_GLOB.search(path + query))
    origin, base = _match(_UPSTREAM, upstream, "an upstream's URL").groups()
    url = f"{origin}{upward(path, base)}{query}"
    return shlex.quote(url), bool(_GLOB.search(url))


def _method(method: str, *, has_body: bool) -> str:
    if method == "HEAD":
        return "--head"
    implied = "POST" if has_body else "GET"
    return "" if method == implied else f"-X {shlex.quote(_checked(_TOKEN, method, 'a method'))}"


def _headers(request: Request) -> Iterator[str]:
    kept = [(name, value) for name, value in request.headers if _is_sent(name, value)]
    for name, value in kept:
        yield f"-H {shlex.quote(f'{name}: {value}' if value.strip() else f'{name};')}"
    if request.body and not any(name.lower() == "content-type" for name, _ in kept):
        yield "-H 'content-type:'"  # curl would claim a form


def _is_sent(name: str, value: str) -> bool:
    return bool(_TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value)) and name.lower() not in _NOT_SENT


def _data(body: bytes) -> tuple[str, str]:
    """Spell a body: what feeds it to curl through a pipe, if anything does, and curl's option for it."""
    text = body.decode("utf-8", "surrogateescape")
    if printable(text) != text:
        return f"printf {shlex.quote(_octal(text))} |\n", "--data-binary @-"
    if len(body) > _LARGEST_ARGUMENT:
        return f"printf %s {shlex.quote(text)} |\n", "--data-binary @-"
    return "", f"--data-raw {shlex.quote(text)}"


def _octal(text: str) -> str:
    """Write a text as a format of `printf`, in which what is safe to show stands for itself."""
    spelt = respelt(text.replace("\\", "\\\\").replace("%", "%%"), _in_octal)
    return f"\\055{spelt[1:]}" if spelt.startswith("-") else spelt


def _in_octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def _checked(form: re.Pattern[str], text: str, what: str) -> str:
    return _match(form, text, what)[0]


def _match(form: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    if match := form.fullmatch(text):
        return match
    raise CassetteError(f"the recording has {text[:80]!r} where {what} should be, and no command can send that")
