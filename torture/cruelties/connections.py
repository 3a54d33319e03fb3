"""Connections: refused, dropped, kept too long, answered too early.

Rule: a script stands for each connection that is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.demo.script import Abort, Close, Send
from torture.cruel_upstream import GOOD, Read, ReadHead, ReadRest
from torture.cruelties.case import ANSWER, Case, counted

if TYPE_CHECKING:
    from collections.abc import Iterator


def connections() -> Iterator[Case]:
    """Yield what may be wrong with a connection."""
    group = "connection"
    yield Case(group, "nobody", "is not there", ())
    yield Case(group, "hangs-up", "accepts the connection, and closes it", ((Close(),),))
    yield Case(group, "resets", "accepts the connection, and resets it", ((Abort(),),))
    yield Case(group, "hangs-up-asked", "takes the request, and closes", ((Read(), Close()),))
    yield Case(group, "resets-asked", "takes the request, and resets", ((Read(), Abort()),))
    yield Case(
        group,
        "kept-closed",
        "closes a kept connection as the next request comes",
        ((Read(), Send(GOOD), Read(), Close()), (Read(), Send(counted()))),
        ANSWER,
        is_kept=True,
    )
    yield Case(
        group,
        "kept-reset",
        "resets a kept connection as the next request comes",
        ((Read(), Send(GOOD), Read(), Abort()), (Read(), Send(counted()))),
        ANSWER,
        is_kept=True,
    )
    yield Case(
        group,
        "kept-closed-twice",
        "does so on a fresh connection as well",
        ((Read(), Send(GOOD), Read(), Close()), (Read(), Close())),
        is_kept=True,
    )
    yield Case(
        group,
        "kept-head",
        "breaks a kept connection off within the head",
        ((Read(), Send(GOOD), Read(), Send(counted()[:30]), Close()), (Read(), Send(counted()))),
        ANSWER,
        is_kept=True,
    )
    yield Case(
        group,
        "kept-body",
        "breaks a kept connection off within the body",
        ((Read(), Send(GOOD), Read(), Send(counted()[:-9]), Close()), (Read(), Send(counted()))),
        ANSWER,
        is_kept=True,
    )
    yield Case(
        group,
        "unasked",
        "sends another answer behind the first, on a kept connection",
        ((Read(), Send(GOOD + counted(b'{"stale": 1}')), Read(), Send(counted())), (Read(), Send(counted()))),
        ANSWER,
        is_kept=True,
    )
    yield Case(
        group, "early", "answers before it has read the body", ((ReadHead(), Send(counted()), ReadRest()),), ANSWER
    )
    yield Case(
        group,
        "early-close",
        "answers 413 before it has read the body, and closes",
        ((ReadHead(), Send(counted(b'{"error": {}}', status=413)), Close()),),
        b'{"error": {}}',
    )

    no = counted(b'{"error": {}}', status=413)
    for name, does, steps in (
        ("large-early", "answers 413 to 3 MB before it has read them, and reads on", (Send(no), ReadRest())),
        ("large-early-close", "answers 413 to 3 MB before it has read them, and closes", (Send(no), Close())),
        ("large-early-reset", "answers 413 to 3 MB before it has read them, and resets", (Send(no), Abort())),
        ("large-close", "takes the head of 3 MB, and closes", (Close(),)),
    ):
        yield Case(group, name, does, ((ReadHead(), *steps),), b'{"error": {}}', padding=3_000_000)
