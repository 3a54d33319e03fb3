"""Two collections of recordings, and what belongs together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.comparison import Matching, Side, match_near, match_same
from proxy.core.model import Outcome, Request, Take, Track, Variant
from proxy.core.normalize import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.core.normalize import Canonical

Names = list[tuple[str, str]]


def take(key: str, number: int = 1, *, lane: str = "", variant: Variant = Variant.JSON) -> Take:
    return Take(0, Track(key, variant, lane), number, 200, Outcome.COMPLETE)


def same(one: Sequence[Take], other: Sequence[Take]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Match, and tell the places."""
    found = match_same(one, other)
    mine, theirs = ({id(item): place for place, item in enumerate(side)} for side in (one, other))
    pairs = [(mine[id(a)], theirs[id(b)]) for a, b in found.pairs]
    return pairs, [mine[id(item)] for item in found.only_one], [theirs[id(item)] for item in found.only_other]


def test_a_take_is_matched_with_the_take_of_its_number() -> None:
    assert same([take("a"), take("a", 2)], [take("a", 2), take("b")]) == ([(1, 0)], [0], [1])


def test_takes_without_their_number_on_the_other_side_are_matched_in_order() -> None:
    assert same([take("a", 2), take("a", 3)], [take("a", 7), take("a", 8)]) == ([(0, 0), (1, 1)], [], [])


def test_pairs_stand_in_the_order_of_recording_however_they_were_found() -> None:
    assert same([take("a", 2), take("b"), take("c", 2)], [take("b"), take("c"), take("a")])[0] == [
        (0, 2),
        (1, 0),
        (2, 1),
    ]


def test_the_own_variant_and_lane_come_first_and_others_are_better_than_none() -> None:
    streamed, elsewhere = take("a", variant=Variant.SSE), take("a", lane="x")
    assert same([take("a"), elsewhere], [streamed, elsewhere, take("a")]) == ([(0, 2), (1, 1)], [], [0])
    assert same([take("a")], [elsewhere, streamed]) == ([(0, 1)], [], [0])
    assert same([take("a")], [elsewhere]) == ([(0, 0)], [], [])


class Cassette:
    """Requests by the takes that they have."""

    def __init__(self) -> None:
        self.asked: dict[int, tuple[str, Canonical]] = {}
        self.takes: list[Take] = []

    def add(
        self, text: str, *, lane: str = "", system: str = "", path: str = "/v1/chat/completions", **fields: Any
    ) -> None:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": text})
        form = normalize(Request("POST", path, body=json.dumps({"messages": messages, **fields}).encode()))
        made = Take(len(self.takes), Track(form.key, form.variant, lane), 1, 200, Outcome.COMPLETE)
        self.takes.append(made)
        self.asked[made.id] = text, form

    def side(self) -> Side:
        return Side(self.takes, lambda it: self.asked[it.id][1])

    def text(self, it: Take) -> str:
        return self.asked[it.id][0]


def cassette(*texts: str, **fields: Any) -> Cassette:
    made = Cassette()
    for text in texts:
        made.add(text, **fields)
    return made


def near(one: Cassette, other: Cassette) -> tuple[Names, list[str], list[str]]:
    found = match_near(one.side(), other.side())
    pairs = [(one.text(mine), other.text(its)) for mine, its in found.pairs]
    return pairs, [one.text(it) for it in found.only_one], [other.text(it) for it in found.only_other]


CITIES: Final = ("Paris", "Rome", "Berlin", "Madrid")


def test_the_same_question_to_another_model_is_the_same() -> None:
    one, other = cassette(*CITIES, model="a"), cassette(*reversed(CITIES), model="b")
    assert near(one, other) == ([(city, city) for city in CITIES], [], [])


def test_the_same_question_under_another_system_prompt_is_the_same() -> None:
    one = cassette(*CITIES, system="You are a guide.")
    other = cassette(*reversed(CITIES), system="Answer as a pirate would.", model="b")
    assert near(one, other) == ([(city, city) for city in CITIES], [], [])


def test_the_own_lane_comes_before_the_others() -> None:
    one, other = Cassette(), Cassette()
    for lane in "ab":
        one.add("the weather", lane=lane, model="a")
    for lane in "ba":
        other.add("the weather", lane=lane, model="b")
    found = match_near(one.side(), other.side())
    assert [mine.track.lane == its.track.lane for mine, its in found.pairs] == [True, True]


