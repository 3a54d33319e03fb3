"""What a file tells before anybody knows by which rules to open it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.facts import facts_in, lanes_in, rules_in
from proxy.cassette.rekey import rekey
from proxy.core.errors import CassetteError, CassetteMissingError
from proxy.core.rules import Rules
from tests.cassette.making import Call, answer, arriving, change, files, question, store, taken

if TYPE_CHECKING:
    from pathlib import Path

HELLO = question("hello")
RULES = Rules(scrub=("date",), models={"a": "b"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def test_the_lanes_of_a_cassette_are_named_sorted_each_once(path: Path) -> None:
    store(path, arriving([Call(HELLO, lane=lane) for lane in ("b", "", "a", "b")]))
    assert lanes_in(path) == ["", "a", "b"]
    assert files(path) == [path.name]


def test_the_lanes_of_a_cassette_are_named_whatever_rules_made_its_keys(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"), lane="a")])
    rekey(path, Rules(scrub=("date",)), lambda _: True)
    assert lanes_in(path) == ["a"]


def test_what_has_no_lanes_is_told(path: Path) -> None:
    with pytest.raises(CassetteError, match=str(path)):
        lanes_in(path)
    path.write_text("no cassette")
    with pytest.raises(CassetteError, match=str(path)):
        lanes_in(path)


def test_what_made_the_keys_is_read_as_the_rules_that_it_is(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"), rules=RULES)], rules=RULES)
    assert rules_in(path) == RULES
    assert facts_in(path)["rules"] == RULES.text


def test_rules_that_nobody_knows_are_told(path: Path) -> None:
    store(path, [taken(HELLO, answer(b"1"))])
    change(path, "update cassette set value = '{\"magic\":1}' where name = 'rules'")
    with pytest.raises(CassetteError, match="Update llmtape"):
        rules_in(path)


def test_where_there_is_no_file_how_to_make_one_is_told(path: Path) -> None:
    with pytest.raises(CassetteMissingError, match="llmtape record"):
        facts_in(path)
