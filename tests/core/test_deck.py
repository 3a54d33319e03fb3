"""Which take plays next, told as lists of calls."""

from __future__ import annotations

import pytest

from proxy.core.deck import Deck, Drawn, Incomplete, Repeats
from proxy.core.model import Outcome, Take, Track, Variant
from proxy.core.modes import Found

TRACK = Track("k" * 64, Variant.JSON)
LANE_A = Track("k" * 64, Variant.JSON, "a")
LANE_B = Track("k" * 64, Variant.JSON, "b")


def take(number: int, status: int = 200, outcome: Outcome = Outcome.COMPLETE) -> Take:
    return Take(100 + number, TRACK, number, status, outcome)


TAKES = (take(1), take(2), take(3))
CUT = take(2, outcome=Outcome.CUT)


def number(drawn: Drawn) -> int | str:
    return drawn.take.number if drawn.take and drawn.found is Found.PLAYABLE else str(drawn.found)


def drawn(deck: Deck, takes: tuple[Take, ...], calls: str, asked: Track = TRACK) -> list[int | str]:
    """Draw once a letter: `c` is a call, `r` the client's own retry of it."""
    return [number(deck.draw(asked, takes, retry=call == "r")) for call in calls]


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [
        (Repeats.LAST, [1, 2, 3, 3, 3, 3, 3]),
        (Repeats.CYCLE, [1, 2, 3, 1, 2, 3, 1]),
        (Repeats.ERROR, [1, 2, 3, "takes_exhausted", "takes_exhausted", "takes_exhausted", "takes_exhausted"]),
    ],
)
def test_takes_play_in_order_and_then_as_repeats_says(repeats: Repeats, expected: list[int | str]) -> None:
    assert drawn(Deck(repeats), TAKES, "ccccccc") == expected


def test_without_takes_nothing_is_recorded() -> None:
    assert Deck().draw(TRACK, ()) == Drawn(Found.NOT_RECORDED)


def test_an_exhausted_track_names_its_last_take() -> None:
    deck = Deck(Repeats.ERROR)
    drawn(deck, TAKES, "ccc")
    assert deck.draw(TRACK, TAKES) == Drawn(Found.EXHAUSTED, TAKES[-1])


@pytest.mark.parametrize(
    ("takes", "calls", "expected"),
    [
        (TAKES, "crrc", [1, 1, 1, 2]),
        (TAKES, "ccrc", [1, 2, 2, 3]),
        (TAKES, "rc", [1, 2]),
        (TAKES, "rr", [1, 1]),
        ((take(1, 429), take(2)), "crc", [1, 2, 2]),
        ((take(1, 429), take(2, 500), take(3)), "crrr", [1, 2, 3, 3]),
        ((take(1, 429), take(2)), "cc", [1, 2]),
        ((take(1, 429),), "crr", [1, 1, 1]),
        ((take(1, 404), take(2)), "cr", [1, 2]),
        ((take(1), take(2, 429), take(3)), "ccrr", [1, 2, 3, 3]),
    ],
)
def test_a_retry_spends_a_take_only_where_an_error_was_recorded(
    takes: tuple[Take, ...], calls: str, expected: list[int | str]
) -> None:
    assert drawn(Deck(), takes, calls) == expected


def test_a_retry_of_the_last_answer_gets_it_again_even_where_nothing_is_left() -> None:
    assert drawn(Deck(Repeats.ERROR), (take(1),), "crc") == [1, 1, "takes_exhausted"]


def test_a_retry_of_an_error_past_the_last_take_is_exhausted() -> None:
    assert drawn(Deck(Repeats.ERROR), (take(1, 429),), "cr") == [1, "takes_exhausted"]


@pytest.mark.parametrize("outcome", [Outcome.CUT, Outcome.UNFINISHED])
def test_an_incomplete_take_is_refused_by_name_and_spends_its_turn(outcome: Outcome) -> None:
    deck = Deck()
    incomplete = take(1, outcome=outcome)
    takes = (incomplete, take(2))
    assert deck.draw(TRACK, takes) == Drawn(Found.INCOMPLETE, incomplete)
    assert deck.played == frozenset()
    assert drawn(deck, takes, "cc") == [2, 2]


@pytest.mark.parametrize("outcome", [Outcome.CUT, Outcome.UNFINISHED])
def test_an_incomplete_take_plays_where_that_is_asked_for(outcome: Outcome) -> None:
    deck = Deck(incomplete=Incomplete.PLAY)
    assert drawn(deck, (take(1, outcome=outcome), take(2)), "cc") == [1, 2]
    assert deck.played == {(TRACK, 1), (TRACK, 2)}


def test_a_retry_of_a_call_that_was_cut_gets_the_next_take() -> None:
    assert drawn(Deck(incomplete=Incomplete.PLAY), (take(1), CUT, take(3)), "ccr") == [1, 2, 3]


