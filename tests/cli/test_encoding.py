"""Recordings in any language, shown where the encoding lacks their characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.cli.encoding import take_any_text
from tests.cassette.making import store
from tests.cli.recorded import RECORDED, key

if TYPE_CHECKING:
    from pathlib import Path

SAID = "naïve 日本語 👋?"


def run(encoding: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from proxy.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False)


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoding") / "tape.sqlite"
    store(path, RECORDED.values())
    return path


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize(
    "command", ["ls", "show", "play --pace=instant", "grep -F naïve", "stats", "diff", "git textconv", "export"]
)
def test_every_command_shows_what_it_can_and_escapes_the_rest(command: str, encoding: str, cassette: Path) -> None:
    name, *options = command.split()
    others: dict[str, object] = {"show": key("stream"), "play": key("stream"), "diff": cassette}
    ran = run(encoding, name, *options, cassette, *([others[name]] if name in others else []))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout


def test_a_character_that_the_encoding_lacks_is_written_as_json_does(cassette: Path) -> None:
    told = run("latin-1", "show", cassette, key("stream")).stdout.decode("latin-1")
    assert "naïve \\u65e5\\u672c\\u8a9e \\ud83d\\udc4b?" in told


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_json_stays_json(encoding: str, cassette: Path) -> None:
    told = json.loads(run(encoding, "ls", cassette, "--json").stdout.decode(encoding))
    assert SAID in [item["prompt"] for item in told]


def test_an_output_that_is_no_stream_of_text_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    take_any_text()
    assert sys.stdout is None
