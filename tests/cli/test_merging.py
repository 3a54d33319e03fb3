"""`llmtape merge`, as it is called outside of git; tests/cli/test_git.py has it within."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from proxy.cli import main
from tests.cassette.making import files
from tests.cassette.versions import Versions, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

KEYS = {asked: recorded(asked, "1")[0].track.key for asked in "abc"}


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.chdir(tmp_path)
    versions = Versions(tmp_path)
    versions.store("base", a="1", b="1", c="1")
    versions.store("ours", a="ours", b="ours", c="1")
    versions.store("theirs", a="theirs", b="theirs", c="2")
    return versions


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["merge", *map(str, arguments)], env={"COLUMNS": "80"})


def test_a_merge_tells_what_came_of_it(versions: Versions) -> None:
    versions.store("ours", a="1", b="ours", c="1")
    result = run("out.sqlite", "ours.sqlite", "theirs.sqlite", "--base", "base.sqlite")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "out.sqlite holds 3 recordings, 2 of them from the others.",
        "out.sqlite: 1 conflict. Ours is in place, theirs is kept beside it:",
        f"  {KEYS['b'][:12]}  b",
        "    choices[0].content",
        '      ours    "ours"',
        '      theirs  "theirs"',
        "Settle them: llmtape merge --ours KEY | --theirs KEY | --both KEY out.sqlite   (KEY, or all)",
    ]
    assert versions.says() == ["a theirs", "b ours", "c 2"]


def test_a_merge_without_conflict_ends_well(versions: Versions) -> None:
    versions.store("new", d="1")
    result = run("out.sqlite", "ours.sqlite", "new.sqlite")
    assert (result.exit_code, result.stdout) == (0, "out.sqlite holds 4 recordings, 1 of them from the others.\n")


def test_json_is_a_list_of_conflicts(versions: Versions) -> None:
    for arguments in (["out.sqlite", "ours.sqlite", "theirs.sqlite", "--base", "base.sqlite"], ["out.sqlite"]):
        result = run(*arguments, "--json", *(["--conflicts"] if len(arguments) == 1 else []))
        assert result.exit_code == 1
        listed = json.loads(result.stdout)
        assert [item["prompt"] for item in listed] == sorted("ab", key=KEYS.__getitem__ if len(arguments) == 1 else str)
        assert {item["key"] for item in listed} == {KEYS["a"], KEYS["b"]}
        assert listed[0].keys() == {"cassette", "key", "variant", "lane", "prompt", "reasons"}
    assert versions.says() == ["a ours", "b ours", "c 2"]


def merged(versions: Versions) -> None:
    versions.merge()


@pytest.mark.parametrize(
    ("options", "says", "left"),
    [
        (["--ours", "all"], ["a ours", "b ours", "c 2"], 0),
        (["--theirs", "ALL"], None, 2),
        (["--theirs", "all"], ["a theirs", "b theirs", "c 2"], 0),
        (["--both", KEYS["a"][:4]], ["a ours", "b ours", "c 2", "a:2 theirs"], 1),
        (["--theirs", KEYS["a"][:6].upper(), "--ours", KEYS["b"]], ["a theirs", "b ours", "c 2"], 0),
        (["--theirs", "all", "--ours", KEYS["b"]], ["a theirs", "b ours", "c 2"], 0),
    ],
)
def test_conflicts_are_settled_by_key(
    options: list[str], says: list[str] | None, left: int, versions: Versions
) -> None:
    versions.merge()
    result = run(*options, "out.sqlite")
    if says is None:
        assert result.exit_code == 2
        return
    assert result.exit_code == 0
    assert versions.says() == says
    assert result.stdout.endswith(f"settled, {left or 'none'} left.\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Name OUT and two cassettes or more"),
        (["ours.sqlite", "theirs.sqlite"], "Name OUT and two cassettes or more"),
        (["--ours", "fffff", "out.sqlite"], "no conflict 'fffff' in out.sqlite"),
        (["--ours", "", "out.sqlite"], "no conflict ''"),
        (["--ours", KEYS["a"], "--both", KEYS["a"], "out.sqlite"], "settled in two ways"),
        (["--ours", "all", "--theirs", "all", "out.sqlite"], "settled in two ways"),
        (["--conflicts", "--theirs", "all", "out.sqlite"], "--conflicts stands alone"),
        (["base.sqlite", "ours.sqlite", "theirs.sqlite"], None),
        (["new.sqlite", "ours.sqlite", "missing.sqlite"], "there is no cassette missing.sqlite"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    arguments: list[str], complaint: str | None, versions: Versions
) -> None:
    versions.merge()
    before = {path.name: path.read_bytes() for path in versions.folder.iterdir()}
    result = run(*arguments)
    assert result.exit_code == (1 if complaint is None else 2)
    assert (complaint or "is there already") in result.stderr
    assert {path.name: path.read_bytes() for path in versions.folder.iterdir()} == before


def test_the_beginning_of_two_keys_is_no_name(versions: Versions) -> None:
    many = {f"q{number}": "1" for number in range(20)}
    versions.store("ours", **many)
    versions.store("theirs", **dict.fromkeys(many, "2"))
    versions.merge(base=None)
    prefix = next(digit for digit in "0123456789abcdef" if sum(_key(asked)[0] == digit for asked in many) > 1)
    result = run("--ours", prefix, "out.sqlite")
    assert result.exit_code == 2
    assert "beginning of several keys" in result.stderr


def _key(asked: str) -> str:
    return recorded(asked, "1")[0].track.key


def test_one_that_is_merged_may_be_where_the_result_goes(versions: Versions) -> None:
    assert run("ours.sqlite", "ours.sqlite", "theirs.sqlite", "--base", "base.sqlite").exit_code == 1
    assert versions.says("ours") == ["a ours", "b ours", "c 2"]
    assert files(versions["ours"]) == ["base.sqlite", "ours.sqlite", "theirs.sqlite"]


def test_conflicts_that_were_open_before_are_counted(versions: Versions) -> None:
    versions.merge()
    versions.store("new", d="1")
    result = run("more.sqlite", "out.sqlite", "new.sqlite")
    assert result.exit_code == 1
    assert "2 more were open: llmtape merge --conflicts more.sqlite" in result.stdout


def test_outside_of_git_the_configured_cassette_is_meant(versions: Versions) -> None:
    versions.merge()
    (versions.folder / "llmtape.toml").write_text('cassette = "out.sqlite"\n')
    result = run("--conflicts")
    assert result.exit_code == 1
    assert result.stdout.startswith("out.sqlite: 2 conflicts.")
    assert run("--theirs", "all").exit_code == 0
    assert run("--conflicts").stdout == "out.sqlite: no conflicts\n"


def test_one_key_in_several_cassettes_is_settled_in_all(versions: Versions) -> None:
    versions.merge()
    versions["out"].rename(versions["one"])
    versions.merge()
    result = run("--ours", KEYS["a"], "one.sqlite", "out.sqlite")
    assert result.stdout.splitlines() == [
        "one.sqlite: 1 conflict settled, 1 left.",
        "out.sqlite: 1 conflict settled, 1 left.",
    ]


def test_help_has_examples() -> None:
    assert "  llmtape merge --theirs 3f2a9c\n" in run("--help").stdout
