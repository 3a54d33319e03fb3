"""Instances satisfy their schema."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads it
from enum import Enum
from random import Random
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from proxy.demo.instances import Instances
from proxy.demo.scalars import NoInstanceError


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class Leaf(Strict):
    kind: Literal["leaf"]
    size: Annotated[int, Field(gt=0, le=9, multiple_of=3)]


class Branch(Strict):
    kind: Literal["branch"]
    children: Annotated[list[Leaf | Branch], Field(min_length=1, max_length=2)]


class Everything(Strict):
    name: Annotated[str, Field(min_length=4, max_length=12)]
    colour: Colour
    born: date
    ratio: Annotated[float, Field(gt=0, lt=1)]
    sure: bool
    nothing: None
    code: Annotated[str, Field(pattern="^[A-Z]{2}[0-9]+$")]
    maybe: int | None
    colours: set[Colour]
    point: tuple[int, str]
    counts: dict[str, int]
    tree: Branch
    optional: str = "absent"


def _make(schema: dict[str, Any], seed: int) -> Any:
    return Instances(schema, ("Oslo", "Zürich"), Random(seed)).make()


@pytest.mark.parametrize("seed", range(100))
def test_instances_of_pydantic_models_validate(seed: int) -> None:
    Everything.model_validate(_make(Everything.model_json_schema(), seed))


NODE = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "also": {"$ref": "#"}},
    "required": ["next"],
}


@pytest.mark.parametrize("seed", range(20))
def test_recursive_schemas_come_to_an_end(seed: int) -> None:
    node = _make(NODE, seed)
    while node is not None:
        node = node["next"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 5}, 5),
        ({"enum": ["only"]}, "only"),
        ({"allOf": [{"minimum": 5}, {"minimum": 1}, {"maximum": 5, "type": "integer"}]}, 5),
        ({"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]}, 2),
        ({"$defs": {"a/b": {"const": 1}}, "$ref": "#/$defs/a~1b"}, 1),
        ({"prefixItems": [{"const": 1}, {"const": 2}], "items": False}, [1, 2]),
        ({"items": {"enum": [1]}, "uniqueItems": True, "minItems": 1, "maxItems": 9}, [1]),
        ({"items": {"const": 1}, "minItems": 2, "maxItems": 2}, [1, 1]),
        ({"required": ["a"], "additionalProperties": {"const": 0}}, {"a": 0}),
        (
            {
                "properties": {"a": {"minimum": 3, "type": "integer"}},
                "allOf": [{"properties": {"a": {"maximum": 3}}}],
            },
            {"a": 3},
        ),
        ({"type": ["null"]}, None),
        ({"type": "object"}, {}),
    ],
)
def test_narrow_schemas_leave_one_value(schema: dict[str, Any], expected: object) -> None:
    assert _make(schema, 1) == expected


def test_untyped_schemas_are_read_by_their_fields() -> None:
    assert isinstance(_make({"minimum": 3}, 1), float | int)
    assert isinstance(_make({"items": True}, 1), list)
    assert isinstance(_make({}, 1), str)
    assert len(_make({"additionalProperties": {"type": "null"}, "minProperties": 3}, 1)) == 3


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/none"},
        {"allOf": [{"$ref": "#"}]},
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"items": {"enum": [1]}, "uniqueItems": True, "minItems": 2},
        {"items": False, "minItems": 1},
        {"properties": {"a": False}, "required": ["a"]},
        {"enum": []},
        {"properties": 3, "type": "object"},
        {"type": "integer", "multipleOf": 0},
        {"type": "strnig"},
        {"anyOf": []},
    ],
)
def test_schemas_without_instances_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(NoInstanceError):
        _make(schema, 1)
