"""`grep`: where a text stands in what was asked and answered.

Rule: each match is told before the next is looked for. How it is told is one thing (a line, a name, a number, or
JSON of each of them), what is found another.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

import click

from proxy.cassette.reader import Reader
from proxy.cli.arguments import CASSETTES, CHOICE, CONFIG, JSON, cassettes_of, config_of
from proxy.cli.document import named, print_list
from proxy.cli.excerpt import excerpt
from proxy.cli.screen import Screen, styled
from proxy.cli.searching import Match, Search
from proxy.cli.wording import counted
from proxy.core.matching import compiled, lines
from proxy.core.passages import Side

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.text import Text

    from proxy.core.canonical import Json
    from proxy.core.choice import Choice
    from proxy.core.model import Take
    from proxy.core.rules import Rules

_NOTHING_FOUND: Final = 1


@click.command(short_help="Find text in prompts and answers.")
@click.argument("pattern")
@CASSETTES
@click.option("-i", "--ignore-case", "ignores_case", is_flag=True, help="In capitals or not.")
@click.option("-F", "--fixed-strings", "is_fixed", is_flag=True, help="PATTERN is a text, and no regular expression.")
@click.option("--in", "side", type=click.Choice([side.value for side in Side]), help="Only on this side.")
@click.option("--all", "tells_all", is_flag=True, help="A text also where it comes again.")
@click.option("-l", "--files-with-matches", "names_only", is_flag=True, help="Only the names of takes.")
@click.option("-c", "--count", "counts_only", is_flag=True, help="Only how many takes there are.")
@CHOICE
@CONFIG
@JSON
def grep(  # noqa: PLR0913  an argument an option
    pattern: str,
    cassettes: tuple[Path, ...],
    choice: Choice,
    side: str | None,
    file: Path | None,
    *,
    ignores_case: bool,
    is_fixed: bool,
    tells_all: bool,
    names_only: bool,
    counts_only: bool,
    as_json: bool,
) -> None:
    """Find a pattern in what was asked and answered, and show the lines that have it.

    PATTERN is a regular expression as Python has it. Searched are all messages of a prompt, with tool calls and
    results, and all choices of an answer, with tool calls, refusals and errors. Without a CASSETTE it is the
    configured one.

    An agent sends its conversation again with every turn: a text is shown where it first occurs in a cassette. To -l
    and -c every take counts that has it. The exit status is 1 where nothing was found.

    \b
    llmtape grep refund
    llmtape grep -i 'order [0-9]+' cassettes/default.sqlite tests/chat.sqlite
    llmtape grep --in answer -F "I cannot" tests/chat.sqlite --model 'gpt-4o*'
    llmtape grep -l 'weather[(]' tests/chat.sqlite

    \b
    --json is a list of objects, one a text: cassette, name, key, take, variant, lane, side (prompt or
    answer), author, path (where in the body), text, matches [[start, end]] (characters of the text);
    with -l one a take, up to lane; with -c one a cassette: cassette, count.
    """  # noqa: D301  click wants the character
    config = config_of(file)
    search = Search(
        compiled(pattern, is_fixed=is_fixed, ignores_case=ignores_case), Side(side) if side else None, choice
    )
    readers = _opened(cassettes_of(cassettes, config), config.rules)
    told: Iterable[_Told]
    if counts_only:
        told = counts = [_Count(reader.path, sum(1 for _ in search.takes(reader))) for reader in readers]
        is_found = any(count.number for count in counts)
    else:
        found = _names(search, readers) if names_only else _texts(search, readers, tells_all=tells_all)
        first = next(found, None)
        is_found = first is not None
        told = chain([first] if first else [], found)
    if as_json:
        print_list(item.document() for item in told)
    else:
        screen = Screen()
        is_prefixed = len(cassettes) > 1
        screen.show(line for item in told for line in item.lines(screen.width, is_prefixed=is_prefixed))
    sys.exit(0 if is_found else _NOTHING_FOUND)


class _Told(Protocol):
    """What one finding is, for programs and for people."""

    def document(self) -> dict[str, Json]: ...

    def lines(self, width: int, *, is_prefixed: bool) -> Iterator[Text]: ...


@dataclass(frozen=True, slots=True)
class _Count:
    """How many takes of a cassette have a match."""

    path: Path
    number: int

    def document(self) -> dict[str, Json]:
        return {"cassette": str(self.path), "count": self.number}

    def lines(self, width: int, *, is_prefixed: bool) -> Iterator[Text]:
        del width
        yield _prefix(self.path, is_prefixed=is_prefixed) + styled(str(self.number))


@dataclass(frozen=True, slots=True)
class _Name:
    """A take that has a match."""

    path: Path
    take: Take

    def document(self) -> dict[str, Json]:
        return {"cassette": str(self.path), **named(self.take)}

    def lines(self, width: int, *, is_prefixed: bool) -> Iterator[Text]:
        del width
        yield _prefix(self.path, is_prefixed=is_prefixed) + styled((self.take.name, "cyan"))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that matches."""

    path: Path
    match: Match
    pattern: re.Pattern[str]

    def document(self) -> dict[str, Json]:
        passage = self.match.passage
        return {
            "cassette": str(self.path),
            **named(self.match.take),
            "side": passage.side,
            "author": passage.author or None,
            "path": passage.path,
            "text": passage.text,
            "matches": [match.span() for match in self.pattern.finditer(passage.text)],
        }

    def lines(self, width: int, *, is_prefixed: bool) -> Iterator[Text]:
        passage = self.match.passage
        title = _prefix(self.path, is_prefixed=is_prefixed)
        title.append_text(styled((self.match.take.name, "cyan"), " ", (f"{passage.title}:", "green"), " "))
        return (excerpt(title, line, width) for line in lines(self.pattern, passage.text))


def _opened(cassettes: Iterable[Path], rules: Rules) -> Iterator[Reader]:
    for cassette in cassettes:
        with Reader(cassette, rules) as reader:
            yield reader


def _names(search: Search, readers: Iterable[Reader]) -> Iterator[_Told]:
    return (_Name(reader.path, take) for reader in readers for take in search.takes(reader))


def _texts(search: Search, readers: Iterable[Reader], *, tells_all: bool) -> Iterator[_Told]:
    again = 0
    for reader in readers:
        for match in search.matches(reader):
            if match.is_again and not tells_all:
                again += 1
            else:
                yield _Text(reader.path, match, search.pattern)
    if again:
        click.echo(f"The same texts come again {counted(again, 'time')}: --all shows each.", err=True)


def _prefix(cassette: Path, *, is_prefixed: bool) -> Text:
    return styled((str(cassette), "magenta"), ":") if is_prefixed else styled()
