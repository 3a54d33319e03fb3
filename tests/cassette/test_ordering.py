"""In what order a cassette's interactions are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.ordering import Order
from proxy.cassette.reader import Reader
from proxy.core.model import Outcome
from proxy.core.rules import Rules
from tests.cassette.making import JSON_TYPE, NOON, answer, question, store, taken

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.cassette.reader import Entry
    from proxy.core.model import Interaction, Response


def said(tokens: int, *, took: int, first: int = 50) -> Response:
    body = b'{"usage":{"prompt_tokens":%d,"completion_tokens":0}}' % tokens
    return replace(answer(body, headers=JSON_TYPE), duration_us=took, first_byte_us=first)


def at(minute: int) -> str:
    return NOON.replace("00:00.000", f"{minute:02}:00.000")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


MADE: list[Interaction] = [
    taken(question("a", model="z"), said(9, took=300, first=1), lane="b", at=at(3)),
    taken(question("b", model="y"), said(1, took=100, first=3), lane="c", at=at(2)),
    taken(question("c", model="x"), replace(said(5, took=200, first=2), outcome=Outcome.CUT), lane="a", at=at(1)),
]


def entries(path: Path, order: Order, *, is_reversed: bool = False, rules: Rules | None = None) -> list[Entry]:
    with Reader(path, rules or Rules()) as reader:
        return list(reader.entries(order, is_reversed=is_reversed))


@pytest.mark.parametrize(
    ("order", "models"),
    [
        (Order.RECORDED, "xyz"),
        (Order.MODEL, "xyz"),
        (Order.LANE, "xzy"),
        (Order.TOKENS, "yxz"),
        (Order.FIRST_BYTE, "zxy"),
        (Order.DURATION, "yxz"),
        (Order.OUTCOME, "yzx"),
    ],
)
def test_interactions_come_in_the_order_that_is_wanted_and_in_its_reverse(
    path: Path, order: Order, models: str
) -> None:
    store(path, MADE)
    assert "".join(entry.model for entry in entries(path, order)) == models
    assert "".join(entry.model for entry in entries(path, order, is_reversed=True)) == models[::-1]


@pytest.mark.parametrize("order", Order)
def test_what_is_equal_stands_as_it_was_asked_for(path: Path, order: Order) -> None:
    store(path, [taken(question(), said(1, took=1), number, at=at(number)) for number in (2, 1, 3)])
    assert [entry.take.number for entry in entries(path, order)] == [1, 2, 3]


def test_keys_are_in_order_as_they_are_under_the_rules_in_force(path: Path) -> None:
    rules = Rules(scrub=("date",))
    store(path, [taken(question(f"2026-11-{day}"), said(1, took=1), at=at(day)) for day in range(10, 30)])
    store(path, [taken(question("other"), said(1, took=1))])
    stored, current = (
        [entry.take.track.key for entry in entries(path, Order.KEY, rules=given)] for given in (Rules(), rules)
    )
    assert (stored, len(set(stored))) == (sorted(stored), 21)
    assert (current, len(set(current))) == (sorted(current), 2)
