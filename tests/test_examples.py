"""The sample application: its suites replay what is in the repository, and can record it anew, in both languages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.cassette.facts import lanes_in

AGENT = Path(__file__).parent.parent / "examples" / "agent"
MODULES = AGENT / "node_modules"
LLMTAPE = [sys.executable, "-m", "proxy"]
TESTS = 7

needs_node = pytest.mark.skipif(
    not (MODULES / "openai").is_dir() or not shutil.which("node"),
    reason="the JavaScript example needs node and `npm install` in examples/agent, which `make test` does where it can",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example, with its cassettes."""
    copy = tmp_path / "agent"
    shutil.copytree(AGENT, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    return copy


def run(folder: Path, *command: str) -> str:
    """Run a suite, which has to pass; without what this one's environment would change in it."""
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("OPENAI_")}
    kept["PYTHONPATH"] = str(AGENT.parent.parent)
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def in_pytest(folder: Path, *options: str) -> str:
    return run(folder, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options)


def in_node(folder: Path, mode: str, *options: str) -> str:
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES)
    return run(folder, *LLMTAPE, mode, *options, "--", "node", "--test", "--test-reporter=tap")


def test_pytest_replays_it_isolated(folder: Path) -> None:
    before = (folder / "cassettes/test_agent.sqlite").read_bytes()
    told = in_pytest(folder, "--llmtape-strict", "--llmtape-report=receipt.json")
    assert f"{TESTS} passed" in told
    assert "replay: 14 played, 1 injected" in told
    assert json.loads((folder / "receipt.json").read_bytes())["isolated"] is True
    assert (folder / "cassettes/test_agent.sqlite").read_bytes() == before


def test_pytest_records_it_anew_and_replays_that(folder: Path) -> None:
    cassette = folder / "cassettes/test_agent.sqlite"
    lanes = lanes_in(cassette)
    cassette.unlink()
    assert "record: 14 recorded, 1 injected" in in_pytest(folder, "--llmtape=record", "-n", "2")
    assert lanes_in(cassette) == lanes
    assert "replay: 14 played, 1 injected" in in_pytest(folder, "--llmtape-strict", "-n", "2")


@needs_node
def test_node_replays_it_isolated(folder: Path) -> None:
    told = in_node(folder, "replay", "--report", "receipt.json")
    assert re.search(rf"^# pass {TESTS}$", told, re.MULTILINE)
    assert "llmtape replay: 14 played, 1 injected" in told
    assert json.loads((folder / "receipt.json").read_bytes())["isolated"] is True


@needs_node
def test_node_records_it_anew_and_replays_that(folder: Path) -> None:
    cassette = folder / "cassettes/agent.sqlite"
    lanes = lanes_in(cassette)
    cassette.unlink()
    assert "llmtape record: 14 recorded, 1 injected" in in_node(folder, "record")
    assert lanes_in(cassette) == lanes
    assert "llmtape replay: 14 played, 1 injected" in in_node(folder, "replay")


@needs_node
def test_node_tells_a_miss_though_the_application_may_swallow_it(folder: Path) -> None:
    script = folder / "agent.mjs"
    script.write_text(script.read_text(encoding="utf-8").replace("Use the tools", "Use all tools"), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"Use \[-the-\] tools"):
        in_node(folder, "replay")
