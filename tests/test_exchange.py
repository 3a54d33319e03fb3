"""One request's journey: what each mode does with it, which take plays, what a miss tells, what is stored."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.address import parse
from proxy.core.errors import ClientGoneError
from proxy.core.ledger import Fate
from proxy.core.model import Outcome, Request
from proxy.core.modes import Mode
from proxy.demo.script import Hold, Reached, Script, ScriptedUpstream, plain, stream
from tests.running import (
    CHAT,
    DONE,
    NOWHERE,
    STOP,
    RawAnswer,
    ask,
    chat,
    connected,
    delta,
    leave,
    n,
    numbered,
    read_chunk,
    read_head,
    recordings,
    request,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from proxy.core.model import Headers
    from proxy.demo.script import ReceivedRequest


def retry(count: int) -> dict[str, str]:
    return {"x-stainless-retry-count": str(count)}


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "c.sqlite"


async def calls(
    mode: Mode, cassette: Path, bodies: list[bytes], *scripts: Any, mount: str = "/v1", **settings: Any
) -> list[RawAnswer]:
    """Ask one after the other through one proxy; without scripts there is no upstream."""
    async with ScriptedUpstream(*scripts) as upstream:
        url = upstream.url if scripts else NOWHERE
        async with running(mode, cassette, url, **settings) as proxy:
            base = proxy.url.removesuffix("/v1") + mount
            answers = [await ask(base + CHAT, body) for body in bodies]
        assert scripts or upstream.connections == 0
    return answers


# Modes


async def test_replay_makes_no_connection_whatever_it_is_asked(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    async with ScriptedUpstream() as upstream, running(Mode.REPLAY, cassette, upstream.url) as proxy:
        origin = proxy.url.removesuffix("/v1")
        played = await ask(proxy.url + CHAT, chat())
        missed = [
            await ask(proxy.url + CHAT, chat("Something else.")),
            await ask(proxy.url + CHAT, b"not json"),
            await ask(proxy.url + "/models", method="GET"),
            await ask(proxy.url + "/embeddings", b"[]"),
            await ask(origin + "/", method="GET"),
            await ask(origin + "/@other/v1/models", method="DELETE"),
        ]
    assert (played.status, n(played)) == (200, 1)
    assert {answer.status for answer in missed} == {424}
    assert upstream.connections == 0


async def test_record_replaces_the_takes_of_earlier_runs_and_keeps_other_recordings(cassette: Path) -> None:
    one, other = chat("One."), chat("Other.")
    await calls(Mode.RECORD, cassette, [one, one, one, other], numbered(1))
    await calls(Mode.RECORD, cassette, [one, one], numbered(11))
    played = await calls(Mode.REPLAY, cassette, [one, one, one, other])
    assert [n(answer) for answer in played] == [11, 12, 12, 4]


async def test_record_replaces_nothing_in_another_lane_or_variant(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered(1), mount="/@c:mine/v1")
    await calls(Mode.RECORD, cassette, [chat(stream=True)], stream([STOP, DONE]))
    await calls(Mode.RECORD, cassette, [chat()], numbered(21))
    kept = {(recorded.track.lane, str(recorded.track.variant)) for recorded in recordings(cassette)}
    assert kept == {("mine", "json"), ("", "sse"), ("", "json")}


async def test_auto_plays_what_is_there_and_records_the_rest(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat("Old.")], numbered(1))
    answers = await calls(Mode.AUTO, cassette, [chat("Old."), chat("New."), chat("New."), chat("Old.")], numbered(11))
    assert [n(answer) for answer in answers] == [1, 11, 11, 1]
    assert [answer.headers["x-llmtape"].split()[0] for answer in answers] == ["played", "recorded", "played", "played"]
    played = await calls(Mode.REPLAY, cassette, [chat("New."), chat("Old.")])
    assert [n(answer) for answer in played] == [11, 1]


async def test_auto_passes_answers_on_where_a_file_took_the_cassettes_place_and_left_its_log(cassette: Path) -> None:
    other = cassette.with_name("other.sqlite")
    await calls(Mode.RECORD, other, [chat("Something else.")], numbered())
    await calls(Mode.RECORD, cassette, [chat("Something old.")], numbered())
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        recorded = await ask(proxy.url + CHAT, chat())
        other.replace(cassette)
        passed = await ask(proxy.url + CHAT, chat())
    assert (n(recorded), n(passed)) == (1, 2)
    assert passed.mark.startswith("not-recorded ")
    assert "that of another file" in passed.mark
    assert proxy.receipt.faults


async def test_auto_records_a_variant_that_is_not_there(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    (answer,) = await calls(Mode.AUTO, cassette, [chat(stream=True)], stream([STOP, DONE]))
    assert answer.headers["x-llmtape"].startswith("recorded ")
    assert len(recordings(cassette)) == 2


async def test_auto_records_anew_what_had_not_ended_well_and_it_keeps_its_place(cassette: Path) -> None:
    streamed = chat(stream=True)
    second, healed = delta("second") + STOP + DONE, delta("healed") + STOP + DONE
    await calls(Mode.RECORD, cassette, [streamed] * 2, stream([delta("cut")], end="close"), stream([second]))
    live = await calls(Mode.AUTO, cassette, [streamed] * 2, stream([healed]))
    played = await calls(Mode.REPLAY, cassette, [streamed] * 2)
    assert [answer.body for answer in live] == [healed, second]
    assert [answer.body for answer in played] == [healed, second]


async def test_two_calls_at_once_never_record_anew_over_each_other(cassette: Path) -> None:
    streamed = chat(stream=True)
    await calls(Mode.RECORD, cassette, [streamed], stream([delta("cut")], end="close"))
    gate = asyncio.Event()
    reached = [asyncio.Event(), asyncio.Event()]
    texts = [delta("one") + STOP + DONE, delta("two") + STOP + DONE]
    scripts = [stream([Reached(there), Hold(gate), text]) for there, text in zip(reached, texts, strict=True)]
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        asked = [asyncio.create_task(ask(proxy.url + CHAT, streamed)) for _ in texts]
        for there in reached:
            await there.wait()
        gate.set()
        live = await asyncio.gather(*asked)
    assert sorted(answer.body for answer in live) == sorted(texts)
    assert sorted(recorded.response.body for recorded in recordings(cassette)) == sorted(texts)


async def test_passthrough_forwards_stores_nothing_and_makes_no_file(cassette: Path) -> None:
    answers = await calls(Mode.PASSTHROUGH, cassette, [chat(), chat()], numbered())
    assert [n(answer) for answer in answers] == [1, 2]
    assert all(answer.headers["x-llmtape"].startswith("forwarded ") for answer in answers)
    assert list(cassette.parent.iterdir()) == []


async def test_a_recorder_that_recorded_nothing_leaves_no_file(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], plain(500))
    assert list(cassette.parent.iterdir()) == []


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.REPLAY])
async def test_a_cassette_at_rest_is_one_file(cassette: Path, mode: Mode) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    await calls(mode, cassette, [chat()], numbered())
    assert [path.name for path in cassette.parent.iterdir()] == ["c.sqlite"]


# Takes


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [
        ("last", [1, 2, 3, 3, 3, 3, 3]),
        ("cycle", [1, 2, 3, 1, 2, 3, 1]),
        ("error", [1, 2, 3, *["takes_exhausted"] * 4]),
    ],
)
async def test_takes_play_in_order_and_past_the_last_as_repeats_says(
    cassette: Path, repeats: str, expected: list[int | str]
) -> None:
    await calls(Mode.RECORD, cassette, [chat()] * 3, numbered())
    played = await calls(Mode.REPLAY, cassette, [chat()] * 7, replay={"repeats": repeats})
    assert [n(answer) for answer in played] == expected


async def test_parallel_identical_calls_are_numbered_as_they_arrive(cassette: Path) -> None:
    """The second is answered first; on replay they come as they were asked for."""
    first, gate = asyncio.Event(), asyncio.Event()
    scripts = [(Reached(first), Hold(gate), *plain(body=b'{"n":1}')), plain(body=b'{"n":2}')]
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        slow = asyncio.create_task(ask(proxy.url + CHAT, chat()))
        await first.wait()
        assert n(await ask(proxy.url + CHAT, chat())) == 2
        gate.set()
        assert n(await slow) == 1
    played = await calls(Mode.REPLAY, cassette, [chat()] * 2)
    assert [n(answer) for answer in played] == [1, 2]
    assert [answer.headers["x-llmtape"].rpartition(":")[2] for answer in played] == ["1", "2"]


async def test_a_retry_of_a_call_that_was_answered_spends_no_take(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()] * 2, numbered())
    async with running(Mode.REPLAY, cassette) as proxy:
        url = proxy.url + CHAT
        played = [await ask(url, chat(), headers=retry(count)) for count in (0, 1, 2, 0)]
    assert [n(answer) for answer in played] == [1, 1, 1, 2]


async def test_the_spelling_of_a_request_does_not_count(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat(temperature=0)], numbered())
    spelt = b'{"temperature":0.0,"seed":null,"messages":[{"content":"Say\\u0020hello.","role":"user"}],"model":"m"}'
    (played,) = await calls(Mode.REPLAY, cassette, [spelt])
    assert n(played) == 1


# Errors


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422, 424])
async def test_errors_that_stay_are_recorded_and_replayed_as_they_were(cassette: Path, status: int) -> None:
    body = b'{"detail": "as it was"}'
    (live,) = await calls(Mode.RECORD, cassette, [chat()], plain(status, body=body))
    (played,) = await calls(Mode.REPLAY, cassette, [chat()])
    assert (live.status, live.body) == (played.status, played.body) == (status, body)


PASSING = [301, 307, 401, 403, 408, 409, 412, 416, 429, 500, 502, 503, 529]


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
@pytest.mark.parametrize("status", PASSING)
async def test_errors_of_a_moment_are_passed_on_and_not_recorded(cassette: Path, status: int, mode: Mode) -> None:
    body = b"<html>as it was</html>"
    script = plain(status, {"content-type": "text/html", "retry-after": "7", "x-odd": "1"}, body=body)
    live, then = await calls(mode, cassette, [chat()] * 2, script, numbered(5))
    assert (live.status, live.body) == (status, body)
    assert (live.headers["content-type"], live.headers["retry-after"], live.headers["x-odd"]) == ("text/html", "7", "1")
    assert live.headers["x-llmtape"].startswith("not-recorded ")
    assert n(then) == 5
    played = await calls(Mode.REPLAY, cassette, [chat()] * 2)
    assert [n(answer) for answer in played] == [5, 5]
    assert then.headers["x-llmtape"].endswith(":1")


@pytest.mark.parametrize("status", [status for status in PASSING if status >= 400])
async def test_all_errors_are_recorded_where_the_config_says_so(cassette: Path, status: int) -> None:
    script = plain(status, {"retry-after": "7"}, body=b'{"n":0}')
    await calls(Mode.RECORD, cassette, [chat()] * 2, script, numbered(), record={"errors": "all"})
    async with running(Mode.REPLAY, cassette) as proxy:
        first = await ask(proxy.url + CHAT, chat())
        second = await ask(proxy.url + CHAT, chat(), headers=retry(1))
    assert [(first.status, n(first)), (second.status, n(second))] == [(status, 0), (200, 1)]
    assert first.headers["retry-after-ms"] == "1"
    assert "retry-after" not in first.headers


# Misses


async def miss(cassette: Path, body: bytes, **settings: Any) -> tuple[RawAnswer, dict[str, Any]]:
    (answer,) = await calls(Mode.REPLAY, cassette, [body], **settings)
    assert answer.status == 424
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-llmtape"].startswith("missed ")
    document = json.loads(answer.body)
    assert document.keys() == {"error"}
    assert document["error"].keys() == {"message", "type", "param", "code"}
    assert document["error"]["type"] == "cassette_miss"
    return answer, document["error"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_miss_names_the_nearest_recording_and_what_differs(cassette: Path, *, streamed: bool) -> None:
    near, far = chat("What is the capital of Norway?", stream=streamed), chat("Sing.", stream=streamed)
    script = stream([STOP, DONE]) if streamed else plain()
    live = await calls(Mode.RECORD, cassette, [far, near], script)
    _, error = await miss(cassette, chat("What is the capital of Sweden?", stream=streamed))
    nearest = live[1].headers["x-llmtape"].split()[1]
    first_line = error["message"].split("\n")[0]
    assert error["code"] == "not_recorded"
    assert error["param"] == "messages[0].content"
    assert nearest in first_line
    assert "messages[0].content" in first_line
    assert "Norway" in error["message"]
    assert "Sweden" in error["message"]
    assert f"llmtape auto -c {cassette}" in error["message"]


async def test_a_miss_in_an_empty_neighbourhood_names_none(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], plain())
    async with running(Mode.REPLAY, cassette) as proxy:
        answer = await ask(proxy.url + "/embeddings", b'{"input": "x"}')
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (424, "not_recorded", None)


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ({}, {"stream": True}),
        ({"stream": True}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
async def test_a_request_recorded_only_as_another_variant_says_so(
    cassette: Path, recorded: dict[str, Any], asked: dict[str, Any]
) -> None:
    await calls(Mode.RECORD, cassette, [chat(**recorded)], stream([STOP, DONE]) if recorded else plain())
    _, error = await miss(cassette, chat(**asked))
    assert error["code"] == "variant_not_recorded"


async def test_exhausted_takes_say_so(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    answers = await calls(Mode.REPLAY, cassette, [chat()] * 2, replay={"repeats": "error"})
    error = json.loads(answers[1].body)["error"]
    assert (answers[1].status, error["code"]) == (424, "takes_exhausted")


async def test_a_named_cassette_that_is_not_there_is_a_miss_and_is_not_made(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    (answer,) = await calls(Mode.REPLAY, cassette, [chat()], mount="/@absent/v1")
    assert (answer.status, n(answer)) == (424, "cassette_not_found")
    assert [path.name for path in cassette.parent.iterdir()] == ["c.sqlite"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(b"", id="no body"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
        pytest.param(b'{"messages": 7, "model": []}', id="odd types"),
        pytest.param(b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}', id="a lone surrogate"),
        pytest.param(
            b'{"model":"m","messages":[{"role":"user","content":"Say hello."}],"\\ud83d":1}',
            id="a lone surrogate in a name",
        ),
        pytest.param(b'{"seed": NaN, "n": 123456789012345678901234567890}', id="odd numbers"),
        pytest.param(b'{"a":' * 500 + b"1" + b"}" * 500, id="deep"),
    ],
)
async def test_every_request_is_recorded_and_missed_as_well_as_any(cassette: Path, odd: bytes) -> None:
    (live,) = await calls(Mode.RECORD, cassette, [odd], numbered())
    (played,) = await calls(Mode.REPLAY, cassette, [odd])
    assert (live.status, n(live), n(played)) == (200, 1, 1)
    assert recordings(cassette)[0].request.body == odd
    other = cassette.with_name("other.sqlite")
    await calls(Mode.RECORD, other, [chat()], numbered())
    _, error = await miss(other, odd)
    assert error["code"] == "not_recorded"


# Cassettes, lanes, ledger


async def test_named_cassettes_stand_apart_in_the_cassette_folder(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        origin = proxy.url.removesuffix("/v1")
        for mount in ("/v1", "/@one/v1", "/@deep%2Ftwo/v1"):
            await ask(origin + mount + CHAT, chat())
    folder = cassette.parent
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.sqlite")}
    assert files == {"c.sqlite", "one.sqlite", "deep/two.sqlite"}
    async with running(Mode.REPLAY, cassette) as proxy:
        origin = proxy.url.removesuffix("/v1")
        played = [await ask(origin + mount + CHAT, chat()) for mount in ("/@deep%2Ftwo/v1", "/@one/v1", "/v1")]
    assert [n(answer) for answer in played] == [3, 2, 1]


async def test_the_default_cassette_by_its_name_is_the_same_cassette(tmp_path: Path) -> None:
    """Also where the folder is spelt in another way."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    cassette = real / "c.sqlite"
    async with (
        ScriptedUpstream(numbered()) as upstream,
        running(Mode.RECORD, cassette, upstream.url, cassette_dir=str(tmp_path / "link")) as proxy,
    ):
        await ask(proxy.url + CHAT, chat())
        await ask(proxy.url.removesuffix("/v1") + "/@c/v1" + CHAT, chat())
    played = await calls(Mode.REPLAY, cassette, [chat()] * 2)
    assert [n(answer) for answer in played] == [1, 2]


