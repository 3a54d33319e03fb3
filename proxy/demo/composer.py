"""The model that is none: from a request to a finished answer.

One rule: all chance comes from the one generator that was given, so that a seeded upstream repeats itself from start
to start, and an unseeded one never does.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.demo import media, prose, tokens
from proxy.demo.completion import Call, Choice, Completion, FinishReason, Usage
from proxy.demo.faults import invalid
from proxy.demo.instances import Instances
from proxy.demo.pattern import NoMatchError, matching
from proxy.demo.scalars import NoInstanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from proxy.demo.chat import ChatRequest
    from proxy.demo.toolbox import Tool

_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ID_LENGTHS = {"chatcmpl-": 29, "call_": 24}


@dataclass(slots=True)
class _Budget:
    """How many tokens a choice may still use; None is no limit."""

    left: int | None
    exceeded: bool = False

    def take(self, wanted: Sequence[str]) -> tuple[str, ...]:
        if self.left is None:
            return tuple(wanted)
        taken = tuple(wanted[: self.left])
        self.left -= len(taken)
        self.exceeded = self.exceeded or len(taken) < len(wanted)
        return taken


class Composer:
    """Writes answers; the same request gets another one each time."""

    def __init__(self, random: Random, now: Callable[[], float] = time.time) -> None:
        self._random = random
        self._now = now
        self._counts = itertools.count(random.randrange(10, 9_000))
        self._fingerprint = f"fp_{random.getrandbits(40):010x}"

    def compose(self, request: ChatRequest) -> Completion:
        """Write an answer to a request."""
        choices = tuple(self._choice(index, request) for index in range(request.choices))
        return Completion(
            id=self._id("chatcmpl-"),
            created=int(self._now()),
            model=request.model,
            system_fingerprint=self._fingerprint if request.seed is None else f"fp_seed_{request.seed}",
            service_tier=request.service_tier,
            choices=choices,
            usage=_usage(request, choices),
        )

    def _choice(self, index: int, request: ChatRequest) -> Choice:
        budget = _Budget(_visible_limit(request))
        conversation = request.conversation
        picked = request.toolbox.pick(conversation.question, answered=bool(conversation.results))
        if picked:
            return self._calling(index, picked, request, budget)
        text = self._document(request) if request.document is not None else self._text(request)
        return self._speaking(index, text, request, budget)

    def _text(self, request: ChatRequest) -> str:
        return prose.answer(request.conversation, self._fresh_count(), self._random)

    def _document(self, request: ChatRequest) -> str:
        words = prose.subjects_of(request.conversation.question)
        try:
            value = Instances(request.document or {}, words, self._random).make()
        except NoInstanceError as error:
            raise invalid(f"Invalid schema for response_format: {error}.", "response_format") from None
        return json.dumps(value, ensure_ascii=False)

    def _speaking(self, index: int, text: str, request: ChatRequest, budget: _Budget) -> Choice:
        spoken = budget.take(tokens.split(_cut(text, request.stops)))
        finish: FinishReason = "length" if budget.exceeded else "stop"
        if request.sound is not None:
            sound = media.speak("".join(spoken), request.sound, int(self._now()), self._random)
            return Choice(index, finish, sound=sound)
        top = request.top_logprobs
        scored = None if top is None else tuple(tokens.logprobs(spoken, top, self._random))
        return Choice(index, finish, content=spoken, logprobs=scored)

    def _calling(self, index: int, tools: Sequence[Tool], request: ChatRequest, budget: _Budget) -> Choice:
        subjects = prose.subjects_of(request.conversation.question)
        calls = tuple(
            self._call(tool, _nth(subjects, position) if len(tools) > 1 else subjects, budget)
            for position, tool in enumerate(tools)
        )
        if request.toolbox.legacy:
            return Choice(index, "length" if budget.exceeded else "function_call", function_call=calls[0])
        return Choice(index, "length" if budget.exceeded else "tool_calls", tool_calls=calls)

    def _call(self, tool: Tool, words: Sequence[str], budget: _Budget) -> Call:
        return Call(self._id("call_"), tool.name, budget.take(tokens.split(self._input(tool, words))), tool.kind)

    def _input(self, tool: Tool, words: Sequence[str]) -> str:
        try:
            if tool.kind == "function":
                return json.dumps(Instances(tool.schema, words, self._random).make(), ensure_ascii=False)
            if tool.input_pattern is not None:
                return matching(tool.input_pattern, self._random)
        except (NoInstanceError, NoMatchError) as error:
            raise invalid(f"Invalid schema for tool '{tool.name}': {error}.", "tools") from None
        return f"{tool.name}: {', '.join(words)} #{self._fresh_count()}"

    def _fresh_count(self) -> int:
        # Strictly growing, by steps that differ from run to run.
        return next(self._counts) * 90 + self._random.randrange(90)

    def _id(self, prefix: str) -> str:
        return prefix + "".join(self._random.choices(_ID_LETTERS, k=_ID_LENGTHS[prefix]))


def _visible_limit(request: ChatRequest) -> int | None:
    return None if request.token_limit is None else max(request.token_limit - request.reasoning_tokens, 0)


def _nth(words: Sequence[str], position: int) -> tuple[str, ...]:
    return (words[position % len(words)],)


def _cut(text: str, stops: Sequence[str]) -> str:
    return text[: min((text.find(stop) for stop in stops if stop in text), default=len(text))]


def _usage(request: ChatRequest, choices: Sequence[Choice]) -> Usage:
    conversation = request.conversation
    thought = request.reasoning_tokens
    if request.token_limit is not None:
        thought = min(thought, request.token_limit)
    return Usage(
        prompt=conversation.text_tokens + request.toolbox.tokens,
        prompt_audio=conversation.audio_tokens,
        visible=sum(map(_visible_tokens, choices)),
        audio=sum(choice.sound.tokens for choice in choices if choice.sound),
        reasoning=thought * len(choices),
    )


def _visible_tokens(choice: Choice) -> int:
    calls = (*choice.tool_calls, *((choice.function_call,) if choice.function_call else ()))
    transcript = choice.sound.transcript if choice.sound else ""
    return (
        len(choice.content or ())
        + tokens.count(transcript)
        + sum(tokens.count(call.name) + len(call.input) for call in calls)
    )
