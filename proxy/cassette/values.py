"""How columns become values.

Rule: SQLite lets any column hold anything, and a cassette is untrusted: what is of another type, or makes no value, is
a ValueError or a TypeError here, and never goes further.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.cassette import format as layout
from proxy.core.keep import check_status
from proxy.core.model import Outcome, Response

if TYPE_CHECKING:
    from collections.abc import Sequence


def response_of(row: Sequence[Any], *, was_asked_as_stream: bool) -> Response:
    """Make a response of a row that begins with status, response_headers, outcome, and so on, as below."""
    status, headers, outcome, first_byte_us, duration_us, framing, body, *_ = row
    check_whole(first_byte_us, duration_us)
    check_status(status)
    return Response(
        status=status,
        headers=layout.headers_of(headers),
        chunks=layout.chunks_of(framing, body),
        outcome=Outcome(outcome),
        first_byte_us=first_byte_us,
        duration_us=duration_us,
        was_asked_as_stream=was_asked_as_stream,
    )


def check_derived(finish_reason: object, *tokens: object) -> None:
    """Raise ValueError where what a recorder reads from an answer is neither absent nor what it reads."""
    check_text(*(value for value in (finish_reason,) if value is not None))
    check_whole(*(value for value in tokens if value is not None))


def check_text(*values: object) -> None:
    """Raise ValueError where a column of text holds something else, as SQLite lets it."""
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{value!r} stands where a text should")  # noqa: TRY004  it is a value of the file's


def check_whole(*values: object) -> None:
    """Raise ValueError where a column of integers holds something else, as SQLite lets it."""
    for value in values:
        if type(value) is not int:
            raise ValueError(f"{value!r} stands where an integer should")
