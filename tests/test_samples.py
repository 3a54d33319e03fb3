"""The cassettes in the repository, replayed as the README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from proxy.cassette.reader import Reader

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "cassettes/samples.sqlite"


def test_the_samples_replay_without_a_miss(tmp_path: Path) -> None:
    llmtape = Path(sys.executable).with_name("llmtape")
    command = [str(llmtape), "replay", "-c", str(SAMPLES), "--", sys.executable, str(ROOT / "cassettes/samples.py")]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "missed" not in ran.stderr
    assert "Invalid 'temperature'" in ran.stdout


def test_the_samples_hold_what_is_said_of_them() -> None:
    with Reader(SAMPLES) as reader:
        entries = list(reader.entries())
    assert {entry.take.track.variant.value for entry in entries} == {"json", "sse"}
    assert {entry.take.status for entry in entries} == {200, 400}
    assert {entry.finish_reason for entry in entries} == {"stop", "tool_calls", None}
    assert len(entries) >= 7
