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

from proxy.config import DEMO, Loaded, environment_for_command, load
from proxy.core.errors import ConfigError
from proxy.core.ledger import Fate, Ledger
from proxy.core.modes import Mode, calls_upstream
from proxy.receipts import write
from proxy.server import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MISSED = 3
_FAULT = 1
_SIGNALLED = 128

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
        settings = {_SETTING[name]: value for name, value in flags.items()}
        if command and settings["server.port"] is None:
            settings["server.port"] = 0
        loaded = load(settings, file=file)
        _tell_logs(verbose=verbose)
        _allow_many_connections()
        sys.exit(asyncio.run(_run(mode, loaded, command, reports)))

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


class _Signals:
    """Asks us to stop at the first signal, and ends us at once at the second.

    With a command only SIGTERM counts: an interrupt from the terminal reaches the command, too, and is its to handle.
    """

    def __init__(self, *, has_command: bool) -> None:
        self.stop = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._note, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGINT, *((bool,) if has_command else (self._note, signal.SIGINT)))

    def _note(self, number: int) -> None:
        if self.stop.is_set():
            if self.process is not None and self.process.returncode is None:
                self.process.kill()
            os._exit(_SIGNALLED + number)
        self.stop.set()


async def _run(mode: Mode, loaded: Loaded, command: Sequence[str], reports: Sequence[Path]) -> int:
    config = loaded.config
    proxy = Proxy(config, mode, upstream_key=loaded.upstream_key, needs_default=loaded.names_cassette)
    status = 0
    async with proxy:
        gc.freeze()  # what was imported stays; walking it again and again would stall all streams for 40 ms a time
        signals = _Signals(has_command=bool(command))
        _announce(proxy, quiet=bool(command))
        if command:
            status = await _run_command(command, proxy, signals)
        else:
            await signals.stop.wait()
        if proxy.running:
            wait = f"{config.server.drain_s:g} s for {proxy.running} running answers"
            click.echo(f"Waiting up to {wait}; a second signal ends at once.", err=True)
    _summarize(proxy, quiet=bool(command))
    for file in reports:
        write(proxy.receipt, file)
    return status or _judge(proxy.ledger)


async def _run_command(command: Sequence[str], proxy: Proxy, signals: _Signals) -> int:
    needs_no_key = not calls_upstream(proxy.mode) or proxy.config.upstream == DEMO
    environment = environment_for_command(
        proxy.url, key="llmtape" if needs_no_key else None, token=proxy.config.server.token
    )
    try:
        signals.process = process = await asyncio.create_subprocess_exec(*command, env=environment)
    except OSError as error:
        raise ConfigError(f"cannot run {command[0]}: {error.strerror}") from error
    ended = asyncio.ensure_future(process.wait())
    asked = asyncio.ensure_future(signals.stop.wait())
    await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not ended.done():
        process.terminate()
    status = await ended
    return status if status >= 0 else _SIGNALLED - status


def _announce(proxy: Proxy, *, quiet: bool) -> None:
    config = proxy.config
    where = f"cassette {config.cassette}" if proxy.mode is not Mode.PASSTHROUGH else "recording nothing"
    source = f", upstream {config.upstream}" if calls_upstream(proxy.mode) else ", no upstream"
    click.echo(f"llmtape {proxy.mode}: {where}{source}", err=quiet)
    if calls_upstream(proxy.mode) and not urlsplit(config.upstream).path.strip("/") and config.upstream != DEMO:
        click.echo(f"The upstream has no path: should it be {config.upstream.rstrip('/')}/v1?", err=True)
    if not quiet:
        click.echo(f"Point your client's base URL here: {proxy.url}   (as in OPENAI_BASE_URL={proxy.url})")
        click.echo("Ctrl-C stops it.")


def _summarize(proxy: Proxy, *, quiet: bool) -> None:
    ledger = proxy.ledger
    counts = [(fate, ledger.total(fate)) for fate in Fate]
    told = ", ".join(f"{count} {fate}" for fate, count in counts if count)
    if not told:
        told = f"no calls. Does the client read OPENAI_BASE_URL? It was {proxy.url}"
    click.echo(f"llmtape {proxy.mode}: {told}", err=quiet)
    if ledger.faults:
        click.echo(f"llmtape {proxy.mode}: {ledger.faults} failed, as told above", err=True)
    elif ledger.total(Fate.NOT_RECORDED):
        click.echo('Errors that speak of a moment are not recorded; record.errors = "all" records them.', err=True)


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