NAMES = [
    "/@../v1",
    "/@..%2F..%2Fetc%2Fx/v1",
    "/@%2Fetc%2Fx/v1",
    "/@a%2F..%2Fb/v1",
    "/@/v1",
    "/@..:lane/v1",
    "/@.hidden/v1",
    "/@a%00/v1",
]


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD])
@pytest.mark.parametrize("mount", NAMES)
async def test_a_name_that_could_leave_the_folder_is_refused(cassette: Path, mount: str, mode: Mode) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    (answer,) = await calls(mode, cassette, [chat()], mount=mount)
    assert (answer.status, n(answer)) == (400, "bad_address")
    assert [path.name for path in cassette.parent.rglob("*")] == ["c.sqlite"]


async def test_a_name_over_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "way").symlink_to(tmp_path / "out")
    (answer,) = await calls(Mode.RECORD, folder / "c.sqlite", [chat()], numbered(), mount="/@way%2Fx/v1")
    assert (answer.status, n(answer)) == (400, "bad_address")
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_lane_plays_its_own_takes_and_without_any_those_of_all(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        origin = proxy.url.removesuffix("/v1")
        for lane in ("a", "b", "a"):
            await ask(f"{origin}/@c:{lane}/v1{CHAT}", chat())
    async with running(Mode.REPLAY, cassette) as proxy:
        origin = proxy.url.removesuffix("/v1")

        async def play(lane: str) -> list[int | str]:
            return [n(await ask(f"{origin}/@c:{lane}/v1{CHAT}", chat())) for _ in range(3)]

        assert await play("a") == [1, 3, 3]
        assert await play("b") == [2, 2, 2]
        assert sorted(map(int, await play("tests%2Ftest_x.py::test%5B%C3%A9%5D"))) == [1, 2, 3]


async def test_the_ledger_counts_every_call_by_cassette_and_lane(cassette: Path) -> None:
    scripts = (numbered(), plain(500))
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        other = proxy.url.removesuffix("/v1") + "/@two:lane/v1"
        await ask(proxy.url + CHAT, chat())
        await ask(other + CHAT, chat())
    two = cassette.with_name("two.sqlite")
    assert proxy.ledger.lanes == {
        (str(cassette), ""): {Fate.RECORDED: 1},
        (str(two), "lane"): {Fate.NOT_RECORDED: 1},
    }
    async with running(Mode.REPLAY, cassette) as proxy:
        for body in (chat(), chat(), chat("Nothing.")):
            await ask(proxy.url + CHAT, body)
    assert proxy.ledger.lanes == {(str(cassette), ""): {Fate.PLAYED: 2, Fate.MISSED: 1}}
    assert [call.note.split("\n")[0] for call in proxy.ledger.misses] != []


@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD, Mode.AUTO])
async def test_a_file_that_is_no_cassette_is_told_to_the_client_and_to_the_ledger(cassette: Path, mode: Mode) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    cassette.with_name("bad.sqlite").write_bytes(b"something else entirely" * 500)
    async with ScriptedUpstream(numbered()) as upstream, running(mode, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url.removesuffix("/v1") + "/@bad/v1" + CHAT, chat())
    assert (answer.status, answer.headers["x-should-retry"]) == (424, "false")
    assert "bad.sqlite" in json.loads(answer.body)["error"]["message"]
    assert "x-llmtape" in answer.headers
    assert proxy.ledger.total(Fate.MISSED) + proxy.ledger.faults > 0
    assert upstream.connections == 0


