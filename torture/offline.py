"""Offline is offline: where there is no network nothing is missed, and where there is one it is not touched.

Rule: looked at from outside, by the kernel's means: a network namespace without any route, and a trace of all system
calls of a replay. Where this machine has not the one or the other it is told, and nothing is claimed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from proxy.demo.script import ScriptedUpstream
from tests import suites
from tests.running import CHAT, ask, chat, recordings
from torture.item import Item, check
from torture.served import TREE, clean, served
from torture.within import APP, LLMTAPE, PYTEST, SUITE, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torture.item import Advance

ASKED: Final = (
    chat("What is a cassette?"),
    chat("What is a proxy?", stream=True, stream_options={"include_usage": True}),
    chat("Name a colour", temperature=0.5),
    *(chat("Say something else"),) * 3,
)
TRACE: Final = ("strace", "-f", "-qq", "-e", "trace=%network,open,openat", "-e", "signal=none", "-o")

# Whatever of a process's system calls could be the beginning of a call to somebody else, or a look for his address.
_TELLING: Final = {
    "it connects": re.compile(r"\bconnect\("),
    "it sends to an address": re.compile(r"\bsend(to|msg|mmsg)\(.*sin6?_(addr|port)="),
    "it opens a socket that looks up or sends": re.compile(r"\bsocket\(.*(SOCK_DGRAM|SOCK_RAW|AF_NETLINK)"),
    "it reads how names are looked up": re.compile(r'"/etc/(resolv\.conf|nsswitch\.conf|hosts|gai\.conf|host\.conf)"'),
    "it loads a resolver": re.compile(r"libnss_|libresolv|libnss"),
}


def prepare(folder: Path) -> None:
    """Record what is replayed later: two cassettes, an application, and a test suite; all on loopback."""
    with suites.upstream() as model:
        asyncio.run(record(folder, model.url))
        line = ("record", "--upstream", model.url, "-c", "app.sqlite", "--", sys.executable, "-c", APP)
        app = run(*LLMTAPE, *line, folder=folder, OPENAI_API_KEY="sk-none")
        (folder / "app.out").write_text(app)
        (folder / "suite").mkdir()
        (folder / "suite/test_it.py").write_text(SUITE)
        options = ("--llmtape=record", f"--llmtape-upstream={model.url}", "--llmtape-force")
        run(*PYTEST, *options, "suite", folder=folder, OPENAI_API_KEY="sk-none")


async def record(folder: Path, upstream: str) -> None:
    """Record two cassettes, a default one and one by name."""
    async with served(folder, "record", "--port", "0", "--upstream", upstream) as proxy:
        url = await proxy.url()
        for body in ASKED:
            for place in (url, url.replace("/v1", "/@named/v1")):
                answer = await ask(place + CHAT, body)
                check(answer.status == 200, f"it was not recorded: {answer.body!r}")
        proxy.signal(signal.SIGTERM)
        await proxy.end()


def namespace() -> tuple[str, ...]:
    """Return the words that run a command without a network; nothing where this machine cannot."""
    words = ("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        return ()
    return words


def can_trace() -> bool:
    """Tell whether system calls can be traced here."""
    tried = ["strace", "-qq", "-o", os.devnull, "true"]
    return bool(shutil.which("strace")) and not subprocess.run(tried, capture_output=True, check=False).returncode


def run_offline(count: int, folder: Path, advance: Advance) -> str:
    """Replay everything `count` times in a namespace without a route."""
    if not (words := namespace()):
        return "not run: unshare cannot make a network namespace here"
    prepare(folder)
    compared = 0
    for _ in range(count):
        command = [*words, sys.executable, "-m", "torture.within", str(folder), *["demo"] * (count > 1)]
        done = subprocess.run(command, cwd=TREE, env=clean(), capture_output=True, text=True, check=False)
        check(done.returncode == 0, f"without a network: {done.stdout}{done.stderr}")
        compared += int(done.stdout)
        advance()
    tour = ", the demo" if count > 1 else ""
    asked = f"misses, control endpoints, a command, pytest with an SDK{tour}"
    return f"{compared} answers compared, {count} times {asked}; all as recorded, without a route"


def run_traced(count: int, folder: Path, advance: Advance) -> str:
    """Trace a replay `count` times, where a proxy for all traffic and an API key are set, and look at its calls."""
    if not can_trace():
        return "not run: strace is not here, or may not trace"
    with suites.upstream() as model:
        asyncio.run(record(folder, model.url))
    calls = sum(_traced(folder, advance) for _ in range(count))
    return f"{calls:,} system calls that touch the network or open a file, none of them outward or a look-up"


def _traced(folder: Path, advance: Advance) -> int:
    trace = folder / "trace"
    asyncio.run(_replay_traced(folder, trace))
    lines = trace.read_text(errors="replace").splitlines()
    check(
        any("accept" in line for line in lines), "the trace shows no accepted connection: it is no trace of the proxy"
    )
    for broken in outward(lines):
        check(holds=False, broken=broken)
    advance()
    return len(lines)


def outward(lines: list[str]) -> Iterator[str]:
    """Yield what of a trace begins a call to somebody else, or looks for his address."""
    for line in lines:
        yield from (f"{what}: {line}" for what, pattern in _TELLING.items() if pattern.search(line))


async def _replay_traced(folder: Path, trace: Path) -> None:
    """Replay all there is, and what there is not, while whoever would be asked for the way listens."""
    async with ScriptedUpstream() as gate:
        url = gate.url.removesuffix("/v1")
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), url)
        hostile = {**proxies, **{name.lower(): url for name in proxies}, "OPENAI_API_KEY": "sk-live", "NO_PROXY": ""}
        hostile |= {"OPENAI_BASE_URL": gate.url, "LLMTAPE_UPSTREAM": gate.url}
        async with served(folder, "replay", "--port", "0", env=hostile, before=(*TRACE, str(trace))) as proxy:
            base = await proxy.url()
            check(base, f"the traced replay did not start: {proxy.said}")
            for one in recordings(folder / "cassettes/default.sqlite"):
                check((await ask(base + CHAT, one.request.body)).body == one.response.body, "a replay differs")
            for path in (CHAT, "/models", "/embeddings"):
                check((await ask(base + path, chat("never asked"))).status == 424, f"{path} did not miss")
            await ask(base.removesuffix("/v1") + "/_llmtape/mode", json.dumps({"mode": "record"}).encode())
            os.kill(_child_of(proxy.pid), signal.SIGTERM)
            end = await proxy.end()
        check(end.status == 3, f"the traced replay ended with {end.status}: {end.err}")
        check(gate.connections == 0, "a replay called the upstream, or the way to it, that its environment names")


def _child_of(pid: int) -> int:
    """Return the process that strace runs."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0])


ITEMS: Final = (
    Item(
        "offline",
        20,
        "replays",
        "in a network namespace without any route a replay answers everything, whoever asks it",
        run_offline,
    ),
    Item(
        "traced",
        20,
        "traces",
        "the system calls of a replay show no connection outward, and no name looked up",
        run_traced,
    ),
)
