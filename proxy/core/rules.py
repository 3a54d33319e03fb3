"""What counts for the key, as a config or a cassette says it.

Rule: every choice is off by default. `text` is what a cassette carries: what differs from the defaults, and only that,
so that a choice added later changes no cassette that does not make it. What only restores is no part of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping  # noqa: TC003  msgspec reads the fields' types
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from proxy.core import canonical
from proxy.core.errors import NotJsonError, RuleError
from proxy.core.paths import compiled
from proxy.core.redact import CREDENTIAL_PARAMETERS
from proxy.core.scrubbers import SCRUBBERS


class PathAction(StrEnum):
    """What is done with the values at a JSON path."""

    IGNORE = "ignore"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A regular expression for volatile text; where it has a group named `value`, that alone is replaced."""

    name: str
    pattern: str
    restore: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRule:
    """A JSON path (RFC 9535) whose values do not count (`ignore`), or count as the same value (`replace`)."""

    name: str
    path: str
    action: PathAction = PathAction.IGNORE
    restore: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All choices. `restore` of a pattern or path weighs more than that of all."""

    scrub: tuple[str, ...] = ()
    restore: bool = False
    developer_is_system: bool = False
    sort_tools: bool = False
    ignore_max_tokens: bool = False
    models: Mapping[str, str] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    api_key: bool = False
    pattern: tuple[Pattern, ...] = ()
    path: tuple[PathRule, ...] = ()

    @property
    def text(self) -> str:
        """What makes the keys, in one spelling; `{}` for the defaults."""
        chosen: dict[str, Any] = {
            "scrub": sorted(set(self.scrub)),
            "developer_is_system": self.developer_is_system,
            "sort_tools": self.sort_tools,
            "ignore_max_tokens": self.ignore_max_tokens,
            "models": dict(self.models),
            "query": sorted(set(self.query)),
            "headers": sorted({name.lower() for name in self.headers}),
            "api_key": self.api_key,
            "pattern": [[rule.name, rule.pattern] for rule in self.pattern],
            "path": [[rule.name, rule.path, rule.action.value] for rule in self.path],
        }
        return canonical.dumps(canonical.Document({name: value for name, value in chosen.items() if value})).decode()

    def adopting(self, name: str) -> Rules:
        """Return the rules with one more: a scrubber, or a choice that is made by `true`. Raises RuleError."""
        if name in SCRUBBERS:
            return self if name in self.scrub else replace(self, scrub=(*self.scrub, name))
        if name not in SWITCHES:
            known = [*SCRUBBERS, *SWITCHES, *(rule.name for rule in self.named)]
            raise RuleError(f"there is no rule {name!r}.{_nearest(name, known)}", name)
        switched: dict[str, Any] = {name: True}
        return replace(self, **switched)

    def without(self, name: str) -> Rules:
        """Return the rules less one: a scrubber, a switch, a pattern or a path."""
        left = replace(
            self,
            scrub=tuple(other for other in self.scrub if other != name),
            pattern=tuple(rule for rule in self.pattern if rule.name != name),
            path=tuple(rule for rule in self.path if rule.name != name),
        )
        switched: dict[str, Any] = {name: False} if name in SWITCHES else {}
        return replace(left, **switched)

    @property
    def named(self) -> tuple[Pattern | PathRule, ...]:
        """The user's own patterns and paths."""
        return (*self.pattern, *self.path)

    def restores(self, name: str) -> bool:
        """Tell whether a replay restores the values that a scrubber, pattern or path took."""
        own = next((rule.restore for rule in self.named if rule.name == name), None)
        return self.restore if own is None else own


DEFAULT: Final = Rules()


def read(text: str) -> Rules:
    """Undo `Rules.text`. Raises RuleError for what no version up to this one writes."""
    try:
        chosen = canonical.loads(text.encode()).value
        chosen["pattern"] = tuple(Pattern(name=name, pattern=pattern) for name, pattern in chosen.get("pattern", ()))
        chosen["path"] = tuple(
            PathRule(name=name, path=path, action=PathAction(action)) for name, path, action in chosen.get("path", ())
        )
        lists = {name: tuple(chosen[name]) for name in ("scrub", "query", "headers") if name in chosen}
        found = Rules(**{**chosen, **lists})
        check(found)
        is_ours = found.text == text
    except (NotJsonError, TypeError, ValueError, AttributeError) as error:
        raise _unknown(text) from error
    if not is_ours:
        raise _unknown(text)
    return found


def _unknown(text: str) -> RuleError:
    return RuleError(f"these are no rules that this version knows: {text[:_LONGEST_SHOWN]}", text)


