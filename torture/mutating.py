"""Inputs made of others by chance, for where no coverage guides.

Rule: all chance comes from the generator that is given, so that a seed makes the same inputs again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    Change = Callable[[bytes, Random, Sequence[bytes]], bytes]

_MOST_CHANGES: Final = 6
_MOST_REPEATED: Final = 400


def mutated(seeds: Sequence[bytes], words: Sequence[bytes], random: Random, longest: int) -> bytes:
    """Make an input of one of the seeds, with a few changes."""
    data = random.choice(seeds)
    for _ in range(random.randint(1, _MOST_CHANGES)):
        change = random.choice(_CHANGES)
        data = change(data, random, (*seeds, *words) if change is _put_in else words)
    return data[:longest]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, random.randint(start, min(len(data), start + 64))


def _flip(data: bytes, random: Random, _words: Sequence[bytes]) -> bytes:
    if not data:
        return b"x"
    place = random.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]


def _put_in(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    start, _ = _span(data, random)
    return data[:start] + random.choice(words) + data[start:]


def _put_over(data: bytes, random: Random, words: Sequence[bytes]) -> bytes:
    start, end = _span(data, random)
    return data[:start] + random.choice(words) + data[end:]


def _take_out(data: bytes, random: Random, _words: Sequence[bytes]) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[end:]


def _repeat(data: bytes, random: Random, _words: Sequence[bytes]) -> bytes:
    start, end = _span(data, random)
    return data[:start] + data[start:end] * random.randint(2, _MOST_REPEATED) + data[end:]


def _cut_off(data: bytes, random: Random, _words: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _move(data: bytes, random: Random, _words: Sequence[bytes]) -> bytes:
    start, end = _span(data, random)
    rest = data[:start] + data[end:]
    place = random.randint(0, len(rest))
    return rest[:place] + data[start:end] + rest[place:]


_CHANGES: Final[Sequence[Change]] = (_flip, _put_in, _put_over, _take_out, _repeat, _cut_off, _move)
