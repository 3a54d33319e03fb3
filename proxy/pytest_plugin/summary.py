"""The lines that end a run of pytest.

Rule: one line says all of it in numbers; below are only names that somebody has to act on, and not too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.ledger import Fate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.core.modes import Mode
    from proxy.core.receipt import Receipt

_MOST_TOLD: Final = 20


def summarized(
    receipt: Receipt, mode: Mode, orphans: Sequence[tuple[str, str]], crashed: int = 0, failed: str = ""
) -> Iterator[str]:
    """Write the lines; `crashed` is how many workers did not tell, `failed` what failed the run beside its tests."""
    told = ", ".join(f"{count} {fate}" for fate, count in receipt.counts.items() if count) or "no calls"
    unplayed = [lane for lane in receipt.lanes if lane.unplayed and lane.passed]
    extra = _counted(sum(len(lane.unplayed) for lane in unplayed), "unplayed") + _counted(len(orphans), "orphaned")
    yield f"{mode}: {told}{extra}"
    if receipt.counts[Fate.NOT_RECORDED]:
        yield "  not recorded: answers to tests that failed, and 401, 403, 408, 409, 429 and 5xx (record.errors)"
    yield from _listed("unplayed", [f"{lane.lane}: {', '.join(lane.unplayed)}" for lane in unplayed])
    yield from _listed("orphaned, its test is gone", [f"{lane} in {cassette}" for cassette, lane in orphans])
    if crashed:
        yield f"the calls of {crashed} workers that crashed are not told"
    if failed:
        yield failed


def _counted(count: int, what: str) -> str:
    return f", {count} {what}" if count else ""


def _listed(what: str, lines: list[str]) -> Iterator[str]:
    yield from (f"  {what}: {line}" for line in lines[:_MOST_TOLD])
    if len(lines) > _MOST_TOLD:
        yield f"  and {len(lines) - _MOST_TOLD} more"
