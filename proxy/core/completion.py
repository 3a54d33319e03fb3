"""What an answer says, read from a recorded response.

Rule: reads and judges, never writes; whatever does not parse is passed over, because real servers send it. A
plain body and a stream of events become the same `Completion`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from proxy.core import canonical, sse
from proxy.core.model import Outcome, Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHAT_PATH = "/chat/completions"

_OK = 200
_BROKEN = object()
_TOO_MANY = 2**63
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; `arguments` is the text it wrote, JSON or not."""

    id: str
    kind: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative of an answer. `logprobs` counts the tokens that came with one."""

    index: int
    role: str
    content: str
    refusal: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    audio: str
    logprobs: int


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer put together. `error` is the API's error object where there is one, in a body or in a stream."""

    id: str = ""
    model: str = ""
    choices: tuple[Choice, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str = ""
    done: bool = False

    @property
    def finish_reason(self) -> str | None:
        """The first choice's."""
        return self.choices[0].finish_reason if self.choices else None

    @property
    def is_finished(self) -> bool:
        """Whether every choice that began has come to its finish reason."""
        return bool(self.choices) and all(choice.finish_reason for choice in self.choices)


@dataclass(slots=True)
class _ToolCallParts:
    id: str = ""
    kind: str = "function"
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, delta: dict[str, Any]) -> None:
        # An id repeated in every delta is real; the first one counts.
        self.id = self.id or _word(delta.get("id"))
        self.kind = _word(delta.get("type")) or self.kind
        called = _mapping(delta.get("function")) or _mapping(delta.get("custom"))
        self.name = self.name or _word(called.get("name"))
        self.arguments.append(_text(called.get("arguments")) or _text(called.get("input")))

    def build(self) -> ToolCall:
        return ToolCall(self.id, self.kind, self.name, _joined(self.arguments))


@dataclass(slots=True)
class _ChoiceParts:
    role: str = ""
    content: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)
    tool_calls: dict[int, _ToolCallParts] = field(default_factory=dict)
    finish_reason: str | None = None
    logprobs: int = 0

    def add(self, choice: dict[str, Any]) -> None:
        message = _mapping(choice.get("message")) or _mapping(choice.get("delta"))
        self.role = self.role or _word(message.get("role"))
        self.content.append(_text(message.get("content")) or _text(choice.get("text")))
        self.refusal.append(_text(message.get("refusal")))
        self.transcript.append(_text(_mapping(message.get("audio")).get("transcript")))
        self.finish_reason = _word(choice.get("finish_reason")) or self.finish_reason
        self.logprobs += len(_sequence(_mapping(choice.get("logprobs")).get("content")))
        for place, delta in enumerate(_mappings(message.get("tool_calls"))):
            self._tool_call(_index(delta, place)).add(delta)
        if called := _mapping(message.get("function_call")):
            self._tool_call(0).add({"function": called})

    def _tool_call(self, index: int) -> _ToolCallParts:
        return self.tool_calls.setdefault(index, _ToolCallParts())

    def build(self, index: int) -> Choice:
        return Choice(
            index=index,
            role=self.role,
            content=_joined(self.content),
            refusal=_joined(self.refusal),
            tool_calls=tuple(call.build() for _, call in sorted(self.tool_calls.items())),
            finish_reason=self.finish_reason,
            audio=_joined(self.transcript),
            logprobs=self.logprobs,
        )


def assemble(response: Response) -> Completion:
    """Put an answer together from a plain body or from a stream's events."""
    if response.is_stream:
        events = sse.split(response.body)
        return _assemble(_documents(events), done=any(map(sse.is_done, events)))
    return _assemble(_mappings([_loads(response.body)]), done=True)


