"""The layout of `show`: an interaction as a person reads it.

Rule: every message is there, in order, its text whole; what is no text stands on one line. Yields lines, prints
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.cli import wording
from proxy.cli.prompt import messages, parameters
from proxy.cli.screen import styled
from proxy.core.completion import Choice, Completion, ToolCall, assemble
from proxy.core.model import SSE_TYPE, Outcome, take_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cassette.reader import RecordedRun
    from proxy.cli.prompt import Message
    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.model import Interaction, Response

_INDENT = 2
_LABEL = 10
_LONGEST_BODY = 2_000
_OK = 200

_ROLE_STYLES = {"system": "magenta", "developer": "magenta", "user": "green", "assistant": "cyan", "tool": "yellow"}
_OUTCOMES = {
    Outcome.COMPLETE: "complete",
    Outcome.UNFINISHED: "unfinished: the stream ended before the answer did",
    Outcome.CUT: "cut: the upstream broke off",
}


@dataclass(frozen=True, slots=True)
class Conversation:
    """Lays one interaction out for a screen."""

    screen: Screen
    interaction: Interaction
    run: RecordedRun

    def lines(self) -> Iterator[Text]:
        """Yield the whole: what was asked, what came back, and when."""
        body = wording.parsed(self.interaction.request.body)
        answer = assemble(self.interaction.response)
        yield from self._head(body)
        yield from self._asked(body)
        yield from self._answered(answer)
        yield styled()
        yield from self._facts(answer)

    def _head(self, body: Json) -> Iterator[Text]:
        request = self.interaction.request
        model = body.get("model") if isinstance(body, dict) else None
        query = f"?{request.query}" if request.query else ""
        name = take_name(self.interaction.track.key, self.interaction.number)
        named = (f"  {model}", "bold") if isinstance(model, str) else ""
        where = (f"  {request.method} {request.path}{query}", "dim")
        yield from self.screen.block(styled((name, "bold cyan"), named, where))
        if isinstance(body, dict) and "messages" in body:
            others = "  ".join(f"{name}={value}" for name, value in parameters(body))
            yield from self.screen.block(styled((others, "dim"))) if others else ()

    def _asked(self, body: Json) -> Iterator[Text]:
        said = messages(body)
        for message in said:
            yield from self._message(message)
        if not said and body is not None:
            yield from self._titled("request", "green")
            yield from self._block(_body(body))

    def _message(self, message: Message) -> Iterator[Text]:
        yield from self._titled(message.role, _ROLE_STYLES.get(message.role, ""), message.name)
        for part in message.parts:
            text = wording.laid_out(part.text) if message.role == "tool" else part.text
            yield from self._block(text, "" if part.is_text else "blue")
        for call in message.tool_calls:
            yield from self._call(call)

    def _answered(self, answer: Completion) -> Iterator[Text]:
        response = self.interaction.response
        for choice in answer.choices:
            place = f" {choice.index + 1} of {len(answer.choices)}" if len(answer.choices) > 1 else ""
            yield from self._choice(choice, f"answer{place}", _remark(choice, response))
        if answer.error:
            yield from self._titled("error", "red", _unusual(response))
            yield from self._block(answer.error)
        elif not answer.choices:
            yield from self._titled("answer", "cyan", _unusual(response))
            yield from self._block(_body(wording.parsed(response.body)))

    def _choice(self, choice: Choice, title: str, remark: str) -> Iterator[Text]:
        yield from self._titled(title, "cyan", remark)
        if choice.content:
            yield from self._block(choice.content)
        if choice.audio:
            yield from self._block(f"[audio] {choice.audio}", "blue")
        if choice.refusal:
            yield from self._block(f"refusal: {choice.refusal}", "red")
        for call in choice.tool_calls:
            yield from self._call(call)

    def _call(self, call: ToolCall) -> Iterator[Text]:
        yield from self.screen.block(styled("→ ", (call.name, "bold"), (f"  {call.id}", "dim")), _INDENT)
        yield from self.screen.block(styled(wording.laid_out(call.arguments)), 2 * _INDENT)

    def _facts(self, answer: Completion) -> Iterator[Text]:
        if (answer.prompt_tokens, answer.completion_tokens) != (None, None):
            used = f"{wording.tokens(answer.prompt_tokens)} in, {wording.tokens(answer.completion_tokens)} out"
            yield from self._fact("tokens", used)
        yield from self._fact("timing", ", ".join(_timing(self.interaction.response)))
        yield from self._fact("recorded", ", ".join(self._origin()))

    def _origin(self) -> Iterator[str]:
        interaction, run = self.interaction, self.run
        yield f"{wording.second(interaction.recorded_at)} UTC"
        yield f"take {interaction.number}"
        yield f"variant {interaction.track.variant}"
        if interaction.track.lane:
            yield f"lane {interaction.track.lane}"
        yield f"run {run.id} ({run.mode} from {run.upstream}, llmtape {run.llmtape_version})"

    def _titled(self, title: str, style: str, remark: str = "") -> Iterator[Text]:
        yield styled()
        yield from self.screen.block(styled((title, f"bold {style}"), (f"  {remark}" if remark else "", "dim")))

    def _block(self, text: str, style: str = "") -> Iterator[Text]:
        yield from self.screen.block(styled((text, style)), _INDENT)

    def _fact(self, name: str, value: str) -> Iterator[Text]:
        yield from self.screen.block(styled(value), _LABEL, styled((name, "dim")))


def _body(value: Json) -> str:
    """Lay out a body that is no conversation; a long one is cut, since `--json` has it whole."""
    text = value if isinstance(value, str) else wording.indented(value)
    if len(text) <= _LONGEST_BODY:
        return text
    text = value if isinstance(value, str) else wording.compact(value)
    left_out = len(text) - _LONGEST_BODY
    return f"{text[:_LONGEST_BODY]}…\n({left_out} more characters: see --json)" if left_out > 0 else text


def _remark(choice: Choice, response: Response) -> str:
    reason = choice.finish_reason or "no finish reason"
    logprobs = f"logprobs of {choice.logprobs} tokens" if choice.logprobs else ""
    return ", ".join(filter(None, (reason, logprobs, _unusual(response))))


def _unusual(response: Response) -> str:
    status = "" if response.status == _OK else f"status {response.status}"
    outcome = "" if response.outcome is Outcome.COMPLETE else response.outcome.value
    return ", ".join(filter(None, (status, outcome)))


def _timing(response: Response) -> Iterator[str]:
    yield f"first byte {wording.duration(response.first_byte_us)}"
    if response.content_type == SSE_TYPE and response.chunks:
        yield f"first event {wording.duration(response.chunks[0].at_us)}"
        yield f"{len(response.chunks)} events"
    yield f"{wording.duration(response.duration_us)} in all"
    yield _OUTCOMES[response.outcome]
