"""One frozen Config, from flags, environment, a TOML file and defaults, in that order of weight.

Rule: the only room that reads TOML and the environment. Every setting is declared once, as a field below, with its
default and its limits; msgspec checks them. What is not known is an error that names the nearest.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from proxy.core import pace, rules
from proxy.core.deck import Incomplete, Repeats
from proxy.core.errors import ConfigError, RuleError
from proxy.core.guard import is_loopback
from proxy.core.keep import Errors
from proxy.core.rules import Rules
from proxy.core.scrubbers import HOME, WORKDIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.marks import Places

DEMO: Final = "demo"
"""What `upstream` says for the embedded one."""

ENVIRONMENT_PREFIX: Final = "LLMTAPE_"
FILE_NAME: Final = "llmtape.toml"

_SECTION = ("tool", "llmtape")
_NOT_SETTINGS = frozenset({"LLMTAPE_CONFIG", "LLMTAPE_URL"})


class Server(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the proxy listens, and what it takes."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8788
    hosts: tuple[str, ...] = ()
    token: str = ""
    body_limit: Annotated[int, Meta(ge=1)] = 100 * 1024 * 1024
    drain_s: Annotated[float, Meta(ge=0)] = 10.0


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is recorded."""

    errors: Errors = Errors.STABLE
    keep_headers: tuple[str, ...] = ()


