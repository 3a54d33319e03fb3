"""What can be read of a damaged file is read, by one way or another."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.wreck import Wreck, probe
from proxy.core.errors import CassetteError, CassetteMissingError
from tests.cassette.damaging import RUN, agent, overwrite, pages, write
from tests.cassette.making import as_nobody, change, held, read_only_copy, rows
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from proxy.core.model import Interaction


def opened(path: Path) -> AbstractContextManager[sqlite3.Connection]:
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def searched(path: Path) -> Wreck:
    wreck = Wreck(path)
    for _ in wreck.search():
        pass
    return wreck


def read(wreck: Wreck) -> Iterator[Interaction]:
    for id_ in wreck.ids():
        yield from (record.interaction for record in wreck.records(id_))


def root(path: Path, name: str) -> int:
    """Tell on which page the tree of a table or index begins."""
    ((page,),) = rows(path, f"select rootpage from sqlite_master where name = '{name}'")
    return int(page)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    write(path, agent(40))
    return path


def test_a_sound_file_is_read_by_sqlite_alone(path: Path) -> None:
    with searched(path) as wreck:
        assert wreck.is_sound
        assert wreck.pages == 0
        assert list(read(wreck)) == held(path)
        assert wreck.run(1) == RUN
        assert wreck.facts() == dict(rows(path, "select name, value from cassette"))


def test_takes_are_those_of_the_index(path: Path) -> None:
    with searched(path) as wreck:
        expected = {
            id_: (key, take, lane)
            for id_, *(key, take, lane) in rows(path, "select id, key, take, lane from interactions")
        }
        assert wreck.takes() == expected


@pytest.mark.parametrize(
    "name", ["interactions", "bodies", "parts", "runs", "cassette", "sqlite_autoindex_interactions_1"]
)
def test_without_the_root_of_a_tree_all_that_stands_on_other_pages_is_read(path: Path, name: str) -> None:
    before = held(path)
    alone = {"runs", "cassette"}  # they stand on that page themselves
    overwrite(path, root(path, name), seed=1)
    with searched(path) as wreck:
        assert not wreck.is_sound
        assert wreck.pages == pages(path)
        assert list(read(wreck)) == before
        assert (wreck.run(1) is None) == (name == "runs")
        assert (wreck.facts() == {}) == (name == "cassette")
        assert len(wreck.takes()) == 40 or name not in alone


def test_without_its_first_page_a_file_is_read_all_the_same(path: Path) -> None:
    before = held(path)
    overwrite(path, 1, seed=2)
    with searched(path) as wreck:
        assert list(read(wreck)) == before
        assert len(wreck.takes()) == 40


def test_a_database_without_our_tables_is_none_to_probe(path: Path) -> None:
    with opened(path) as connection:
        probe(connection)
    change(path, "alter table runs rename column mode to way")
    with opened(path) as connection, pytest.raises(sqlite3.OperationalError, match="mode"):
        probe(connection)


def test_a_file_of_the_first_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    path.write_bytes(FIRST.read_bytes())
    before = held(path)
    overwrite(path, 1)
    with searched(path) as wreck:
        assert list(read(wreck)) == sorted(before, key=before.index)


def test_a_part_that_is_not_what_its_digest_says_is_not_read(path: Path) -> None:
    change(path, "update parts set data = 'x' where id = 3")
    change(path, "pragma application_id = 7")
    overwrite(path, root(path, "anchors"), seed=1)
    with searched(path) as wreck:
        assert len(list(read(wreck))) < 40


def test_a_file_that_is_not_there_or_may_not_be_read_is_an_error(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CassetteMissingError, match="there is no cassette"):
        Wreck(tmp_path / "none")
    with pytest.raises(CassetteError, match="Is a directory"):
        Wreck(tmp_path)
    with read_only_copy(path, mode=0) as copy, as_nobody(), pytest.raises(CassetteError, match="Permission denied"):
        Wreck(copy)


def test_a_file_with_programs_in_it_is_read_without_sqlite(path: Path) -> None:
    before = held(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "pragma legacy_alter_table = on; alter table cassette rename to real;"
            "create view cassette as with recursive n(x) as (select 1 union all select x + 1 from n)"
            " select real.* from real, n"
        )
    with searched(path) as wreck:
        assert not wreck.is_sound
        assert list(read(wreck)) == before
