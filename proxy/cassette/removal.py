"""Removing recordings.

Rule: what goes is what somebody was shown: where another process changed it since, nothing goes. What is left is as if
the removed recordings had never been there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cassette.draft import drafted
from proxy.cassette.facts import require_settled
from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from proxy.cassette.reader import Entry
    from proxy.core.rules import Rules


def remove(path: Path, entries: Collection[Entry], rules: Rules) -> None:
    """Remove recordings, which were listed under the rules, in one step.

    Raises CassetteError where one of them is no longer as it was listed, or the file cannot be written.
    """
    require_settled(path)
    doomed = {entry.take.id: entry for entry in entries}
    with drafted(path) as draft:
        with Reader(path, rules) as reader:  # nobody else writes now, and ids may have been given anew
            unchanged = sum(doomed.get(entry.take.id) == entry for entry in reader.entries())
        if unchanged < len(doomed):
            raise CassetteError(f"another process changed {path} meanwhile, and nothing was removed: try again")
        draft.copy(path, lambda id_: id_ not in doomed)
