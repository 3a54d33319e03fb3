"""Which words of a text say what it is about.

One rule: no more than that; an answer needs something to talk about, and a tool something to be recognized by.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]{3,}(?:['\u2019-][^\W\d_]+)*")
_NAME = re.compile(r"(?<=\w )[A-Z][^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IDLE = frozenset(
    _WORD.findall(
        "about all and any are can could does for from get give given has have how into its let may not one our please "
        "set she should some tell than that the their them then there these they this use used very was were what when "
        "where which who why will with would you your"
    )
)


def topics(text: str) -> tuple[str, ...]:
    """Return the words that carry meaning, each once, in order."""
    return tuple(dict.fromkeys(word for word in _WORD.findall(text) if word.lower() not in _IDLE))


def names(text: str) -> tuple[str, ...]:
    """Return what looks like a proper name: a capital letter where no sentence begins."""
    return tuple(dict.fromkeys(_NAME.findall(text)))


def vocabulary(text: str) -> frozenset[str]:
    """Return the topics of a text for comparison; names in code are taken apart."""
    return frozenset(word.lower() for word in topics(_CAMEL.sub(" ", text)))
