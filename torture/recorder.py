"""Proxies as processes of their own: started, told where they listen, and ended, by their ids alone.

Rule: what a process writes goes to a file; that it was ended is waited for, so that no other one meets it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LLMTAPE: Final = (sys.executable, "-m", "proxy")
_TOLD: Final = 1500
_ANNOUNCED: Final = b"base URL here: "


class Serving:
    """One proxy. `url` is where clients are pointed to, empty until it listens and where it never did."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process = process
        self.log = log
        self.url = ""
        self.start_s = 0.0
        """How long it took to listen."""
        self._began = time.monotonic()

    @classmethod
    async def start(cls, mode: str, cassette: Path, log: Path, *flags: str, within: Sequence[str] = ()) -> Self:
        """Start a proxy on a free port; its standard error is added to `log`.

        `within` is a command that becomes the one that stands behind it, in surroundings of its own.
        """
        command = (*within, *LLMTAPE, mode, "-c", str(cassette), "--port", "0", *flags)
        with log.open("ab") as told:
            process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=told)
        return cls(process, log)

    async def listens(self) -> bool:
        """Wait until it listens; tell whether it does."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if _ANNOUNCED in line:
                self.url = line.partition(_ANNOUNCED)[2].split()[0].decode()
                self.start_s = time.monotonic() - self._began
                return True
        return False

    @property
    def last_words(self) -> str:
        """The end of what it and those before it wrote on standard error."""
        return self.log.read_text()[-_TOLD:]

    def kill(self) -> None:
        """Kill it, if it is not ended."""
        self._send(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def _send(self, number: int) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; return its exit status."""
        assert self.process.stdout is not None
        await self.process.stdout.read()
        return await self.process.wait()
