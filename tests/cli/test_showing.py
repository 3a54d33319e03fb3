"""`llmtape show`, as it is called."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cli.wording import printable
from proxy.core.model import Chunk, Outcome, Response, Variant
from tests.cassette.making import AUTO, CHAT, SSE_TYPE, answer, interactions, question, store, taken
from tests.cli.recorded import RECORDED, WEATHER, ask, key, run, say, told

if TYPE_CHECKING:
    from proxy.core.model import Interaction


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("show") / "show.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


def exactly(*arguments: object) -> bytes:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout_bytes


def test_show_reads_as_a_conversation(cassette: Path) -> None:
    text = told("show", cassette, key("tools"))
    for fragment in (
        "stream=true  tools=weather",
        "user\n  Weather?\n",
        'answer  tool_calls\n  → weather\n    {\n      "city": "Zürich"\n    }\n',
        "first byte 150 ms, first event 200 ms, 4 events, 1.3 s in all, complete",
        "take 1, variant sse, run 1 (auto from http://127.0.0.1:9/v1, llmtape 0.1.0)",
    ):
        assert fragment in text


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("stream", ["  Grüße 🎲\n", "lane test_greeting"]),
        ("n=2", ["answer 1 of 2  stop\n  Ada", "answer 2 of 2  stop\n  Grace", "20 in, 7 out"]),
        ("error", ["error  status 400\n  Too hot."]),
        ("cut", ["answer  no finish reason, cut\n  Once", "cut: the upstream broke off"]),
        ("picture", ["  What is this?\n  [image, image/png, 4.3 kB]\n", "A [bold]cat[/bold]\\x1b[2J."]),
    ],
)
def test_show_tells_all_of_an_answer(name: str, fragments: list[str], cassette: Path) -> None:
    text = told("show", cassette, key(name)[:12])
    assert all(fragment in text for fragment in fragments), text


def test_show_has_all_takes_of_a_key_or_the_one_that_is_named(cassette: Path) -> None:
    both, second = (told("show", cassette, key("plain")[:9] + take) for take in ("", ":2"))
    assert both.index("Hello there.") < both.index("─" * 80) < both.index("Hello again.")
    assert "Hello again." in second
    assert "Hello there." not in second


def test_show_on_a_terminal_wraps_to_its_width(cassette: Path) -> None:
    text = told("show", cassette, key("plain") + ":1", COLUMNS="40", FORCE_COLOR="1", NO_COLOR="1", TERM="dumb")
    assert all(cell_len(line) <= 40 for line in text.splitlines())


def test_show_json_has_the_whole_interaction(cassette: Path) -> None:
    (shown,) = json.loads(told("show", cassette, key("tools"), "--json"))
    assert shown == {
        "name": f"{key('tools')[:12]}:1",
        "key": key("tools"),
        "take": 1,
        "variant": "sse",
        "lane": "",
        "recorded_at": "2026-11-22T12:00:00.000Z",
        "run": {
            "id": 1,
            "started_at": "2026-11-22T12:00:00Z",
            "mode": "auto",
            "upstream": "http://127.0.0.1:9/v1",
            "llmtape_version": "0.1.0",
        },
        "request": {
            "method": "POST",
            "path": CHAT,
            "query": "",
            "headers": [["content-type", "application/json"]],
            "body": json.loads(RECORDED["tools"].request.body),
        },
        "response": {
            "status": 200,
            "headers": [["content-type", "text/event-stream"]],
            "outcome": "complete",
            "first_byte_us": 150_000,
            "first_chunk_us": 200_000,
            "duration_us": 1_300_000,
            "chunks": 4,
            "body": None,
        },
        "completion": {
            "id": "c1",
            "model": "",
            "choices": [
                {
                    "index": 0,
                    "role": "",
                    "content": "",
                    "refusal": "",
                    "tool_calls": [{"id": "", "kind": "function", "name": "weather", "arguments": WEATHER}],
                    "finish_reason": "tool_calls",
                    "audio": "",
                    "logprobs": 0,
                    "reasoning": "",
                    "annotations": [],
                    "audio_bytes": 0,
                }
            ],
            "prompt_tokens": None,
            "completion_tokens": None,
            "error": "",
            "done": True,
        },
    }


def test_show_json_has_a_plain_body_and_one_object_a_take(cassette: Path) -> None:
    takes = json.loads(told("show", cassette, key("plain"), "--json"))
    assert [take["response"]["body"]["choices"][0]["message"]["content"] for take in takes] == [
        "Hello there.",
        "Hello again.",
    ]


@pytest.mark.parametrize(
    ("prefix", "complaint"),
    [("zzz", "no recording 'zzz'"), ("", "several keys"), (RECORDED["plain"].track.key + ":9", "no recording")],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_key_that_names_nothing_or_too_much_is_a_usage_error(
    prefix: str, complaint: str, form: list[str], cassette: Path
) -> None:
    result = run("show", cassette, prefix, *form)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


@pytest.mark.parametrize("name", ["stream", "tools", "error", "picture"])
def test_raw_and_request_are_the_stored_bytes(name: str, cassette: Path) -> None:
    assert exactly("show", cassette, key(name), "--raw") == RECORDED[name].response.body
    assert exactly("show", cassette, key(name), "--request") == RECORDED[name].request.body


@given(interactions())
@settings(max_examples=40, deadline=None)
def test_raw_and_request_are_the_stored_bytes_whatever_they_are(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.sqlite"
        store(path, [interaction])
        assert exactly("show", path, interaction.track.key, "--raw") == interaction.response.body
        assert exactly("show", path, interaction.track.key, "--request") == interaction.request.body


def test_what_several_takes_have_in_common_is_printed_and_where_they_differ_one_is_to_be_named(cassette: Path) -> None:
    assert exactly("show", cassette, key("plain"), "--request") == RECORDED["plain"].request.body
    assert told("show", cassette, key("plain"), "--curl").startswith("curl http://127.0.0.1:9/v1/chat/completions \\\n")
    result = run("show", cassette, key("plain"), "--raw")
    assert (result.exit_code, result.stdout) == (2, "")
    short = key("plain")[:12]
    assert f"name one by its take, --lane or --variant: {short}:1 (json), {short}:2 (json)" in result.stderr
    assert exactly("show", cassette, f"{short}:2", "--raw") == RECORDED["second take"].response.body


def test_lanes_with_the_same_take_are_all_shown_or_the_one_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lanes.sqlite"
    lanes = {lane: taken(question(), say({"content": f"from {lane!r}"}), lane=lane) for lane in ("", "a", "b")}
    store(path, lanes.values(), AUTO)
    name = f"{lanes[''].track.key[:12]}:1"
    both = told("show", path, name)
    assert all(f"from {lane!r}" in both for lane in lanes)
    assert "from 'a'" in told("show", path, name, "--lane", "a")
    assert "from 'a'" not in told("show", path, name, "--lane", "")
    assert told("show", path, name, "--variant", "json") == both
    assert run("show", path, name, "--variant", "sse+usage").exit_code == 2
    missed = run("show", path, name, "--lane", "c")
    assert missed.exit_code == 2
    assert f"but {name} (json), {name} (json in lane 'a'), {name} (json in lane 'b')" in missed.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--raw", "--request"],
        ["--raw", "--json"],
        ["--curl", "--events"],
        ["--request", "--logprobs"],
        ["--events", "--logprobs"],
        ["--json", "--events", "--logprobs"],
    ],
)
def test_forms_that_exclude_each_other_are_a_usage_error(options: list[str], cassette: Path) -> None:
    result = run("show", cassette, key("plain"), *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be asked for together" in result.stderr


def test_events_are_told_with_their_times(cassette: Path) -> None:
    lines = told("show", cassette, key("stream"), "--events").splitlines()
    assert [line[:12] for line in lines] == [f"   {tenth / 10:.3f} s  " for tenth in (2, 4, 6, 8)]
    assert lines[3] == "   0.800 s  data: [DONE]"
    events = json.loads(told("show", cassette, key("stream"), "--events", "--json"))
    assert [event["at_us"] for event in events] == [200_000, 400_000, 600_000, 800_000]
    assert events[0]["data"]["choices"][0]["delta"] == {"role": "assistant", "content": "Grüße"}
    assert events[3]["data"] == "[DONE]"
    assert sum(event["bytes"] for event in events) == len(RECORDED["stream"].response.body)


def test_logprobs_are_told_on_request(tmp_path: Path) -> None:
    path = tmp_path / "sure.sqlite"
    top = [{"token": "Hi", "logprob": -0.105}, {"token": "Hey", "logprob": -9999.0}]
    tokens = [
        {"token": "Hi", "logprob": -0.105, "top_logprobs": top},
        {"token": "\n", "logprob": 0, "top_logprobs": []},
    ]
    choice = {"index": 0, "message": {"content": "Hi\n"}, "logprobs": {"content": tokens}, "finish_reason": "stop"}
    recorded = taken(question(), answer(json.dumps({"choices": [choice]}).encode()))
    store(path, [recorded])
    name = recorded.track.key
    assert '  logprobs\n    "Hi"   90.03%    "Hey" <0.01%\n    "\\n"  100.00%\n' in told(
        "show", path, name, "--logprobs"
    )
    assert "90.03%" not in told("show", path, name)
    (shown,) = json.loads(told("show", path, name, "--logprobs", "--json"))
    assert shown["completion"]["choices"][0]["tokens"] == [
        {"token": "Hi", "logprob": -0.105, "top": top},
        {"token": "\n", "logprob": 0.0, "top": []},
    ]


def test_a_stream_has_a_timeline_that_fits_80_columns(cassette: Path) -> None:
    text = told("show", cassette, key("stream"), COLUMNS="80")
    assert "first token 200 ms, 5.0 events a second, longest gap 200 ms, after 200 ms\n" in text
    chart = [line for line in text.splitlines() if set(line) & set("│└█")]
    assert len(chart) == 4
    assert max(map(cell_len, chart)) <= 80


def test_bytes_that_could_steer_a_terminal_are_not_printed_to_one(tmp_path: Path) -> None:
    """`sys.stdout.isatty` is asked in a process whose standard output is a real terminal."""
    path = tmp_path / "hostile.sqlite"
    hostile = taken(question("1"), answer(b"\x1b]0;owned\x07"))
    tame = taken(question("2"), answer("tab\tline\r\nGrüße".encode()))
    store(path, [hostile, tame])
    statuses, texts = [], []
    for recorded in (hostile, tame):
        above, below = pty.openpty()
        command = [sys.executable, "-m", "proxy", "show", str(path), recorded.track.key, "--raw"]
        process = subprocess.run(command, stdout=below, stderr=subprocess.PIPE, text=True, check=False)
        os.close(below)
        statuses.append(process.returncode)
        texts.append(process.stderr if process.returncode else os.read(above, 1000).decode())
        os.close(above)
    assert statuses == [2, 0]
    assert texts == ["llmtape: " + HOSTILE + "\n", "tab\tline\r\r\nGrüße"]


HOSTILE = "these bytes hold what a terminal takes for commands: send them to a file or a pager"


def test_help_has_examples() -> None:
    assert "  llmtape show cassettes/default.sqlite 3f2a9c\n" in told("show", "--help")


@given(interactions())
@settings(max_examples=40, deadline=None)
def test_no_form_but_the_exact_ones_lets_a_recording_steer_a_terminal(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.sqlite"
        store(path, [interaction])
        for options in (["--logprobs"], ["--events"], ["--curl"], ["--events", "--json"], ["--logprobs", "--json"]):
            result = run("show", path, interaction.track.key, *options)
            assert (result.exit_code, printable(result.stdout)) in {(0, result.stdout), (1, "")}


def test_an_unusual_stream_is_drawn_without_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "odd.sqlite"
    odd = Response(200, SSE_TYPE, (Chunk(2**62, b"x"), Chunk(0, b"data: 7\n\n")), Outcome.UNFINISHED, 2**61, 0)
    store(path, [taken(ask("?"), odd, variant=Variant.SSE)])
    assert "unfinished" in told("show", path, taken(ask("?"), odd).track.key)