def summarize(response: Response) -> Completion:
    """Put together as much of an answer as its model, finish reason and token counts take.

    In a stream those stand in the first event and in the last few, so that most need not be parsed.
    """
    if not response.is_stream:
        return assemble(response)
    events = [chunk.data for chunk in response.chunks]
    start = next((at for at in reversed(range(len(events))) if _is_finish(events[at])), 0)
    return _assemble(_documents([*events[: min(1, start)], *events[start:]]), done=is_done(response))


def meaning(response: Response) -> tuple[object, ...]:
    """Return what an answer says: two that differ in ids, times, counts or framing alone mean the same.

    An answer that is no completion means its bytes.
    """
    said = assemble(response)
    if not said.choices and not said.error:
        return response.status, response.body
    choices = tuple(
        (
            choice.index,
            choice.content,
            choice.refusal,
            choice.audio,
            tuple((call.name, canonical.respell(call.arguments)) for call in choice.tool_calls),
            choice.finish_reason,
        )
        for choice in said.choices
    )
    return response.status, response.outcome, said.error, choices


def is_done(response: Response) -> bool:
    """Tell whether a recorded stream came to its `[DONE]`."""
    return any(sse.is_done(chunk.data) for chunk in reversed(response.chunks))


def judge(response: Response, path: str) -> Outcome:
    """Judge how a response that ended cleanly stands by the protocol.

    A stream of chat completions is complete at `[DONE]`, or where every choice has its finish reason (some
    servers send no `[DONE]`); a plain one where its body parses. What other paths answer is taken as it came.
    """
    if not path.endswith(CHAT_PATH) or response.status != _OK:
        return Outcome.COMPLETE
    if response.is_stream:
        ended = is_done(response) or assemble(response).is_finished
        return Outcome.COMPLETE if ended else Outcome.UNFINISHED
    is_whole = response.content_type != "application/json" or _loads(response.body) is not _BROKEN
    return Outcome.COMPLETE if is_whole else Outcome.UNFINISHED


def _is_finish(event: bytes) -> bool:
    """Tell whether the event ends the first choice."""
    if b"finish_reason" not in event:
        return False
    choices = _mappings(_mapping(_loads(sse.data_of(event) or b"")).get("choices"))
    return any(_text(choice.get("finish_reason")) and _index(choice, 0) == 0 for choice in choices)


def _assemble(documents: Iterable[dict[str, Any]], *, done: bool) -> Completion:
    identity: dict[str, str] = {}
    usage: dict[str, Any] = {}
    error = ""
    parts: dict[int, _ChoiceParts] = {}
    for document in documents:
        for name in ("id", "model"):
            identity[name] = identity.get(name) or _word(document.get(name))
        usage = _mapping(document.get("usage")) or usage
        error = error or _error(document.get("error"))
        for place, choice in enumerate(_mappings(document.get("choices"))):
            parts.setdefault(_index(choice, place), _ChoiceParts()).add(choice)
    return Completion(
        id=identity.get("id", ""),
        model=identity.get("model", ""),
        choices=tuple(part.build(index) for index, part in sorted(parts.items())),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        error=error,
        done=done,
    )


def _documents(events: Iterable[bytes]) -> Iterable[dict[str, Any]]:
    return _mappings([_loads(data) for event in events if (data := sse.data_of(event))])


def _loads(data: bytes) -> Any:
    """Parse JSON, also that of servers which cut an emoji in two; what is none comes as `_BROKEN`."""
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return _BROKEN


def _joined(texts: Iterable[str]) -> str:
    """Join texts, and the halves of a character that was cut in two; a half alone becomes U+FFFD."""
    text = "".join(texts)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _error(value: Any) -> str:
    return _word(value) or _word(_mapping(value).get("message"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _word(value: Any) -> str:
    return _joined([_text(value)])


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _TOO_MANY else None


def _index(value: dict[str, Any], otherwise: int) -> int:
    index = _count(value.get("index"))
    return otherwise if index is None else index


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _mappings(value: Any) -> list[dict[str, Any]]:
    return [item for item in _sequence(value) if isinstance(item, dict)]
