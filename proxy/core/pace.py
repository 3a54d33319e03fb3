"""How fast a replay runs.

Rule: a pace turns a recorded response into due times, microseconds from the moment the request arrived. Each is
absolute, so that delays never add up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.core.errors import ConfigError

if TYPE_CHECKING:
    from proxy.core.model import Response

_FACTOR = re.compile(r"(\d+(?:\.\d+)?)x")
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)tps")

_SLOWEST, _FASTEST = 1e-6, 1e9
"""Factors and rates: beyond these an answer would take ages, and times could not be counted any more."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the head is due, and when each chunk of the body is."""

    head_us: int
    chunks_us: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Instant:
    """All at once."""

    def schedule(self, response: Response, tokens: int | None) -> Schedule | None:
        """Return None: nothing is to be waited for."""
        del response, tokens
        return None


@dataclass(frozen=True, slots=True)
class Recorded:
    """As it was recorded, `factor` times as fast."""

    factor: float = 1.0

    def schedule(self, response: Response, tokens: int | None) -> Schedule | None:
        """Divide the recorded times by the factor."""
        del tokens
        chunks_us = tuple(int(chunk.at_us / self.factor) for chunk in response.chunks)
        return Schedule(int(response.first_byte_us / self.factor), chunks_us)


@dataclass(frozen=True, slots=True)
class TokensPerSecond:
    """At a steady rate: an event of a stream counts as a token, a plain answer takes as long as all of its."""

    rate: float

    def schedule(self, response: Response, tokens: int | None) -> Schedule | None:
        """Space the chunks evenly; `tokens` is how many the answer says it has."""
        if response.is_stream:
            return Schedule(0, tuple(self._due(count) for count in range(len(response.chunks))))
        whole = self._due(tokens or 0)
        return Schedule(whole, (whole,) * len(response.chunks))

    def _due(self, tokens: int) -> int:
        return int(tokens * 1_000_000 / self.rate)


Pace = Instant | Recorded | TokensPerSecond


def parse(text: str) -> Pace:
    """Read `instant`, `recorded`, a factor such as `10x` or a rate such as `50tps`.

    Raises ConfigError for anything else, and for a factor or rate of zero, or of a size that means nothing.
    """
    if text == "instant":
        return Instant()
    if text == "recorded":
        return Recorded()
    if (match := _FACTOR.fullmatch(text)) and _SLOWEST <= float(match[1]) <= _FASTEST:
        return Recorded(float(match[1]))
    if (match := _TOKENS.fullmatch(text)) and _SLOWEST <= float(match[1]) <= _FASTEST:
        return TokensPerSecond(float(match[1]))
    raise ConfigError(f"pace {text!r} is not one: say instant, recorded, a factor such as 10x, or 50tps")