def test_a_renamed_lane_is_found() -> None:
    one, other = cassette("the weather", lane="a", model="a"), cassette("the weather", "news", lane="b", model="b")
    assert near(one, other) == ([("the weather", "the weather")], [], ["news"])


def test_reworded_questions_find_their_own_where_others_were_dropped_or_added() -> None:
    topics = [f"country{number} people{number}" for number in range(60)]
    one = cassette(*(f"Tell me about {topic}" for topic in topics[:50]))
    other = cassette(*(f"Please tell something about {topic} now" for topic in topics[20:]))
    pairs, only_one, only_other = near(one, other)
    right = [(f"Tell me about {topic}", f"Please tell something about {topic} now") for topic in topics[20:50]]
    assert set(right) <= set(pairs)
    assert len(only_one) == len(only_other) + 10


def test_what_is_nearest_to_one_is_left_to_another_that_is_nearer_still() -> None:
    one = cassette("weather in Paris today and tomorrow", "weather in Paris today")
    other = cassette("weather in Paris today please")
    assert near(one, other) == (
        [("weather in Paris today", "weather in Paris today please")],
        ["weather in Paris today and tomorrow"],
        [],
    )


def test_in_a_lane_of_its_own_a_test_that_asks_for_something_else_is_matched_in_order() -> None:
    one, other = cassette("apples", "pears", lane="t"), cassette("engines", "wheels", lane="t")
    assert near(one, other) == ([("apples", "engines"), ("pears", "wheels")], [], [])
    assert near(cassette("apples"), cassette("engines")) == ([], ["apples"], ["engines"])
    uneven = near(cassette("apples", lane="t"), cassette("engines", "wheels", lane="t"))
    assert uneven == ([], ["apples"], ["engines", "wheels"])


def test_another_endpoint_is_another_question() -> None:
    one, other = cassette("apples", lane="t"), cassette("apples", lane="t", path="/v1/responses")
    assert near(one, other) == ([], ["apples"], ["apples"])


def test_progress_is_told_of_all_that_takes_its_time() -> None:
    told: list[tuple[int, str]] = []

    def watch(items: Any, total: int, doing: str) -> Any:
        told.append((total, doing))
        return iter(items)

    match_near(cassette("a", "b").side(), cassette("c").side(), watch)
    assert told[:2] == [(2, "reading what was asked"), (1, "reading what was asked")]
    assert {doing for _, doing in told[2:]} == {"looking for what is near"}


TAKES = st.lists(
    st.builds(
        take,
        st.sampled_from("abc"),
        st.integers(1, 3),
        lane=st.sampled_from(["", "x"]),
        variant=st.sampled_from([Variant.JSON, Variant.SSE]),
    ),
    max_size=8,
)


def is_whole(found: Matching, one: Sequence[Take], other: Sequence[Take]) -> bool:
    mine = [*(pair[0] for pair in found.pairs), *found.only_one]
    theirs = [*(pair[1] for pair in found.pairs), *found.only_other]
    return all(sorted(map(id, got)) == sorted(map(id, had)) for got, had in ((mine, one), (theirs, other)))


@given(TAKES, TAKES)
def test_each_recording_is_told_once_and_no_request_is_alone_on_both_sides(one: list[Take], other: list[Take]) -> None:
    found = match_same(one, other)
    assert is_whole(found, one, other)
    assert not {it.track.key for it in found.only_one} & {it.track.key for it in found.only_other}


QUESTIONS = st.lists(
    st.tuples(st.text("ab ", max_size=5), st.sampled_from(["", "x"]), st.sampled_from(["", "brief"])), max_size=7
)


@given(QUESTIONS, QUESTIONS)
def test_whatever_is_asked_is_told_once(one: list[tuple[str, str, str]], other: list[tuple[str, str, str]]) -> None:
    mine, theirs = Cassette(), Cassette()
    for made, questions in ((mine, one), (theirs, other)):
        for text, lane, system in questions:
            made.add(text, lane=lane, system=system)
    assert is_whole(match_near(mine.side(), theirs.side()), mine.takes, theirs.takes)
