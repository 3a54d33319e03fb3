"""Playing a recording: what leaves together, when each piece is due, and how a cut one ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.shelf import Shelf
from proxy.cassette.writer import Run, Writer
from proxy.core import pace
from proxy.core.address import Address
from proxy.core.deck import Deck, Incomplete
from proxy.core.ledger import Ledger
from proxy.core.model import Chunk, Headers, Interaction, Outcome, Request, Response, Track
from proxy.core.modes import Mode
from proxy.core.normalize import normalize
from proxy.exchange import Exchange
from proxy.lanes import Lanes, Policy
from proxy.playback import play
from tests.running import CHAT, DONE, STOP, ask, chat, connected, delta, read_head, request, running

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JSON = (("content-type", "application/json"),)
SSE = (("content-type", "text/event-stream"),)
TIMES = (1_000_000, 1_250_000, 1_250_000, 3_000_000)
EVENTS = (delta("One"), delta(" two"), STOP, DONE)


def response(
    headers: Headers = SSE,
    pieces: Sequence[bytes] = EVENTS,
    *,
    times: Sequence[int] = TIMES,
    status: int = 200,
    outcome: Outcome = Outcome.COMPLETE,
) -> Response:
    chunks = tuple(Chunk(at, data) for at, data in zip(times, pieces, strict=False))
    return Response(status, headers, chunks, outcome, 900_000, 3_100_000)


class Player:
    """A clock that only stands still or is slept on, and a client whose every write costs 3 ms."""

    outlived = False

    def __init__(self) -> None:
        self.now = 7_000_000
        self.writes: list[tuple[int, list[bytes], bool]] = []
        self.head: tuple[int, Headers, int | None] | None = None
        self.aborted = False
        self.slept: list[float] = []

    def clock(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * 1_000_000)

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        del reason
        self.head = (status, headers, length)

    async def write(self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()) -> None:
        del trailers
        self.writes.append((self.now - 7_000_000, list(pieces), last))
        self.now += 3_000

    async def abort(self) -> None:
        self.aborted = True


def keep(cassette: Path, kept: Response, body: bytes) -> None:
    """Record a response as the answer to a request with this body."""
    asked = Request("POST", "/v1/chat/completions", body=body)
    canonical = normalize(asked)
    track = Track(canonical.key, canonical.variant)
    writer = Writer(cassette, Run("2026-11-22T00:00:00Z", "record", "http://127.0.0.1/v1", "0", replaces=True))
    try:
        writer.save(Interaction(track, 1, "2026-11-22T00:00:00.000Z", asked, kept)).result()
    finally:
        writer.close()


async def played(cassette: Path, text: str, body: bytes) -> Player:
    """Let an exchange play the recording of a request at a pace, on the player's clock."""
    player = Player()
    shelf = Shelf(cassette, cassette.parent, mode=Mode.REPLAY, deck=lambda: Deck(incomplete=Incomplete.PLAY))
    ledger = Ledger()
    lanes = Lanes(Policy(Mode.REPLAY, pace.parse(text)), shelf, ledger)
    exchange = Exchange(lanes, shelf, ledger, clock=player.clock, sleep=player.sleep)
    try:
        asked = Request("POST", "/v1/chat/completions", body=body)
        await exchange.answer(asked, Address("", "", asked.path, ""), player)
    finally:
        shelf.close()
    return player


ONE, TWO, END, OVER = EVENTS


@pytest.mark.parametrize(
    ("text", "due"),
    [
        pytest.param("recorded", [900_000, 1_000_000, 1_250_000, 3_000_000], id="recorded"),
        pytest.param("10x", [90_000, 100_000, 125_000, 300_000], id="ten times as fast"),
        pytest.param("0.5x", [1_800_000, 2_000_000, 2_500_000, 6_000_000], id="half as fast"),
    ],
)
async def test_each_event_is_sent_when_it_is_due_and_delays_never_add_up(
    tmp_path: Path, text: str, due: list[int]
) -> None:
    keep(tmp_path / "c.sqlite", response(), chat(stream=True))
    player = await played(tmp_path / "c.sqlite", text, chat(stream=True))
    head_at, one_at, two_at, done_at = due
    assert player.writes == [
        (head_at, [], False),
        (one_at, [ONE], False),
        (two_at, [TWO, END], False),  # due together, sent together
        (done_at, [OVER], False),
        (done_at + 3_000, [], True),
    ]


