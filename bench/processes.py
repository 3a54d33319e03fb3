"""Starting the parts of a benchmark, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LLMTAPE = str(Path(sys.executable).with_name("llmtape"))


@contextmanager
def serving(*command: str, before: str = "") -> Iterator[str]:
    """Run a command that prints where it listens, after the words `before`; yield the URL, and stop it in the end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(line.replace(before, "").split()[0] for line in process.stdout if before in line)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def upstream(events: int, interval_ms: float) -> Iterator[str]:
    """Run an upstream that streams so many events, so far apart."""
    with serving(sys.executable, "-m", "bench.upstream", str(events), str(interval_ms)) as url:
        yield url


@contextmanager
def bare(upstream_url: str) -> Iterator[str]:
    """Run a pass-through in plain aiohttp that stores nothing."""
    with serving(sys.executable, "-m", "bench.bare", upstream_url) as url:
        yield url


@contextmanager
def llmtape(mode: str, cassette: Path, *flags: str) -> Iterator[str]:
    """Run the proxy."""
    with serving(
        LLMTAPE, mode, "-c", str(cassette), "--port", "0", *flags, before="Point your client's base URL here:"
    ) as url:
        yield url
