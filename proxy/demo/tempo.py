"""How fast the embedded upstream speaks.

One rule: deadlines are absolute, counted from the start of the answer, so that slow writes do not add up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tempo:
    """A model's speed: seconds to the first token, and from token to token."""

    first_token: float = 0.15
    interval: float = 0.02

    def due(self, tokens_before: int) -> float:
        """Return when a token is due, in seconds from the start of the answer."""
        return self.first_token + self.interval * tokens_before


class Metronome:
    """Holds one answer to its tempo, from the moment of its making."""

    def __init__(self, tempo: Tempo, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._tempo = tempo
        self._clock = clock
        self._sleep = sleep
        self._start = clock()

    async def until(self, tokens_before: int) -> None:
        """Wait until a token is due; not at all when that has passed."""
        delay = self._start + self._tempo.due(tokens_before) - self._clock()
        if delay > 0:
            await self._sleep(delay)
