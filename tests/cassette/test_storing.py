"""How values become rows: what the recorder's tests do not show."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from proxy.cassette import format as layout
from proxy.cassette import statements, storing
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT
from tests.cassette.making import answer, question, taken

RUN = {"started_at": "2026-11-22", "mode": "record", "upstream": "u", "llmtape_version": "0"}


def test_facts_stand_in_one_order_whatever_order_they_came_in() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        storing.create_format(connection, {"zebra": "1", **layout.keyed_by(DEFAULT), "ant": "2", "format": "old"})
        rows = connection.execute("select name, value from cassette order by rowid").fetchall()
    assert [name for name, _ in rows] == ["ant", "format", "normalizer", "rules", "zebra"]
    assert ("format", str(layout.VERSION)) in rows


def test_what_is_dropped_of_a_request_is_what_no_other_has() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        storing.create_format(connection, layout.keyed_by(DEFAULT))
        run_id = storing.insert(connection, statements.INSERT_RUN, RUN)
        for number, text in enumerate(("a", "a", "b"), 1):
            one = taken(question(text), answer(b"1"))
            storing.store(connection, one, number, run_id, id_=10 * number, content=normalize(one.request).content)
        for id_ in (10, 30):
            connection.execute(statements.DELETE_INTERACTION, {"id": id_})
        storing.drop_unused(connection)
        counts = [connection.execute(f"select count(*) from {table}").fetchone() for table in ("parts", "bodies")]
        assert counts == [(1,), (1,)]
        assert connection.execute("select id from interactions").fetchall() == [(20,)]
