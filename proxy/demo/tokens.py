"""Tokens of a made-up vocabulary: what is counted, streamed and given a probability.

One rule: the tokens of a text, joined, are that text. They are not those of any real model, but they are about as
long, so that counts and limits look right.
"""

from __future__ import annotations

import json
import re
from math import log
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

_TOKEN = re.compile(r" ?\w{1,8}| ?[^\w\s]{1,4}|\s")
_ALTERNATIVES = (" the", " a", ",", ".", " and", " I", " it", "!", " is", "\n", " —", "?", " to", " of", " in", ":")
_PER_MESSAGE = 3
_PRIMING = 3


def split(text: str) -> tuple[str, ...]:
    """Cut a text into tokens."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    """Count the tokens of a text."""
    return len(split(text))


def count_messages(messages: Iterable[str]) -> int:
    """Count the tokens of a conversation, given the text of each message."""
    return _PRIMING + sum(_PER_MESSAGE + count(message) for message in messages)


def count_json(value: Any) -> int:
    """Count the tokens of a JSON value as a model would read it."""
    return count(json.dumps(value)) if value else 0


def logprobs(tokens: Sequence[str], top: int, random: Random) -> list[dict[str, Any]]:
    """Give each token a log probability, and the most likely others beside it."""
    return [_scored(token, top, random) for token in tokens]


def _scored(token: str, top: int, random: Random) -> dict[str, Any]:
    likelihood = random.uniform(0.5, 0.999)
    others = [other for other in _ALTERNATIVES if other != token]
    # Each alternative gets less than half of what is left: the list is in order, and the sum stays below one.
    rest, ranked = 1 - likelihood, [(token, likelihood)]
    for other in _pad(random.sample(others, min(max(top - 1, 0), len(others))), top - 1):
        share = rest * random.uniform(0.3, 0.45)
        ranked.append((other, share))
        rest = min(rest - share, share)
    entries = [_entry(name, probability) for name, probability in ranked]
    return {**entries[0], "top_logprobs": entries[:top]}


def _pad(names: list[str], size: int) -> list[str]:
    return names + [f" {number}" for number in range(size - len(names))]


def _entry(token: str, probability: float) -> dict[str, Any]:
    return {"token": token, "logprob": round(log(probability), 8), "bytes": list(token.encode())}
