"""How a server is told to stop, and made to where it does not.

Rule: the first signal asks for a clean end, the second ends the process at once; what is committed is safe either way.
The handlers are Python's own, and set before anything is opened: those of an event loop are not run while it opens a
cassette or brings one to rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

SIGNALLED: Final = 128
"""The exit status of what signal N ended is this and N, as shells have it."""

CLOSING_S: Final = 10.0
"""How long bringing the cassettes to rest may take, once no answer is on its way any more."""

_STDERR: Final = 2
_STUCK: Final = f"llmtape: the start was not through {CLOSING_S:g} s after a signal asked to end, and was broken off"


class Stopping:
    """Asks us to stop at the first signal, and ends us at once at the second.

    Signals are SIGTERM, SIGINT, and SIGHUP, with which a terminal closes. As long as a command runs SIGINT counts for
    nothing: an interrupt from the terminal reaches the command, too, and is its to handle.
    """

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        """The command, once it runs; it does not outlive us."""
        self.number = 0
        """The signal that asked us to stop; 0 where none did."""
        self.is_serving = False
        """Whether the start is behind us: until then there are no answers to wait for."""
        self._asked = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """Take signals from now on; SIGHUP not where it is ignored, as below `nohup`. On the main thread."""
        signal.signal(signal.SIGTERM, self._take)
        signal.signal(signal.SIGINT, self._take)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._take)

    def attach(self) -> None:
        """Let `wait` be called in the running loop."""
        self._loop = asyncio.get_running_loop()
        if self.number:
            self._asked.set()

    async def wait(self) -> None:
        """Wait until a signal asks us to stop."""
        await self._asked.wait()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._has_running_command:
            return
        if self.number:
            self._end_at_once(number)
        self.number = number
        if not self.is_serving:
            end_within(CLOSING_S, _STUCK, SIGNALLED + number)
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended, and so do we
                self._loop.call_soon_threadsafe(self._asked.set)

    @property
    def _has_running_command(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def _end_at_once(self, number: int) -> None:
        if self.process is not None and self._has_running_command:
            self.process.kill()
        os._exit(SIGNALLED + number)


def end_within(seconds: float, told: str, status: int) -> None:
    """End the process with a status if it has not ended by itself by then, whatever holds it, and tell that.

    All that is committed is safe, as after a kill: it is in the log beside its cassette.
    """

    def give_up() -> None:
        with suppress(OSError):
            os.write(_STDERR, f"{told}\n".encode())  # a lock of the streams may be held by what holds us
        os._exit(status)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
