"""`rm` and `prune`: recordings that are to go.

Rule: what goes is told, or with --dry-run would go; a new file without it takes the old one's place, or nothing
changes. What nobody named is never removed.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette.reader import Reader
from proxy.cli import document, listing, wording
from proxy.cli.arguments import CASSETTE, CHOICE, CONFIG, DRY_RUN, JSON, rules_of
from proxy.cli.choosing import chosen, warn
from proxy.cli.progress import progress, waiting
from proxy.cli.screen import Screen, styled
from proxy.core.pruning import Likeness
from proxy.core.pruning import prune as pruned
from proxy.core.receipt import Named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.text import Text

    from proxy.cassette.reader import Entry
    from proxy.core.choice import Choice
    from proxy.core.pruning import Pruning
    from proxy.core.receipt import CassetteSheet
    from proxy.core.rules import Rules

_MOST_LISTED: Final = 20


@click.command(short_help="Remove recordings.")
@CASSETTE
@click.argument("keys", metavar="[KEY[:TAKE]]...", nargs=-1)
@CHOICE
@DRY_RUN
@CONFIG
@JSON
def rm(
    cassette: Path, keys: tuple[str, ...], choice: Choice, file: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Remove recordings from a cassette: those of the keys, those that the options choose, or where both are given
    those of the keys that are also chosen.

    Nothing is left of them in the file: neither their requests, as far as no other recording shares them, nor free
    pages. Other takes keep their numbers.

    \b
    llmtape rm cassettes/default.sqlite 3f2a9c:1
    llmtape rm cassettes/default.sqlite --lane 'tests/test_old.py::*' --dry-run
    llmtape rm tests/chat.sqlite --model gpt-3.5-turbo --older 90d

    \b
    --json is an object: removed [{name, key, take, variant, lane}], kept (how many), written.
    """  # noqa: D205, D301  click wants the character
    if not keys and choice.is_all:
        raise click.UsageError("Name the KEYs to remove, or choose them by an option such as --lane.")
    rules = rules_of(file)
    with Reader(cassette, rules) as reader:
        warn(reader, choice)
        wanted = {take.id for key in keys for take in reader.find(key)}
        named = (entry for entry in reader.entries() if not keys or entry.take.id in wanted)
        searched = progress(named, len(wanted) or len(reader), f"searching {cassette.name}")
        doomed = list(chosen(reader, searched, choice))
        told = _told(reader, doomed, is_dry=dry_run, as_json=as_json)
    if doomed and not dry_run:
        _remove(cassette, doomed, rules)
    told()


@click.command(short_help="Remove what no run plays any more.")
@CASSETTE
@click.argument("receipts", metavar="RECEIPT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@CHOICE
@DRY_RUN
@click.option("--force", is_flag=True, help="Also where a run is a bad witness: calls missed, or tests failed.")
@CONFIG
@JSON
def prune(
    cassette: Path,
    receipts: tuple[Path, ...],
    choice: Choice,
    file: Path | None,
    *,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Remove the recordings that none of the runs played which the RECEIPTs tell of.

    A receipt is what `llmtape replay --report FILE.json` or `pytest --llmtape-report FILE.json` writes: give those of
    all suites that use the cassette, each run whole. What was recorded since, and what the runs did not know, stays.
    Where calls missed or tests failed nothing is removed, and the exit status is 1, unless --force is given.

    \b
    llmtape replay -c cassettes/default.sqlite --report receipt.json -- pytest
    llmtape prune cassettes/default.sqlite receipt.json --dry-run
    llmtape prune cassettes/default.sqlite receipt.json --force --lane 'tests/test_old.py::*'

    \b
    --json is an object: removed [{name, key, take, variant, lane}], kept (how many), written, doubts
    (texts: why nothing was removed, or why --force was needed).
    """  # noqa: D301  click wants the character
    rules = rules_of(file)
    with Reader(cassette, rules) as reader:
        found = _unplayed(cassette, receipts)
        is_dry = dry_run or (bool(found.doubts) and not force)
        warn(reader, choice)
        unplayed = (entry for entry in reader.entries() if found.dooms(_name(entry), entry.recorded_at))
        doomed = list(chosen(reader, unplayed, choice))
        told = _told(reader, doomed, is_dry=is_dry, as_json=as_json, doubts=found.doubts)
    if doomed and not is_dry:
        _remove(cassette, doomed, rules)
    told()
    if found.doubts and not force:
        for doubt in found.doubts:
            click.echo(wording.printable(doubt), err=True)
        click.echo("Nothing was removed: run the suites again, or say --force.", err=True)
        sys.exit(1)


def _unplayed(cassette: Path, files: Sequence[Path]) -> Pruning:
    """Find what no run played; a sheet tells of the cassette by its content or path, or as a namesake elsewhere."""
    from proxy.receipts import digest, read  # noqa: PLC0415  only this command wants receipts

    receipts = {str(file): read(file) for file in files}
    sha256, path = digest(cassette), cassette.resolve()

    def likeness(sheet: CassetteSheet) -> Likeness:
        if sheet.sha256 == sha256 or _resolved(sheet.path) == path:
            return Likeness.SAME
        return Likeness.NAMESAKE if Path(sheet.path).name == path.name else Likeness.NONE

    found = pruned(receipts, likeness)
    for name in found.strangers:
        others = ", ".join(sheet.path for sheet in receipts[name].cassettes) or "no cassette"
        raise click.UsageError(f"{name} does not tell of {cassette}, but of {others}.")
    return found


def _resolved(path: str) -> Path | None:
    try:
        return Path(path).resolve()
    except (OSError, ValueError):  # on another machine it may be one
        return None


def _name(entry: Entry) -> Named:
    take = entry.take
    return Named(take.track.key, take.track.variant.value, take.track.lane, take.number)


def _told(
    reader: Reader, doomed: Sequence[Entry], *, is_dry: bool, as_json: bool, doubts: Sequence[str] | None = None
) -> Callable[[], None]:
    """Prepare what is to be told once it is done; what is gone by then is read now."""
    kept = len(reader) - len(doomed)
    if as_json:
        more = {} if doubts is None else {"doubts": list(doubts)}
        removed = [document.named(entry.take) for entry in doomed]
        written = bool(doomed) and not is_dry
        text = wording.document({"removed": removed, "kept": kept, "written": written, **more}, indent=2)
        return partial(click.echo, text)
    screen = Screen()
    lines = list(_listed(reader, doomed[:_MOST_LISTED], screen.width))
    if len(doomed) > _MOST_LISTED:
        lines.append(styled((f"and {len(doomed) - _MOST_LISTED:,} more", "dim")))
    verb = "would be removed" if is_dry else "removed"
    count = wording.counted(len(doomed), "recording").capitalize()
    lines.append(styled(f"{count} {verb}, {f'{kept:,}' if kept else 'none'} {'stay' if kept > 1 else 'stays'}."))
    return partial(screen.show, lines)


def _listed(reader: Reader, entries: Sequence[Entry], width: int) -> Iterator[Text]:
    if entries:
        layout = listing.plan(entries, width)
        yield layout.header()
        yield from (listing.line_of(reader, layout, entry) for entry in entries)


def _remove(cassette: Path, doomed: Sequence[Entry], rules: Rules) -> None:
    from proxy.cassette.removal import remove  # noqa: PLC0415  it imports SQLAlchemy

    with waiting("removing"):
        remove(cassette, doomed, rules)
