"""The account of a lane: what its test asked for, and what was wrong with that.

Rule: read from the ledger, judged here alone, so that a runner of any language and the pytest plugin come to the
same verdict.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from proxy.core.ledger import Call, Fate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import Request, Response
    from proxy.core.modes import Mode


@dataclass(frozen=True, slots=True)
class Account:
    """All calls of one lane since its start. `unplayed` names the takes of its own that no call asked for."""

    cassette: str
    lane: str
    mode: Mode
    calls: tuple[Call, ...] = ()
    unplayed: tuple[str, ...] = ()
    trouble: str = ""
    """Why what the lane held could not be stored, where it could not."""

    @property
    def counts(self) -> dict[str, int]:
        """How many calls ended how."""
        found = Counter(call.fate for call in self.calls)
        return {fate.value: found[fate] for fate in Fate}

    @property
    def misses(self) -> tuple[str, ...]:
        """The reports of all misses, in their order."""
        return tuple(call.note for call in self.calls if call.fate is Fate.MISSED)

    @property
    def exhausted(self) -> tuple[str, ...]:
        """The takes that were played once more after all had been."""
        return tuple(call.take for call in self.calls if call.is_again)

    @property
    def injected(self) -> tuple[str, ...]:
        """The faults on purpose, in their order."""
        return tuple(fault for call in self.calls for fault in call.injected)

    def problems(self, *, strict: bool = False) -> tuple[str, ...]:
        """List what fails the test: misses and failures; where it is strict also takes unplayed and exhausted."""
        return tuple(self._problems(strict=strict))

    def _problems(self, *, strict: bool) -> Iterator[str]:
        yield from self.misses
        yield from (call.note for call in self.calls if call.failed and call.fate is not Fate.MISSED)
        if self.trouble:
            yield self.trouble
        if strict and self.unplayed:
            yield (
                f"llmtape strict: of the recordings of {self.lane!r} in {self.cassette} these were not played: "
                f"{', '.join(self.unplayed)}. If the test asks for less now, record it anew"
            )
        if strict and self.exhausted:
            yield (
                f"llmtape strict: {self.lane!r} asked for more than {self.cassette} has of it; played once more: "
                f"{', '.join(self.exhausted)}. Record it anew"
            )

    def as_dict(self, *, strict: bool = False) -> dict[str, Any]:
        """Return it for JSON; bodies that are JSON as such, streams and all else as text."""
        problems = self.problems(strict=strict)
        return {
            "ok": not problems,
            "problems": problems,
            "cassette": self.cassette,
            "lane": self.lane,
            "mode": self.mode,
            "counts": self.counts,
            "calls": [_told(call) for call in self.calls],
            "misses": self.misses,
            "unplayed": self.unplayed,
            "exhausted": self.exhausted,
        }


def _told(call: Call) -> dict[str, Any]:
    return {
        "fate": call.fate,
        "take": call.take,
        "method": call.method,
        "path": call.path,
        "status": call.status,
        "note": call.note,
        "injected": call.injected,
        "request": _body(call.request),
        "response": _body(call.response),
    }


def _body(message: Request | Response | None) -> Any:
    if message is None or not message.body:
        return None
    try:
        value = orjson.loads(message.body)
        orjson.dumps(value)  # it reads what is nested deeper than it writes
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return message.body.decode("utf-8", "replace")
    return value
