"""What declarations say: the names, types and defaults of settings, and what is no such thing.

Rule: a section is a struct or a frozen dataclass whose fields are settings, sections, or lists of tables that are
sections themselves; all that is told of a setting is read from there. Errors name the nearest that there is.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from proxy.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

Setting = tuple[str, Any, Any]
"""A setting's dotted name, its type and its default."""

Root = TypeVar("Root")

_PLACE = re.compile(r"\[[^\]]*\]")


def settings(section: type, prefix: str = "") -> Iterator[Setting]:
    """Yield the settings of a section and of those within, in the order of their declaration."""
    for name, kind, default in _fields(section):
        if _is_section(kind):
            yield from settings(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, kind, default


def check_names(values: Mapping[str, Any], root: type, where: str) -> None:
    """Raise ConfigError for the first name that is no setting's; `where` tells its source."""
    _check_names(values, root, "", _Source(root, where))


def parse(text: str, kind: Any, name: str, where: str) -> Any:
    """Read a setting from a text: lists and tables as JSON, or a list whose parts have no commas parted by them.

    Raises ConfigError where it cannot be one.
    """
    try:
        value = _structured(text, kind)
        _check_within(value, kind, name, _Source(kind, where))
        return msgspec.to_builtins(msgspec.convert(value, kind, strict=False))
    except msgspec.DecodeError as error:
        reason = str(error).partition(" - at ")[0]
        raise ConfigError(f"{where}={text}: {_lower(reason)}{_choices(kind)}") from error


def convert(values: Mapping[str, Any], root: type[Root], where: str) -> Root:
    """Make a section of values. Raises ConfigError for the first that is of the wrong type or out of its limits."""
    try:
        return msgspec.convert(values, root)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        reason = f"{_lower(reason)}{_choices(_kind_of(name, root))}"
        raise ConfigError(f"{where}: {name or 'top level'}: {reason}") from error


@dataclasses.dataclass(frozen=True, slots=True)
class _Source:
    """Where values come from, and what may stand there."""

    root: type
    name: str


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, Struct) or dataclasses.is_dataclass(kind))


def _fields(section: Any) -> Iterator[Setting]:
    if not _is_section(section):
        return
    if issubclass(section, Struct):
        yield from ((field.name, field.type, field.default) for field in msgspec.structs.fields(section))
        return
    kinds = get_type_hints(section)
    for field in dataclasses.fields(section):
        made = field.default_factory
        yield field.name, kinds[field.name], field.default if made is dataclasses.MISSING else made()


def _check_names(values: Mapping[str, Any], section: type, prefix: str, source: _Source) -> None:
    kinds = {name: kind for name, kind, _ in _fields(section)}
    for name, value in values.items():
        if name not in kinds:
            beside = [prefix + other for other in kinds]
            raise ConfigError(
                f"{source.name}: there is no setting {prefix}{name}.{_nearest(prefix + name, beside, source.root)}"
            )
        _check_within(value, kinds[name], prefix + name, source)


def _check_within(value: Any, kind: Any, name: str, source: _Source) -> None:
    if _is_section(kind):
        if not isinstance(value, dict):
            raise ConfigError(f"{source.name}: {name} is a section: write [{name}], and its settings below")
        _check_names(value, kind, f"{name}.", source)
    elif get_origin(kind) is tuple and _is_section(item := get_args(kind)[0]):
        for table in value if isinstance(value, list) else ():
            if isinstance(table, dict):
                _check_names(table, item, f"{name}.", source)


def _nearest(name: str, beside: list[str], root: type) -> str:
    """Name the setting that is meant: one spelt alike beside it, a namesake elsewhere, or one spelt alike anywhere."""
    last = name.rpartition(".")[2]
    alike = get_close_matches(last, [other.rpartition(".")[2] for other in beside], n=1)
    near = [other for other in beside if other.rpartition(".")[2] in alike]
    known = [setting for setting, _, _ in settings(root)] if _is_section(root) else []
    if any(setting.startswith(tuple(beside)) for setting in known):  # else it stands in a table of a list
        near = [setting for setting in known if setting.rpartition(".")[2] == last] or near
        near = near or get_close_matches(name, known, n=1)
    else:
        known = beside
    return f" Is {near[0]} meant?" if near else f" Known are: {', '.join(known)}"


def _structured(text: str, kind: Any) -> Any:
    origin = get_origin(kind)
    if origin is Mapping or (origin is tuple and text.lstrip().startswith("[")):
        return msgspec.json.decode(text)
    return [part.strip() for part in text.split(",") if part.strip()] if origin is tuple else text


def _choices(kind: Any) -> str:
    return f": say {' or '.join(kind)}" if isinstance(kind, type) and issubclass(kind, Enum) else ""


def _kind_of(name: str, root: type) -> Any:
    """Return the type of a setting, or of a field in a table of a list such as `rules.path[0].action`."""
    kind: Any = root
    for part in _PLACE.sub("", name).split("."):
        section = get_args(kind)[0] if get_origin(kind) is tuple else kind
        kind = next((found for field, found, _ in _fields(section) if field == part), None)
    return kind


def _lower(reason: str) -> str:
    return reason[:1].lower() + reason[1:]
