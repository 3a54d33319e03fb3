"""`llmtape grep`, as it is called."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cli.wording import printable
from tests.cassette.making import AUTO, answer, interactions, question, store, taken
from tests.cli.recorded import RECORDED, key, run, say, told

if TYPE_CHECKING:
    from proxy.core.model import Interaction


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grep") / "one.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


@pytest.fixture(scope="module")
def other(cassette: Path) -> Path:
    path = cassette.with_name("other.sqlite")
    store(path, [taken(question("hello"), say({"content": "Hello there."}))])
    return path


def name(recorded: str) -> str:
    return f"{key(recorded)[:12]}:{RECORDED[recorded].number}"


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["there"], [f"{name('plain')} answer: Hello there."]),
        (["日本"], [f"{name('stream')} user: naïve 日本語 👋?"]),
        (["GRÜßE"], []),
        (["-i", "GRÜßE"], [f"{name('stream')} answer: Grüße 🎲"]),
        (["weather[(].*Z.rich"], [f'{name("tools")} answer: weather({{"city": "Zürich"}})']),
        (["-F", "a.a"], []),
        (["-F", "Too hot."], [f"{name('error')} error: Too hot."]),
        (["Grace"], [f"{name('n=2')} answer: Grace"]),
        (["cat"], [f"{name('picture')} answer: A [bold]cat[/bold]\\x1b[2J."]),
        (["Once", "--outcome", "complete"], []),
        (["Say hello", "--in", "answer"], []),
        (["Hello", "--in", "prompt"], []),
    ],
)
def test_a_line_tells_where_a_text_stands(arguments: list[str], lines: list[str], cassette: Path) -> None:
    result = run("grep", *arguments, cassette)
    assert (result.stdout.splitlines(), result.stderr) == (lines, "")
    assert result.exit_code == (0 if lines else 1)


def test_of_several_cassettes_each_line_names_its_own(cassette: Path, other: Path) -> None:
    lines = told("grep", "there", cassette, other).splitlines()
    assert [line.partition(".sqlite:")[0] for line in lines] == [
        str(path.with_suffix("")) for path in (cassette, other)
    ]


def test_a_text_is_told_once_unless_all_are_asked_for(cassette: Path) -> None:
    once = run("grep", "Say hello", cassette)
    assert len(once.stdout.splitlines()) == 1
    assert once.stderr == "The same texts come again 1 time: --all shows each.\n"
    assert len(told("grep", "Say hello", cassette, "--all").splitlines()) == 2


def test_names_and_counts_are_of_all_takes(cassette: Path, other: Path) -> None:
    assert sorted(told("grep", "-l", "Say hello", cassette).split()) == sorted([name("plain"), name("second take")])
    assert told("grep", "-c", "[Hh]ello", cassette) == "2\n"
    assert told("grep", "-c", "hello", cassette, other).splitlines() == [f"{cassette}:2", f"{other}:1"]
    none = run("grep", "-c", "nowhere", cassette)
    assert (none.exit_code, none.stdout) == (1, "0\n")


def test_names_are_names_that_other_commands_take(cassette: Path) -> None:
    for found in told("grep", "-l", "e", cassette).split():
        assert told("show", cassette, found).startswith(found)


def test_json_has_the_whole_text_and_where_in_it_the_matches_are(cassette: Path) -> None:
    (found,) = json.loads(told("grep", "city", cassette, "--json"))
    assert found == {
        "cassette": str(cassette),
        "name": name("tools"),
        "key": key("tools"),
        "take": 1,
        "variant": "sse",
        "lane": "",
        "side": "answer",
        "author": "answer",
        "path": "choices[0].tool_calls[0]",
        "text": 'weather({"city": "Zürich"})',
        "matches": [[10, 14]],
    }
    (named,) = json.loads(told("grep", "-l", "city", cassette, "--json"))
    assert named == {field: found[field] for field in ("cassette", "name", "key", "take", "variant", "lane")}
    assert json.loads(told("grep", "-c", "city", cassette, "--json")) == [{"cassette": str(cassette), "count": 1}]
    nothing = run("grep", "nowhere", cassette, "--json")
    assert (nothing.exit_code, json.loads(nothing.stdout)) == (1, [])


def test_without_a_cassette_the_configured_one_is_searched(
    cassette: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = run("grep", "there")
    assert missing.exit_code == 2
    assert "cassettes/default.sqlite" in missing.stderr
    (tmp_path / "llmtape.toml").write_text(f'cassette = "{cassette}"\n')
    assert told("grep", "there") == f"{name('plain')} answer: Hello there.\n"


def test_a_wrong_pattern_is_a_usage_error_before_a_file_is_opened(tmp_path: Path) -> None:
    result = run("grep", "(", tmp_path / "missing.sqlite")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'(' is no regular expression" in result.stderr


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_line_keeps_to_the_width_and_shows_what_was_found(width: int, tmp_path: Path) -> None:
    path = tmp_path / "long.sqlite"
    store(path, [taken(question("word " * 500 + "needle " + "日本 " * 500), answer(b"[]"))])
    (line,) = told("grep", "needle", path, COLUMNS=str(width)).splitlines()
    assert cell_len(line) <= width
    assert "needle" in line


def test_matches_are_marked_on_a_terminal_and_no_color_is_heeded(cassette: Path) -> None:
    red = "\x1b[1;31mthere\x1b[0m"
    assert red in told("grep", "there", cassette, FORCE_COLOR="1", TERM="xterm")
    assert red not in told("grep", "there", cassette, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")
    assert "\x1b" not in told("grep", "there", cassette)


def test_a_file_that_is_no_cassette_is_told_in_words_after_what_was_found(cassette: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.sqlite"
    foreign.write_text("not a database " * 100)
    result = run("grep", "there", cassette, foreign)
    assert (result.exit_code, len(result.stdout.splitlines())) == (1, 1)
    assert "is not a cassette" in result.stderr


@given(interactions())
@settings(max_examples=40, deadline=None)
def test_whatever_was_recorded_can_be_searched_and_reaches_no_terminal_raw(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "any.sqlite"
        store(path, [interaction])
        for form in ([], ["--json"], ["-l"]):
            result = run("grep", "(?s).", path, *form)
            assert result.exit_code in {0, 1}
            assert printable(result.stdout) == result.stdout
