"""Why a request has its key: each rule that touched it, field by field.

Rule: goes through the steps of `normalize` and compares what they were given with what they made; whatever is told
here is so, because it was computed and not because a table says it. The words for it come from the tables that act.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from proxy.core import canonical, paths
from proxy.core.errors import NotJsonError
from proxy.core.messages import in_call_order
from proxy.core.mismatch import MISSING, Difference, differences
from proxy.core.normalize import is_chat, normalize
from proxy.core.options import CHOICES, tool_name
from proxy.core.parameters import PARAMETERS, UNKNOWN, Role, one_form
from proxy.core.rules import DEFAULT, OPTIONS, PathAction, Rules
from proxy.core.scrubbers import SCRUBBERS
from proxy.core.view import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.canonical import Json
    from proxy.core.model import Request
    from proxy.core.normalize import Canonical

    Body = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Touch:
    """One field that a rule touched: what it was, what it is for the key (or MISSING), which rule, and why."""

    path: str
    was: Json
    now: Json
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A request's one form, and all that was done to come to it, in order."""

    canonical: Canonical
    touches: tuple[Touch, ...]


def explain(request: Request, rules: Rules = DEFAULT) -> Explanation:
    """Explain the key of a redacted request."""
    form = normalize(request, rules)
    return Explanation(form, (*_query(request, form), *_body(request, rules), *_scrubbed(form, rules)))


def _query(request: Request, form: Canonical) -> Iterator[Touch]:
    kept = form.content.get("query", [])
    for field in request.query.split("&"):
        if field and field not in kept:
            why = "what is asked stands in the body" if is_chat(request) else "the API's version is not what is asked"
            yield Touch("query", field, MISSING, "query", why)


def _body(request: Request, rules: Rules) -> Iterator[Touch]:
    try:
        body = canonical.loads(request.body).value
    except NotJsonError:
        return
    if is_chat(request) and isinstance(body, dict):
        for name, choice in CHOICES.items():
            before, body = body, choice(body, rules)
            yield from _chosen(name, before, body)
        formed = one_form(copy.deepcopy(body))
        yield from _parameters(body, formed)
        body = formed
    yield from _ignored(body, rules)


def _chosen(name: str, before: Body, after: Body) -> Iterator[Touch]:
    rule, why = f"rules.{name}", OPTIONS[name]
    if name != "sort_tools":
        yield from (Touch(found.path, found.recorded, found.asked, rule, why) for found in _differing(before, after))
        return
    for field in ("tools", "functions"):
        if field in after and isinstance(after[field], list):
            was, now = ([tool_name(tool) for tool in body[field]] for body in (before, after))
            if was != now:
                yield Touch(field, was, now, rule, why)


def _parameters(body: Body, formed: Body) -> Iterator[Touch]:
    for name, value in body.items():
        parameter = PARAMETERS.get(name, UNKNOWN)
        if value is None:
            yield Touch(name, None, MISSING, Role.COSMETIC, "a field that is null counts as absent")
        elif name == "messages" and isinstance(value, list):
            yield from _messages(value, formed.get(name))
        elif name == "max_tokens" and name not in formed:
            yield Touch(name, value, formed.get("max_completion_tokens"), parameter.role, parameter.note)
        else:
            for found in _differing({name: value}, {name: formed[name]} if name in formed else {}):
                yield Touch(found.path, found.recorded, found.asked, parameter.role, parameter.note)


def _messages(given: list[Json], formed: Json) -> Iterator[Touch]:
    ordered = in_call_order(given)
    if [id(message) for message in ordered] != [id(message) for message in given]:
        places = {id(message): place for place, message in enumerate(given)}
        was, now = list(range(len(given))), [places[id(message)] for message in ordered]
        yield Touch("messages", was, now, Role.COSMETIC, "tool messages stand in the order of the calls they answer")
    for found in differences({"messages": ordered}, {"messages": formed}):
        yield Touch(found.path, found.recorded, found.asked, Role.COSMETIC, _reason(found))


def _differing(before: Json, after: Json) -> list[Difference]:
    """Compare opened bodies alone: that properties stand in pairs is how the key keeps their order, and no change."""
    one, other = opened(before), opened(after)
    return differences(one, other) if one != other else []


def _ignored(body: Json, rules: Rules) -> Iterator[Touch]:
    view = opened(copy.deepcopy(body))
    for rule in rules.path:
        if rule.action is PathAction.IGNORE:
            before = copy.deepcopy(view)
            paths.ignore(view, rule.path)
            for found in _differing(before, view):
                yield Touch(found.path, found.recorded, found.asked, rule.name, f"the path {rule.path} is ignored")


def _scrubbed(form: Canonical, rules: Rules) -> Iterator[Touch]:
    notes = {name: scrubber.note for name, scrubber in SCRUBBERS.items()}
    notes |= {rule.name: f"matches {rule.pattern}" for rule in rules.pattern}
    notes |= {rule.name: f"stands at {rule.path}" for rule in rules.path}
    for found in form.scrubbed:
        yield Touch(found.path, found.value, found.placeholder, found.rule, notes[found.rule])


def _last(difference: Difference) -> str:
    return difference.path.rpartition(".")[2]


_REASONS: Final[tuple[tuple[Callable[[Difference], Any], str], ...]] = (
    (lambda it: it.recorded is None, "a field that is null counts as absent"),
    (lambda it: _last(it) == "cache_control", "tells how the request travels, not what is asked"),
    (lambda it: _last(it) in {"id", "tool_call_id"}, "tool call ids are renamed by first appearance"),
    (lambda it: it.asked is MISSING and _last(it) == "content", "empty content beside tool calls counts as absent"),
    (lambda it: it.asked is MISSING, "a field that is echoed back empty counts as absent"),
    (lambda it: isinstance(it.asked, dict), "data counts by the SHA-256 of its decoded bytes"),
    (lambda it: isinstance(it.recorded, list), "content that is one plain text part is that text"),
    (lambda it: "\r\n" in it.recorded, "a CRLF is a LF"),
    (lambda _: True, "JSON counts by its value"),
)
"""What was done to a message, told by the first of these that holds."""


def _reason(difference: Difference) -> str:
    return next(why for holds, why in _REASONS if holds(difference))
