"""What a miss is compared with: all of a few, what the index names of many, and the latest where there is no index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from proxy.cassette import nearest as choosing
from proxy.cassette.nearest import nearest
from proxy.cassette.reader import Reader
from proxy.core.model import Track, Variant
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import CHAT, Call, answer, arriving, change, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.core.miss import Nearest
    from proxy.core.model import Request, Take

HELLO = question("hello")
DATES = Rules(scrub=("date",))
CITIES = ["Tell me about Oslo in winter", "Tell me about Rome", "Sing a song"]


def find(path: Path, asked: Request, rules: Rules = DEFAULT) -> Nearest | None:
    with Reader(path, rules) as reader:
        return nearest(reader, normalize(asked, rules), rules)


def found(path: Path, asked: Request, rules: Rules = DEFAULT) -> bytes:
    near = find(path, asked, rules)
    assert near is not None
    return near.request.body


def seeded(seed: int, *, stream: bool = False) -> Request:
    more = b',"stream":true' if stream else b""
    return replace(HELLO, body=HELLO.body[:-1] + b',"seed":%d%b}' % (seed, more))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Tell the bodies of the recordings that are compared from now on, in order."""
    told: list[bytes] = []
    bounded = choosing._bounded

    def telling(
        requests: Iterator[tuple[Take, str, Request]], most: int, most_bytes: int
    ) -> Iterator[tuple[Take, str, Request]]:
        for one in bounded(requests, most, most_bytes):
            told.append(one[-1].body)
            yield one

    monkeypatch.setattr(choosing, "_bounded", telling)
    return told


