"""What recordings add up to: calls, tokens, time, by model and by lane; and what was recorded twice.

Rule: adds up one recording after another and keeps none. Tokens are those that answers tell; times are microseconds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol

from proxy.core.choice import Ending, Listed, endings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.core.model import Take

_DIGEST_BYTES: Final = 16


class Measured(Listed, Protocol):
    """What is known of an interaction's cost."""

    @property
    def duration_us(self) -> int:
        """How long the answer took, to its end."""

    @property
    def prompt_tokens(self) -> int | None:
        """How many tokens were asked, where the answer told."""

    @property
    def completion_tokens(self) -> int | None:
        """How many tokens were answered, where the answer told."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What some calls add up to."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_us: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.duration_us + other.duration_us,
        )


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often the same was asked again, under the same key.

    `calls` have a key that an earlier call has; so many of them as `same_answer` tells were answered as one of those.
    `keys_in_lanes` are the keys that occur in more than one lane.
    """

    calls: int = 0
    same_answer: int = 0
    keys_in_lanes: int = 0

    def __add__(self, other: Repeats) -> Repeats:
        return Repeats(
            self.calls + other.calls,
            self.same_answer + other.same_answer,
            self.keys_in_lanes + other.keys_in_lanes,
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the recordings of one cassette, or of several, add up to.

    `oldest` and `newest` are when the first and the last was recorded, empty where there is none.
    """

    total: Tally = Tally()
    repeats: Repeats = Repeats()
    models: Mapping[str, Tally] = field(default_factory=dict)
    lanes: Mapping[str, Tally] = field(default_factory=dict)
    endings: Mapping[Ending, int] = field(default_factory=dict)
    oldest: str = ""
    newest: str = ""

    def __add__(self, other: Statistics) -> Statistics:
        oldest = [moment for moment in (self.oldest, other.oldest) if moment]
        return Statistics(
            self.total + other.total,
            self.repeats + other.repeats,
            _added(self.models, other.models),
            _added(self.lanes, other.lanes),
            Counter(self.endings) + Counter(other.endings),
            min(oldest, default=""),
            max(self.newest, other.newest),
        )


def gathered(calls: Iterable[Sequence[Measured]], meaning: Callable[[Take], bytes]) -> Statistics:
    """Add up recordings that come grouped by their keys.

    `meaning` tells what a take's answer says; it is asked only where a key has several.
    """
    models: dict[str, Tally] = {}
    lanes: dict[str, Tally] = {}
    ended: Counter[Ending] = Counter()
    repeats = Repeats()
    oldest = newest = ""
    for call in calls:
        repeats += _repeats([one.take for one in call], meaning)
        for one in call:
            tally = Tally(1, one.prompt_tokens or 0, one.completion_tokens or 0, one.duration_us)
            lane = one.take.track.lane
            models[one.model] = models.get(one.model, _NOTHING) + tally
            lanes[lane] = lanes.get(lane, _NOTHING) + tally
            ended.update(endings(one.take))
            oldest = min(oldest or one.recorded_at, one.recorded_at)
            newest = max(newest, one.recorded_at)
    return Statistics(sum(models.values(), start=_NOTHING), repeats, models, lanes, ended, oldest, newest)


def _repeats(takes: Sequence[Take], meaning: Callable[[Take], bytes]) -> Repeats:
    if len(takes) == 1:
        return _NONE
    answers = {blake2b(meaning(take), digest_size=_DIGEST_BYTES).digest() for take in takes}
    is_shared = len({take.track.lane for take in takes}) > 1
    return Repeats(len(takes) - 1, len(takes) - len(answers), int(is_shared))


_NOTHING: Final = Tally()
_NONE: Final = Repeats()


def _added(one: Mapping[str, Tally], other: Mapping[str, Tally]) -> dict[str, Tally]:
    return {name: one.get(name, _NOTHING) + other.get(name, _NOTHING) for name in {**one, **other}}
