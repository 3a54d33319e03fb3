"""Writing the keys that other rules make.

Rule: what is written is what was planned while nobody else could write; a file whose keys are as the rules make them is
not touched. The index goes with the keys: the same rules make both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.cassette import format as layout
from proxy.cassette.draft import drafted
from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError
from proxy.core.normalize import normalize
from proxy.core.rekeying import Rekeying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy.core.rules import Rules


def rekey(path: Path, rules: Rules, accepts: Callable[[Rekeying], bool]) -> Rekeying:
    """Give all recordings the keys that the rules make, if the plan is accepted; return the plan.

    Raises CassetteError where the file is no cassette or cannot be written.
    """
    with Reader(path, rules) as reader:
        planned = reader.rekeying
    if planned is None or not accepts(planned):
        return planned or Rekeying({})
    with drafted(path) as draft, Reader(path, rules) as reader:
        planned = reader.rekeying or Rekeying({})  # nobody else writes now, and somebody may have been quicker
        if not accepts(planned):
            raise CassetteError(f"another process changed {path} meanwhile, and nothing was written: try again")
        for interaction, run in reader.stored():
            draft.add(replace(interaction, content=normalize(interaction.request, rules).content), run)
        for name, value in layout.keyed_by(rules).items():
            draft.note(name, value)
    return planned
