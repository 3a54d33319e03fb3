"""The request decides what is called."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.demo.faults import ApiError
from proxy.demo.toolbox import read_toolbox

WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "How warm it is"}}
CLOCK = {"type": "function", "function": {"name": "readClock"}}
SHELL = {
    "type": "custom",
    "custom": {
        "name": "shell",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": "ls( -l)?"}},
    },
}
TOOLS = [WEATHER, CLOCK, SHELL]


def _picked(question: str, *, answered: bool = False, **body: Any) -> list[str]:
    box = read_toolbox({"tools": TOOLS, **body})
    return [tool.name for tool in box.pick(question, answered=answered)]


def _only(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("question", "body", "expected"),
    [
        ("How is the weather?", {}, ["get_weather"]),
        ("Is it warm?", {}, ["get_weather"]),
        ("What does the clock say?", {}, ["readClock"]),
        ("Weather and clock, please", {}, ["get_weather", "readClock"]),
        ("Weather in Paris and Oslo", {}, ["get_weather", "get_weather"]),
        ("Weather in Paris and Oslo", {"parallel_tool_calls": False}, ["get_weather"]),
        ("Who are you?", {}, []),
        ("Who are you?", {"tool_choice": "required"}, ["get_weather"]),
        ("The clock?", {"tool_choice": "required"}, ["readClock"]),
        ("The clock?", {"tool_choice": "none"}, []),
        ("The clock?", {"tool_choice": {"type": "custom", "custom": {"name": "shell"}}}, ["shell"]),
        (
            "Paris and Oslo",
            {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
            ["get_weather"],
        ),
        ("The clock?", {"tool_choice": _only("get_weather")}, []),
        ("The clock?", {"tool_choice": _only("get_weather", mode="required")}, ["get_weather"]),
        ("The clock?", {"tools": None}, []),
        ("The clock?", {"tools": None, "tool_choice": "none"}, []),
    ],
)
def test_choice_follows_the_request(question: str, body: dict[str, Any], expected: list[str]) -> None:
    assert _picked(question, **body) == expected


def test_results_end_the_calling_unless_a_call_is_demanded() -> None:
    assert _picked("The clock?", answered=True) == []
    assert _picked("The clock?", answered=True, tool_choice="required") == ["readClock"]


@pytest.mark.parametrize(("choice", "expected"), [(None, ["f"]), ("auto", ["f"]), ("none", []), ({"name": "g"}, ["g"])])
def test_functions_are_called_one_at_a_time(choice: Any, expected: list[str]) -> None:
    functions = [{"name": "f", "description": "weather"}, {"name": "g", "description": "weather"}]
    box = read_toolbox({"functions": functions, "function_call": choice})
    assert [tool.name for tool in box.pick("Weather in Paris and Oslo", answered=False)] == expected
    assert box.legacy


def test_custom_tool_keeps_its_pattern_and_its_price() -> None:
    box = read_toolbox({"tools": TOOLS})
    assert [tool.input_pattern for tool in box.tools] == [None, None, "ls( -l)?"]
    assert box.tokens > 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "x"}}, "function_call"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}]}, "tools"),
    ],
)
def test_contradictions_are_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read_toolbox(body)
    assert caught.value.fault.param == param
