"""`llmtape record|replay|auto|passthrough` as processes: what they print, leave behind and exit with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import stat
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from proxy.cassette.reader import Reader
from proxy.config import Config, Server
from proxy.core.model import header
from proxy.core.modes import Mode
from proxy.demo.script import Hold, Reached, ScriptedUpstream, Send, head, plain, raw, stream
from proxy.demo.upstream import DemoUpstream, Tempo
from proxy.server import Proxy
from tests.running import NOWHERE, RawAnswer, ask, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from proxy.demo.script import Script

LLMTAPE: Final = (str(Path(sys.executable).with_name("llmtape")),)
KEY: Final = "sk-proj-planted-0123456789abcdefghij"

APP: Final = """if True:
    import json, os, sys, urllib.error, urllib.request
    for text in sys.argv[1:]:
        body = {"model": "demo", "messages": [{"role": "user", "content": text}]}
        fields = {"content-type": "application/json", "authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        try:
            answer = urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), fields))
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            print(json.dumps([answer.status, answer.headers["x-llmtape"].split()[0], answer.read().decode()]))
    sys.exit(int(os.environ.get("APP_EXIT", "0")))
"""
SDK_APP: Final = """if True:
    from openai import OpenAI
    with OpenAI() as client:
        messages = [{"role": "user", "content": "hello"}]
        print(client.chat.completions.create(model="demo", messages=messages).to_json())
        for chunk in client.chat.completions.create(model="demo", messages=messages, stream=True):
            print(chunk.to_json())
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process left behind."""

    status: int
    out: str
    err: str

    @property
    def answers(self) -> list[tuple[int, str, str]]:
        """What the app was answered: status, fate and body."""
        return [(told[0], told[1], told[2]) for told in map(json.loads, self.out.splitlines())]


class Shell:
    """Runs `llmtape` in a folder of its own, with nothing of ours in the environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape = folder / "tape.sqlite"
        self.started: list[Process] = []

    async def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None, group: bool = False) -> Process:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMTAPE_", "OPENAI_"))}
        process = await asyncio.create_subprocess_exec(
            *LLMTAPE,
            *map(str, arguments),
            cwd=self.folder,
            env={**clean, **(env or {})},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=group,
        )
        self.started.append(process)
        return process

    async def end(self) -> None:
        """End what a failed test left running."""
        for process in self.started:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def run(self, *arguments: str | Path, env: Mapping[str, str] | None = None, fed: bytes = b"") -> Ran:
        return await ended(await self.start(*arguments, env=env), fed)

    async def app(
        self, mode: str, *texts: str, options: tuple[str, ...] = (), env: Mapping[str, str] | None = None
    ) -> Ran:
        """Run the app, which asks each text, with the proxy in a mode."""
        keys = {"OPENAI_API_KEY": KEY} if mode != "replay" else {}
        command = ("--", sys.executable, "-c", APP, *texts)
        return await self.run(mode, "-c", self.tape, *options, *command, env={**keys, **(env or {})})

    async def serve(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> tuple[Process, str]:
        """Start a server on a free port; return its process and base URL."""
        process = await self.start(*arguments, "--port", "0", env=env)
        return process, await base_url(process)

    def files(self) -> list[str]:
        return sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*"))


async def ended(process: Process, fed: bytes = b"") -> Ran:
    out, err = await process.communicate(fed)
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())


async def base_url(process: Process) -> str:
    assert process.stdout
    while line := (await process.stdout.readline()).decode():
        if "http://" in line and "Point" in line:
            return "http://" + line.partition("http://")[2].split()[0]
    assert process.stderr
    pytest.fail((await process.stderr.read()).decode())


def body_of(text: str, **more: object) -> bytes:
    return json.dumps({"model": "demo", "messages": [{"role": "user", "content": text}], **more}).encode()


async def post(url: str, text: str, **more: object) -> RawAnswer:
    fields = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    return await ask(f"{url}/chat/completions", body_of(text, **more), headers=fields)


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    made = Shell(tmp_path)
    yield made
    await made.end()


