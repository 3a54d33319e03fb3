"""The choices beside volatile text: what else a user may say does not count.

Rule: one function a choice, from a body to a body, before anything else is done to it; each is idempotent, and does
nothing where the choice was not made. What the choices mean stands in `rules.OPTIONS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.canonical import Json
    from proxy.core.rules import Rules

    Body = dict[str, Json]
    Choice = Callable[[Body, Rules], Body]


def _developer_is_system(body: Body, rules: Rules) -> Body:
    messages = body.get("messages")
    if not rules.developer_is_system or not isinstance(messages, list):
        return body
    return body | {"messages": [_as_system(message) for message in messages]}


def _as_system(message: Json) -> Json:
    is_developer = isinstance(message, dict) and message.get("role") == "developer"
    return message | {"role": "system"} if is_developer else message


def _sort_tools(body: Body, rules: Rules) -> Body:
    lists = {name: body[name] for name in ("tools", "functions") if isinstance(body.get(name), list)}
    if not rules.sort_tools:
        return body
    return body | {name: sorted(tools, key=tool_name) for name, tools in lists.items()}


def tool_name(tool: Json) -> str:
    """Return a tool's name; tools that have none stay in their order, before the others."""
    if not isinstance(tool, dict):
        return ""
    holder = next((tool[kind] for kind in ("function", "custom") if isinstance(tool.get(kind), dict)), tool)
    name = holder.get("name")
    return name if isinstance(name, str) else ""


def _ignore_max_tokens(body: Body, rules: Rules) -> Body:
    if not rules.ignore_max_tokens:
        return body
    return {name: value for name, value in body.items() if name not in {"max_tokens", "max_completion_tokens"}}


def _models(body: Body, rules: Rules) -> Body:
    model = body.get("model")
    return body | {"model": rules.models[model]} if isinstance(model, str) and model in rules.models else body


CHOICES: Final[Mapping[str, Choice]] = {
    "developer_is_system": _developer_is_system,
    "sort_tools": _sort_tools,
    "ignore_max_tokens": _ignore_max_tokens,
    "models": _models,
}
"""By name, in the order in which they are applied."""


def chosen(body: Body, rules: Rules) -> Body:
    """Apply all choices to the body of a chat completion."""
    for choice in CHOICES.values():
        body = choice(body, rules)
    return body
