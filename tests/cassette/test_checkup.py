"""All that can be wrong with a file is found, and one thing hides no other."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from proxy.cassette import format as layout
from proxy.cassette.checkup import Checkup
from proxy.cassette.draft import drafted
from proxy.cassette.writer import Writer
from proxy.core import conflicts
from proxy.core.errors import CassetteError, CassetteMissingError
from proxy.core.finding import Kind, Level
from proxy.core.redact import Redactor, redactor
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.damaging import RUN, agent, overwrite, pages, write
from tests.cassette.making import RECORD, answer, as_nobody, change, files, question, read_only_copy, store, taken
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.finding import Finding

SECRET = "sk-proj-" + "aB3_-" * 12
DATES = Rules(scrub=("date",))


def found(path: Path, rules: Rules = DEFAULT, secrets: Redactor | None = None) -> list[Finding]:
    with Checkup(path, rules, secrets or Redactor()) as checkup:
        return [*checkup.file(), *(it for each in checkup.interactions() for it in each)]


def kinds(path: Path, rules: Rules = DEFAULT) -> list[Kind]:
    return [it.kind for it in found(path, rules)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    write(path, agent(6))
    return path


def test_a_recorded_file_has_no_findings_and_is_left_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    assert found(path) == []
    assert (path.read_bytes(), files(path)) == (before, ["t.sqlite"])


def test_interactions_are_counted_and_each_is_looked_at(path: Path) -> None:
    with Checkup(path, DEFAULT, Redactor()) as checkup:
        list(checkup.file())
        assert len(checkup) == 6
        assert list(checkup.interactions()) == [()] * 6
    assert len(checkup) == 0


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissingError, match="there is no cassette"):
        Checkup(tmp_path / "none.sqlite", DEFAULT, Redactor())


def private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_what_is_no_cassette_is_told_in_one_finding(tmp_path: Path, path: Path) -> None:
    content = path.read_bytes()
    assert kinds(tmp_path) == [Kind.FOREIGN]
    assert kinds(private(tmp_path / "empty", b"")) == [Kind.EMPTY]
    assert kinds(private(tmp_path / "text", b"not a database " * 100)) == [Kind.NO_DATABASE]
    assert kinds(private(tmp_path / "short", content[:2000])) in ([Kind.NO_DATABASE], [Kind.DAMAGE])
    assert kinds(private(tmp_path / "half", content[: len(content) // 8192 * 4096])) == [Kind.DAMAGE]
    change(path, f"pragma user_version = {layout.VERSION + 1}")
    assert kinds(path) == [Kind.NEWER]
    change(path, "pragma application_id = 7")
    assert kinds(path) == [Kind.FOREIGN]


def test_a_file_of_the_first_format_is_only_old(tmp_path: Path) -> None:
    path = private(tmp_path / "t.sqlite", FIRST.read_bytes())
    assert kinds(path) == [Kind.OLDER]


def test_others_who_may_read_it_are_a_note(path: Path) -> None:
    path.chmod(0o640)
    (it,) = found(path)
    assert (it.kind, it.what) == (Kind.PERMISSIONS, "others may open it: its mode is 0640")


def test_a_file_that_this_user_may_not_read_is_told_as_that(path: Path) -> None:
    with read_only_copy(path, mode=0) as copy, as_nobody():
        assert kinds(copy) == [Kind.UNREADABLE]
    path.parent.chmod(0o700)
    with as_nobody(), pytest.raises(CassetteError, match="Permission denied"):
        Checkup(path, DEFAULT, Redactor())


def test_recordings_that_are_still_beside_the_file_are_a_fault(path: Path, tmp_path: Path) -> None:
    writer = Writer(path, RECORD)
    writer.save(taken(question("new"), answer(b"{}"))).result()
    try:
        assert kinds(path)[0] is Kind.UNSETTLED
        copy = tmp_path / "copy" / "t.sqlite"  # as a recorder that was killed leaves it
        copy.parent.mkdir()
        for name in ("t.sqlite", "t.sqlite-wal"):
            shutil.copy(tmp_path / name, copy.with_name(name))
        assert kinds(copy)[0] is Kind.UNSETTLED
    finally:
        writer.close()
    assert kinds(path) == []
    path.with_name("t.sqlite-wal").touch()
    assert kinds(path) == [Kind.SIDE_FILE]


def test_the_log_of_another_file_is_a_fault_and_not_played(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    writer = Writer(path, RECORD)
    try:
        writer.save(taken(question("new"), answer(b"{}"))).result()
        folder = tmp_path / "left"
        folder.mkdir()
        left = folder / path.name
        left.write_bytes(before)
        left.chmod(0o600)
        shutil.copy(tmp_path / "t.sqlite-wal", left.with_name("t.sqlite-wal"))
        assert kinds(left) == [Kind.FOREIGN_LOG]
    finally:
        writer.close()


def test_keys_are_held_against_the_files_own_rules(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    store(path, [taken(question("2026-11-22"), answer(b"{}"), rules=DATES)], rules=DATES)
    assert kinds(path, DATES) == []
    assert kinds(path) == [Kind.OTHER_RULES]
    change(path, """update cassette set value = '{}' where name = 'rules'""")
    assert kinds(path) == [Kind.KEY]


@pytest.mark.parametrize(
    ("fact", "value", "expected"),
    [
        ("rules", "{", [Kind.FACT]),
        ("rules", '{"scrub":["made-up"]}', [Kind.FACT]),
        ("rules", '{"scrub":[1]}', [Kind.FACT]),
        ("rules", '{"headers":[1]}', [Kind.FACT]),
        ("rules", '{"query":"ab"}', [Kind.FACT]),
        ("rules", '{"pattern":[["a","("]]}', [Kind.FACT]),
        ("normalizer", "0", [Kind.OTHER_NORMALIZER]),
        ("normalizer", "new", [Kind.FACT]),
        ("format", "1", [Kind.FACT]),
    ],
)
def test_what_the_file_says_of_itself_must_be_known(path: Path, fact: str, value: str, expected: list[Kind]) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update cassette set value = ? where name = ?", (value, fact))
    assert kinds(path) == expected


def test_facts_that_are_gone_are_told(path: Path) -> None:
    change(path, "delete from cassette")
    assert kinds(path) == [Kind.FACT, Kind.FACT]


def test_a_conflict_that_nobody_settled_is_a_fault_and_its_secrets_are_too(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    made = taken(question(), answer(b"{}"), lane="a:b")
    with drafted(path) as draft:
        draft.add(made, RUN)
        draft.note(conflicts.name_of(made.track), f"... {SECRET} ...")
        draft.note("conflict:x", "")
    assert [(it.kind, it.name, it.lane) for it in found(path)] == [
        (Kind.CONFLICT, made.track.key[:12], "a:b"),
        (Kind.DAMAGE, made.track.key[:12], "a:b"),
        (Kind.SECRET_ASIDE, made.track.key[:12], "a:b"),
        (Kind.DAMAGE, "", ""),
    ]


def test_tables_that_are_not_ours_end_the_check_and_views_do_not(path: Path) -> None:
    change(path, "update interactions set key = 'x' where id = 2")
    change(path, "drop view transcript")
    assert kinds(path) == [Kind.VIEW, Kind.KEY]
    change(path, "alter table interactions rename column outcome to ending")
    assert set(kinds(path)) == {Kind.SCHEMA, Kind.VIEW}


def test_a_row_that_makes_no_interaction_hides_no_other(path: Path) -> None:
    change(path, "update interactions set response_framing = '[[1,2]]' where id = 2")
    change(path, "update interactions set finish_reason = 'length' where id = 5")
    row, derived = found(path)
    assert (row.kind, derived.kind) == (Kind.ROW, Kind.DERIVED)
    assert "interaction 2 cannot be read: a framing of 2 bytes" in row.what
    assert row.name


def test_what_cannot_be_decoded_is_not_repeated(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        text = SECRET.encode() + b"\xff"
        connection.execute("update interactions set response_body = cast(? as text) where id = 1", (text,))
    findings = found(path)
    assert any(it.kind is Kind.DAMAGE and "interaction 1 cannot be read" in it.what for it in findings)
    assert not any(SECRET in it.what for it in findings)


def test_the_users_own_secrets_are_looked_for(path: Path) -> None:
    told = found(path, secrets=redactor(["look at file 3"]))
    assert {it.kind for it in told} == {Kind.SECRET}
    assert len(told) == 3


@pytest.mark.parametrize("seed", range(12))
def test_whatever_pages_are_damaged_it_is_told_and_the_rest_is_looked_at(path: Path, seed: int) -> None:
    count = pages(path)
    overwrite(path, 2 + seed * 7 % (count - 1), 2 + seed * 13 % (count - 1), seed=seed or None)
    findings = found(path)
    assert any(it.level is Level.FAULT for it in findings)