@pytest.fixture
async def demo() -> AsyncIterator[DemoUpstream]:
    async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
        yield upstream


# For as long as a command runs


async def test_what_a_command_was_answered_while_recording_it_is_answered_offline(shell: Shell) -> None:
    async with DemoUpstream(tempo=Tempo(0, 0)) as upstream:
        recorded = await shell.app("record", "one", "two", "one", options=("--upstream", upstream.url))
    replayed = await shell.app("replay", "one", "two", "one", options=("--upstream", upstream.url))
    assert (recorded.status, replayed.status) == (0, 0)
    assert [fate for _, fate, _ in recorded.answers] == ["recorded"] * 3
    assert [fate for _, fate, _ in replayed.answers] == ["played"] * 3
    assert [body for _, _, body in replayed.answers] == [body for _, _, body in recorded.answers]
    assert "3 recorded" in recorded.err
    assert "3 played" in replayed.err
    assert shell.files() == ["tape.sqlite"]
    assert stat.S_IMODE(shell.tape.stat().st_mode) == 0o600
    assert KEY not in recorded.err + shell.tape.read_bytes().decode("latin-1")


async def test_an_app_on_the_sdk_needs_no_change_and_offline_no_key(shell: Shell, demo: DemoUpstream) -> None:
    command = ("--", sys.executable, "-c", SDK_APP)
    recorded = await shell.run(
        "record", "-c", shell.tape, "--upstream", demo.url, *command, env={"OPENAI_API_KEY": KEY}
    )
    replayed = await shell.run("replay", "-c", shell.tape, *command)
    assert recorded.out.count("chat.completion") > 2
    assert (replayed.status, replayed.out) == (recorded.status, recorded.out) == (0, recorded.out)


async def test_auto_records_what_is_not_held_and_plays_the_rest(shell: Shell, demo: DemoUpstream) -> None:
    upstream = ("--upstream", demo.url)
    first = await shell.app("auto", "one", options=upstream)
    second = await shell.app("auto", "one", "two", options=upstream)
    third = await shell.app("auto", "one", "two", options=upstream)
    assert [fate for ran in (first, second, third) for _, fate, _ in ran.answers] == [
        *("recorded", "played", "recorded", "played", "played"),
    ]
    assert third.answers[0][2] == first.answers[0][2]
    assert demo.requests == 2


async def test_auto_leaves_the_file_as_it_is_where_all_was_held(shell: Shell, demo: DemoUpstream) -> None:
    """Or each run of a test suite would show up as a change in git."""
    await shell.app("auto", "one", options=("--upstream", demo.url))
    before = shell.tape.read_bytes()
    assert (await shell.app("auto", "one", options=("--upstream", demo.url))).status == 0
    assert shell.tape.read_bytes() == before


async def test_record_replaces_what_is_asked_again_and_keeps_the_rest(shell: Shell, demo: DemoUpstream) -> None:
    upstream = ("--upstream", demo.url)
    first = await shell.app("record", "one", "two", options=upstream)
    second = await shell.app("record", "one", options=upstream)
    replayed = await shell.app("replay", "one", "two")
    assert [body for _, _, body in replayed.answers] == [second.answers[0][2], first.answers[1][2]]


async def test_passthrough_forwards_and_leaves_no_file(shell: Shell, demo: DemoUpstream) -> None:
    ran = await shell.app("passthrough", "one", "one", options=("--upstream", demo.url))
    assert [fate for _, fate, _ in ran.answers] == ["forwarded"] * 2
    assert ran.answers[0] != ran.answers[1]
    assert (ran.status, shell.files()) == (0, [])
    assert "2 forwarded" in ran.err


async def test_the_embedded_upstream_needs_neither_url_nor_key(shell: Shell) -> None:
    command = ("--", sys.executable, "-c", APP, "hi")
    ran = await shell.run("record", "-c", shell.tape, "--upstream", "demo", *command)
    assert (ran.status, ran.answers[0][:2]) == (0, (200, "recorded"))


