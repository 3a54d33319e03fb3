"""What faults on purpose do to a recorded answer.

Rule: what a fault does not name stays as it was recorded, byte for byte, and the same text does the same to the same
answer each time. Faults come one after another as they are written, framing last of all, since it is how bytes
travel, whatever they are. None does nothing: a place beyond a stream's end is its last event before `[DONE]`.

An event is one that carries data; a comment counts as none, and `[DONE]` as one. A plain answer has no events: it is
cut about its middle.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate, count, pairwise
from typing import TYPE_CHECKING, Final

from proxy.core import sse
from proxy.core.faults import End, Fault, Framing, Kind, error_answer, error_body
from proxy.core.model import Chunk, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from proxy.core.model import Response

    Chunks = tuple[Chunk, ...]

_ENDS: Final = {End.ABORT: Outcome.CUT, End.CLEAN: Outcome.UNFINISHED}
_SERVER_ERROR: Final = 500

_DATA_LINE = re.compile(rb"(?:\A|[\r\n])(?:\xef\xbb\xbf)?data:[ ]?([^\r\n]*)")
# Where a character of UTF-8 goes on: a cut before such a byte is within it.
_GOES_ON = re.compile(rb"[\x80-\xbf]")
_LONGEST_PIECE = 24


@dataclass(frozen=True, slots=True)
class Injected:
    """An answer with its faults: what to play, how much later its head comes, and whether it ends at all."""

    response: Response
    delay_us: int = 0
    stalls: bool = False


def inject(response: Response, faults: Iterable[Fault]) -> Injected:
    """Do the faults to an answer.

    `status` does nothing here, see `faults.refusal`; `error` makes of a plain answer the API's with status 500.
    """
    injected = Injected(response)
    for fault in sorted(faults, key=lambda fault: fault.kind is Kind.FRAMING):
        injected = _DONE[fault.kind](injected, fault)
    return injected


def _status(injected: Injected, _fault: Fault) -> Injected:
    return injected


def _delay(injected: Injected, fault: Fault) -> Injected:
    return replace(injected, delay_us=injected.delay_us + fault.delay_us)


def _stall(injected: Injected, fault: Fault) -> Injected:
    """Send so many events, of a plain answer nothing or its first part, and then no end."""
    response = injected.response
    if response.is_stream:
        chunks = _first_events(response, fault.after)
    else:
        chunks = _first_part(response, fault) if fault.after else ()
    return replace(injected, response=replace(response, chunks=chunks, outcome=Outcome.UNFINISHED), stalls=True)


def _cut(injected: Injected, fault: Fault) -> Injected:
    response = injected.response
    if not response.is_stream:
        chunks = _first_part(response, fault)
    else:
        chunks = _first_events(response, fault.after)
        sent = len(_places(chunks))
        if fault.end is End.CLEAN and sent == len(_places(_events(response))):  # nothing would show
            chunks = _first_events(response, sent - 1)
    return replace(injected, response=replace(response, chunks=chunks, outcome=_ENDS[fault.end]))


def _error(injected: Injected, fault: Fault) -> Injected:
    response = injected.response
    if not response.is_stream:
        status, headers, body = error_answer(_SERVER_ERROR)
        only = (Chunk(response.first_byte_us, body),)
        plain = replace(response, status=status, headers=headers, chunks=only, outcome=Outcome.COMPLETE)
        return replace(injected, response=plain)
    events = _events(response)
    place = _place(events, fault.at)
    at_us = response.first_byte_us if place is None else events[place].at_us
    event = Chunk(at_us, b"data: %b\n\n" % error_body(_SERVER_ERROR))
    chunks = (*events[: place or 0], event)
    return replace(injected, response=replace(response, chunks=chunks, outcome=Outcome.UNFINISHED))


def _malformed(injected: Injected, fault: Fault) -> Injected:
    response = injected.response
    if not response.is_stream:
        size = _within(response.body, 0, len(response.body.rstrip()), fault)
        return replace(injected, response=replace(response, chunks=_first_bytes(response.chunks, size)))
    events = _events(response)
    place = _place(events, fault.at)
    if place is None:  # no event at all: there is nothing to break
        return injected
    broken = replace(events[place], data=_broken(events[place].data, fault))
    chunks = (*events[:place], broken, *events[place + 1 :])
    return replace(injected, response=replace(response, chunks=chunks))


def _broken(event: bytes, fault: Fault) -> bytes:
    """Cut an event within its first line of data, and end it as an event ends."""
    line = _DATA_LINE.search(event)
    assert line  # noqa: S101  it is none of `_places` else
    return event[: _within(event, *line.span(1), fault)] + b"\n\n"


def _framing(injected: Injected, fault: Fault) -> Injected:
    response = injected.response
    pieces = _FRAMINGS[fault.framing](response.body, fault.seed)
    return replace(injected, response=replace(response, chunks=_timed(response.chunks, pieces)))


_DONE: Final[Mapping[Kind, Callable[[Injected, Fault], Injected]]] = {
    Kind.STATUS: _status,
    Kind.DELAY: _delay,
    Kind.STALL: _stall,
    Kind.CUT: _cut,
    Kind.ERROR: _error,
    Kind.MALFORMED: _malformed,
    Kind.FRAMING: _framing,
}


def _split(body: bytes, seed: int) -> list[bytes]:
    """Cut a body in odd places, within a character where it has one of several bytes."""
    if len(body) <= 1:
        return _glued(body, seed)
    numbers = _numbers(seed)
    cuts = {1 + next(numbers) % (len(body) - 1)}
    at = 0
    while (at := at + 1 + next(numbers) % _LONGEST_PIECE) < len(body):
        cuts.add(at)
    if inside := [match.start() for match in _GOES_ON.finditer(body, 1)]:
        cuts.add(inside[next(numbers) % len(inside)])
        cuts.update(place for place in inside if next(numbers) % 2)
    edges = [0, *sorted(cuts), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


def _glued(body: bytes, _seed: int) -> list[bytes]:
    return [body] if body else []


def _bytewise(body: bytes, _seed: int) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))]


_FRAMINGS: Final[Mapping[Framing, Callable[[bytes, int], list[bytes]]]] = {
    Framing.SPLIT: _split,
    Framing.GLUE: _glued,
    Framing.BYTES: _bytewise,
}


def _events(response: Response) -> Chunks:
    """Return a stream event by event, however it was recorded."""
    return _timed(response.chunks, sse.split(response.body))


def _places(events: Chunks) -> list[int]:
    """Tell which chunks are events that carry data."""
    return [place for place, event in enumerate(events) if _DATA_LINE.search(event.data)]


def _before_done(events: Chunks) -> list[int]:
    """Tell where the events before `[DONE]` are."""
    places = _places(events)
    done = next((number for number, place in enumerate(places) if sse.is_done(events[place].data)), None)
    return places[:done]


def _place(events: Chunks, at: int) -> int | None:
    """Tell where the event of that number is, the last before `[DONE]` where it is none of those; None of none."""
    places = _before_done(events) or _places(events)
    return places[min(at, len(places)) - 1] if places else None


def _first_events(response: Response, after: int) -> Chunks:
    """Return a stream up to its event of that number, as far as there is one before `[DONE]`."""
    events = _events(response)
    places = _before_done(events)[: max(after, 0)]
    return events[: places[-1] + 1] if places else ()


def _first_part(response: Response, fault: Fault) -> Chunks:
    return _first_bytes(response.chunks, _middle(len(response.body), fault))


def _first_bytes(chunks: Chunks, size: int) -> Chunks:
    """Return so many bytes, in the pieces they are in."""
    starts = accumulate((len(chunk.data) for chunk in chunks), initial=0)
    cut = (
        replace(chunk, data=chunk.data[: max(size - start, 0)]) for chunk, start in zip(chunks, starts, strict=False)
    )
    return tuple(chunk for chunk in cut if chunk.data)


def _timed(chunks: Chunks, pieces: list[bytes]) -> Chunks:
    """Give each piece of the same bytes the time at which its last byte came."""
    ends = list(accumulate(len(chunk.data) for chunk in chunks))
    piece_ends = accumulate(len(piece) for piece in pieces)
    times = (chunks[bisect_left(ends, end)].at_us for end in piece_ends)
    return tuple(Chunk(at_us, piece) for at_us, piece in zip(times, pieces, strict=True))


def _within(data: bytes, start: int, end: int, fault: Fault) -> int:
    """Choose a place in the middle of these bytes, and between two characters: it is the JSON that is to be broken."""
    place = start + _middle(end - start, fault)
    while place > start and _GOES_ON.match(data, place):
        place -= 1
    return place


def _middle(size: int, fault: Fault) -> int:
    """Choose a place in the middle half of so many bytes: never all of them."""
    return size // 4 + next(_numbers(fault.seed)) % (size // 2 + 1)


def _numbers(seed: int) -> Iterator[int]:
    """Yield numbers without end that look like chance, and are the same for the same seed everywhere."""
    for block in count():
        digest = sha256(b"%d:%d" % (seed, block)).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4))
