"""What makes git understand cassettes, in one repository: written by `git install`, taken back by `git uninstall`.

Rule: only what is written here is taken back, and what is there already is left as it stands. In files it is a block of
lines below a remark; in the config, settings of our own name.
"""

from __future__ import annotations

import shlex
import sys
import sysconfig
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.cli.transcript import HEAD
from proxy.core.errors import ConfigError, GitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.cli.repository import Repository

DRIVER: Final = "merge=llmtape"
"""The attribute of files that are merged by us."""

_ATTRIBUTES: Final = f"diff=llmtape {DRIVER} -text"
_BESIDE: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of ours in a file of the repository's, below a remark that tells them from others."""

    name: str
    remark: str
    endings: tuple[str, ...]

    def added_to(self, text: str, lines: Iterable[str]) -> str:
        """Add the lines that are not in a text, at the end of the block, which is made at the end of the text."""
        held = _lines(text)
        bare = [line.rstrip("\r") for line in held]
        missing = [line for line in lines if line not in bare]
        if not missing:
            return text
        if self.remark not in bare:
            return _text([*held, self.remark, *missing])
        end = self._place(bare).stop
        return _text([*held[:end], *missing, *held[end:]])

    def removed_from(self, text: str) -> str:
        """Take the block out of a text."""
        held = _lines(text)
        place = self._place([line.rstrip("\r") for line in held])
        return _text([*held[: place.start], *held[place.stop :]]) if place else text

    def _place(self, lines: Sequence[str]) -> range:
        """Tell where the block stands: the remark, and the lines of ours that follow it."""
        if self.remark not in lines:
            return range(0)
        start = lines.index(self.remark)
        own = takewhile(lambda line: line.endswith(self.endings), lines[start + 1 :])
        return range(start, start + 1 + len(list(own)))


ATTRIBUTES: Final = Block(
    ".gitattributes",
    "# llmtape: each clone runs `llmtape git install` once, since git shares no config",
    (f" {_ATTRIBUTES}",),
)
IGNORED: Final = Block(".gitignore", "# llmtape: what stands beside a cassette while it is recorded", _BESIDE)


def lines_for(patterns: Iterable[str]) -> Mapping[Block, list[str]]:
    """Return what stands in each file for cassettes of these names. Raises ConfigError."""
    named = [_checked(pattern) for pattern in patterns]
    return {
        ATTRIBUTES: [f"{_quoted(pattern)} {_ATTRIBUTES}" for pattern in named],
        IGNORED: [f"{pattern}{ending}" for pattern in named for ending in _BESIDE],
    }


def settings() -> dict[str, str]:
    """Return the settings of git's that name this very llmtape."""
    command = shlex.join(command_line())
    return {
        "diff.llmtape.textconv": f"{command} git textconv --",  # a file's name may begin with a hyphen
        "diff.llmtape.xfuncname": HEAD,
        "merge.llmtape.name": "llmtape, recording by recording",
        "merge.llmtape.driver": f"{command.replace('%', '%%')} git merge-driver -- %O %A %B %P",
    }


def command_line() -> list[str]:
    """Return what runs this llmtape from any folder, whatever is on the PATH."""
    script = Path(sysconfig.get_path("scripts")) / "llmtape"
    # Without -P a folder `proxy` in the repository would be taken for ours.
    return [str(script)] if script.exists() else [sys.executable, "-P", "-m", "proxy"]


def install(repository: Repository, patterns: Sequence[str]) -> None:
    """Write lines and settings, where they are not there already. Raises ConfigError, GitError."""
    for block, lines in lines_for(patterns).items():
        _rewrite(repository.top / block.name, partial(block.added_to, lines=lines))
    for name, value in settings().items():
        repository.set(name, value)


def uninstall(repository: Repository) -> None:
    """Take back what `install` wrote; a file in which nothing else stands goes. Raises GitError."""
    for block in (ATTRIBUTES, IGNORED):
        _rewrite(repository.top / block.name, block.removed_from)
    for name in settings():
        repository.set(name, None)


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    try:
        before = path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""
        after = change(before)
        if after == before:
            return
        if after:
            path.write_bytes(after.encode("utf-8", "surrogateescape"))
        else:
            path.unlink()
    except OSError as error:
        raise GitError(f"cannot write {path}: {error.strerror}") from error


def _checked(pattern: str) -> str:
    """Refuse what git takes for something else than a pattern. Raises ConfigError."""
    if not pattern or pattern.startswith(("#", "!", "-")) or not pattern.isprintable():
        raise ConfigError(f"{pattern!r} is no pattern of files, such as '*.sqlite' or 'cassettes/**'")
    return pattern


def _quoted(pattern: str) -> str:
    """Write a pattern as `.gitattributes` takes it."""
    if " " not in pattern and not pattern.startswith('"'):
        return pattern
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
