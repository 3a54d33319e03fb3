"""Which recordings have lost their test.

Rule: a lane is an orphan only where it is sure that no test has its name: the module is gone, or all of its tests are
known and none is it. Nothing is deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.errors import LlmtapeError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path


def orphans(folder: Path, base: Path, lanes: Collection[str], whole: Collection[str]) -> list[tuple[str, str]]:
    """Find the cassettes of a folder, and the lanes in them, whose test is no longer.

    `lanes` are those of all tests that are known, `whole` the modules, from the base folder, of which all are.
    """
    from proxy.cassette.facts import lanes_in  # noqa: PLC0415  most runs of pytest read no cassette

    found = []
    for file in sorted(folder.rglob("*.sqlite")):
        try:
            held = lanes_in(file)
        except LlmtapeError:  # it is no cassette
            continue
        for lane in held:
            module, is_test, _ = lane.partition("::")
            if is_test and lane not in lanes and (module in whole or not (base / module).exists()):
                found.append((str(file), lane))
    return found


def within(base: Path, files: Iterable[Path]) -> Iterator[str]:
    """Name files as lanes name their modules; those outside of the base folder are no lane's."""
    for file in files:
        if file.resolve().is_relative_to(base):
            yield file.resolve().relative_to(base).as_posix()
