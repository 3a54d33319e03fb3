"""Long words are found, and nothing that is one is passed over."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.runs import LEAST, LETTERS, is_long_word, long_words

_WORDS = re.compile(rb"[A-Za-z0-9_\-./+=~]{15,}")


@given(st.lists(st.binary(max_size=30) | st.text("abZ_-/+=~.9 \\\"'\n", max_size=40).map(str.encode)).map(b"".join))
def test_the_long_words_of_a_text_are_those_that_an_expression_finds(data: bytes) -> None:
    assert long_words(data) == b"".join(b" " + word for word in _WORDS.findall(data))


def test_a_long_word_is_one_of_enough_letters_alone() -> None:
    assert is_long_word(b"a" * LEAST)
    assert not is_long_word(b"a" * (LEAST - 1))
    assert not is_long_word(b"a" * LEAST + b" ")
    assert frozenset(b"Az09_-./+=~") <= LETTERS
