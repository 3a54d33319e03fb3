"""Interactions to store, as short as a test wants them, and strategies for all that may stand in one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from proxy.cassette.reader import Reader
from proxy.cassette.writer import Run, Writer
from proxy.core.model import Chunk, Headers, Interaction, Outcome, RecordedRun, Request, Response, Track, Variant
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules
from tests.core import scrubbing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

JSON_TYPE: Final = (("content-type", "application/json"),)
SSE_TYPE: Final = (("content-type", "text/event-stream"),)
CHAT: Final = "/v1/chat/completions"
NOON: Final = "2026-11-22T12:00:00.000Z"
_NOBODY: Final = 65534

RECORD: Final = Run("2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0", replaces=True)
AUTO: Final = Run("2026-11-22T12:00:00Z", "auto", "http://127.0.0.1:9/v1", "0.1.0", replaces=False)


def remembered(run: Run) -> RecordedRun:
    """Return a run as a cassette remembers it, whose first it was."""
    return RecordedRun(1, *run.row().values())


def question(text: str = "hello", *, model: str = "m") -> Request:
    body = b'{"model":"%b","messages":[{"role":"user","content":"%b"}]}' % (model.encode(), text.encode())
    return Request("POST", CHAT, "", JSON_TYPE, body)


def answer(
    *pieces: bytes, status: int = 200, headers: Headers = JSON_TYPE, outcome: Outcome = Outcome.COMPLETE
) -> Response:
    chunks = tuple(Chunk(100 * number, piece) for number, piece in enumerate(pieces, 1))
    return Response(status, headers, chunks, outcome, 50, 100 * len(pieces) + 10)


def taken(
    request: Request,
    response: Response,
    number: int = 1,
    *,
    lane: str = "",
    at: str = NOON,
    variant: Variant = Variant.JSON,
    rules: Rules = DEFAULT,
) -> Interaction:
    """Make an interaction under the key that its request has."""
    return Interaction(Track(normalize(request, rules).key, variant, lane), number, at, request, response)


def store(path: Path, interactions: Iterable[Interaction], run: Run = RECORD, rules: Rules = DEFAULT) -> None:
    """Record interactions in one run, each committed before the next."""
    writer = Writer(path, run, rules)
    try:
        for interaction in interactions:
            writer.save(interaction).result()
    finally:
        writer.close()


def held(path: Path, rules: Rules = DEFAULT) -> list[Interaction]:
    """Read all that a cassette holds, in order."""
    with Reader(path, rules) as reader:
        return [reader.interaction(entry.take) for entry in reader.entries()]


def bodies(path: Path) -> list[bytes]:
    """Read the bodies of all responses, in order."""
    return [interaction.response.body for interaction in held(path)]


def files(path: Path) -> list[str]:
    """Name the files that stand where the cassette does."""
    return sorted(file.name for file in path.parent.iterdir())


def rows(path: Path, statement: str) -> list[tuple[Any, ...]]:
    """Read a file as any other program would."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def change(path: Path, statement: str) -> None:
    """Change a file behind our back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma ignore_check_constraints = on")
        connection.execute(statement)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to write anywhere, where tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def read_only_copy(path: Path, *, mode: int = 0o444) -> Iterator[Path]:
    """Copy a cassette to a folder where nobody may write, that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="llmtape-test-"))
    try:
        copy = folder / "tape.sqlite"
        shutil.copy(path, copy)
        copy.chmod(mode)
        folder.chmod(0o555)
        yield copy
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Call:
    """What one call asks, and what it is answered."""

    request: Request
    body: bytes = b"1"
    lane: str = ""
    variant: Variant = Variant.JSON


def arriving(calls: Iterable[Call], rules: Rules = DEFAULT) -> list[Interaction]:
    """Make the interactions of calls that arrive one a second, numbered as a proxy under the rules does."""
    numbers: Counter[Track] = Counter()
    made: list[Interaction] = []
    for second, call in enumerate(calls):
        track = Track(normalize(call.request, rules).key, call.variant, call.lane)
        numbers[track] += 1
        at = NOON.replace("00:00.000", f"00:{second:02}.000")
        made.append(Interaction(track, numbers[track], at, call.request, answer(call.body)))
    return made


_FIELD_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
_HEADERS = st.lists(st.tuples(_FIELD_TEXT, _FIELD_TEXT), max_size=4).map(tuple)
_TIMES = st.integers(0, 2**62)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_AWKWARD = st.sampled_from(
    [
        b"",
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"x":"\\ud83d"}',
        b'{"usage":{"prompt_tokens":3}}',
        b"data: [DONE]\n\n",
        "grüße 🎲".encode(),
        "🎲".encode()[:2],
        b'{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}',
        b'{"messages":["not an object",1,null]}',
        b'{"model":7,"messages":{"role":"user"}}',
        b'{"model":"\\ud83d"}',
        b"[" * 3000,
    ]
)
DATA: Final = st.binary(max_size=40) | _AWKWARD | _JSON.map(lambda value: repr(value).encode())


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Draw any interaction that the proxy could come to store."""
    pieces: Sequence[bytes] = draw(st.lists(DATA, max_size=5))
    chunks = tuple(Chunk(draw(_TIMES), piece) for piece in pieces)
    headers: Headers = draw(st.sampled_from([(), JSON_TYPE, SSE_TYPE])) + draw(_HEADERS)
    response = Response(
        draw(st.integers(100, 999)), headers, chunks, draw(st.sampled_from(Outcome)), draw(_TIMES), draw(_TIMES)
    )
    request = Request(
        draw(st.sampled_from(["POST", "GET", "DELETE", "BREW"])),
        draw(st.sampled_from([CHAT, "/v1/models", "/", "/v1/gr%C3%BC%C3%9Fe"])),
        draw(st.sampled_from(["", "api-version=2024-06-01", "a=1&a=2&b=%00"])),
        draw(_HEADERS),
        draw(DATA),
    )
    lane = draw(st.sampled_from(["", "tests/test_a.py::test[x]", "Ω"]))
    return taken(request, response, draw(st.integers(1, 3)), lane=lane, variant=draw(st.sampled_from(Variant)))


_VOLATILE = [
    ("Today is 2026-11-25", "Today is 2026-11-26"),
    ("run 17", "run 18"),
    ("/tmp/tmpab12/x.py", "/tmp/tmpcd34/x.py"),
    ("a", "x"),
]
_SAID = st.sampled_from([text for pair in _VOLATILE for text in pair])
_ANY_CHAT = scrubbing.bodies().map(lambda body: Request("POST", CHAT, "", JSON_TYPE, json.dumps(body).encode()))
CALLS: Final = st.builds(
    Call,
    st.builds(lambda text, model: question(text, model=model), _SAID, st.sampled_from(["m", "alias"])) | _ANY_CHAT,
    st.sampled_from([b"1", b"2"]),
    st.sampled_from(["", "", "t"]),
    st.sampled_from([Variant.JSON, Variant.JSON, Variant.SSE]),
)
"""Calls of which some come to share a key under rules that let volatile text go."""
