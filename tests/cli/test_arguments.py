"""What several commands take."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from proxy.cli import COMMANDS, main
from proxy.cli.arguments import config_of, rules_of
from proxy.core.errors import ConfigError
from proxy.core.rules import DEFAULT

READING = [name for name, module in COMMANDS.items() if module in {"look", "keys"}]


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
    given = [parameter(command, name) for command in READING]
    assert len(given) == 5
    assert len({(tuple(it.opts), it.type.name, getattr(it, "help", None)) for it in given}) == 1


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
