"""Commands that change a cassette, killed at any moment: the old file is there, or the new one, and nothing else."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from proxy.cassette.draft import drafted
from tests.cassette.making import RECORD, answer, bodies, files, question, remembered, rows, taken

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RUN: Final = remembered(RECORD)
KILLS: Final = 6
COMMANDS: Final = {
    "rm": ("rm", "tape.sqlite", "--lane", "odd"),
    "redact": ("redact", "tape.sqlite", "--pattern", "question 1[0-9]*", "--force"),
    "rekey": ("rekey", "tape.sqlite"),
    "merge": ("merge", "tape.sqlite", "tape.sqlite", "other.sqlite"),
    "import": ("import", "tape.sqlite", "other.jsonl"),
}


def write(path: Path, texts: Sequence[str]) -> None:
    with drafted(path) as draft:
        for place, text in enumerate(texts):
            lane = "odd" if place % 2 else ""
            draft.add(taken(question(text), answer(text.encode() * 50), lane=lane), RUN)


def command(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ready")
    write(folder / "tape.sqlite", [f"question {number}" for number in range(2000)])
    write(folder / "other.sqlite", [f"another {number}" for number in range(1000)])
    (folder / "llmtape.toml").write_text("[rules]\nignore_max_tokens = true\n")
    assert command(folder, ("export", "other.sqlite", "-o", "other.jsonl")).wait() == 0
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_a_change_that_is_killed_was_done_or_was_not(ready: Path, tmp_path: Path, name: str) -> None:
    seed = random.Random(name)
    whole = tmp_path / "whole"
    shutil.copytree(ready, whole)
    if name != "rekey":
        (whole / "llmtape.toml").unlink()
    before = (whole / "tape.sqlite").read_bytes()
    work = tmp_path / "work"
    shutil.copytree(whole, work)
    done = command(whole, COMMANDS[name])
    assert done.wait() == 0
    after = (whole / "tape.sqlite").read_bytes()
    assert after != before
    for _ in range(KILLS):
        (work / "tape.sqlite").write_bytes(before)
        process = command(work, COMMANDS[name])
        try:
            process.wait(timeout=seed.uniform(0.2, 0.8))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        opened = rows(work / "tape.sqlite", "pragma integrity_check")  # takes back what SQLite began
        assert opened == [("ok",)]
        assert (work / "tape.sqlite").read_bytes() in (before, after) or name == "rekey"
        assert len(bodies(work / "tape.sqlite")) in (2000, 1000, 3000)
    (work / "tape.sqlite").write_bytes(before)
    assert command(work, COMMANDS[name]).wait() == 0
    assert (work / "tape.sqlite").read_bytes() == after
    assert files(work / "tape.sqlite") == files(whole / "tape.sqlite")
