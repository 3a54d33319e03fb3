"""The proxy as a process of its own, from its start to its end.

Rule: what it says is read as it comes, so that no full pipe holds it, and whoever waits for its end is told how long
that took. Nothing in it is ended by a name: only what was started here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from torture.item import check

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping

TREE: Final = Path(__file__).parent.parent
_URL: Final = "Point your client's base URL here: "
_LONGEST_S: Final = 120.0  # a guard against a hang, far above any promise


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended: its status, what it said, and how many seconds after it was waited for."""

    status: int
    out: str
    err: str
    seconds: float


class Served:
    """A running proxy. `process` is its process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._out = bytearray()
        self._err = bytearray()
        self._news = asyncio.Event()
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        pipes = ((process.stdout, self._out), (process.stderr, self._err))
        self._reading = [asyncio.ensure_future(self._read(pipe, into)) for pipe, into in pipes if pipe is not None]

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    @property
    def said(self) -> str:
        """What it said on standard error until now."""
        return self._err.decode("utf-8", "replace")

    @property
    def out(self) -> str:
        """What it, or its command, said on standard output until now."""
        return self._out.decode("utf-8", "replace")

    async def url(self) -> str:
        """Return its base URL once it listens; nothing where it ended before."""
        ended: asyncio.Future[object] = asyncio.ensure_future(asyncio.wait(self._reading))
        await asyncio.wait((self._url, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        return self._url.result() if self._url.done() else ""

    async def told(self, words: str) -> None:
        """Wait until it, or its command, has said some words."""
        while words not in self.out + self.said:
            self._news.clear()
            await self._news.wait()

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):  # not `send_signal`, which may take the exit status away
                os.kill(self.pid, number)

    async def end(self) -> End:
        """Wait for its end, for two minutes at most. Raises BrokenPromiseError where it goes on."""
        began = time.monotonic()
        try:
            await asyncio.wait_for(self.process.wait(), _LONGEST_S)
        except TimeoutError:
            self.signal(signal.SIGKILL)
            check(holds=False, broken=f"it went on for {_LONGEST_S:g} s after it was told to end: {self.said}")
        seconds = time.monotonic() - began
        if self._reading:
            await asyncio.wait(self._reading, timeout=1)  # a grandchild may hold the pipes for longer
        assert self.process.returncode is not None
        return End(self.process.returncode, self.out, self.said, seconds)

    async def close(self) -> None:
        """End it where it still runs."""
        self.signal(signal.SIGKILL)
        await self.process.wait()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        self.process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001  else its pipes outlive the loop

    async def _read(self, pipe: asyncio.StreamReader, into: bytearray) -> None:
        while data := await pipe.read(65536):
            into += data
            self._news.set()
            if not self._url.done() and _URL.encode() in into:
                rest = into.decode().partition(_URL)[2]
                if " " in rest or "\n" in rest:
                    self._url.set_result(rest.split()[0])


@asynccontextmanager
async def served(
    folder: Path,
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    output: int = PIPE,
) -> AsyncIterator[Served]:
    """Run `llmtape` with some arguments in a folder; `before` are words before the command, such as those of strace.

    With a descriptor for its `output` what it says goes there, and is not read here.
    """
    process = await asyncio.create_subprocess_exec(
        *(*before, sys.executable, "-m", "proxy", *map(str, arguments)),
        cwd=folder,
        env=clean(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    running = Served(process)
    try:
        yield running
    finally:
        await running.close()


def clean(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without what a user may have set for llmtape or an SDK, and with some more."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LLMTAPE_", "OPENAI_"))}
    path = os.pathsep.join(filter(None, (str(TREE), os.environ.get("PYTHONPATH", ""))))
    return {**kept, "PYTHONPATH": path, **(more or {})}
