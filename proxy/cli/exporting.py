"""`export`: recordings as lines of JSON.

Rule: one recording after another, so that a cassette of any size is never in memory whole; a file that is written takes
its name only once it is whole.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from proxy.cassette import format as layout
from proxy.cassette.facts import rules_in
from proxy.cassette.reader import Reader
from proxy.cli.arguments import CASSETTE, CHOICE
from proxy.cli.choosing import chosen, warn
from proxy.cli.progress import progress
from proxy.core import interchange
from proxy.core.errors import InterchangeError
from proxy.core.interchange import Header, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.choice import Choice


@click.command(short_help="Write recordings as lines of JSON.")
@CASSETTE
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write, instead of standard output.")
@CHOICE
def export(cassette: Path, output: Path | None, choice: Choice) -> None:
    """Write a cassette as lines of JSON, for people to read and for `llmtape import` to make the same cassette of.

    The first line tells what made the keys; then come the interactions in the order in which they stand in the file,
    each run on a line before its first one. A body is JSON where that gives its very bytes again, else text, else
    base64; a stream is a list of events [microseconds, {...}].

    \b
    llmtape export cassettes/default.sqlite -o default.jsonl
    llmtape export tests/chat.sqlite --lane 'tests/test_refund*' -o refund.jsonl
    llmtape export tests/chat.sqlite | jq -c '.interaction.request.json.messages[-1]'

    \b
    A line is an object with one member:
    header {format, version, facts {normalizer, rules, ...}},
    run {id, started_at, mode, upstream, llmtape_version},
    interaction {key, variant, lane, take, run, recorded_at (UTC), request, response};
    a request is {method, path, query, headers, BODY}; a response {status, headers, outcome,
    first_byte_us, duration_us} and BODY with at_us, or with chunks [[at_us, bytes]], or events.
    BODY is json, with a style unless it is compact, or text, or base64; an empty one is left out.
    """  # noqa: D301  click wants the character
    with Reader(cassette, rules_in(cassette)) as reader:
        warn(reader, choice)
        if output is None:
            # On a terminal the lines themselves tell how far it is.
            sys.stdout.buffer.writelines(_lines(reader, choice, shows_progress=not sys.stdout.isatty()))
            return
        with _written(output) as file:
            file.writelines(_lines(reader, choice, shows_progress=True))


def _lines(reader: Reader, choice: Choice, *, shows_progress: bool) -> Iterator[bytes]:
    keyed = layout.keyed_by(rules_in(reader.path)) if reader.rekeying else {}
    yield interchange.dumps(Header(reader.facts | keyed))
    ids = None if choice.is_all else {entry.take.id for entry in chosen(reader, reader.entries(), choice)}
    recordings = reader.stored(None if ids is None else ids.__contains__)
    if shows_progress:
        recordings = progress(recordings, len(reader) if ids is None else len(ids), "exporting")
    told: set[int] = set()
    for interaction, run in recordings:
        if run.id not in told:
            told.add(run.id)
            yield interchange.dumps(run)
        yield interchange.dumps(Recorded(interaction, run.id))


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place, for its owner alone, and put it there in the end. Raises InterchangeError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".new", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise InterchangeError(f"cannot write {path}: {error.strerror or error}") from error
