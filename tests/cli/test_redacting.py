"""`llmtape redact`, as it is called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from proxy.cassette.writer import Writer
from proxy.core.model import Variant
from proxy.core.modes import Mode
from proxy.core.normalize import normalize
from tests.cassette.making import (
    AUTO,
    SSE_TYPE,
    answer,
    as_nobody,
    bodies,
    files,
    held,
    question,
    read_only_copy,
    store,
    taken,
)
from tests.cli.recorded import run, told
from tests.running import CHAT, ask, chat, running

if TYPE_CHECKING:
    from pathlib import Path

PATTERN = "cust-[0-9]{6}"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tape.sqlite"
    store(path, [taken(question("who is cust-123456?"), answer(b"cust-123456 is Ada"))], AUTO)
    return path


def test_what_a_pattern_matches_is_gone_and_the_config_is_told(path: Path) -> None:
    (before,) = held(path)
    shown = told("redact", path, "--pattern", PATTERN, "--responses")
    assert b"cust-123456" not in path.read_bytes()
    assert f"1 request redacted: {before.track.key[:12]}:1" in shown
    assert f"1 response redacted: {before.track.key[:12]}:1" in shown
    _, _, advice = shown.partition("write into llmtape.toml:\n")
    assert advice.split("\n") == ["", "  [redact]", f"  patterns = ['{PATTERN}']", "  responses = true", ""]


def test_with_what_is_told_in_the_config_nothing_is_left_to_do_or_to_tell(path: Path, tmp_path: Path) -> None:
    (tmp_path / "llmtape.toml").write_text("[redact]\npatterns = ['order \\d+']\n")
    shown = told("redact", path, "--pattern", PATTERN, "--pattern", PATTERN, "--responses")
    _, _, advice = shown.partition("write into llmtape.toml:\n")
    assert f"patterns = ['order \\d+', '{PATTERN}']\n" in advice
    (tmp_path / "llmtape.toml").write_text(dedent(advice))
    assert told("redact", path) == "There is nothing to redact.\n"
    assert told("redact", path, "--pattern", PATTERN, "--responses") == "There is nothing to redact.\n"


def test_well_known_secrets_go_without_being_named_but_from_answers_only_if_told(path: Path) -> None:
    secrets = ["sk-proj-planted-0123456789abcdefghij", "ghp_" + "a1B2" * 9]
    store(path, [taken(question(f"my key is {text}"), answer(f"no, {text}".encode())) for text in secrets], AUTO)
    shown = told("redact", path)
    assert "2 requests redacted: " in shown
    assert "2 of 3 recordings got another key; no calls merged." in shown
    assert all(path.read_bytes().count(text.encode()) == 1 for text in secrets)
    assert "2 responses redacted: " in told("redact", path, "--responses")
    assert not any(text.encode() in path.read_bytes() for text in secrets)


def test_answers_stay_unless_they_are_asked_for(path: Path, tmp_path: Path) -> None:
    told("redact", path, "--pattern", PATTERN)
    assert bodies(path) == [b"cust-123456 is Ada"]
    (tmp_path / "llmtape.toml").write_text(f"[redact]\npatterns = ['{PATTERN}']\nresponses = true\n")
    shown = told("redact", path)
    assert bodies(path) == [b"[redacted]* is Ada"]
    assert "llmtape.toml" not in shown  # it has the pattern


async def test_with_the_pattern_in_the_config_the_next_call_finds_its_recording(path: Path) -> None:
    body = chat("who is cust-123456?", model="m")
    told("redact", path, "--pattern", PATTERN)
    async with running(Mode.REPLAY, path, redact={"patterns": [PATTERN]}) as proxy:
        assert (await ask(proxy.url + CHAT, body)).body == b"cust-123456 is Ada"
    async with running(Mode.REPLAY, path) as proxy:
        assert (await ask(proxy.url + CHAT, body)).status == 424


def test_a_dry_run_tells_and_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    for option in ("-n", "--dry-run"):
        assert "1 request would be redacted" in told("redact", path, "--pattern", PATTERN, option)
        assert json.loads(told("redact", path, "--pattern", PATTERN, option, "--json"))["written"] is False
    assert path.read_bytes() == before
    assert files(path) == ["tape.sqlite"]


def test_programs_get_names_and_what_becomes_of_keys(path: Path) -> None:
    document = json.loads(told("redact", path, "--pattern", PATTERN, "--json"))
    assert [len(document[name]) for name in ("requests", "responses", "merges")] == [1, 0, 0]
    assert (document["changed"], document["written"]) == (1, True)
    assert json.loads(told("redact", path, "--json"))["written"] is False


def test_calls_that_become_one_with_different_answers_are_refused_without_force(path: Path) -> None:
    store(path, [taken(question("who is cust-654321?"), answer(b"Grace"))], AUTO)
    before = path.read_bytes()
    result = run("redact", path, "--pattern", PATTERN)
    assert (result.exit_code, path.read_bytes()) == (1, before)
    assert run("redact", path, "--pattern", PATTERN, "-n").exit_code == 1
    assert "2 requests would be redacted: " in result.stdout
    assert "2 of 2 recordings would get another key; 2 calls would merge into 1." in result.stdout
    assert "another test's answer" in result.stderr
    assert "with different answers" in result.stdout
    assert json.loads(run("redact", path, "--pattern", PATTERN, "--json").stdout)["written"] is False
    told("redact", path, "--pattern", PATTERN, "--force")
    assert [one.number for one in held(path)] == [1, 2]


def test_nothing_to_redact_is_told(path: Path) -> None:
    assert told("redact", path) == "There is nothing to redact.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pattern", "("], "--pattern '(' is no regular expression"),
        (["--pattern", "a{99999999999}"], "is no regular expression"),
        (["--pattern", "\udcff"], "is no regular expression"),
        (["--pattern", ""], "--pattern is empty"),
        (["3f2a9c"], "unexpected extra argument"),
        (["--config", "none.toml"], "none.toml"),
    ],
)
def test_what_cannot_be_meant_is_told_and_changes_nothing(path: Path, arguments: list[str], words: str) -> None:
    before = path.read_bytes()
    result = run("redact", path, *arguments)
    assert (result.exit_code, result.stdout, path.read_bytes()) == (2, "", before)
    assert words in result.stderr


def test_under_other_rules_recordings_are_named_as_ls_shows_them(path: Path, tmp_path: Path) -> None:
    (tmp_path / "llmtape.toml").write_text("[rules]\nmodels = { m = 'other' }\n")
    (name,) = [listed["name"] for listed in json.loads(told("ls", path, "--json"))]
    assert name != f"{held(path)[0].track.key[:12]}:1"
    document = json.loads(told("redact", path, "--pattern", PATTERN, "--json"))
    assert [request["name"] for request in document["requests"]] == [name]
    (after,) = held(path)
    assert after.track.key == normalize(after.request).key  # the file keeps the rules that made it


async def test_what_is_named_after_redacting_is_what_plays_under_the_rules_in_force(path: Path) -> None:
    rules = {"scrub": ["date"]}
    store(path, [taken(question("cust-123456 on 2026-11-25"), answer(b"a day"))], AUTO)
    told("redact", path, "--pattern", PATTERN)
    async with running(Mode.REPLAY, path, redact={"patterns": [PATTERN]}, rules=rules) as proxy:
        played = await ask(proxy.url + CHAT, question("cust-123456 on 2026-12-24").body)
    assert played.body == b"a day"


async def test_a_redacted_stream_plays_in_its_pieces(path: Path) -> None:
    pieces = (b"data: he is cust-1", b"23456\n\n", b"data: [DONE]\n\n")
    body = chat("stream", stream=True)
    asked = replace(question(), body=body)
    store(path, [taken(asked, answer(*pieces, headers=SSE_TYPE), variant=Variant.SSE)], AUTO)
    told("redact", path, "--pattern", PATTERN, "--responses")
    async with running(Mode.REPLAY, path, redact={"patterns": [PATTERN]}) as proxy:
        played = await ask(proxy.url + CHAT, body)
    assert played.chunks == (b"data: he is [redac", b"ted]*\n\n", b"data: [DONE]\n\n")


def test_what_cannot_be_written_is_told_of_as_not_done(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(path, AUTO)
    try:
        writer.save(taken(question(), answer(b"more"))).result()
        result = run("redact", path, "--pattern", PATTERN)
    finally:
        writer.close()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "such as a recorder, holds it" in result.stderr
    with read_only_copy(path) as copy, as_nobody():
        monkeypatch.chdir(copy.parent)
        result = run("redact", copy, "--pattern", PATTERN, "--json")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "cannot write the cassette" in result.stderr
    assert len(bodies(path)) == 2


def test_of_many_the_first_are_named(path: Path) -> None:
    store(path, [taken(question(f"cust-000000 {number}"), answer(b"x")) for number in range(20)], AUTO)
    assert re.search(
        r"^21 requests redacted: (\w{12}:1, ){8}13 more$", told("redact", path, "--pattern", PATTERN), re.MULTILINE
    )


@pytest.mark.parametrize("width", [40, 80])
def test_prose_keeps_to_the_width_of_a_terminal_and_what_is_copied_stays_whole(path: Path, width: int) -> None:
    store(path, [taken(question("who is cust-654321?"), answer(b"Grace"), lane="t" * 50)], AUTO)
    pattern = f"{PATTERN}|{'x' * 100}"
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(width)}
    result = run("redact", path, "--pattern", pattern, "-n", **terminal)
    wide = [line for line in result.stdout.splitlines() if cell_len(line) > width]
    assert [line for line in wide if not line.startswith("  patterns = ")] == []