async def test_every_answer_bears_the_beginning_of_its_key_and_the_take(cassette: Path) -> None:
    async with ScriptedUpstream(numbered(), numbered(), plain(500)) as upstream:
        async with running(Mode.RECORD, cassette, upstream.url) as proxy:
            marks = [(await ask(proxy.url + CHAT, chat())).headers["x-llmtape"] for _ in range(3)]
        async with running(Mode.PASSTHROUGH, cassette, upstream.url) as proxy:
            marks.append((await ask(proxy.url + CHAT, chat())).headers["x-llmtape"])
    async with running(Mode.RECORD, cassette) as proxy:
        marks.append((await ask(proxy.url + CHAT, chat())).headers["x-llmtape"])
    async with running(Mode.REPLAY, cassette) as proxy:
        marks.append((await ask(proxy.url + CHAT, chat())).headers["x-llmtape"])
    key = recordings(cassette)[0].track.key[:12]
    assert marks[0] == f"recorded {key}:1"
    assert marks[1] == f"recorded {key}:2"
    assert marks[2].startswith(f"not-recorded {key}")
    assert marks[3] == f"forwarded {key}"
    assert marks[4].startswith(f"not-recorded {key}")
    assert marks[5] == f"played {key}:1"


# Nothing leaked

SECRETS = {
    "authorization": "Bearer planted-bearer-0123456789",
    "api-key": "planted-azure-0123456789",
    "cookie": "session=planted-cookie-0123456789; other=planted-second-0123456789",
    "openai-organization": "planted-org-0123456789",
    "x-custom": "planted-custom-0123456789",
}
PLANTED = b"planted-"


