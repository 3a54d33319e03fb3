"""How long rules that a cassette carries may take over one request.

Rule: whoever makes keys by rules that came with a file does it within `bounded`. A regular expression can be slow on
purpose, no look at it tells, and `re` has no limit of its own; but it lets signals through, so that a timer of this
process's time ends it. A config's own rules are the user's, and are waited for.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.rules import Rules

PATIENCE_S: Final = 5.0
"""Of computing for one request: a thousand times of what honest rules take for a long one."""


@contextmanager
def bounded(rules: Rules | None, seconds: float = PATIENCE_S) -> Iterator[None]:
    """Let a block that applies such rules compute for so long. Raises CassetteError within it.

    Signals reach a program's first thread alone; in another one, where no command runs, nothing is bounded.
    """
    if rules is None or not rules.named or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> NoReturn:
        names = ", ".join(rule.name for rule in rules.named)
        raise CassetteError(
            f"the rules that the cassette carries took over {seconds:g} s for one request, and were stopped: of its "
            f"patterns and paths ({names}) one is slow, perhaps on purpose. `llmtape rekey` gives recordings the keys "
            "of your config's rules"
        )

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
