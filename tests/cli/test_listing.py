"""The layout of a list, by the width there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rich.cells import cell_len

from proxy.cassette.reader import Entry
from proxy.cli import listing
from proxy.cli.screen import styled
from proxy.core.completion import Choice, Completion, ToolCall
from proxy.core.model import Outcome, Take, Track, Variant


def entry(*, lane: str = "", status: int = 200, outcome: Outcome = Outcome.COMPLETE, **fields: Any) -> Entry:
    take = Take(1, Track("3f2a9c01b2d4" + "0" * 52, Variant.SSE_USAGE, lane), 2, status, outcome)
    values: dict[str, Any] = {
        "run_id": 1,
        "recorded_at": "2026-11-22T22:45:07.123Z",
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "gpt-4o-mini",
        "first_byte_us": 1000,
        "duration_us": 1_300_000,
        "finish_reason": "stop",
        "prompt_tokens": 85,
        "completion_tokens": 14,
    }
    return Entry(take, **(values | fields))


def choice(**fields: Any) -> Choice:
    empty: dict[str, Any] = {"content": "", "refusal": "", "tool_calls": (), "audio": ""}
    return Choice(index=0, role="assistant", finish_reason="stop", logprobs=0, **(empty | fields))


def titles(width: int, *entries: Entry) -> list[str]:
    return [column.title for column, _ in listing.plan(entries, width).columns]


def test_a_wide_line_has_all_columns_that_hold_anything() -> None:
    assert titles(200, entry()) == [
        "take",
        "variant",
        "when (UTC)",
        "model",
        "last user message",
        "answer",
        "finish",
        "tokens",
        "took",
    ]
    assert "lane" in titles(200, entry(), entry(lane="checkout"))
    assert titles(200, entry(outcome=Outcome.CUT))[-1] == ""
    bare = entry(model="", finish_reason=None, prompt_tokens=None, completion_tokens=None)
    assert not {"model", "finish", "tokens"} & set(titles(200, bare))


def test_a_narrow_line_leaves_columns_out_rather_than_squeeze_the_texts() -> None:
    assert titles(80, entry()) == ["take", "model", "last user message", "answer", "tokens"]
    assert titles(30, entry(outcome=Outcome.CUT)) == ["take", "last user message", "answer", ""]


@pytest.mark.parametrize("width", [60, 80, 120, 200, 400])
@pytest.mark.parametrize("text", ["short", "a longer text " * 40, "日本語" * 200, "👩‍👩‍👧" * 90])
def test_no_line_is_wider_than_the_screen(width: int, text: str) -> None:
    told = entry(lane="tests/test_checkout.py::test_refund[eur]", model="m" * 90, outcome=Outcome.UNFINISHED)
    layout = listing.plan([told], width)
    line = layout.line(told, styled(text), styled(text))
    assert cell_len(line.plain) <= width
    assert cell_len(layout.header().plain) <= width


def test_columns_stand_one_below_the_other() -> None:
    few, many = entry(duration_us=1000, outcome=Outcome.CUT), entry(duration_us=99_000_000, outcome=Outcome.CUT)
    layout = listing.plan([few, many], 200)
    one, other = (layout.line(told, styled("q"), styled("a")).plain for told in (few, many))
    assert one.index("1 ms") + len("1 ms") == other.index("99.0 s") + len("99.0 s")
    assert one.index("cut") == other.index("cut")


def test_beyond_the_sample_all_columns_are_there_and_only_names_are_cut() -> None:
    plain = entry(model="m", duration_us=1000, completion_tokens=None, prompt_tokens=None)
    layout = listing.plan([plain] * listing.SAMPLE, 200)
    assert {"lane", "tokens", ""} < {column.title for column, _ in layout.columns}
    later = entry(lane="l" * 90, model="m" * 90, prompt_tokens=10**9, duration_us=10**9, outcome=Outcome.UNFINISHED)
    line = layout.line(replace(later, take=replace(later.take, number=12345)), styled("q"), styled("a")).plain
    assert all(f" {value}" in f" {line}" for value in ("3f2a9c01b2d4:12345", "lll…", "mmmm…", f"{10**9}/14", "1000 s"))
    assert line.endswith("unfinished")


@pytest.mark.parametrize(
    ("status", "outcome", "note"),
    [
        (200, Outcome.COMPLETE, ""),
        (400, Outcome.COMPLETE, "400"),
        (200, Outcome.CUT, "cut"),
        (500, Outcome.UNFINISHED, "500 unfinished"),
    ],
)
def test_what_is_unusual_is_noted(status: int, outcome: Outcome, note: str) -> None:
    told = entry(status=status, outcome=outcome)
    line = listing.plan([told], 200).line(told, styled("q"), styled("a")).plain
    assert line.endswith(f"1.3 s  {note}".rstrip())


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (Completion(choices=(choice(content="Hel\nlo"), choice(content="other"))), "Hel lo"),
        (Completion(choices=(choice(refusal="No."),)), "refusal: No."),
        (Completion(choices=(choice(audio="spoken"),)), "spoken"),
        (
            Completion(
                choices=(choice(content="Let me see.", tool_calls=(ToolCall("c", "function", "f", '{"a":\n1}'),)),)
            ),
            'Let me see. → f({"a": 1})',
        ),
        (Completion(error="Too\nlong"), "Too long"),
        (Completion(), '{"data": 1}'),
    ],
)
def test_an_answer_is_told_in_short(answer: Completion, shown: str) -> None:
    assert listing.answer_cell(answer, b'{"data":\n1}').plain == shown


def test_what_has_no_user_message_is_told_by_its_endpoint() -> None:
    assert listing.prompt_cell(entry(method="GET", path="/v1/models"), None).plain == "GET /v1/models"
    assert listing.prompt_cell(entry(), "two\nlines").plain == "two lines"