def contents(folder: Path) -> list[bytes]:
    """Read all files of a folder, raw."""
    return [path.read_bytes() for path in folder.iterdir()]


def echo(asked: ReceivedRequest) -> Script:
    """Answer with all that was sent: in the body, and in fields that are kept."""
    sent = {name.lower(): value for name, value in asked.headers}
    kept = {
        "x-request-id": sent["authorization"].removeprefix("Bearer "),
        "openai-version": sent["api-key"],
        "set-cookie": sent["cookie"],
        "x-other": sent["x-custom"],
    }
    told = [sent["authorization"], sent["api-key"], sent["cookie"], asked.target, asked.body.decode()]
    return plain(headers=kept, body=json.dumps({"choices": [], "told": told}).encode())


def echo_in_events(asked: ReceivedRequest) -> Script:
    """The same as events, the secret cut by the framing of HTTP."""
    told = delta(f"You sent {asked.header('authorization')} and {asked.header('cookie')} to {asked.target}")
    return stream([told[:100], told[100:], STOP, DONE])


@pytest.mark.parametrize(("streamed", "script"), [(False, echo), (True, echo_in_events)])
async def test_no_credential_is_in_the_file_or_its_log_while_recording_or_after(
    cassette: Path, *, streamed: bool, script: Callable[[ReceivedRequest], Script]
) -> None:
    asked = chat("My key is planted-bearer-0123456789 and planted-query-0123456789.", stream=streamed)
    query = "?api-version=1&key=planted-query-0123456789"
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        live = await ask(proxy.url + CHAT + query, asked, headers=SECRETS)
        files = contents(cassette.parent)
        assert len(files) > 1  # the write-ahead log is there
        assert not any(PLANTED in data for data in files)
    assert PLANTED in live.body  # what the client gets is never altered
    assert dict(upstream.requests[0].headers)["authorization"] == SECRETS["authorization"]
    assert not any(PLANTED in data for data in contents(cassette.parent))
    assert len(live.body) == len(recordings(cassette)[0].response.body)
    async with running(Mode.REPLAY, cassette) as proxy:
        played = await ask(proxy.url + CHAT + query, asked, headers=SECRETS)
        other = await ask(proxy.url + CHAT, chat("Another planted-bearer-0123456789."), headers=SECRETS)
    assert played.status == 200
    assert PLANTED not in played.body
    assert other.status == 424
    assert PLANTED not in other.body


