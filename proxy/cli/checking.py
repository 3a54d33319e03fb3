"""`verify`: what is wrong with a cassette, and what can be saved of a damaged one.

Rule: each finding is told when it is found, with what to do about it the first time that one of its kind is. Of many
alike a person is shown the first, a program all.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette.checkup import Checkup
from proxy.cassette.recovery import keying_of, recover
from proxy.cassette.wreck import Wreck
from proxy.cli.arguments import CASSETTES, CONFIG, JSON, cassettes_of, config_of
from proxy.cli.document import print_list
from proxy.cli.progress import progress
from proxy.cli.screen import Screen, styled
from proxy.cli.wording import counted, on_one_line
from proxy.core.finding import Level
from proxy.core.redact import redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.cassette.recovery import Salvage
    from proxy.config import Config
    from proxy.core.canonical import Json
    from proxy.core.finding import Finding

_MOST_SHOWN: Final = 20
_INDENT: Final = 2
_LABEL: Final = 8
_LOST: Final = "lost"
_STYLES: Final = {Level.FAULT: "bold red", Level.NOTE: "blue"}


@click.command(short_help="Find all that is wrong with a cassette.")
@CASSETTES
@click.option("--recover", "out", metavar="NEW", type=click.Path(path_type=Path), help="Save what can be read.")
@CONFIG
@JSON
def verify(cassettes: tuple[Path, ...], out: Path | None, file: Path | None, *, as_json: bool) -> None:
    """Find all that is wrong with a cassette, and say what to do about it; of none that is named, the configured one.

    Faults end it with status 1: damage, keys that do not match their requests, streams that do not parse or do not
    end, secrets, conflicts of a merge that nobody settled. Notes do not: incomplete recordings, keys of other rules.
    Nothing is changed.

    --recover writes what can still be read of a damaged cassette into a new one, without the recordings that are not
    whole; its status is 1 where any are lost.

    \b
    llmtape verify cassettes/default.sqlite
    llmtape verify cassettes/default.sqlite tests/chat.sqlite --json | jq '.[] | select(.level == "fault")'
    llmtape verify --recover saved.sqlite tests/chat.sqlite

    \b
    --json is a list of objects, one a finding: cassette, level (fault or note), kind (a word for
    programs), what, name and lane (the recording's that it is about, else null), advice. With
    --recover one a recording: name, lane, is_recovered, loss (why it is not, else null).
    """  # noqa: D301  click wants the character
    config = config_of(file)
    named = cassettes_of(cassettes, config)
    if out is None:
        is_well = _verify(named, config, as_json=as_json)
    elif len(named) == 1:
        is_well = _recover(named[0], out, config, as_json=as_json)
    else:
        raise click.UsageError("--recover takes one cassette.")
    sys.exit(0 if is_well else 1)


def _verify(cassettes: tuple[Path, ...], config: Config, *, as_json: bool) -> bool:
    """Check cassettes one after the other; tell whether all are without fault."""
    secrets = redactor(config.redact.patterns, responses=config.redact.responses)
    checks = [_Check(Checkup(cassette, config.rules, secrets)) for cassette in cassettes]
    if as_json:
        print_list(_document(check.checkup.path, found) for check in checks for found in check.findings())
    else:
        screen = Screen()
        for check in checks:
            screen.show(check.lines(screen))
    return not any(check.levels[Level.FAULT] for check in checks)


@dataclass(slots=True)
class _Check:
    """The check of one cassette, and what it came to so far."""

    checkup: Checkup
    levels: Counter[Level] = field(default_factory=Counter)
    recordings: int = 0

    def findings(self) -> Iterator[Finding]:
        with self.checkup:
            for found in self._all():
                self.levels[found.level] += 1
                yield found

    def _all(self) -> Iterator[Finding]:
        checkup = self.checkup
        yield from checkup.file()
        for found in progress(checkup.interactions(), len(checkup), f"checking {checkup.path.name}"):
            self.recordings += 1
            yield from found

    def lines(self, screen: Screen) -> Iterator[Text]:
        shown = _Shown()
        for found in self.findings():
            if shown.takes(found.kind):
                yield from _lines(screen, found, self.checkup.path, is_first=shown.counts[found.kind] == 1)
        yield from shown.rest(screen)
        checked = f": {counted(self.recordings, 'recording')} checked, "
        yield from screen.block(styled((str(self.checkup.path), "bold"), checked, *self._verdict()))

    def _verdict(self) -> Iterator[str | tuple[str, str]]:
        faults, notes = (counted(self.levels[level], level) for level in Level)
        yield (faults, _STYLES[Level.FAULT] if self.levels[Level.FAULT] else "green")
        yield f", {notes}."


def _recover(cassette: Path, out: Path, config: Config, *, as_json: bool) -> bool:
    """Save what can be read of a cassette; tell whether that is all of it."""
    with Wreck(cassette) as wreck:
        for _ in progress(wreck.search(), wreck.pages, f"searching {cassette.name}"):
            pass
        keying = keying_of(wreck, config.rules)
        if keying.is_assumed:
            click.echo("What made its keys cannot be read any more: the config's rules are taken for it.", err=True)
        saving = _Saving()
        salvaged = progress(saving.counted(recover(wreck, out, keying)), len(wreck.ids()), "recovering")
        if as_json:
            print_list(_salvage(it) for it in salvaged)
        else:
            screen = Screen()
            screen.show(_losses(screen, salvaged))
            saved = counted(saving.saved, "recording")
            verdict = f": {saved} recovered, {saving.lost or 'none'} known to be lost."
            screen.show(screen.block(styled((str(out), "bold"), verdict)))
    return not saving.lost


@dataclass(slots=True)
class _Saving:
    """How many recordings were saved so far."""

    saved: int = 0
    lost: int = 0

    def counted(self, salvaged: Iterator[Salvage]) -> Iterator[Salvage]:
        for it in salvaged:
            self.saved += not it.loss
            self.lost += bool(it.loss)
            yield it


@dataclass(slots=True)
class _Shown:
    """How many there were of each kind; more than a few alike are not shown."""

    counts: Counter[str] = field(default_factory=Counter)

    def takes(self, kind: str) -> bool:
        """Count one more; tell whether it is still shown."""
        self.counts[kind] += 1
        return self.counts[kind] <= _MOST_SHOWN

    def rest(self, screen: Screen) -> Iterator[Text]:
        for kind, count in self.counts.items():
            if count > _MOST_SHOWN:
                yield from screen.block(styled((f"and {count - _MOST_SHOWN:,} more: {kind}", "dim")), _LABEL)


def _lines(screen: Screen, found: Finding, path: Path, *, is_first: bool) -> Iterator[Text]:
    where = _where(found.name, found.lane)
    yield from screen.block(styled(*where, found.what), _LABEL, styled((found.level, _STYLES[found.level])))
    if is_first:
        yield from screen.block(styled((found.advice(str(path)), "dim")), _LABEL + _INDENT, styled(" " * _LABEL, "→"))


def _losses(screen: Screen, salvaged: Iterator[Salvage]) -> Iterator[Text]:
    shown = _Shown()
    for it in salvaged:
        if it.loss and shown.takes(_LOST):
            yield from screen.block(styled(*_where(it.name, it.lane), it.loss), _LABEL, styled((_LOST, "bold red")))
    yield from shown.rest(screen)


def _where(name: str, lane: str) -> list[str | tuple[str, str]]:
    if not name:
        return []
    of_lane: list[str | tuple[str, str]] = [" (lane ", (on_one_line(lane), "magenta"), ")"] if lane else []
    return [(name, "cyan"), *of_lane, ": "]


def _document(path: Path, found: Finding) -> dict[str, Json]:
    is_about_one = bool(found.name)
    return {
        "cassette": str(path),
        "level": found.level,
        "kind": found.kind,
        "what": found.what,
        "name": found.name if is_about_one else None,
        "lane": found.lane if is_about_one else None,
        "advice": found.advice(str(path)),
    }


def _salvage(it: Salvage) -> dict[str, Json]:
    return {"name": it.name, "lane": it.lane, "is_recovered": not it.loss, "loss": it.loss or None}
