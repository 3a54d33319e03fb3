"""The words in which a runner says what it wants of a lane."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.core import faults
from proxy.core.deck import Repeats
from proxy.core.errors import ConfigError, FaultError
from proxy.core.modes import Mode
from proxy.core.rules import DEFAULT, Rules
from proxy.wanted import Wanted, read

WHERE = "POST /_llmtape/lane/start"


def test_what_is_not_said_is_as_the_proxy_has_it() -> None:
    assert read({}, Rules(scrub=("date",)), WHERE) == Wanted()


def test_all_that_can_be_said_is_read() -> None:
    said = {
        "cassette": "agent",
        "lane": "tests/test_a.py::test_b",
        "mode": "auto",
        "pace": "10x",
        "repeats": "error",
        "rules": {"sort_tools": True},
        "faults": "status=429; calls=1, delay=2s",
        "current": True,
    }
    assert read(said, DEFAULT, WHERE) == Wanted(
        cassette="agent",
        lane="tests/test_a.py::test_b",
        mode=Mode.AUTO,
        pace="10x",
        repeats=Repeats.ERROR,
        rules=Rules(sort_tools=True),
        faults=faults.parse("status=429; calls=1, delay=2s"),
        is_current=True,
    )


def test_a_lanes_rules_count_beside_those_of_the_config() -> None:
    wanted = read({"rules": {"sort_tools": True}}, Rules(scrub=("date",), models={"b": "a"}), WHERE)
    assert wanted.rules == Rules(scrub=("date",), models={"b": "a"}, sort_tools=True)


@pytest.mark.parametrize("empty", [{"rules": {}}, {"rules": None}, {"faults": ""}, {"mode": None}, {"pace": None}])
def test_to_say_nothing_is_the_same_as_not_to_say_it(empty: dict[str, Any]) -> None:
    assert read(empty, Rules(scrub=("date",)), WHERE) == Wanted()


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"cassete": "a"}, "cassette"),
        ({"repeat": "last"}, "repeats"),
        ({"fault": "cut"}, "faults"),
        ({"rules": {"sort_tool": True}}, "sort_tools"),
    ],
)
def test_a_word_that_is_not_known_is_an_error_that_names_the_nearest(said: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(said, DEFAULT, WHERE)
    assert WHERE in str(caught.value)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        {"mode": "reply"},
        {"mode": 1},
        {"pace": "fast"},
        {"pace": ""},
        {"repeats": "never"},
        {"lane": 7},
        {"current": "yes"},
        {"rules": ["date"]},
        {"rules": {"scrub": "date"}},
        {"rules": {"scrub": ["dates"]}},
        {"rules": {"path": [{"name": "a", "path": "["}]}},
        {"faults": 429},
    ],
)
def test_a_value_that_does_not_fit_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        read(said, DEFAULT, WHERE)


@pytest.mark.parametrize("text", ["statu=429", "status=teapot", "cut; before=1", ","])
def test_a_fault_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(FaultError):
        read({"faults": text}, DEFAULT, WHERE)
