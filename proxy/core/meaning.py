"""What an answer says, as far as it counts when two are compared.

Rule: ids, times, fingerprints, counts, obfuscation, framing and headers do not count, nor whether it came as a stream;
all else does. What is absent, empty and null is one, and JSON that tools are called with counts as JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from proxy.core import canonical, sse
from proxy.core.completion import assemble
from proxy.core.errors import NotJsonError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json
    from proxy.core.completion import Choice, Completion
    from proxy.core.model import Response

CHOICE_FIELDS: Final = (
    "index",
    "finish_reason",
    "tool_calls",
    "refusal",
    "content",
    "audio",
    "reasoning",
    "annotations",
)
"""What a choice may say, in the order in which it is told."""


def said(response: Response) -> dict[str, Json]:
    """Return what an answer says: `status`, `outcome`, and `choices`, an `error`, or the `body` of no completion."""
    answer = assemble(response)
    return {"status": response.status, "outcome": response.outcome.value, **dict(_content(response, answer))}


def meaning(response: Response) -> bytes:
    """Return what an answer says in one spelling: two answers say the same where these are equal."""
    return canonical.dumps(canonical.Document(said(response), exact=True))


def _content(response: Response, answer: Completion) -> Iterator[tuple[str, Json]]:
    if answer.choices:
        yield "choices", [_choice(choice) for choice in answer.choices]
    if answer.error:
        yield "error", _error(response) or answer.error
    elif response.body and not answer.choices:
        yield "body", _events(response.body) if response.is_stream else _value(response.body)


def _choice(choice: Choice) -> dict[str, Json]:
    calls = [{"name": call.name, "arguments": canonical.respell(call.arguments)} for call in choice.tool_calls]
    annotations = [asdict(annotation) for annotation in choice.annotations]
    values = (getattr(choice, name) for name in CHOICE_FIELDS)
    told = dict(zip(CHOICE_FIELDS, values, strict=True)) | {"tool_calls": calls, "annotations": annotations}
    return {name: value for name, value in told.items() if value not in (None, "", [])}


def _error(response: Response) -> Json:
    """Return the error object of a plain body: beside the message it may hold a code, which clients go by."""
    document = None if response.is_stream else _value(response.body)
    return document.get("error") if isinstance(document, dict) else None


def _events(body: bytes) -> list[Json]:
    return [_value(data) for event in sse.split(body) if (data := sse.data_of(event))]


def _value(body: bytes) -> Json:
    """Return the JSON value that bytes hold, or their text; bytes that differ never give the same text."""
    try:
        return canonical.loads(body).value
    except NotJsonError:
        return body.decode("utf-8", "surrogateescape")