def test_each_lane_variant_and_key_has_its_own_position() -> None:
    deck = Deck()
    others = (LANE_A, LANE_B, Track("k" * 64, Variant.SSE), Track("l" * 64, Variant.JSON))
    assert drawn(deck, TAKES, "cc") == [1, 2]
    assert [drawn(deck, TAKES, "cc", asked) for asked in others] == [[1, 2]] * 4
    assert drawn(deck, TAKES, "c") == [3]


def test_played_are_those_that_were_handed_out() -> None:
    deck = Deck()
    drawn(deck, TAKES, "cc")
    assert deck.played == {(TRACK, 1), (TRACK, 2)}


def test_rewinding_starts_again_and_forgets_what_was_played() -> None:
    deck = Deck()
    drawn(deck, TAKES, "cc")
    drawn(deck, TAKES, "c", LANE_A)
    deck.rewind()
    assert deck.played == frozenset()
    assert drawn(deck, TAKES, "r") == [1]
    assert drawn(deck, TAKES, "c", LANE_A) == [1]


@pytest.mark.parametrize(
    ("lane", "expected"), [("", [1, 2, 2]), ("a", [2, 1, 2]), ("b", [2, 2, 1]), ("none", [2, 2, 2])]
)
def test_rewinding_one_lane_leaves_the_others(lane: str, expected: list[int]) -> None:
    deck = Deck()
    for asked in (TRACK, LANE_A, LANE_B):
        drawn(deck, TAKES, "c", asked)
    deck.rewind(lane)
    assert [number(deck.draw(asked, TAKES)) for asked in (TRACK, LANE_A, LANE_B)] == expected


def test_a_take_that_is_recorded_now_is_not_played_to_the_client_that_got_it_live() -> None:
    deck = Deck(Repeats.ERROR)
    assert drawn(deck, (), "c") == ["not_recorded"]
    deck.skip(TRACK)
    assert drawn(deck, TAKES[:1], "c") == ["takes_exhausted"]
    deck.skip(TRACK)
    deck.rewind()
    assert drawn(deck, TAKES[:2], "cc") == [1, 2]


def test_two_decks_do_not_know_of_each_other() -> None:
    one, other = Deck(), Deck()
    assert drawn(one, TAKES, "cc") == [1, 2]
    assert drawn(other, TAKES, "c") == [1]


def test_the_repeats_of_a_call_weigh_more_than_the_decks() -> None:
    deck = Deck(Repeats.LAST)
    drawn(deck, TAKES, "ccc")
    assert [number(deck.draw(TRACK, TAKES, repeats=repeats)) for repeats in (Repeats.ERROR, Repeats.CYCLE, None)] == [
        "takes_exhausted",
        1,
        3,
    ]


@pytest.mark.parametrize("repeats", [Repeats.LAST, Repeats.CYCLE])
def test_what_plays_past_the_last_take_is_told_to_play_again(repeats: Repeats) -> None:
    deck = Deck(repeats)
    assert [deck.draw(TRACK, TAKES[:2]).is_again for _ in range(4)] == [False, False, True, True]


def test_a_retry_is_no_playing_again() -> None:
    deck = Deck()
    assert [deck.draw(TRACK, TAKES[:1], retry=retry).is_again for retry in (False, True)] == [False, False]


def test_what_one_lanes_clients_were_played_is_known_apart() -> None:
    deck = Deck()
    drawn(deck, TAKES, "c", LANE_A)
    drawn(deck, TAKES, "cc", LANE_B)
    first, second = (TRACK, 1), (TRACK, 2)
    assert [deck.played_by(lane) for lane in ("a", "b", "")] == [{first}, {first, second}, set()]
    assert deck.played == {(TRACK, 1), (TRACK, 2)}


def test_restarting_a_lane_rewinds_it_and_forgets_what_it_was_played_alone() -> None:
    deck = Deck()
    drawn(deck, TAKES, "c", LANE_A)
    drawn(deck, TAKES, "cc", LANE_B)
    deck.restart("b")
    assert [deck.played_by("a"), deck.played_by("b"), deck.played] == [{(TRACK, 1)}, set(), {(TRACK, 1)}]
    assert [drawn(deck, TAKES, "c", asked) for asked in (LANE_A, LANE_B)] == [[2], [1]]
    deck.restart("none")


def test_what_was_ever_played_outlives_every_rewinding() -> None:
    deck = Deck()
    drawn(deck, TAKES, "c", LANE_A)
    deck.rewind()
    drawn(deck, TAKES, "cc", LANE_B)
    deck.restart("b")
    drawn(deck, (), "c")
    assert deck.played == frozenset()
    assert deck.ever_played == {(TRACK, 1), (TRACK, 2)}


def test_rewinding_one_lane_forgets_nothing_of_what_it_was_played() -> None:
    deck = Deck()
    drawn(deck, TAKES, "c", LANE_A)
    deck.rewind("a")
    assert deck.played_by("a") == {(TRACK, 1)}
