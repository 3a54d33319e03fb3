"""A canonical body as people read it, and as JSON paths address it.

Rule: opening and closing undo each other. Opened, the JSON within tool arguments and tool results is a value and not
a text, and a schema's `properties`, which the key takes in order as pairs, stand by their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.core import canonical

if TYPE_CHECKING:
    from proxy.core.canonical import Json

_PAIR = 2


class OpenedObject(dict[str, Any]):
    """A JSON object that was read out of a text."""

    __slots__ = ()


class OpenedArray(list[Any]):
    """A JSON array that was read out of a text."""

    __slots__ = ()


class Properties(dict[str, Any]):
    """The properties of a schema, in their order."""

    __slots__ = ()


def opened(value: Json) -> Json:
    """Open a canonical body, or a part of one."""
    if isinstance(value, list):
        return [opened(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _opened_member(value, name, item) for name, item in value.items()}


def closed(value: Json) -> Json:
    """Close what was opened."""
    if isinstance(value, (OpenedObject, OpenedArray)):
        return canonical.dumps(canonical.Document(value, exact=True)).decode()
    if isinstance(value, Properties):
        return [[name, closed(item)] for name, item in value.items()]
    if isinstance(value, dict):
        return {name: closed(item) for name, item in value.items()}
    return [closed(item) for item in value] if isinstance(value, list) else value


def step(path: str, name: str | int) -> str:
    """Write a path's next step: `messages[2].content`, `properties["a b"]`."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    if not name.replace("-", "_").isidentifier():
        return f"{path}[{canonical.dumps(canonical.Document(name)).decode()}]"
    return f"{path}.{name}" if path else name


def _opened_member(holder: dict[str, Json], name: str, item: Json) -> Json:
    if isinstance(item, str) and (name == "arguments" or (name == "content" and holder.get("role") == "tool")):
        return _opened_text(item)
    if name == "properties" and _is_in_pairs(item):
        return Properties((key, opened(schema)) for key, schema in item)
    return opened(item)


def _opened_text(text: str) -> Json:
    document = canonical.embedded(text)
    if document is None:
        return text
    return OpenedObject(document.value) if isinstance(document.value, dict) else OpenedArray(document.value)


def _is_in_pairs(value: Json) -> bool:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == _PAIR for pair in value):
        return False
    names = [name for name, _ in value if isinstance(name, str)]
    return len(set(names)) == len(value)