async def test_stored_headers_are_an_allow_list_of_both_sides(cassette: Path) -> None:
    fields = {
        "x-request-id": "req-1",
        "openai-processing-ms": "12",
        "openai-version": "2020-10-01",
        "openai-model": "m",
        "x-ratelimit-remaining-requests": "9",
        "x-should-retry": "false",
        "x-mine": "kept by config",
        "date": "today",
        "server": "some",
        "openai-organization": "org",
        "set-cookie": "a=b",
        "x-other": "1",
    }
    async with (
        ScriptedUpstream(plain(headers=fields)) as upstream,
        running(Mode.RECORD, cassette, upstream.url, record={"keep_headers": ["X-Mine"]}) as proxy,
    ):
        live = await ask(proxy.url + CHAT, chat(), headers={"Content-Type": "application/json", "User-Agent": "t/1"})
    (recorded,) = recordings(cassette)
    kept = {name.lower() for name, _ in recorded.response.headers}
    left_out = {"date", "server", "openai-organization", "set-cookie", "x-other"}
    assert kept == (fields.keys() - left_out) | {"content-type"}
    assert [name.lower() for name, _ in recorded.request.headers] == ["content-type"]
    assert all(live.headers[name] == value for name, value in fields.items())
    (played,) = await calls(Mode.REPLAY, cassette, [chat()])
    assert {name: played.headers[name] for name in kept} == {name: live.headers[name] for name in kept}


