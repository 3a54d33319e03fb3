"""`llmtape ls` and `llmtape show`, as they are called."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cli import main
from proxy.cli.wording import printable
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Variant
from proxy.core.modes import Mode
from proxy.core.normalize import normalize
from proxy.core.rules import Rules
from tests.cassette.making import AUTO, CHAT, JSON_TYPE, SSE_TYPE, answer, interactions, question, store, taken
from tests.running import ask as send
from tests.running import running

if TYPE_CHECKING:
    from click.testing import Result

WEATHER = '{"city": "Zürich"}'
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
PICTURE = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(bytes(4321)).decode()}"}},
]


def ask(content: Any, **fields: Any) -> Request:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}], **fields}
    return Request("POST", CHAT, "", JSON_TYPE, json.dumps(body).encode())


def say(*messages: dict[str, Any]) -> Response:
    choices = [
        {"index": index, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
        for index, message in enumerate(messages)
    ]
    usage = {"prompt_tokens": 20, "completion_tokens": 7}
    return answer(json.dumps({"model": "gpt-4o-mini", "choices": choices, "usage": usage}).encode())


def event(finish: str | None = None, **delta: Any) -> bytes:
    data = {"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def stream(*events: bytes, outcome: Outcome = Outcome.COMPLETE) -> Response:
    chunks = tuple(Chunk(200_000 * place, data) for place, data in enumerate(events, 1))
    return Response(200, SSE_TYPE, chunks, outcome, 150_000, 1_300_000)


def call(arguments: str, **named: Any) -> bytes:
    return event(tool_calls=[{"index": 0, "function": {"arguments": arguments, **named}}])


DONE = b"data: [DONE]\n\n"
RECORDED = {
    "plain": taken(ask("Say hello", temperature=0.2), say({"content": "Hello there."})),
    "second take": taken(ask("Say hello", temperature=0.2), say({"content": "Hello again."}), 2),
    "stream": taken(
        ask("naïve 日本語 👋?", stream=True),
        stream(event(role="assistant", content="Grüße"), event(content=" 🎲"), event("stop"), DONE),
        variant=Variant.SSE,
        lane="test_greeting",
    ),
    "tools": taken(
        ask("Weather?", stream=True, tools=TOOLS),
        stream(call('{"city":', name="weather"), call(' "Zürich"}'), event("tool_calls"), DONE),
        variant=Variant.SSE,
    ),
    "n=2": taken(ask("Two names", n=2), say({"content": "Ada"}, {"content": "Grace"})),
    "error": taken(ask("x", temperature=9), answer(b'{"error":{"message":"Too hot."}}', status=400)),
    "cut": taken(ask("A story", stream=True), stream(event(content="Once"), outcome=Outcome.CUT), variant=Variant.SSE),
    "picture": taken(ask(PICTURE), say({"content": "A [bold]cat[/bold]\x1b[2J."})),
}


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("look") / "look.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


def run(*arguments: object, **environment: str) -> Result:
    settings = {"COLUMNS": "200", "NO_COLOR": None, "FORCE_COLOR": None, **environment}
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=settings)


def told(*arguments: object, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def key(name: str) -> str:
    return RECORDED[name].track.key


def line_of(name: str, cassette: Path, **environment: str) -> str:
    (line,) = [
        line for line in told("ls", cassette, **environment).splitlines() if line.startswith(f"{key(name)[:12]}:1")
    ]
    return line


def test_ls_has_a_line_an_interaction_below_the_titles(cassette: Path) -> None:
    titles, *lines = told("ls", cassette).splitlines()
    assert titles.split()[:3] == ["take", "lane", "variant"]
    names = sorted(f"{item.track.key[:12]}:{item.number}" for item in RECORDED.values())
    assert sorted(line.split()[0] for line in lines) == names


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("plain", ["json", "2026-11-22 12:00", "gpt-4o-mini", "Say hello", "Hello there.", "stop", "20/7", "0.1 ms"]),
        ("stream", ["test_greeting", "sse", "naïve 日本語 👋?", "Grüße 🎲", "stop", "1.3 s"]),
        ("tools", ["Weather?", f"→ weather({WEATHER})", "tool_calls"]),
        ("n=2", ["Two names", "Ada"]),
        ("error", ["Too hot.", "400"]),
        ("cut", ["A story", "Once", "cut"]),
        ("picture", ["What is this? [image, image/png", "A [bold]cat[/bold]\\x1b[2J."]),
    ],
)
def test_ls_tells_what_was_asked_and_answered(name: str, fragments: list[str], cassette: Path) -> None:
    line = line_of(name, cassette)
    assert all(fragment in line for fragment in fragments), line


@pytest.mark.parametrize("terminal", [{}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}], ids=["piped", "terminal"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_ls_keeps_to_the_width_with_one_line_each(width: int, terminal: dict[str, str], cassette: Path) -> None:
    lines = told("ls", cassette, COLUMNS=str(width), **terminal).splitlines()
    assert len(lines) == 1 + len(RECORDED)
    if not terminal:
        assert max(map(cell_len, lines)) <= width
        assert "\t" not in "".join(lines)


def test_at_80_columns_prompt_and_answer_are_still_there(cassette: Path) -> None:
    line = line_of("plain", cassette, COLUMNS="80")
    assert "Say hello" in line
    assert "Hello there." in line


def test_colour_is_for_terminals_and_no_color_is_heeded(cassette: Path) -> None:
    red = "\x1b[31m"
    assert "\x1b" not in told("ls", cassette)
    assert red in told("ls", cassette, FORCE_COLOR="1", TERM="xterm")
    assert red not in told("ls", cassette, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")


def test_ls_json_is_one_list_of_objects_with_promised_names(cassette: Path) -> None:
    listed = json.loads(told("ls", cassette, "--json"))
    tools = next(item for item in listed if item["key"] == key("tools"))
    assert tools == {
        "name": f"{key('tools')[:12]}:1",
        "key": key("tools"),
        "take": 1,
        "variant": "sse",
        "lane": "",
        "run": 1,
        "recorded_at": "2026-11-22T12:00:00.000Z",
        "method": "POST",
        "path": CHAT,
        "model": "gpt-4o-mini",
        "prompt": "Weather?",
        "answer": None,
        "refusal": None,
        "tool_calls": [{"name": "weather", "arguments": WEATHER}],
        "error": None,
        "finish_reason": "tool_calls",
        "prompt_tokens": None,
        "completion_tokens": None,
        "status": 200,
        "outcome": "complete",
        "first_byte_us": 150_000,
        "duration_us": 1_300_000,
    }
    assert len(listed) == len(RECORDED)


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


@pytest.mark.parametrize("arguments", [["ls", "FILE"], ["show", "FILE", "a"]])
def test_a_file_that_is_missing_or_no_cassette_is_told_in_words(arguments: list[str], tmp_path: Path) -> None:
    path = tmp_path / "FILE"
    named = [str(path) if argument == "FILE" else argument for argument in arguments]
    missing = run(*named)
    path.write_text("not a database " * 100)
    foreign = run(*named)
    assert (missing.exit_code, foreign.exit_code) == (2, 1)
    assert "there is no cassette" in missing.stderr
    assert "is not a cassette" in foreign.stderr


def test_help_has_examples() -> None:
    assert "  llmtape ls cassettes/default.sqlite\n" in told("ls", "--help")
    assert "  llmtape show cassettes/default.sqlite 3f2a9c\n" in told("show", "--help")


@given(interactions())
@settings(max_examples=60, deadline=None)
def test_whatever_was_recorded_can_be_looked_at_and_reaches_no_terminal_raw(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.sqlite"
        store(path, [interaction])
        for arguments in (["ls", path], ["show", path, interaction.track.key]):
            text = told(*arguments)
            document = told(*arguments, "--json")
            assert printable(text) == text
            assert printable(document) == document
            assert len(json.loads(document)) == 1


async def test_under_the_rules_of_the_config_they_name_recordings_as_a_replay_does(tmp_path: Path) -> None:
    """`x-llmtape` and miss reports tell names; whoever reads one wants to see that recording."""
    path = tmp_path / "rekeyed.sqlite"
    config = tmp_path / "rules.toml"
    config.write_text('[rules]\nscrub = ["date"]\n')
    days = [question(f"Today is 2026-11-{day}.") for day in (23, 24)]
    store(path, [taken(day, say({"content": text})) for day, text in zip(days, ("one", "two"), strict=True)], AUTO)
    async with running(Mode.REPLAY, path, rules={"scrub": ["date"]}) as proxy:
        url = proxy.url + CHAT.removeprefix("/v1")
        played = [(await send(url, question("Today is 2026-12-24.").body)).headers["x-llmtape"] for _ in range(2)]
        missed = json.loads((await send(url, question("Today was 2026-12-24.").body)).body)["error"]["message"]
    names = [name.removeprefix("played ") for name in played]
    assert names[0].endswith(":1")
    assert names[1] == names[0].replace(":1", ":2")
    assert f"the nearest recording, {names[1]}, differs" in missed
    listed = json.loads(told("ls", path, "--config", config, "--json"))
    assert [item["name"] for item in listed] == names
    assert [line.split()[0] for line in told("ls", path, "--config", config).splitlines()[1:]] == names
    for name, text in zip(names, ("one", "two"), strict=True):
        (shown,) = json.loads(told("show", path, name, "--config", config, "--json"))
        assert (shown["name"], shown["completion"]["choices"][0]["content"]) == (name, text)
        assert told("show", path, name, "--config", config).startswith(f"{name}  m  POST {CHAT}\n")
        assert run("show", path, name).exit_code == 2


def test_the_nearest_config_counts_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rekeyed.sqlite"
    asked = question("Today is 2026-11-23.")
    store(path, [taken(asked, say({"content": "one"}))], AUTO)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llmtape.toml").write_text('[rules]\nscrub = ["date"]\n')
    name = f"{normalize(asked, Rules(scrub=('date',))).key[:12]}:1"
    assert told("ls", path).splitlines()[1].startswith(name)
    assert told("show", path, name)


def test_an_empty_cassette_is_an_empty_list(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite"
    store(path, [taken(question(), answer(b"{}"))])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from interactions")
    empty = run("ls", path)
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "holds no recordings" in empty.stderr
    assert json.loads(told("ls", path, "--json")) == []
