"""The endpoints under `/_llmtape/`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy import __version__
from proxy.core.modes import Mode
from proxy.demo.script import ScriptedUpstream, plain
from tests.running import CHAT, ask, chat, running

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.demo.script import ReceivedRequest, Script
    from proxy.server import Proxy


async def control(proxy: Proxy, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    answer = await ask(proxy.url.removesuffix("/v1") + "/_llmtape" + path, method=method)
    assert answer.headers["content-type"] == "application/json"
    assert "x-llmtape" not in answer.headers
    document: dict[str, Any] = json.loads(answer.body)
    return answer.status, document


@pytest.fixture
async def cassette(tmp_path: Path) -> Path:
    """A cassette with two takes in the default lane, and one in another."""
    path = tmp_path / "c.sqlite"
    numbers = iter(range(1, 100))

    def numbered(_asked: ReceivedRequest) -> Script:
        return plain(body=b'{"n":%d}' % next(numbers))

    async with ScriptedUpstream(numbered) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
        for mount in ("/v1", "/v1", "/@c:mine/v1"):
            await ask(proxy.url.removesuffix("/v1") + mount + CHAT, chat())
    return path


async def play(proxy: Proxy, mount: str = "/v1", body: bytes = b"") -> int | None:
    answer = await ask(proxy.url.removesuffix("/v1") + mount + CHAT, body or chat())
    number: int | None = json.loads(answer.body).get("n")
    return number


@pytest.mark.parametrize("mode", list(Mode))
async def test_health_is_told_in_every_mode(cassette: Path, mode: Mode) -> None:
    async with running(mode, cassette) as proxy:
        assert await control(proxy, "/health") == (200, {"status": "ok"})


@pytest.mark.parametrize("mode", list(Mode))
async def test_status_tells_version_mode_cassettes_and_counts(cassette: Path, mode: Mode) -> None:
    async with running(mode, cassette) as proxy:
        status, told = await control(proxy, "/status")
    assert status == 200
    assert told == {
        "version": __version__,
        "mode": mode,
        "cassettes": [] if mode is Mode.PASSTHROUGH else [str(cassette)],
        "calls": {"played": 0, "recorded": 0, "forwarded": 0, "missed": 0, "not-recorded": 0},
    }


async def test_the_report_counts_by_cassette_and_lane_and_names_what_was_not_played(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        assert await play(proxy) == 1
        assert await play(proxy, body=chat("Something else.")) is None
        assert await play(proxy, "/@absent:x/v1") is None
        status, told = await control(proxy, "/report")
    assert (status, told["mode"]) == (200, "replay")
    lanes = {(row["cassette"], row["lane"]): row for row in told["lanes"]}
    absent = str(cassette.with_name("absent.sqlite"))
    assert lanes.keys() == {(str(cassette), ""), (str(cassette), "mine"), (absent, "x")}
    own = lanes[str(cassette), ""]
    assert (own["played"], own["missed"], own["recorded"]) == (1, 1, 0)
    assert [name.rpartition(":")[2] for name in own["unplayed"]] == ["2"]
    assert [name.rpartition(":")[2] for name in lanes[str(cassette), "mine"]["unplayed"]] == ["1"]
    assert lanes[absent, "x"]["missed"] == 1
    assert [(miss["cassette"], miss["lane"]) for miss in told["misses"]] == [(str(cassette), ""), (absent, "x")]
    assert "messages[0].content" in told["misses"][0]["report"]


async def test_the_report_counts_what_is_recorded(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(plain(), plain(500)) as upstream,
        running(Mode.AUTO, tmp_path / "c.sqlite", upstream.url) as proxy,
    ):
        for body in (chat(), chat(), chat("Fail.")):
            await ask(proxy.url + CHAT, body)
        _, told = await control(proxy, "/report")
    (row,) = told["lanes"]
    assert (row["recorded"], row["played"], row["not-recorded"]) == (1, 1, 1)


async def test_a_report_survives_any_text_in_a_request(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await play(proxy, body=b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}],"\\ud83d":"\\u0000"}')
        status, told = await control(proxy, "/report")
    assert (status, len(told["misses"])) == (200, 1)


async def test_rewind_starts_the_takes_again(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        assert [await play(proxy) for _ in range(2)] == [1, 2]
        assert await control(proxy, "/rewind", "POST") == (200, {"rewound": [str(cassette)]})
        assert [await play(proxy) for _ in range(3)] == [1, 2, 2]


async def test_rewind_can_be_for_one_lane(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette, replay={"repeats": "error"}) as proxy:
        assert [await play(proxy), await play(proxy, "/@c:mine/v1")] == [1, 3]
        assert (await control(proxy, "/rewind?lane=mine", "POST"))[0] == 200
        assert [await play(proxy), await play(proxy, "/@c:mine/v1")] == [2, 3]
        assert (await control(proxy, "/rewind?lane=", "POST"))[0] == 200
        assert [await play(proxy), await play(proxy, "/@c:mine/v1")] == [1, None]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/none"), ("GET", "/rewind"), ("POST", "/health"), ("DELETE", "/report")]
)
async def test_what_is_not_there_is_a_404_that_names_what_is(cassette: Path, method: str, path: str) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        status, told = await control(proxy, path, method)
    assert (status, told["error"]["code"]) == (404, "unknown_endpoint")
    assert "POST /_llmtape/rewind" in told["error"]["message"]
    assert upstream.connections == 0


async def test_control_is_neither_recorded_nor_counted(cassette: Path) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        for path in ("/health", "/status", "/report", "//health/"):
            assert (await control(proxy, path))[0] == 200
        assert proxy.ledger.lanes == {}
    assert upstream.connections == 0
