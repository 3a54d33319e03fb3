"""The cassettes of VCR.py, in YAML or JSON.

Rule: YAML is read with the few tags that such a file has, and no others: no object is made, no key merged, no number
parsed that is longer than one. What its stubs write differs by client and by year; all is taken.

    interactions:
    - request: {method, uri, headers: {name: [value]}, body}
      response: {status: {code, message}, headers, body: {string}}
    version: 1
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import yaml
from yaml.constructor import SafeConstructor

from proxy.core.model import header
from proxy.foreign.exchange import Exchange, Told, json_bytes, mapping, moment, status, text, within_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json
    from proxy.core.model import Headers

    _Loader = yaml.SafeLoader
else:  # the fast one, where PyYAML was built with it
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_LONGEST_NUMBER: Final = 40
_SAFE: Final = SafeConstructor.yaml_constructors


class _PlainLoader(_Loader):
    """Makes plain values and nothing else."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave `<<` alone: a few lines of merged keys can take all memory."""

    def number(self, node: yaml.ScalarNode) -> Json:
        """Read a number; a text that is longer than one, or has a colon (1:30 is 90 in YAML), stays a text."""
        if len(node.value) > _LONGEST_NUMBER or ":" in node.value:
            return node.value
        return _SAFE[node.tag](self, node)


def _tag(name: str) -> str:
    return f"tag:yaml.org,2002:{name}"


_PlainLoader.yaml_constructors = {
    None: _SAFE[None],  # refuses any other
    **{_tag(name): _SAFE[_tag(name)] for name in ("null", "bool", "binary", "seq", "map")},
    **{_tag(name): _PlainLoader.number for name in ("int", "float")},
    # A moment, `<<` and `=` have tags of their own where they are not quoted; the last one is Python 2's.
    **{_tag(name): _SAFE[_tag("str")] for name in ("str", "timestamp", "merge", "value", "python/unicode")},
}


def parsed(data: bytes) -> Json:
    """Parse YAML. Raises ValueError for what is none, or has tags that no cassette of plain values has."""
    try:
        return yaml.load(data, _PlainLoader)  # noqa: S506  it makes less than the safe one
    except yaml.YAMLError as error:
        raise ValueError("".join(filter(str.isprintable, " ".join(str(error).split())))) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"YAML that cannot be read: {error}") from error  # a value that is not what its tag says


def is_cassette(value: Json) -> bool:
    """Tell whether a parsed file is a cassette of VCR.py."""
    return isinstance(value, dict) and isinstance(value.get("interactions"), list)


def entries(value: Json) -> Iterator[Told]:
    """Yield all entries of a cassette. What cannot be told of one is empty; reading it then tells what is wrong."""
    for place, item in enumerate(value["interactions"], 1):
        request = item.get("request") if isinstance(item, dict) else None
        asked = request if isinstance(request, dict) else {}
        method, url = (found if isinstance(found := asked.get(name), str) else "" for name in ("method", "uri"))
        yield Told(place, method, url, partial(_exchange, item))


def _exchange(item: Any) -> Exchange:
    entry = mapping(item, "interaction")
    request, response = mapping(entry.get("request"), "request"), mapping(entry.get("response"), "response")
    headers = _headers(response.get("headers"))
    return Exchange(
        method=text(request.get("method"), "method"),
        url=text(request.get("uri"), "uri"),
        request_headers=_headers(request.get("headers")),
        request_body=_body(request),
        status=_status(response),
        response_headers=headers,
        response_body=_body(response),
        recorded_at=_sent_at(headers),
    )


def _headers(value: Any) -> Headers:
    """Read fields, each with a list of values, or with one."""
    fields = mapping(value, "headers") if value is not None else {}
    held = [(name, values if isinstance(values, list) else [values]) for name, values in fields.items()]
    within_limit(sum(len(item) for _, values in held for item in values if isinstance(item, str | bytes)), "headers")
    return tuple((text(name, "name of a header"), _field(item)) for name, values in held for item in values)


def _field(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | dict):  # which may be endless
        raise ValueError("'header' should be a text")  # noqa: TRY004  it is a value of the file's
    return text(value if isinstance(value, str) else str(value), "header")


def _status(response: dict[str, Any]) -> int:
    found = response.get("status")
    return status(found.get("code") if isinstance(found, dict) else response.get("status_code", found))


def _body(held: dict[str, Any]) -> bytes:
    """Read a body: a text, bytes, pieces of them, a parsed one (aiohttp's), or one of these under another name."""
    if "parsed_body" in held:  # what a serializer writes that many use for such APIs
        return json_bytes(held["parsed_body"])
    body = held.get("body", held.get("content"))  # `content` is what the stubs of httpx wrote until 2024
    if isinstance(body, dict) and "string" in body:
        body = body["string"]
    match body:
        case None:
            return b""
        case str() | bytes():
            return _bytes(body)
        case [*pieces] if all(isinstance(piece, str | bytes) for piece in pieces):
            within_limit(sum(map(len, pieces)), "body")
            return b"".join(map(_bytes, pieces))
        case dict() | list():
            return json_bytes(body)
    raise ValueError("'body' should be a text, bytes or JSON")


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _sent_at(headers: Headers) -> str | None:
    """Tell when the answer was sent: the file itself does not say when it was recorded."""
    try:
        sent = parsedate_to_datetime(header(headers, "date") or "")
        return moment(sent if sent.tzinfo else sent.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
