"""What comes of each cruelty: what the client gets, what is stored, and what a replay gives.

Rule: looks from outside, at sockets, the cassette and the log; judges nothing but what must hold of every case.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from proxy.core.model import Outcome
from proxy.core.modes import Mode
from tests.running import CHAT, RawAnswer, chat, read_answer, read_head, recordings, request, running
from torture.cruel_upstream import GOOD, CruelUpstream
from torture.item import Advance, BrokenPromiseError, check, nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from proxy.core.model import Interaction
    from proxy.server import Proxy
    from torture.cruelties.case import Case

_LIMITS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "answer": {"record": {"answer_limit": 200_000}},
    "linger": {"record": {"linger_s": 0.1}},
    "silence": {"timeouts": {"connect_s": 10.0, "silence_s": 0.3}},
}
_OURS: Final = frozenset({"upstream_error", "cassette_miss", "cassette_error"})
_LONGEST_HEAD: Final = 2**21
_PATIENCE_S: Final = 15


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case. An answer is None where not even a head came; `sent` is how often it was sent upstream."""

    case: Case
    live: RawAnswer | None
    sent: int
    stored: Interaction | None
    replay: RawAnswer | None
    played: RawAnswer | None
    """What a replay gives that was told to play what did not end well, too."""


def observe(cases: Sequence[Case], folder: Path, advance: Advance = nothing) -> list[Seen]:
    """Let each case happen to a recorder, then to a replay; raise BrokenPromiseError where what must hold does not."""
    found = {
        seen.case.name: seen
        for limit in dict.fromkeys(case.limit for case in cases)
        for seen in _observe([case for case in cases if case.limit == limit], folder, limit, advance)
    }
    return [found[case.name] for case in cases]


def _observe(cases: Sequence[Case], folder: Path, limit: str, advance: Advance) -> list[Seen]:
    cassette = folder / f"{limit or 'none'}.sqlite"
    with no_trouble() as trouble:
        live, *replays = asyncio.run(_happen(cases, cassette, _LIMITS[limit], advance))
    check(not trouble, f"the log has what nobody caught: {trouble}")
    stored = {question_of(kept): kept for kept in recordings(cassette)}
    return [
        Seen(case, answer, sent, stored.get(case.name), refused, played)
        for case, (answer, sent), (refused, _), (played, _) in zip(cases, live, *replays, strict=True)
    ]


async def _happen(
    cases: Sequence[Case], cassette: Path, settings: dict[str, Any], advance: Advance
) -> list[list[tuple[RawAnswer | None, int]]]:
    """Return the answers of a recorder, a replay, and one that plays stumps; each with how often it was sent up."""
    tasks = asyncio.all_tasks()
    answers = [await _record(cases, cassette, settings, advance)]
    answers += [await _replay(cases, cassette, how) for how in ("refuse", "play")]
    await asyncio.sleep(0)
    check(asyncio.all_tasks() == tasks, f"a task was left behind: {asyncio.all_tasks() - tasks}")
    return answers


async def _record(
    cases: Sequence[Case], cassette: Path, settings: dict[str, Any], advance: Advance
) -> list[tuple[RawAnswer | None, int]]:
    answers = []
    async with CruelUpstream() as upstream:
        async with running(Mode.RECORD, cassette, **{"upstream": upstream.url, **settings}) as proxy:
            for case in cases:
                answers.append(await _meet(case, proxy, upstream))
                advance()
        async with patience("all connections to the upstream to end"):
            await upstream.left()
    return answers


async def _meet(case: Case, proxy: Proxy, upstream: CruelUpstream) -> tuple[RawAnswer | None, int]:
    """Ask while the upstream is cruel, and once more when it is good again."""
    await upstream.hang_up()
    upstream.plays(*case.scripts)
    if not case.scripts:
        await upstream.close()
    if case.is_kept:
        await _ask_good(proxy, f"before {case.name}")
    before = len(upstream.requests)
    answer = await ask_case(case, proxy, listens=case.listens)
    async with patience(f"{case.name}: the answer to end"):
        await _settled(proxy)
    sent = len(upstream.requests) - before
    upstream.plays()
    if not case.scripts:
        await upstream.open()
    await _ask_good(proxy, f"after {case.name}")
    return answer, sent


async def _settled(proxy: Proxy) -> None:
    while True:
        if not proxy.running:
            return
        await asyncio.sleep(0.001)


async def _replay(cases: Sequence[Case], cassette: Path, incomplete: str) -> list[tuple[RawAnswer | None, int]]:
    async with running(Mode.REPLAY, cassette, replay={"incomplete": incomplete}) as proxy:
        return [(await ask_case(case, proxy), 0) for case in cases]


async def _ask_good(proxy: Proxy, question: str) -> None:
    answer = await exchange(proxy.url + CHAT, chat(question))
    check(
        answer and answer.ended and GOOD.endswith(answer.body), f"{question}: the answer is not the good one: {answer}"
    )


