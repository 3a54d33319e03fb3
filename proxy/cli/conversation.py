"""The layout of `show`: an interaction as a person reads it.

Rule: every message is there, in order, its text whole; what is no text stands on one line. Yields lines, prints
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.cli import wording
from proxy.cli.answer import OUTCOMES, Answer
from proxy.cli.page import LABEL, Page
from proxy.cli.prompt import audio_type, messages, parameters
from proxy.cli.screen import styled
from proxy.cli.timeline import chart, described
from proxy.core.completion import assemble
from proxy.core.model import SSE_TYPE, take_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cli.prompt import Message
    from proxy.cli.screen import Screen
    from proxy.core.canonical import Json
    from proxy.core.model import Interaction, RecordedRun, Response

_ROLE_STYLES = {
    "system": "magenta",
    "developer": "magenta",
    "user": "green",
    "assistant": "cyan",
    "tool": "blue",
    "function": "blue",
}
_RESULTS = frozenset({"tool", "function"})
"""The roles whose messages bear what a program wrote, mostly JSON."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """Lays one interaction out for a screen; `shows_logprobs` tells how probable each token of the answer was."""

    screen: Screen
    interaction: Interaction
    run: RecordedRun
    shows_logprobs: bool = False

    @property
    def page(self) -> Page:
        """What it is laid out on."""
        return Page(self.screen)

    def lines(self) -> Iterator[Text]:
        """Yield the whole: what was asked, what came back, and when."""
        body = wording.parsed(self.interaction.request.body)
        yield from self._head(body)
        yield from self._asked(body)
        yield from Answer(self.page, self.interaction.response, audio_type(body), self.shows_logprobs).lines()
        yield styled()
        yield from self._facts()

    def _head(self, body: Json) -> Iterator[Text]:
        request = self.interaction.request
        model = body.get("model") if isinstance(body, dict) else None
        query = f"?{request.query}" if request.query else ""
        name = take_name(self.interaction.track.key, self.interaction.number)
        named = (f"  {wording.on_one_line(model)}", "bold") if isinstance(model, str) else ""
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
            yield from self.page.titled("request", "green")
            yield from self.page.body(body)

    def _message(self, message: Message) -> Iterator[Text]:
        yield from self.page.titled(message.role, _ROLE_STYLES.get(message.role, ""), message.name)
        for part in message.parts:
            text = wording.laid_out(part.text) if message.role in _RESULTS else part.text
            yield from self.page.block(text, "" if part.is_text else "blue")
        for call in message.tool_calls:
            yield from self.page.call(call)

    def _facts(self) -> Iterator[Text]:
        response = self.interaction.response
        answer = assemble(response)
        if (answer.prompt_tokens, answer.completion_tokens) != (None, None):
            used = f"{wording.tokens(answer.prompt_tokens)} in, {wording.tokens(answer.completion_tokens)} out"
            yield from self.page.fact("tokens", used)
        yield from self.page.fact("timing", ", ".join(_timing(response)))
        if response.is_stream and response.chunks:
            yield from self.page.fact("stream", described(response, answer.completion_tokens))
            yield from chart(response, self.screen.width, LABEL)
        yield from self.page.fact("recorded", ", ".join(self._origin()))

    def _origin(self) -> Iterator[str]:
        interaction, run = self.interaction, self.run
        yield f"{wording.second(interaction.recorded_at)} UTC"
        yield f"take {interaction.number}"
        yield f"variant {interaction.track.variant}"
        if interaction.track.lane:
            yield f"lane {wording.on_one_line(interaction.track.lane)}"
        yield f"run {run.id} ({run.mode} from {run.upstream}, llmtape {run.llmtape_version})"


def _timing(response: Response) -> Iterator[str]:
    yield f"first byte {wording.duration(response.first_byte_us)}"
    if response.content_type == SSE_TYPE and response.chunks:
        yield f"first event {wording.duration(response.chunks[0].at_us)}"
        yield f"{len(response.chunks)} events"
    yield f"{wording.duration(response.duration_us)} in all"
    yield OUTCOMES[response.outcome]
