"""Warns, while recording, of text that will miss tomorrow.

Rule: never in the way of an answer. Requests are looked at on a thread of its own, after they were recorded; under
load some are passed over, since an application's prompts are alike, and each kind of text is told once.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from proxy.core.volatile import uncovered

if TYPE_CHECKING:
    from proxy.core.model import Request
    from proxy.core.rules import Rules

log = logging.getLogger("llmtape")

_MOST_WAITING: Final = 32
_LONGEST_SHOWN: Final = 60


class Watch:
    """Looks at recorded requests, which are redacted."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._told: set[str] = set()
        self._waiting = BoundedSemaphore(_MOST_WAITING)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llmtape-watch")

    def look(self, request: Request, take: str) -> None:
        """Look at a request some time soon; `take` is how its recording is named."""
        if self._waiting.acquire(blocking=False):
            self._thread.submit(self._look, request, take).add_done_callback(lambda _: self._waiting.release())

    def close(self) -> None:
        """Look at what still waits, and end the thread."""
        self._thread.shutdown()

    def _look(self, request: Request, take: str) -> None:
        for found in uncovered(request, self._rules):
            if found.rule not in self._told:
                self._told.add(found.rule)
                log.warning(
                    "%s has text that looks volatile, and will miss once it changes: %r in %s. To let it not count, "
                    'add "%s" to rules.scrub; `llmtape lint` lists all such text',
                    *(take, found.value[:_LONGEST_SHOWN], found.path, found.rule),
                )
