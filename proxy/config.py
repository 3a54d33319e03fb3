"""One frozen Config, from flags, environment, a TOML file and defaults, in that order of weight.

Rule: the only room that reads TOML and the environment. Every setting is declared once, as a field below, with its
default and its limits; msgspec checks them. What is not known is an error that names the nearest.
"""

from __future__ import annotations

import os
import re
import tomllib
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from proxy import declared
from proxy.core import pace
from proxy.core.deck import Incomplete, Repeats
from proxy.core.errors import ConfigError, RuleError
from proxy.core.guard import is_loopback
from proxy.core.keep import Errors
from proxy.core.rules import Rules
from proxy.core.rules import check as check_rules
from proxy.core.scrubbers import HOME, WORKDIR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.core.marks import Places
    from proxy.declared import Setting

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
    answer_limit: Annotated[int, Meta(ge=1)] = 100 * 1024 * 1024
    linger_s: Annotated[float, Meta(ge=0)] = 600.0


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
    """A config, and what only its sources tell: whether a cassette was named, the caller's API key, the file."""

    config: Config
    names_cassette: bool
    upstream_key: str | None
    file: Path | None = None


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
    declared.check_names(values, Config, str(file))
    if file:
        _resolve_paths(values, file.parent)
    for name, value in _from_environment(environment):
        _set(values, name, value)
    for name, value in flags.items():
        if value is not None:
            _set(values, name, value)
    config = declared.convert(values, Config, str(file) if file else "the settings")
    _check(config, file)
    return Loaded(
        config=config,
        names_cassette="cassette" in values,
        upstream_key=environment.get("OPENAI_API_KEY") or None,
        file=file,
    )


def rooted(loaded: Loaded, folder: Path) -> Loaded:
    """Return a config whose cassettes lie in `folder` where their paths are relative, not in the current folder."""
    config = loaded.config
    cassette, cassette_dir = str(folder / config.cassette), str(folder / config.cassette_dir)
    return replace(loaded, config=replace(config, cassette=cassette, cassette_dir=cassette_dir))


def environment_for_command(url: str, *, key: str | None = None, token: str = "") -> dict[str, str]:
    """Return our environment, with what points a command's SDK to `url`.

    `token` is sent as its API key, whatever key it has; `key` where it has none.
    """
    return {**os.environ, **_pointing(url, key, token)}


@contextmanager
def pointed_at(url: str, *, key: str | None = None, root: str = "", is_offline: bool = False) -> Iterator[None]:
    """Point the SDKs of this process to `url` for as long as the block lasts; `key` is for where there is none.

    Offline those of Azure are pointed there as well: a replay has the same addresses for all, a real upstream not.
    `root` is the proxy's own URL, where it is not in `url`.
    """
    ours = _pointing(url, key, "", root)
    if is_offline:
        ours["AZURE_OPENAI_ENDPOINT"] = url.removesuffix("/v1")
        if not os.environ.get("AZURE_OPENAI_API_KEY") and key:
            ours["AZURE_OPENAI_API_KEY"] = key
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def is_ci(environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether this is a run of continuous integration, as all services for it say: CI is set, and not to no."""
    environment = os.environ if environment is None else environment
    return environment.get("CI", "").strip().lower() not in {"", "0", "false", "no"}


def rules_over(rules: Rules, values: Mapping[str, Any], where: str) -> Rules:
    """Return rules with some settings of `[rules]` set otherwise. Raises ConfigError."""
    declared.check_names(values, Rules, where)
    changed = declared.convert({**msgspec.to_builtins(rules), **values}, Rules, where)
    try:
        check_rules(changed)
    except RuleError as error:
        raise ConfigError(f"{where}: {error}") from error
    return changed


def _pointing(url: str, key: str | None, token: str, root: str = "") -> dict[str, str]:
    ours = {"OPENAI_BASE_URL": url, "OPENAI_API_BASE": url, "LLMTAPE_URL": root or url.removesuffix("/v1")}
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the network must not be asked for this machine
        ours[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1,localhost")))
    if shown := token or (not os.environ.get("OPENAI_API_KEY") and key):
        ours["OPENAI_API_KEY"] = shown
    return ours


def places(environment: Mapping[str, str] | None = None) -> Places:
    """Name the folders of this process that prompts may tell: the current one, and the user's home."""
    environment = os.environ if environment is None else environment
    try:
        current = str(Path.cwd())
    except OSError:  # it was removed under us
        current = ""
    here = ((WORKDIR, current), (HOME, environment.get("HOME", "").rstrip("/")))
    return tuple((name, place) for name, place in here if len(place) > 1)


def settings() -> Iterator[Setting]:
    """Yield all settings, in the order of their declaration."""
    return declared.settings(Config)


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
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the config {file} is no TOML: {error}") from error


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
        yield name, declared.parse(text, kind, name, f"environment: {key}")


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *sections, last = name.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value


def _check(config: Config, file: Path | None) -> None:
    """Check what types cannot say."""
    pace.parse(config.replay.pace)
    try:
        check_rules(config.rules)
    except RuleError as error:
        raise ConfigError(f"{_line_of(error.value, file)}{error}") from error
    for pattern in config.redact.patterns:
        try:
            re.compile(pattern.encode())
        except (re.error, OverflowError, RecursionError) as error:
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
