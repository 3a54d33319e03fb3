"""The git repository that a command is called in.

Rule: git is asked, never second-guessed: what a work tree is, where its files are and what is set for them is told by
git itself. Nothing here writes outside of the repository, nor any setting but its own.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from proxy.core.errors import GitError


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a work tree; `top` is its uppermost folder."""

    top: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Find the one that a folder is in. Raises GitError where there is none, or git is not there."""
        try:
            top = _git(folder, "rev-parse", "--show-toplevel")
        except GitError as error:
            raise GitError(f"{folder.absolute()} is in no work tree of git: {error}") from error
        return cls(Path(top.removesuffix("\n")))

    def setting(self, name: str) -> str | None:
        """Return what the repository's own config says, None where it says nothing."""
        found = _run(self.top, "config", "--local", "--get", name)
        return found.stdout.removesuffix("\n") if found.returncode == 0 else None

    def set(self, name: str, value: str | None) -> None:
        """Set it in the repository's own config; None takes the setting away. Raises GitError."""
        if value is not None:
            _git(self.top, "config", "--local", name, value)
        elif self.setting(name) is not None:
            _git(self.top, "config", "--local", "--unset-all", name)

    def tracked(self, attribute: str) -> list[Path]:
        """Return the tracked files that have an attribute, such as `merge=llmtape`. Raises GitError."""
        listed = _git(self.top, "ls-files", "-z", "--", f":(top,attr:{attribute})")
        return [self.top / name for name in dict.fromkeys(listed.split("\0")) if name]


def _git(folder: Path, *arguments: str) -> str:
    done = _run(folder, *arguments)
    if done.returncode:
        raise GitError(done.stderr.strip().removeprefix("fatal: ") or f"`git {arguments[0]}` failed")
    return done.stdout


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    try:
        return subprocess.run(  # noqa: S603  no shell, and no argument of another's making
            command, cwd=folder, capture_output=True, check=False, encoding="utf-8", errors="surrogateescape"
        )
    except FileNotFoundError as error:
        raise GitError("git is not to be found: install it, or put it on the PATH") from error
    except OSError as error:
        raise GitError(f"git cannot be run: {error.strerror}") from error
