"""Recordings under other rules: which merge, and whether their answers allow it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import Outcome, Take, Track, Variant
from proxy.core.rekeying import plan


def take(id_: int, key: str, number: int = 1, lane: str = "", variant: Variant = Variant.JSON) -> Take:
    return Take(id_, Track(key * 16, variant, lane), number, 200, Outcome.COMPLETE)


def test_recordings_that_come_to_share_a_key_become_takes_in_the_order_of_recording() -> None:
    one, other, third = take(1, "a"), take(2, "b"), take(3, "a", 2)
    planned = plan([(one, "x" * 16), (other, "x" * 16), (third, "x" * 16)], lambda _: "same")
    assert [(made.track.key[:1], made.number) for made in planned.takes.values()] == [("x", 1), ("x", 2), ("x", 3)]
    assert planned.changed == 3


def test_a_key_that_only_changes_keeps_its_takes_numbers() -> None:
    planned = plan([(take(1, "a", 2), "x" * 16), (take(2, "a", 5), "x" * 16), (take(3, "b"), "b" * 16)], lambda _: "")
    assert [made.number for made in planned.takes.values()] == [2, 5, 1]
    assert planned.merges == ()
    assert planned.changed == 2


def test_variants_do_not_merge() -> None:
    recordings = [(take(1, "a"), "x"), (take(2, "b", variant=Variant.SSE), "x")]
    assert plan(recordings, lambda _: "").merges == ()


def test_over_lanes_calls_merge_too_and_keep_their_numbers_within_each() -> None:
    recordings = [(take(1, "a", lane="s"), "x" * 16), (take(2, "b", lane="t"), "x" * 16)]
    planned = plan(recordings, lambda taken: taken.id)
    assert [made.number for made in planned.takes.values()] == [1, 1]
    assert planned.conflicts[0].told().startswith(f"{'a' * 12}:1 (lane s), {'b' * 12}:1 (lane t) become takes of")


def test_answers_that_differ_make_a_conflict() -> None:
    recordings = [(take(1, "a"), "x" * 16), (take(2, "b"), "x" * 16)]
    (merge,) = plan(recordings, lambda taken: taken.id).conflicts
    assert merge.told() == f"{'a' * 12}:1, {'b' * 12}:1 become takes of {'x' * 12}, with different answers"
    assert plan(recordings, lambda _: "same").conflicts == ()
    (merge,) = plan(recordings, lambda _: "same").merges
    assert merge.told().endswith("with the same answer")


def test_takes_of_one_call_may_differ_as_long_as_the_other_calls_do() -> None:
    answers = {1: "x", 2: "y", 3: "x", 4: "y", 5: "x"}
    both = [(take(1, "a"), "k"), (take(2, "a", 2), "k"), (take(3, "b"), "k"), (take(4, "b", 2), "k")]
    assert plan(both, lambda taken: answers[taken.id]).conflicts == ()
    assert len(plan([*both, (take(5, "c"), "k")], lambda taken: answers[taken.id]).conflicts) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12))
def test_no_two_recordings_come_to_stand_at_one_place(keys: list[tuple[str, str]]) -> None:
    numbers: dict[str, int] = {}
    recordings = []
    for id_, (old, new) in enumerate(keys):
        numbers[old] = numbers.get(old, 0) + 1
        recordings.append((take(id_, old, numbers[old]), new + old if id_ % 2 else new))
    made = plan(recordings, lambda _: "").takes
    assert len({(it.track, it.number) for it in made.values()}) == len(recordings)