async def test_the_order_of_takes_survives_a_clock_that_is_set_back(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()] * 2, numbered())
    connection = sqlite3.connect(cassette)
    connection.execute("update interactions set recorded_at = '2001-01-01T00:00:00.000Z' where take = 2")
    connection.commit()
    connection.close()
    played = await calls(Mode.REPLAY, cassette, [chat()] * 2)
    assert [n(answer) for answer in played] == [1, 2]
    assert {recorded.response.outcome for recorded in recordings(cassette)} == {Outcome.COMPLETE}


class Nobody:
    """A client that left before its answer."""

    outlived = False

    def start(self, status: int, headers: Headers, *, reason: str | None = None, length: int | None = None) -> None:
        del status, headers, reason, length

    async def write(self, pieces: Sequence[bytes], *, last: bool = False, trailers: Headers = ()) -> None:
        del pieces, last, trailers
        raise ClientGoneError("gone")

    async def abort(self) -> None:
        pass


async def test_a_miss_counts_though_the_client_gave_up_before_its_report_was_made(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    async with running(Mode.REPLAY, cassette) as proxy:
        asked = Request("POST", "/v1/chat/completions", body=chat("Something else."))
        waiting = asyncio.create_task(proxy._exchange.answer(asked, parse("/v1/chat/completions"), Nobody()))
        await asyncio.sleep(0)  # it runs until it first waits, and that is for the search for the nearest
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert proxy.ledger.total(Fate.MISSED) == 1


async def test_a_lane_that_bears_a_credential_is_refused(cassette: Path) -> None:
    async with ScriptedUpstream(plain()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        base = proxy.url.removesuffix("/v1")
        key = {"Authorization": "Bearer planted-key-0123456789"}
        answer = await ask(f"{base}/@c:planted-key-0123456789/v1{CHAT}", chat(), headers=key)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "bad_address")
    assert upstream.requests == []


# Faults on purpose


EVENTS = [delta("one"), delta("two"), STOP, DONE]


def fault(text: str, **more: str) -> dict[str, str]:
    return {"X-LLMtape-Fault": text, **more}


async def record_both(cassette: Path) -> None:
    """Record a plain answer and a stream."""
    asked = [chat(), chat(stream=True)]
    await calls(Mode.RECORD, cassette, asked, plain(body=b'{"n":1}'), stream(EVENTS))


async def faulted(
    mode: Mode, cassette: Path, text: str, body: bytes, *scripts: Any, times: int = 1, **settings: Any
) -> list[RawAnswer]:
    """Ask for a fault so often, through one proxy."""
    async with ScriptedUpstream(*scripts) as upstream:
        url = upstream.url if scripts else NOWHERE
        async with running(mode, cassette, url, **settings) as proxy:
            return [await ask(proxy.url + CHAT, body, headers=fault(text)) for _ in range(times)]


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_status_on_purpose_is_answered_in_every_mode_without_upstream_or_take(
    cassette: Path, mode: Mode
) -> None:
    await record_both(cassette)
    before = contents(cassette.parent)
    async with ScriptedUpstream() as upstream, running(mode, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, chat(), headers=fault("status=429"))
        total = proxy.ledger.total(Fate.INJECTED)
    assert (answer.status, n(answer)) == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after-ms"] == "1"
    assert answer.headers["x-llmtape"].startswith("injected ")
    assert answer.headers["x-llmtape-fault"] == "status=429"
    assert (total, proxy.ledger.faults, upstream.connections) == (1, 0, 0)
    assert contents(cassette.parent) == before


async def test_a_status_on_purpose_spends_no_take(cassette: Path) -> None:
    await calls(Mode.RECORD, cassette, [chat()] * 2, numbered())
    async with running(Mode.REPLAY, cassette) as proxy:
        url = proxy.url + CHAT
        answers = [await ask(url, chat(), headers=headers) for headers in (fault("status=500"), {}, fault("cut"), {})]
    assert [answer.status for answer in answers] == [500, 200, 200, 200]
    assert [answer.headers["x-llmtape"].rpartition(":")[2] for answer in answers[1:]] == ["1", "2", "2"]


async def test_a_header_that_an_sdk_sends_again_counts_the_tries_of_one_call(cassette: Path) -> None:
    await record_both(cassette)
    async with running(Mode.REPLAY, cassette) as proxy:
        tried = [
            await ask(proxy.url + CHAT, chat(), headers=fault("status=503; calls=1-2", **retry(count)))
            for count in (0, 1, 2)
        ]
    assert [answer.status for answer in tried] == [503, 503, 200]


async def test_the_asking_makes_no_key_and_reaches_neither_upstream_nor_file(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        await ask(proxy.url + CHAT, chat(), headers=fault("delay=1ms"))
    assert upstream.requests[0].header("x-llmtape-fault") is None
    (played,) = await calls(Mode.REPLAY, cassette, [chat()])
    assert n(played) == 1
    assert "x-llmtape-fault" not in played.headers
    assert not any(b"llmtape-fault" in data for data in contents(cassette.parent))


@pytest.mark.parametrize(
    ("text", "body", "ended"),
    [
        ("cut; after=1", EVENTS[0], False),
        ("cut; after=1; end=clean", EVENTS[0], True),
        ("malformed; at=2", None, True),
        ("error; at=2", None, True),
        ("framing=bytes", b"".join(EVENTS), True),
        ("framing=split; seed=3", b"".join(EVENTS), True),
        ("framing=glue", b"".join(EVENTS), True),
        ("delay=1ms", b"".join(EVENTS), True),
        ("delay=1ms, cut; after=2", b"".join(EVENTS[:2]), False),
    ],
)
@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD, Mode.AUTO])
async def test_a_fault_is_done_to_a_stream_played_or_recorded_just_now_in_the_same_way(
    cassette: Path, mode: Mode, text: str, body: bytes | None, *, ended: bool
) -> None:
    await record_both(cassette)
    asked = chat(stream=True)
    (answer,) = await faulted(mode, cassette, text, asked, stream(EVENTS))
    (played,) = await faulted(Mode.REPLAY, cassette, text, asked)
    assert (answer.status, answer.ended, answer.body) == (200, ended, played.body)
    assert answer.headers["x-llmtape-fault"] == text
    assert answer.headers["x-llmtape"].split()[0] == ("recorded" if mode is Mode.RECORD else "played")
    if body is not None:
        assert answer.body == body
    else:
        assert answer.body.startswith(EVENTS[0])
        assert answer.body != b"".join(EVENTS)


