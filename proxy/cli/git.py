"""`git`: cassettes that live well in a repository.

Rule: what git calls (`textconv`, `merge-driver`) never fails for what a file holds: a diff goes on, and a merge leaves
ours in place. What is set up stands in this repository alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cli import clashing, installing
from proxy.cli.installing import ATTRIBUTES, IGNORED, lines_for, settings
from proxy.cli.repository import Repository
from proxy.cli.transcript import transcript
from proxy.cli.wording import printable
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from proxy.cassette.merge import Merged

_FILE = click.Path(path_type=Path)


@click.group(short_help="Let git show and merge cassettes.")
def git() -> None:
    """Let git show cassettes as text, and merge them by recording.

    \b
    llmtape git install                     set this repository up: once a clone
    git diff                                shows what was asked and answered
    git merge other-branch                  merges what both branches recorded
    llmtape merge --conflicts               lists what both recorded differently
    llmtape merge --theirs 3f2a9c           settles one of them
    """  # noqa: D301  click wants the character


@git.command(short_help="Set this repository up.")
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1)
def install(patterns: tuple[str, ...]) -> None:
    """Set up the repository here for cassettes named by PATTERN, *.sqlite where none is given.

    Written are .gitattributes and .gitignore, which are for all and to be committed, and the repository's own config,
    which git shares with nobody: so each clone needs this once. What is there already stays. Nothing global is changed.

    \b
    llmtape git install
    llmtape git install '*.sqlite' 'fixtures/*.tape'
    """  # noqa: D301  click wants the character
    repository = Repository.around(Path.cwd())
    named = patterns or ("*.sqlite",)
    installing.install(repository, named)
    for block, lines in lines_for(named).items():
        click.echo(f"{block.name}: {', '.join(lines)}")
    click.echo(f"config: {', '.join(settings())}")
    click.echo(f"Commit {ATTRIBUTES.name} and {IGNORED.name}. Each clone runs `llmtape git install` once.")


@git.command(short_help="Take that back.")
def uninstall() -> None:
    """Take back what `install` wrote, and nothing else.

    \b
    llmtape git uninstall
    """  # noqa: D301  click wants the character
    installing.uninstall(Repository.around(Path.cwd()))
    click.echo("Cassettes are binary files to git again, in this repository.")


@git.command(short_help="Write a cassette as text.")
@click.argument("file", type=_FILE)
def textconv(file: Path) -> None:
    """Write a cassette as text: what `git diff`, `git log -p` and `git show` compare.

    A file that is no cassette is told in one line; the exit status is 0 all the same, since git would show nothing.

    \b
    llmtape git textconv cassettes/default.sqlite
    """  # noqa: D301  click wants the character
    lines = (line.encode() + b"\n" for line in transcript(file))
    sys.stdout.buffer.writelines(lines)  # UTF-8 whatever the locale is: git takes it as it comes


@git.command("merge-driver", short_help="Merge, called by git.")
@click.argument("base", type=_FILE)
@click.argument("ours", type=_FILE)
@click.argument("theirs", type=_FILE)
@click.argument("path", type=_FILE, required=False)
def merge_driver(base: Path, ours: Path, theirs: Path, path: Path | None) -> None:
    """Merge THEIRS into OURS: git calls this, with three temporary files and the cassette's PATH.

    BASE is empty where both sides added the file. The exit status is 1 where something is to be settled.
    """
    name = path or ours
    try:
        merged = _merge(base, ours, theirs)
    except CassetteError as error:
        _tell(f"cannot merge {name}, ours stays: {_in_words(error, base, ours, theirs)}")
        sys.exit(1)
    for clash in merged.clashes:
        _tell(f"conflict in {name}: {clashing.named(clash)}")
    if merged.unsettled:
        _tell(f"settle it: {clashing.advice(name)}, then git add")
    sys.exit(1 if merged.unsettled else 0)


def _tell(text: str) -> None:
    click.echo(printable(f"llmtape: {text}"), err=True)


def _merge(base: Path, ours: Path, theirs: Path) -> Merged:
    from proxy.cassette.merge import merge  # noqa: PLC0415  it imports SQLAlchemy

    return merge(ours, [ours, theirs], base if base.stat().st_size else None)


def _in_words(error: CassetteError, base: Path, ours: Path, theirs: Path) -> str:
    """Name the sides, where the message has git's temporary files."""
    text = str(error)
    for path, side in ((base, "the common ancestor"), (ours, "ours"), (theirs, "theirs")):
        text = text.replace(str(path), side)
    return text
