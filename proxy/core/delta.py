"""What each piece of an answer adds: the deltas of a stream, or the message of a plain answer.

Rule: reads and never judges. A message and a delta have the same fields; they are told apart nowhere. Reasoning has
no place in the API's reference; it is read where the servers that send it have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from proxy.core import lenient, sse
from proxy.core.lenient import mapping, mappings, text, word

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(StrEnum):
    """What a piece of text is a part of."""

    REASONING = "reasoning"
    CONTENT = "content"
    AUDIO = "audio"
    REFUSAL = "refusal"
    CALL = "call"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text that one choice goes on with; a half of a character that was cut in two may stand at its ends.

    `call` is the place of the tool call that it belongs to, `name` that tool's, where this piece tells it.
    """

    choice: int
    kind: Kind
    text: str
    call: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Addition:
    """What one event adds: the pieces in it, and the choices that it ends."""

    pieces: tuple[Piece, ...] = ()
    ended: frozenset[int] = frozenset()


def addition(event: bytes) -> Addition:
    """Read one event of a stream; one that is no completion's adds nothing."""
    return addition_of(lenient.loads(sse.data_of(event) or b""))


def addition_of(document: Any) -> Addition:
    """Read one JSON value: an event's data, or a plain answer."""
    held = mapping(document)
    choices = [(lenient.index(choice, place), choice) for place, choice in enumerate(mappings(held.get("choices")))]
    pieces = [piece for index, choice in choices for piece in _pieces(index, choice)]
    if error := error_of(held.get("error")):
        pieces.append(Piece(0, Kind.ERROR, error))
    return Addition(tuple(pieces), frozenset(index for index, choice in choices if text(choice.get("finish_reason"))))


def message_of(choice: dict[str, Any]) -> dict[str, Any]:
    """Return what a choice says or adds, an empty object where it is nothing."""
    return mapping(choice.get("message")) or mapping(choice.get("delta"))


def content_of(message: dict[str, Any]) -> str:
    """Return a message's text, also where it comes in parts (Mistral)."""
    content = message.get("content")
    return text(content) or "".join(text(part.get("text")) for part in mappings(content))


def reasoning_of(message: dict[str, Any]) -> str:
    """Return what a model thought aloud: `reasoning_content` (DeepSeek, vLLM), `reasoning` (OpenRouter), or parts.

    Some servers send it under both names.
    """
    told = text(message.get("reasoning_content")) or text(message.get("reasoning"))
    thoughts = (thought for part in mappings(message.get("content")) for thought in mappings(part.get("thinking")))
    return told or "".join(text(thought.get("text")) for thought in thoughts)


def calls_of(message: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the tool calls that a message makes or goes on with, each with its place among them."""
    for place, call in enumerate(mappings(message.get("tool_calls"))):
        yield lenient.index(call, place), call
    if called := mapping(message.get("function_call")):
        yield 0, {"function": called}


def called_in(call: dict[str, Any]) -> tuple[str, str]:
    """Return a call's tool and what it is given, as far as this call tells them."""
    called = mapping(call.get("function")) or mapping(call.get("custom"))
    return word(called.get("name")), text(called.get("arguments")) or text(called.get("input"))


def error_of(value: Any) -> str:
    """Return what an API's error says; empty where there is none."""
    return word(value) or word(mapping(value).get("message"))


def _pieces(index: int, choice: dict[str, Any]) -> Iterator[Piece]:
    message = message_of(choice)
    texts = (
        (Kind.REASONING, reasoning_of(message)),
        (Kind.CONTENT, content_of(message) or text(choice.get("text"))),
        (Kind.AUDIO, text(mapping(message.get("audio")).get("transcript"))),
        (Kind.REFUSAL, text(message.get("refusal"))),
    )
    yield from (Piece(index, kind, said) for kind, said in texts if said)
    for place, call in calls_of(message):
        name, arguments = called_in(call)
        if name or arguments:
            yield Piece(index, Kind.CALL, arguments, place, name)
