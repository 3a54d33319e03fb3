"""What recordings add up to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.choice import Ending
from proxy.core.model import Outcome, Take, Track, Variant
from proxy.core.statistics import Repeats, Statistics, Tally, gathered


@dataclass(frozen=True, slots=True)
class Call:
    """An interaction as a list has it, and what its answer says."""

    key: str
    said: bytes = b""
    lane: str = ""
    model: str = "m"
    status: int = 200
    recorded_at: str = "2026-11-22T12:00:00.000Z"
    run_id: int = 1
    duration_us: int = 100
    prompt_tokens: int | None = 5
    completion_tokens: int | None = 7

    @property
    def take(self) -> Take:
        return Take(hash(self), Track(self.key, Variant.JSON, self.lane), 1, self.status, Outcome.COMPLETE)


def added(*calls: Call) -> Statistics:
    said = {call.take.id: call.said for call in calls}
    grouped = groupby(sorted(calls, key=lambda call: call.key), key=lambda call: call.key)
    return gathered([list(group) for _, group in grouped], lambda take: said[take.id])


def test_calls_tokens_and_time_are_added_up_by_model_and_lane() -> None:
    told = added(
        Call("a", model="x", lane="t"),
        Call("b", model="y", lane="t", status=500, recorded_at="2026-11-21T12:00:00.000Z"),
        Call("c", model="x", prompt_tokens=None, completion_tokens=None, recorded_at="2026-11-23T12:00:00.000Z"),
    )
    assert told.total == Tally(3, 10, 14, 300)
    assert told.models == {"x": Tally(2, 5, 7, 200), "y": Tally(1, 5, 7, 100)}
    assert told.lanes == {"t": Tally(2, 10, 14, 200), "": Tally(1, 0, 0, 100)}
    assert told.endings == {Ending.COMPLETE: 3, Ending.ERROR: 1}
    assert (told.oldest[:10], told.newest[:10]) == ("2026-11-21", "2026-11-23")


def test_what_was_asked_again_is_counted_by_key_answer_and_lane() -> None:
    told = added(
        Call("a", b"1", "t"),
        Call("a", b"1", "u"),
        Call("a", b"2", "v"),
        Call("b", b"1"),
        Call("b", b"2", duration_us=1),
        Call("c", b"1"),
    )
    assert told.repeats == Repeats(calls=3, same_answer=1, keys_in_lanes=1)


def test_an_answer_is_not_asked_for_where_a_key_is_alone() -> None:
    def never(take: Take) -> bytes:
        raise AssertionError(take)

    assert gathered([[Call("a")], [Call("b")]], never).repeats == Repeats()


def test_nothing_adds_up_to_nothing() -> None:
    assert added() == Statistics()


CALLS = st.builds(
    Call,
    st.sampled_from("abc"),
    st.sampled_from([b"1", b"2"]),
    st.sampled_from(["", "t"]),
    st.sampled_from("xy"),
    st.sampled_from([200, 404]),
    st.sampled_from(["2026-11-22", "2026-11-23"]),
    duration_us=st.integers(0, 10**12),
    prompt_tokens=st.none() | st.integers(0, 9),
)


@given(st.lists(CALLS, max_size=6), st.lists(CALLS, max_size=6))
def test_two_cassettes_add_up_to_both_whatever_they_hold(one: list[Call], other: list[Call]) -> None:
    """Only what repeats is counted within each of them."""
    both, sum_ = added(*one, *other), added(*one) + added(*other)
    for name in ("total", "models", "lanes", "endings", "oldest", "newest"):
        assert getattr(sum_, name) == getattr(both, name)
    assert sum_.repeats == added(*one).repeats + added(*other).repeats
