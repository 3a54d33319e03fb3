"""`import`: recordings that were exported, and those of other tools.

Rule: parses, opens and tells; what comes in as which take is decided in `cassette.intake`, and what another tool's
file holds in `foreign`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from proxy import __version__
from proxy.cassette.intake import take_in
from proxy.cassette.placing import OnConflict
from proxy.cli.arguments import CASSETTE, CONFIG, JSON, config_of
from proxy.cli.progress import progress
from proxy.cli.wording import counted, document, printable
from proxy.core.errors import InterchangeError
from proxy.core.redact import redactor
from proxy.foreign.exchange import moment
from proxy.foreign.recording import Keeping
from proxy.foreign.source import Document, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.cassette.placing import Incoming, TakenIn
    from proxy.config import Config
    from proxy.foreign.source import Source

_STANDARD: Final = "-"
_MOST_TOLD: Final = 10


@click.command(name="import", short_help="Take in recordings from elsewhere.")
@CASSETTE
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--on-conflict",
    "way",
    type=click.Choice([way.value for way in OnConflict]),
    default=OnConflict.ERROR.value,
    show_default=True,
    help="Where a take is there already, with other content: take nothing, keep what is there, replace it, or add the "
    "other one as the next take.",
)
@CONFIG
@JSON
def import_(cassette: Path, files: tuple[str, ...], way: str, file: Path | None, *, as_json: bool) -> None:
    """Take recordings into a cassette, which is made where there is none: all of them, or none.

    A FILE is what `llmtape export` wrote, a cassette of VCR.py (YAML or JSON), or a HAR file that a browser or a proxy
    saved; - is standard input. What is there already is passed over.

    Of VCR.py's and HAR files chat completions are taken. They go the way that a recording goes: header fields are kept
    by list, credentials are redacted, answers that speak of a moment (401, 429, 5xx and such) are not stored. What
    stood before /chat/completions becomes /v1, as for a client of this proxy; Azure's deployments keep their path.
    VCR.py tells no times; in HAR a stream's events are spread over the time that it took.

    \b
    llmtape import copy.sqlite default.jsonl
    llmtape import cassettes/default.sqlite tests/fixtures/*.yaml
    llmtape import cassettes/default.sqlite browser.har --on-conflict add
    llmtape export tests/chat.sqlite --lane test_refund | llmtape import cassettes/default.sqlite -

    \b
    --json is an object: added, of these replaced (they took the place of others) and renumbered (they
    became later takes), there_already, gave_way, all of them numbers; and passed_over [{file, reason,
    count}]: entries that are no chat completion, that would not be recorded, or that cannot be read.
    """  # noqa: D301  click wants the character
    config = config_of(file)
    with ExitStack() as stack:
        keeping = _keeping(config)
        sources = [opened(name, stack.enter_context(_file(name)), keeping, __version__) for name in files]
        try:
            done = take_in(cassette, sources, config.rules, OnConflict(way), _watched)
        finally:
            passed_over = [*_passed_over(sources)]
            if not as_json:
                _warn(passed_over)
    if as_json:
        told = [{"file": name, "reason": reason, "count": count} for name, reason, count in passed_over]
        click.echo(document({**asdict(done), "passed_over": told}, indent=2))
    else:
        click.echo("\n".join(_told(done, cassette)))


def _watched(recordings: Iterable[Incoming]) -> Iterator[Incoming]:
    return progress(recordings, None, "importing")


def _keeping(config: Config) -> Keeping:
    return Keeping(
        now=moment(datetime.now(UTC)),
        errors=config.record.errors,
        headers=frozenset(name.lower() for name in config.record.keep_headers),
        redactor=redactor(config.redact.patterns, responses=config.redact.responses),
    )


@contextmanager
def _file(name: str) -> Iterator[BinaryIO]:
    """Open a file that can be read twice, which standard input cannot. Raises InterchangeError."""
    try:
        if name != _STANDARD:
            with Path(name).open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            copy.seek(0)
            yield copy
    except OSError as error:
        raise InterchangeError(f"cannot read {name}: {error.strerror or error}") from error


def _passed_over(sources: Iterable[Source]) -> Iterator[tuple[str, str, int]]:
    for source in sources:
        if isinstance(source, Document):
            for reason, count in sorted(source.passed_over.items()):
                yield source.name, reason, count


def _warn(passed_over: list[tuple[str, str, int]]) -> None:
    """Tell on standard error what was not taken, and why."""
    for name, reason, count in passed_over[:_MOST_TOLD]:
        click.echo(printable(f"{name}: {count} passed over: {reason}"), err=True)
    if rest := passed_over[_MOST_TOLD:]:
        click.echo(f"... and {sum(count for *_, count in rest)} more; --json tells them all", err=True)


def _told(done: TakenIn, cassette: Path) -> Iterator[str]:
    yield f"{counted(done.added, 'recording')} imported into {cassette}."
    if done.replaced:
        yield f"{done.replaced} of them replaced what was there."
    if done.renumbered:
        yield f"{done.renumbered} of them became later takes of calls that were there."
    if done.there_already:
        yield f"{counted(done.there_already, 'recording')} {_were(done.there_already)} there already."
    if done.gave_way:
        yield f"{counted(done.gave_way, 'recording')} gave way to others."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
