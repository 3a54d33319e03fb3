"""What a conversation has come to: the question, what is attached to it, and what tools have said.

One rule: the messages have passed their grammar; here stand the rules that hold between messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from proxy.demo import tokens
from proxy.demo.checks import missing
from proxy.demo.faults import ApiError, invalid
from proxy.demo.media import Attachment, attachment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Message: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, reduced to what an answer depends on."""

    question: str
    attachments: tuple[Attachment, ...]
    results: tuple[str, ...]
    text_tokens: int
    audio_tokens: int


def read_conversation(messages: Sequence[Message]) -> Conversation:
    """Check how messages follow each other, and take out what matters."""
    _check_assistants(messages)
    _check_linkage(messages)
    asked = next((message for message in reversed(messages) if message["role"] == "user"), messages[-1])
    attached = tuple(found for message in messages for found in _attachments(message))
    return Conversation(
        question=message_text(asked),
        attachments=tuple(_attachments(asked)),
        results=tuple(_trailing_results(messages)),
        text_tokens=_text_tokens(messages) + sum(one.text_tokens for one in attached),
        audio_tokens=sum(one.audio_tokens for one in attached),
    )


def message_text(message: Message) -> str:
    """Return all text of a message's content."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _attachments(message: Message) -> Iterator[Attachment]:
    if message["role"] == "user" and isinstance(message["content"], list):
        yield from (attachment(part) for part in message["content"] if part["type"] != "text")


def _trailing_results(messages: Sequence[Message]) -> list[str]:
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] not in {"tool", "function"}:
            break
        results.insert(0, message_text(message))
    return results


def _text_tokens(messages: Sequence[Message]) -> int:
    calls = (message.get("tool_calls") or message.get("function_call") for message in messages)
    return tokens.count_messages(map(message_text, messages)) + sum(map(tokens.count_json, calls))


def _check_assistants(messages: Sequence[Message]) -> None:
    for position, message in enumerate(messages):
        spoken = any(message.get(name) for name in ("tool_calls", "function_call", "audio", "refusal"))
        if message["role"] == "assistant" and message.get("content") is None and not spoken:
            raise missing(f"messages[{position}].content")


def _check_linkage(messages: Sequence[Message]) -> None:
    """Hold that each tool call is answered by the tool messages right after it, and nothing else is."""
    called: set[str] = set()
    unanswered: list[str] = []
    for position, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in called:
                raise _answers_nothing(position)
            unanswered = [call for call in unanswered if call != message["tool_call_id"]]
            continue
        if unanswered:
            raise _left_unanswered(position, unanswered)
        unanswered = [call["id"] for call in message.get("tool_calls") or ()]
        called = set(unanswered)
    if unanswered:
        raise _left_unanswered(len(messages), unanswered)


def _answers_nothing(position: int) -> ApiError:
    return invalid(
        "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
        f"messages.[{position}].role",
    )


def _left_unanswered(position: int, calls: Sequence[str]) -> ApiError:
    return invalid(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(calls)}",
        f"messages.[{position}].role",
    )
