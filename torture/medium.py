"""Cassettes on a medium that nobody can write to.

Rule: a mount that is read-only in a mount namespace of its own, so that the kernel refuses every write, be it root's.
What lies there was left by a recorder in good order, or by one that was killed, with or without its log.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final

from torture import killed
from torture.account import check_replay
from torture.item import BrokenPromiseError, check
from torture.recorder import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from torture.account import Held
    from torture.item import Advance

SEED: Final = 20261125
_MOUNT: Final = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'

LEFT: Final = {
    "with its log": (),
    "without the index": ("-shm",),
    "alone": ("-wal", "-shm"),
    "at rest": (),
}
"""What lies on the medium, and what is missing of what a killed recorder left."""

_UNREADABLE: Final = "without the index"
"""SQLite reads a log by the index beside it, and can make none there: that must be told."""

_TOLD: Final = "which SQLite cannot read where it may not write"


def read_only(folder: Path) -> tuple[str, ...]:
    """Return what a command is started by, for which a folder is read-only; nothing where the system has no such."""
    within = ("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, str(folder))
    try:
        tried = subprocess.run([*within, "touch", str(folder / "tried")], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return ()
    return within if "Read-only file system" in tried.stderr else ()


def medium(count: int, folder: Path, advance: Advance, seed: int = SEED) -> str:
    """Replay so many cassettes from a read-only medium."""
    if not read_only(folder):
        return "not run: this system lets nobody mount a folder read-only in a namespace of its own"
    outcomes: Counter[str] = Counter()

    async def replay_all() -> None:
        for number in range(count):
            left = list(LEFT)[number % len(LEFT)]
            cassette = folder / f"{number}" / "medium" / "tape.sqlite"
            cassette.parent.mkdir(parents=True)
            outcomes[left] += await _replay(cassette, left, Random(f"{seed} {number}"))
            advance()

    try:
        asyncio.run(replay_all())
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{error} (seed {seed})") from error
    played = ", ".join(f"{number:,} {left}" for left, number in outcomes.items() if left != _UNREADABLE)
    return f"played byte for byte: {played}; {_UNREADABLE} of its log each was refused in words"


async def _replay(path: Path, left: str, random: Random) -> int:
    """Record, put what is left on the medium, and replay it there; return how many answers were played."""
    tormented = killed.Tormented(path, random, killed.Figures())
    tormented.log = log = path.parent.with_name("log.txt")
    await tormented.record("")
    if left != "at rest":
        await tormented.record("an end")
    for ending in LEFT[left]:
        path.with_name(path.name + ending).unlink()
    held = _held(tormented, path)
    if left == _UNREADABLE:
        serving = await Serving.start("replay", path, log, within=read_only(path.parent))
        check(not await serving.listens(), "a replay started that cannot read the log of its cassette")
        status = await serving.ended()
        words = serving.last_words
        check(status == 1 and _TOLD in words, f"a replay that cannot read a log ended with {status}: {words}")
        return 0
    return await check_replay(path, held, log, within=read_only(path.parent))


def _held(tormented: killed.Tormented, path: Path) -> list[Held]:
    """Read a copy of it, where SQLite may make what it likes."""
    folder = path.parent.with_name("copy")
    shutil.copytree(path.parent, folder)
    return tormented.account.read(folder / path.name)
