"""How sure a model was of each token.

Rule: reads and never judges, as `core.completion` does, and apart from it: few ask for it, and it is the largest
part of an answer that has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.core import lenient
from proxy.core.completion import documents
from proxy.core.lenient import mapping, mappings, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import Response

_FIELDS = ("content", "refusal")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token, and the natural logarithm of its probability; None where that is no number."""

    token: str
    logprob: float | None


@dataclass(frozen=True, slots=True)
class Logprob:
    """A token that was chosen, and the likeliest ones at its place, as many as were asked for."""

    token: str
    logprob: float | None
    top: tuple[Candidate, ...] = ()


def logprobs(response: Response) -> dict[int, tuple[Logprob, ...]]:
    """Return the tokens of each choice that came with their probability, by the choice's index."""
    found: dict[int, list[Logprob]] = {}
    for document in documents(response):
        for place, choice in enumerate(mappings(document.get("choices"))):
            found.setdefault(lenient.index(choice, place), []).extend(_tokens(mapping(choice.get("logprobs"))))
    return {index: tuple(tokens) for index, tokens in sorted(found.items()) if tokens}


def _tokens(held: dict[str, Any]) -> Iterator[Logprob]:
    for name in _FIELDS:
        for value in mappings(held.get(name)):
            top = tuple(Candidate(*_candidate(other)) for other in mappings(value.get("top_logprobs")))
            yield Logprob(*_candidate(value), top)


def _candidate(value: dict[str, Any]) -> tuple[str, float | None]:
    return word(value.get("token")), lenient.number(value.get("logprob"))
