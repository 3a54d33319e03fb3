"""Which bytes of an answer may go on at once, and how it is cut into chunks.

Rule: a byte waits for nothing but the commit, and only those wait that let a client see the end: the `[DONE]`
event, and the last byte of a counted body. (The last HTTP chunk waits too; it is no byte of the body.)
"""

from __future__ import annotations

from typing import Final, Protocol

from proxy.core import sse
from proxy.core.model import Chunk

_LONGEST_DONE: Final = 1024
"""How many bytes of an event may be looked through for `[DONE]` before it has ended."""


class Tee(Protocol):
    """Takes an upstream's bytes as they come; knows which of them may go on before the recording is committed."""

    chunks: list[Chunk]

    def feed(self, data: bytes, at_us: int) -> bytes:
        """Take the next bytes, read at `at_us`; return what may go on at once."""

    @property
    def is_at_end(self) -> bool:
        """Whether the answer is whole, so that what is held back waits for nothing but the commit."""

    def release(self) -> bytes:
        """Return what was held back; from now on nothing is."""

    def end(self, at_us: int) -> None:
        """Take note that no more bytes come."""


class PlainTee:
    """For a body of a known length, or of none; a chunk is a read."""

    def __init__(self, length: int | None) -> None:
        self.chunks: list[Chunk] = []
        self._missing = length
        self._held = b""

    def feed(self, data: bytes, at_us: int) -> bytes:
        """Hold the read back that completes a counted body."""
        self.chunks.append(Chunk(at_us, data))
        if self._missing is None:
            return data
        self._missing -= len(data)
        if self._missing > 0:
            return data
        self._held = data
        return b""

    @property
    def is_at_end(self) -> bool:
        """Whether all bytes of a counted body came."""
        return bool(self._held)

    def release(self) -> bytes:
        """Return what was held back."""
        held, self._held, self._missing = self._held, b"", None
        return held

    def end(self, at_us: int) -> None:
        """Nothing is left to frame."""


class PassingTee:
    """For an answer of which nothing is kept any more; `held` is what was held back until now."""

    is_at_end = False

    def __init__(self, held: bytes) -> None:
        self.chunks: list[Chunk] = []
        self._held = held

    def feed(self, data: bytes, at_us: int) -> bytes:
        """Let all of it pass."""
        del at_us
        return self.release() + data

    def release(self) -> bytes:
        """Return what was held back before."""
        held, self._held = self._held, b""
        return held

    def end(self, at_us: int) -> None:
        """Nothing is kept."""


class StreamTee:
    """For a stream of events; a chunk is an event."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self._framer = sse.Framer()
        self._unsent = bytearray()
        self._framed = 0  # how many bytes are in `chunks`
        self._sent = 0
        self._done_at: int | None = None  # where the event begins that ends the stream
        self._released = False

    def feed(self, data: bytes, at_us: int) -> bytes:
        """Frame the bytes; hold the last event back, even where only its beginning is here."""
        self._unsent += data
        for event in self._framer.feed(data):
            self._add(event, at_us)
        if self._released:
            return self._send_until(None)
        return self._send_until(self._framed if self._is_done_pending() else self._done_at)

    @property
    def is_at_end(self) -> bool:
        """Whether `[DONE]` came and was not released yet."""
        return self._done_at is not None and not self._released

    def release(self) -> bytes:
        """Return what was held back."""
        self._released = True
        return self._send_until(None)

    def end(self, at_us: int) -> None:
        """Keep the bytes after the last event as a chunk of their own."""
        for rest in self._framer.flush():
            self._add(rest, at_us)

    def _add(self, event: bytes, at_us: int) -> None:
        if self._done_at is None and sse.is_done(event):
            self._done_at = self._framed
        self._framed += len(event)
        self.chunks.append(Chunk(at_us, event))

    def _is_done_pending(self) -> bool:
        is_short = self._framer.size <= _LONGEST_DONE  # a long one would be copied again with each read
        return self._done_at is None and is_short and sse.is_done(self._framer.pending)

    def _send_until(self, mark: int | None) -> bytes:
        count = len(self._unsent) if mark is None else max(0, mark - self._sent)
        passed = bytes(self._unsent[:count])
        del self._unsent[:count]
        self._sent += len(passed)
        return passed
