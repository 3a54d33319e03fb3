"""What stands in a cassette, in few bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings

from proxy.cassette import parts
from proxy.cassette.digests import Content, contents
from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError
from tests.cassette.making import AUTO, answer, change, interactions, question, store, taken
from tests.cassette.versions import recorded

if TYPE_CHECKING:
    from proxy.core.model import Interaction, Track


def read(path: Path) -> dict[Track, Content]:
    with Reader(path) as reader:
        return contents(reader)


def test_a_track_has_its_takes_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    one, two = recorded("a", "1", "2")
    other = recorded("b", "1")[0]
    store(path, [two, other, one])
    with Reader(path) as reader:
        found = contents(reader)
        assert list(found) == [one.track, other.track]
        assert [row.take.number for row in found[one.track].takes] == [1, 2]
        assert found[one.track].responses() == [one.response, two.response]


def test_where_and_in_which_run_it_stands_does_not_count(tmp_path: Path) -> None:
    items = [*recorded("a", "1"), *recorded("b", "1")]
    store(tmp_path / "a.sqlite", items)
    store(tmp_path / "b.sqlite", reversed(items), AUTO)
    assert read(tmp_path / "a.sqlite") == read(tmp_path / "b.sqlite")


def test_how_a_body_was_cut_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    item = taken(question("long " * 1000), answer(b"1"))
    store(tmp_path / "cut.sqlite", [item])
    monkeypatch.setattr(parts, "cut", lambda body: [body])
    store(tmp_path / "whole.sqlite", [item])
    assert read(tmp_path / "cut.sqlite") == read(tmp_path / "whole.sqlite")


@given(interactions(), interactions())
@settings(max_examples=25, deadline=None)
def test_what_differs_has_another_digest_and_what_is_equal_the_same(one: Interaction, other: Interaction) -> None:
    assume(one != other)
    other = replace(other, track=one.track)
    with TemporaryDirectory() as folder:
        digests = []
        for number, item in enumerate((one, replace(one, number=2), other)):
            path = Path(folder) / f"{number}.sqlite"
            store(path, [item])
            digests.append(next(iter(read(path).values())).digests)
        assert digests[0] == digests[1]
        assert (digests[0] == digests[2]) == (replace(other, number=one.number) == one)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    store(path, recorded("a", "1"))
    change(path, "drop table bodies")
    with pytest.raises(CassetteError, match="cannot read the cassette"):
        read(path)