async def test_the_command_gets_its_environment(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    show = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k[:6] in ('OPENAI', 'ANSWER')}))"
    command = ("--", sys.executable, "-c", show)

    async def given(mode: str, **env: str) -> dict[str, str]:
        ran = await shell.run(mode, "-c", shell.tape, "--upstream", demo.url, *command, env=env)
        told: dict[str, str] = json.loads(ran.out)
        return told

    offline = await given("replay", ANSWER="42")
    assert offline["OPENAI_BASE_URL"] == offline["OPENAI_API_BASE"]
    assert offline["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")
    assert offline["OPENAI_BASE_URL"].endswith("/v1")
    assert offline["OPENAI_API_KEY"]
    assert offline["ANSWER"] == "42"
    assert (await given("replay", OPENAI_API_KEY="own"))["OPENAI_API_KEY"] == "own"
    assert "OPENAI_API_KEY" not in await given("record")


async def test_where_a_token_is_set_the_command_shows_the_token_and_the_upstream_gets_the_key(shell: Shell) -> None:
    """The key stands in the environment for the upstream; a command that sent it would be refused."""
    async with ScriptedUpstream(plain(body=b'{"choices":[]}')) as upstream:
        ran = await shell.app(
            "record", "one", options=("--upstream", upstream.url), env={"LLMTAPE_SERVER_TOKEN": "our-own-token"}
        )
        assert [status for status, _, _ in ran.answers] == [200]
        assert [header(request.headers, "authorization") for request in upstream.requests] == [f"Bearer {KEY}"]


@pytest.mark.parametrize(
    ("missed", "own", "expected"), [("", 0, 0), ("", 7, 7), ("new", 0, 3), ("new", 7, 7), ("", 3, 3)]
)
async def test_the_commands_status_is_passed_on_and_is_3_where_it_was_0_but_something_missed(
    shell: Shell, demo: DemoUpstream, missed: str, own: int, expected: int
) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    ran = await shell.app("replay", "one", *missed.split(), env={"APP_EXIT": str(own)})
    assert ran.status == expected
    assert [status for status, _, _ in ran.answers] == [200, 424][: len(ran.answers)]
    assert ("1 missed" in ran.err) is bool(missed)
    assert ("llmtape: replay miss (not_recorded)" in ran.err) is bool(missed)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_command_that_a_signal_ends_gives_the_status_that_a_shell_would(shell: Shell, number: int) -> None:
    script = f"import os; os.kill(os.getpid(), {number})"
    ran = await shell.run("passthrough", "--upstream", NOWHERE, "--", sys.executable, "-c", script)
    assert ran.status == 128 + number
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("mode", ["record", "passthrough"])
async def test_a_command_that_cannot_be_run_is_told(shell: Shell, mode: str) -> None:
    (shell.folder / "no-program").write_text("x")
    for command, words in (("no-such-command", "No such file"), ("./no-program", "Permission denied")):
        ran = await shell.run(mode, "-c", shell.tape, "--upstream", NOWHERE, "--", command)
        assert ran.status == 2
        assert f"cannot run {command}: {words}" in ran.err
        assert "Traceback" not in ran.err
    assert shell.files() == ["no-program"]


async def test_the_commands_streams_are_its_own(shell: Shell) -> None:
    script = "import sys; print(sys.stdin.read().upper(), sys.argv[1:]); sys.stderr.write('own words')"
    command = ("--", sys.executable, "-c", script, "--port", "x", "-c", "--", "--help")
    ran = await shell.run("passthrough", "--upstream", NOWHERE, *command, fed=b"abc")
    assert ran.out == "ABC ['--port', 'x', '-c', '--', '--help']\n"
    assert "own words" in ran.err
    assert ran.status == 0


async def test_a_terminated_proxy_terminates_its_command_and_keeps_the_recordings(
    shell: Shell, demo: DemoUpstream
) -> None:
    script = APP.replace("sys.exit(", "print(flush=True); sys.stdin.read(); sys.exit(")
    process = await shell.start(
        *("record", "-c", shell.tape, "--upstream", demo.url, "--", sys.executable, "-c", script, "one"),
        env={"OPENAI_API_KEY": KEY},
    )
    assert process.stdout
    assert b"recorded" in await process.stdout.readline()
    await process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    await process.wait()  # its input is open to the end: only the signal ends the command
    ran = await ended(process)
    assert ran.status == 128 + signal.SIGTERM
    assert "1 recorded" in ran.err
    assert shell.files() == ["tape.sqlite"]


