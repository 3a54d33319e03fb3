"""Every miss explains itself."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.miss import Miss, Nearest
from proxy.core.model import Outcome, Request, Take, Track, Variant
from proxy.core.modes import Found
from proxy.core.normalize import Canonical, normalize
from proxy.core.remedy import remedy
from proxy.core.rules import Rules

CODES = [found for found in Found if found is not Found.PLAYABLE]


def chat(content: str = "Hi", **settings: Any) -> Canonical:
    body = {"model": "gpt-5.4", "messages": [{"role": "user", "content": content}]} | settings
    return normalize(Request("POST", "/v1/chat/completions", body=json.dumps(body).encode()))


def take(
    canonical: Canonical, *, number: int = 1, variant: Variant = Variant.JSON, outcome: Outcome = Outcome.COMPLETE
) -> Take:
    return Take(1, Track(canonical.key, variant), number, 200, outcome)


def miss(found: Found, asked: Canonical | None = None, lane: str = "", **fields: Any) -> Miss:
    asked = asked or chat()
    return Miss(
        found,
        fields.pop("cassette", "cassettes/default.sqlite"),
        Track(asked.key, asked.variant, lane),
        asked,
        **fields,
    )


def near(canonical: Canonical) -> Nearest:
    return Nearest(take(canonical), "2026-11-22T10:00:00.000Z", Request("POST", "/v1/chat/completions"), canonical)


@pytest.mark.parametrize("found", CODES)
def test_every_code_is_told_in_a_first_line_that_stands_by_itself(found: Found) -> None:
    first, blank, *_ = miss(found).report().split("\n")
    assert f"({found.value})" in first
    assert chat().key[:12] in first
    assert "POST /v1/chat/completions" in first
    assert blank == ""


@pytest.mark.parametrize("found", CODES)
def test_a_runner_that_records_by_a_command_of_its_own_is_named_it(found: Found) -> None:
    report = miss(found, recorder="pytest --llmtape=record tests/test_a.py::test_b").report()
    assert "pytest --llmtape=record tests/test_a.py::test_b" in report
    assert "llmtape auto" not in report


@pytest.mark.parametrize("found", CODES)
def test_every_report_names_the_cassette_and_the_command_that_records(found: Found) -> None:
    report = miss(found, held=7).report()
    assert "cassettes/default.sqlite (7 recorded)" in report
    assert "llmtape auto -c cassettes/default.sqlite -- " in report


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (miss(Found.NOT_RECORDED), "nothing like this request is in cassettes/default.sqlite"),
        (
            miss(Found.NOT_RECORDED, nearest=near(chat("Ho"))),
            f"the nearest recording, {chat('Ho').key[:12]}:1, differs in messages[0].content",
        ),
        (miss(Found.NOT_RECORDED, chat(seed=1), nearest=near(chat("Ho"))), "differs in messages[0].content, seed"),
        (
            miss(Found.NOT_RECORDED, chat(seed=1, top_p=1, temperature=1), nearest=near(chat("Ho"))),
            "differs in messages[0].content, seed, top_p and 1 more",
        ),
        (
            miss(Found.OTHER_VARIANT, chat(stream=True), take=take(chat())),
            "recorded without a stream, and is asked for as a stream",
        ),
        (
            miss(Found.OTHER_VARIANT, take=take(chat(), variant=Variant.SSE_USAGE)),
            "recorded as a stream with include_usage, and is asked for without a stream",
        ),
        (miss(Found.EXHAUSTED, take=take(chat(), number=3)), f"the last is {chat().key[:12]}:3"),
        (
            miss(Found.INCOMPLETE, take=take(chat(), number=2, outcome=Outcome.CUT)),
            f"the recording {chat().key[:12]}:2 is cut",
        ),
        (miss(Found.INCOMPLETE, take=take(chat(), outcome=Outcome.UNFINISHED)), f"{chat().key[:12]}:1 is unfinished"),
        (miss(Found.NO_CASSETTE), "there is no cassette cassettes/default.sqlite"),
    ],
)
def test_the_first_line_says_what_is_the_matter(told: Miss, expected: str) -> None:
    assert expected in told.report().split("\n")[0]


def test_the_report_shows_both_sides_of_each_difference() -> None:
    report = miss(Found.NOT_RECORDED, chat("Hello, cat", seed=1), nearest=near(chat("Hello, dog"))).report()
    assert '  messages[0].content\n    recorded  "Hello, [-dog-]"\n    asked     "Hello, {+cat+}"\n' in report
    assert "  seed\n    recorded  (absent)\n    asked     1\n" in report
    assert "recorded 2026-11-22T10:00:00.000Z" in report


def test_only_the_first_differences_are_shown_and_the_others_counted() -> None:
    many: dict[str, Any] = {f"x{number}": number for number in range(20)}
    report = miss(Found.NOT_RECORDED, chat(**many), nearest=near(chat())).report()
    assert report.count("    recorded  ") == 8
    assert "and 12 more fields" in report


@pytest.mark.parametrize(
    ("asked", "nearest", "expected"),
    [
        (chat(), None, None),
        (chat("a"), chat("b"), "messages[0].content"),
        (chat(temperature=1), chat(temperature=0), "temperature"),
        (chat(), chat(tools=[]), "tools"),
        (normalize(Request("POST", "/v1/x", body=b"a")), normalize(Request("POST", "/v1/x", body=b"b")), "body_sha256"),
        (normalize(Request("POST", "/v1/x", body=b"1")), normalize(Request("POST", "/v1/x")), "body"),
        (normalize(Request("GET", "/v1/x")), normalize(Request("GET", "/v1/y")), "path"),
    ],
)
def test_param_is_the_first_field_that_differs(
    asked: Canonical, nearest: Canonical | None, expected: str | None
) -> None:
    assert miss(Found.NOT_RECORDED, asked, nearest=near(nearest) if nearest else None).param == expected


def test_the_lane_is_told() -> None:
    assert (
        "lane 'tests/test_a.py::test_b[x-1]'" in miss(Found.NOT_RECORDED, lane="tests/test_a.py::test_b[x-1]").report()
    )


@pytest.mark.parametrize(
    ("found", "hint"),
    [(Found.EXHAUSTED, "--repeats last"), (Found.INCOMPLETE, "--incomplete play")],
)
def test_a_setting_that_helps_is_named(found: Found, hint: str) -> None:
    assert hint in miss(found).report()


def test_a_name_in_a_request_cannot_break_the_first_line() -> None:
    odd: dict[str, Any] = {"a\nb": 1, "c\r\nd": 2}
    report = miss(Found.NOT_RECORDED, chat(**odd), nearest=near(chat())).report()
    assert "differs in" in report.splitlines()[0]
    assert report.splitlines()[1] == ""


def test_the_command_can_be_pasted_where_the_cassettes_path_has_spaces() -> None:
    command = miss(Found.NOT_RECORDED, cassette="my tapes/a.sqlite").report().rpartition("record it: ")[2]
    assert shlex.split(command)[:4] == ["llmtape", "auto", "-c", "my tapes/a.sqlite"]


def test_a_report_can_be_sent_as_utf_8_whatever_was_asked() -> None:
    odd = chat("\ud83d\ud83d", **{"\ud83d": "\ude42"})
    miss(Found.NOT_RECORDED, odd, nearest=near(chat("\ud83d"))).report().encode()


def test_a_rule_that_would_have_made_a_field_equal_is_named_beside_it_and_as_a_line_of_config() -> None:
    one, other = (
        Request("POST", "/v1/chat/completions", body=b'{"messages":[{"role":"user","content":"It is %b."}]}' % day)
        for day in (b"2026-11-24", b"2026-11-25")
    )
    recorded, asked = normalize(one), normalize(other)
    found = remedy(one, other, Rules(scrub=("uuid",)))
    nearest = Nearest(take(recorded), "2026-11-24T10:00:00.000Z", one, recorded)
    report = miss(Found.NOT_RECORDED, asked, nearest=nearest, remedy=found).report()
    assert "    equal     under the rule date\n" in report
    assert report.endswith('write into llmtape.toml:\n\n  [rules]\n  scrub = ["uuid", "date"]')


def test_a_rule_that_helps_one_field_of_two_is_no_line_of_config() -> None:
    one = Request(
        "POST", "/v1/chat/completions", body=b'{"seed":1,"messages":[{"role":"user","content":"2026-11-24"}]}'
    )
    other = replace(one, body=one.body.replace(b"24", b"25").replace(b'seed":1', b'seed":2'))
    recorded, asked = normalize(one), normalize(other)
    nearest = Nearest(take(recorded), "2026-11-24T10:00:00.000Z", one, recorded)
    report = miss(Found.NOT_RECORDED, asked, nearest=nearest, remedy=remedy(one, other, Rules())).report()
    assert report.count("under the rule") == 1
    assert "[rules]" not in report


def test_a_field_within_the_json_of_a_tools_arguments_is_named_by_itself() -> None:
    def called(city: str) -> Canonical:
        function = {"name": "weather", "arguments": json.dumps({"city": city, "unit": "c"})}
        call = {"id": "c", "type": "function", "function": function}
        return chat(messages=[{"role": "assistant", "tool_calls": [call]}])

    report = miss(Found.NOT_RECORDED, called("Rome"), nearest=near(called("Paris"))).report()
    assert "\n  messages[0].tool_calls[0].function.arguments.city\n" in report
