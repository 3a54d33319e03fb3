"""The same suite in any order and on any number of workers: the same responses to each test, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from tests import suites

if TYPE_CHECKING:
    import pytest

Told = dict[str, list[str]]
"""What each test was answered, by its name."""

ROOT: Final = Path(__file__).parent.parent
WORKERS: Final = (1, 2, 4)
REPLAYS: Final = 20
TESTS: Final = 13

SUITE: Final = """
import json, os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from asking import answer


@pytest.fixture
def tell(request):
    told = []
    yield lambda status, body: told.append(f"{status} {body.decode()}")
    Path(os.environ["TOLD"], f"{request.node.name}.json").write_text(json.dumps(told))


@pytest.fixture
def tell_sorted(request):
    told = []
    yield lambda status, body: told.append(f"{status} {body.decode()}")
    Path(os.environ["TOLD"], f"{request.node.name}.json").write_text(json.dumps(sorted(told)))


@pytest.mark.parametrize("n", range(3))
def test_the_same_call_again_and_again(tell, n):
    for _ in range(4):
        tell(*answer("again"))


@pytest.mark.parametrize("n", range(3))
def test_calls_in_parallel(tell_sorted, n):
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(lambda _: answer("parallel"), range(6)):
            tell_sorted(*found)


@pytest.mark.parametrize("n", range(2))
def test_a_stream_among_others(tell, n):
    tell(*answer("one of several", stream=True))
    tell(*answer("one of several"))
    tell(*answer("one of several", stream=True))


@pytest.mark.parametrize("n", range(2))
def test_a_refusal_and_then_an_answer(tell, n):
    first, second = answer(f"trouble {n}"), answer(f"trouble {n}")
    assert (first[0], second[0]) == (429, 200)
    tell(*first)
    tell(*second)


def test_a_conversation(tell):
    said = "begin"
    for _ in range(4):
        status, body = answer(said)
        tell(status, body)
        said = json.loads(body)["choices"][0]["message"]["content"]


@pytest.mark.llmtape(rules={"ignore_max_tokens": True})
def test_rules_of_its_own(tell):
    for most in (1, 2):
        tell(*answer("again", max_tokens=most))


@pytest.mark.llmtape(faults="status=503; calls=2", cassette="apart")
def test_a_fault_on_purpose(tell):
    for _ in range(3):
        tell(*answer("again"))
"""


class Folder:
    """The suite, and what it was told while it was recorded, on so many workers, from an upstream that is gone then."""

    def __init__(self, path: Path, workers: int) -> None:
        self.path = path
        path.mkdir()
        (path / "test_it.py").write_text(SUITE, encoding="utf-8")
        (path / "asking.py").write_text(suites.ASKING, encoding="utf-8")
        (path / "llmtape.toml").write_text('[record]\nerrors = "all"\n', encoding="utf-8")
        (path / "pytest.ini").write_text("[pytest]\npythonpath = .\nllmtape_autouse = true\n", encoding="utf-8")
        with suites.upstream() as upstream:
            self.recorded = self.run(workers, workers, "--llmtape=record", f"--llmtape-upstream={upstream.url}")

    def run(self, workers: int, seed: int, *options: str) -> Told:
        """Run it in an order that the seed tells; return what each test was answered."""
        folder = self.path / f"told-{workers}-{seed}-{len(options)}"
        folder.mkdir()
        spread = ["-n", str(workers)] if workers > 1 else []
        command = [sys.executable, "-m", "pytest", "-q", *spread, "-p", "randomly", f"--randomly-seed={seed}"]
        off = [f"-pno:{plugin}" for plugin in ("cacheprovider", "hypothesispytest", "asyncio", "aiohttp", "anyio")]
        environment = self.environment(folder)
        done = subprocess.run(
            [*command, *off, *options], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        assert f"{TESTS} passed" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0, done.stdout + done.stderr
        return {file.stem: json.loads(file.read_bytes()) for file in sorted(folder.iterdir())}

    def environment(self, told: Path) -> dict[str, str]:
        # What is compiled is kept for the next run, though not beside the source.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "TOLD": str(told), "PYTHONPYCACHEPREFIX": str(self.path.parent / "pyc")}


def test_twenty_replays_in_any_order_on_any_number_of_workers_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suites.forget_environment(monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda workers: Folder(tmp_path / f"{workers}", workers), WORKERS))
        # What each number of workers recorded, on each number of workers.
        turns = cycle([(folder, workers) for workers in WORKERS for folder in folders])
        seeds = Random(7).sample(range(1_000_000), REPLAYS)
        jobs = [(folder, workers, seed) for (folder, workers), seed in zip(turns, seeds, strict=False)]
        replayed = list(pool.map(lambda job: job[0].run(job[1], job[2], "--llmtape-strict"), jobs))
    assert len(replayed) == REPLAYS
    for (folder, workers, seed), told in zip(jobs, replayed, strict=True):
        assert len(told) == TESTS
        assert told == folder.recorded, f"on {workers} workers, seed {seed}, in {folder.path}"
