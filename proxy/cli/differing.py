"""`diff`: what a new model or prompt did to recordings.

Rule: reads both cassettes, changes neither. Of all interactions only keys and ids are held in memory; two answers at a
time are compared, and told as soon as they are. Exit status 1 by the worst verdict that `--fail-on` names.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette.reader import Reader
from proxy.cli.arguments import CONFIG, JSON, rules_of
from proxy.cli.contrast import ALONE, STANDINGS, Contrast, Layout, Tally
from proxy.cli.document import print_list
from proxy.cli.progress import progress
from proxy.cli.screen import Screen
from proxy.cli.wording import document
from proxy.core.comparison import Side, match_near, match_same
from proxy.core.mismatch import Difference, differences
from proxy.core.normalize import normalize
from proxy.core.verdict import Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.core.model import Take
    from proxy.core.rules import Rules

_KEY: Final = re.compile(r"[0-9a-fA-F]{1,64}(:\d+)?")
_NONE: Final = "none"
_TOLD: Final = (Verdict.REWORDED, Verdict.CHANGED, ALONE)
_FORMS: Final = "Name CASSETTE CASSETTE, or CASSETTE KEY KEY, or CASSETTE KEY CASSETTE KEY; each cassette must exist."


@click.command(short_help="Compare two cassettes, or two recordings.")
@click.argument("words", metavar="CASSETTE [KEY[:TAKE]] [CASSETTE] [KEY[:TAKE]]", nargs=-1, required=True)
@click.option("--verdict", "told", multiple=True, type=click.Choice(STANDINGS), help="List pairs of this verdict.")
@click.option("--summary", is_flag=True, help="Only how many there are, and what differs.")
@click.option(
    "--fail-on",
    type=click.Choice([*STANDINGS[1:], _NONE]),
    default=Verdict.CHANGED.value,
    show_default=True,
    help="The least verdict that makes the exit status 1.",
)
@CONFIG
@JSON
def diff(
    words: tuple[str, ...], told: tuple[str, ...], fail_on: str, file: Path | None, *, summary: bool, as_json: bool
) -> None:
    """Tell what became of the answers between two cassettes, or two recordings.

    Recordings of the same request are compared, take by take. What is left is paired with the recording on the other
    side that is nearest, because a request to a new model, or with another prompt, has another key.

    \b
    identical  the same; ids, times, token counts and whether it was streamed do not count
    reworded   the same tool calls, finish reasons, number of choices and JSON shape, in other words
    changed    others of these, or another refusal, error, status or outcome
    missing    on one side alone

    Those that are identical are counted and not listed, unless --verdict identical asks for them. The exit status is 1
    where there is a pair of the verdict that --fail-on names, or of one further down in this list.

    \b
    llmtape diff cassettes/default.sqlite tests/chat.sqlite
    llmtape diff cassettes/default.sqlite tests/chat.sqlite --summary --fail-on reworded
    llmtape diff cassettes/default.sqlite tests/chat.sqlite --verdict changed --json
    llmtape diff cassettes/default.sqlite 3f2a9c:1 3f2a9c:2
    llmtape diff cassettes/default.sqlite 3f2a9c tests/chat.sqlite 3f2a9c

    \b
    --json is a list of objects, one a pair: verdict, one and other {name, key, take, variant, lane}
    (null where there is none), request and answer [{path, one, other}] (the fields that differ; a
    side that lacks one is left out), reasons (in words); with --summary one object: identical,
    reworded, changed, only_one, only_other (how many), request and answer {path: in how many pairs}.
    """  # noqa: D301  click wants the character
    one, other = _sides(words)
    rules = rules_of(file)
    tally = Tally()
    with Reader(one.cassette, rules) as reader, Reader(other.cassette, rules) as its:
        wanted = STANDINGS if summary else (told or _TOLD)
        comparing = _Comparing(reader, its, rules, wanted)
        found = comparing.all() if one.key is None else comparing.named(one.key, other.key or one.key)
        counted = tally.counting(found)
        shown = (contrast for contrast in counted if contrast.standing in wanted)
        screen = Screen()
        if summary:
            deque(counted, maxlen=0)
        elif as_json:
            print_list(contrast.json() for contrast in shown)
        else:
            layout = Layout(screen, reader, its)
            screen.show(line for contrast in shown for line in layout.lines(contrast))
    paths = str(one.cassette), str(other.cassette)
    if summary and as_json:
        click.echo(document(tally.json(), indent=2))
    elif not as_json:
        screen.show(tally.lines(*paths) if summary else tally.line(screen, *paths))
    sys.exit(1 if tally.fails(fail_on) else 0)


@dataclass(frozen=True, slots=True)
class _Named:
    """A cassette, and which of its recordings are meant; all where there is no key."""

    cassette: Path
    key: str | None = None


def _sides(words: Sequence[str]) -> tuple[_Named, _Named]:
    """Read what is to be compared. Raises UsageError."""
    match [_is_key(word) for word in words]:
        case [False, False]:
            return _Named(Path(words[0])), _Named(Path(words[1]))
        case [False, True, True]:
            return _Named(Path(words[0]), words[1]), _Named(Path(words[0]), words[2])
        case [False, True, False, True]:
            return _Named(Path(words[0]), words[1]), _Named(Path(words[2]), words[3])
    raise click.UsageError(_FORMS)


def _is_key(word: str) -> bool:
    return bool(_KEY.fullmatch(word)) and not Path(word).exists()


@dataclass(frozen=True, slots=True)
class _Comparing:
    """Compares what two cassettes hold. Requests are compared where the verdict on their answers is `wanted`."""

    one: Reader
    other: Reader
    rules: Rules
    wanted: Sequence[str]

    def all(self) -> Iterator[Contrast]:
        """Compare all: first the recordings of the same request, then those that are near, then what is left."""
        same = match_same(*map(self._takes, (self.one, self.other)))
        for one, other in progress(same.pairs, len(same.pairs), "comparing"):
            yield self._contrast(one, other)
        near = match_near(
            Side(same.only_one, lambda take: normalize(self.one.request(take), self.rules)),
            Side(same.only_other, lambda take: normalize(self.other.request(take), self.rules)),
            progress,
        )
        for one, other in progress(near.pairs, len(near.pairs), "comparing"):
            yield self._contrast(one, other)
        yield from (Contrast(take, None) for take in near.only_one)
        yield from (Contrast(None, take) for take in near.only_other)

    def named(self, key: str, its: str) -> Iterator[Contrast]:
        """Compare the takes of two keys in order. Raises KeyNotFoundError."""
        for one, other in zip_longest(self.one.find(key), self.other.find(its)):
            yield self._contrast(one, other) if one and other else Contrast(one, other)

    def _takes(self, reader: Reader) -> Iterator[Take]:
        for entry in progress(reader.entries(), len(reader), "reading"):
            yield entry.take

    def _contrast(self, one: Take, other: Take) -> Contrast:
        answers = compare(self.one.response(one)[0], self.other.response(other)[0])
        asked = self._asked(one, other) if answers.verdict in self.wanted else ()
        return Contrast(one, other, answers, tuple(asked))

    def _asked(self, one: Take, other: Take) -> Iterator[Difference]:
        """Tell what differs between two requests; what does not count for the key is no difference."""
        for name in ("lane", "variant"):
            mine, theirs = getattr(one.track, name), getattr(other.track, name)
            if mine != theirs:
                yield Difference(name, str(mine), str(theirs))
        if one.track.key != other.track.key:
            asked, its = (
                normalize(reader.request(take), self.rules).content
                for reader, take in ((self.one, one), (self.other, other))
            )
            for found in differences(asked, its):
                yield replace(found, path=found.path.removeprefix("body."))
