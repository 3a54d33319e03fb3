"""Progress of work that takes a while.

Rule: a bar is drawn on standard error, on a terminal alone, once work has taken a second, and goes when it ends: no
output that is read later has one in it.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

PATIENCE_SECONDS: Final = 1.0
"""How long nobody wonders what goes on."""


def progress(
    items: Iterable[T], total: int | None, doing: str, *, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """Yield the items; tell how far it is, where they take their time. `total` is None where nobody knows.

    `clock` counts seconds, and never goes back.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    started = clock()
    passed = 0
    rest = iter(items)
    for item in rest:
        passed += 1
        yield item
        if clock() - started > PATIENCE_SECONDS:
            break
    else:
        return
    yield from _drawn(rest, total, passed, doing)


@contextmanager
def waiting(doing: str, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Tell that work goes on of which nobody knows how far it is, such as one long statement of a database.

    `patience` is in seconds.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = Event()
    telling = Thread(target=_tell, args=(done, patience, doing), daemon=True)
    telling.start()
    try:
        yield
    finally:
        done.set()
        telling.join()


def _tell(done: Event, patience: float, doing: str) -> None:
    if done.wait(patience):
        return
    from rich.console import Console  # noqa: PLC0415  as below

    with Console(stderr=True).status(f"{doing} ..."):
        done.wait()


def _drawn(items: Iterator[T], total: int | None, passed: int, doing: str) -> Iterator[T]:
    from rich.console import Console  # noqa: PLC0415  most work ends before a bar is wanted
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # What is printed meanwhile goes above the bar, but to where it was meant to go where that is no terminal.
    is_above = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=is_above) as bar:
        task = bar.add_task(doing, total=total, completed=passed)
        for item in items:
            yield item
            bar.advance(task)
