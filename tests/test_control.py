"""The endpoints under `/_llmtape/`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy import __version__
from proxy.core.modes import Mode
from proxy.demo.script import ScriptedUpstream, plain
from tests.running import CHAT, ask, chat, numbered, recordings, running

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.server import Proxy


async def control(proxy: Proxy, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, dict[str, Any]]:
    answer = await ask(proxy.url.removesuffix("/v1") + "/_llmtape" + path, body, method=method)
    assert answer.headers["content-type"] == "application/json"
    assert "x-llmtape" not in answer.headers
    document: dict[str, Any] = json.loads(answer.body)
    return answer.status, document


async def post(proxy: Proxy, path: str, **values: Any) -> dict[str, Any]:
    """Ask for something that works."""
    status, told = await control(proxy, path, "POST", json.dumps(values).encode())
    assert status == 200, told
    return told


async def refused(proxy: Proxy, path: str, **values: Any) -> tuple[str, str]:
    """Ask for something that does not; return the code and the message."""
    url = proxy.url.removesuffix("/v1") + "/_llmtape" + path
    answer = await ask(url, json.dumps(values).encode())
    error = json.loads(answer.body)["error"]
    assert (answer.status, answer.headers["x-should-retry"]) == (400, "false")
    assert error["type"] == "invalid_request_error"
    return error["code"], error["message"]


@pytest.fixture
async def cassette(tmp_path: Path) -> Path:
    """A cassette with two takes in the default lane, and one in another."""
    path = tmp_path / "c.sqlite"
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
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
        "calls": {"played": 0, "recorded": 0, "forwarded": 0, "missed": 0, "not-recorded": 0, "injected": 0},
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


async def test_rewind_can_be_for_one_cassette(cassette: Path) -> None:
    other = cassette.with_name("other.sqlite")
    other.write_bytes(cassette.read_bytes())  # noqa: ASYNC240  a small file
    async with running(Mode.REPLAY, cassette) as proxy:
        assert [await play(proxy), await play(proxy, "/@other/v1")] == [1, 1]
        assert await post(proxy, "/rewind", cassette="other") == {"rewound": [str(other)]}
        assert [await play(proxy), await play(proxy, "/@other/v1")] == [2, 1]
        assert await post(proxy, "/rewind", cassette="", lane="") == {"rewound": [str(cassette)]}
        assert [await play(proxy), await play(proxy, "/@other/v1")] == [1, 2]
        assert await post(proxy, "/rewind", cassette="absent") == {"rewound": []}


async def test_rewind_takes_a_query_as_well_as_a_body(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await play(proxy)
        assert (await control(proxy, "/rewind?cassette=c&lane=", "POST"))[1] == {"rewound": [str(cassette)]}
        assert await play(proxy) == 1
        assert (await refused(proxy, "/rewind?cassete=c"))[0] == "bad_request"
        assert (await refused(proxy, "/rewind?cassette=..%2Fx"))[0] == "bad_address"


# Lanes


async def test_a_lane_is_started_played_and_ended(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = await post(proxy, "/lane/start", lane="mine")
        assert lane == {
            "base_url": proxy.url.removesuffix("/v1") + "/@:mine/v1",
            "cassette": str(cassette),
            "lane": "mine",
            "mode": "replay",
        }
        answer = await ask(lane["base_url"] + CHAT, chat())
        account = await post(proxy, "/lane/end", lane="mine", strict=True)
    assert json.loads(answer.body) == {"n": 3}
    (call,) = account["calls"]
    assert {name: account[name] for name in account.keys() - {"calls", "counts"}} == {
        "ok": True,
        "problems": [],
        "cassette": str(cassette),
        "lane": "mine",
        "mode": "replay",
        "misses": [],
        "unplayed": [],
        "exhausted": [],
    }
    assert account["counts"]["played"] == 1
    assert (call["fate"], call["status"], call["response"]) == ("played", 200, {"n": 3})
    assert call["request"] == json.loads(chat())


async def test_misses_and_what_is_left_over_are_in_the_account(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = await post(proxy, "/lane/start", cassette="c", lane="mine", repeats="error")
        await ask(lane["base_url"] + CHAT, chat("Something else."))
        account = await post(proxy, "/lane/end", cassette="c", lane="mine", passed=True, strict=True)
    assert not account["ok"]
    assert len(account["misses"]) == len(account["unplayed"]) == 1
    assert len(account["problems"]) == 2


async def test_what_a_lane_recorded_is_there_once_its_end_is_answered(cassette: Path) -> None:
    async with (
        ScriptedUpstream(plain(body=b'{"n":9}')) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        for passed in (False, True):
            lane = await post(proxy, "/lane/start", lane="mine", mode="record")
            await ask(lane["base_url"] + CHAT, chat())
            await post(proxy, "/lane/end", lane="mine", passed=passed)
            kept = [one.response.body for one in recordings(cassette) if one.track.lane == "mine"]
            assert kept == [b'{"n":9}' if passed else b'{"n":3}']


async def test_faults_pace_and_rules_of_a_lane_are_said_in_words(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = await post(
            proxy, "/lane/start", lane="mine", pace="recorded", rules={"restore": True}, faults="status=429; calls=2"
        )
        answers = [await ask(lane["base_url"] + CHAT, chat()) for _ in range(2)]
        account = await post(proxy, "/lane/end", lane="mine")
    assert [answer.status for answer in answers] == [200, 429]
    assert [call["injected"] for call in account["calls"]] == [[], ["status=429; calls=2"]]
    assert account["ok"]


async def test_a_current_lane_takes_the_calls_of_clients_that_know_nothing_of_lanes(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await post(proxy, "/lane/start", lane="mine", current=True)
        assert await play(proxy) == 3
        assert len((await post(proxy, "/lane/end", lane="mine"))["calls"]) == 1
        assert await play(proxy) == 1


@pytest.mark.parametrize(
    "odd",
    [
        b'{"a":"\\ud83d","\\ud83d":"\\u0000"}',
        b'{"n":123456789012345678901234567890,"x":NaN}',
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"\xff\xfe",
    ],
)
async def test_an_account_survives_any_text_in_a_request(cassette: Path, odd: bytes) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = await post(proxy, "/lane/start", lane="mine")
        await ask(lane["base_url"] + CHAT, odd)
        assert len((await post(proxy, "/lane/end", lane="mine"))["misses"]) == 1


@pytest.mark.parametrize(
    ("path", "values", "code", "word"),
    [
        ("/lane/start", {"lanes": "a"}, "bad_request", "lane"),
        ("/lane/start", {"mode": "recording"}, "bad_request", "mode"),
        ("/lane/start", {"pace": "fast"}, "bad_request", "pace"),
        ("/lane/start", {"rules": {"scrubs": []}}, "bad_request", "scrub"),
        ("/lane/start", {"faults": "statu=429"}, "bad_fault", "status"),
        ("/lane/start", {"cassette": "../x"}, "bad_address", "../x"),
        ("/lane/start", {"lane": "a\n"}, "bad_address", "lane"),
        ("/lane/end", {"lane": "none"}, "bad_lane", "'none'"),
        ("/lane/end", {"lane": "a", "pass": True}, "bad_request", "passed"),
        ("/lane/end", {"passed": "yes"}, "bad_request", "passed"),
        ("/mode", {}, "bad_request", "mode"),
        ("/mode", {"mode": "off"}, "bad_request", "mode"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    cassette: Path, path: str, values: dict[str, Any], code: str, word: str
) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        told, message = await refused(proxy, path, **values)
        assert proxy.lanes.sheets() == {}
    assert told == code
    assert word in message


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b"null"])
@pytest.mark.parametrize("path", ["/lane/start", "/lane/end", "/mode", "/rewind"])
async def test_a_body_that_is_no_json_object_is_refused(cassette: Path, path: str, body: bytes) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        status, told = await control(proxy, path, "POST", body)
    assert (status, told["error"]["code"]) == (400, "bad_request")


# Modes


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.PASSTHROUGH])
async def test_nothing_gives_an_upstream_to_a_replay(cassette: Path, mode: Mode) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.REPLAY, cassette, upstream.url) as proxy:
        for path in ("/mode", "/lane/start"):
            code, message = await refused(proxy, path, mode=mode)
            assert code == "bad_lane"
            assert f"llmtape {mode}" in message
        assert (await control(proxy, "/status"))[1]["mode"] == "replay"
        assert await play(proxy, body=chat("Something else.")) is None
    assert upstream.connections == 0
    assert not proxy.receipt.had_upstream


async def test_a_recorder_goes_on_in_another_mode_and_back(cassette: Path) -> None:
    async with (
        ScriptedUpstream(plain(body=b'{"n":9}')) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        assert await post(proxy, "/mode", mode="replay") == {"mode": "replay"}
        assert await play(proxy) == 1
        assert (await control(proxy, "/status"))[1]["mode"] == "replay"
        assert await play(proxy, body=chat("New.")) is None
        await post(proxy, "/mode", mode="auto")
        assert [await play(proxy, body=text) for text in (chat("New."), chat())] == [9, 2]


async def test_a_lanes_own_path_leads_to_no_endpoint(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        answer = await ask(proxy.url.removesuffix("/v1") + "/@:mine/_llmtape/health", method="GET")
    assert answer.status == 424
