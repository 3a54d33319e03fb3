"""Which recordings a name on the command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.reader import Reader
from proxy.cli.naming import Name
from proxy.core.errors import KeyNotFoundError
from proxy.core.model import Variant
from tests.cassette.making import AUTO, answer, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = taken(question(), answer()).track.key
FIRST = f"{KEY[:12]}:1"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "named.sqlite"
    recordings = [
        taken(question(), answer(b"1")),
        taken(question(), answer(b"2"), variant=Variant.SSE),
        taken(question(), answer(b"3"), lane="a"),
        taken(question(), answer(b"4"), 2, lane="a"),
    ]
    store(path, recordings, AUTO)
    with Reader(path) as opened:
        yield opened


def bodies(reader: Reader, name: Name) -> set[bytes]:
    return {reader.interaction(take).response.body for take in name.takes(reader)}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (Name(KEY), {b"1", b"2", b"3", b"4"}),
        (Name(FIRST), {b"1", b"2", b"3"}),
        (Name(KEY, lane="a"), {b"3", b"4"}),
        (Name(KEY, lane=""), {b"1", b"2"}),
        (Name(KEY, variant="sse"), {b"2"}),
        (Name(FIRST, lane="", variant="json"), {b"1"}),
    ],
)
def test_a_name_means_all_recordings_that_it_does_not_rule_out(name: Name, meant: set[bytes], reader: Reader) -> None:
    assert bodies(reader, name) == meant


def test_one_recording_is_found_by_take_lane_and_variant(reader: Reader) -> None:
    assert reader.interaction(Name(FIRST, "a").take(reader)).response.body == b"3"


def test_more_than_one_are_listed_where_one_is_wanted(reader: Reader) -> None:
    with pytest.raises(KeyNotFoundError) as raised:
        Name(FIRST).take(reader)
    assert str(raised.value).startswith(f"'{FIRST}' has 3 recordings: name one by its take, --lane or --variant: ")
    told = str(raised.value).rpartition("--variant: ")[2].split(", ")
    assert sorted(told) == [f"{FIRST} (json in lane 'a')", f"{FIRST} (json)", f"{FIRST} (sse)"]


def test_where_none_is_left_those_there_are_are_listed(reader: Reader) -> None:
    with pytest.raises(KeyNotFoundError, match=r"has no recording like that in .*, but .* \(sse\)"):
        Name(KEY, lane="b").takes(reader)
