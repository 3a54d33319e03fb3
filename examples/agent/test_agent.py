"""The agent's own suite: each test asks in a lane of its own, and is answered from cassettes/test_agent.sqlite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import agent
import pytest

if TYPE_CHECKING:
    from proxy.testing import Taped

BOTH_TOOLS = "What is the weather in Oslo, and convert 21 Celsius to Fahrenheit."


def messages(llmtape: Taped, call: int) -> list[dict[str, Any]]:
    """Return the messages of one of the calls that the agent made."""
    sent: list[dict[str, Any]] = llmtape.calls[call].request.json()["messages"]
    return sent


def test_the_answer_tells_what_both_tools_found(llmtape: Taped) -> None:
    """The agent calls what the model asks for, and says what the model makes of it."""
    answer = agent.ask(BOTH_TOOLS, print)

    _, _, wants, weather, converted = messages(llmtape, 1)
    convert = json.loads(wants["tool_calls"][1]["function"]["arguments"])
    assert weather["content"] == agent.SKY["Oslo"]
    assert converted["content"] == agent.convert(**convert)
    assert weather["content"] in answer
    assert converted["content"] in answer


def test_the_answer_arrives_in_pieces(llmtape: Taped) -> None:
    """Text is shown as it comes, and not once it is all there."""
    pieces: list[str] = []

    answer = agent.ask("How is the weather in Tromsø?", pieces.append)

    assert "".join(pieces) == answer
    assert len(pieces) > 5
    assert all(call.request.json()["stream"] for call in llmtape.calls)


def test_each_result_goes_back_under_the_id_of_its_call(llmtape: Taped) -> None:
    """Two calls of one tool are told apart."""
    agent.ask("What is the weather in Oslo and Paris?", print)

    first, second = llmtape.calls
    assert [tool["function"]["name"] for tool in first.request.json()["tools"]] == ["weather", "convert"]
    *_, wants, oslo, paris = second.request.json()["messages"]
    assert [call["id"] for call in wants["tool_calls"]] == [oslo["tool_call_id"], paris["tool_call_id"]]
    assert [oslo["content"], paris["content"]] == [agent.SKY["Oslo"], agent.SKY["Paris"]]


def test_the_model_is_told_of_a_tool_that_fails(llmtape: Taped) -> None:
    """A city that nobody knows is no reason to give up."""
    answer = agent.ask("What is the weather in Atlantis?", print)

    assert messages(llmtape, 1)[-1]["content"] == "error: no weather is known for Atlantis"
    assert "no weather is known for Atlantis" in answer


@pytest.mark.llmtape(faults="status=429; calls=1")
def test_a_call_over_the_rate_limit_is_made_again(llmtape: Taped) -> None:
    """The first call is refused on purpose; the SDK asks again, and the user notices nothing."""
    answer = agent.ask("Tell me the weather in Lisbon.", print)

    refused, again, _ = llmtape.calls
    assert refused.injected
    assert refused.request.body == again.request.body
    assert agent.SKY["Lisbon"] in answer


@pytest.mark.parametrize("end", ["abort", "clean"])
def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(llmtape: Taped, end: str) -> None:
    """The second answer stops after four events, with its connection or without a word; the error tells what came."""
    llmtape.inject(f"cut; after=4; end={end}; calls=2")
    pieces: list[str] = []

    with pytest.raises(agent.IncompleteAnswer) as raised:
        agent.ask("What is the weather in Paris?", pieces.append)

    assert pieces
    assert raised.value.partial == "".join(pieces)
