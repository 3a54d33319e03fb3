"""The tools of a request, and which of them an answer calls.

One rule: the choice is a function of the request alone, so that a test knows what it gets: with `auto`, the tools
that share a word with the question; with anything stricter, what the request demands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from proxy.demo import tokens
from proxy.demo.faults import ApiError, invalid
from proxy.demo.language import vocabulary

_TWO_THINGS = re.compile(r"\band\b")


@dataclass(frozen=True, slots=True)
class Tool:
    """A function, or a custom tool that takes free text or what a grammar allows."""

    name: str
    description: str
    kind: Literal["function", "custom"]
    schema: dict[str, Any]
    input_pattern: str | None = None

    def relates_to(self, words: frozenset[str]) -> bool:
        """Whether the tool's name or description shares a word with the question."""
        return not words.isdisjoint(vocabulary(f"{self.name} {self.description}"))


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools on offer, and how free the choice among them is."""

    tools: tuple[Tool, ...] = ()
    mode: Literal["none", "auto", "required"] = "none"
    parallel: bool = True
    legacy: bool = False
    tokens: int = 0

    def pick(self, question: str, *, answered: bool) -> tuple[Tool, ...]:
        """Choose what to call; nothing where the results are already there, unless a call is demanded."""
        if self.mode == "none" or (answered and self.mode == "auto"):
            return ()
        words = vocabulary(question)
        related = tuple(tool for tool in self.tools if tool.relates_to(words))
        if self.mode == "required":
            related = related or self.tools[:1]
        if not self.parallel:
            return related[:1]
        # "Paris and Oslo" asks one tool about two things.
        return related * 2 if len(related) == 1 and _TWO_THINGS.search(question) else related


def read_toolbox(body: dict[str, Any]) -> Toolbox:
    """Read `tools` and `tool_choice`, or their forerunners `functions` and `function_call`."""
    if body.get("functions"):
        return _read_functions(body)
    tools = tuple(map(_read_tool, body.get("tools") or ()))
    choice = body.get("tool_choice") or ("auto" if tools else "none")
    if not tools and choice != "none":
        raise invalid(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            "tool_choice",
            "invalid_value",
        )
    box = Toolbox(
        tools, "auto", body.get("parallel_tool_calls") is not False, tokens=tokens.count_json(body.get("tools"))
    )
    return _narrow(box, choice)


def _read_functions(body: dict[str, Any]) -> Toolbox:
    functions = body["functions"]
    box = Toolbox(
        tuple(map(_read_function, functions)),
        "auto",
        parallel=False,
        legacy=True,
        tokens=tokens.count_json(functions),
    )
    choice = body.get("function_call") or "auto"
    return _demand(box, choice["name"], "function_call") if isinstance(choice, dict) else _narrow(box, choice)


def _narrow(box: Toolbox, choice: Any) -> Toolbox:
    match choice:
        case "none" | "auto" | "required":
            return replace(box, mode=choice)
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}:
            names = {tool.get(tool.get("type"), {}).get("name") for tool in allowed}
            return replace(box, mode=mode, tools=tuple(tool for tool in box.tools if tool.name in names))
        case _:
            return _demand(box, choice[choice["type"]]["name"], "tool_choice")


def _demand(box: Toolbox, name: str, param: str) -> Toolbox:
    demanded = tuple(tool for tool in box.tools if tool.name == name)
    if not demanded:
        raise invalid(f"Invalid value for '{param}': '{name}' is not among the given tools.", param, "invalid_value")
    return replace(box, tools=demanded, mode="required", parallel=False)


def _read_tool(tool: dict[str, Any]) -> Tool:
    return _read_function(tool["function"]) if tool["type"] == "function" else _read_custom(tool["custom"])


def _read_function(function: dict[str, Any]) -> Tool:
    schema = function.get("parameters") or {}
    if schema.get("type", "object") != "object":
        raise _no_object(function["name"], schema["type"])
    return Tool(function["name"], function.get("description") or "", "function", {"type": "object", **schema})


def _read_custom(custom: dict[str, Any]) -> Tool:
    match custom.get("format"):
        case {"grammar": {"syntax": "regex", "definition": definition}}:
            pattern = definition
        case _:
            pattern = None  # free text; a lark grammar is not read, and gets free text as well
    return Tool(custom["name"], custom.get("description") or "", "custom", {}, pattern)


def _no_object(name: str, kind: Any) -> ApiError:
    return invalid(
        f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', got "
        f"'type: \"{kind}\"'.",
        "tools",
        "invalid_function_parameters",
    )
