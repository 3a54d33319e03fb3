"""`python -m bench [NAME ...]`: run all benchmarks, or those named."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import conversation, live, nearest, pace, storage

BENCHMARKS = {
    "conversation": conversation.run,
    "live": live.run,
    "nearest": nearest.run,
    "pace": pace.run,
    "storage": storage.run,
}


def main(names: list[str]) -> None:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    gc.freeze()  # the load must not stall for a collection of its own
    for name in names or BENCHMARKS:
        with TemporaryDirectory(prefix="llmtape-bench-") as folder:
            BENCHMARKS[name](Path(folder))


main(sys.argv[1:])
