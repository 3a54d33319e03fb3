"""Server-sent events: where one ends, and what it carries.

Rule: framing never changes a byte. The events, joined with what is left over, are the bytes that were fed, and
the same for any splitting of them into reads. Source: WHATWG HTML, "Parsing an event stream": a line ends with
CRLF, LF or CR, an event with a blank line.
"""

from __future__ import annotations

import re

# Atomic groups: "\r\n" is one line end and must never be re-read as two.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONGEST_BLANK_LINE = 4

DONE = b"[DONE]"
"""The data of the event that ends a stream of the API."""


class Framer:
    """Cuts a byte stream into events, each with the blank line that ends it."""

    __slots__ = ("_buffer", "_searched")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    @property
    def pending(self) -> bytes:
        """The bytes of the event that has not ended yet."""
        return bytes(self._buffer)

    @property
    def size(self) -> int:
        """How many bytes that event has until now."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes, of any number; return the events that they end, in order."""
        self._buffer += data
        events: list[bytes] = []
        start = 0
        search_from = max(0, self._searched - _LONGEST_BLANK_LINE)
        while (match := _BLANK_LINE.search(self._buffer, search_from)) and not self._may_go_on(match):
            events.append(bytes(self._buffer[start : match.end()]))
            start = search_from = match.end()
        del self._buffer[:start]
        self._searched = len(self._buffer)
        return events

    def flush(self) -> list[bytes]:
        """End the stream: return what is left as its last piece, if anything is."""
        rest = self.pending
        self._buffer.clear()
        self._searched = 0
        return [rest] if rest else []

    def _may_go_on(self, match: re.Match[bytes]) -> bool:
        """Tell whether the match ends in a CR that may be half of a CRLF whose LF is still on its way."""
        return match.end() == len(self._buffer) and self._buffer.endswith(b"\r")


def split(body: bytes) -> list[bytes]:
    """Cut a whole body into events; bytes after the last blank line come as a last piece."""
    framer = Framer()
    return framer.feed(body) + framer.flush()


def data_of(event: bytes) -> bytes | None:
    """Return an event's data, its lines joined with LF; None where it has none (a comment, a bare id)."""
    lines = [line for line in _LINE_END.split(event.removeprefix(b"\xef\xbb\xbf")) if line.startswith(b"data")]
    values = [line[5:].removeprefix(b" ") for line in lines if line[4:5] == b":" or line == b"data"]
    return b"\n".join(values) if values else None


def is_done(event: bytes) -> bool:
    """Tell whether the event, whole or still without its blank line, is the one that ends a stream."""
    return DONE in event and (data_of(event) or b"").strip() == DONE
