"""Settings as they are declared: sections within sections, lists of tables, and what is told of the rest."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct, field

from proxy.core.errors import ConfigError
from proxy.declared import check_names, convert, parse, settings


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    name: str
    colour: Colour = Colour.RED


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    words: tuple[str, ...] = ()
    item: tuple[Item, ...] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Root(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    size: Annotated[int, Meta(ge=0)] = 5
    colour: Colour = Colour.BLUE
    inner: Inner = field(default_factory=Inner)


def test_settings_are_told_in_their_order_by_dotted_names() -> None:
    assert [(name, default) for name, _, default in settings(Root)] == [
        ("size", 5),
        ("colour", Colour.BLUE),
        ("inner.words", ()),
        ("inner.item", ()),
        ("inner.names", {}),
    ]


def test_known_names_pass() -> None:
    check_names({"size": 1, "inner": {"item": [{"name": "a"}], "names": {"any": "thing"}}}, Root, "here")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"sise": 1}, "here: there is no setting sise. Is size meant?"),
        ({"words": 1}, "here: there is no setting words. Is inner.words meant?"),
        ({"inner": {"wrods": 1}}, "here: there is no setting inner.wrods. Is inner.words meant?"),
        ({"inner": {"item": [{"nam": "a"}]}}, "here: there is no setting inner.item.nam. Is inner.item.name meant?"),
        ({"inner": {"item": [{"regex": "a"}]}}, "inner.item.regex. Known are: inner.item.name, inner.item.colour"),
        ({"inner": 5}, "here: inner is a section: write [inner], and its settings below"),
        ({"zzz": 5}, "here: there is no setting zzz. Known are: size, colour, inner.words"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_names(values, Root, "here")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"size": -1}, "here: size: expected `int` >= 0"),
        ({"colour": "green"}, "here: colour: invalid enum value 'green': say red or blue"),
        ({"inner": {"item": [{"name": "a", "colour": "x"}]}}, "inner.item[0].colour: invalid enum value 'x': say red"),
        ({"inner": {"item": [{}]}}, "inner.item[0]: object missing required field `name`"),
        ({"inner": {"names": {"a": 5}}}, "inner.names[...]: expected `str`, got `int`"),
    ],
)
def test_a_value_that_is_none_is_told_with_its_place(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(values, Root, "here")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "7", 7),
        (bool, "true", True),
        (Colour, "blue", "blue"),
        (tuple[str, ...], "a, b,", ["a", "b"]),
        (tuple[str, ...], '["a,b"]', ["a,b"]),
        (Mapping[str, str], '{"a": "b"}', {"a": "b"}),
    ],
)
def test_a_setting_is_read_from_a_text(kind: Any, text: str, value: Any) -> None:
    parsed = parse(text, kind, "x", "here")
    assert (list(parsed) if isinstance(parsed, (list, tuple)) else parsed) == value


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (int, "x", "here=x: expected `int`, got `str`"),
        (Colour, "green", "here=green: invalid enum value 'green': say red or blue"),
        (Mapping[str, str], "a", "here=a: "),
        (tuple[Item, ...], '[{"nam": "a"}]', "there is no setting x.nam. Is x.name meant?"),
    ],
)
def test_a_text_that_is_no_setting_is_told(kind: Any, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, kind, "x", "here")
    assert told in str(caught.value)
