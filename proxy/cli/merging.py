"""`merge`: one cassette of several, and the settling of what they clash on.

Rule: no recording is lost unseen: what both sides changed is told, kept in the file, and the exit status is 1 until
somebody has chosen.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cassette.facts import facts_in
from proxy.cli import clashing, wording
from proxy.cli.arguments import CONFIG, JSON, config_of
from proxy.cli.document import print_list
from proxy.cli.installing import DRIVER
from proxy.cli.progress import progress
from proxy.cli.repository import Repository
from proxy.cli.screen import Screen
from proxy.core import conflicts
from proxy.core.conflicts import Settling
from proxy.core.errors import CassetteError, GitError, KeyNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.core.conflicts import Clash, Conflict

_ALL = "all"
_FEWEST = 3  # the result, and two to merge


@click.command(short_help="Merge cassettes; settle what they clash on.")
@click.argument("paths", metavar="[OUT A B...] | [CASSETTE...]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--base", type=click.Path(path_type=Path), help="The cassette that A and B began from.")
@click.option("--conflicts", "lists", is_flag=True, help="List what is to be settled.")
@click.option("--ours", metavar="KEY", multiple=True, help="Settle by what is in place.")
@click.option("--theirs", metavar="KEY", multiple=True, help="Settle by what the other side recorded.")
@click.option("--both", metavar="KEY", multiple=True, help="Settle by ours, then theirs, as takes that play in turn.")
@CONFIG
@JSON
def merge(  # noqa: PLR0913  an argument an option
    paths: tuple[Path, ...],
    base: Path | None,
    file: Path | None,
    *,
    lists: bool,
    ours: tuple[str, ...],
    theirs: tuple[str, ...],
    both: tuple[str, ...],
    as_json: bool,
) -> None:
    """Merge cassettes A, B... into OUT, or settle what a merge left open.

    All recordings of A come first, then what only B has. Where both have a recording of the same call, in the same
    lane, that says something else, OUT plays A's; B's is kept in it, told as a conflict, and the exit status is 1. With
    --base the cassette that both began from tells whose change it is, as in git; then deleting counts, too.

    A conflict is settled by its KEY, any unique beginning of it, or all of them by `all`. Where no cassette is named,
    those are meant that git tracks and that hold conflicts; outside of git, the configured one.

    \b
    llmtape merge all.sqlite cassettes/default.sqlite tests/chat.sqlite
    llmtape merge --conflicts
    llmtape merge --theirs 3f2a9c
    llmtape merge --both all cassettes/default.sqlite

    \b
    --json is a list of conflicts: cassette, key, variant, lane, prompt (the last user message), reasons
    (how theirs differs from ours). It goes with --conflicts and with a merge.
    """  # noqa: D301  click wants the character
    chosen = [(Settling.OURS, key) for key in ours]
    chosen += [(Settling.THEIRS, key) for key in theirs]
    chosen += [(Settling.BOTH, key) for key in both]
    if lists and chosen:
        raise click.UsageError("List conflicts, or settle them: --conflicts stands alone.")
    if lists:
        _list(paths or _with_conflicts(file), as_json=as_json)
    elif chosen:
        _settle(paths or _with_conflicts(file), chosen)
    elif len(paths) < _FEWEST:
        raise click.UsageError("Name OUT and two cassettes or more, or say how a conflict is settled: --ours KEY.")
    else:
        _merge(*paths, base=base, as_json=as_json)


def _merge(out: Path, *sources: Path, base: Path | None, as_json: bool) -> None:
    from proxy.cassette.merge import merge as merge_into  # noqa: PLC0415  it imports SQLAlchemy

    if out.exists() and not any(source.exists() and out.samefile(source) for source in sources):
        raise CassetteError(f"{out} is there already: name a file that is not, or name it among those to merge")
    merged = merge_into(out, sources, base, progress)
    if as_json:
        print_list((clashing.document(out, clash) for clash in merged.clashes), indent=2)
    else:
        count = wording.counted(merged.recordings, "recording")
        click.echo(f"{out} holds {count}, {merged.taken or 'none'} of them from the others.")
        if merged.clashes:
            _tell(out, merged.clashes)
        if merged.unsettled > len(merged.clashes):
            click.echo(f"{merged.unsettled - len(merged.clashes)} more were open: llmtape merge --conflicts {out}")
    sys.exit(1 if merged.unsettled else 0)


def _tell(path: Path, clashes: Sequence[Clash]) -> None:
    count = wording.counted(len(clashes), "conflict")
    click.echo(
        f"{clashing.relative(path)}: {count}{'. Ours is in place, theirs is kept beside it:' if clashes else ''}"
    )
    if clashes:
        screen = Screen()
        screen.show(clashing.lines(screen, clashes))
        click.echo(f"Settle them: {clashing.advice(path)}")


def _list(paths: Iterable[Path], *, as_json: bool) -> None:
    from proxy.cassette.settle import clashes_in  # noqa: PLC0415  as above

    found = [(path, list(clashes_in(path))) for path in paths]
    if as_json:
        print_list((clashing.document(path, clash) for path, clashes in found for clash in clashes), indent=2)
    else:
        for path, clashes in found:
            _tell(path, clashes)
        if not found:
            click.echo("No cassette that git tracks has conflicts.")
    sys.exit(1 if any(clashes for _, clashes in found) else 0)


def _settle(paths: Sequence[Path], chosen: Sequence[tuple[Settling, str]]) -> None:
    from proxy.cassette.settle import conflicts_in, settle  # noqa: PLC0415  as above

    held = {path: conflicts_in(path) for path in paths}
    for path, settling in _planned(held, chosen).items():
        _report(path, len(settling), settle(path, settling))


def _planned(
    held: Mapping[Path, Mapping[str, Conflict]], chosen: Iterable[tuple[Settling, str]]
) -> dict[Path, dict[str, Settling]]:
    """Say how each conflict is settled; what is named by its key is no matter of `all`."""
    planned: dict[Path, dict[str, Settling]] = {}
    keys: set[tuple[Path, str]] = set()
    for how, prefix in sorted(chosen, key=lambda pair: pair[1] == _ALL):
        named = [item for item in _named(held, prefix) if prefix != _ALL or item not in keys]
        for path, name in named:
            if planned.setdefault(path, {}).setdefault(name, how) is not how:
                raise click.UsageError(f"{prefix} is settled in two ways: say one of them.")
        if prefix != _ALL:
            keys.update(named)
    return planned


def _named(held: Mapping[Path, Mapping[str, Conflict]], prefix: str) -> list[tuple[Path, str]]:
    """Return the conflicts that `all`, or a unique beginning of a key, names. Raises KeyNotFoundError."""
    where = ", ".join(map(clashing.relative, held)) or "any cassette"
    every = [(path, name, conflict.track.key) for path, named in held.items() for name, conflict in named.items()]
    found = [item for item in every if prefix == _ALL or item[-1].startswith(prefix.lower())]
    if not found or not prefix:
        raise KeyNotFoundError(f"no conflict {prefix!r} in {where}: `llmtape merge --conflicts` lists them")
    if prefix != _ALL and len({key for *_, key in found}) > 1:
        raise KeyNotFoundError(f"{prefix!r} is the beginning of several keys in {where}: give more digits")
    return [(path, name) for path, name, _ in found]


def _report(path: Path, settled: int, left: int) -> None:
    name = clashing.relative(path)
    click.echo(f"{name}: {wording.counted(settled, 'conflict')} settled, {left or 'none'} left.")
    if not left and _is_in_git(path):
        click.echo(f"Now: git add {shlex.quote(name)}")


def _is_in_git(path: Path) -> bool:
    try:
        Repository.around(path.absolute().parent)
    except GitError:
        return False
    return True


def _with_conflicts(file: Path | None) -> tuple[Path, ...]:
    """Return the cassettes that git tracks and that hold conflicts, or the configured one, where git has none."""
    try:
        tracked = Repository.around(Path.cwd()).tracked(DRIVER)
    except GitError:
        tracked = []
    found = tuple(filter(_has_conflicts, tracked))
    configured = Path(config_of(file).cassette)
    return found if found or (tracked and not configured.exists()) else (configured,)


def _has_conflicts(path: Path) -> bool:
    try:
        return any(map(conflicts.is_one, facts_in(path)))
    except CassetteError:
        return False
