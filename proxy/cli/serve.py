"""`record`, `replay`, `auto`, `passthrough`: run the proxy until stopped, or for as long as a command runs.

Rule: the four differ in their mode alone. What the run did is told at its end, and by the exit status: the
command's own, or where that is 0: 3 if anything missed, 1 if anything failed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from proxy.cli.stopping import CLOSING_S, SIGNALLED, Stopping, end_within
from proxy.config import DEMO, Loaded, environment_for_command, load
from proxy.core.errors import ConfigError
from proxy.core.ledger import Fate, Ledger
from proxy.core.modes import Mode, calls_upstream
from proxy.receipts import write
from proxy.server import Proxy

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

_MISSED = 3
_FAULT = 1
_UNCLOSED = (
    "llmtape {mode}: it had not ended after {limit_s:g} s, and was made to. What was committed is safe in the log "
    "(-wal) beside its cassette: keep it there, the next recorder puts it back"
)

_OPTIONS = (
    click.option("-c", "--cassette", metavar="FILE", help="The default cassette. [default: cassettes/default.sqlite]"),
    click.option("--upstream", metavar="URL", help="The API to record, or `demo`. [default: OpenAI's]"),
    click.option("--host", metavar="HOST", help="Where to listen. [default: 127.0.0.1]"),
    click.option("--port", type=int, help="0 is a free one. [default: 8788, or free with a COMMAND]"),
    click.option("--pace", metavar="PACE", help="instant, recorded, a factor (10x) or 50tps. [default: instant]"),
    click.option("--repeats", metavar="WHAT", help="After the last take: last, cycle or error. [default: last]"),
    click.option("--incomplete", metavar="WHAT", help="Recordings that broke off: refuse or play. [default: refuse]"),
    click.option("--config", "file", type=click.Path(path_type=Path), help="The config file, instead of the nearest."),
    click.option(
        "--report",
        "reports",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write a receipt of the run: JSON, or JUnit XML where it ends with .xml. May be given twice.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Tell each call."),
    click.argument("command", nargs=-1, type=click.UNPROCESSED),
)
_SETTING = {
    "cassette": "cassette",
    "upstream": "upstream",
    "host": "server.host",
    "port": "server.port",
    "pace": "replay.pace",
    "repeats": "replay.repeats",
    "incomplete": "replay.incomplete",
}


_SHORT = {
    Mode.RECORD: "Forward each call, and record it.",
    Mode.REPLAY: "Answer from the cassette alone.",
    Mode.AUTO: "Play what is recorded, record the rest.",
    Mode.PASSTHROUGH: "Forward each call, record nothing.",
}


def _command(mode: Mode, text: str) -> click.Command:
    def run(
        file: Path | None, reports: tuple[Path, ...], command: tuple[str, ...], *, verbose: bool, **flags: Any
    ) -> None:
        stopping = Stopping()
        stopping.listen()
        settings = {_SETTING[name]: value for name, value in flags.items()}
        if command and settings["server.port"] is None:
            settings["server.port"] = 0
        loaded = load(settings, file=file)
        _tell_logs(verbose=verbose)
        _allow_many_connections()
        status = asyncio.run(_run(mode, loaded, command, reports, stopping))
        _let_go_of_deaf_streams()
        sys.exit(status)

    callback: Callable[..., None] = run
    for option in reversed(_OPTIONS):
        callback = option(callback)
    name = mode.value
    settings = {"allow_interspersed_args": False}
    return click.command(
        name, help=text, short_help=_SHORT[mode], context_settings=settings, options_metavar="[OPTIONS]"
    )(callback)


record = _command(
    Mode.RECORD,
    """Forward each call upstream, and record it.

    What was recorded before under the same request is replaced; other recordings stay.

    \b
    llmtape record                                    a server, until you stop it
    llmtape record -- python my_app.py                for as long as the command runs
    llmtape record -c tests/chat.sqlite --upstream http://127.0.0.1:11434/v1 -- pytest
    llmtape record --upstream demo                    against the embedded upstream, without a key
    """,
)

replay = _command(
    Mode.REPLAY,
    """Answer from the cassette, and never from the network.

    A request that is not recorded is answered with 424 and a report of what differs; the exit status is then 3.

    \b
    llmtape replay -- pytest
    llmtape replay -c tests/chat.sqlite --pace recorded -- npm test
    llmtape replay --report receipt.json --report receipt.xml -- npm test
    """,
)

auto = _command(
    Mode.AUTO,
    """Answer from the cassette; record what is not in it.

    \b
    llmtape auto -- pytest
    """,
)

passthrough = _command(
    Mode.PASSTHROUGH,
    """Forward each call upstream, and record nothing.

    \b
    llmtape passthrough --upstream http://127.0.0.1:11434/v1
    """,
)


async def _run(mode: Mode, loaded: Loaded, command: Sequence[str], reports: Sequence[Path], stopping: Stopping) -> int:
    config = loaded.config
    proxy = Proxy(config, mode, upstream_key=loaded.upstream_key, needs_default=loaded.names_cassette)
    stopping.attach()
    status = 0
    async with proxy:
        stopping.is_serving = True
        gc.freeze()  # what was imported stays; walking it again and again would stall all streams for 40 ms a time
        _announce(proxy, quiet=bool(command))
        if command:
            status = await _run_command(command, proxy, stopping)
        else:
            await stopping.wait()
        if proxy.running:
            wait = f"{config.server.drain_s:g} s for {proxy.running} running answers"
            _tell(f"Waiting up to {wait}; a second signal ends at once.", err=True)
        limit_s = config.server.drain_s + CLOSING_S
        end_within(limit_s, _UNCLOSED.format(mode=mode, limit_s=limit_s), status or _FAULT)
    _summarize(proxy, quiet=bool(command))
    for file in reports:
        write(proxy.receipt, file)
    return status or _judge(proxy.ledger)


async def _run_command(command: Sequence[str], proxy: Proxy, stopping: Stopping) -> int:
    if stopping.number:  # before it began
        return SIGNALLED + stopping.number
    needs_no_key = not calls_upstream(proxy.mode) or proxy.config.upstream == DEMO
    environment = environment_for_command(
        proxy.url, key="llmtape" if needs_no_key else None, token=proxy.config.server.token
    )
    try:
        stopping.process = process = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        raise ConfigError(f"cannot run {command[0]}: {error.strerror}") from error
    ended = asyncio.ensure_future(process.wait())
    asked = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ended.done():
        await _end(process, ended, stopping.number, proxy.config.server.drain_s)
    status = await ended
    return status if status >= 0 else SIGNALLED - status


async def _end(process: Process, ended: asyncio.Future[int], number: int, patience_s: float) -> None:
    """Hand the signal that we got to a command, and kill it where it goes on all the same."""
    # Not by `process.send_signal`: where the command has just ended that takes its exit status away from who waits.
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)
    await asyncio.wait({ended}, timeout=patience_s)
    if not ended.done():
        _tell(f"llmtape: the command went on for {patience_s:g} s after it was told to end, and is killed", err=True)
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _announce(proxy: Proxy, *, quiet: bool) -> None:
    config = proxy.config
    where = f"cassette {config.cassette}" if proxy.mode is not Mode.PASSTHROUGH else "recording nothing"
    source = f", upstream {config.upstream}" if calls_upstream(proxy.mode) else ", no upstream"
    _tell(f"llmtape {proxy.mode}: {where}{source}", err=quiet)
    if calls_upstream(proxy.mode) and not urlsplit(config.upstream).path.strip("/") and config.upstream != DEMO:
        _tell(f"The upstream has no path: should it be {config.upstream.rstrip('/')}/v1?", err=True)
    if not quiet:
        _tell(f"Point your client's base URL here: {proxy.url}   (as in OPENAI_BASE_URL={proxy.url})")
        _tell("Ctrl-C stops it.")


def _summarize(proxy: Proxy, *, quiet: bool) -> None:
    ledger = proxy.ledger
    counts = [(fate, ledger.total(fate)) for fate in Fate]
    told = ", ".join(f"{count} {fate}" for fate, count in counts if count)
    if not told:
        told = f"no calls. Does the client read OPENAI_BASE_URL? It was {proxy.url}"
    _tell(f"llmtape {proxy.mode}: {told}", err=quiet)
    if ledger.faults:
        _tell(f"llmtape {proxy.mode}: {ledger.faults} failed, as told above", err=True)
    elif ledger.total(Fate.NOT_RECORDED):
        _tell('Errors that speak of a moment are not recorded; record.errors = "all" records them.', err=True)


def _tell(text: str, *, err: bool = False) -> None:
    """Say something; that nobody hears it, such as a `head` that has seen enough, is no reason to stop serving."""
    with suppress(OSError):
        click.echo(text, err=err)


def _let_go_of_deaf_streams() -> None:
    """Drop what cannot be written any more: Python would try once more at its end, and exit with another status."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _judge(ledger: Ledger) -> int:
    if ledger.total(Fate.MISSED):
        return _MISSED
    return _FAULT if ledger.faults else 0


def _allow_many_connections() -> None:
    """Take as many descriptors as we may have: each stream wants two, and many systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems tell a limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _tell_logs(*, verbose: bool) -> None:
    logging.basicConfig(format="llmtape: %(message)s", level=logging.WARNING)
    if verbose:
        logging.getLogger("llmtape").setLevel(logging.INFO)
