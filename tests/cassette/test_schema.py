"""The file can be read with plain `sqlite3`, and its views say what the Reader says."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette import schema
from proxy.core.model import Interaction, Outcome, Request, Variant
from tests.cassette.making import (
    AUTO,
    CHAT,
    JSON_TYPE,
    NOON,
    SSE_TYPE,
    answer,
    held,
    interactions,
    question,
    store,
    taken,
)

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, statement: str, *, as_bytes: bool = False) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    if as_bytes:
        connection.text_factory = bytes
    try:
        return [dict(row) for row in connection.execute(statement)]
    finally:
        connection.close()


def as_bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def event(**delta: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps({"model": "m-1", "choices": [{"index": 0, "delta": delta}]}).encode()


def chat(*messages: Any) -> Request:
    return Request("POST", CHAT, "", JSON_TYPE, json.dumps({"model": "m", "messages": messages}).encode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(interactions(), min_size=1, max_size=3, unique_by=lambda one: (one.track, one.number)))
def test_the_views_hold_the_bytes_that_the_reader_gives(path: Path, drawn: list[Interaction]) -> None:
    path.unlink(missing_ok=True)
    store(path, drawn, AUTO)
    read = held(path)
    ids = "select interaction_id from requests join interactions i on i.id = interaction_id"
    order = "order by i.run_id, i.recorded_at, i.lane, i.take"
    assert len(rows(path, f"{ids} {order}")) == len(read)
    by_key = {(one.track.key, one.track.variant.value, one.track.lane, one.number): one for one in read}
    for row in rows(path, "select * from interactions"):
        one = by_key[row["key"], row["variant"], row["lane"], row["take"]]
        (request,) = rows(path, f"select body from requests where interaction_id = {row['id']}", as_bytes=True)
        assert (request["body"] or b"") == one.request.body
        chunks = rows(
            path, f"select at_us, data from chunks where interaction_id = {row['id']} order by seq", as_bytes=True
        )
        assert [(chunk["at_us"], chunk["data"] or b"") for chunk in chunks] == [
            (chunk.at_us, chunk.data) for chunk in one.response.chunks
        ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(interactions(), min_size=1, max_size=3, unique_by=lambda one: (one.track, one.number)))
def test_plain_sqlite3_reads_each_view_whatever_was_recorded(path: Path, drawn: list[Interaction]) -> None:
    path.unlink(missing_ok=True)
    store(path, drawn, AUTO)
    assert len(rows(path, "select * from requests")) == len(drawn)
    assert len(rows(path, "select * from chunks")) == sum(len(one.response.chunks) for one in drawn)
    assert len(rows(path, "select * from transcript")) == len(drawn)


@pytest.mark.parametrize(
    ("request_body", "pieces"),
    [
        (b"--boundary\r\n\r\n\x89PNG\xff\0\r\n--boundary--", [b"{}"]),
        (b"{}", [b"\xff\xfb\x90\x64mp3", b"\0\0"]),
        (b"{}", ["{ü}".encode()[:2], "{ü}".encode()[2:]]),
        (b"{}", ["🎲".encode()[:1], "🎲".encode()[1:3], "🎲".encode()[3:], b"!"]),
        (b"{}", [b"", b"x", b""]),
        (b"", []),
    ],
    ids=["an upload", "sound", "a letter over two reads", "a letter over three reads", "empty chunks", "nothing"],
)
def test_the_views_can_be_read_though_not_all_is_text(path: Path, request_body: bytes, pieces: list[bytes]) -> None:
    store(path, [taken(Request("POST", "/v1/audio/transcriptions", "", (), request_body), answer(*pieces))])
    assert [as_bytes(row["body"]) for row in rows(path, "select body from requests")] == [request_body]
    assert [as_bytes(row["data"]) for row in rows(path, "select data from chunks order by seq")] == pieces
    assert len(rows(path, "select * from transcript")) == 1


def test_text_is_text(path: Path) -> None:
    store(path, [taken(question("grüße"), answer("ü".encode(), b"data: x\r\n\r\n"))])
    assert [row["data"] for row in rows(path, "select data from chunks order by seq")] == ["ü", "data: x\r\n\r\n"]
    assert rows(path, "select body from requests") == [{"body": question("grüße").body.decode()}]


# What a line of the transcript says of an interaction: prompt, answer, finish reason.
TRANSCRIPTS = {
    "plain": (
        question("What?"),
        answer(b'{"choices":[{"message":{"content":"This."},"finish_reason":"stop"}]}'),
        ("What?", "This.", "stop"),
    ),
    "in two reads": (
        question("What?"),
        answer(b'{"choices":[{"message":{"content":"Th', b'is."},"finish_reason":"stop"}]}'),
        ("What?", "This.", "stop"),
    ),
    "stream": (
        question("What?"),
        answer(
            event(role="assistant", content=""),
            event(content="Th"),
            event(content="is."),
            b"data: [DONE]\n\n",
            headers=SSE_TYPE,
        ),
        ("What?", "This.", None),
    ),
    "the last of several questions": (
        chat({"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}),
        answer(b"{}"),
        ("3", None, None),
    ),
    "stream of tool calls": (
        question("What?"),
        answer(
            event(tool_calls=[{"index": 0}]),
            b": comment\n\n",
            b"data: broken\n\n",
            b"data: {broken\n\n",
            headers=SSE_TYPE,
        ),
        ("What?", None, None),
    ),
    "an error": (question("What?"), answer(b'{"error":{"message":"no"}}', status=400), ("What?", None, None)),
    "an error that is no JSON": (question("What?"), answer(b"oops"), ("What?", None, None)),
    "messages that are none": (chat("hi", 1, None, ["x"]), answer(b"{}", status=400), (None, None, None)),
    "a message among others": (chat("hi", {"role": "user", "content": "yes"}), answer(b"{}"), ("yes", None, None)),
    "an answer of another shape": (question("What?"), answer(b'{"choices":{"message":"x"}}'), ("What?", None, None)),
    "an answer that is a list": (question("What?"), answer(b'["x"]'), ("What?", None, None)),
    "an answer that is a text": (question("What?"), answer(b'"x"'), ("What?", None, None)),
    "no body": (Request("GET", "/v1/models"), answer(b"{}"), (None, None, None)),
    "a body that is a list": (Request("POST", CHAT, "", (), b"[1]"), answer(b"{}"), (None, None, None)),
    "a body that is no text": (Request("POST", CHAT, "", (), b"\xff\0"), answer(b"\xff\0"), (None, None, None)),
    "a body nested too deep": (Request("POST", CHAT, "", (), b"[" * 3000), answer(b"[" * 3000), (None, None, None)),
}


@pytest.mark.parametrize("case", TRANSCRIPTS)
def test_the_transcript_tells_an_interaction_in_one_line(path: Path, case: str) -> None:
    request, response, expected = TRANSCRIPTS[case]
    store(path, [taken(request, response)])
    (row,) = rows(path, "select * from transcript")
    assert (row["prompt"], row["answer"], row["finish_reason"]) == expected
    assert (row["recorded_at"], row["outcome"], row["lane"]) == (NOON, "complete", "")


def test_one_strange_interaction_hides_no_other_from_the_transcript(path: Path) -> None:
    store(path, [taken(request, response) for request, response, _ in TRANSCRIPTS.values()])
    assert len(rows(path, "select * from transcript")) == len({taken(*case[:2]).track for case in TRANSCRIPTS.values()})


def test_names_are_lower_case_words(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    names = [row["name"] for row in rows(path, "select name from sqlite_master where name not like 'sqlite_%'")]
    tables = ["cassette", "runs", "parts", "bodies", "turns", "anchors", "interactions"]
    assert sorted(names) == sorted([*tables, "interactions_by_turn", "requests", "chunks", "transcript"])
    for name in names:
        for column in rows(path, f"select name from pragma_table_info('{name}')"):
            assert column["name"] == column["name"].lower()


def test_the_file_has_the_columns_that_the_design_names(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    columns = {row["name"] for row in rows(path, "select name from pragma_table_info('interactions')")}
    named = (
        "id key variant lane take run_id recorded_at method path query model request_headers request_body status "
        "response_headers outcome first_byte_us duration_us finish_reason prompt_tokens completion_tokens"
    )
    assert columns >= set(named.split())
    chunks = {row["name"] for row in rows(path, "select name from pragma_table_info('chunks')")}
    assert chunks == {"interaction_id", "seq", "at_us", "data"}


def test_two_takes_of_one_number_on_a_track_cannot_stand_in_a_file(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    copied = [column.name for column in schema.INTERACTIONS.columns if column.name != "id"]
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        connection.execute(f"insert into interactions({','.join(copied)}) select {','.join(copied)} from interactions")
    connection.close()


def test_enumerations_stand_in_the_file_as_their_words(path: Path) -> None:
    made = [
        taken(question(), answer(b"1", outcome=outcome), number, variant=variant)
        for number, (outcome, variant) in enumerate(zip(Outcome, Variant, strict=True), 1)
    ]
    store(path, made)
    assert rows(path, "select outcome, variant from interactions order by take") == [
        {"outcome": "complete", "variant": "json"},
        {"outcome": "unfinished", "variant": "sse"},
        {"outcome": "cut", "variant": "sse+usage"},
    ]
