"""One call and its answer, as another tool's file tells of it.

Rule: a file of another tool is untrusted, and loosely written: what is read of it is checked here or where it is read,
and what has not the form that it should raises ValueError, in words. Nothing is judged, redacted or keyed here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from proxy.core.canonical import Json
    from proxy.core.model import Headers

LARGEST: Final = 100 * 1024 * 1024
"""Bytes of a body once it is decoded, as the proxy itself takes by default."""

_DEEPEST: Final = 200
_MOST_VALUES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call with its answer. `recorded_at` is as `Interaction` has it, None where the file does not tell."""

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    response_headers: Headers
    response_body: bytes
    recorded_at: str | None = None
    first_byte_us: int = 0
    duration_us: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of a file, of which no more is read than what is asked, until `read` is called.

    `place` counts from 1. `read` raises ValueError where the entry has not the form that it should.
    """

    place: int
    method: str
    url: str
    read: Callable[[], Exchange]


def mapping(value: Any, name: str) -> dict[str, Any]:
    """Return an object. Raises ValueError for anything else."""
    return value if isinstance(value, dict) else _refuse(name, "an object")


def sequence(value: Any, name: str) -> list[Any]:
    """Return a list. Raises ValueError for anything else."""
    return value if isinstance(value, list) else _refuse(name, "a list")


def text(value: Any, name: str) -> str:
    """Return a text that is one in any encoding. Raises ValueError for anything else."""
    if not isinstance(value, str):
        _refuse(name, "a text")
    value.encode()
    return value


def within_limit(size: int, name: str) -> None:
    """Raise ValueError for more bytes or characters than a body may have: in YAML a few lines can stand for any."""
    if size > LARGEST:
        _refuse(name, f"no longer than {LARGEST} bytes")


def status(value: Any) -> int:
    """Return an HTTP status. Raises ValueError for anything else, such as the 0 of a call that got no answer."""
    if type(value) is not int or not 100 <= value <= 599:  # noqa: PLR2004  the range of RFC 9110
        _refuse("status", "between 100 and 599")
    return value


def moment(value: datetime) -> str:
    """Write a moment that knows its zone as `Interaction` has it. Raises OverflowError for one beyond all calendars."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_bytes(value: Json) -> bytes:
    """Write a parsed body as JSON. Raises ValueError for one that is too large or too deep to have been one.

    In YAML a few lines can stand for billions of values, or for one within itself.
    """
    _measure(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except TypeError as error:
        raise ValueError(f"a body that is no JSON: {error}") from error


def _measure(value: Json) -> None:
    waiting = [(value, 0)]
    count = size = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, dict):
            size += sum(len(str(name)) for name in value)
            waiting += ((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting += ((inner, depth + 1) for inner in value)
        if depth > _DEEPEST or count > _MOST_VALUES or size > LARGEST:
            raise ValueError("a body that is larger or deeper than any real one")


def _refuse(name: str, what: str) -> NoReturn:
    raise ValueError(f"{name!r} should be {what}")
