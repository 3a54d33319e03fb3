"""Faults on purpose: what there are, how they are written, and the answer of the one that needs no recording.

Rule: a fault is a text, `KIND[=VALUE] {"; " NAME=VALUE}`, several are joined by commas, and it is the same text
wherever one is asked for. What is written wrong is refused with what there is; nothing is passed over. What the
others do to a recorded answer stands in `core.inject`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.core.errors import FaultError
from proxy.core.http1 import reason_of
from proxy.core.refusal import JSON_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from proxy.core.model import Headers

Calls = tuple[tuple[int, int | None], ...]
"""Spans of a lane's calls, counted from 1, both ends included; None is no end. No span at all is every call."""

LONGEST_DELAY_US: Final = 3_600_000_000


class Kind(StrEnum):
    """What is to go wrong."""

    STATUS = "status"
    DELAY = "delay"
    STALL = "stall"
    CUT = "cut"
    ERROR = "error"
    MALFORMED = "malformed"
    FRAMING = "framing"


class End(StrEnum):
    """How the connection ends where an answer is cut."""

    ABORT = "abort"
    CLEAN = "clean"


class Framing(StrEnum):
    """How the same bytes come: in odd pieces, in a single one, or each by itself."""

    SPLIT = "split"
    GLUE = "glue"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; what its kind does not have stays at its default.

    `after` events are sent, the one `at` that place, counted from 1, is another. `seed` settles what is left to chance.
    """

    kind: Kind
    status: int = 0
    delay_us: int = 0
    framing: Framing = Framing.SPLIT
    after: int = 0
    at: int = 1
    end: End = End.ABORT
    seed: int = 0
    calls: Calls = ()

    @property
    def text(self) -> str:
        """How it is written, defaults left out; `parse` reads it back."""
        told = [str(self.kind)] if self.kind not in _PARTS else [self._told(self.kind)]
        defaults = {field.name: field.default for field in fields(self)}
        told += [
            self._told(name)
            for name in parameters(self.kind)
            if getattr(self, _PARTS[name].field) != defaults[_PARTS[name].field]
        ]
        return "; ".join(told)

    def _told(self, name: str) -> str:
        part = _PARTS[name]
        return f"{name}={part.write(getattr(self, part.field))}"


@dataclass(frozen=True, slots=True)
class _Part:
    """One `NAME=VALUE`: the field it fills, its two directions, and what it wants. `read` raises ValueError."""

    field: str
    read: Callable[[str], Any]
    wants: str
    write: Callable[[Any], str] = str


_NUMBER = re.compile(r"[0-9]{1,9}")
_DELAY = re.compile(r"([0-9]{1,7})(?:\.([0-9]{1,6}))?(ms|s)")
_SPAN = re.compile(r"([0-9]{1,9})(?:(-)([0-9]{1,9})?)?")
_UNITS_US = {"ms": 1_000, "s": 1_000_000}


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError(value)
    return value


def _number(least: int, most: int = 999_999_999) -> Callable[[str], int]:
    def read(text: str) -> int:
        return _within(int(_matched(_NUMBER, text)[0]), least, most)

    return read


def _delay_us(text: str) -> int:
    match = _matched(_DELAY, text)
    unit = _UNITS_US[match[3]]
    part = int((match[2] or "").ljust(6, "0")) * unit // 1_000_000
    return _within(int(match[1]) * unit + part, 1, LONGEST_DELAY_US)


def _delay(delay_us: int) -> str:
    seconds, rest = divmod(delay_us, 1_000_000)
    return f"{delay_us / 1_000:.3f}".rstrip("0").rstrip(".") + "ms" if rest else f"{seconds}s"


def _calls(text: str) -> Calls:
    return tuple(_span(part.strip()) for part in text.split("+"))


def _span(text: str) -> tuple[int, int | None]:
    match = _matched(_SPAN, text)
    first = _within(int(match[1]), 1, 999_999_999)
    if not match[2]:
        return first, first
    return first, _within(int(match[3]), first, 999_999_999) if match[3] else None


def _written_calls(calls: Calls) -> str:
    return "+".join(f"{first}" if last == first else f"{first}-{last or ''}" for first, last in calls)


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if not match:
        raise ValueError(text)
    return match


_PARTS: Final[Mapping[str, _Part]] = {
    "status": _Part("status", _number(400, 599), "a number from 400 to 599, such as status=429"),
    "delay": _Part("delay_us", _delay_us, "a time, such as delay=250ms or delay=1.5s, of an hour at most", _delay),
    "framing": _Part("framing", Framing, "split, glue or bytes"),
    "after": _Part("after", _number(0), "how many events are sent, such as after=3"),
    "at": _Part("at", _number(1), "an event's place, counted from 1, such as at=3"),
    "end": _Part("end", End, "abort or clean"),
    "seed": _Part("seed", _number(0), "a whole number, such as seed=7"),
    "calls": _Part(
        "calls", _calls, "calls counted from 1, such as calls=1, calls=1-3, calls=2- or 1+3", _written_calls
    ),
}

_OWN: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.STATUS: (),
    Kind.DELAY: (),
    Kind.STALL: ("after",),
    Kind.CUT: ("after", "end"),
    Kind.ERROR: ("at",),
    Kind.MALFORMED: ("at",),
    Kind.FRAMING: (),
}


def parameters(kind: Kind) -> tuple[str, ...]:
    """Name what may be said of a fault beside its kind and value."""
    return (*_OWN[kind], "seed", "calls")


def parse(text: str) -> tuple[Fault, ...]:
    """Read one fault or several, such as `status=429; calls=1, delay=2s`. Raises FaultError."""
    return tuple(_fault(part.strip()) for part in text.split(","))


def chosen(faults: Iterable[Fault], call: int) -> tuple[Fault, ...]:
    """Return those that apply to a lane's call of that number, counted from 1."""
    return tuple(fault for fault in faults if _is_in(call, fault.calls))


