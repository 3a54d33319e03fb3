"""Usage adds up."""

from __future__ import annotations

from proxy.demo.completion import Call, Choice, Completion, Usage


def test_totals_are_sums_of_their_parts() -> None:
    usage = Usage(prompt=10, prompt_audio=2, visible=5, audio=3, reasoning=1).render()
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (12, 9, 21)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "audio_tokens": 2}
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 1
    assert usage["completion_tokens_details"]["audio_tokens"] == 3


def test_choices_take_their_time_side_by_side() -> None:
    choices = (
        Choice(0, "stop", content=("a", "b")),
        Choice(1, "tool_calls", tool_calls=(Call("id", "f", ("{", "}", "\n"), "function"),)),
    )
    assert Completion("id", 0, "m", "fp", "default", choices, Usage(0, 0, 0, 0, 0)).tokens == 3