async def test_tokens_a_second_spaces_the_events_of_a_stream_evenly(tmp_path: Path) -> None:
    keep(tmp_path / "c.sqlite", response(), chat(stream=True))
    player = await played(tmp_path / "c.sqlite", "50tps", chat(stream=True))
    events = [(at, pieces) for at, pieces, _ in player.writes if pieces]
    assert [pieces for _, pieces in events] == [[ONE], [TWO], [END], [OVER]]
    assert [at for at, _ in events[1:]] == [20_000, 40_000, 60_000]


async def test_a_plain_answer_takes_as_long_as_all_of_its_tokens(tmp_path: Path) -> None:
    body = b'{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 25}}'
    keep(tmp_path / "c.sqlite", response(JSON, [body]), chat())
    player = await played(tmp_path / "c.sqlite", "50tps", chat())
    assert [(at, pieces) for at, pieces, _ in player.writes[:1]] == [(500_000, [])]
    assert [pieces for _, pieces, _ in player.writes[1:]] == [[body], []]


async def test_at_pace_instant_all_leaves_in_one_write_and_nothing_sleeps(tmp_path: Path) -> None:
    keep(tmp_path / "c.sqlite", response(), chat(stream=True))
    player = await played(tmp_path / "c.sqlite", "instant", chat(stream=True))
    assert player.writes == [(0, list(EVENTS), True)]
    assert player.slept == []


async def test_what_is_overdue_is_sent_without_sleeping(tmp_path: Path) -> None:
    keep(tmp_path / "c.sqlite", response(times=(1, 2, 3, 4)), chat(stream=True))
    player = await played(tmp_path / "c.sqlite", "1000x", chat(stream=True))
    assert [seconds for seconds in player.slept if seconds <= 0] == []
    assert [pieces for _, pieces, _ in player.writes if pieces] == [list(EVENTS)]


@pytest.mark.parametrize("text", ["instant", "recorded"])
@pytest.mark.parametrize(
    ("headers", "pieces"),
    [(SSE, [ONE]), (SSE, []), (JSON, [b'{"choices": [']), (JSON, [])],
    ids=["a stream", "a stream after its head", "a body", "a body after its head"],
)
async def test_a_cut_is_aborted_and_never_told_its_length(
    tmp_path: Path, headers: Headers, pieces: list[bytes], text: str
) -> None:
    keep(tmp_path / "c.sqlite", response(headers, pieces, outcome=Outcome.CUT), chat(stream=True))
    player = await played(tmp_path / "c.sqlite", text, chat(stream=True))
    assert player.head is not None
    assert player.head[2] is None
    assert [piece for _, sent, _ in player.writes for piece in sent] == pieces
    assert not any(last for _, _, last in player.writes)
    assert player.aborted


@pytest.mark.parametrize(
    ("status", "text", "fields", "expected"),
    [
        (429, "instant", {"retry-after": "20"}, {"retry-after-ms": "1"}),
        (503, "instant", {"Retry-After": "20", "retry-after-ms": "20000"}, {"retry-after-ms": "1"}),
        (429, "instant", {}, {}),
        (200, "instant", {"retry-after": "20"}, {"retry-after": "20"}),
        (429, "recorded", {"retry-after": "20"}, {"retry-after": "20"}),
    ],
)
async def test_a_replayed_error_may_be_retried_at_once_at_pace_instant(
    status: int, text: str, fields: dict[str, str], expected: dict[str, str]
) -> None:
    player = Player()
    kept = response((*JSON, *fields.items()), [b"{}"], status=status)

    async def sleep_until(_due_us: int) -> None: ...

    await play(player, kept, pace.parse(text).schedule(kept, None), (("x-llmtape", "played"),), sleep_until)
    assert player.head is not None
    sent = dict(player.head[1])
    assert {name: value for name, value in sent.items() if "retry" in name.lower()} == expected
    assert sent["x-llmtape"] == "played"
    assert player.head[0] == status
    assert player.head[2] == 2


async def test_on_the_socket_every_event_is_an_http_chunk_and_all_of_them_one_piece(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    keep(cassette, response(), chat(stream=True))
    async with running(Mode.REPLAY, cassette) as proxy:
        answer = await ask(proxy.url + CHAT, chat(stream=True))
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(proxy.url + CHAT, chat(stream=True)))
            await read_head(reader)
            rest = await reader.read(65536)
    assert answer.chunks == EVENTS
    assert answer.ended
    assert rest == b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in EVENTS) + b"0\r\n\r\n"


async def test_a_paced_replay_over_a_socket_sends_the_same_chunks(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    keep(cassette, response(), chat(stream=True))
    async with running(Mode.REPLAY, cassette, replay={"pace": "1000x"}) as proxy:
        answer = await ask(proxy.url + CHAT, chat(stream=True))
    assert (answer.chunks, answer.ended) == (EVENTS, True)
