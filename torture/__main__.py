"""`python -m torture [NAME[=COUNT] ...]`: put all items to the test, or those named; exit status 1 where one broke.

Rule: one line of figures an item on standard output, a progress bar on a terminal; an item that breaks does not keep
the others from being run.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from torture.item import BrokenPromiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torture.item import Item

_USAGE: Final = 2

ROOMS: Final = (
    "killed",
    "shared",
    "disk",
    "upstream",
    "clients",
    "fuzzed",
    "secrets",
    "offline",
    "drained",
    "crowd",
    "soak",
)


def items() -> dict[str, Item]:
    """Return all items by name, in the order in which they are run."""
    found = [item for room in ROOMS for item in import_module(f"torture.{room}").ITEMS]
    return {item.name: item for item in found}


def chosen(names: Sequence[str], known: dict[str, Item]) -> list[tuple[Item, int]]:
    """Return what is to be run, and how often. Exits where a name is not known, or a count is none."""
    wanted = []
    for name, _, count in (text.partition("=") for text in names or known):
        if name not in known or (count and not count.isdecimal()):
            given = f"{name}={count}" if count else name
            print(f"there is no {given}: say NAME or NAME=COUNT of {', '.join(known)}", file=sys.stderr)
            sys.exit(_USAGE)
        wanted.append((known[name], int(count or known[name].count)))
    return wanted


def put_to_the_test(item: Item, count: int) -> bool:
    """Run an item, and print its line; tell whether it held."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    with (
        TemporaryDirectory(prefix="llmtape-torture-", ignore_cleanup_errors=True) as folder,
        Progress(
            *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
        ) as bar,
    ):
        task = bar.add_task(item.name, total=count)
        try:
            figures = item.run(count, Path(folder), lambda: bar.advance(task))
        except BrokenPromiseError as error:
            held, told = False, f"BROKEN: {error}"
        else:
            held, told = True, figures
    print(f"{item.name:<12} {count:>9,} {item.unit}, {time.monotonic() - began:,.0f} s: {told}", flush=True)
    return held


def main(names: Sequence[str]) -> int:
    """Run what is named; return the exit status."""
    held = [put_to_the_test(item, count) for item, count in chosen(names, items())]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
