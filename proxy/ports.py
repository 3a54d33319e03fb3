"""What an exchange asks of the outside.

Rule: interfaces and plain values, nothing else. `upstream` sends, `downstream` is the client's side of the socket;
tests may bring their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from proxy.core.model import Headers, Request

Clock = Callable[[], int]
"""Microseconds of a clock that never goes back."""

Sleep = Callable[[float], Awaitable[None]]
"""Waits for so many seconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an upstream's answer, and its body to be read once.

    `length` is None where none was told. Reading the body raises UpstreamBrokeOffError where it ends too early.
    """

    status: int
    reason: str
    headers: Headers
    length: int | None
    body: AsyncIterator[bytes]


class Sender(Protocol):
    """Whoever calls the upstream."""

    def send(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Forward a request; leaving the context lets the connection go.

        Raises UpstreamUnreachableError or UpstreamTimeoutError where no answer began.
        """


class Client(Protocol):
    """One answer being sent. Writing raises ClientGoneError once the client has left.

    `outlived` says that the answer is worth having without its client: a recording. Any other ends with it.
    """

    outlived: bool

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        """Set the head, which leaves with the first write. Where `length` is None the body goes in HTTP chunks."""

    async def write(self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()) -> None:
        """Send pieces of the body, each an HTTP chunk of its own; with `last`, the body's end.

        `trailers` follow a body that goes in HTTP chunks, and are left out after any other.
        """

    async def abort(self) -> None:
        """End the connection in the middle of the answer, so that no client can take it for whole."""