class Replay(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How recordings are played."""

    pace: str = "instant"
    repeats: Repeats = Repeats.LAST
    incomplete: Incomplete = Incomplete.REFUSE


class Redact(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is replaced before storing, beside credentials and well-known secrets."""

    patterns: tuple[str, ...] = ()
    responses: bool = False


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long the upstream is waited for, in seconds."""

    connect_s: Annotated[float, Meta(gt=0)] = 10.0
    silence_s: Annotated[float, Meta(gt=0)] = 600.0


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings. `upstream_key` comes from the environment (OPENAI_API_KEY), never from a file."""

    cassette: str = "cassettes/default.sqlite"
    cassette_dir: str = "cassettes"
    upstream: str = "https://api.openai.com/v1"
    server: Server = msgspec.field(default_factory=Server)
    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    record: Record = msgspec.field(default_factory=Record)
    replay: Replay = msgspec.field(default_factory=Replay)
    rules: Rules = msgspec.field(default_factory=Rules)
    redact: Redact = msgspec.field(default_factory=Redact)


class Loaded(Struct, frozen=True, kw_only=True):
    """A config, and what only its sources tell: whether a cassette was named, the caller's API key."""

    config: Config
    names_cassette: bool
    upstream_key: str | None


def load(
    flags: Mapping[str, Any],
    *,
    file: Path | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Read all sources. `flags` are by dotted name, such as `server.port`; None means not given.

    Without `file` the nearest `llmtape.toml`, or `pyproject.toml` with a `[tool.llmtape]`, is read, from `folder`
    (the current one) upward. Paths in a file are relative to it. Raises ConfigError.
    """
    environment = os.environ if environment is None else environment
    file = file or _file_named(environment) or _find_file(folder or Path.cwd())
    values = _read(file) if file else {}
    _check_names(values, Config, "", str(file))
    if file:
        _resolve_paths(values, file.parent)
    for name, value in _from_environment(environment):
        _set(values, name, value)
    for name, value in flags.items():
        if value is not None:
            _set(values, name, value)
    config = _convert(values, str(file) if file else "the settings")
    _check(config, file)
    return Loaded(
        config=config, names_cassette="cassette" in values, upstream_key=environment.get("OPENAI_API_KEY") or None
    )


def environment_for_command(url: str, *, key: str | None = None, token: str = "") -> dict[str, str]:
    """Return our environment, with what points a command's SDK to `url`.

    `token` is sent as its API key, whatever key it has; `key` where it has none.
    """
    ours = {"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url, "LLMTAPE_URL": url.removesuffix("/v1")}
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the network must not be asked for this machine
        ours[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
    if shown := token or (not os.environ.get("OPENAI_API_KEY") and key):
        ours["OPENAI_API_KEY"] = shown
    return {**os.environ, **ours}


def places(environment: Mapping[str, str] | None = None) -> Places:
    """Name the folders of this process that prompts may tell: the current one, and the user's home."""
    environment = os.environ if environment is None else environment
    here = ((WORKDIR, str(Path.cwd())), (HOME, environment.get("HOME", "").rstrip("/")))
    return tuple((name, place) for name, place in here if len(place) > 1)


def settings(section: type = Config, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each setting's dotted name, its type and its default, in the order of their declaration."""
    for name, kind, default in _fields(section):
        if _is_section(kind):
            yield from settings(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, kind, default


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, Struct) or dataclasses.is_dataclass(kind))


def _fields(section: type) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields of a section, which is a struct of ours or a value of the core."""
    if issubclass(section, Struct):
        yield from ((field.name, field.type, field.default) for field in msgspec.structs.fields(section))
        return
    kinds = get_type_hints(section)
    value: Any = section
    for field in dataclasses.fields(value):
        made = field.default_factory
        yield field.name, kinds[field.name], field.default if made is dataclasses.MISSING else made()


def variable(name: str) -> str:
    """Name the environment variable of a setting: `server.port` is LLMTAPE_SERVER_PORT."""
    return ENVIRONMENT_PREFIX + name.replace(".", "_").upper()


def _file_named(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("LLMTAPE_CONFIG")
    return Path(named) if named else None


def _find_file(folder: Path) -> Path | None:
    for place in (folder, *folder.parents):
        if (own := place / FILE_NAME).is_file():
            return own
        if (project := place / "pyproject.toml").is_file() and _section(_toml(project)) is not None:
            return project
    return None


def _read(file: Path) -> dict[str, Any]:
    values = _toml(file)
    return _section(values) or {} if file.name == "pyproject.toml" else values


def _section(values: Any) -> dict[str, Any] | None:
    for name in _SECTION:
        values = values.get(name) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else None


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"the config {file} is no TOML: {error}") from error


def _check_names(values: Mapping[str, Any], section: type, prefix: str, where: str) -> None:
    kinds = {name: kind for name, kind, _ in _fields(section)}
    for name, value in values.items():
        if name not in kinds:
            raise ConfigError(f"{where}: there is no setting {prefix}{name}.{_nearest(prefix, name, kinds)}")
        _check_names_within(value, kinds[name], prefix + name, where)


def _check_names_within(value: Any, kind: Any, name: str, where: str) -> None:
    if _is_section(kind):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: {name} is a section: write [{name}], and its settings below")
        _check_names(value, kind, f"{name}.", where)
    elif get_origin(kind) is tuple and _is_section(item := get_args(kind)[0]):
        for table in value if isinstance(value, list) else ():
            if isinstance(table, dict):
                _check_names(table, item, f"{name}.", where)


def _nearest(prefix: str, name: str, beside: Collection[str]) -> str:
    known = [setting for setting, _, _ in settings()]
    namesakes = [setting for setting in known if setting.rpartition(".")[2] == name]
    near = namesakes or get_close_matches(prefix + name, [*known, *(prefix + other for other in beside)], n=1)
    return f" Is {near[0]} meant?" if near else f" Known are: {', '.join(known)}"


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    for name in ("cassette", "cassette_dir"):
        if isinstance(values.get(name), str):
            values[name] = str(folder / values[name])


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    known = {variable(name): (name, kind) for name, kind, _ in settings()}
    for key, text in environment.items():
        if not key.startswith(ENVIRONMENT_PREFIX) or key in _NOT_SETTINGS:
            continue
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.75)
            hint = f"Is {near[0]} meant?" if near else f"Known are: {', '.join(known)}"
            raise ConfigError(f"environment: there is no {key}. {hint}")
        name, kind = known[key]
        try:
            value = _structured(text, kind)
            _check_names_within(value, kind, name, f"environment: {key}")
            yield name, msgspec.to_builtins(msgspec.convert(value, kind, strict=False))
        except msgspec.DecodeError as error:
            raise ConfigError(f"environment: {key}={text}: {_lower(error)}{_choices(name)}") from error


def _structured(text: str, kind: Any) -> Any:
    """Read a table or list from a variable as JSON, or a list whose parts have no commas parted by them."""
    origin = get_origin(kind)
    if origin is Mapping or (origin is tuple and text.lstrip().startswith("[")):
        return msgspec.json.decode(text)
    return [part.strip() for part in text.split(",") if part.strip()] if origin is tuple else text


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def _convert(values: Mapping[str, Any], where: str) -> Config:
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`")
        reason = f"{reason[:1].lower()}{reason[1:]}{_choices(name)}"
        raise ConfigError(f"{where}: {name or 'top level'}: {reason}") from error


def _choices(name: str) -> str:
    kind = _kind_of(name) if name else None
    return f": say {' or '.join(kind)}" if isinstance(kind, type) and issubclass(kind, Enum) else ""


def _kind_of(name: str) -> Any:
    """Return the type of a setting, or of a field in a table of a list such as `rules.path[0].action`."""
    kind: Any = Config
    for part in re.sub(r"\[[^\]]*\]", "", name).split("."):
        section = get_args(kind)[0] if get_origin(kind) is tuple else kind
        kind = next((found for field, found, _ in _fields(section) if field == part), None)
    return kind


def _lower(error: Exception) -> str:
    reason = str(error).partition(" - at ")[0]
    return reason[:1].lower() + reason[1:]


def _check(config: Config, file: Path | None) -> None:
    """Check what types cannot say."""
    pace.parse(config.replay.pace)
    try:
        rules.check(config.rules)
    except RuleError as error:
        raise ConfigError(f"{_line_of(error.value, file)}{error}") from error
    for pattern in config.redact.patterns:
        try:
            re.compile(pattern.encode())
        except re.error as error:
            raise ConfigError(f"redact.patterns: {pattern!r} is no regular expression: {error}") from error
    server = config.server
    if not is_loopback(server.host) and not (server.token and server.hosts):
        raise ConfigError(
            f"server.host {server.host} is not loopback: whoever reaches it could use your API key. To allow it, set "
            "server.token (callers send it as their API key) and server.hosts (the names they call it by)"
        )


def _line_of(value: str, file: Path | None) -> str:
    """Say where in the file a value under `[rules]` stands; nothing where it came from elsewhere, or is spelt oddly."""
    lines = file.read_text(encoding="utf-8").splitlines() if file else []
    spelt = (f'"{value}"', f"'{value}'", msgspec.json.encode(value).decode(), value)
    first = next((number for number, line in enumerate(lines) if "rules" in line), 0)
    for form in spelt:
        for number, line in enumerate(lines[first:], first + 1):
            if form in line:
                return f"{file}, line {number}: "
    return ""
