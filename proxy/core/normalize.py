"""What was asked, not how it was spelt: the canonical request and its key.

Rule: one pure, idempotent function serves record, replay, rekey and explain. A difference that could change an
answer changes the key; when in doubt, it does. What the rules of a config let go, and nothing else, goes beside.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from proxy.core import canonical, paths
from proxy.core.completion import CHAT_PATH
from proxy.core.cut import announced, matchers
from proxy.core.errors import NotJsonError
from proxy.core.marks import fingerprint, header_digests, places
from proxy.core.model import Variant
from proxy.core.options import chosen
from proxy.core.parameters import one_form, with_ordered_properties
from proxy.core.rules import DEFAULT, PathAction, Rules
from proxy.core.scrub import scrub
from proxy.core.scrubbers import WORKDIR
from proxy.core.view import closed, opened

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from proxy.core.canonical import Json
    from proxy.core.marks import Places
    from proxy.core.model import Headers, Request
    from proxy.core.scrub import Scrubbed

NORMALIZER = 1
"""The version of the rules in this room; a change that changes any key raises it."""

READ_BY_THE_MODEL = frozenset({"functions", "messages", "prediction", "response_format", "tools"})
"""The parameters of a chat completion whose texts are scrubbed."""

_PREFIX = b"llmtape/1\n"


@dataclass(frozen=True, slots=True)
class Canonical:
    """A request in its one form.

    `content` is what the key is made of: method, path, and `body` (a JSON value) or `body_sha256` (of bytes that
    are no JSON), or neither where there was no body; `query`, but for chat completions, which have none; and what
    the rules name: query parameters, digests of header fields, the fingerprint of an API key. `scrubbed` are the
    values that placeholders stand for.
    """

    key: str
    variant: Variant
    content: dict[str, Json]
    scrubbed: tuple[Scrubbed, ...] = ()


def normalize(request: Request, rules: Rules = DEFAULT) -> Canonical:
    """Bring a redacted request to its one form and make its key."""
    content: dict[str, Json] = {"method": request.method.upper(), "path": request.path}
    content |= dict(_named(request, rules))
    variant = Variant.JSON
    exact = False
    scrubbed: tuple[Scrubbed, ...] = ()
    if request.body:
        try:
            document = canonical.loads(request.body)
        except NotJsonError:
            content["body_sha256"] = hashlib.sha256(request.body).hexdigest()
        else:
            exact = document.exact
            variant = _variant(document.value)
            content["body"], scrubbed = _body(request, document.value, rules)
    text = canonical.dumps(canonical.Document(content, exact))
    return Canonical(hashlib.sha256(_PREFIX + text).hexdigest(), variant, content, scrubbed)


def is_chat(request: Request) -> bool:
    """Tell whether a request asks for a chat completion, which is normalized field by field."""
    return request.method.upper() == "POST" and request.path.endswith(CHAT_PATH)


def _named(request: Request, rules: Rules) -> Iterator[tuple[str, Json]]:
    """Yield what counts beside method, path and body."""
    if query := sorted(_query(request, rules)):
        yield "query", query
    if rules.headers and (digests := header_digests(request.headers, rules)):
        yield "headers", digests
    if rules.api_key and (shown := fingerprint(request.headers)):
        yield "api_key", shown


def _query(request: Request, rules: Rules) -> Iterator[str]:
    """Yield the fields that count; Azure's `api-version` tells the API's version, not what is asked of it."""
    counts = not is_chat(request)
    for field in request.query.split("&"):
        is_named = bool(rules.query) and unquote_plus(field.partition("=")[0]) in rules.query
        if field and (is_named or (counts and not field.startswith("api-version="))):
            yield field


def _body(request: Request, value: Json, rules: Rules) -> tuple[Json, tuple[Scrubbed, ...]]:
    is_chats = is_chat(request) and isinstance(value, dict)
    body = _one_form(chosen(value, rules) if is_chats else value, is_chats=is_chats)
    if not (rules.scrub or rules.pattern or rules.path):
        return body, ()
    view = _without_ignored(body, rules, is_chats=is_chats)
    held = [rule for rule in rules.path if rule.action is PathAction.REPLACE]
    for rule in held:
        paths.hold(view, rule.path, rule.name)
    names = {*rules.scrub, *(rule.name for rule in rules.pattern), *(rule.name for rule in held)}
    found_by = matchers(frozenset(rules.scrub), rules.pattern, _places(request.headers, view, rules, names))
    return scrub(view, found_by, names, READ_BY_THE_MODEL.__contains__ if is_chats else lambda _: True)


def _one_form(value: Json, *, is_chats: bool) -> Json:
    return one_form(value) if is_chats else with_ordered_properties(value)


def _without_ignored(body: Json, rules: Rules, *, is_chats: bool) -> Json:
    """Open a body and take away what the paths ignore, until what is left is in its one form."""
    ignored = [rule.path for rule in rules.path if rule.action is PathAction.IGNORE]
    view = opened(body)
    while any(paths.ignore(view, path) for path in ignored):
        view = opened(_one_form(closed(view), is_chats=is_chats))
    return view


def _places(headers: Headers, view: Json, rules: Rules, names: Collection[str]) -> Places:
    if not rules.scrub:
        return ()
    told = announced(view, names) if WORKDIR in rules.scrub else ()
    return tuple(sorted({*places(headers), *((WORKDIR, place) for place in told)}))


def _variant(value: Json) -> Variant:
    if not isinstance(value, dict) or value.get("stream") is not True:
        return Variant.JSON
    options = value.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    return Variant.SSE_USAGE if with_usage else Variant.SSE
