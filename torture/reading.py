"""What takes bytes or text from outside, each fed as it is where it is read.

Rule: a function here takes any bytes, and raises an LlmtapeError, or an AssertionError where a promise broke, or
nothing. It knows nothing of where its input comes from, and is pure but for the folder that it is given.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from proxy import config, wanted
from proxy import control as endpoints
from proxy.core import address, bodies, conflicts, faults, interchange, jsontext, pace, refusal, rules, spelling, sse
from proxy.core.address import Address
from proxy.core.completion import CHAT_PATH, assemble, documents, judge, summarize
from proxy.core.counterparts import counterparts
from proxy.core.delta import addition
from proxy.core.errors import LlmtapeError
from proxy.core.explain import explain
from proxy.core.inject import inject
from proxy.core.meaning import meaning
from proxy.core.mismatch import nearness
from proxy.core.miss import Miss, Nearest
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Take, Track, Variant
from proxy.core.modes import Found
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from proxy.core.redact import Redactor, credentials
from proxy.core.remedy import remedy
from proxy.core.restore import Replacement, restored
from proxy.core.rules import DEFAULT, PathAction, PathRule, Pattern, Rules
from proxy.core.scrubbers import SCRUBBERS
from proxy.core.soundness import check as faults_of
from proxy.core.timeline import spoken_at, timeline
from proxy.core.verdict import compare
from proxy.foreign import source
from proxy.foreign.recording import Keeping
from torture.item import check
from torture.samples import CHATS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON: Final = "2026-11-22T12:00:00.000Z"

_RULES: Final = (
    DEFAULT,
    Rules(scrub=tuple(SCRUBBERS), restore=True, sort_tools=True, developer_is_system=True, models={"a": "b"}),
    Rules(
        pattern=(Pattern(name="run", pattern=r"run (?P<value>\d+)"),),
        path=(
            PathRule(name="first", path="$.messages[0].content"),
            PathRule(name="deep", path="$..arguments", action=PathAction.REPLACE),
            PathRule(name="all", path="$.messages[*].content[*].text", action=PathAction.REPLACE),
        ),
        headers=("X-Tenant",),
        query=("tenant",),
        api_key=True,
        ignore_max_tokens=True,
    ),
)
_PATHS: Final = ("/v1/chat/completions", "/v1/chat/completions", "/v1/embeddings", "/openai/deployments/m/files")
_JSON: Final = (("content-type", "application/json"),)
_SSE: Final = (("content-type", "text/event-stream; charset=utf-8"),)


def request(data: bytes, _folder: Path) -> None:
    """Go the way of a request: redacted, and brought to its one form, of which its key is made."""
    asked, by = _asked(data)
    clean = Redactor().request(asked, credentials(asked.headers, asked.query))
    check(len(clean.body) == len(asked.body), "redacting changed a length")
    check(Redactor().request(clean, frozenset()) == clean, "redacting twice changes more than redacting once")
    form = normalize(clean, by)
    if "body" in form.content:
        again = normalize(replace(clean, body=json.dumps(form.content["body"]).encode()), by)
        check(again.content == form.content, "normalizing twice changes more than once")
        check(again.key == form.key, "normalizing twice makes another key")
    outline(form.content)


def miss(data: bytes, _folder: Path) -> None:
    """Explain a request, and write the report of a miss, with what is like it as the nearest."""
    asked, by = _asked(data)
    form = normalize(asked, by)
    explain(asked, by)
    for other in _near(asked):
        recorded = normalize(other, by)
        nearness(recorded.content, form.content)
        take = Take(1, Track(recorded.key, recorded.variant), 1, 200, Outcome.COMPLETE)
        near = Nearest(take, NOON, other, recorded)
        track = Track(form.key, form.variant, "a lane")
        missed = Miss(Found.NOT_RECORDED, "c.sqlite", track, form, 1, take, near, remedy(other, asked, by))
        refusal.body(missed.report(), "cassette_miss", missed.found, missed.param)
        for value in counterparts(recorded, form, by):
            _ = value.pattern


def _asked(data: bytes) -> tuple[Request, Rules]:
    """Make a request of an input, whose first byte tells its path, and the rules that it counts by."""
    chosen, body = data[:1] or b"\0", data[1:]
    path = _PATHS[chosen[0] // 8 % len(_PATHS)]
    headers = (("Authorization", "Bearer sk-proj-0123456789abcdefABCDEF"), ("X-Tenant", "ada"), *_JSON)
    return Request("POST", path, "tenant=x&api-key=0123456789", headers, body), _RULES[chosen[0] % len(_RULES)]


def _near(asked: Request) -> Iterator[Request]:
    yield replace(asked, body=CHATS[0])
    middle = len(asked.body) // 2
    yield replace(asked, body=asked.body[:middle] + b"7" + asked.body[middle + 1 :])


def framing(data: bytes, _folder: Path) -> None:
    """Cut a stream, however it comes in: no byte is changed, and each event is one by itself."""
    sizes, body = data[:4], data[4:]
    whole = sse.split(body)
    check(b"".join(whole) == body, "the events, joined, are not the stream")
    for event in whole:
        check(sse.split(event) == [event], "an event, framed again, is not one")
        sse.data_of(event)
        sse.is_done(event)
    framer = sse.Framer()
    events: list[bytes] = []
    place = turn = 0
    while place < len(body):
        step = max(sizes[turn % len(sizes)] % 16, turn % 2)  # also no bytes at all, now and then
        events += framer.feed(body[place : place + step])
        place += step
        turn += 1
    check(events + framer.flush() == whole, "the events depend on how the stream came in")


def answer(data: bytes, _folder: Path) -> None:
    """Read what an answer says, plain or a stream, and do to it all that is done to a recorded one."""
    chosen, body = data[:1] or b"\0", data[1:]
    is_stream = bool(chosen[0] & 1)
    pieces = sse.split(body) if is_stream else [body] if body else []
    chunks = tuple(Chunk(place * 100, piece) for place, piece in enumerate(pieces, 1))
    headers = _SSE if is_stream else _JSON
    response = Response(200, headers, chunks, Outcome.COMPLETE, 50, 100 * len(chunks) + 1, bool(chosen[0] & 2))
    judge(response, CHAT_PATH)
    documents(response)
    summarize(response)
    repr(assemble(response)).encode()
    for piece in pieces:
        addition(piece)
    meaning(response)
    compare(response, replace(response, chunks=chunks[:-1]))
    timeline(spoken_at(response), response.duration_us, 8)
    for fault in faults.parse("cut; after=1, malformed, error, stall; after=1, framing=split, framing=bytes"):
        inject(response, [fault])
    told = (bodies.stream_to_json if response.is_stream else bodies.chunks_to_json)(chunks)
    check(bodies.chunks_from_json(orjson.loads(orjson.dumps(told))) == chunks, "a body, written and read, is another")
    request = Request("POST", "/v1/chat/completions", body=CHATS[0])
    track = Track("0" * 64, Variant.SSE if is_stream else Variant.JSON)
    list(faults_of(Interaction(track, 1, NOON, request, response), DEFAULT, Redactor()))
    values = [Replacement("tmp", "/other/path"), Replacement("2026-11-25", "2027-01-01")]
    kept = restored(response, request.path, values)
    check([chunk.at_us for chunk in kept.chunks] == [chunk.at_us for chunk in chunks], "restoring changed a time")


def line(data: bytes, _folder: Path) -> None:
    """Read a line of an export, and the text of a conflict."""
    with suppress(UnicodeDecodeError):
        kind, _, text = data.decode().partition("\n")
        with suppress(LlmtapeError):
            conflicts.read(kind, text, DEFAULT)
        conflicts.combined(text, kind)
    line = interchange.loads(data)
    written = interchange.dumps(line)
    check(interchange.loads(written) == line, "a line, written and read, is another")
    check(written.count(b"\n") == 1 and b"\x1b" not in written, "a line is not one, or steers a terminal")


def file(data: bytes, _folder: Path) -> None:
    """Import a file of whatever kind."""
    found = source.opened("a file", io.BytesIO(data), Keeping(NOON), "1")
    for _ in range(2):
        for incoming in found.recordings(DEFAULT):
            interchange.dumps(interchange.Recorded(incoming.interaction, 1))


def settings(data: bytes, folder: Path) -> None:
    """Read a config file, or the environment."""
    text = data[1:].decode("utf-8", "surrogateescape")
    if data[:1] < b"\x80":
        file = folder / "llmtape.toml"
        file.write_bytes(data[1:])
        config.load({}, file=file, environment={})
        return
    lines = (line.partition("=") for line in text.split("\n"))
    environment = {f"LLMTAPE_{name}": value.replace("\0", "") for name, _, value in lines}
    config.load({}, file=folder / "none.toml", environment=environment)


def text(data: bytes, _folder: Path) -> None:
    """Read the small languages: paces, faults, rules, addresses, JSON within texts."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (_pace, _faults, _rules, _address, _embedded, address.check_name, address.check_lane):
        with suppress(LlmtapeError):
            read(text)


