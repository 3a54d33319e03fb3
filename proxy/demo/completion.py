"""A finished answer, before anyone has decided how it travels.

One rule: these are values; plain and streamed answers are two renderings of the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from proxy.demo.media import Sound

FinishReason = Literal["stop", "length", "tool_calls", "function_call"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the model makes: a function with JSON, or a custom tool with text."""

    id: str
    name: str
    input: tuple[str, ...]
    kind: Literal["function", "custom"]

    @property
    def input_field(self) -> str:
        """What the API calls the input of this kind of tool."""
        return "arguments" if self.kind == "function" else "input"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers; its text is kept as tokens, None where it has none."""

    index: int
    finish_reason: FinishReason
    content: tuple[str, ...] | None = None
    logprobs: tuple[dict[str, Any], ...] | None = None
    tool_calls: tuple[Call, ...] = ()
    function_call: Call | None = None
    sound: Sound | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request cost, in tokens; totals are sums, never counted on their own."""

    prompt: int
    prompt_audio: int
    visible: int
    audio: int
    reasoning: int

    def render(self) -> dict[str, Any]:
        """Render the API's usage object."""
        prompt = self.prompt + self.prompt_audio
        completion = self.visible + self.audio + self.reasoning
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": self.prompt_audio},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": self.audio,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer with all its choices."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    service_tier: str
    choices: tuple[Choice, ...]
    usage: Usage

    @property
    def tokens(self) -> int:
        """How many tokens take their time: those of the longest choice, as choices are written side by side."""
        return max(
            len(choice.content or ()) + sum(len(call.input) for call in choice.tool_calls) for choice in self.choices
        )
