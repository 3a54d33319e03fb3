"""`llmtape export`: lines of JSON, of which the same cassette is made again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cli import main
from proxy.core.model import RecordedRun, Variant
from proxy.core.rules import Rules
from tests.cassette.making import (
    SSE_TYPE,
    answer,
    as_nobody,
    change,
    files,
    interactions,
    question,
    read_only_copy,
    taken,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.testing import Result

    from proxy.core.model import Interaction

RUNS = [
    RecordedRun(number, f"2026-11-{20 + number}T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
    for number in (1, 2)
]
STREAM = answer(b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n", headers=SSE_TYPE)


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def done(*arguments: object, stdin: bytes | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def lines(text: str) -> list[tuple[str, Any]]:
    """Read an export: the kind of each line, and what it tells."""
    return [next(iter(json.loads(line).items())) for line in text.splitlines()]


def write(path: Path, recorded: Iterable[tuple[Interaction, RecordedRun]], **facts: str) -> Path:
    with drafted(path, facts=facts or None) as draft:
        for interaction, of in recorded:
            draft.add(interaction, of)
    return path


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write(
        tmp_path / "tape.sqlite",
        [
            (taken(question("Grüße"), STREAM, lane="greeting", variant=Variant.SSE), RUNS[1]),
            (taken(question("b", model="other"), answer(b'{"a":1}')), RUNS[0]),
            (taken(question("c"), answer(b"no", status=404)), RUNS[1]),
        ],
    )


def test_a_header_comes_first_and_each_run_before_its_interactions(tape: Path) -> None:
    told = lines(done("export", tape))
    assert [kind for kind, _ in told] == ["header", "run", "interaction", "run", "interaction", "interaction"]
    assert told[0][1] == {"format": "llmtape", "version": 1, "facts": {"normalizer": "1", "rules": "{}"}}
    assert [value["id"] for kind, value in told if kind == "run"] == [2, 1]
    assert told[2][1]["response"]["events"] == [[100, {"choices": []}], [200, "data: [DONE]\n\n"]]
    assert "Grüße" in done("export", tape)


def test_a_file_is_written_for_its_owner_and_replaced_whole(tape: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    assert done("export", tape, "-o", file) == ""
    assert file.read_text() == done("export", tape)
    assert file.stat().st_mode & 0o777 == 0o600
    assert files(tape) == ["out.jsonl", "tape.sqlite"]


def test_an_export_that_fails_leaves_the_old_file(tape: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    damaged = bytearray(tape.read_bytes())
    damaged[8192:] = os.urandom(len(damaged) - 8192)
    tape.write_bytes(damaged)
    result = run("export", tape, "-o", file)
    assert result.exit_code == 1
    assert result.stderr.startswith("llmtape: ")
    assert file.read_text() == "old"
    assert files(tape) == ["out.jsonl", "tape.sqlite"]


@pytest.mark.parametrize(
    ("choice", "bodies"),
    [
        (("--model", "oth*"), 1),
        (("--lane", "greeting"), 1),
        (("--outcome", "error"), 1),
        (("--run", "2"), 2),
        (("--text", "grüße"), 1),
        (("--lane", ""), 2),
    ],
)
def test_some_are_exported_with_their_runs_alone(choice: tuple[str, ...], bodies: int, tape: Path) -> None:
    told = lines(done("export", tape, *choice))
    assert sum(kind == "interaction" for kind, _ in told) == bodies
    assert {value["run"] for kind, value in told if kind == "interaction"} == {
        value["id"] for kind, value in told if kind == "run"
    }


def test_what_narrows_to_nothing_says_so_and_leaves_the_header(tape: Path) -> None:
    result = run("export", tape, "--model", "gpt-9")
    assert [kind for kind, _ in lines(result.stdout)] == ["header"]
    assert "gpt-9" in result.stderr


def test_keys_and_rules_are_those_of_the_file_whatever_rules_are_in_force(tmp_path: Path) -> None:
    rules = Rules(models={"alias": "m"})
    tape = write(
        tmp_path / "tape.sqlite",
        [(taken(question(model="alias"), answer(b"1"), rules=rules), RUNS[0])],
        normalizer="1",
        rules=rules.text,
    )
    (_, header), _, (_, interaction) = lines(done("export", tape))
    assert header["facts"]["rules"] == rules.text
    assert interaction["key"] == taken(question(), answer(b"1")).track.key
    again = tmp_path / "again.sqlite"
    done("import", again, "-", stdin=done("export", tape).encode())
    assert again.read_bytes() == tape.read_bytes()


def test_keys_that_another_version_made_are_exported_as_they_are_read(tape: Path) -> None:
    expected = done("export", tape)
    change(tape, "update cassette set value = '0' where name = 'normalizer'")
    change(tape, f"update interactions set key = '{'0' * 64}' where id = 3")
    assert done("export", tape) == expected


def distinct(drawn: list[tuple[Interaction, RecordedRun]]) -> list[tuple[Interaction, RecordedRun]]:
    return list({(one.track, one.number): (one, of) for one, of in drawn}.values())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(interactions(), st.sampled_from(RUNS)), max_size=6).map(distinct),
    st.dictionaries(st.sampled_from(["remark", "note"]), st.text(st.characters(exclude_categories=["Cs"]))),
)
def test_an_import_of_an_export_is_the_same_file(
    recorded: list[tuple[Interaction, RecordedRun]], notes: dict[str, str]
) -> None:
    with TemporaryDirectory() as folder:
        tape, exported, again = (Path(folder) / name for name in ("tape.sqlite", "tape.jsonl", "again.sqlite"))
        write(tape, recorded, normalizer="1", rules="{}", **notes)
        done("export", tape, "-o", exported)
        done("import", again, exported)
        assert again.read_bytes() == tape.read_bytes()
        assert exported.read_text() == done("export", again)


def test_a_read_only_cassette_is_exported_and_a_folder_where_nothing_can_be_written_is_told(tape: Path) -> None:
    with read_only_copy(tape) as copy, as_nobody():
        assert done("export", copy).count("\n") == 6
        result = run("export", copy, "-o", copy.parent / "out.jsonl")
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


@pytest.mark.parametrize(
    ("content", "status"), [(None, 2), (b"", 1), (b"{}\n", 1), (b"SQLite format 3\0" + bytes(1000), 1)]
)
def test_what_is_no_cassette_is_told(content: bytes | None, status: int, tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    if content is not None:
        path.write_bytes(content)
    result = run("export", path)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith("llmtape: ")
