"""What a page is made of."""

from __future__ import annotations

import json

from proxy.cli.page import Page
from proxy.cli.screen import Screen
from proxy.core.completion import ToolCall

PAGE = Page(Screen())


def test_a_part_begins_below_an_empty_line() -> None:
    assert [line.plain for line in PAGE.titled("user", "green", "ann")] == ["", "user  ann"]


def test_a_text_is_indented_and_what_could_steer_a_terminal_escaped() -> None:
    assert [line.plain for line in PAGE.block("a\n\nb\x1b")] == ["  a", "", "  b\\x1b"]


def test_a_tool_call_has_its_arguments_laid_out() -> None:
    assert [line.plain for line in PAGE.call(ToolCall("c1", "function", "f", '{"a":1}'))] == [
        "  → f  c1",
        "    {",
        '      "a": 1',
        "    }",
    ]
    assert [line.plain for line in PAGE.call(ToolCall("", "custom", "sh", "ls -l"))] == ["  → sh  custom", "    ls -l"]


def test_a_fact_stands_beside_its_name() -> None:
    assert [line.plain for line in PAGE.fact("tokens", "1 in")] == ["tokens    1 in"]


def test_a_long_body_is_cut_and_says_where_the_rest_is() -> None:
    value = {"data": [0.5] * 5000}
    left_out = len(json.dumps(value)) - 2000
    assert [line.plain for line in PAGE.body(value)][-1] == f"  ({left_out} more characters: see --json)"
    assert [line.plain for line in PAGE.body({"a": 1})] == ["  {", '    "a": 1', "  }"]
