"""`redact`: taking out of old recordings what should not be in them.

Rule: the patterns are those that a recording here would go by, and those of the command line; a new file takes the old
one's place, or nothing changes.
"""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from proxy.cli import wording
from proxy.cli.arguments import CASSETTE, CONFIG, DRY_RUN, JSON, config_of
from proxy.cli.document import named, rekeyed
from proxy.cli.explanation import config_lines, merging_lines
from proxy.cli.progress import progress
from proxy.cli.screen import Screen, styled
from proxy.config import Redact
from proxy.core.errors import ConfigError
from proxy.core.redact import redactor
from proxy.core.rules import literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.text import Text

    from proxy.cassette.redaction import Redacted
    from proxy.core.model import Take

_MOST_NAMED = 8
_ADVICE = "To have new recordings redacted alike, and calls find these"


@click.command(short_help="Redact what was recorded before.")
@CASSETTE
@click.option("--pattern", "patterns", metavar="REGEX", multiple=True, help="Also what this expression matches.")
@click.option("--responses", is_flag=True, help="Also in responses, as with `redact.responses` in the config.")
@DRY_RUN
@click.option("--force", is_flag=True, help="Also where requests with different answers come to share a key.")
@CONFIG
@JSON
def redact(
    cassette: Path,
    patterns: tuple[str, ...],
    file: Path | None,
    *,
    responses: bool,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Replace secrets in recordings that were made before their pattern was known.

    Secrets of well-known shapes, what the config's `redact.patterns` match, and what each --pattern matches are
    replaced by placeholders of the same length. A key is made of the redacted request, as when it is recorded: let
    the config have the patterns, or the next call will miss. Nothing of what was replaced is left in the file, but
    in copies of it, and in the history of git.

    \b
    llmtape redact cassettes/default.sqlite --dry-run
    llmtape redact cassettes/default.sqlite --pattern 'cust-[0-9]{6}' --responses

    \b
    --json is an object: requests and responses ([{name, key, take, variant, lane}], as they were named),
    changed (keys), merges [{key, takes, differs}], written.
    """  # noqa: D301  click wants the character
    from proxy.cassette.redaction import redact as rewrite  # noqa: PLC0415  it imports SQLAlchemy

    config = config_of(file)
    for pattern in patterns:
        _check(pattern)
    wanted = Redact(
        patterns=tuple(dict.fromkeys((*config.redact.patterns, *patterns))),
        responses=responses or config.redact.responses,
    )
    redacting = redactor(wanted.patterns, responses=wanted.responses)

    def accepts(found: Redacted) -> bool:
        return not dry_run and (force or not found.rekeying.conflicts)

    found = rewrite(cassette, redacting, config.rules, accepts, partial(progress, doing="redacting"))
    is_written = not found.is_nothing and accepts(found)
    if as_json:
        click.echo(_document(found, is_written=is_written))
    else:
        screen = Screen()
        screen.show(_lines(screen, found, is_done=is_written))
        if wanted != config.redact:
            screen.show(config_lines(screen, _ADVICE, _section(wanted), file))
    if found.rekeying.conflicts and not force:
        click.echo(
            "Nothing was written: a test could get another test's answer. --force writes all the same.", err=True
        )
        sys.exit(1)


def _check(pattern: str) -> None:
    if not pattern:
        raise click.UsageError("--pattern is empty: give the expression to look for.")
    try:
        re.compile(pattern.encode())
    except (re.error, OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise ConfigError(f"--pattern {pattern!r} is no regular expression: {error}") from error


def _section(wanted: Redact) -> Iterator[str]:
    yield "[redact]"
    if wanted.patterns:
        yield f"patterns = [{', '.join(map(literal, wanted.patterns))}]"
    if wanted.responses:
        yield "responses = true"


def _lines(screen: Screen, found: Redacted, *, is_done: bool) -> Iterator[Text]:
    if found.is_nothing:
        yield styled("There is nothing to redact.")
        return
    verb = "redacted" if is_done else "would be redacted"
    for takes, noun in ((found.requests, "request"), (found.responses, "response")):
        if takes:
            yield from screen.block(styled(f"{wording.counted(len(takes), noun)} {verb}: {_names(takes)}"))
    if found.rekeying.changed:
        yield from merging_lines(screen, found.rekeying, is_done=is_done)


def _names(takes: Sequence[Take]) -> str:
    names = [take.name for take in takes[:_MOST_NAMED]]
    rest = [f"{len(takes) - _MOST_NAMED:,} more"] if len(takes) > _MOST_NAMED else []
    return ", ".join(names + rest)


def _document(found: Redacted, *, is_written: bool) -> str:
    return wording.document(
        {
            "requests": [named(take) for take in found.requests],
            "responses": [named(take) for take in found.responses],
            **rekeyed(found.rekeying),
            "written": is_written,
        },
        indent=2,
    )
