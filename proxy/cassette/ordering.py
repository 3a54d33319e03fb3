"""In what order interactions are told.

Rule: every order is total, so that two listings of one file are the same; what is equal stands as it was asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Order(StrEnum):
    """What an order goes by."""

    RECORDED = "recorded"
    KEY = "key"
    MODEL = "model"
    LANE = "lane"
    TOKENS = "tokens"
    FIRST_BYTE = "first-byte"
    DURATION = "duration"
    OUTCOME = "outcome"


CURRENT_KEY: Final = "current_key"
"""An SQL function of an interaction's id and stored key: the key under the rules in force, which whoever reads gives
to the connection."""

_AS_ASKED: Final = ("run_id", "recorded_at", "lane", "take", "id")

_FIRST: Final[Mapping[Order, tuple[str, ...]]] = {
    Order.RECORDED: (),
    Order.KEY: (f"{CURRENT_KEY}(id, key)", "variant"),
    Order.MODEL: ("model",),
    Order.LANE: ("lane",),
    Order.TOKENS: ("ifnull(prompt_tokens, 0) + ifnull(completion_tokens, 0)",),
    Order.FIRST_BYTE: ("first_byte_us",),
    Order.DURATION: ("duration_us",),
    Order.OUTCOME: ("outcome", "status"),
}


def clause(order: Order = Order.RECORDED, *, is_reversed: bool = False) -> str:
    """Write an order as SQL has it, the last first where it is reversed."""
    direction = " desc" if is_reversed else ""
    return "order by " + ", ".join(f"{term}{direction}" for term in (*_FIRST[order], *_AS_ASKED))
