"""Answers in plain words.

One rule: an answer is about its question, quotes what it was given, and is never the same twice: each carries a
count that only grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.demo.language import names, topics

if TYPE_CHECKING:
    from random import Random

    from proxy.demo.conversation import Conversation

_SPARE_WORDS = ("Lisbon", "harbour", "lantern", "Zürich", "meadow", "copper", "evening", "Tromsø", "compass", "river")
_QUOTED_QUESTION = 60
_QUOTED_RESULT = 160
_MIDDLES_TAKEN = 2

_OPENINGS = (
    "You asked “{quote}”.",
    "Let us look at “{quote}”.",
    "“{quote}”: a fair question.",
    "Happy to help with “{quote}”!",
    "To take up “{quote}”:",
    "Back to “{quote}”, then.",
)
_COUNTS = (
    "I went through {count} notes before I wrote this.",
    "Of {count} sources, most agree.",
    "This is thought number {count} of mine, and not the worst.",
    "After {count} careful comparisons the picture is clear.",
)
_MIDDLES = (
    "Start with {word}, because {other} depends on it.",
    "What matters most is {word}; {other} can wait.",
    "{Word} and {other} are closer than they look.",
    "In practice, {word} works well if you keep {other} small.",
    "Many people forget {word} when they think of {other}.",
    "A café in Zürich once solved this with nothing but {word}.",
    "If in doubt, write down what {word} means to you — one line is enough.",
    "There are three steps: name {word}, measure {other}, repeat.",
)
_CLOSINGS = (
    "Ask me again, and you will get other words. 🎲",
    "I hope that helps.",
    "Shall I go on? 🙂",
    "À bientôt!",
    "That is all I know about it… for now.",
    "Tell me more, and I can be more precise.",
)
_ATTACHED = "I received {attached}."
_RESULTS = (
    "The tool says: {result}",
    "Here is what I found: {result}",
    "According to the tool, {result}",
    "I have it now — {result}",
)


def answer(conversation: Conversation, count: int, random: Random) -> str:
    """Write a short answer to where the conversation stands."""
    fields = _fields(conversation, count, random)
    return " ".join(template.format_map(fields) for template in _templates(conversation, random))


def _templates(conversation: Conversation, random: Random) -> list[str]:
    counted, closing = random.choice(_COUNTS), random.choice(_CLOSINGS)
    if conversation.results:
        return [random.choice(_RESULTS), counted, closing]
    seen = [_ATTACHED] if conversation.attachments else []
    return [random.choice(_OPENINGS), *seen, counted, *random.sample(_MIDDLES, _MIDDLES_TAKEN), closing]


def _fields(conversation: Conversation, count: int, random: Random) -> dict[str, str]:
    word, other = random.sample(words_of(conversation.question), 2)
    return {
        "quote": _shortened(conversation.question, _QUOTED_QUESTION) or "…",
        "result": "; ".join(_shortened(result, _QUOTED_RESULT) for result in conversation.results),
        "attached": ", ".join(map(str, conversation.attachments)),
        "word": word,
        "Word": word[0].upper() + word[1:],
        "other": other,
        "count": f"{count:,}",
    }


def _shortened(text: str, longest: int) -> str:
    # A lone surrogate can stand in JSON, but in no text of ours.
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= longest else f"{line[:longest].rsplit(' ', 1)[0]}…"


def words_of(question: str) -> tuple[str, ...]:
    """Return words to write with: those of the question, and spare ones where it has few."""
    found = topics(question)
    return found if len(found) > 1 else found + _SPARE_WORDS


def subjects_of(question: str) -> tuple[str, ...]:
    """Return words to fill arguments and documents with: names before all else."""
    return names(question) or words_of(question)