async def test_an_interrupt_from_the_terminal_is_the_commands_to_handle(shell: Shell) -> None:
    """The terminal sends it to both; a test runner that is then terminated as well could not report."""
    script = """if True:
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: (print("terminated", flush=True), sys.exit(9)))
        try:
            print("ready", flush=True)
            sys.stdin.read()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            sys.stdin.readline()
            sys.exit(7)
    """
    process = await shell.start("passthrough", "--upstream", NOWHERE, "--", sys.executable, "-c", script, group=True)
    assert process.stdout
    assert process.stdin
    assert await process.stdout.readline() == b"ready\n"
    os.killpg(process.pid, signal.SIGINT)
    assert await process.stdout.readline() == b"interrupted\n"
    process.stdin.write(b"go on\n")
    ran = await ended(process)
    assert (ran.status, ran.out) == (7, "")


async def test_a_command_may_be_interrupted_again_and_again(shell: Shell) -> None:
    """A chat in a terminal takes an interrupt to end an answer, not itself."""
    script = """if True:
        import os, signal, sys, urllib.request
        signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
        print("ready", flush=True)
        sys.stdin.readline()
        print(urllib.request.urlopen(os.environ["LLMTAPE_URL"] + "/_llmtape/health").status)
    """
    process = await shell.start("passthrough", "--upstream", NOWHERE, "--", sys.executable, "-c", script, group=True)
    assert process.stdout
    assert await process.stdout.readline() == b"ready\n"
    for _ in range(3):
        os.killpg(process.pid, signal.SIGINT)
        assert await process.stdout.readline() == b"interrupted\n"
    ran = await ended(process, b"go on\n")
    assert (ran.status, ran.out) == (0, "200\n")


# As a server


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_server_tells_its_base_url_and_stops_at_a_signal(shell: Shell, demo: DemoUpstream, number: int) -> None:
    process, url = await shell.serve("record", "-c", shell.tape, "--upstream", demo.url)
    live = await post(url, "hello", stream=True)
    process.send_signal(number)
    ran = await ended(process)
    assert (ran.status, ran.err) == (0, "")
    assert "llmtape record: 1 recorded" in ran.out
    assert shell.files() == ["tape.sqlite"]
    process, url = await shell.serve("replay", "-c", shell.tape)
    played = await post(url, "hello", stream=True)
    process.send_signal(number)
    assert (await ended(process)).status == 0
    assert played.body == live.body
    assert len(played.chunks) == played.body.count(b"\n\n")


async def test_a_server_without_calls_says_so_and_leaves_nothing(shell: Shell) -> None:
    process, _ = await shell.serve("record", "-c", shell.tape, "--upstream", NOWHERE)
    process.terminate()
    ran = await ended(process)
    assert (ran.status, ran.err) == (0, "")
    assert "no calls" in ran.out
    assert shell.files() == []


async def test_a_server_that_missed_exits_with_3(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    process, url = await shell.serve("replay", "-c", shell.tape)
    answer = await post(url, "two")
    process.terminate()
    ran = await ended(process)
    assert (answer.status, ran.status) == (424, 3)
    assert "1 missed" in ran.out
    assert "messages[0].content" in ran.err


@pytest.mark.parametrize("mode", ["record", "auto", "passthrough"])
async def test_an_upstream_out_of_reach_is_answered_with_502_and_told_by_the_status(shell: Shell, mode: str) -> None:
    process, url = await shell.serve(mode, "-c", shell.tape, "--upstream", NOWHERE)
    answer = await post(url, "hello")
    process.terminate()
    ran = await ended(process)
    assert answer.status == 502
    error = json.loads(answer.body)["error"]
    assert error["code"] == "upstream_unreachable"
    assert f"cannot reach the upstream {NOWHERE}" in error["message"]
    assert ran.status == 1
    assert "cannot reach the upstream" in ran.err
    assert "Traceback" not in ran.err
    assert shell.files() == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1 HTTP/9.9\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ten\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "no target", "no version", "no length", "no chunk"],
)
async def test_what_is_no_http_is_no_reason_for_a_traceback(shell: Shell, garbage: bytes) -> None:
    process, url = await shell.serve("passthrough", "--upstream", NOWHERE)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
    writer.write(garbage)
    writer.write_eof()
    await reader.read()
    writer.close()
    process.terminate()
    ran = await ended(process)
    assert "Traceback" not in ran.err


