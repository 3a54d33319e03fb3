"""A cassette as lines of text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cli.transcript import HEAD, transcript
from proxy.cli.wording import printable
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Variant
from proxy.core.rules import Rules
from tests.cassette.making import (
    AUTO,
    CHAT,
    JSON_TYPE,
    NOON,
    SSE_TYPE,
    answer,
    as_nobody,
    change,
    interactions,
    read_only_copy,
    store,
    taken,
)
from tests.cassette.versions import LATER, Versions, recorded, say

if TYPE_CHECKING:
    from collections.abc import Callable

USER = {"role": "user", "content": "Weather?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": '{"celsius": 15}'}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def ask(*messages: dict[str, Any], path: str = CHAT, **fields: Any) -> Request:
    return Request(
        "POST", path, "", JSON_TYPE, json.dumps({"model": "m", "messages": list(messages), **fields}).encode()
    )


def calls(finish: str = "tool_calls") -> Response:
    return answer(json.dumps({"choices": [{"index": 0, "message": ASKS, "finish_reason": finish}]}).encode())


def stream(*words: str, at: int = 100, id_: str = "c1") -> Response:
    events = [
        {"id": id_, "created": at, "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
        for word in words
    ]
    events.append({"id": id_, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events] + [b"data: [DONE]\n\n"]
    timed = tuple(Chunk(at * place, data) for place, data in enumerate(chunks))
    return Response(200, SSE_TYPE, timed, Outcome.COMPLETE, at, at * 10)


def text(folder: Path, *items: Interaction, name: str = "a") -> str:
    path = folder / f"{name}.sqlite"
    store(path, items, AUTO)
    return "\n".join(transcript(path))


def test_an_interaction_is_a_block_that_reads_as_a_conversation(tmp_path: Path) -> None:
    item = taken(ask(USER, ASKS, RESULT, temperature=0.5, tools=TOOLS), say("It is 15 °C."), lane="test_weather")
    assert text(tmp_path, item).splitlines() == [
        f"{item.track.key[:12]}:1 chat lane test_weather",
        "  model: m",
        "  temperature: 0.5",
        "  tools:",
        *(f"    {line}" for line in json.dumps(TOOLS, indent=2).splitlines()),
        "  user",
        "    Weather?",
        "  assistant",
        "    → weather",
        "      {",
        '        "city": "Paris"',
        "      }",
        "  tool weather",
        "    {",
        '      "celsius": 15',
        "    }",
        "  answer: stop",
        "    It is 15 °C.",
        "  recorded 2026-11-22 12:00:00 UTC, auto from http://127.0.0.1:9/v1, llmtape 0.1.0",
    ]


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        (lambda: taken(ask(USER), calls()), ["  answer: tool_calls", "    → weather", '        "city": "Paris"']),
        (lambda: taken(ask(USER), answer(b'{"error":{"message":"No."}}', status=400)), ["  error, status 400"]),
        (lambda: taken(ask(USER), say("x", usage={"total_tokens": 4321})), ["  answer: stop"]),
        (lambda: taken(ask(USER, n=2), answer(_two())), ["  answer 1: stop", "  answer 2: stop", "    (refusal)"]),
        (
            lambda: taken(ask(USER, stream=True), stream("Hel", "lo"), variant=Variant.SSE),
            ["  stream: true", "    Hello"],
        ),
        (
            lambda: taken(ask(USER, stream=True), answer(b"", headers=SSE_TYPE, outcome=Outcome.CUT)),
            ["  answer, cut"],
        ),
        (lambda: taken(Request("GET", "/v1/models"), answer(b'{"data": [1]}')), ['    {"data": [1]}']),
        (lambda: taken(Request("POST", "/v1/x", "a=1", (), b"\0\xff"), answer(b"\xff")), ["  body: \\x00\\xff"]),
    ],
)
def test_whatever_counts_is_told(item: Callable[[], Interaction], lines: list[str], tmp_path: Path) -> None:
    told = text(tmp_path, item())
    assert [line for line in lines if line not in told.splitlines()] == []
    assert "4321" not in told


def _two() -> bytes:
    choices = [
        {"index": 0, "message": {"content": "yes"}, "finish_reason": "stop"},
        {"index": 1, "message": {"content": None, "refusal": "no"}, "finish_reason": "stop"},
    ]
    return json.dumps({"choices": choices}).encode()


def test_ids_times_and_counts_change_no_line(tmp_path: Path) -> None:
    one, other = (
        text(tmp_path, taken(ask(USER, stream=True), made, variant=Variant.SSE), name=name)
        for name, made in (("a", stream("Hel", "lo", at=100, id_="x")), ("b", stream("Hello", at=7, id_="y")))
    )
    assert one == other


def test_a_changed_answer_is_a_changed_line_and_no_other_but_when_it_was_recorded(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.store("one", a="1", b="1", c="1")
    versions.store("other", a="1", b="2", c="1", at=LATER)
    one, other = (list(transcript(versions[name])) for name in ("one", "other"))
    changed = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1] and "recorded" not in pair[0]]
    assert changed == [("    1", "    2")]


def test_what_a_conversation_sends_again_is_said_in_a_line(tmp_path: Path) -> None:
    first = taken(ask(USER, tools=TOOLS), calls())
    second = taken(ask(USER, ASKS, RESULT, tools=TOOLS), say("15 °C"), at=LATER)
    _, _, told = text(tmp_path, first, second).partition(second.track.key[:12])
    assert told.splitlines()[1:6] == [
        "  model: m",
        "  tools: as before",
        "  (1 message as before)",
        "  assistant",
        "    → weather",
    ]


def test_a_lane_of_several_lines_stands_on_one(tmp_path: Path) -> None:
    (item,) = recorded("a", "1", lane="a lane\nof two")
    assert text(tmp_path, item).splitlines()[0].endswith(" chat lane a lane\\nof two")


def test_lanes_stand_together_and_know_nothing_of_each_other(tmp_path: Path) -> None:
    items = [taken(ask(USER, seed=seed), say("x"), lane=lane, at=NOON) for seed, lane in ((1, "b"), (2, "a"), (3, "b"))]
    told = text(tmp_path, *items)
    heads = [line for line in told.splitlines() if re.match(HEAD, line)]
    assert heads == [f"{items[place].track.key[:12]}:1 chat lane {items[place].track.lane}" for place in (1, 0, 2)]
    assert told.count("as before") == 1


def test_a_long_body_is_cut_and_its_rest_counts_all_the_same(tmp_path: Path) -> None:
    vectors = [[0.25] * 2000, [*[0.25] * 1999, 0.5]]
    told = [
        text(tmp_path, taken(Request("POST", "/v1/embeddings"), answer(json.dumps(vector).encode())), name=str(place))
        for place, vector in enumerate(vectors)
    ]
    assert max(map(len, told)) < 3000
    assert told[0] != told[1]


def test_a_conflict_is_shown_with_what_theirs_has(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.store("ours", a="1")
    versions.store("theirs", a=["2", "3"])
    versions.merge(base=None)
    lines = list(transcript(versions["out"]))
    key = recorded("a", "1")[0].track.key[:12]
    assert lines[:3] == [f"CONFLICT {key}: theirs has", f"  {key}:1 chat", "    model: m"]
    assert lines.index("      3") < lines.index(f"{key}:1 chat") < lines.index("    1")


def test_that_theirs_was_deleted_is_shown(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.store("base", a="1", b="1")
    versions.store("ours", a="2", b="1")
    versions.store("theirs", b="1")
    versions.merge()
    assert list(transcript(versions["out"]))[1] == "  no recording"


def test_keys_are_those_in_the_file_whatever_the_config_says(tmp_path: Path) -> None:
    rules = Rules(scrub=("date",))
    item = taken(ask({"role": "user", "content": "2026-11-22"}), say("x"), rules=rules)
    store(tmp_path / "a.sqlite", [item], rules=rules)
    assert next(transcript(tmp_path / "a.sqlite")).startswith(item.track.key[:12])


@pytest.mark.parametrize("content", [b"", b"x" * 5000], ids=["empty", "foreign"])
def test_what_is_no_cassette_is_one_line_that_tells_when_it_changes(content: bytes, tmp_path: Path) -> None:
    lines: list[str] = []
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content)
        lines += transcript(tmp_path / name)
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert re.fullmatch(r"cannot be shown: .*not a cassette.* \(sha256 [0-9a-f]{64}\)", lines[0])


def test_a_file_that_this_user_may_not_read_is_one_line(tmp_path: Path) -> None:
    with read_only_copy(Versions(tmp_path).store("a", a="1"), mode=0) as copy, as_nobody():
        (line,) = transcript(copy)
    assert line.startswith("cannot be shown: cannot read the cassette this file: Permission denied")


def test_a_newer_file_is_one_line(tmp_path: Path) -> None:
    path = Versions(tmp_path).store("a", a="1")
    change(path, "pragma user_version = 99")
    (line,) = transcript(path)
    assert "format 99" in line


def test_a_recording_that_cannot_be_read_takes_none_of_the_others_along(tmp_path: Path) -> None:
    path = Versions(tmp_path).store("a", a="1", b="2", c="3")
    change(path, "update interactions set response_framing = '[[1, 1]]' where id = 2")
    lines = list(transcript(path))
    assert "    1" in lines
    assert "    3" in lines
    assert sum("cannot be shown" in line for line in lines) == 1


@given(st.lists(interactions(), max_size=3))
@settings(max_examples=30, deadline=None)
def test_any_recordings_come_out_safe_to_show(items: list[Interaction]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.sqlite"
        store(path, items)
        if items:
            for line in transcript(path):
                assert printable(line) == line
                line.encode()
