"""One frozen Config, from flags, environment, a TOML file and defaults, in that order of weight.

Rule: the only room that reads TOML and the environment. Every setting is declared once, as a field below, with its
default and its limits; msgspec checks them. What is not known is an error that names the nearest.
"""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from proxy.core import pace
from proxy.core.deck import Incomplete, Repeats
from proxy.core.errors import ConfigError
from proxy.core.guard import is_loopback
from proxy.core.keep import Errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    _check(config)
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


def settings(struct: type[Struct] = Config, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each setting's dotted name, its type and its default, in the order of their declaration."""
    for field in msgspec.structs.fields(struct):
        name = prefix + field.name
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from settings(field.type, f"{name}.")
        else:
            yield name, field.type, field.default


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


def _check_names(values: Mapping[str, Any], struct: type[Struct], prefix: str, where: str) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"{where}: there is no setting {prefix}{name}.{_nearest(prefix + name)}")
        inner = fields[name]
        if isinstance(inner, type) and issubclass(inner, Struct):
            if not isinstance(value, dict):
                raise ConfigError(
                    f"{where}: {prefix}{name} is a section: write [{prefix}{name}], and its settings below"
                )
            _check_names(value, inner, f"{prefix}{name}.", where)


def _nearest(name: str) -> str:
    known = [setting for setting, _, _ in settings()]
    namesakes = [setting for setting in known if setting.rpartition(".")[2] == name.rpartition(".")[2]]
    near = namesakes or get_close_matches(name, known, n=1)
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
            value = _list(text) if kind == tuple[str, ...] else text
            yield name, msgspec.to_builtins(msgspec.convert(value, kind, strict=False))
        except msgspec.DecodeError as error:
            raise ConfigError(f"environment: {key}={text}: {_lower(error)}{_choices(name)}") from error


def _list(text: str) -> Any:
    """Read a list from a variable: as JSON, for what has commas in it, or parted by commas."""
    if text.lstrip().startswith("["):
        return msgspec.json.decode(text)
    return [part.strip() for part in text.split(",") if part.strip()]


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
    kinds = [kind for setting, kind, _ in settings() if setting == name]
    if not kinds or not isinstance(kinds[0], type) or not issubclass(kinds[0], Enum):
        return ""
    return f": say {' or '.join(kinds[0])}"


def _lower(error: Exception) -> str:
    reason = str(error).partition(" - at ")[0]
    return reason[:1].lower() + reason[1:]


def _check(config: Config) -> None:
    """Check what types cannot say."""
    pace.parse(config.replay.pace)
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
