"""Credentials in every place, in every spelling: none may be found in a byte of what is stored or told.

Rule: most plantings are held against the pure functions, where each byte but the planted ones must stay as it was; some
go through a recorder and a replay that are processes of their own, whose every file and word is then read.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

from proxy.core import sse
from proxy.core.credentials import credentials
from proxy.core.model import Chunk, Request
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor
from torture import leaking
from torture.hiding import HIDDEN, credential, shows
from torture.item import BrokenPromiseError, Item, check

if TYPE_CHECKING:
    from pathlib import Path

    from torture.item import Advance

PROCESSES_EVERY: Final = 100
"""So many plantings in process stand for one that goes through processes."""

_CHAT: Final = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class _Planting:
    """A credential, how it is spelt, and whose it is."""

    secret: str
    how: str
    spelt: str

    @classmethod
    def drawn(cls, random: Random) -> _Planting:
        secret, how = credential(random), random.choice(list(HIDDEN))
        return cls(secret, how, HIDDEN[how](secret, random))

    def shown(self, random: Random) -> tuple[tuple[str, str], ...]:
        """Return header fields that bear the credential, as one client or another sends it."""
        fields = (
            (("Authorization", f"Bearer {self.secret}"),),
            (("api-key", self.secret),),
            (("X-Api-Key", self.secret), ("Authorization", "Bearer not-needed")),
            (("Proxy-Authorization", f"Bearer {self.secret}"),),
            (("X-Gateway-Token", self.secret),),
        )
        return random.choice(fields)


def _chat(*messages: dict[str, object], **more: object) -> Request:
    body = {"model": "m", "max_tokens": 128, "messages": list(messages), "seed": 1730000000, **more}
    return Request("POST", _CHAT, headers=(("content-type", "application/json"),), body=json.dumps(body).encode())


def _posted(kind: str, body: str) -> Request:
    return Request("POST", "/v1/files", headers=(("content-type", kind),), body=body.encode())


def _with_arguments(text: str) -> Request:
    told = json.dumps({"command": json.dumps({"curl": f"-H 'authorization: {text}'"})})
    call = {"id": "call_1", "type": "function", "function": {"name": "run", "arguments": told}}
    return _chat({"role": "assistant", "content": None, "tool_calls": [call]})


def _with_tool(text: str) -> Request:
    tool = {"name": "f", "description": text, "parameters": {"type": "object"}}
    return _chat({"role": "user", "content": "x"}, tools=[{"type": "function", "function": tool}])


def _with_image(text: str) -> Request:
    return _chat({"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]})


_PLACES: Final[dict[str, Callable[[str], Request]]] = {
    "system": lambda text: _chat({"role": "system", "content": f"before {text} after"}),
    "user": lambda text: _chat({"role": "user", "content": f"before {text} after"}),
    "tool": lambda text: _chat({"role": "tool", "tool_call_id": "c", "content": json.dumps({"env": f"KEY={text}"})}),
    "arguments": _with_arguments,
    "schema": _with_tool,
    "image": _with_image,
    "form": lambda text: _posted("multipart/form-data; boundary=b", f"--b\r\n\r\n{text}\r\n--b--\r\n"),
    "text": lambda text: _posted("text/plain", f"a\n{text}\n"),
    "query": lambda text: Request("GET", "/v1/models", f"api-version=1&about={_in_url(text)}"),
    "path": lambda text: Request("GET", f"/v1/files/{_in_url(text)}/content"),
}


def _in_url(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "%-._~" else f"%{ord(letter):02X}" for letter in text)


def _written(request: Request) -> bytes:
    fields = "\n".join(f"{name}: {value}" for name, value in request.headers)
    return f"{request.path}?{request.query}\n{fields}\n".encode() + request.body


def in_request(random: Random) -> None:
    """Plant a credential in a request; a second caller, with another of the same kind, must get the same key."""
    planting, place = _Planting.drawn(random), random.choice(list(_PLACES))
    told = f"{planting.how} in {place}: {planting.secret!r}"
    asked = _PLACES[place](planting.spelt)
    shown = planting.shown(random)
    secrets = credentials(shown)
    check(planting.secret.encode() in secrets, f"{shown} bears no credential ({told})")
    redactor = Redactor()
    clean = redactor.request(asked, secrets)
    check(not shows(_written(clean), planting.secret), f"a request keeps a credential: {told}\n{clean}")
    check(len(clean.body) == len(asked.body), f"a length changed: {told}")
    check(redactor.request(clean, secrets) == clean, f"redacting twice changes more: {told}")
    if asked.body.startswith(b"{"):
        body = json.loads(clean.body)
        check(body["max_tokens"] == 128 and body["seed"] == 1730000000, f"a number changed: {told}")
    innocent = _PLACES[place]("nothing of the kind")
    check(redactor.request(innocent, secrets) == innocent, f"a request without a secret changed: {told}")
    check(normalize(clean).key == normalize(redactor.request(clean, ())).key, f"the key is another: {told}")


def _events(random: Random, text: str) -> list[bytes]:
    """Spell a text over the events of a stream, in one of the places that models write in."""
    pieces = _cut(random, f"it is {text}, is it?")
    wrap = random.choice(_WRAPS)
    ascii_only = random.random() < 0.5
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1730000000, "model": "m"}
    told = [json.dumps({**chunk, **wrap(piece)}, ensure_ascii=ascii_only) for piece in pieces]
    end = random.choice(("\n\n", "\r\n\r\n", "\n\n"))
    between = [": ping" for _ in told if random.random() < 0.1]
    lines = [f"data: {one}" for one in told]
    for comment in between:
        lines.insert(random.randrange(len(lines)), comment)
    return [f"{line}{end}".encode() for line in [*lines, "data: [DONE]"]]


def _choice(delta: dict[str, object], index: int = 0) -> dict[str, object]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": None}]}


def _with_tokens(piece: str) -> dict[str, object]:
    token = {"token": piece, "logprob": -0.125, "bytes": list(piece.encode())}
    held = {"content": [{**token, "top_logprobs": [token, {**token, "token": f"{piece}x"}]}]}
    return {"choices": [{"index": 0, "delta": {"content": piece}, "logprobs": held}]}


_WRAPS: Final[tuple[Callable[[str], dict[str, object]], ...]] = (
    lambda piece: _choice({"content": piece}),
    lambda piece: _choice({"content": piece}, index=1),
    lambda piece: _choice({"reasoning_content": piece}),
    lambda piece: _choice({"refusal": piece}),
    lambda piece: _choice({"content": [{"type": "text", "text": piece}]}),
    lambda piece: _choice({"tool_calls": [{"index": 2, "function": {"arguments": piece}}]}),
    lambda piece: {"choices": [{"index": 0, "text": piece}]},
    lambda piece: {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": piece},
    lambda piece: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
    _with_tokens,
)


def _cut(random: Random, text: str) -> list[str]:
    longest = random.choice((1, 3, 9, 40))
    pieces: list[str] = []
    while text:
        size = random.randint(1, longest)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def _joined(body: bytes) -> bytes:
    """Join what a stream says, read by no more than its JSON: every string of each place, and its bytes."""
    said: dict[str, list[str]] = {}

    def walk(value: object, where: str) -> None:
        if isinstance(value, str):
            said.setdefault(where, []).append(value)
        elif isinstance(value, dict):
            for name, item in value.items():
                walk(item, f"{where}.{name}")
        elif isinstance(value, list) and value and all(type(item) is int for item in value):
            said.setdefault(where, []).append(bytes(value).decode("latin-1"))
        elif isinstance(value, list):
            for item in value:
                walk(item, f"{where}[]")

    for event in sse.split(body):
        data = sse.data_of(event)
        if data and data != sse.DONE:
            walk(json.loads(data), "")
    return "\n".join("".join(texts) for texts in said.values()).encode("utf-8", "surrogatepass")


def in_stream(random: Random) -> None:
    """Let an answer spell a credential over several events; the times, lengths and other bytes of all must stay."""
    planting = _Planting.drawn(random)
    events = _events(random, planting.spelt)
    chunks = tuple(Chunk(at, event) for at, event in enumerate(events))
    secrets = credentials(planting.shown(random))
    told = f"{planting.how} over {len(events)} events: {planting.secret!r} spelt {planting.spelt!r}"
    clean = Redactor().chunks(chunks, secrets)
    body = b"".join(chunk.data for chunk in clean)
    check(not shows(body + b"\n" + _joined(body), planting.secret), f"a stream keeps a credential: {told}\n{body!r}")
    check([len(chunk.data) for chunk in clean] == list(map(len, events)), f"an event changed its length: {told}")
    check([chunk.at_us for chunk in clean] == [chunk.at_us for chunk in chunks], f"a time changed: {told}")
    check(b"1730000000" in body, f"a number changed: {told}")
    check(Redactor().chunks(clean, secrets) == clean, f"redacting twice changes more: {told}")
    innocent = tuple(Chunk(at, event) for at, event in enumerate(_events(random, "nothing of the kind")))
    check(Redactor().chunks(innocent, secrets) is innocent, f"an answer without a secret changed: {told}")


def in_answer(random: Random) -> None:
    """Let a plain answer, an error or a header field echo a credential; reads may cut it anywhere."""
    planting = _Planting.drawn(random)
    text = planting.spelt
    created = 1730000000
    bodies = (
        {"error": {"message": f"Incorrect API key provided: {text}.", "type": "invalid_request_error"}},
        {"created": created, "choices": [{"index": 0, "message": {"content": f"your key is {text}"}}]},
        {
            "created": created,
            "choices": [{"message": {"tool_calls": [{"function": {"arguments": json.dumps({"k": text})}}]}}],
        },
        {"data": [{"b64_json": text}], "created": created},
    )
    body = json.dumps(random.choice(bodies)).encode()
    places = sorted(random.sample(range(len(body)), k=min(len(body), random.randint(0, 5))))
    cuts = [0, *places, len(body)]
    chunks = tuple(Chunk(at, body[start:end]) for at, (start, end) in enumerate(pairwise(cuts)))
    secrets = credentials(planting.shown(random))
    told = f"{planting.how} in {body!r}: {planting.secret!r}"
    clean = Redactor().chunks(chunks, secrets)
    new = b"".join(chunk.data for chunk in clean)
    check(not shows(new, planting.secret), f"an answer keeps a credential: {told}\n{new!r}")
    check([len(chunk.data) for chunk in clean] == [len(chunk.data) for chunk in chunks], f"a length changed: {told}")
    check(json.loads(new).get("created", created) == created, f"a number changed: {told}")
    (field,) = Redactor().headers((("x-request-id", f"req_{text}"),), secrets)
    check(not shows(field[1].encode(), planting.secret), f"a header field keeps a credential: {told}: {field}")


Plant = Callable[[Random], None]

WAYS: Final[tuple[Plant, ...]] = (in_request, in_stream, in_answer)


def run(count: int, folder: Path, advance: Advance, seed: int = 0) -> str:
    """Plant so many credentials, each drawn by a seed that is told where a promise breaks."""
    slowest = 0.0
    through = 0
    for number in range(seed, seed + count):
        random = Random(number)
        try:
            began = time.perf_counter()
            random.choice(WAYS)(random)
            slowest = max(slowest, time.perf_counter() - began)
            if (number - seed) % PROCESSES_EVERY == 0:
                place = folder / str(number)
                place.mkdir()
                asyncio.run(leaking.through(place, random))
                through += 1
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"seed {number}: {error}") from error
        advance()
    return f"{through} of them through processes, all files and output read; slowest in process {slowest * 1000:.0f} ms"


ITEMS: Final = (
    Item(
        "secrets",
        2000,
        "plantings",
        "planted credentials are in no byte that is stored or told, and no other byte changes",
        run,
    ),
)
