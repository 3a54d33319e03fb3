"""What was asked, not how it was spelt: the canonical request and its key.

Rule: one pure, idempotent function serves record, replay, rekey and explain. A difference that could change an
answer changes the key; when in doubt, it does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core import canonical
from proxy.core.completion import CHAT_PATH
from proxy.core.errors import NotJsonError
from proxy.core.model import Variant
from proxy.core.parameters import one_form, with_ordered_properties

if TYPE_CHECKING:
    from proxy.core.canonical import Json
    from proxy.core.model import Request

NORMALIZER = 1
"""The version of the rules in this room; a change that changes any key raises it."""

_PREFIX = b"llmtape/1\n"


@dataclass(frozen=True, slots=True)
class Canonical:
    """A request in its one form.

    `content` is what the key is made of: method, path, and `body` (a JSON value) or `body_sha256` (of bytes that
    are no JSON), or neither where there was no body; and `query`, but for chat completions, which have none.
    """

    key: str
    variant: Variant
    content: dict[str, Json]


def normalize(request: Request) -> Canonical:
    """Bring a redacted request to its one form and make its key."""
    content: dict[str, Json] = {"method": request.method.upper(), "path": request.path}
    if not is_chat(request) and (query := _query(request.query)):
        content["query"] = query
    variant = Variant.JSON
    exact = False
    if request.body:
        try:
            document = canonical.loads(request.body)
        except NotJsonError:
            content["body_sha256"] = hashlib.sha256(request.body).hexdigest()
        else:
            exact = document.exact
            variant = _variant(document.value)
            content["body"] = _body(request, document.value)
    text = canonical.dumps(canonical.Document(content, exact))
    return Canonical(hashlib.sha256(_PREFIX + text).hexdigest(), variant, content)


def is_chat(request: Request) -> bool:
    """Tell whether a request asks for a chat completion, which is normalized field by field."""
    return request.method.upper() == "POST" and request.path.endswith(CHAT_PATH)


def _query(query: str) -> list[str]:
    """Sort the fields of a query; Azure's `api-version` tells the API's version, not what is asked of it."""
    return sorted(field for field in query.split("&") if field and not field.startswith("api-version="))


def _body(request: Request, value: Json) -> Json:
    return one_form(value) if is_chat(request) and isinstance(value, dict) else with_ordered_properties(value)


def _variant(value: Json) -> Variant:
    if not isinstance(value, dict) or value.get("stream") is not True:
        return Variant.JSON
    options = value.get("stream_options")
    with_usage = isinstance(options, dict) and options.get("include_usage") is True
    return Variant.SSE_USAGE if with_usage else Variant.SSE
