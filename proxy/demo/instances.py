"""JSON values that satisfy a JSON schema.

One rule: a value is built from the schema, never built and then repaired. Where the generator finds none, it says
so, and the request is refused as one with a faulty schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from proxy.demo import scalars
from proxy.demo.scalars import NoInstanceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

Schema: TypeAlias = dict[str, Any]

# From here on the simplest value is taken, so that recursive schemas come to an end ...
_SHALLOW = 4
# ... and here it is clear that this one never does.
_DEEPEST = 40
_DISTINCT_ATTEMPTS = 50
_MORE_ITEMS = 2
_RANK = {"null": 0, "boolean": 1, "integer": 1, "number": 1, "string": 1, "array": 2, "object": 3}
# By these fields a schema shows its type where it does not name it.
_TYPICAL = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "prefixItems", "minItems"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
}
_LOWER_BOUNDS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER_BOUNDS = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}


class Instances:
    """Makes values for one schema, with a few words for the strings among them."""

    def __init__(self, root: Schema, words: Sequence[str], random: Random) -> None:
        self._root = root
        self._words = words
        self._random = random

    def make(self) -> Any:
        """Make a value that satisfies the schema; raise NoInstanceError where none is found."""
        try:
            return self._value(self._root, 0)
        except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
            # No schema is held against the metaschema first: to read it is the check.
            raise NoInstanceError(f"the schema is malformed ({error})") from None

    def _value(self, schema: Any, depth: int) -> Any:
        plain = self._plain(schema, depth)
        if "const" in plain:
            return plain["const"]
        if "enum" in plain:
            return self._random.choice(plain["enum"])
        match self._kind(plain, depth):
            case "object":
                return self._object(plain, depth)
            case "array":
                return self._array(plain, depth)
            case kind:
                return scalars.make(kind, plain, self._words, self._random)

    def _plain(self, schema: Any, depth: int) -> Schema:
        """Follow references, and merge the branches of combined schemas into one."""
        if depth > _DEEPEST:
            raise NoInstanceError("the schema never comes to an end")
        if schema is False:
            raise NoInstanceError("the schema allows nothing")
        plain = {} if schema is True else dict(schema)
        for _ in range(_DEEPEST):
            if "$ref" in plain:
                plain = _merged(plain, self._referred(plain.pop("$ref")))
            elif "allOf" in plain:
                for part in plain.pop("allOf"):
                    plain = _merged(plain, self._plain(part, depth + 1))
            elif choice := next((name for name in ("anyOf", "oneOf") if name in plain), None):
                plain = _merged(plain, self._branch(plain.pop(choice), depth))
            else:
                return plain
        raise NoInstanceError("the schema refers to itself")

    def _referred(self, reference: str) -> Schema:
        target: Any = self._root
        for step in reference.removeprefix("#").removeprefix("/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if name and not (isinstance(target, dict) and name in target):
                raise NoInstanceError(f"nothing stands at {reference!r}")
            target = target[name] if name else target
        return dict(target)

    def _branch(self, branches: Sequence[Schema], depth: int) -> Schema:
        if depth < _SHALLOW:
            return dict(self._random.choice(branches))
        simplest = min(branches, key=self._rank)
        return dict(simplest)

    def _rank(self, schema: Schema) -> int:
        target = self._referred(schema["$ref"]) if "$ref" in schema else schema
        if "const" in target or "enum" in target:
            return _RANK["string"]
        kinds = target.get("type", "object")
        return min(_RANK[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))

    def _kind(self, schema: Schema, depth: int) -> str:
        match schema.get("type"):
            case str(kind):
                return kind
            case [*kinds] if kinds:
                return self._one_kind(kinds, depth)
            case _:
                return next((kind for kind, fields in _TYPICAL.items() if fields & schema.keys()), "string")

    def _one_kind(self, kinds: Sequence[str], depth: int) -> str:
        return self._random.choice(kinds) if depth < _SHALLOW else min(kinds, key=_RANK.__getitem__)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties: dict[str, Any] = schema.get("properties") or {}
        required: list[str] = schema.get("required") or []
        names = [name for name in properties if name in required or depth < _SHALLOW]
        made = {name: self._value(properties[name], depth + 1) for name in names}
        free = [name for name in required if name not in properties]
        free += self._free_names(schema, len(made) + len(free), depth)
        others = schema.get("additionalProperties", True)
        return made | {name: self._value(others, depth + 1) for name in free}

    def _free_names(self, schema: Schema, taken: int, depth: int) -> list[str]:
        least = schema.get("minProperties", 0)
        is_mapping = isinstance(schema.get("additionalProperties"), dict) and not schema.get("properties")
        if is_mapping and depth < _SHALLOW:
            least = max(least, 1)
        return [f"{self._random.choice(self._words).lower()}_{number}" for number in range(taken, least)]

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        made = [self._value(item, depth + 1) for item in schema.get("prefixItems") or ()]
        items, least = schema.get("items", True), int(schema.get("minItems", 0))
        distinct = bool(schema.get("uniqueItems"))
        wanted = least if items is False else self._length(schema, least, depth)
        for _ in range(_DISTINCT_ATTEMPTS if distinct else wanted):
            if len(made) >= wanted:
                break
            item = self._value(items, depth + 1)
            made += [] if distinct and item in made else [item]
        if len(made) < least:
            raise NoInstanceError("found too few distinct items")
        return made

    def _length(self, schema: Schema, least: int, depth: int) -> int:
        if depth >= _SHALLOW:
            return least
        most = min(int(schema.get("maxItems", least + _MORE_ITEMS)), least + _MORE_ITEMS)
        return self._random.randint(max(least, min(1, most)), most)


def _merged(base: Schema, other: Schema) -> Schema:
    """Join two schemas that both hold: what they share must satisfy the two of them."""
    shared = base.keys() & other.keys()
    return {**base, **other, **{field: _both(field, base[field], other[field]) for field in sorted(shared)}}


def _both(field: str, one: Any, other: Any) -> Any:
    if field in _LOWER_BOUNDS:
        return max(one, other)
    if field in _UPPER_BOUNDS:
        return min(one, other)
    if field == "required":
        return [*dict.fromkeys([*one, *other])]
    if field == "enum":
        return [value for value in one if value in other]
    if field == "properties":
        both = one.keys() & other.keys()
        return {**one, **other, **{name: {"allOf": [one[name], other[name]]} for name in both}}
    return other
