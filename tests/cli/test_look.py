"""`llmtape ls`, as it is called."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cli.wording import printable
from proxy.core.modes import Mode
from proxy.core.normalize import normalize
from proxy.core.rules import Rules
from tests.cassette.making import AUTO, CHAT, answer, change, interactions, question, store, taken
from tests.cli.recorded import RECORDED, WEATHER, key, run, say, told
from tests.running import ask as send
from tests.running import running

if TYPE_CHECKING:
    from proxy.core.model import Interaction


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("look") / "look.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


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


def takes(*arguments: object) -> list[str]:
    """List, and return the names of what is listed; as lines and as JSON it is the same."""
    listed = json.loads(told("ls", *arguments, "--json"))
    assert [line.split()[0] for line in told("ls", *arguments).splitlines()[1:]] == [item["name"] for item in listed]
    return [item["name"] for item in listed]


def names(*recorded: str) -> list[str]:
    return sorted(f"{key(name)[:12]}:{RECORDED[name].number}" for name in recorded)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--outcome", "cut"], ["cut"]),
        (["--outcome", "error", "--outcome", "cut"], ["error", "cut"]),
        (["--lane", "test_*"], ["stream"]),
        (["--lane", "test_*", "--outcome", "cut", "--outcome", "complete"], ["stream"]),
        (["--text", "hello"], ["plain", "second take"]),
        (["--text", "GRACE", "--text", "zürich"], ["n=2", "tools"]),
        (["--text", "hello", "--model", "gpt-4o*", "--run", "1", "--newer", "2026-11-22", "--limit", "9"], None),
    ],
)
def test_filters_narrow_what_is_listed(arguments: list[str], meant: list[str] | None, cassette: Path) -> None:
    assert sorted(takes(cassette, *arguments)) == names(*(meant or ["plain", "second take"]))


def test_what_is_listed_can_be_sorted_turned_round_and_cut_off(cassette: Path) -> None:
    slowest = takes(cassette, "--sort", "duration", "--reverse", "--limit", "3")
    assert sorted(slowest) == names("stream", "tools", "cut")
    assert takes(cassette, "--sort", "key") == names(*RECORDED)
    assert takes(cassette, "--sort", "key", "-r") == names(*RECORDED)[::-1]
    assert takes(cassette, "-n", "2") == takes(cassette)[:2]
    assert takes(cassette, "--text", "hello", "-n", "1") == takes(cassette, "--text", "hello")[:1]


def test_where_nothing_matches_that_is_told_apart_from_the_list(cassette: Path) -> None:
    result = run("ls", cassette, "--model", "gpt-9")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        f"{cassette} has no model 'gpt-9'; it has gpt-4o-mini.",
        f"{cassette} holds no recordings that match.",
    ]
    result = run("ls", cassette, "--text", "nowhere", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (0, [], "")


def test_the_first_lines_come_before_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    store(path, [taken(question(str(number)), answer(b"1"), at=f"2026-11-22T12:00:0{number}Z") for number in range(3)])
    change(path, "update interactions set response_framing = '[]' where id = 3")
    assert len(told("ls", path, "--limit", "2").splitlines()) == 3
    broken = run("ls", path)
    assert (broken.exit_code, len(broken.stdout.splitlines())) == (1, 3)
    assert "cannot read the cassette" in broken.stderr


def test_without_a_cassette_the_configured_one_is_listed(
    cassette: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llmtape.toml").write_text(f"cassette = {json.dumps(str(cassette))}\n")
    monkeypatch.chdir(tmp_path)
    assert told("ls") == told("ls", cassette)
