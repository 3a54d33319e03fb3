"""The events of an answer, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cli import events
from proxy.cli.screen import Screen
from tests.cassette.making import SSE_TYPE, answer, question, taken

if TYPE_CHECKING:
    from proxy.core.model import Interaction

STREAM = taken(
    question(),
    answer(b": ping\n\n", b'event: a\r\ndata: {"b":\r\ndata: 1}\r\n\r\n', b"data: [DONE]\n\n", headers=SSE_TYPE),
)
PLAIN = taken(question(), answer(b'{"a":', b"1}\xff"))


def shown(interaction: Interaction) -> list[str]:
    return [line.plain for line in events.lines(interaction, Screen())]


def test_each_event_has_its_time_and_its_lines_as_they_were_spelt() -> None:
    assert shown(STREAM) == [
        "   0.000 s  : ping",
        "   0.000 s  event: a",
        '            data: {"b":',
        "            data: 1}",
        "   0.000 s  data: [DONE]",
    ]


def test_a_plain_answer_is_told_by_the_pieces_in_which_it_came() -> None:
    assert shown(PLAIN) == ['   0.000 s  {"a":', "   0.000 s  1}\\xff"]


@pytest.mark.parametrize(("interaction", "data"), [(STREAM, [None, {"b": 1}, "[DONE]"]), (PLAIN, ['{"a":', "1}\\xff"])])
def test_programs_are_told_the_data_of_each(interaction: Interaction, data: list[object]) -> None:
    told = list(events.documents(interaction))
    assert [event["data"] for event in told] == data
    assert [event["at_us"] for event in told] == [100 * number for number in range(1, len(data) + 1)]
    assert [event["bytes"] for event in told] == [len(chunk.data) for chunk in interaction.response.chunks]
