"""HAR files, as browsers and proxies save them. Source: HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/.

Rule: bodies in a HAR are decoded, whatever coding the head still names, and bytes that are no text come as base64.
Times are milliseconds, -1 where there is none.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from proxy.foreign.exchange import Exchange, Told, mapping, moment, sequence, status, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json
    from proxy.core.model import Headers

_LONGEST_MS: Final = 7 * 24 * 3600 * 1000.0


def is_har(value: Json) -> bool:
    """Tell whether a parsed file is a HAR."""
    return (
        isinstance(value, dict) and isinstance(log := value.get("log"), dict) and isinstance(log.get("entries"), list)
    )


def entries(value: Json) -> Iterator[Told]:
    """Yield all entries of a HAR. What cannot be told of one is empty; reading it then tells what is wrong."""
    for place, item in enumerate(value["log"]["entries"], 1):
        request = item.get("request") if isinstance(item, dict) else None
        asked = request if isinstance(request, dict) else {}
        method, url = (found if isinstance(found := asked.get(name), str) else "" for name in ("method", "url"))
        yield Told(place, method, url, partial(_exchange, item))


def _exchange(item: Any) -> Exchange:
    entry = mapping(item, "entry")
    request, response = mapping(entry.get("request"), "request"), mapping(entry.get("response"), "response")
    first_byte_us, duration_us = _times(entry)
    return Exchange(
        method=text(request.get("method"), "method"),
        url=text(request.get("url"), "url"),
        request_headers=_headers(request.get("headers")),
        request_body=_body(request.get("postData"), "postData"),
        status=status(response.get("status")),
        response_headers=_headers(response.get("headers")),
        response_body=_body(response.get("content"), "content"),
        recorded_at=_started_at(entry.get("startedDateTime")),
        first_byte_us=first_byte_us,
        duration_us=duration_us,
    )


def _headers(value: Any) -> Headers:
    fields = [mapping(item, "header") for item in sequence(value, "headers")] if value is not None else []
    # In HTTP/2 some tools list the method and path among the fields, such as `:path`.
    named = ((text(field.get("name"), "name of a header"), field.get("value")) for field in fields)
    return tuple((name, text(held, "header")) for name, held in named if not name.startswith(":"))


def _body(value: Any, name: str) -> bytes:
    if value is None:
        return b""
    held = mapping(value, name)
    said = held.get("text")
    if said is None:
        if "_file" in held or held.get("size"):
            raise ValueError(f"the text of {name!r} is not in the file: save it with content")
        return b""
    if held.get("encoding") == "base64":
        return base64.b64decode("".join(text(said, name).split()), validate=True)
    return text(said, name).encode()


def _started_at(value: Any) -> str | None:
    try:
        started = datetime.fromisoformat(text(value, "startedDateTime"))
        return moment(started if started.tzinfo else started.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _times(entry: dict[str, Any]) -> tuple[int, int]:
    """Tell when the first byte came and when the last, in microseconds from when the request was sent."""
    timings = entry.get("timings")
    told = timings if isinstance(timings, dict) else {}
    wait, receive = _milliseconds(told.get("wait")), _milliseconds(told.get("receive"))
    whole = wait + receive if told else _milliseconds(entry.get("time"))
    return round(wait * 1000), round(whole * 1000)


def _milliseconds(value: Any) -> float:
    if type(value) not in {int, float} or value != value:  # noqa: PLR0124  NaN
        return 0.0
    return float(min(max(value, 0), _LONGEST_MS))