def _is_in(call: int, calls: Calls) -> bool:
    return not calls or any(first <= call and (last is None or call <= last) for first, last in calls)


def _fault(text: str) -> Fault:
    own, *others = ([part.strip() for part in item.split("=", 1)] for item in text.split(";"))
    try:
        kind = _kind(own[0])
        return Fault(kind, **_value(kind, own[1:]), **_said(kind, others))
    except ValueError as error:
        raise FaultError(f"fault {text!r}: {error}") from None


def _kind(name: str) -> Kind:
    if name in _OWN:
        return Kind(name)
    if name in _PARTS:
        raise ValueError(f"{name} says more of a fault: join it by a semicolon, as in status=429; {name}=1")
    raise ValueError(f"there is no fault {name!r}.{_nearest(name, tuple(Kind))}")


def _value(kind: Kind, value: list[str]) -> dict[str, Any]:
    """Read what stands behind the kind itself: nothing, or its one text."""
    if kind in _PARTS:
        return {_PARTS[kind].field: _read(kind, *value)}
    if value:
        raise ValueError(f"{kind} takes no value, but {_listed(parameters(kind))}: say {kind}; {_OWN[kind][0]}=1")
    return {}


def _said(kind: Kind, others: list[list[str]]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, *value in others:
        if name not in parameters(kind):
            raise ValueError(f"{kind} has no {name!r}.{_nearest(name, parameters(kind))}")
        if name in said:
            raise ValueError(f"{name} is said twice")
        said[name] = _read(name, *value)
    return said


def _read(name: str, value: str = "") -> Any:
    try:
        return _PARTS[name].read(value)
    except ValueError:
        raise ValueError(f"{name} wants {_PARTS[name].wants}; it is {value!r}") from None


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Is {near[0]} meant?" if near else f" There are {_listed(known)}"


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


_SERVER: Final = "The server had an error while processing your request. Sorry about that!"

# Message, type, param and code, in the real API's words where they are known.
_ERRORS: Final[Mapping[int, tuple[str, str, str | None, str | None]]] = {
    400: (
        "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.",
        "invalid_request_error",
        "messages",
        "context_length_exceeded",
    ),
    401: (
        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        None,
        "invalid_api_key",
    ),
    403: (
        "Country, region, or territory not supported",
        "request_forbidden",
        None,
        "unsupported_country_region_territory",
    ),
    404: (
        "The model does not exist or you do not have access to it.",
        "invalid_request_error",
        None,
        "model_not_found",
    ),
    429: (
        "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 1ms.",
        "requests",
        None,
        "rate_limit_exceeded",
    ),
    500: (_SERVER, "server_error", None, None),
    503: ("The engine is currently overloaded, please try again later", "server_error", None, None),
}
_RETRIED: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


def refusal(faults: Iterable[Fault]) -> tuple[int, Headers, bytes] | None:
    """Return the status, header fields and body of the first `status` among them, None where there is none.

    What SDKs send again asks them to do so at once: no test is to wait for it.
    """
    status = next((fault.status for fault in faults if fault.kind is Kind.STATUS), None)
    return None if status is None else error_answer(status)


def error_answer(status: int) -> tuple[int, Headers, bytes]:
    """Return the answer that the API gives with an error status."""
    is_retried = status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return status, JSON_TYPE + ((("retry-after-ms", "1"),) if is_retried else ()), error_body(status)


def error_body(status: int) -> bytes:
    """Write the error object that the API sends with a status."""
    message, kind, param, code = _ERRORS.get(status) or _generic(status)
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def _generic(status: int) -> tuple[str, str, None, None]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _SERVER, "server_error", None, None
    return f"{reason_of(status) or 'Bad Request'}.", "invalid_request_error", None, None
