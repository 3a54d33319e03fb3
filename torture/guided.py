"""`python -m torture.guided TARGET COUNT SEED FOLDER`: feed a target inputs that are led by the coverage of `proxy`.

Rule: a process of its own, since the fuzzer takes it over, and ends it without a word to Python.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from torture.feeding import Feeder
from torture.item import BrokenPromiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

atheris = import_module("atheris")  # it has no types, and is not to be had everywhere

with atheris.instrument_imports(include=["proxy"]):  # which nothing may have imported before
    targets = import_module("torture.targets").TARGETS
    words: Sequence[bytes] = import_module("torture.samples").WORDS

LONGEST_S = 20
MOST_MB = 1024
"""What no input may take, be it in the fuzzer's own opinion: it ends a process that hangs."""


def options(longest: int, count: int, seed: int, folder: Path) -> list[str]:
    """Return the fuzzer's options. It begins with what is in `corpus`, and keeps there what leads to something new."""
    (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in words))
    return [
        f"-runs={2 * count}",  # we end it
        f"-seed={seed + 1}",  # 0 is chance to it
        f"-max_len={longest}",
        f"-timeout={LONGEST_S}",
        f"-rss_limit_mb={MOST_MB}",
        f"-dict={folder / 'words'}",
        f"-artifact_prefix={folder}/",
        str(folder / "corpus"),
    ]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main(name: str, count: str, seed: str, folder: str) -> None:
    """Feed the target of that name, and never come back."""
    target, place = targets[name], Path(folder)
    corpus = place / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(data[: target.longest])
    work = place / "work"
    work.mkdir()
    feeder = Feeder(target, int(count), work)

    def feed(data: bytes) -> None:
        try:
            feeder.feed(data)
        except BrokenPromiseError as error:
            print(error, file=sys.stderr, flush=True)
            raise
        if feeder.tally.inputs == int(count):
            feeder.end()
            os._exit(0)  # it counts otherwise, and would go on

    atheris.Setup([sys.argv[0], *options(target.longest, int(count), int(seed), place)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
