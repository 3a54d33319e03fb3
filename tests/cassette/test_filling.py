"""Filling a draft with recordings of several cassettes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

import pytest

from proxy.cassette.draft import drafted
from proxy.cassette.filling import Given, Item, Stored, fill, replaced, rows
from proxy.cassette.reader import Reader
from proxy.core.model import RecordedRun
from tests.cassette.making import store
from tests.cassette.versions import Versions, recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    versions = Versions(tmp_path)
    versions.store("ours", a="1", b="1", c="1")
    versions.store("theirs", d="1", e="1")
    return versions


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 3], [3, 0, 1], [0, 3, 1, 4, 2], [5], []])
def test_the_order_given_is_the_order_in_the_file_whatever_is_copied(order: list[int], versions: Versions) -> None:
    given = Given(recorded("f", "1")[0], RUN)
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(Reader(versions[name])) for name in ("ours", "theirs"))
        items: list[Item] = [*rows(ours), *rows(theirs), given]
        with drafted(versions["out"]) as draft:
            fill(draft, [items[place] for place in order], ours)
    assert versions.says() == [f"{'abcdef'[place]} 1" for place in order]


def test_what_is_copied_is_what_would_be_stored(versions: Versions) -> None:
    for name, watched in (("copied", []), ("stored", [0])):
        with Reader(versions["ours"]) as reader, drafted(versions[name]) as draft:
            items: Sequence[Item] = [Given(*row.read()) for row in rows(reader)] if watched else rows(reader)
            fill(draft, items, reader)
    assert versions["copied"].read_bytes() == versions["stored"].read_bytes()


def test_only_what_is_not_copied_is_watched(versions: Versions) -> None:
    told = []

    def watch(items: Iterable[T], total: int, doing: str) -> Iterable[T]:
        told.append((total, doing))
        return items

    with Reader(versions["ours"]) as ours, Reader(versions["theirs"]) as theirs, drafted(versions["out"]) as draft:
        fill(draft, [*rows(ours), *rows(theirs)], ours, watch)
    assert told == [(2, "Writing")]


@pytest.mark.parametrize(
    ("old", "new", "standing", "more"),
    [
        ([], [], "abc", ""),
        ([1], ["x"], "axc", ""),
        ([0, 2], ["x"], "xb", ""),
        ([1], ["x", "y"], "axc", "y"),
        ([], ["x"], "abc", "x"),
        ([0, 1, 2], [], "", ""),
    ],
)
def test_recordings_are_put_in_the_places_of_others(
    old: list[int], new: list[str], standing: str, more: str, versions: Versions
) -> None:
    with Reader(versions["ours"]) as reader:
        held = rows(reader)
        others = [Given(recorded(name, "1")[0], RUN) for name in new]
        found, rest = replaced(held, [([held[place] for place in old], others)])
        names = dict(zip((row.take.track.key for row in held), "abc", strict=True))
        names |= {other.interaction.track.key: name for other, name in zip(others, new, strict=True)}

        def spelt(items: Sequence[Stored | Given]) -> str:
            return "".join(names[item.read()[0].track.key] for item in items)

        assert (spelt(found), spelt(rest)) == (standing, more)


def test_rows_stand_as_in_the_file_whatever_the_time(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    items = [*recorded("a", "1", at="2026-11-23T12:00:00.000Z"), *recorded("b", "1")]
    store(path, items)
    with Reader(path) as reader:
        assert [row.take.track for row in rows(reader)] == [item.track for item in items]
