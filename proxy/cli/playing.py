"""`play`: a recorded answer as it came, in the terminal.

Rule: nothing is shown before it is due. Due times are absolute from the start, so that delays never add up; clock and
sleep are arguments.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from proxy.cassette.reader import Reader
from proxy.cli import wording
from proxy.cli.answer import OUTCOMES
from proxy.cli.arguments import CASSETTE, CONFIG, rules_of
from proxy.cli.naming import KEY, LANE, VARIANT, Name
from proxy.cli.screen import Screen, check_bytes
from proxy.cli.speech import Speech
from proxy.core import lenient, sse
from proxy.core.delta import addition, addition_of
from proxy.core.model import Outcome
from proxy.core.pace import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from proxy.core.delta import Addition
    from proxy.core.model import Response
    from proxy.core.pace import Schedule

_OK = 200
_SECOND = 1_000_000
_LONGEST_SLEEP_S: Final = 3600.0
"""A recording may claim any time; the system's sleep takes not all of them at once."""


@click.command(short_help="Play one recorded answer at its pace.")
@CASSETTE
@KEY
@click.option(
    "--pace", default="recorded", show_default=True, help="instant, recorded, a factor such as 10x, or 50tps."
)
@click.option("--raw", is_flag=True, help="The response body, byte for byte, as it came.")
@LANE
@VARIANT
@CONFIG
def play(
    cassette: Path,
    key: str,
    lane: str | None,
    variant: str | None,
    file: Path | None,
    *,
    pace: str,
    raw: bool,
) -> None:
    """Play a recorded answer: text, reasoning, tool calls, as they were streamed, at the pace at which they came.

    A plain answer appears when it came, whole. Of several choices one speaks at a time. How an answer ended that did
    not end well is told on standard error; Ctrl-C ends it. For programs: `llmtape show --events --json`.

    \b
    llmtape play cassettes/default.sqlite 3f2a9c:1
    llmtape play cassettes/default.sqlite 3f2a9c:1 --pace 10x
    llmtape play cassettes/default.sqlite 3f2a9c:1 --pace 50tps
    llmtape play cassettes/default.sqlite 3f2a9c:1 --raw --pace instant
    """  # noqa: D301  click wants the character
    chosen = parse(pace)
    with Reader(cassette, rules_of(file)) as reader:
        response, tokens = reader.response(Name(key, lane, variant).take(reader))
    due = timed(response, chosen.schedule(response, tokens))
    if raw:
        check_bytes(response.body)
        play_bytes(due, waiter(time.monotonic, time.sleep))
    else:
        play_text(response, due, Speech(Screen().write), waiter(time.monotonic, time.sleep))
    if ending := _ending(response):
        click.echo(f"[{ending}]", err=True)


def timed(response: Response, schedule: Schedule | None) -> Iterator[tuple[int, bytes]]:
    """Yield each event of a stream, or a plain answer whole, with when it is due (microseconds from the start)."""
    due_us = schedule.chunks_us if schedule else (0,) * len(response.chunks)
    last_us = due_us[-1] if due_us else schedule.head_us if schedule else 0
    if not response.is_stream:
        yield last_us, response.body
        return
    framer = sse.Framer()
    for at_us, chunk in zip(due_us, response.chunks, strict=True):
        yield from ((at_us, event) for event in framer.feed(chunk.data))
    yield from ((last_us, event) for event in framer.flush())


def waiter(now: Callable[[], float], sleep: Callable[[float], object]) -> Callable[[int], None]:
    """Return what waits until so many microseconds from now have passed; `now` and `sleep` count seconds."""
    started = now()

    def wait_until(due_us: int) -> None:
        while (left := started + due_us / _SECOND - now()) > 0:
            sleep(min(left, _LONGEST_SLEEP_S))

    return wait_until


def play_bytes(due: Iterable[tuple[int, bytes]], wait_until: Callable[[int], None]) -> None:
    """Print each event as it is, when it is due."""
    for at_us, event in due:
        wait_until(at_us)
        click.echo(event, nl=False)


def play_text(
    response: Response, due: Iterable[tuple[int, bytes]], speech: Speech, wait_until: Callable[[int], None]
) -> None:
    """Say what each event adds, when it is due; events and bodies of another form are shown as they are."""
    timed_additions = [(at_us, data, _read(response, data)) for at_us, data in due]
    is_legible = any(added.pieces for _, _, added in timed_additions)
    try:
        for at_us, data, added in timed_additions:
            wait_until(at_us)
            if is_legible:
                speech.add(added)
            else:
                speech.show(wording.laid_out(data.decode("utf-8", "backslashreplace")))
    finally:
        speech.finish()


def _read(response: Response, data: bytes) -> Addition:
    return addition(data) if response.is_stream else addition_of(lenient.loads(data))


def _ending(response: Response) -> str:
    status = "" if response.status == _OK else f"status {response.status}"
    outcome = "" if response.outcome is Outcome.COMPLETE else OUTCOMES[response.outcome]
    return ", ".join(filter(None, (status, outcome)))
