"""What takes the room in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, change, question, rows, store, taken

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.cassette.size import Size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def size(path: Path) -> Size:
    with Reader(path) as reader:
        return reader.size


def test_the_parts_are_the_file(path: Path) -> None:
    body = "grüße".encode() * 5000
    store(path, [taken(question("q" * 9000), answer(body))])
    told = size(path)
    assert told.file == path.stat().st_size
    assert told.responses in range(len(body), len(body) + 200)
    assert told.requests == len(question("q" * 9000).body)
    assert told.requests + told.responses + told.free + told.rest == told.file
    assert told.rest > 0


def test_a_body_that_two_share_counts_once(path: Path) -> None:
    store(path, [taken(question("q" * 9000), answer(b"1"), number) for number in (1, 2)])
    assert size(path).requests == len(question("q" * 9000).body)


def test_what_was_deleted_is_free(path: Path) -> None:
    store(path, [taken(question(str(number)), answer(b"a" * 9000), number) for number in range(9)])
    change(path, "delete from interactions")
    told = size(path)
    assert told.responses == 0
    assert told.free == 4096 * rows(path, "pragma freelist_count")[0][0] > 9 * 9000


def test_an_empty_cassette_has_a_size(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    for table in ("interactions", "bodies", "parts"):
        change(path, f"delete from {table}")
    assert size(path).requests == size(path).responses == 0


def test_a_damaged_file_is_told_in_words(path: Path) -> None:
    store(path, [taken(question(str(number)), answer(b"a" * 9000), number) for number in range(9)])
    with Reader(path) as reader:
        path.write_bytes(path.read_bytes()[: 4 * 4096])
        with pytest.raises(CassetteError, match="cannot read the cassette"):
            reader.size  # noqa: B018  a property that raises
