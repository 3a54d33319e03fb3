"""What an answer says, read from a recorded response.

Rule: reads and judges, never writes; whatever does not parse is passed over, because real servers send it. A
plain body and a stream of events become the same `Completion`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proxy.core import lenient, sse
from proxy.core.delta import called_in, calls_of, content_of, error_of, message_of, reasoning_of
from proxy.core.lenient import joined, mapping, mappings, text, word
from proxy.core.model import Outcome, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

CHAT_PATH = "/chat/completions"

_OK = 200


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; `arguments` is the text it wrote, JSON or not."""

    id: str
    kind: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What an answer refers to: a page (`url_citation`) by title and URL, a file by name and id."""

    kind: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative of an answer. `logprobs` counts the tokens that came with one.

    `audio` is the transcript of what was spoken, `audio_bytes` how long the recording of it is.
    """

    index: int
    role: str
    content: str
    refusal: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    audio: str
    logprobs: int
    reasoning: str = ""
    annotations: tuple[Annotation, ...] = ()
    audio_bytes: int = 0


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
        self.id = self.id or word(delta.get("id"))
        self.kind = word(delta.get("type")) or self.kind
        name, arguments = called_in(delta)
        self.name = self.name or name
        self.arguments.append(arguments)

    def build(self) -> ToolCall:
        return ToolCall(self.id, self.kind, self.name, joined(self.arguments))


@dataclass(slots=True)
class _ChoiceParts:
    role: str = ""
    content: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)
    tool_calls: dict[int, _ToolCallParts] = field(default_factory=dict)
    finish_reason: str | None = None
    logprobs: int = 0
    reasoning: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    audio_bytes: int = 0

    def add(self, choice: dict[str, Any]) -> None:
        message = message_of(choice)
        audio = mapping(message.get("audio"))
        self.role = self.role or word(message.get("role"))
        self.content.append(content_of(message) or text(choice.get("text")))
        self.reasoning.append(reasoning_of(message))
        self.refusal.append(text(message.get("refusal")))
        self.transcript.append(text(audio.get("transcript")))
        self.audio_bytes += _decoded_size(text(audio.get("data")))
        self.annotations.extend(map(_annotation, mappings(message.get("annotations"))))
        self.finish_reason = word(choice.get("finish_reason")) or self.finish_reason
        self.logprobs += len(lenient.sequence(mapping(choice.get("logprobs")).get("content")))
        for place, call in calls_of(message):
            self.tool_calls.setdefault(place, _ToolCallParts()).add(call)

    def build(self, index: int) -> Choice:
        return Choice(
            index=index,
            role=self.role,
            content=joined(self.content),
            refusal=joined(self.refusal),
            tool_calls=tuple(call.build() for _, call in sorted(self.tool_calls.items())),
            finish_reason=self.finish_reason,
            audio=joined(self.transcript),
            logprobs=self.logprobs,
            reasoning=joined(self.reasoning),
            annotations=tuple(self.annotations),
            audio_bytes=self.audio_bytes,
        )


def assemble(response: Response) -> Completion:
    """Put an answer together from a plain body or from a stream's events."""
    if response.is_stream:
        events = sse.split(response.body)
        return _assemble(_documents(events), done=any(map(sse.is_done, events)))
    return _assemble(documents(response), done=True)


def documents(response: Response) -> list[dict[str, Any]]:
    """Return the JSON objects that an answer consists of: its events' data, or its body."""
    if response.is_stream:
        return _documents(sse.split(response.body))
    return mappings([lenient.loads(response.body)])


def summarize(response: Response) -> Completion:
    """Put together as much of an answer as its model, finish reason and token counts take.

    In a stream those stand in the first event and in the last few, so that most need not be parsed.
    """
    if not response.is_stream:
        return assemble(response)
    events = [chunk.data for chunk in response.chunks]
    start = next((at for at in reversed(range(len(events))) if _is_finish(events[at])), 0)
    return _assemble(_documents([*events[: min(1, start)], *events[start:]]), done=is_done(response))


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
    is_whole = response.content_type != "application/json" or lenient.loads(response.body) is not lenient.BROKEN
    return Outcome.COMPLETE if is_whole else Outcome.UNFINISHED


def _is_finish(event: bytes) -> bool:
    """Tell whether the event ends the first choice."""
    if b"finish_reason" not in event:
        return False
    choices = mappings(mapping(lenient.loads(sse.data_of(event) or b"")).get("choices"))
    return any(text(choice.get("finish_reason")) and lenient.index(choice, 0) == 0 for choice in choices)


def _assemble(documents: Iterable[dict[str, Any]], *, done: bool) -> Completion:
    identity: dict[str, str] = {}
    usage: dict[str, Any] = {}
    error = ""
    parts: dict[int, _ChoiceParts] = {}
    for document in documents:
        for name in ("id", "model"):
            identity[name] = identity.get(name) or word(document.get(name))
        usage = mapping(document.get("usage")) or usage
        error = error or error_of(document.get("error"))
        for place, choice in enumerate(mappings(document.get("choices"))):
            parts.setdefault(lenient.index(choice, place), _ChoiceParts()).add(choice)
    return Completion(
        id=identity.get("id", ""),
        model=identity.get("model", ""),
        choices=tuple(part.build(index) for index, part in sorted(parts.items())),
        prompt_tokens=lenient.count(usage.get("prompt_tokens")),
        completion_tokens=lenient.count(usage.get("completion_tokens")),
        error=error,
        done=done,
    )


def _documents(events: Iterable[bytes]) -> list[dict[str, Any]]:
    return mappings([lenient.loads(data) for event in events if (data := sse.data_of(event))])


def _annotation(value: dict[str, Any]) -> Annotation:
    kind = word(value.get("type"))
    held = mapping(value.get(kind))
    title = word(held.get("title")) or word(held.get("filename")) or word(held.get("name"))
    return Annotation(kind, title, word(held.get("url")) or word(held.get("file_id")))


def _decoded_size(data: str) -> int:
    """Tell how many bytes a base64 text stands for, without decoding it."""
    return (len(data) - data[-2:].count("=")) * 3 // 4
