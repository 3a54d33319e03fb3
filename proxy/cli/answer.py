"""The layout of an answer: every choice, whole, or what came instead of one.

Rule: what is no text stands on a line of its own. Yields lines, prints nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.cli import wording
from proxy.cli.page import INDENT
from proxy.cli.screen import styled
from proxy.core.completion import assemble
from proxy.core.logprobs import logprobs
from proxy.core.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.text import Text

    from proxy.cli.page import Page
    from proxy.core.completion import Annotation, Choice
    from proxy.core.logprobs import Logprob
    from proxy.core.model import Response

OUTCOMES: Final = {
    Outcome.COMPLETE: "complete",
    Outcome.UNFINISHED: "unfinished: the stream ended before the answer did",
    Outcome.CUT: "cut: the upstream broke off",
}
"""How each outcome is told."""

_OK = 200
_LEAST_SHOWN = 0.0001


@dataclass(frozen=True, slots=True)
class Answer:
    """Lays one answer out. `audio` is the media type of what it speaks, `shows_logprobs` whether each token is told."""

    page: Page
    response: Response
    audio: str = ""
    shows_logprobs: bool = False

    def lines(self) -> Iterator[Text]:
        """Yield the whole."""
        answer = assemble(self.response)
        tokens = logprobs(self.response) if self.shows_logprobs else {}
        for choice in answer.choices:
            place = f" {choice.index + 1} of {len(answer.choices)}" if len(answer.choices) > 1 else ""
            yield from self._choice(choice, place, tokens)
        if answer.error:
            yield from self.page.titled("error", "red", unusual(self.response))
            yield from self.page.block(answer.error)
        elif not answer.choices:
            yield from self.page.titled("answer", "cyan", unusual(self.response))
            yield from self.page.body(wording.parsed(self.response.body))

    def _choice(self, choice: Choice, place: str, tokens: Mapping[int, Sequence[Logprob]]) -> Iterator[Text]:
        if choice.reasoning:
            yield from self.page.titled(f"reasoning{place}", "blue")
            yield from self.page.block(choice.reasoning, "dim")
        yield from self.page.titled(f"answer{place}", "cyan", _remark(choice, self.response))
        yield from self.page.block(choice.content) if choice.content else ()
        yield from self._annotations(choice.annotations)
        if choice.audio or choice.audio_bytes:
            yield from self.page.block(self._spoken(choice), "blue")
        if choice.refusal:
            yield from self.page.block(f"refusal: {choice.refusal}", "red")
        for call in choice.tool_calls:
            yield from self.page.call(call)
        yield from self._logprobs(tokens.get(choice.index, ()))

    def _annotations(self, annotations: Sequence[Annotation]) -> Iterator[Text]:
        for number, annotation in enumerate(annotations, 1):
            told = "  ".join(filter(None, (annotation.title, annotation.url))) or annotation.kind
            yield from self.page.block(f"[{number}] {told}", "blue")

    def _spoken(self, choice: Choice) -> str:
        held = wording.size(choice.audio_bytes) if choice.audio_bytes else ""
        kind = ", ".join(filter(None, ("audio", self.audio if held else "", held)))
        return f"[{kind}] {choice.audio}".rstrip()

    def _logprobs(self, tokens: Sequence[Logprob]) -> Iterator[Text]:
        if not tokens:
            return
        yield from self.page.block("logprobs", "dim")
        widest = max(len(wording.compact(token.token)) for token in tokens)
        for token in tokens:
            chosen = f"{wording.compact(token.token):<{widest}}  {_probability(token.logprob):>7}"
            others = [candidate for candidate in token.top if candidate.token != token.token]
            told = "  ".join(f"{wording.compact(other.token)} {_probability(other.logprob)}" for other in others)
            yield from self.page.screen.block(styled(chosen, (f"    {told}" if told else "", "dim")), 2 * INDENT)


def unusual(response: Response) -> str:
    """Tell what is unusual about how a response ended, in short; empty where nothing is."""
    status = "" if response.status == _OK else f"status {response.status}"
    outcome = "" if response.outcome is Outcome.COMPLETE else response.outcome.value
    return ", ".join(filter(None, (status, outcome)))


def _remark(choice: Choice, response: Response) -> str:
    reason = choice.finish_reason or "no finish reason"
    counted = f"logprobs of {choice.logprobs} tokens" if choice.logprobs else ""
    return ", ".join(filter(None, (reason, counted, unusual(response))))


def _probability(logprob: float | None) -> str:
    """Write a probability; the API says -9999 for one that is too small to tell."""
    if logprob is None:
        return "?"
    share = math.exp(min(logprob, 0.0))
    return f"{share:.2%}" if share >= _LEAST_SHOWN else "<0.01%"
