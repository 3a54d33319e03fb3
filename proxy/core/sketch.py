"""What a request asks, in so few numbers that those of a whole cassette are held in memory.

Rule: made from a canonical request alone. Equal numbers mean the same with certainty enough to pair recordings by;
words only tell which requests are worth a closer look.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core import canonical
from proxy.core.outline import outline

if TYPE_CHECKING:
    from proxy.core.canonical import Json

_LAST_STEPS: Final = 3
"""How many messages' words are kept: the last, by which the turns of a conversation differ."""

_INSTRUCTING: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Sketch:
    """A request in short.

    `talk` is the same for requests that differ in settings alone, such as the model; `matter` also for those whose
    instructions (system messages) differ. `words` are digests of some of its words.
    """

    endpoint: int
    talk: int
    matter: int
    words: array[int]


def sketch(content: dict[str, Json]) -> Sketch:
    """Sketch the content of a canonical request."""
    endpoint, *steps = outline(content)
    telling = [step for step in steps if not _is_instruction(step.content)] or steps
    words = {word for step in telling[-_LAST_STEPS:] for word in step.anchors()}
    talk, matter = (_digest(_talk(content, instructions=it)) for it in (True, False))
    return Sketch(endpoint.digest, talk, matter, array("L", sorted(words)))


def _talk(content: dict[str, Json], *, instructions: bool) -> Json:
    """Return what is asked, settings left out; of a request without messages all but the model."""
    body = content.get("body")
    if not isinstance(body, dict):
        return content
    messages = body.get("messages")
    if not isinstance(messages, list):
        return {**content, "body": {name: value for name, value in body.items() if name != "model"}}
    said = [message for message in messages if instructions or not _is_instruction(message)]
    return [content["method"], content["path"], said]


def _is_instruction(message: Json) -> bool:
    return isinstance(message, dict) and message.get("role") in _INSTRUCTING


def _digest(value: Json) -> int:
    return hash(canonical.dumps(canonical.Document(value, exact=True)))