OPTIONS: Final[Mapping[str, str]] = {
    "developer_is_system": "a `developer` message counts as a `system` message",
    "sort_tools": "tools count in the order of their names",
    "ignore_max_tokens": "`max_tokens` and `max_completion_tokens` do not count",
    "models": "a model counts as another: an alias as what it stands for",
    "query": "these query parameters count",
    "headers": "these request headers count, by a digest of their values",
    "api_key": "the caller's API key counts, by its fingerprint",
}
"""The choices beside volatile text, and what each does."""

SWITCHES: Final = ("developer_is_system", "sort_tools", "ignore_max_tokens", "api_key")
"""Those that are made by `true`."""

_LONGEST_SHOWN: Final = 200

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def added(before: Rules, after: Rules) -> list[str]:
    """Write what rules have more than others as lines of TOML: `[rules]`, and below it each setting whole."""
    lines = ["[rules]"]
    if after.scrub != before.scrub:
        lines.append(f"scrub = [{', '.join(_quoted(name) for name in SCRUBBERS if name in after.scrub)}]")
    lines += [f"{name} = true" for name in SWITCHES if getattr(after, name) and not getattr(before, name)]
    if after.models != before.models:
        pairs = ", ".join(f"{_quoted(alias)} = {_quoted(model)}" for alias, model in after.models.items())
        lines.append(f"models = {{ {pairs} }}")
    for pattern in after.pattern:
        if pattern not in before.pattern:
            lines += [
                "",
                "[[rules.pattern]]",
                f"name = {_quoted(pattern.name)}",
                f"pattern = {literal(pattern.pattern)}",
            ]
    for path in after.path:
        if path not in before.path:
            lines += ["", "[[rules.path]]", f"name = {_quoted(path.name)}", f"path = {literal(path.path)}"]
            lines.append(f"action = {_quoted(path.action)}")
    if len(lines) == 1:
        return []
    return lines[2:] if not lines[1] else lines  # the head stands only where settings follow it


def _quoted(text: str) -> str:
    """Write a text as TOML does; its basic strings have JSON's escapes."""
    return canonical.dumps(canonical.Document(str(text), exact=True)).decode()


def literal(text: str) -> str:
    """Write a text for TOML, as it stands if that can be: an expression is hard to read with doubled backslashes."""
    return f"'{text}'" if text.isprintable() and "'" not in text else _quoted(text)


def check(rules: Rules) -> None:
    """Raise RuleError for the first choice that cannot be made."""
    for name in rules.scrub:
        if name not in SCRUBBERS:
            raise RuleError(f"rules.scrub: there is no scrubber {name!r}.{_nearest(name, SCRUBBERS)}", name)
    for pattern in rules.pattern:
        _check_pattern(pattern)
    for rule in rules.path:
        _check_path(rule)
    for name in rules.query:
        if name.lower() in CREDENTIAL_PARAMETERS:
            raise RuleError(f"rules.query: {name!r} bears a credential, which is not stored: say api_key = true", name)
    _check_names(rules)
    for alias, model in rules.models.items():
        if model in rules.models:
            raise RuleError(f"rules.models: {alias!r} counts as {model!r}, which counts as another itself", alias)


def _check_pattern(rule: Pattern) -> None:
    try:
        compiled_pattern = re.compile(rule.pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise RuleError(
            f"rules.pattern {rule.name!r}: {rule.pattern!r} is no regular expression: {error}", rule.pattern
        ) from error
    named = compiled_pattern.groupindex
    if named and "value" not in named:
        raise RuleError(
            f"rules.pattern {rule.name!r}: of its groups none is named 'value', which is the one that is replaced",
            rule.pattern,
        )
    if compiled_pattern.fullmatch(""):
        raise RuleError(f"rules.pattern {rule.name!r}: {rule.pattern!r} takes the empty text, too", rule.pattern)


def _check_path(rule: PathRule) -> None:
    try:
        compiled(rule.path)
    except ValueError as error:
        raise RuleError(f"rules.path {rule.name!r}: {rule.path!r} is no JSON path: {error}", rule.path) from error


def _check_names(rules: Rules) -> None:
    for name, count in Counter(rule.name for rule in rules.named).items():
        if not _NAME.fullmatch(name):
            raise RuleError(f"rules: {name!r} is no name: small letters, digits, '-' and '_', a letter first", name)
        if count > 1 or name in SCRUBBERS or name in OPTIONS:
            raise RuleError(f"rules: the name {name!r} is taken: give the pattern or path another one", name)


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" Is {near[0]} meant?" if near else f" Known are: {', '.join(known)}"
