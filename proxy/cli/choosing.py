"""Going through the interactions that a user chose.

Rule: bodies are read only where a choice is by text, and of one interaction at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from proxy.cli.wording import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proxy.cassette.reader import Entry, Reader
    from proxy.core.choice import Choice

_MOST_NAMED: Final = 8


def chosen(reader: Reader, entries: Iterable[Entry], choice: Choice) -> Iterator[Entry]:
    """Yield those of a cassette's entries that are meant, in their order."""
    for entry in entries:
        if choice.takes(entry) and (not choice.texts or choice.says(reader.interaction(entry.take))):
            yield entry


def warn(reader: Reader, choice: Choice) -> None:
    """Tell on standard error which models, lanes and runs were asked for that a cassette does not have."""
    held = {
        "model": reader.distinct("model") if choice.models else [],
        "lane": reader.distinct("lane") if choice.lanes else [],
        "run": reader.distinct("run_id") if choice.runs else [],
    }
    for kind, value in choice.strangers(models=held["model"], lanes=held["lane"], runs=held["run"]):
        message = f"{reader.path} has no {kind} {value!r}; it has {_names(held[kind])}."
        click.echo(on_one_line(message), err=True)


def _names(values: Sequence[object]) -> str:
    names = [str(value) or "''" for value in values]
    rest = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return ", ".join(names[:_MOST_NAMED] + rest) or "none"
