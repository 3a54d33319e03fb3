"""The proxy as a whole: who may use it, which paths lead where, what it needs to start, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from proxy.config import Config
from proxy.core.errors import CassetteError, CassetteMissingError, ConfigError, ServerError
from proxy.core.ledger import Fate
from proxy.core.modes import Mode
from proxy.demo.script import Hold, Reached, ReceivedRequest, Script, ScriptedUpstream, plain, stream
from proxy.server import Proxy
from tests.running import (
    CHAT,
    DONE,
    STOP,
    RawAnswer,
    ask,
    chat,
    connected,
    delta,
    read_answer,
    recordings,
    request,
    running,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BODY = b'{"choices": []}'


@pytest.fixture
async def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "c.sqlite"
    async with ScriptedUpstream(plain(body=BODY)) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
        await ask(proxy.url + CHAT, chat())
    return path


@pytest.fixture
async def proxy(cassette: Path) -> AsyncIterator[Proxy]:
    async with running(Mode.REPLAY, cassette) as opened:
        yield opened


def code(answer: RawAnswer) -> str:
    text: str = json.loads(answer.body)["error"]["code"]
    return text


# Who may use it


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "evil.test"},
        {"Host": "127.0.0.1.evil.test"},
        {"Host": "localhost.evil.test:80"},
        {"Host": ""},
        {"Host": "10.0.0.1"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.evil.test"},
        {"Host": "evil@localhost"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", [CHAT, "/../_llmtape/report", "/../@c/v1/models"])
async def test_a_web_page_may_not_use_the_proxy(proxy: Proxy, fields: dict[str, str], path: str) -> None:
    url = proxy.url.removesuffix("/v1") + path.removeprefix("/..") if path.startswith("/..") else proxy.url + path
    answer = await ask(url, chat(), headers=fields)
    assert (answer.status, code(answer), answer.headers["x-should-retry"]) == (403, "forbidden", "false")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "fields",
    [
        {"Host": "localhost"},
        {"Host": "LOCALHOST:1"},
        {"Host": "127.0.0.1"},
        {"Host": "[::1]:8788"},
        {"Origin": "http://localhost:3000"},
    ],
)
async def test_whoever_calls_it_by_a_loopback_name_may(proxy: Proxy, fields: dict[str, str]) -> None:
    assert (await ask(proxy.url + CHAT, chat(), headers=fields)).status == 200


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "http://elsewhere.test/v1/chat/completions", 403),
        ("POST", "http://localhost@elsewhere.test/v1/chat/completions", 403),
        ("CONNECT", "elsewhere.test:443", 400),
        ("CONNECT", "/v1/chat/completions", 400),
    ],
)
async def test_it_is_no_proxy_to_other_hosts(proxy: Proxy, method: str, target: str, status: int) -> None:
    async with connected(proxy.url) as (reader, writer):
        body = chat() if method == "POST" else b""
        top = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(top.encode() + body)
        assert (await read_answer(reader)).status == status


async def test_a_refused_request_goes_nowhere(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        async with running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy:
            await ask(proxy.url + CHAT, chat(), headers={"Host": "evil.test"})
        assert upstream.connections == 0


TOKEN = "the-proxys-own-token"
KEY = "sk-upstreams-key-0123456789"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({"api-key": TOKEN}, 200),
        ({"Host": "proxy.test", "api-key": TOKEN}, 200),
        ({}, 403),
        ({"Authorization": "Bearer other"}, 403),
        ({"Authorization": TOKEN}, 403),
        ({"api-key": TOKEN + "x"}, 403),
        ({"api-key": "é"}, 403),
        ({"Host": "evil.test", "api-key": TOKEN}, 403),
    ],
)
async def test_with_a_token_callers_show_it_as_their_api_key(
    cassette: Path, fields: dict[str, str], status: int
) -> None:
    async with running(Mode.REPLAY, cassette, server={"token": TOKEN, "hosts": ["proxy.test"]}) as proxy:
        assert (await ask(proxy.url + CHAT, chat(), headers=fields)).status == status


def config(cassette: Path, upstream: str, **server: Any) -> Config:
    values = {
        "cassette": str(cassette),
        "cassette_dir": str(cassette.parent),
        "upstream": upstream,
        "server": {"port": 0, **server},
    }
    return msgspec.convert(values, Config)


def echo(asked: ReceivedRequest) -> Script:
    return plain(body=json.dumps({"choices": [], "told": [asked.header("authorization")]}).encode())


@pytest.mark.parametrize("shown", ["Authorization", "api-key"])
@pytest.mark.parametrize("key", [KEY, None])
async def test_with_a_token_only_the_upstreams_own_key_goes_up_and_neither_is_stored(
    tmp_path: Path, shown: str, key: str | None
) -> None:
    cassette = tmp_path / "c.sqlite"
    fields = {shown: f"Bearer {TOKEN}" if shown == "Authorization" else TOKEN}
    async with (
        ScriptedUpstream(echo) as upstream,
        Proxy(config(cassette, upstream.url, token=TOKEN), Mode.RECORD, upstream_key=key) as proxy,
    ):
        answer = await ask(proxy.url + CHAT, chat(), headers=fields)
    assert answer.status == 200
    (got,) = upstream.requests
    assert TOKEN not in repr(got)
    assert got.header("authorization") == (f"Bearer {key}" if key else None)
    assert got.header("api-key") is None
    stored = raw_bytes(cassette)
    assert TOKEN.encode() not in stored
    assert KEY.encode() not in stored


async def test_without_a_token_the_callers_own_key_goes_up(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(plain()) as upstream,
        Proxy(config(tmp_path / "c.sqlite", upstream.url), Mode.RECORD, upstream_key=KEY) as proxy,
    ):
        await ask(proxy.url + CHAT, chat(), headers={"Authorization": "Bearer callers-own"})
    assert upstream.requests[0].header("authorization") == "Bearer callers-own"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def raw_bytes(path: Path) -> bytes:
    return path.read_bytes()


# Which paths lead where


@pytest.mark.parametrize(
    "target",
    [
        "/v1/chat/completions",
        "//v1//chat///completions",
        "/v1/chat/completions/",
        "/@c/v1/chat/completions/",
        "/%40c/v1/chat/completions",
        "//@c//v1/chat/completions",
        "/@c:/v1/chat/completions",
        "/@c:any%20lane/v1/chat/completions?api-version=1",
        "http://127.0.0.1/v1/chat/completions",
        "http://localhost:1/@c/v1/chat/completions",
    ],
)
async def test_a_target_may_be_spelt_in_many_ways(proxy: Proxy, target: str) -> None:
    async with connected(proxy.url) as (reader, writer):
        body = chat()
        top = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(top.encode() + body)
        answer = await read_answer(reader)
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v1/models", "/v1/models"),
        ("/@c/v1/models?a=%2F&b", "/v1/models?a=%2F&b"),
        ("/chat/completions", "/chat/completions"),
        (
            "/openai/deployments/m/chat/completions?api-version=1",
            "/openai/deployments/m/chat/completions?api-version=1",
        ),
        ("/@c:l/openai/v2//x/", "/openai/v2/x"),
        ("/v1/", "/v1"),
        ("/", "/"),
        ("/@c", "/"),
        ("/v1/%40x/@y", "/v1/%40x/@y"),
    ],
)
async def test_the_mount_is_taken_off_and_the_rest_goes_up(tmp_path: Path, path: str, target: str) -> None:
    async with ScriptedUpstream(plain()) as upstream:
        async with running(Mode.RECORD, tmp_path / "c.sqlite", upstream.url) as proxy:
            answer = await ask(proxy.url.removesuffix("/v1") + path, method="GET")
        assert answer.status == 200
    assert [got.target for got in upstream.requests] == [target]


# Starting and ending


async def test_a_busy_port_is_told_in_words(cassette: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*--port"):
            await Proxy(config(cassette, "http://127.0.0.1:9/v1", port=port), Mode.REPLAY).__aenter__()
    assert names(cassette.parent) == ["c.sqlite"]


async def test_what_is_wrong_with_the_default_cassette_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(CassetteMissingError, match="llmtape record"):
        await Proxy(config(tmp_path / "absent.sqlite", "demo"), Mode.REPLAY).__aenter__()
    bad = tmp_path / "bad.sqlite"
    write(bad, b"something else entirely" * 500)
    for mode in (Mode.REPLAY, Mode.RECORD, Mode.AUTO):
        with pytest.raises(CassetteError):
            await Proxy(config(bad, "http://127.0.0.1:9/v1"), mode).__aenter__()
    assert raw_bytes(bad) == b"something else entirely" * 500


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


async def test_an_upstream_that_is_no_url_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no URL"):
        await Proxy(config(tmp_path / "c.sqlite", "api.test/v1"), Mode.RECORD).__aenter__()
    assert names(tmp_path) == []


async def test_running_answers_are_waited_for(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    begun, gate = asyncio.Event(), asyncio.Event()
    script = stream([delta("Hi"), Reached(begun), Hold(gate), STOP, DONE])
    async with ScriptedUpstream(script) as upstream:
        async with running(Mode.RECORD, cassette, upstream.url) as proxy:
            asked = asyncio.create_task(ask(proxy.url + CHAT, chat(stream=True)))
            await begun.wait()
            asyncio.get_running_loop().call_soon(gate.set)
        answer = await asked
    assert (answer.ended, answer.body) == (True, delta("Hi") + STOP + DONE)
    assert proxy.ledger.total(Fate.RECORDED) == 1
    assert recordings(cassette)[0].response.body == answer.body


async def test_no_answer_of_ours_bears_a_status_that_is_retried_for_good(proxy: Proxy) -> None:
    origin = proxy.url.removesuffix("/v1")
    asked = [
        (proxy.url + CHAT, {"Host": "evil.test"}),
        (proxy.url + CHAT + "/no", {}),
        (origin + "/@../v1", {}),
        (origin + "/@absent/v1/models", {}),
        (origin + "/_llmtape/none", {}),
    ]
    for url, fields in asked:
        answer = await ask(url, b"{}", headers=fields)
        assert answer.status < 500
        assert answer.status not in {408, 409, 429}
        assert answer.headers["x-should-retry"] == "false"
        assert json.loads(answer.body)["error"]["message"]


_REPLAY = """
import asyncio, sys
from pathlib import Path
from proxy.core.modes import Mode
from tests.running import CHAT, ask, chat, running

