"""What an interaction says, passage by passage: the texts that a search looks through.

Rule: reads and never judges. A passage is a text as a person reads it: strings are decoded, answers are assembled, and
the JSON of tools is spelt in letters, not in escapes. Media are no text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from proxy.core import canonical
from proxy.core.completion import assemble, documents
from proxy.core.delta import called_in, calls_of
from proxy.core.errors import NotJsonError
from proxy.core.lenient import mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.canonical import Json
    from proxy.core.completion import Choice
    from proxy.core.model import Request, Response

_MEDIA = re.compile(r"data:[^\s,]*;base64,", re.IGNORECASE)
_ESCAPE = "\\u"


class Side(StrEnum):
    """Who says it: the one who asks, or the one who answers."""

    PROMPT = "prompt"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Passage:
    """One text. `author` says whose it is, empty where it is nobody's; `path` where in the body it stands."""

    side: Side
    author: str
    path: str
    text: str

    @property
    def title(self) -> str:
        """Whose it is, in a word or two; where it is nobody's, where it stands."""
        return self.author or self.path or self.side.value


def asked(request: Request) -> Iterator[Passage]:
    """Yield what a request says: of a chat its messages in order, of any other body all its texts."""
    body = _value(request.body)
    messages = mapping(body).get("messages")
    if not isinstance(messages, list):
        yield from _texts(Side.PROMPT, "", "", body)
        return
    tools: dict[str, str] = {}  # their names, by the ids of their calls
    for place, message in enumerate(messages):
        yield from _message(mapping(message), f"messages[{place}]", tools)


def answered(response: Response) -> Iterator[Passage]:
    """Yield what a response says: its error, then its choices; where it has neither, all texts of body or events."""
    answer = assemble(response)
    yield from _texts(Side.ANSWER, "error", "error", answer.error)
    for choice in answer.choices:
        yield from _choice(choice)
    if not answer.error and not answer.choices:
        events = documents(response) if response.is_stream else []
        yield from _texts(Side.ANSWER, "answer", "", events or _value(response.body))


def _message(message: dict[str, Json], path: str, tools: dict[str, str]) -> Iterator[Passage]:
    tool = tools.get(text(message.get("tool_call_id")), "")
    author = f"{text(message.get('role'))} {tool}".strip()
    yield from _content(author, f"{path}.content", message.get("content"))
    yield from _texts(Side.PROMPT, author, f"{path}.refusal", message.get("refusal"))
    for place, call in calls_of(message):
        name, arguments = called_in(call)
        tools[text(call.get("id"))] = name
        yield Passage(Side.PROMPT, author, f"{path}.tool_calls[{place}]", _call(name, arguments))


def _content(author: str, path: str, content: Json) -> Iterator[Passage]:
    if not isinstance(content, list):
        yield from _texts(Side.PROMPT, author, path, content)
        return
    for place, part in enumerate(content):
        yield from _texts(Side.PROMPT, author, f"{path}[{place}]", _said_in(part))


def _said_in(part: Json) -> Json:
    """Return what a part of a message says: a text, or all of a part of no known kind."""
    match part:
        case {"text": said} | {"refusal": said} | {"image_url": {"url": said}} | {"file": {"filename": said}}:
            return said
        case {"input_audio": _} | {"file": _}:
            return None
        case _:
            return part


def _choice(choice: Choice) -> Iterator[Passage]:
    path = f"choices[{choice.index}]"
    for name in ("reasoning", "content", "audio", "refusal"):
        yield from _texts(Side.ANSWER, "answer", f"{path}.{name}", getattr(choice, name))
    for place, call in enumerate(choice.tool_calls):
        yield Passage(Side.ANSWER, "answer", f"{path}.tool_calls[{place}]", _call(call.name, call.arguments))


def _call(name: str, arguments: str) -> str:
    return f"{name}({_legible(arguments)})"


def _texts(side: Side, author: str, path: str, value: Json) -> Iterator[Passage]:
    """Yield all texts in a JSON value but media."""
    if isinstance(value, str):
        if value and not _MEDIA.match(value):
            yield Passage(side, author, path, _legible(value))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _texts(side, author, f"{path}[{place}]", item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(side, author, f"{path}.{name}" if path else name, item)


def _legible(said: str) -> str:
    """Spell JSON in letters: many clients escape what is not ASCII, and nobody would search for that."""
    if _ESCAPE not in said or not said.lstrip().startswith(("{", "[")):
        return said
    try:
        return json.dumps(json.loads(said), ensure_ascii=False)
    except (ValueError, RecursionError):
        return said


def _value(body: bytes) -> Json:
    """Parse a body; one that is no JSON is its text."""
    try:
        return canonical.loads(body).value
    except NotJsonError:
        return body.decode("utf-8", "replace")
