"""What the help of every command shows as an example is run, as somebody would who copies it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from proxy.cassette.draft import drafted
from proxy.cli import main
from proxy.core.model import Variant
from proxy.core.receipt import CassetteSheet, Named, Receipt
from tests.cassette.making import RECORD, remembered, taken
from tests.cli.recorded import DONE, ask, event, say, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIN: Final = Path(sys.executable).parent
SHOWN_KEY: Final = "3f2a9c"
SERVERS: Final = frozenset({"record", "replay", "auto", "passthrough"})
RUN: Final = remembered(RECORD)

# Who finds something says so in the exit status.
MAY_FIND: Final = frozenset({"lint", "diff", "merge", "grep", "verify", "prune"})

GREETING = taken(ask("Say hello"), say({"content": "Hello there."}))
STORY = taken(
    ask("A story", stream=True), stream(event(content="Once."), event("stop"), DONE), variant=Variant.SSE, lane="t"
)
ENTRY: Final = {
    "startedDateTime": "2026-11-22T12:00:00.000Z",
    "request": {
        "method": "POST",
        "url": "https://api.openai.com/v1/chat/completions",
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "postData": {"text": ask("Seen in a browser").body.decode()},
    },
    "response": {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": "application/json"}],
        "content": {"text": say({"content": "Yes."}).body.decode()},
    },
}
VCR: Final = """version: 1
interactions:
- request: {{method: POST, uri: 'https://api.openai.com/v1/chat/completions', headers: {{}}, body: '{asked}'}}
  response: {{status: {{code: 200, message: OK}}, headers: {{Content-Type: [application/json]}}, body: {{string: '{said}'}}}}
"""  # noqa: E501  a line of YAML


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(main)

    def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(command, click.Group):
            yield " ".join(path), command
            return
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, (*path, name))

    yield from walk(main, ())


COMMANDS: Final = dict(commands())
# Git alone calls it, with files that it makes for it.
WITHOUT_EXAMPLE: Final = frozenset({"git merge-driver"})


def examples() -> Iterator[str]:
    for command in (main, *COMMANDS.values()):
        lines = map(str.strip, (command.help or "").splitlines())
        yield from (line.partition("    ")[0] for line in lines if line.startswith("llmtape "))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_and_says_what_it_is_in_a_line(name: str) -> None:
    command = COMMANDS[name]
    lines = map(str.strip, (command.help or "").splitlines())
    assert name in WITHOUT_EXAMPLE or any(line.startswith(f"llmtape {name}") for line in lines)
    assert command.get_short_help_str().endswith(".")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder such as a user of the examples has."""
    folder = tmp_path_factory.mktemp("ready")
    write(folder / "cassettes/default.sqlite", GREETING, replace(GREETING, number=2, response=STORY.response), STORY)
    other = taken(ask("Say hello"), say({"content": "Good day."}))
    write(folder / "tests/chat.sqlite", other, taken(ask("A refund of order 66"), say({"content": "No."}), lane="t"))
    for day in ("monday", "tuesday"):
        write(folder / f"{day}.sqlite", taken(ask(f"It is {day}"), say({"content": "So it is."})))
    (folder / "llmtape.toml").write_text('upstream = "demo"\n')
    (folder / "my_app.py").write_text("print('asked for nothing')\n")
    (folder / "body.json").write_bytes(ask("Say hello").body)
    (folder / "browser.har").write_text(json.dumps({"log": {"version": "1.2", "entries": [ENTRY]}}))
    (folder / "tests/fixtures").mkdir()
    asked, said = ask("Seen by VCR").body.decode(), say({"content": "Yes."}).body.decode()
    (folder / "tests/fixtures/one.yaml").write_text(VCR.format(asked=asked, said=said))
    (folder / "receipt.json").write_bytes(receipt().as_json())
    shell(folder, "llmtape export cassettes/default.sqlite -o default.jsonl && git init -q")
    (folder / "bin").mkdir()
    for stranger in ("npm", "pytest"):
        (folder / "bin" / stranger).write_text("#!/bin/sh\n")
        (folder / "bin" / stranger).chmod(0o755)
    return folder


def write(path: Path, *interactions: object) -> None:
    with drafted(path) as draft:
        for interaction in interactions:
            draft.add(interaction, RUN)  # type: ignore[arg-type]  # they are no others


def receipt() -> Receipt:
    named = [Named(one.track.key, one.track.variant, one.track.lane, one.number) for one in (GREETING, STORY)]
    sheet = CassetteSheet("cassettes/default.sqlite", "", 3, played=(named[0],), unplayed=(named[1],))
    return Receipt("0.1.0", "replay", had_upstream=False, faults=0, cassettes=(sheet,), lanes=())


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, shell=True, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def environment(folder: Path) -> dict[str, str]:
    own = {"PATH": f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}", "HOME": str(folder), "COLUMNS": "100"}
    return {**os.environ, **own, "OPENAI_API_KEY": "not-needed"}


def let_them_clash(folder: Path) -> None:
    shell(folder, "llmtape merge cassettes/default.sqlite cassettes/default.sqlite tests/chat.sqlite")


PREPARED: Final[dict[str, Callable[[Path], None]]] = {
    "llmtape merge --conflicts": let_them_clash,
    "llmtape merge --theirs": let_them_clash,
    "llmtape merge --both": let_them_clash,
}


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_does_what_it_says(ready: Path, tmp_path: Path, example: str) -> None:
    folder = tmp_path / "here"
    shutil.copytree(ready, folder)
    for start, prepare in PREPARED.items():
        if example.startswith(start):
            prepare(folder)
    line = example.replace(SHOWN_KEY, GREETING.track.key[: len(SHOWN_KEY)])
    command, is_piped = shlex.split(line)[1], "|" in line
    if is_piped and shutil.which("jq") is None:
        line = line.partition(" | jq")[0]
    if command in SERVERS and " -- " not in line:
        assert served(folder, line) == 0
        return
    done = shell(folder, line)
    assert (done.returncode == 0) or (command in MAY_FIND and done.returncode == 1), done.stderr
    assert "Traceback" not in done.stderr


def served(folder: Path, line: str) -> int:
    """Start a server, and end it as soon as it says that it is there."""
    arguments = [*shlex.split(line), "--port", "0"]
    with subprocess.Popen(
        arguments, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert any("http://127.0.0.1" in said for said in process.stdout)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        return process.wait()
