"""Header fields as JSON.

Rule: both ways stand side by side, so that reading undoes writing, also for fields whose bytes are no UTF-8: they came
to us as lone surrogates, which JSON cannot hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from proxy.core.model import Headers

_LATIN: Final = "latin-1"
_PAIR: Final = 2


def to_json(headers: Headers) -> list[list[str]]:
    """Write fields as [[name, value], ...]; one that is no UTF-8 as [name, value, "latin-1"]."""
    return [_field(name, value) for name, value in headers]


def from_json(value: Any) -> Headers:
    """Undo `to_json`. Raises ValueError for anything else."""
    if not isinstance(value, list) or not all(_is_field(item) for item in value):
        raise ValueError(f"not a list of header fields: {str(value)[:80]}")
    return tuple(_restored(*item) for item in value)


def _field(name: str, value: str) -> list[str]:
    if _is_clean(name + value):
        return [name, value]
    return [*(text.encode("utf-8", "surrogateescape").decode(_LATIN) for text in (name, value)), _LATIN]


def _restored(name: str, value: str, coding: str = "") -> tuple[str, str]:
    if not coding:
        return name, value
    name, value = (text.encode(_LATIN).decode("utf-8", "surrogateescape") for text in (name, value))
    return name, value


def _is_clean(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_field(item: Any) -> bool:
    return (
        isinstance(item, list)
        and all(isinstance(part, str) for part in item)
        and (len(item) == _PAIR or item[_PAIR:] == [_LATIN])
    )