@pytest.mark.parametrize("text", ["cut", "stall", "error", "malformed", "framing=bytes", "status=500"])
@pytest.mark.parametrize("body", [chat(), chat(stream=True)], ids=["plain", "stream"])
async def test_a_fault_changes_no_recording(cassette: Path, body: bytes, text: str) -> None:
    await record_both(cassette)
    before = [one.response.body for one in recordings(cassette)]
    async with running(Mode.REPLAY, cassette) as proxy:
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(proxy.url + CHAT, body, headers=fault(text)))
            await read_head(reader)
        assert (await ask(proxy.url + CHAT, body)).body in before
    assert [one.response.body for one in recordings(cassette)] == before


@pytest.mark.parametrize("text", ["cut", "error", "malformed", "framing=bytes"])
async def test_what_is_recorded_with_a_fault_is_stored_whole(cassette: Path, text: str) -> None:
    (live,) = await faulted(Mode.RECORD, cassette, text, chat(stream=True), stream(EVENTS))
    (recorded,) = recordings(cassette)
    assert (recorded.response.body, recorded.response.outcome) == (b"".join(EVENTS), Outcome.COMPLETE)
    if text != "framing=bytes":
        assert live.body != recorded.response.body
    (played,) = await calls(Mode.REPLAY, cassette, [chat(stream=True)])
    assert played.body == b"".join(EVENTS)


