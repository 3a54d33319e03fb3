"""Messages stand in a valid order, and say what is asked."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo.conversation import message_text, read_conversation
from proxy.demo.faults import ApiError

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "parts"}]}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
SOUND = {
    "role": "user",
    "content": [{"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}}],
}


def _calls(*ids: str) -> dict[str, Any]:
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def _result(call: str, content: str = "found") -> dict[str, str]:
    return {"role": "tool", "tool_call_id": call, "content": content}


def test_question_is_the_last_thing_a_user_said() -> None:
    read = read_conversation([SYSTEM, {"role": "user", "content": "old"}, ASK])
    assert (read.question, read.results, read.attachments) == ("Two\nparts", (), ())


def test_without_a_user_the_last_message_is_the_question() -> None:
    assert read_conversation([SYSTEM]).question == "Be brief."


def test_results_are_those_at_the_end_in_order() -> None:
    asked = [ASK, _calls("a", "b"), _result("b", "second"), _result("a", "first")]
    assert read_conversation(asked).results == ("second", "first")
    assert read_conversation([*asked, {"role": "user", "content": "thanks"}]).results == ()
    assert read_conversation([ASK, {"role": "function", "name": "f", "content": "old style"}]).results == ("old style",)


def test_attachments_of_the_question_are_described_and_all_of_them_counted() -> None:
    read = read_conversation([SOUND, PICTURE])
    assert [one.kind for one in read.attachments] == ["image"]
    assert read.audio_tokens == 1
    assert read.text_tokens > read_conversation([SOUND]).text_tokens + 85


def test_calls_are_part_of_the_prompt() -> None:
    conversation = [ASK, _calls("a"), _result("a")]
    without: list[dict[str, Any]] = [ASK, {"role": "assistant", "content": ""}, {"role": "user", "content": "found"}]
    assert read_conversation(conversation).text_tokens > read_conversation(without).text_tokens


@pytest.mark.parametrize(
    ("messages", "param", "words"),
    [
        ([ASK, _result("a")], "messages.[1].role", "must be a response to a preceding message"),
        ([ASK, _calls("a"), _result("b")], "messages.[2].role", "must be a response"),
        ([ASK, _calls("a"), ASK, _result("a")], "messages.[2].role", "did not have response messages: a"),
        ([ASK, _calls("a", "b"), _result("a")], "messages.[3].role", "did not have response messages: b"),
        ([ASK, {"role": "assistant", "content": None}], "messages[1].content", "Missing required parameter"),
    ],
)
def test_messages_out_of_order_are_refused(messages: list[dict[str, Any]], param: str, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_conversation(messages)
    assert caught.value.fault.param == param
    assert words in caught.value.fault.message


def test_refusals_are_no_text() -> None:
    assert message_text({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}) == ""