def by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few recordings would all be compared."""
    monkeypatch.setattr(choosing, "FEW", 0)


# Which is nearest


@pytest.mark.parametrize(("few", "few_bytes"), [(200, 2**20), (2, 2**20), (200, 60)])
def test_the_nearest_is_the_same_with_the_index_as_without(
    path: Path, monkeypatch: pytest.MonkeyPatch, few: int, few_bytes: int
) -> None:
    monkeypatch.setattr(choosing, "FEW", few)
    monkeypatch.setattr(choosing, "FEW_BYTES", few_bytes)
    store(path, [taken(question(text), answer(b"1")) for text in CITIES])
    assert found(path, question("Tell me about Oslo in summer")) == question(CITIES[0]).body


def test_the_nearest_is_told_with_its_take_its_time_and_its_form(path: Path) -> None:
    made = arriving([Call(question(text)) for text in CITIES], DATES)
    store(path, made, rules=DATES)
    near = find(path, question("Tell me about Rome at 2026-11-25"), DATES)
    assert near is not None
    assert (near.take.track, near.recorded_at, near.request) == (made[1].track, made[1].recorded_at, made[1].request)
    assert near.canonical == normalize(made[1].request, DATES)


@pytest.mark.parametrize("few", [200, 0], ids=["all compared", "by the index"])
@pytest.mark.parametrize("latest", [Variant.JSON, Variant.SSE])
def test_of_several_that_are_as_near_one_that_travels_alike_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, few: int, latest: Variant
) -> None:
    monkeypatch.setattr(choosing, "FEW", few)
    asked = [seeded(1, stream=latest is Variant.JSON), seeded(2, stream=latest is Variant.SSE)]
    store(path, [taken(request, answer(b"1"), variant=normalize(request).variant) for request in asked])
    assert b"stream" not in found(path, seeded(3))
    assert b"stream" in found(path, seeded(3, stream=True))


@pytest.mark.parametrize("few", [200, 0], ids=["all compared", "by the index"])
def test_of_the_variants_of_one_key_the_one_that_travels_alike_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(choosing, "FEW", few)
    asked = [seeded(1), seeded(1, stream=True)]
    store(path, [taken(request, answer(b"1"), variant=normalize(request).variant) for request in asked])
    assert found(path, seeded(3)) == asked[0].body
    assert found(path, seeded(3, stream=True)) == asked[1].body


@pytest.mark.parametrize("few", [200, 0], ids=["all compared", "by the index"])
def test_of_several_that_travel_alike_the_latest_is_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(choosing, "FEW", few)
    store(path, [taken(seeded(seed), answer(b"1")) for seed in (1, 2, 3)])
    assert found(path, seeded(4)) == seeded(3).body


def test_what_is_nearer_is_taken_though_it_travels_otherwise(path: Path) -> None:
    store(path, [taken(seeded(1, stream=True), answer(b"1"), variant=Variant.SSE), taken(question("x"), answer(b"1"))])
    assert found(path, seeded(1)) == seeded(1, stream=True).body


def test_nothing_is_near_a_request_to_another_endpoint(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    assert find(path, replace(question("Sing a song"), path="/v1/embeddings")) is None


@pytest.mark.parametrize("other", ["/chat/completions", "/v1/v1/chat/completions", "/v1/chat/completion"])
def test_a_request_that_only_went_to_another_path_is_near(path: Path, other: str) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    assert find(path, replace(HELLO, path=other)) is not None


# Which are compared


def test_few_recordings_are_all_compared_whatever_the_index_says(path: Path, compared: list[bytes]) -> None:
    store(path, [taken(question(text), answer(b"1")) for text in CITIES])
    for table in ("anchors", "turns"):
        change(path, f"delete from {table}")
    assert found(path, question("Tell me about Oslo in summer")) == question(CITIES[0]).body
    assert compared == [question(text).body for text in reversed(CITIES)]


def test_many_recordings_are_compared_as_far_as_the_index_names_them(
    path: Path, monkeypatch: pytest.MonkeyPatch, compared: list[bytes]
) -> None:
    monkeypatch.setattr(choosing, "FEW", 2)
    store(path, [taken(question(f"{text} {number}"), answer(b"1")) for text in CITIES for number in range(30)])
    assert found(path, question("Tell me about Oslo in winter 0 x")) == question("Tell me about Oslo in winter 0").body
    assert 0 < len(compared) <= 24


def test_few_recordings_that_are_large_are_compared_as_the_index_names_them(
    path: Path, monkeypatch: pytest.MonkeyPatch, compared: list[bytes]
) -> None:
    monkeypatch.setattr(choosing, "FEW_BYTES", 3000)
    asked = [*(question(f"Read {'x ' * 1000} {number}") for number in range(20)), HELLO]
    store(path, [taken(request, answer(b"1")) for request in reversed(asked)])
    assert found(path, question("hello there")) == HELLO.body
    latest, others = compared[:2], compared[2:]
    assert latest == [asked[0].body, asked[1].body]  # then it was known that they are large
    assert others[0] == HELLO.body
    assert sum(map(len, others[:-1])) <= 3000


def test_one_recording_is_compared_however_large_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "FEW_BYTES", 10)
    store(path, [taken(question(text), answer(b"1")) for text in CITIES])
    assert found(path, question("Tell me about Oslo in summer")) == question(CITIES[0]).body


def test_no_index_is_asked_that_other_rules_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_index(monkeypatch)
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    change(path, "delete from turns")
    near = find(path, question("hello there"))
    assert near is not None
    assert near.take.track == Track(normalize(HELLO).key, Variant.JSON)


def test_under_other_rules_what_they_let_go_makes_no_difference(path: Path) -> None:
    asked = ["On 2026-11-25 in Oslo", "On 2026-11-26 in Rome"]
    store(path, [taken(question(text), answer(b"1")) for text in asked])
    assert found(path, question("On 2026-11-26 in Oslo, Norway"), DATES) == question(asked[0]).body


@pytest.mark.parametrize(
    ("name", "bound", "expected"), [("MOST_COMPARED", 2, 2), ("MOST_BYTES_COMPARED", 100, 2), ("FEW", 1, 3)]
)
def test_without_an_index_the_latest_are_compared_up_to_a_bound(
    path: Path, monkeypatch: pytest.MonkeyPatch, compared: list[bytes], name: str, bound: int, expected: int
) -> None:
    monkeypatch.setattr(choosing, name, bound)
    store(path, [taken(question(text), answer(b"1")) for text in CITIES])
    find(path, question("Tell me about Oslo in summer"), DATES)
    assert compared == [question(text).body for text in CITIES[: -expected - 1 : -1]]


def test_an_empty_cassette_holds_nothing_near(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "delete from interactions")
    assert find(path, HELLO) is None
    by_index(monkeypatch)
    assert find(path, HELLO) is None
    assert find(path, replace(HELLO, path=CHAT + "s"), DATES) is None
