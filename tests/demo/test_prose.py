"""Answers are about their question."""

from __future__ import annotations

from random import Random

import pytest

from proxy.demo import prose
from proxy.demo.conversation import Conversation
from proxy.demo.media import Attachment


def _conversation(question: str, *results: str, attachments: tuple[Attachment, ...] = ()) -> Conversation:
    return Conversation(question, attachments, results, text_tokens=0, audio_tokens=0)


@pytest.mark.parametrize("seed", range(20))
def test_question_is_quoted_and_the_count_is_there(seed: int) -> None:
    written = prose.answer(_conversation("Where do {whales} sleep?"), 1234, Random(seed))
    assert "“Where do {whales} sleep?”" in written
    assert "1,234" in written


@pytest.mark.parametrize("question", ["", "?", "a", "\ud83d", "x" * 500, "{0} {word}"])
def test_any_question_gets_an_answer_that_can_be_sent(question: str) -> None:
    assert prose.answer(_conversation(question), 1, Random(1)).encode()


def test_results_and_attachments_are_mentioned() -> None:
    assert "22 °C; sunny" in prose.answer(_conversation("Weather?", "22 °C", "sunny"), 1, Random(1))
    attached = _conversation("Look", attachments=(Attachment("image", "image/png", 68),))
    assert "I received an image (image/png, 68 bytes)." in prose.answer(attached, 1, Random(1))


def test_some_answers_are_not_ascii_beyond_the_quotes() -> None:
    written = [prose.answer(_conversation("Hello there"), 1, Random(seed)) for seed in range(50)]
    assert any("🎲" in text for text in written)
    assert len(set(written)) > 40


def test_arguments_are_made_of_names_first() -> None:
    assert prose.subjects_of("How warm is Oslo?") == ("Oslo",)
    assert prose.subjects_of("red boats") == ("red", "boats")
    assert len(prose.subjects_of("")) > 1
