"""One request on its way, and what is told of it.

Rule: a value, and what follows from it alone: its line in the ledger, and the header fields that its answer bears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proxy.core import faults
from proxy.core.ledger import Call, Fate
from proxy.core.model import KEY_DIGITS, header

if TYPE_CHECKING:
    from proxy.core.faults import Fault
    from proxy.core.model import Headers, Request, Track
    from proxy.core.normalize import Canonical
    from proxy.lanes import Lane, Policy
    from proxy.ports import Client

FAULT_FIELD: Final = "x-llmtape-fault"
"""The request header field that asks for a fault on purpose; it goes nowhere else."""

_MOST_DIGITS: Final = 9
"""Of a count of retries; Python refuses to read a number that is much longer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request on its way. `request` goes upstream; `clean` is what may be stored and told of it."""

    request: Request
    clean: Request
    canonical: Canonical
    track: Track
    cassette: str
    is_named: bool
    arrived_us: int
    client: Client
    lane: Lane
    faults: tuple[Fault, ...]

    @property
    def policy(self) -> Policy:
        """What holds for it."""
        return self.lane.policy

    @property
    def short_key(self) -> str:
        """The key as it is shown."""
        return self.track.key[:KEY_DIGITS]

    def call(self, fate: Fate, status: int, take: str = "", *, note: str = "") -> Call:
        """Return its line in the ledger."""
        request = self.clean
        return Call(
            fate, self.cassette, self.track.lane, take, request.method, request.path, status, note, request=request
        )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The faults that are wanted of it, as they are written."""
        return tuple(fault.text for fault in self.faults)

    @property
    def told_faults(self) -> Headers:
        """What its answer tells of them."""
        return ((FAULT_FIELD, ", ".join(self.wanted)),) if self.faults else ()


def mark(fate: Fate, what: str, note: str = "") -> Headers:
    """Return what an answer tells of what became of it; `what` is a key or the name of a take."""
    return (("x-llmtape", f"{fate} {what}" + (f"; {note}" if note else "")),)


def retry_count(headers: Headers) -> int:
    """Tell how often the client's own library sent this call before (openai-python since 1.41, openai-node)."""
    count = header(headers, "x-stainless-retry-count") or ""
    return int(count) if count.isdecimal() and len(count) <= _MOST_DIGITS else 0


def faults_of(request: Request, lane: Lane) -> tuple[Request, tuple[Fault, ...]]:
    """Return the faults that are wanted of a call, by its lane or itself, and the request without the asking."""
    number = lane.count()
    wanted = faults.chosen(lane.policy.faults, number)
    asked = header(request.headers, FAULT_FIELD)
    if asked is None:
        return request, wanted
    headers = tuple(field for field in request.headers if field[0].lower() != FAULT_FIELD)
    # The header comes again with each retry of the same call: those are what it counts.
    wanted += faults.chosen(faults.parse(asked), 1 + retry_count(request.headers))
    return replace(request, headers=headers), wanted