async def test_a_second_signal_ends_a_server_that_still_waits_for_an_answer(shell: Shell) -> None:
    asked = asyncio.Event()
    async with ScriptedUpstream(stream([b"data: {}\n\n", Reached(asked), Hold(asyncio.Event())])) as upstream:
        arguments = ("record", "-c", shell.tape, "--upstream", upstream.url)
        process, url = await shell.serve(*arguments, env={"LLMTAPE_SERVER_DRAIN_S": "1000"})
        waiting = asyncio.ensure_future(post(url, "hello", stream=True))
        await asked.wait()
        process.terminate()
        await until_closed(url)
        process.send_signal(signal.SIGINT)
        ran = await ended(process)
        assert not (await waiting).ended
    assert ran.status == 128 + signal.SIGINT
    assert "Traceback" not in ran.err


async def until_closed(url: str) -> None:
    """Try to connect until nobody listens any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        except OSError:
            return
        writer.close()


async def test_a_stopped_server_lets_a_running_answer_end_and_keeps_it(shell: Shell) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    script = stream([b'data: {"choices":[]}\n\n', Reached(asked), Hold(go_on), b"data: [DONE]\n\n"])
    async with ScriptedUpstream(script) as upstream:
        process, url = await shell.serve("record", "-c", shell.tape, "--upstream", upstream.url)
        waiting = asyncio.ensure_future(post(url, "hello", stream=True))
        await asked.wait()
        process.terminate()
        await until_closed(url)
        go_on.set()
        answer = await waiting
        ran = await ended(process)
    assert answer.ended
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert (ran.status, "1 recorded" in ran.out) == (0, True)
    with Reader(shell.tape) as reader:
        assert len(reader) == 1


async def test_with_verbose_each_call_is_told_and_no_secret(shell: Shell, demo: DemoUpstream) -> None:
    ran = await shell.app("record", f"I am {KEY}", options=("-v", "--upstream", demo.url))
    assert "recorded" in ran.err
    assert "POST /v1/chat/completions 200" in ran.err
    assert KEY not in ran.err


@pytest.mark.parametrize(
    "url", ["http://someone:{key}@127.0.0.1:{port}/v1", "http://127.0.0.1:{port}/v1?api-key={key}"]
)
async def test_a_credential_in_the_upstreams_url_is_refused_and_not_told(
    shell: Shell, demo: DemoUpstream, url: str
) -> None:
    ran = await shell.app("record", "one", options=("--upstream", url.format(key=KEY, port=demo.port)))
    assert ran.status == 2
    assert "no credentials" in ran.err
    assert KEY not in ran.err
    assert shell.files() == []


def test_a_command_is_sent_to_loopback_where_the_proxy_listens_everywhere() -> None:
    """0.0.0.0 is no address to call, nor one that the proxy answers to."""
    server = Server(host="0.0.0.0", token="t" * 12, hosts=("box.local",))
    assert Proxy(Config(server=server), Mode.REPLAY).url.startswith(("http://127.0.0.1:", "http://localhost:"))
    assert Proxy(Config(server=Server(host="::1")), Mode.REPLAY).url == "http://[::1]:0/v1"


# What cannot be done is said


def not_a_database(shell: Shell) -> None:
    shell.tape.write_text("Dear diary, today I was mistaken for a database. " * 30)


def anothers_database(shell: Shell) -> None:
    connection = sqlite3.connect(shell.tape)
    connection.execute("create table notes(text)")
    connection.close()


def later_format(shell: Shell) -> None:
    connection = sqlite3.connect(shell.tape)
    connection.execute(f"pragma application_id = {0x6C746170}")
    connection.execute("pragma user_version = 99")
    connection.execute("create table cassette(name, value)")
    connection.close()


def a_folder(shell: Shell) -> None:
    shell.tape.mkdir()


def a_file_above(shell: Shell) -> None:
    (shell.folder / "file").write_text("")


def config(text: str) -> Callable[[Shell], None]:
    def write(shell: Shell) -> None:
        (shell.folder / "llmtape.toml").write_text(text)

    return write


def nothing(shell: Shell) -> None:
    del shell


REFUSALS: Final[dict[str, tuple[Callable[[Shell], None], str, int, str]]] = {
    "replay, missing": (nothing, "replay -c tape.sqlite", 2, "there is no cassette tape.sqlite: record one with"),
    "replay, none at all": (nothing, "replay", 2, "there is no cassette cassettes/default.sqlite"),
    "replay, no database": (not_a_database, "replay -c tape.sqlite", 1, "tape.sqlite"),
    "record, no database": (not_a_database, "record --port 0 -c tape.sqlite", 1, "tape.sqlite"),
    "replay, another's": (anothers_database, "replay -c tape.sqlite", 1, "tape.sqlite is not a cassette"),
    "record, another's": (anothers_database, "record -c tape.sqlite", 1, "tape.sqlite is not a cassette"),
    "replay, later format": (later_format, "replay -c tape.sqlite", 1, "update llmtape"),
    "replay, a folder": (a_folder, "replay -c tape.sqlite", 1, "tape.sqlite"),
    "record, below a file": (a_file_above, "record -c file/tape.sqlite", 1, "Is the folder there, writable"),
    "record, where none can write": (nothing, "record -c /proc/tape.sqlite", 1, "Is the folder there, writable"),
    "config, unknown": (config("[server]\nprot = 1"), "record", 2, "no setting server.prot. Is server.port meant?"),
    "config, value": (config("server.drain_s = 'x'"), "record", 2, "llmtape.toml: server.drain_s: expected `float`"),
    "config, no TOML": (config("["), "record", 2, "is no TOML"),
    "config, a section that is none": (config("server = 5"), "record --port 0", 2, "server"),
    "config, missing": (nothing, "record --config no.toml", 2, "cannot read the config no.toml"),
    "pace": (nothing, "replay --pace fast", 2, "pace 'fast' is not one: say instant"),
    "repeats": (nothing, "replay --repeats never", 2, "replay.repeats"),
    "incomplete": (nothing, "replay --incomplete maybe", 2, "replay.incomplete"),
    "port": (nothing, "record --port 70000", 2, "server.port"),
    "port, no number": (nothing, "record --port x", 2, "--port"),
    "host": (nothing, "record --host 0.0.0.0", 2, "is not loopback"),
    "upstream, words": (nothing, "record --upstream nonsense", 2, "upstream 'nonsense' is no URL"),
    "upstream, ftp": (nothing, "passthrough --upstream ftp://127.0.0.1/v1", 2, "is no URL"),
    "upstream, a bad port": (nothing, "record --upstream http://127.0.0.1:99999/v1", 2, "is no URL"),
    "no such option": (nothing, "record --cassete x", 2, "--cassette"),
    "no such command": (nothing, "recrod", 2, "recrod"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_what_cannot_be_done_is_said_in_words_and_by_the_status(shell: Shell, case: str) -> None:
    prepare, line, status, words = REFUSALS[case]
    prepare(shell)
    before = shell.files()
    ran = await shell.run(*line.split())
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert ran.status == status
    assert ran.out == ""
    assert shell.files() == before


async def test_a_variable_that_is_not_known_is_said(shell: Shell) -> None:
    ran = await shell.run("replay", env={"LLMTAPE_SERVER_PROT": "1"})
    assert (ran.status, "Is LLMTAPE_SERVER_PORT meant?" in ran.err) == (2, True)


@pytest.mark.parametrize("mode", ["record", "passthrough"])
async def test_a_busy_port_is_said_and_leaves_nothing(shell: Shell, mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = await shell.run(mode, "-c", shell.tape, "--upstream", NOWHERE, "--port", str(port))
    assert ran.status == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ran.err
    assert "--port" in ran.err
    assert "Traceback" not in ran.err
    assert shell.files() == []


async def test_it_runs_as_a_module_too(shell: Shell) -> None:
    command = (sys.executable, "-m", "proxy", "replay", "-c", "none.sqlite")
    process = await asyncio.create_subprocess_exec(*command, cwd=shell.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    ran = await ended(process)
    assert (ran.status, "there is no cassette none.sqlite" in ran.err) == (2, True)


# Whatever happens, what was answered is kept


def delta(text: str, finish: str = "null") -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":%b}]}\n\n' % (
        text.encode(),
        finish.encode(),
    )


DONE: Final = b"data: [DONE]\n\n"
PLAIN: Final = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
LAST: Final = delta("b", '"stop"')
COUNTED_STREAM: Final = delta("a") + LAST

ANSWERS: Final[dict[str, Script]] = {
    "counted": plain(body=PLAIN),
    "chunked": (
        Send(head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})),
        Send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(PLAIN), PLAIN)),
    ),
    "stream": stream([delta("a"), LAST, DONE]),
    "stream without [DONE]": stream([delta("a"), LAST]),
    "counted stream": raw(
        head(200, {"content-type": "text/event-stream", "content-length": str(len(COUNTED_STREAM + DONE))})
        + COUNTED_STREAM
        + DONE
    ),
    "counted stream without [DONE]": raw(
        head(200, {"content-type": "text/event-stream", "content-length": str(len(COUNTED_STREAM))}) + COUNTED_STREAM
    ),
    "an error": plain(400, body=b'{"error":{"message":"no"}}'),
    "empty": plain(200, body=b""),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_answer_whose_end_was_seen_outlives_a_kill_at_that_very_moment(shell: Shell, kind: str) -> None:
    async with ScriptedUpstream(ANSWERS[kind]) as upstream:
        process, url = await shell.serve("record", "-c", shell.tape, "--upstream", upstream.url)
        answer = await post(url, "hello", stream="stream" in kind)
        process.kill()
        await ended(process)
    assert answer.ended
    with Reader(shell.tape) as reader:
        (entry,) = reader.entries()
        response, _ = reader.response(entry.take)
    assert response.body == answer.body
    assert response.status == answer.status


async def test_a_recorder_killed_amid_a_stream_leaves_all_that_was_answered_and_not_the_half(shell: Shell) -> None:
    scripts = [
        plain(body=PLAIN.replace(b"hi", b"1")),
        stream([delta("2"), LAST, DONE]),
        plain(400, body=b'{"error":{"message":"3"}}'),
        stream([delta("4"), LAST, DONE]),
        stream([delta("half"), Hold(asyncio.Event())]),
    ]
    async with ScriptedUpstream(*scripts) as upstream:
        process, url = await shell.serve("record", "-c", shell.tape, "--upstream", upstream.url)
        seen = {number: await post(url, f"q{number}", stream=number % 2 == 0) for number in range(1, 5)}
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
        body = body_of("q5", stream=True)
        head_sent = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head_sent.encode() + body)
        await reader.readuntil(b"half")
        process.kill()
        await ended(process)
        writer.close()
    with Reader(shell.tape) as tape:
        kept = [tape.interaction(entry.take) for entry in tape.entries()]
    assert [one.response.body for one in kept] == [answer.body for answer in seen.values()]
    assert [one.request.body for one in kept] == [body_of(f"q{n}", stream=n % 2 == 0) for n in seen]
    async with running(Mode.REPLAY, shell.tape) as proxy:
        for number, answer in seen.items():
            played = await post(proxy.url, f"q{number}", stream=number % 2 == 0)
            assert (played.status, played.body) == (answer.status, answer.body)
        assert (await post(proxy.url, "q5", stream=True)).status == 424
    process, _ = await shell.serve("record", "-c", shell.tape, "--upstream", NOWHERE)
    process.terminate()
    await ended(process)
    assert shell.files() == ["tape.sqlite"]


async def test_replay_from_a_read_only_file_in_a_read_only_folder_changes_nothing(
    shell: Shell, demo: DemoUpstream
) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    folder = shell.folder / "read-only"
    folder.mkdir()
    tape = shell.tape.rename(folder / "tape.sqlite")
    before = tape.read_bytes(), tape.stat().st_mtime_ns
    tape.chmod(0o400)
    folder.chmod(0o500)
    try:
        process, url = await shell.serve("replay", "-c", tape)
        assert (await post(url, "one")).status == 200
        assert (await post(url, "two")).status == 424
        assert shell.files() == ["read-only", "read-only/tape.sqlite"]
        process.terminate()
        assert (await ended(process)).status == 3
        assert (tape.read_bytes(), tape.stat().st_mtime_ns) == before
        assert shell.files() == ["read-only", "read-only/tape.sqlite"]
    finally:
        folder.chmod(0o700)


# Receipts


async def test_a_replay_that_was_served_from_its_cassette_alone_is_certified(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    reports = ("--report", "out/receipt.json", "--report", "receipt.xml")
    ran = await shell.app("replay", "one", options=reports)
    told = json.loads((shell.folder / "out/receipt.json").read_bytes())
    (sheet,) = told["cassettes"]
    assert (ran.status, told["mode"], told["isolated"], told["had_upstream"]) == (0, "replay", True, False)
    assert told["counts"]["played"] == 1
    assert sheet["sha256"] == sha256(shell.tape.read_bytes()).hexdigest()
    root = ET.fromstring((shell.folder / "receipt.xml").read_bytes())
    assert (root.tag, root.get("failures")) == ("testsuites", "0")
    assert not [name for name in shell.files() if name.endswith(("-wal", "-journal"))]


@pytest.mark.parametrize(
    ("mode", "texts", "word"),
    [
        ("replay", ["one", "something else"], "1 call missed"),
        ("replay", [], "no call was served"),
        ("auto", ["one"], "an upstream existed"),
        ("record", ["one"], "went to an upstream"),
    ],
)
async def test_any_other_run_is_not_and_its_receipt_says_why(
    shell: Shell, demo: DemoUpstream, mode: str, texts: list[str], word: str
) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    ran = await shell.app(
        mode, *texts, options=("--upstream", demo.url, "--report", "receipt.json", "--report", "receipt.xml")
    )
    told = json.loads((shell.folder / "receipt.json").read_bytes())
    assert told["isolated"] is False
    assert any(word in reason for reason in told["reasons"])
    assert (ran.status == 0) == ("missed" not in word)
    assert ET.fromstring((shell.folder / "receipt.xml").read_bytes()).get("failures") != "0"


async def test_a_receipt_is_written_whatever_the_command_exits_with(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    ran = await shell.app("replay", "one", options=("--report", "receipt.json"), env={"APP_EXIT": "7"})
    assert ran.status == 7
    assert json.loads((shell.folder / "receipt.json").read_bytes())["isolated"] is True


async def test_a_server_writes_its_receipt_when_it_is_told_to_end(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    process, url = await shell.serve("replay", "-c", shell.tape, "--report", "receipt.json")
    assert (await post(url, "one")).status == 200
    process.send_signal(signal.SIGTERM)
    await ended(process)
    assert json.loads((shell.folder / "receipt.json").read_bytes())["isolated"] is True


async def test_a_receipt_that_cannot_be_written_is_told_and_fails_the_run(shell: Shell, demo: DemoUpstream) -> None:
    await shell.app("record", "one", options=("--upstream", demo.url))
    (shell.folder / "taken").write_text("a file")
    ran = await shell.app("replay", "one", options=("--report", "taken/receipt.json"))
    assert ran.status != 0
    assert "cannot write the receipt taken/receipt.json" in ran.err
    assert "Traceback" not in ran.err
