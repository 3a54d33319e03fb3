"""Disks that really fail: a full one, a limit, a folder that is gone, a file system that may only be read.

Rule: a real recorder in a process of its own; each case spoils what is under it and mends it again, and knows nothing
of recorders. What this machine does not allow is told, and left out.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.core.address import mounted
from proxy.demo.script import ScriptedUpstream
from torture.account import AT_REST, verify
from torture.answering import Question
from torture.item import BrokenPromiseError, check
from torture.recorder import Serving
from torture.told import Recorder, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torture.item import Advance

SIZE: Final = 1_000_000
"""Of the file systems that are mounted, in bytes."""

_FEW: Final = 8192

LONG: Final = "z" * 30_000
EARLIER: Final = (Question("earlier", streams=False), Question(f"earlier {LONG}", streams=True))
SPOILT: Final = tuple(Question(f"spoilt {LONG}", streams) for streams in (False, True))
MENDED: Final = tuple(Question(f"mended {LONG}", streams) for streams in (False, True))


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cassette is: alone in a folder, which is a mount where a case wants one; and who records into it."""

    folder: Path
    pid: int

    @property
    def cassette(self) -> Path:
        """The file."""
        return self.folder / "tape.sqlite"

    @property
    def aside(self) -> Path:
        """Where the folder is put for a while."""
        return self.folder.with_name("aside")


def _fill(place: Place) -> None:
    with (place.folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            return


def _empty(place: Place) -> None:
    (place.folder / "filler").unlink()


def _limit(place: Place) -> None:
    """Let nothing be written behind the first pages of any file."""
    resource.prlimit(place.pid, resource.RLIMIT_FSIZE, (_FEW, resource.RLIM_INFINITY))


def _unlimit(place: Place) -> None:
    resource.prlimit(place.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _take_away(place: Place) -> None:
    """Put something in the folder's place that is none."""
    place.folder.rename(place.aside)
    place.folder.touch()


def _put_back(place: Place) -> None:
    place.folder.unlink()
    place.aside.rename(place.folder)


def _forbid(place: Place) -> None:
    _mount("-o", "remount,ro", str(place.folder))


def _allow(place: Place) -> None:
    _mount("-o", "remount,rw", str(place.folder))


@dataclass(frozen=True, slots=True)
class Case:
    """One way to spoil a disk, and to mend it."""

    spoil: Callable[[Place], None]
    mend: Callable[[Place], None]
    is_mount: bool = False
    comes_first: bool = False
    """Whether it is spoilt before the recorder opens the cassette; what is open to be written keeps it from that."""


CASES: Final = {
    "no room": Case(_fill, _empty, is_mount=True),
    "no room at first": Case(_fill, _empty, is_mount=True, comes_first=True),
    "file size limit": Case(_limit, _unlimit),
    "folder gone": Case(_take_away, _put_back),
    "folder gone at first": Case(_take_away, _put_back, comes_first=True),
    "read-only file system": Case(_forbid, _allow, is_mount=True, comes_first=True),
}


@dataclass(slots=True)
class Figures:
    """What the cases came to."""

    cases: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    not_run: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return them as one line."""
        cases = ", ".join(f"{number} {case}" for case, number in self.cases.items())
        not_run = "".join(f"; not run: {case}, {why}" for case, why in self.not_run.items())
        return (
            f"{cases or 'none'}; {self.fates.total()} calls answered byte for byte, {self.fates['recorded']} recorded "
            f"and found, {self.fates['not-recorded']} not recorded and told so by answer, log and exit status{not_run}"
        )


def why_not(case: Case) -> str:
    """Say why a case cannot be run here; empty where it can."""
    if case.spoil is _limit and not hasattr(resource, "prlimit"):
        return "this system sets no limits of other processes"
    if case.is_mount and os.geteuid() != 0:
        return "only root may mount"
    return ""


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _unmounted(_: Path) -> Iterator[None]:
    yield


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _laid_out(folder: Path) -> tuple[Path, Path]:
    """Make a folder for a cassette, and a config that names it; return both."""
    tapes, config = folder / "tapes", folder / "llmtape.toml"
    tapes.mkdir(parents=True)
    config.write_text(f'cassette_dir = "{tapes}"\n')
    return tapes, config


async def put_to(case: Case, folder: Path, figures: Figures) -> None:
    """Spoil the disk under a recorder, mend it, and check what was told and what is left."""
    source = Source()
    tapes, config = _laid_out(folder)
    with (_mounted if case.is_mount else _unmounted)(tapes):
        async with ScriptedUpstream(source.answer) as upstream:
            flags = ("--upstream", upstream.url, "--config", str(config))
            serving = await Serving.start("record", folder / "other.sqlite", folder / "log.txt", *flags)
            try:
                recorder = await _suffer(case, tapes, serving, source)
            finally:
                serving.terminate()
                status = await serving.ended()
        recorder.log += serving.log.read_text().splitlines()
        check(status == 1, f"it ended with status {status}: {recorder.log}")
        recorder.check_end(status)
        recorder.check_held(())
        verify(recorder.path, AT_REST)
        left = [file.name for file in tapes.iterdir()]
        check(left == [recorder.path.name], f"it leaves {left}")
    figures.fates.update(call.fate for call in recorder.calls)


async def _suffer(case: Case, tapes: Path, serving: Serving, source: Source) -> Recorder:
    check(await serving.listens(), f"it does not start: {serving.log.read_text()}")
    place = Place(tapes, serving.process.pid)
    recorder = Recorder(place.cassette, source)
    recorder.url = mounted(serving.url, place.cassette.stem, "")
    if not case.comes_first:
        await recorder.ask(*EARLIER)
    case.spoil(place)
    await recorder.ask(*SPOILT)
    check(
        recorder.lost == len(SPOILT), f"what cannot be recorded is said to be: {[call.rest for call in recorder.calls]}"
    )
    case.mend(place)
    await recorder.ask(*MENDED)
    check(recorder.lost == len(SPOILT), f"it does not record again: {serving.log.read_text()}")
    return recorder


def mounts(number: int, folder: Path, advance: Advance) -> str:
    """Spoil real disks so many times, in one way after the other."""
    figures = Figures()

    async def run() -> None:
        for turn in range(number):
            name = list(CASES)[turn % len(CASES)]
            if why := why_not(CASES[name]):
                figures.not_run[name] = why
            else:
                try:
                    await put_to(CASES[name], folder / f"{turn}", figures)
                except subprocess.CalledProcessError as error:
                    figures.not_run[name] = f"{' '.join(error.cmd[:2])} is refused"
                except BrokenPromiseError as error:
                    raise BrokenPromiseError(f"{error} ({name})") from error
                else:
                    figures.cases[name] += 1
            advance()

    asyncio.run(run())
    return str(figures)
