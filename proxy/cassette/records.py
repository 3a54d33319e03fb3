"""One row of `interactions` as it stands in a file that may be damaged.

Rule: nothing is trusted and nothing is mended: what cannot be, raises ValueError or TypeError, and what should follow
from the rest of the row can be held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from proxy.cassette import format as layout
from proxy.cassette import schema, storing
from proxy.cassette.patience import bounded
from proxy.cassette.values import check_text, check_whole, response_of
from proxy.core.finding import Finding, Kind
from proxy.core.model import Interaction, Request, Track, Variant, take_name
from proxy.core.soundness import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.core.redact import Redactor
    from proxy.core.rules import Rules

COLUMNS: Final = tuple(column.name for column in schema.INTERACTIONS.c if column.name != "turn_id")
"""All that a row has in every format, in their order: the tree of turns is made from the rest."""

_DERIVED: Final = ("model", "finish_reason", "prompt_tokens", "completion_tokens")
"""What lists are made from; a recorder takes it from the bodies."""


@dataclass(frozen=True, slots=True)
class Record:
    """A recorded interaction, with what its row says beside."""

    id: int
    run_id: int
    interaction: Interaction
    derived: Mapping[str, Any]

    def findings(self, rules: Rules | None, redactor: Redactor) -> Iterator[Finding]:
        """Yield what is wrong with it; `rules` are those that made its key, None where they are not known.

        Raises CassetteError where the rules take too long.
        """
        with bounded(rules):
            found = list(check(self.interaction, rules, redactor))
        yield from found
        it = self.interaction
        made = storing.columns_of(it, it.number, self.run_id)
        unlike = [name for name in _DERIVED if self.derived[name] != made[name]]
        if unlike:
            what = ", ".join(f"{name} {self.derived[name]!r} where its bodies say {made[name]!r}" for name in unlike)
            yield Finding(Kind.DERIVED, f"it has {what}", take_name(it.track.key, it.number), it.track.lane)


def record_of(row: Mapping[str, Any], body: bytes) -> Record:
    """Make a record of a row, given by the names of its columns, and of its request's body."""
    check_whole(row["id"], row["take"], row["run_id"])
    check_text(*(row[name] for name in ("key", "lane", "recorded_at", "method", "path", "query")))
    headers = layout.headers_of(row["request_headers"])
    request = Request(row["method"], row["path"], row["query"], headers, body)
    track = Track(row["key"], Variant(row["variant"]), row["lane"])
    columns = [row[name] for name in _RESPONSE]
    response = response_of(columns, was_asked_as_stream=track.variant is not Variant.JSON)
    interaction = Interaction(track, row["take"], row["recorded_at"], request, response)
    return Record(row["id"], row["run_id"], interaction, {name: row[name] for name in _DERIVED})


_RESPONSE: Final = (
    "status",
    "response_headers",
    "outcome",
    "first_byte_us",
    "duration_us",
    "response_framing",
    "response_body",
)
