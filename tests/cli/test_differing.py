"""`llmtape diff`, as it is called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cli.wording import printable
from proxy.core.model import Interaction, RecordedRun, Variant
from tests.cassette.making import interactions, taken
from tests.cli.recorded import DONE, RECORDED, ask, event, key, run, say, stream, told

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.model import Response

RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
WEATHER = ask("What is the weather in Zürich?", model="gpt-4o")
WEATHER_NOW = ask("What is the weather in Zürich?", model="gpt-5")


def made(path: Path, *calls: Interaction) -> Path:
    with drafted(path) as draft:
        for interaction in calls:
            draft.add(interaction, RUN)
    return path


def called(city: str) -> Response:
    return say({"tool_calls": [{"id": city, "function": {"name": "weather", "arguments": json.dumps({"city": city})}}]})


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return made(
        tmp_path / "before.sqlite",
        taken(ask("Say hello"), say({"content": "Hello there."})),
        taken(ask("Say goodbye"), say({"content": "Bye."})),
        taken(WEATHER, called("Zürich")),
        taken(ask("Count to three"), say({"content": "1 2 3"})),
    )


@pytest.fixture
def after(tmp_path: Path) -> Path:
    streamed = stream(event(content="Hello "), event(content="there."), event("stop"), DONE)
    return made(
        tmp_path / "after.sqlite",
        taken(ask("Say hello", stream=True), streamed, variant=Variant.SSE),
        taken(ask("Say goodbye"), say({"content": "So long."})),
        taken(WEATHER_NOW, called("Bern")),
        taken(ask("Draw an elephant"), say({"refusal": "No."})),
    )


def test_each_pair_has_its_verdict_and_what_it_comes_from(before: Path, after: Path) -> None:
    result = run("diff", before, after)
    asked, its = (taken(request, called("x")).track.key[:12] for request in (WEATHER, WEATHER_NOW))
    text = result.stdout
    assert result.exit_code == 1
    assert text.startswith("reworded   ")
    assert "choices[0].content  Bye. → So long." in text
    assert f"changed    {asked}:1 → {its}:1  What is the weather in Zürich?" in text
    assert "asked model  gpt-4o → gpt-5" in text
    assert "choices[0].tool_calls[0].arguments.city  Zürich → Bern" in text
    assert f"only in {before}  Count to three" in text
    assert f"only in {after}  Draw an elephant" in text
    assert "Say hello" not in text
    assert text.endswith(f"1 identical, 1 reworded, 1 changed, 1 only in {before}, 1 only in {after}\n")


def test_identical_ones_are_listed_where_they_are_asked_for(before: Path, after: Path) -> None:
    lines = run("diff", before, after, "--verdict", "identical").stdout.splitlines()
    assert lines[0].startswith("identical  ")
    assert lines[1:-1] == ["           asked variant  json → sse"]


def test_verdicts_are_chosen_and_counted_all_the_same(before: Path, after: Path) -> None:
    result = run("diff", before, after, "--verdict", "changed", "--verdict", "missing", "--json")
    assert [pair["verdict"] for pair in json.loads(result.stdout)] == ["changed", "missing", "missing"]
    lines = run("diff", before, after, "--verdict", "changed").stdout.splitlines()
    assert "1 reworded" in lines[-1]
    assert not any(line.startswith("reworded") for line in lines)


def test_a_summary_tells_what_differs_and_how_often(before: Path, after: Path) -> None:
    lines = run("diff", before, after, "--summary").stdout.splitlines()
    assert lines[:3] == ["1  identical", "1  reworded", "1  changed"]
    assert lines[lines.index("asked otherwise") + 1 :][:2] == ["1  variant", "1  model"]
    assert set(lines[lines.index("answered otherwise") + 1 :]) == {
        "1  choices[].content",
        "1  choices[].tool_calls[].arguments.city",
    }
    counts = json.loads(run("diff", before, after, "--summary", "--json").stdout)
    assert (counts["identical"], counts["only_one"], counts["request"]) == (1, 1, {"variant": 1, "model": 1})


@pytest.mark.parametrize(
    ("fail_on", "answers", "status"),
    [
        ([], ("a", "b"), 0),
        (["--fail-on", "reworded"], ("a", "b"), 1),
        ([], ("a", ""), 1),
        (["--fail-on", "missing"], ("a", ""), 0),
        (["--fail-on", "none"], ("a", ""), 0),
        (["--fail-on", "reworded"], ("a", "a"), 0),
        (["--fail-on", "missing"], ("a", None), 1),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--summary"], ["--verdict", "identical"]])
def test_the_exit_status_goes_by_the_worst_whatever_is_listed(
    fail_on: list[str], answers: tuple[str, str | None], status: int, form: list[str], tmp_path: Path
) -> None:
    one, other = (
        made(tmp_path / name, *([] if said is None else [taken(ask("x"), say({"content": said}))]))
        for name, said in zip(("one.sqlite", "other.sqlite"), answers, strict=True)
    )
    assert run("diff", one, other, *fail_on, *form).exit_code == status


def test_two_recordings_of_one_cassette_are_compared(tmp_path: Path) -> None:
    path = made(tmp_path / "tape.sqlite", *RECORDED.values())
    text = told("diff", path, f"{key('plain')[:8]}:1", f"{key('plain')[:8]}:2")
    assert "reworded" in text
    assert "choices[0].content  Hello there. → Hello again." in text
    assert text.endswith("1 reworded\n")


def test_two_recordings_of_two_cassettes_are_compared_take_by_take(before: Path, after: Path, tmp_path: Path) -> None:
    asked, its = (taken(request, called("x")).track.key for request in (WEATHER, WEATHER_NOW))
    result = run("diff", before, asked[:10], after, its[:10], "--json")
    (pair,) = json.loads(result.stdout)
    assert (pair["verdict"], pair["one"]["key"], pair["other"]["key"]) == ("changed", asked, its)
    path = made(tmp_path / "tape.sqlite", *RECORDED.values())
    takes = json.loads(run("diff", path, key("plain"), path, key("picture"), "--json").stdout)
    assert [(pair["one"]["take"], pair["verdict"]) for pair in takes] == [(1, "reworded"), (2, "missing")]


def test_a_cassette_is_identical_to_itself(before: Path) -> None:
    assert told("diff", before, before) == "4 identical\n"
    assert told("diff", before, before, "--json") == "[]\n"


def test_a_file_that_looks_like_a_key_is_taken_for_a_file(before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(before.parent)
    before.rename("a")
    assert told("diff", "a", "a") == "4 identical\n"


@pytest.mark.parametrize(
    "words", [["TAPE"], ["TAPE", "a1"], ["a1", "a1"], ["TAPE", "TAPE", "a1"], ["TAPE", "a1", "a1", "TAPE"]]
)
def test_other_words_are_a_usage_error_that_tells_the_forms(words: list[str], before: Path) -> None:
    result = run("diff", *(str(before) if word == "TAPE" else word for word in words))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "CASSETTE KEY CASSETTE KEY" in result.stderr


@pytest.mark.parametrize("form", [[], ["--json"], ["--summary"]])
def test_a_file_that_cannot_be_read_is_told_in_words(form: list[str], before: Path, tmp_path: Path) -> None:
    foreign, empty = tmp_path / "foreign.sqlite", tmp_path / "empty.sqlite"
    foreign.write_text("not a database " * 100)
    empty.touch()
    for path, status in ((tmp_path / "none.sqlite", 2), (foreign, 1), (empty, 1)):
        for pair in ((before, path), (path, before)):
            result = run("diff", *pair, *form)
            assert (result.exit_code, result.stdout) == (status, "")
            assert str(path) in result.stderr


def test_a_key_that_is_not_there_is_a_usage_error(before: Path) -> None:
    result = run("diff", before, "abcdef012345", "abcdef012345")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "no recording" in result.stderr


@pytest.mark.parametrize("width", ["80", "200"])
def test_colour_is_for_terminals_and_no_color_is_heeded(width: str, before: Path, after: Path) -> None:
    def shown(**environment: Any) -> str:
        return run("diff", before, after, COLUMNS=width, **environment).stdout

    assert "\x1b" not in shown()
    assert "\x1b[31m" in shown(FORCE_COLOR="1", TERM="xterm")
    assert "\x1b[31m" not in shown(FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")


@given(st.lists(interactions(), max_size=3, unique_by=lambda it: (it.track, it.number)), interactions())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_was_recorded_can_be_compared_and_reaches_no_terminal_raw(
    tmp_path_factory: pytest.TempPathFactory, recorded: list[Interaction], last: Interaction
) -> None:
    folder = tmp_path_factory.mktemp("any")
    one, other = made(folder / "one.sqlite", *recorded), made(folder / "other.sqlite", last)
    for arguments in (["diff", one, other], ["diff", other, one, "--summary"]):
        for form in ([], ["--json"]):
            result = run(*arguments, "--fail-on", "none", *form)
            assert (result.exit_code, result.stderr) == (0, "")
            assert printable(result.stdout) == result.stdout
            assert not form or json.loads(result.stdout) is not None
