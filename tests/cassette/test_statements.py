"""The statements fit the tables, and find their rows by an index."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from proxy.cassette import schema, statements

ALL = {name: text for name, text in vars(statements).items() if name.isupper() and isinstance(text, str)}


def plan(statement: str) -> str:
    """Ask SQLite how it would run a statement on an empty cassette."""
    values = dict.fromkeys(re.findall(r":(\w+)", statement))
    with closing(sqlite3.connect(":memory:")) as connection:
        for made in schema.statements():
            connection.execute(made)
        return " ".join(row[3] for row in connection.execute(f"explain query plan {statement}", values))


@pytest.mark.parametrize("name", ALL)
def test_every_statement_fits_the_tables(name: str) -> None:
    assert isinstance(plan(ALL[name]), str)


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith(("SELECT", "DELETE_INTERACTION", "UPDATE"))])
def test_what_is_looked_up_for_each_recording_is_found_by_an_index(name: str) -> None:
    assert "SCAN" not in plan(ALL[name])
    assert "SEARCH" in plan(ALL[name])
