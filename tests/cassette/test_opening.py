"""A file is opened as it is; what a killed process left half done is taken back first."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.opening import check, opened, unreadable, why_not_a_cassette
from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError
from tests.cassette.making import answer, as_nobody, change, files, held, question, read_only_copy, store, taken

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


KILLED = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("pragma cache_size = 1")
connection.execute("begin immediate")
connection.execute("update interactions set request_headers = hex(zeroblob(200000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_change_that_was_broken_off_is_taken_back(path: Path) -> None:
    store(path, [taken(question(f"question {number}"), answer(b"1")) for number in range(20)])
    before = held(path)
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert files(path) == [path.name, f"{path.name}-journal"]
    assert held(path) == before
    assert files(path) == [path.name]


def test_a_change_that_was_broken_off_and_cannot_be_taken_back_is_told(path: Path) -> None:
    store(path, [taken(question(f"question {number}"), answer(b"1")) for number in range(20)])
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    with read_only_copy(path) as copy:
        copy.parent.chmod(0o755)
        journal = copy.with_name(f"{copy.name}-journal")
        shutil.copy(f"{path}-journal", journal)
        journal.chmod(0o444)
        copy.parent.chmod(0o555)
        with as_nobody(), pytest.raises(CassetteError, match=r"broken off.*\.sqlite-journal beside it"):
            Reader(copy)


def test_a_file_of_another_program_or_of_a_later_version_is_told(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    assert check(opened(path), path) == 2
    change(path, "pragma user_version = 99")
    with pytest.raises(CassetteError, match="update llmtape"):
        check(opened(path), path)
    change(path, "pragma application_id = 1")
    with pytest.raises(CassetteError, match="another program made this file"):
        check(opened(path), path)


def test_a_schema_that_is_no_text_is_told_as_damage(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    name = b"CREATE TABLE anchors"
    path.write_bytes(path.read_bytes().replace(name, b"\xff" * len(name)))
    with pytest.raises(CassetteError, match="If it is damaged, take it from version control"):
        Reader(path)


def test_a_folder_and_a_file_of_text_are_told_in_words(path: Path) -> None:
    assert "is a folder" in str(why_not_a_cassette(path.parent, ValueError()))
    assert "finds no database" in str(why_not_a_cassette(path, ValueError("file is not a database")))
    assert why_not_a_cassette(path, ValueError("another")) is None
    assert why_not_a_cassette(path, ValueError("unable to open database file")) is None


def test_an_empty_file_is_told_as_one_that_can_be_recorded_into(path: Path) -> None:
    path.touch()
    with pytest.raises(CassetteError, match="it is empty"):
        check(opened(path), path)


def test_a_file_that_this_user_may_not_read_is_told(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    with read_only_copy(path, mode=0) as copy, as_nobody(), pytest.raises(CassetteError, match="Let this user read it"):
        Reader(copy)


def test_damage_is_told_with_what_may_help_and_without_what_was_recorded(path: Path) -> None:
    damage = 'Could not decode to UTF-8 column \'data\' with text \'{"role": "user", "content": "a secret"\''
    assert unreadable(path, ValueError(damage)) == (
        f"cannot read the cassette {path}: Could not decode to UTF-8 column 'data'. If it is damaged, take it from "
        f"version control, or save what can be read: `llmtape verify --recover NEW {path}`"
    )
    malformed = ValueError("database disk image is malformed")
    assert why_not_a_cassette(path, malformed) == unreadable(path, malformed)


@pytest.mark.parametrize(
    "program",
    [
        "create trigger harm after insert on interactions begin delete from interactions; end",
        "alter table cassette rename to real; create view cassette as select * from real",
        "alter table runs rename to real; create view runs as select real.* from real, real as again",
        "drop table anchors; create virtual table anchors using fts5 (parent_id, word, turn_id)",
        "alter table interactions add column more text as (hex(zeroblob(1000000)))",
    ],
)
def test_a_file_that_has_more_than_data_is_not_opened(path: Path, program: str) -> None:
    store(path, [taken(question(), answer(b"1"))])
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"pragma legacy_alter_table = on; {program}")
    with closing(opened(path)) as connection, pytest.raises(CassetteError, match=r"not to be trusted.*--recover NEW"):
        check(connection, path)


@pytest.mark.parametrize("change_", ["set value = x'00'", "set name = x'6100'"])
def test_facts_that_are_no_text_are_told(path: Path, change_: str) -> None:
    store(path, [taken(question(), answer(b"1"))])
    change(path, "alter table cassette rename to real")
    change(path, "create table cassette as select * from real")
    change(path, f"update cassette {change_} where name = 'rules'")
    with closing(opened(path)) as connection, pytest.raises(CassetteError, match="is no text"):
        check(connection, path)


def test_a_file_that_another_has_for_itself_alone_is_waited_for_once(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin exclusive")
        with pytest.raises(sqlite3.OperationalError, match="locked") as told:
            opened(path, 0.0)
    assert "for itself alone" in str(why_not_a_cassette(path, told.value))