async def ask_case(case: Case, proxy: Proxy, *, listens: int | None = None) -> RawAnswer | None:
    """Ask what a case is about; `listens` as in `exchange`."""
    if case.method != "POST":
        return await exchange(f"{proxy.url}/models/{case.name}", method=case.method)
    more = {"stream": True} if case.streams else {}
    asked = chat(case.name, **more, **({"padding": "x" * case.padding} if case.padding else {}))
    return await exchange(proxy.url + CHAT, asked, listens=listens)


async def exchange(
    url: str, body: bytes = b"", *, method: str = "POST", listens: int | None = None
) -> RawAnswer | None:
    """Send a request on a connection of its own; return what came, be it cut, or None for no head.

    With `listens`, read a head and so many bytes, and leave.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=_LONGEST_HEAD)
    try:
        writer.write(request(url, body, method=method, headers={"Connection": "close"}))
        async with patience(f"{method} {url} {body[:200]!r}"):
            if listens is None:
                return await read_answer(reader, bodyless=method == "HEAD")
            status, headers = await read_head(reader)
            return RawAnswer(status, headers, (await reader.readexactly(listens),), ended=False)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    finally:
        writer.close()


@asynccontextmanager
async def patience(what: str) -> AsyncIterator[None]:
    """Wait long, not for ever. Raises BrokenPromiseError, saying for what."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except TimeoutError as error:
        raise BrokenPromiseError(f"waited {_PATIENCE_S} s in vain for {what}") from error


def question_of(kept: Interaction) -> str:
    """Return the name of the case that a recording is of."""
    document = kept.request.json()
    return document["messages"][0]["content"] if document else kept.request.path.rpartition("/")[2]


@contextmanager
def no_trouble() -> Iterator[list[str]]:
    """Yield what is logged as an error, or with a traceback, while the block runs."""
    found: list[str] = []
    watch = _Watch(found)
    logging.getLogger().addHandler(watch)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(watch)


class _Watch(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self._found.append(f"{record.name}: {record.getMessage()} {record.exc_info}")


def hold(seen: Seen) -> None:
    """Check what must hold whatever an upstream does; raise BrokenPromiseError where it does not."""
    live, kept, name = seen.live, seen.stored, seen.case.name
    check(live is not None, f"{name}: the client got no answer at all")
    assert live is not None
    if kept is None:
        missed = seen.replay and seen.replay.headers.get("x-llmtape", "").startswith("missed")
        check(missed, f"{name}: what was not stored was replayed: {seen.replay}")
        return
    response = kept.response
    check(response.status == live.status, f"{name}: {live.status} is stored as {response.status}")
    check(response.body == live.body, f"{name}: the stored bytes are not those that the client got")
    check(
        live.ended or response.outcome is not Outcome.UNFINISHED, f"{name}: a cut is stored as if it had ended cleanly"
    )
    if response.outcome is Outcome.COMPLETE:
        check(
            live.ended or live.body == seen.case.body or b"[DONE]" in live.body,
            f"{name}: what the client got cut is stored as complete",
        )
        played, ends = seen.replay, True
    else:
        check(code_of(seen.replay) == "recording_incomplete", f"{name}: a stump was played: {seen.replay}")
        played, ends = seen.played, response.outcome is Outcome.UNFINISHED
    check(
        played and (played.status, played.body, played.ended) == (live.status, live.body, ends),
        f"{name}: a replay gives another answer: {played}",
    )


def shown(seen: Seen) -> tuple[str, ...]:
    """Tell in the words of the page what the client gets, its mark, what is stored, and what is replayed."""
    live = seen.live
    mark = live.headers.get("x-llmtape", "").partition(" ")[0] if live else ""
    kept = f"`{seen.stored.response.outcome}`" if seen.stored else "nothing"
    return _answer(live, seen.case), f"`{mark}`", kept, _replayed(seen)


def code_of(answer: RawAnswer | None) -> str:
    """Return the code of an error of ours, nothing of any other answer."""
    try:
        error = json.loads(answer.body)["error"] if answer else {}
        return str(error["code"]) if error["type"] in _OURS else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _answer(answer: RawAnswer | None, case: Case) -> str:
    if answer is None:
        return "no answer"
    if code := code_of(answer):
        return f"{answer.status} `{code}`"
    if case.listens is not None:
        return f"{answer.status}, for as long as it listens"
    return f"{answer.status}, {_amount(answer.body, case.body)}{'' if answer.ended else ', then cut'}"


def _amount(body: bytes, meant: bytes | None) -> str:
    if body == meant:
        return "whole" if body else "no body"
    if meant is not None and meant.startswith(body):
        return f"{len(body)} of {len(meant)} bytes"
    return f"{len(body)} bytes, as they came"


def _replayed(seen: Seen) -> str:
    replay = seen.replay
    if replay is None:
        return "no answer"
    if code := code_of(replay):
        return f"{replay.status} `{code}`"
    assert seen.live is not None
    return "the same" if replay.ended == seen.live.ended else "the same bytes, and a clean end"