async def test_a_plain_answer_is_cut_within_and_broken_and_replaced(cassette: Path) -> None:
    await record_both(cassette)
    (cut,) = await faulted(Mode.REPLAY, cassette, "cut", chat())
    (broken,) = await faulted(Mode.REPLAY, cassette, "malformed", chat())
    (error,) = await faulted(Mode.REPLAY, cassette, "error", chat())
    assert (cut.ended, broken.ended, error.ended) == (False, True, True)
    assert b'{"n":1}'.startswith(cut.body)
    assert b'{"n":1}'.startswith(broken.body)
    assert len(broken.body) < len(b'{"n":1}')
    assert (error.status, json.loads(error.body)["error"]["type"]) == (500, "server_error")


async def test_bytes_that_come_one_by_one_are_http_chunks_of_one(cassette: Path) -> None:
    await record_both(cassette)
    async with running(Mode.REPLAY, cassette) as proxy:
        answer = await ask(proxy.url + CHAT, chat(), headers=fault("framing=bytes"))
    assert answer.body == b'{"n":1}'
    assert "content-length" not in answer.headers


async def test_an_answer_that_is_late_on_purpose_comes_whole(cassette: Path) -> None:
    await record_both(cassette)
    loop = asyncio.get_running_loop()
    for text in ("delay=50ms", "status=503, delay=50ms"):
        began = loop.time()
        (answer,) = await faulted(Mode.REPLAY, cassette, text, chat())
        assert loop.time() - began >= 0.05
        assert answer.ended


async def test_a_client_that_leaves_a_stalled_answer_leaves_nothing_running(cassette: Path) -> None:
    await record_both(cassette)
    async with running(Mode.REPLAY, cassette) as proxy:
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(proxy.url + CHAT, chat(stream=True), headers=fault("stall; after=1")))
            assert (await read_head(reader))[0] == 200
            assert await read_chunk(reader) == EVENTS[0]
            assert proxy.running == 1
            await leave(writer)
        assert (await ask(proxy.url + CHAT, chat())).status == 200


async def test_a_miss_stays_a_miss_whatever_fault_is_asked_for(cassette: Path) -> None:
    await record_both(cassette)
    (answer,) = await faulted(Mode.REPLAY, cassette, "cut", chat("Something else."))
    assert (answer.status, n(answer)) == (424, "not_recorded")


@pytest.mark.parametrize("text", ["statu=429", "status", "cut; before=1", "", "delay=2 weeks"])
@pytest.mark.parametrize("mode", [Mode.REPLAY, Mode.RECORD])
async def test_a_fault_that_there_is_not_is_refused_before_anything_is_done(
    cassette: Path, text: str, mode: Mode
) -> None:
    await record_both(cassette)
    async with ScriptedUpstream() as upstream, running(mode, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, chat(), headers=fault(text))
    assert (answer.status, n(answer)) == (400, "bad_fault")
    assert upstream.connections == 0
    assert proxy.ledger.faults == 1


@pytest.mark.parametrize("text", ["cut", "stall", "delay=1s", "framing=bytes"])
async def test_in_passthrough_only_a_status_can_be_asked_for(cassette: Path, text: str) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.PASSTHROUGH, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, chat(), headers=fault(text))
    assert (answer.status, n(answer)) == (400, "bad_fault")
    assert "status=N" in json.loads(answer.body)["error"]["message"]
    assert upstream.connections == 0


async def test_an_error_that_is_not_recorded_is_passed_on_without_the_fault(cassette: Path) -> None:
    (answer,) = await faulted(Mode.RECORD, cassette, "cut", chat(), plain(500, body=b'{"n":7}'))
    assert (answer.status, n(answer), answer.ended) == (500, 7, True)
    assert answer.headers["x-llmtape"].startswith("not-recorded ")


async def test_a_lane_that_bears_a_credential_is_in_no_ledger_though_the_fault_is_wrong(
    cassette: Path,
) -> None:
    await calls(Mode.RECORD, cassette, [chat()], numbered())
    async with running(Mode.REPLAY, cassette) as proxy:
        base = proxy.url.removesuffix("/v1")
        headers = {"Authorization": "Bearer planted-key-0123456789", "x-llmtape-fault": "nonsense"}
        answer = await ask(f"{base}/@c:planted-key-0123456789/v1{CHAT}", chat(), headers=headers)
    assert json.loads(answer.body)["error"]["code"] == "bad_address"
    assert proxy.ledger.lanes == {}
