"""A row comes out as the interaction that was stored, or not at all."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from proxy.cassette.records import COLUMNS, record_of
from proxy.core.finding import Kind
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT
from tests.cassette.making import answer, interactions, question, rows, store, taken

if TYPE_CHECKING:
    from proxy.core.model import Interaction

SAID = (
    b'{"model":"m-1","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3}}'
)


def row_of(path: Path) -> dict[str, Any]:
    (row,) = rows(path, f"select {', '.join(COLUMNS)} from interactions")
    return dict(zip(COLUMNS, row, strict=True))


@pytest.fixture
def row(tmp_path: Path) -> dict[str, Any]:
    store(tmp_path / "t.sqlite", [taken(question(), answer(SAID))])
    return row_of(tmp_path / "t.sqlite")


@given(interactions())
@settings(max_examples=60, deadline=None)
def test_whatever_was_stored_comes_back(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.sqlite"
        store(path, [interaction])
        record = record_of(row_of(path), interaction.request.body)
    assert record.interaction == interaction
    assert Kind.DERIVED not in {found.kind for found in record.findings(DEFAULT, Redactor())}


def test_a_sound_row_has_no_findings(row: dict[str, Any]) -> None:
    assert list(record_of(row, question().body).findings(DEFAULT, Redactor())) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("model", "m-2"),
        ("finish_reason", None),
        ("finish_reason", "length"),
        ("prompt_tokens", 4),
        ("prompt_tokens", "3"),
        ("completion_tokens", 1),
    ],
)
def test_what_lists_show_must_be_what_the_bodies_say(row: dict[str, Any], column: str, value: Any) -> None:
    record = record_of({**row, column: value}, question().body)
    (found,) = record.findings(DEFAULT, Redactor())
    assert found.kind is Kind.DERIVED
    assert found.name == f"{row['key'][:12]}:1"
    assert f"it has {column} {value!r} where its bodies say {row[column]!r}" in found.what


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in {"request_body", "model"}])
def test_a_column_of_another_type_is_an_error_and_nothing_else(row: dict[str, Any], column: str) -> None:
    derived = column in {"finish_reason", "prompt_tokens", "completion_tokens"}
    if derived:
        assert list(record_of({**row, column: 1.5}, question().body).findings(DEFAULT, Redactor()))
        return
    with pytest.raises((ValueError, TypeError)):
        record_of({**row, column: 1.5}, question().body)
