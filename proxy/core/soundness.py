"""Whether one interaction is what it says it is.

Rule: judged by its own bytes and by the rules that made its key, and by the very functions that recorded it, so that
what a recorder stores is sound. A secret that is found is never repeated.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import orjson

from proxy.core import sse
from proxy.core.completion import CHAT_PATH, judge
from proxy.core.finding import Finding, Kind
from proxy.core.model import KEY_DIGITS, Outcome, take_name
from proxy.core.normalize import normalize
from proxy.core.redact import credentials
from proxy.core.rules import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.model import Headers, Interaction, Request, Response
    from proxy.core.redact import Redactor
    from proxy.core.rules import Rules

_OK = 200
_LONGEST_EXCERPT = 60
_OURS = "llmtape:"  # the fields that recording adds have digests and folders, no credentials
_REDACTED = b"[redacted]"

_UNFINISHED = {
    True: "its stream has neither a [DONE] nor a finish reason for each choice",
    False: "its answer is no whole JSON",
}


def check(interaction: Interaction, rules: Rules | None, redactor: Redactor) -> Iterator[Finding]:
    """Yield what is wrong with an interaction.

    `rules` are those that made the keys in its file, None where they are not known: keys are not checked then.
    """
    name, lane = take_name(interaction.track.key, interaction.number), interaction.track.lane
    for kind, what in _all(interaction, rules, redactor):
        yield Finding(kind, what, name, lane)


def _all(interaction: Interaction, rules: Rules | None, redactor: Redactor) -> Iterator[tuple[Kind, str]]:
    request, response = interaction.request, interaction.response
    yield from _key(interaction, rules)
    yield from _outcome(request, response)
    if response.is_stream:
        yield from _stream(request, response)
    yield from _times(response)
    yield from _secrets(interaction, redactor)


def _key(interaction: Interaction, rules: Rules | None) -> Iterator[tuple[Kind, str]]:
    track = interaction.track
    form = normalize(interaction.request, rules or DEFAULT)
    if rules is not None and form.key != track.key:
        yield Kind.KEY, f"its request has the key {form.key[:KEY_DIGITS]} under the file's rules, and not its own"
    if form.variant is not track.variant:
        yield Kind.VARIANT, f"it stands as {track.variant}, and its request asks for {form.variant}"


def _outcome(request: Request, response: Response) -> Iterator[tuple[Kind, str]]:
    """Hold the outcome against the protocol; that a connection broke off no byte of the answer can tell."""
    outcome, judged = response.outcome, judge(response, request.path)
    if outcome is Outcome.COMPLETE and judged is not Outcome.COMPLETE:
        yield Kind.OUTCOME, f"it stands as complete, and {_UNFINISHED[response.is_stream]}"
    elif outcome is Outcome.UNFINISHED and judged is not Outcome.UNFINISHED:
        yield Kind.OUTCOME, "it stands as unfinished, and its answer is whole"
    elif outcome is not Outcome.COMPLETE:
        yield Kind.INCOMPLETE, f"its answer is incomplete: {outcome}"


def _stream(request: Request, response: Response) -> Iterator[tuple[Kind, str]]:
    events = sse.split(response.body)
    if [chunk.data for chunk in response.chunks] != events:
        yield Kind.FRAMING, f"its {len(response.chunks)} chunks are not the {len(events)} events of its stream"
    if not request.path.endswith(CHAT_PATH) or response.status != _OK:
        return  # what other streams carry is taken as it comes
    whole = events if response.outcome is Outcome.COMPLETE else events[:-1]
    broken = [(place, event) for place, event in enumerate(whole, 1) if not _is_readable(event)]
    if broken:
        (place, event), others = broken[0], len(broken) - 1
        more = f", nor are {others} others" if others else ""
        excerpt = event[:_LONGEST_EXCERPT].decode("utf-8", "backslashreplace")
        yield Kind.STREAM, f"event {place} of its stream is no JSON{more}: {excerpt!r}"


def _is_readable(event: bytes) -> bool:
    """Tell whether an event is a comment, JSON or the end."""
    data = sse.data_of(event)
    return not data or sse.is_done(event) or _is_json(data)


def _is_json(data: bytes) -> bool:
    """Tell whether bytes are JSON, be it that of servers which cut an emoji in two."""
    for loads in (orjson.loads, json.loads):
        try:
            loads(data.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError):
            continue
        return True
    return False


def _times(response: Response) -> Iterator[tuple[Kind, str]]:
    times = [response.first_byte_us, *(chunk.at_us for chunk in response.chunks), response.duration_us]
    if any(earlier > later for earlier, later in pairwise(times)):
        yield Kind.TIMES, "its times do not follow each other: head, chunks, end"


def _secrets(interaction: Interaction, redactor: Redactor) -> Iterator[tuple[Kind, str]]:
    request, response = interaction.request, interaction.response
    asked = (request.body, request.path.encode(), request.query.encode())
    if any(map(redactor.finds, asked)) or _has_credential((), request.query):
        yield Kind.SECRET, "its request has a secret, or text in the shape of one"
    aside = {
        "a header field of its request": _values(request.headers),
        "a header field of its answer": _values(response.headers),
        "its lane": interaction.track.lane.encode(),
    }
    for place, data in aside.items():
        if redactor.finds(data):
            yield Kind.SECRET_ASIDE, f"{place} has text in the shape of a secret"
    sent = tuple(field for field in request.headers if not field[0].startswith(_OURS))
    if _has_credential(sent):
        yield Kind.SECRET_ASIDE, "a header field of its request is a credential"
    if redactor.finds(response.body):
        kind = Kind.SECRET if redactor.responses else Kind.SECRET_IN_ANSWER
        yield kind, "its answer has text in the shape of a secret"


def _has_credential(headers: Headers, query: str = "") -> bool:
    return any(not value.startswith(_REDACTED) for value in credentials(headers, query))


def _values(headers: Headers) -> bytes:
    return "\n".join(value for _, value in headers).encode("utf-8", "surrogateescape")