def _pace(text: str) -> None:
    chunks = tuple(Chunk(at, b"data: x\n\n") for at in (1, 10**6, 2**62))
    response = Response(200, _SSE, chunks, Outcome.COMPLETE, 2**62, 2**63 - 1)
    for recorded in (response, replace(response, headers=_JSON)):
        pace.parse(text).schedule(recorded, 2**63 - 1)


def _faults(text: str) -> None:
    found = faults.parse(text)
    again = faults.parse(", ".join(fault.text for fault in found))
    check(again == found, "faults, written and read, are others")
    faults.refusal(faults.chosen(found, 3))


def _rules(text: str) -> None:
    check(rules.read(text).text == text, "rules, read and written, are others")


def _address(text: str) -> None:
    found = address.parse(text)
    check(
        ".." not in found.cassette.split("/") and not found.cassette.startswith("/"), "a name leads out of the folder"
    )
    check(found.path.startswith("/") and found.path.isascii(), "a path is none")
    check(address.fold(found.path) == found.path, "folding twice does more")


def _embedded(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    for scalar in jsontext.scan(text):
        check(len(scalar.places) == len(scalar.text) + 1, "a scalar has not a place for each of its units")
    if found := spelling.parsed(text.encode()):
        check(spelling.written(*found) == text.encode(), "JSON, written in its style, is other bytes")
    jsontext.begins(text)
    jsontext.is_whole(text)


def control(data: bytes, _folder: Path) -> None:
    """Read what a runner tells the proxy."""
    where = Address("", "", "/_llmtape/mode", "")
    values = endpoints._values(data, "POST /_llmtape/mode")  # noqa: SLF001  what the endpoints do first
    for kind in (endpoints.Change, endpoints.End, endpoints.Rewind):
        with suppress(LlmtapeError):
            endpoints._read(values, kind, where)  # noqa: SLF001  as above
    wanted.read(values, DEFAULT, "POST /_llmtape/lane/start")