async def main():
    async with running(Mode.REPLAY, Path(sys.argv[1]), "https://api.openai.test/v1") as proxy:
        print((await ask(proxy.url + CHAT, chat())).status, (await ask(proxy.url + CHAT, b"{}")).status)

asyncio.run(main())
print(*sorted(name for name in sys.modules if name in {"proxy.upstream", "proxy.cassette.writer", "sqlalchemy"}))
"""


def test_in_replay_no_upstream_client_exists_in_the_process(cassette: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _REPLAY, str(cassette)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=os.getcwd(),  # noqa: PTH109
    )
    assert done.stdout.splitlines() == ["200 424", ""], done.stderr


async def test_the_embedded_upstream_can_be_recorded_like_any_other(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    asked = {"Authorization": "Bearer sk-demo-0123456789", "Content-Type": "application/json"}
    body = chat(model="demo", stop=None)
    async with running(Mode.RECORD, cassette, "demo") as proxy:
        live = await ask(proxy.url + CHAT, body, headers=asked)
    async with running(Mode.REPLAY, cassette, "demo") as proxy:
        played = await ask(proxy.url + CHAT, body, headers=asked)
    assert live.status == 200
    assert played.body == live.body


async def test_connections_left_idle_do_not_hold_the_end_up(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(request(proxy.url + CHAT, chat()))
        assert (await read_answer(reader)).body == BODY
    assert await reader.read() == b""
    writer.close()
