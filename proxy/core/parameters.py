"""The parameters of a chat completion, and what each is to the key.

Rule: every body parameter of the API reference stands in exactly one entry of `PARAMETERS`; what is not there is
semantic. A default is left out only where every provider takes its absence for the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proxy.core.canonical import IGNORED, Json
from proxy.core.messages import content, conversation, present

Body = dict[str, Json]

ABSENT: Final = object()
"""What a form returns for a value that is as good as none."""

Form = Callable[[Json, Body], Json]
"""Brings a parameter's value to one form, seeing the whole body; pure."""


class Role(StrEnum):
    """What a parameter is to the key (DESIGN, section 5)."""

    SEMANTIC = "semantic"
    COSMETIC = "cosmetic"
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One entry: its role, its form, and in a few words what is done with it."""

    role: Role
    form: Form
    note: str


def _same(one: Json, other: Json) -> bool:
    """Compare scalars as JSON does: `true` is not `1`."""
    return type(one) is type(other) and bool(one == other)


def _as_it_stands(value: Json, _body: Body) -> Json:
    return value


def _in_order(value: Json, _body: Body) -> Json:
    return with_ordered_properties(value)


def _never(_value: Json, _body: Body) -> Json:
    return ABSENT


def _unless(default: Json) -> Form:
    return lambda value, _body: ABSENT if _same(value, default) else value


def _messages(value: Json, _body: Body) -> Json:
    return conversation(value)


def _stream(value: Json, _body: Body) -> Json:
    return ABSENT if value is True or value is False else value


def _stream_options(value: Json, body: Body) -> Json:
    # Without `stream` the API answers options with an error: there they are part of what was asked.
    if body.get("stream") is not True or not isinstance(value, dict):
        return value
    options = present(value)
    for name in ("include_usage", "include_obfuscation"):
        if isinstance(options.get(name), bool):
            del options[name]
    return options or ABSENT


def _stop(value: Json, _body: Body) -> Json:
    return [value] if isinstance(value, str) else value


def _tool_choice(value: Json, body: Body) -> Json:
    return ABSENT if _same(value, "auto" if body.get("tools") else "none") else value


def _prediction(value: Json, _body: Body) -> Json:
    if not isinstance(value, dict):
        return value
    prediction = present(value)
    return prediction | {"content": content(prediction["content"])} if "content" in prediction else prediction


def _object(value: Json, _body: Body) -> Json:
    return present(value) if isinstance(value, dict) else value


def _response_format(value: Json, _body: Body) -> Json:
    if not isinstance(value, dict):
        return value
    wanted = _definition(value, "schema")
    if wanted == {"type": "text"}:
        return ABSENT
    if isinstance(wanted.get("json_schema"), dict):
        wanted["json_schema"] = _definition(wanted["json_schema"], "schema")
    return wanted


def _tools(value: Json, _body: Body) -> Json:
    return [_tool(tool) for tool in value] if isinstance(value, list) else value


def _tool(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    tool = _definition(value, "parameters")
    if isinstance(tool.get("function"), dict):
        tool["function"] = _definition(tool["function"], "parameters")
    if isinstance(tool.get("custom"), dict):
        tool["custom"] = present(tool["custom"])
    return tool


def _functions(value: Json, _body: Body) -> Json:
    if not isinstance(value, list):
        return value
    return [_definition(item, "parameters") if isinstance(item, dict) else item for item in value]


def _definition(value: Body, schema: str) -> Body:
    """Bring what holds a JSON schema under the name `schema` to one form."""
    definition = present(value)
    if definition.get("strict") is False:
        del definition["strict"]
    if schema in definition:
        definition[schema] = _schema(definition[schema])
    return definition


def with_ordered_properties(value: Json) -> Json:
    """Let the order of `properties` count wherever a schema may stand: models write their answers in it."""
    if isinstance(value, list):
        return [with_ordered_properties(item) for item in value]
    if not isinstance(value, dict):
        return value
    walked = {name: with_ordered_properties(item) for name, item in value.items()}
    if isinstance(walked.get("properties"), dict):
        walked["properties"] = _pairs(walked["properties"])
    return walked


def _pairs(named: dict[str, Json]) -> list[Json]:
    return [[name, item] for name, item in named.items()]


_SCHEMAS_BY_NAME = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"},
)
_SCHEMAS = frozenset(
    {
        *("items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"),
        *("additionalProperties", "propertyNames", "unevaluatedProperties"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    },
)


def _schema(value: Json) -> Json:
    """Bring a JSON schema to one form: `required` is a set. Walks schemas alone, not `enum`, `const` or examples."""
    if isinstance(value, list):
        return [_schema(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _schema_keyword(name, item) for name, item in value.items()}


def _schema_keyword(name: str, value: Json) -> Json:
    if name == "required" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value if IGNORED in value else sorted(set(value))  # a mark would be sorted in among the others
    if name in _SCHEMAS_BY_NAME and isinstance(value, dict):
        named = {key: _schema(item) for key, item in value.items()}
        return _pairs(named) if name == "properties" else named
    return _schema(value) if name in _SCHEMAS else value


def _semantic(note: str = "as it stands", form: Form = _as_it_stands) -> Parameter:
    return Parameter(Role.SEMANTIC, form, note)


def _cosmetic(note: str, form: Form) -> Parameter:
    return Parameter(Role.COSMETIC, form, note)


def _transport(note: str = "left out", form: Form = _never) -> Parameter:
    return Parameter(Role.TRANSPORT, form, note)


UNKNOWN: Final = _semantic(form=_in_order)

PARAMETERS: Final[dict[str, Parameter]] = {
    "audio": _semantic("as it stands", _object),
    "frequency_penalty": _cosmetic("0 counts as absent", _unless(0)),
    "function_call": _semantic(),
    "functions": _semantic("in order; in a schema `required` is a set, `properties` are in order", _functions),
    "logit_bias": _semantic(),
    "logprobs": _cosmetic("false counts as absent", _unless(default=False)),
    "max_completion_tokens": _cosmetic("one slot with `max_tokens`", _as_it_stands),
    "max_tokens": _cosmetic("one slot with `max_completion_tokens`", _as_it_stands),
    "messages": _semantic("in order, each in one form", _messages),
    "metadata": _transport(),
    "modalities": _semantic(),
    "model": _semantic(),
    "n": _cosmetic("1 counts as absent", _unless(1)),
    "parallel_tool_calls": _cosmetic("true counts as absent", _unless(default=True)),
    "prediction": _semantic("its content in one form", _prediction),
    "presence_penalty": _cosmetic("0 counts as absent", _unless(0)),
    "prompt_cache_key": _transport(),
    "prompt_cache_retention": _transport(),
    "reasoning_effort": _semantic(),
    "response_format": _cosmetic('{"type": "text"} counts as absent; schemas in one form', _response_format),
    "safety_identifier": _transport(),
    "seed": _semantic(),
    "service_tier": _transport(),
    "stop": _cosmetic("a text is a list of one", _stop),
    "store": _transport(),
    "stream": _transport("makes the variant", _stream),
    "stream_options": _transport("`include_usage` makes the variant", _stream_options),
    "temperature": _semantic(),
    "tool_choice": _cosmetic('"auto" with tools and "none" without count as absent', _tool_choice),
    "tools": _semantic("in order; in a schema `required` is a set, `properties` are in order", _tools),
    "top_logprobs": _semantic(),
    "top_p": _semantic(),
    "user": _transport(),
    "verbosity": _semantic(),
    "web_search_options": _semantic("as it stands", _object),
}


def one_form(body: Body) -> Body:
    """Bring the body of a chat completion to one form."""
    kept: Body = {}
    given = present(body)
    for name, value in given.items():
        form = PARAMETERS.get(name, UNKNOWN).form(value, given)
        if form is not ABSENT:
            kept[name] = form
    limit = kept.get("max_tokens")
    if limit is not None and _same(kept.get("max_completion_tokens", limit), limit):
        kept["max_completion_tokens"] = kept.pop("max_tokens")
    return kept
