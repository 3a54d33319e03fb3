"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from proxy.cli import main
from proxy.cli.arguments import CHOICE, cassettes_of, config_of, rules_of
from proxy.config import Config
from proxy.core.choice import Choice, Ending
from proxy.core.errors import ConfigError
from proxy.core.rules import DEFAULT

LOOKING = ("ls", "show", "explain", "lint", "rekey", "rm", "prune", "redact")
CHOOSING = ("ls", "grep", "stats", "rm", "prune", "export")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LLMTAPE_CONFIG", "LLMTAPE_RULES_SCRUB"):
        monkeypatch.delenv(name, raising=False)


def parameter(command: str, name: str) -> click.Parameter:
    found = main.get_command(click.Context(main), command)
    assert found
    return next(given for given in found.params if given.name == name)


@pytest.mark.parametrize("name", ["cassette", "file", "as_json"])
def test_they_read_alike_in_every_command_that_looks_at_a_cassette(name: str) -> None:
    given = [parameter(command, name) for command in LOOKING]
    assert len({(tuple(it.opts), it.type.name, getattr(it, "help", None)) for it in given}) == 1


@pytest.mark.parametrize("name", ["models", "lanes", "runs", "endings", "texts", "newer", "older"])
def test_every_command_that_is_about_some_interactions_has_all_options_to_choose_them(name: str) -> None:
    assert all(parameter(command, name) for command in CHOOSING)


@pytest.mark.parametrize(
    ("arguments", "choice"),
    [
        ([], Choice()),
        (["--model", "a", "--model", "b*"], Choice(models=("a", "b*"))),
        (["--lane", "", "--run", "2", "--run", "3"], Choice(lanes=("",), runs=(2, 3))),
        (["--outcome", "cut", "--outcome", "error"], Choice(endings=(Ending.CUT, Ending.ERROR))),
        (["--text", "refund", "--newer", "2026-11-20"], Choice(texts=("refund",), newer="2026-11-20T00:00:00.000Z")),
        (["--older", "2026-11-20T18:30+02:00"], Choice(older="2026-11-20T16:30:00.000Z")),
    ],
)
def test_the_options_that_choose_become_one_choice(arguments: list[str], choice: Choice) -> None:
    made: list[tuple[str, Choice]] = []

    @click.command()
    @click.argument("other")
    @CHOICE
    def command(other: str, choice: Choice) -> None:
        made.append((other, choice))

    result = CliRunner().invoke(command, ["kept", *arguments])
    assert (result.exit_code, made) == (0, [("kept", choice)])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--text", ""], "--text is empty"),
        (["--newer", "7x"], "'7x' is neither an age"),
        (["--older", "99999999999d"], "is neither an age"),
        (["--run", "first"], "is not a valid integer"),
        (["--outcome", "good"], "is not one of"),
    ],
)
def test_what_chooses_nothing_is_a_usage_error(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(main, ["ls", "any.sqlite", *arguments])
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_the_configured_cassette_is_meant_where_none_is_named() -> None:
    config = Config(cassette="kept/here.sqlite")
    assert cassettes_of((), config) == (Path("kept/here.sqlite"),)
    assert cassettes_of((Path("a"), Path("b")), config) == (Path("a"), Path("b"))


def test_the_nearest_config_counts_and_where_there_is_none_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rules_of(None) == DEFAULT
    (tmp_path / "llmtape.toml").write_text('[rules]\nscrub = ["date"]\n[replay]\nincomplete = "play"\n')
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert rules_of(None).scrub == ("date",)
    assert config_of(None).replay.incomplete == "play"


def test_a_config_that_is_named_counts_and_so_does_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llmtape.toml").write_text('[rules]\nscrub = ["date"]\n')
    (tmp_path / "other.toml").write_text('[rules]\nscrub = ["uuid"]\n')
    assert rules_of(Path("other.toml")).scrub == ("uuid",)
    monkeypatch.setenv("LLMTAPE_RULES_SCRUB", "home,uuid")
    assert rules_of(Path("other.toml")).scrub == ("home", "uuid")


def test_a_config_that_is_not_there_is_told_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"cannot read the config none\.toml"):
        rules_of(Path("none.toml"))
