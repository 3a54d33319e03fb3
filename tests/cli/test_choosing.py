"""Going through what a user chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.reader import Reader
from proxy.cli.choosing import chosen, warn
from proxy.core.choice import Choice
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, change, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    path = tmp_path / "tape.sqlite"
    made = [taken(question(f"say {name}", model=name), answer(b"[]"), lane=f"t{name}") for name in "abcdefghij"]
    store(path, made)
    with Reader(path) as reader:
        yield reader


@pytest.mark.parametrize(
    ("choice", "models"),
    [
        (Choice(), "abcdefghij"),
        (Choice(models=("[a-c]",)), "abc"),
        (Choice(texts=("SAY B", "say j")), "bj"),
        (Choice(texts=("say b",), models=("c",)), ""),
    ],
)
def test_what_is_meant_comes_in_its_order(reader: Reader, choice: Choice, models: str) -> None:
    assert "".join(entry.model for entry in chosen(reader, reader.entries(), choice)) == models


def test_bodies_are_read_only_where_a_choice_is_by_text(reader: Reader) -> None:
    change(reader.path, "update interactions set response_framing = 'damaged'")
    assert len(list(chosen(reader, reader.entries(), Choice(lanes=("t*",))))) == 10
    with pytest.raises(CassetteError):
        list(chosen(reader, reader.entries(), Choice(texts=("a",))))


def test_what_a_cassette_does_not_have_is_told_with_what_it_has(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    warn(reader, Choice(models=("a", "gpt\x1b[2J"), lanes=("t*",), runs=(1, 7)))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        f"{reader.path} has no model 'gpt\\x1b[2J'; it has a, b, c, d, e, f, g, h, 2 more.",
        f"{reader.path} has no run '7'; it has 1.",
    ]


def test_nothing_is_told_where_all_is_there(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    warn(reader, Choice())
    warn(reader, Choice(models=("?",), texts=("none",)))
    assert capsys.readouterr().err == ""
