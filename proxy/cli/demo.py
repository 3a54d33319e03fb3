"""`demo`: the main job on the embedded upstream, in one command.

Rule: prints what `proxy.tour` found; exit status 1 where anything differs.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from proxy.core.errors import ConfigError
from proxy.tour import take

if TYPE_CHECKING:
    from proxy.tour import Result


@click.command(short_help="See it work, without a key.")
@click.option("-c", "--cassette", type=click.Path(path_type=Path), metavar="FILE", help="Keep the cassette here.")
def demo(cassette: Path | None) -> None:
    """Show the whole loop, without a key: record, stop the upstream, replay, compare.

    \b
    llmtape demo
    llmtape demo -c demo.sqlite     keep the cassette, to look at it with `llmtape ls demo.sqlite`
    """  # noqa: D301  click wants the character
    if cassette is not None and cassette.exists():
        raise ConfigError(f"{cassette} is there already: name a new file with -c")
    console = Console()
    console.print("Recording from the embedded upstream; then it is stopped, and the recordings are replayed.\n")
    with TemporaryDirectory(prefix="llmtape-demo-") as folder:
        results = asyncio.run(take(cassette or Path(folder) / "demo.sqlite"))
    console.print(_table(results))
    same = sum(result.is_same for result in results)
    console.print(f"\n{same} of {len(results)} answers came again byte for byte, with no upstream to ask.")
    if cassette is not None:
        console.print(f"See what was recorded: llmtape ls {cassette}", markup=False, highlight=False)
    sys.exit(0 if same == len(results) else 1)


def _table(results: list[Result]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("request", "key"):
        table.add_column(name, no_wrap=True)
    for name in ("recorded in", "replayed in", "events"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("same bytes", no_wrap=True)
    for result in results:
        table.add_row(
            result.step.title,
            result.replayed.take,
            _milliseconds(result.recorded.seconds),
            _milliseconds(result.replayed.seconds),
            str(result.events) if result.events else "-",
            "[green]yes[/]" if result.is_same else "[bold red]NO[/]",
        )
    return table


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
