"""Recordings as JSON lines: reading undoes writing, and what is no line is told in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import interchange
from proxy.core.errors import InterchangeError
from proxy.core.interchange import Header, Line, Recorded
from proxy.core.model import Chunk, RecordedRun, Variant
from tests.cassette.making import SSE_TYPE, answer, interactions, question, taken

RUN = RecordedRun(3, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
STREAM = answer(b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n", headers=SSE_TYPE)
RECORDED = Recorded(taken(question("Grüße"), STREAM, lane="a test", variant=Variant.SSE), 3)


def told(line: Line) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(interchange.dumps(line))
    return value


def test_a_line_is_one_line_that_people_can_read() -> None:
    text = interchange.dumps(RECORDED).decode()
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert "Grüße" in text
    (interaction,) = told(RECORDED).values()
    assert list(interaction) == ["key", "variant", "lane", "take", "run", "recorded_at", "request", "response"]
    assert interaction["request"]["json"]["messages"] == [{"role": "user", "content": "Grüße"}]
    assert interaction["response"]["events"] == [[100, {"choices": []}], [200, "data: [DONE]\n\n"]]


def test_a_line_is_one_to_any_program_and_steers_no_terminal() -> None:
    steering = "a\x1b[2J\x7f\x85\x9b\u2028\u202e\u2066\\\x9b é 🎲"
    line = Recorded(taken(question(), answer(json.dumps(steering, ensure_ascii=False).encode())), 1)
    text = interchange.dumps(line).decode()
    assert len(text.splitlines()) == 1
    assert text.rstrip("\n").isprintable()
    assert interchange.loads(text.encode()) == line


@pytest.mark.parametrize("line", [Header({}), Header({"rules": "{}", "conflict:x": "ü\n"}), RUN, RECORDED])
def test_reading_undoes_writing(line: Line) -> None:
    assert interchange.loads(interchange.dumps(line)) == line


@settings(deadline=None, max_examples=200)
@given(interactions().map(lambda made: Recorded(made, 1)))
def test_any_interaction_comes_back(line: Recorded) -> None:
    assert interchange.loads(interchange.dumps(line)) == line


def test_a_stream_without_its_label_is_told_by_its_events_and_comes_back_as_a_stream() -> None:
    unlabelled = replace(STREAM, headers=(), was_asked_as_stream=True)
    line = Recorded(replace(RECORDED.interaction, response=unlabelled), 1)
    assert "events" in told(line)["interaction"]["response"]
    read = interchange.loads(interchange.dumps(line))
    assert isinstance(read, Recorded)
    assert read.interaction.response.is_stream


def test_the_format_of_the_file_is_no_fact_about_its_recordings() -> None:
    assert told(Header({"format": "2", "rules": "{}"}))["header"]["facts"] == {"rules": "{}"}


def test_a_header_is_known_whatever_its_version() -> None:
    newer = {"header": {"format": "llmtape", "version": 2, "anything": 1}}
    assert interchange.is_header(interchange.dumps(Header({})))
    assert interchange.is_header(json.dumps(newer).encode())
    assert not any(map(interchange.is_header, [b"", b"x", b"[]", b"{}", b'{"header":1}', b'{"log":{}}', b"\xff"]))
    with pytest.raises(InterchangeError, match="update llmtape"):
        interchange.loads(json.dumps(newer).encode())


def changed(line: Line, path: str, value: Any) -> bytes:
    """Write a line with one member changed; `...` takes it away."""
    whole = told(line)
    held: Any = whole
    *within, last = path.split(".")
    for name in within:
        held = held[name]
    if value is ...:
        del held[last]
    else:
        held[last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[1]", "header, run, interaction"),
        (b"{}", "header, run, interaction"),
        (b'{"take":{}}', "header, run, interaction"),
        (b'{"run":{},"header":{}}', "header, run, interaction"),
        (b'{"run":[]}', "'run' should be an object"),
        (b"[" * 100_000, "no JSON"),
        (b'{"run":' * 1000 + b"1" + b"}" * 1000, "no member 'run'"),
        (changed(RUN, "run.id", "3"), "'id' should be an integer"),
        (changed(RUN, "run.mode", None), "'mode' should be a text"),
        (changed(RUN, "run.more", 1), "no member 'more'"),
        (changed(Header({}), "header.format", "x"), "format"),
        (changed(Header({}), "header.version", "x"), "'version'"),
        (changed(Header({}), "header.facts", {"rules": 1}), "'rules' should be a text"),
        (changed(Header({}), "header.more", 1), "no member 'more'"),
        (changed(RECORDED, "interaction.key", "3f2a"), "64 hexadecimal digits"),
        (changed(RECORDED, "interaction.take", 0), "'take' should be an integer from 1"),
        (changed(RECORDED, "interaction.take", value=True), "'take'"),
        (changed(RECORDED, "interaction.take", 10**40), "'take'"),
        (changed(RECORDED, "interaction.take", 2**63), "'take'"),
        (changed(RECORDED, "interaction.lane", ...), "'lane'"),
        (changed(RECORDED, "interaction.variant", "xml"), "xml"),
        (changed(RECORDED, "interaction.response.outcome", "fine"), "fine"),
        (changed(RECORDED, "interaction.response.status", "200"), "'status'"),
        (changed(RECORDED, "interaction.response.headers", {}), "header fields"),
        (changed(RECORDED, "interaction.response.headers", ...), "header fields"),
        (changed(RECORDED, "interaction.response.event", []), "no member 'event'"),
        (changed(RECORDED, "interaction.request.txt", ""), "no member 'txt'"),
        (changed(RECORDED, "interaction.request.method", 1), "'method'"),
        (changed(RECORDED, "interaction.request", []), "'request' should be an object"),
        (changed(RECORDED, "interaction.request.style", "bold"), "style"),
        (changed(RECORDED, "interaction.request.json", json.loads("[" * 600 + "]" * 600)), "JSON"),
    ],
    ids=lambda value: value[:60].decode("utf-8", "replace") if isinstance(value, bytes) else None,
)
def test_what_is_no_line_is_told_in_words(line: bytes, reason: str) -> None:
    with pytest.raises(InterchangeError, match=reason):
        interchange.loads(line)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_line_is_an_error_of_ours_or_another_line(data: st.DataObject) -> None:
    line = interchange.dumps(RECORDED)
    place = data.draw(st.integers(0, len(line) - 1))
    damaged = line[:place] + data.draw(st.binary(max_size=3)) + line[place + data.draw(st.integers(0, 3)) :]
    try:
        read = interchange.loads(damaged)
    except InterchangeError:
        return
    assert interchange.loads(interchange.dumps(read)) == read


def test_chunks_of_a_plain_answer_come_back_where_they_were_cut() -> None:
    cut = replace(answer(b"x"), chunks=(Chunk(1, "ü".encode()[:1]), Chunk(2, b""), Chunk(3, "ü".encode()[1:])))
    line = Recorded(taken(question(), cut), 1)
    assert interchange.loads(interchange.dumps(line)) == line


@pytest.mark.parametrize("status", [0, 99, 1000, 2**62])
def test_a_status_that_no_answer_has_is_told(status: int) -> None:
    line = interchange.dumps(RECORDED).replace(b'"status":200', b'"status":%d' % status)
    with pytest.raises(InterchangeError, match="'status' should be an integer from 100 to 999"):
        interchange.loads(line)
