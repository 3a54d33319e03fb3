"""Versions of one cassette, as short as a test wants them: what both sides of a merge recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from proxy.cassette.facts import rules_in
from proxy.cassette.merge import merge
from proxy.cassette.reader import Reader
from tests.cassette.making import NOON, answer, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from proxy.cassette.merge import Merged
    from proxy.core.model import Interaction, Response

LATER = "2026-11-23T12:00:00.000Z"


def say(text: str, **fields: Any) -> Response:
    """Answer with a text; `fields` are those of the body that do not count, such as its id."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return answer(json.dumps({**fields, "choices": [choice]}).encode())


def recorded(asked: str, *answers: str | Response, lane: str = "", at: str = NOON) -> list[Interaction]:
    """Record one question, with an answer a take."""
    responses = [say(each) if isinstance(each, str) else each for each in answers]
    return [taken(question(asked), response, number, lane=lane, at=at) for number, response in enumerate(responses, 1)]


class Versions:
    """A folder of cassettes, by their names; what is said of one is `{question: answer or answers}`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> Path:
        return self.folder / f"{name}.sqlite"

    def store(self, name: str, *, at: str = NOON, **said: str | Response | list[str | Response]) -> Path:
        """Make a cassette in which each question is asked in its turn."""
        return self.store_all(
            name, {asked: each if isinstance(each, list) else [each] for asked, each in said.items()}, at
        )

    def store_all(self, name: str, said: Mapping[str, Sequence[str | Response]], at: str = NOON) -> Path:
        """Make a cassette of questions, each with its takes' answers."""
        store(self[name], [item for asked, answers in said.items() for item in recorded(asked, *answers, at=at)])
        return self[name]

    def merge(self, base: str | None = "base") -> Merged:
        """Merge `ours` and `theirs` into `out`."""
        return merge(self["out"], [self["ours"], self["theirs"]], self[base] if base else None)

    def says(self, name: str = "out") -> list[str]:
        """Tell what a cassette holds in the order of the file: `question: answer`, with the take above the first."""
        with Reader(self[name], rules_in(self[name])) as reader:
            return [_said(interaction) for interaction, _ in reader.stored()]


def _said(interaction: Interaction) -> str:
    asked = interaction.request.json()["messages"][0]["content"]
    answered = interaction.response.json()["choices"][0]["message"]["content"]
    return f"{asked}{f':{interaction.number}' if interaction.number > 1 else ''} {answered}"
