"""What `grep` finds in a cassette."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.reader import Reader
from proxy.cli.searching import Search
from proxy.core.choice import Choice
from proxy.core.matching import compiled
from proxy.core.model import Request
from proxy.core.passages import Side
from tests.cassette.making import CHAT, JSON_TYPE, NOON, change, store, taken
from tests.cli.recorded import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.core.model import Interaction

TURNS = 4


def conversation() -> list[Interaction]:
    """An agent's: each turn sends all turns before it again."""
    made, messages = [], [{"role": "system", "content": "You know the weather."}]
    for turn in range(TURNS):
        messages = [*messages, {"role": "user", "content": f"question {turn}"}]
        body = json.dumps({"model": f"m{turn}", "messages": messages}).encode()
        answer = {"role": "assistant", "content": f"answer {turn} of the weather"}
        at = NOON.replace("00.000", f"0{turn}.000")
        made.append(taken(Request("POST", CHAT, "", JSON_TYPE, body), say(answer), at=at))
        messages.append(answer)
    return made


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "tape.sqlite"
    store(path, conversation())
    with Reader(path) as reader:
        yield reader


def search(pattern: str, side: Side | None = None, choice: Choice | None = None) -> Search:
    return Search(compiled(pattern), side, choice or Choice())


def test_a_text_that_is_sent_again_is_found_again_and_marked_so(reader: Reader) -> None:
    found = [(match.passage.text, match.passage.side, match.is_again) for match in search("weather").matches(reader)]
    first = [(text, side) for text, side, is_again in found if not is_again]
    answers = [(f"answer {turn} of the weather", Side.ANSWER) for turn in range(TURNS)]
    assert first == [("You know the weather.", Side.PROMPT), *answers]
    assert len(found) == sum(1 + turn + 1 for turn in range(TURNS))


@pytest.mark.parametrize(
    ("pattern", "side", "numbers"),
    [
        ("question 0", None, [0, 1, 2, 3]),
        ("question 2", None, [2, 3]),
        ("answer 1", None, [1, 2, 3]),
        ("answer 1", Side.ANSWER, [1]),
        ("answer 1", Side.PROMPT, [2, 3]),
        ("question", Side.ANSWER, []),
        ("nowhere", None, []),
    ],
)
def test_every_take_that_has_a_match_is_named(
    reader: Reader, pattern: str, side: Side | None, numbers: list[int]
) -> None:
    keys = [turn.track.key for turn in conversation()]
    assert [take.track.key for take in search(pattern, side).takes(reader)] == [keys[number] for number in numbers]


def test_only_what_was_chosen_is_searched(reader: Reader) -> None:
    assert len(list(search("question 0", choice=Choice(models=("m1", "m2"))).takes(reader))) == 2


def test_what_is_not_looked_at_is_not_read(reader: Reader) -> None:
    change(reader.path, "update interactions set response_framing = 'damaged'")
    assert len(list(search("question 0", Side.PROMPT).matches(reader))) == TURNS
    assert len(list(search("question 0").takes(reader))) == TURNS  # the prompt tells it
