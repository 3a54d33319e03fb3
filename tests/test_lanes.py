"""A test's lane from its start to its end: what is stored of it, what is told of it, and what others see."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core import faults
from proxy.core.address import mounted
from proxy.core.deck import Repeats
from proxy.core.errors import BadAddressError, BadLaneError, CassetteError
from proxy.core.ledger import Fate
from proxy.core.modes import Mode
from proxy.core.rules import Rules
from proxy.demo.script import Close, Hold, Reached, ScriptedUpstream, plain, stream
from proxy.wanted import Wanted
from tests.cassette.making import change, files
from tests.running import (
    CHAT,
    DONE,
    STOP,
    RawAnswer,
    ask,
    chat,
    connected,
    delta,
    n,
    numbered,
    read_chunk,
    read_head,
    recordings,
    request,
    running,
)

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.account import Account
    from proxy.server import Proxy


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "c.sqlite"


async def call(proxy: Proxy, lane: str = "a", text: str = "Say hello.", **headers: str) -> RawAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await ask(mounted(proxy.url, "", lane) + CHAT, chat(text), headers=named)


async def run(proxy: Proxy, texts: list[str], lane: str = "a", *, passed: bool = True, **wanted: Any) -> Account:
    """Do what a runner does with one test, which asks each text."""
    proxy.lanes.start(Wanted(lane=lane, **wanted))
    for text in texts:
        await call(proxy, lane, text)
    return await proxy.lanes.end("", lane, passed=passed)


async def record(cassette: Path, texts: list[str], lane: str = "a", start: int = 1) -> None:
    """Record a lane from numbered answers, whole."""
    async with ScriptedUpstream(numbered(start)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        assert (await run(proxy, texts, lane)).problems() == ()


def contents(cassette: Path) -> bytes:
    """Read the file as it is."""
    return cassette.read_bytes()


def held(cassette: Path) -> list[tuple[str, int, int]]:
    """Tell of each recording its lane, its take's number, and what was answered."""
    return [(one.track.lane, one.number, json.loads(one.response.body)["n"]) for one in recordings(cassette)]


# Recording


async def test_what_a_passed_test_recorded_is_stored_at_its_end_and_not_before(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        assert [n(await call(proxy)) for _ in range(2)] == [1, 2]
        assert recordings(cassette) == []
        account = await proxy.lanes.end("", "a", passed=True)
        assert held(cassette) == [("a", 1, 1), ("a", 2, 2)]
    assert account.counts["recorded"] == 2
    assert account.problems() == ()


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
async def test_a_test_that_did_not_pass_stores_nothing(cassette: Path, mode: Mode) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(mode, cassette, upstream.url) as proxy:
        account = await run(proxy, ["One.", "Two."], passed=False)
    assert files(cassette) == []
    assert (account.counts["recorded"], account.counts["not-recorded"]) == (0, 2)
    assert {one.note for one in account.calls} == {"its test did not pass"}
    assert proxy.ledger.faults == 0  # the runner knows already that the test failed


async def test_a_test_that_did_not_pass_leaves_the_older_recordings_as_they_were(cassette: Path) -> None:
    await record(cassette, ["Old."])
    before = contents(cassette)
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        await run(proxy, ["Old.", "New."], passed=False)
    assert contents(cassette) == before


async def test_record_mode_replaces_the_older_recordings_of_a_lane_whole(cassette: Path) -> None:
    """Also those which the test asks for no longer; other lanes keep theirs."""
    await record(cassette, ["Old.", "Same.", "Same."])
    await record(cassette, ["Old."], lane="b", start=5)
    await record(cassette, ["Same.", "New."], start=11)
    assert sorted(held(cassette)) == [("a", 1, 11), ("a", 1, 12), ("b", 1, 5)]


async def test_auto_mode_adds_what_a_lane_lacks(cassette: Path) -> None:
    await record(cassette, ["Old."])
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        account = await run(proxy, ["Old.", "New."])
    assert (account.counts["played"], account.counts["recorded"]) == (1, 1)
    assert held(cassette) == [("a", 1, 1), ("a", 1, 11)]


async def test_a_lane_in_auto_mode_does_not_play_what_another_test_recorded(cassette: Path) -> None:
    """Else which test records would depend on which of them comes first."""
    await record(cassette, ["Same."], lane="b")
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        assert (await run(proxy, ["Same."])).counts["recorded"] == 1
        assert n(await call(proxy, "c", "Same.")) == 1  # one that nobody started plays those of all
    assert sorted(held(cassette)) == [("a", 1, 11), ("b", 1, 1)]


async def test_a_lane_recorded_anew_by_a_proxy_in_auto_mode_is_numbered_from_the_first_again(cassette: Path) -> None:
    await record(cassette, ["Same."] * 2)
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        for _ in range(2):
            assert (await run(proxy, ["Same."] * 2, mode=Mode.RECORD)).problems() == ()
    assert held(cassette) == [("a", 1, 13), ("a", 2, 14)]


async def test_a_lane_started_again_after_an_attempt_that_never_ended_drops_what_that_one_held(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy, text="Only the first attempt asks this.")
        await call(proxy)
        account = await run(proxy, ["Say hello."])
    assert [one.fate for one in account.calls] == [Fate.RECORDED]
    assert held(cassette) == [("a", 1, 3)]
    assert (proxy.ledger.total(Fate.RECORDED), proxy.ledger.total(Fate.NOT_RECORDED)) == (1, 2)
    assert proxy.ledger.faults == 0


async def test_an_answer_to_an_attempt_that_never_ended_comes_too_late_for_the_next(cassette: Path) -> None:
    gate = asyncio.Event()
    begun = stream([delta("begun"), Hold(gate), STOP, DONE])
    async with ScriptedUpstream(begun, numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(mounted(proxy.url, "", "a") + CHAT, chat(stream=True)))
            await read_head(reader)
            account = await run(proxy, ["Say hello."])
            gate.set()
            await reader.readuntil(DONE)
    assert len(account.calls) == 1
    assert held(cassette) == [("a", 1, 1)]
    assert proxy.ledger.total(Fate.RECORDED) == 1


async def test_what_a_lane_held_whose_end_nobody_told_is_lost_and_counts_as_that(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy)
    assert files(cassette) == []
    assert (proxy.ledger.total(Fate.RECORDED), proxy.ledger.faults) == (0, 1)
    assert proxy.receipt.counts["not-recorded"] == 1


async def test_a_failure_that_the_application_swallowed_stores_nothing(cassette: Path) -> None:
    """The runner is to fail such a test, whatever the test itself says."""
    async with ScriptedUpstream(plain(), [Close()]) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        account = await run(proxy, ["One.", "Two."])
    assert len(account.problems()) == 1
    assert account.counts["not-recorded"] == 2
    assert files(cassette) == []


async def test_what_cannot_be_stored_is_trouble_and_nothing_counts_as_recorded(cassette: Path) -> None:
    await record(cassette, ["Old."])
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy)
        change(cassette, "update cassette set value = '{\"sort_tools\":true}' where name = 'rules'")
        account = await proxy.lanes.end("", "a", passed=True)
    assert "llmtape rekey" in account.trouble
    assert set(account.problems()) == {account.trouble}
    assert account.counts["recorded"] == 0
    assert proxy.ledger.faults == 1


async def test_a_recorded_stream_is_held_once_though_it_is_stored_in_parts(cassette: Path) -> None:
    """What comes after `[DONE]` makes a later form of the same take."""
    late = b": late\n\n"
    async with (
        ScriptedUpstream(stream([STOP, DONE, late])) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        proxy.lanes.start(Wanted(lane="a"))
        await ask(mounted(proxy.url, "", "a") + CHAT, chat(stream=True))
        await proxy.lanes.end("", "a", passed=True)
    assert [one.response.body for one in recordings(cassette)] == [STOP + DONE + late]


# The end


async def test_the_end_waits_for_an_answer_on_its_way(cassette: Path) -> None:
    reached, gate = asyncio.Event(), asyncio.Event()
    script = (Reached(reached), Hold(gate), *plain(body=b'{"n":1}'))
    async with ScriptedUpstream(script) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        asked = asyncio.create_task(call(proxy))
        await reached.wait()
        ending = asyncio.create_task(proxy.lanes.end("", "a", passed=True))
        gate.set()
        account = await ending
        assert n(await asked) == 1
    assert account.counts["recorded"] == 1
    assert held(cassette) == [("a", 1, 1)]


async def test_an_answer_that_does_not_end_is_waited_for_so_long_and_fails_the_test(cassette: Path) -> None:
    gate = asyncio.Event()
    begun = stream([delta("begun"), Hold(gate), STOP, DONE])
    async with (
        ScriptedUpstream(numbered(), begun) as upstream,
        running(Mode.RECORD, cassette, upstream.url, server={"drain_s": 0.01}) as proxy,
    ):
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy, text="Once.")
        async with connected(proxy.url) as (reader, writer):
            writer.write(request(mounted(proxy.url, "", "a") + CHAT, chat(stream=True)))
            await read_head(reader)
            account = await proxy.lanes.end("", "a", passed=True)
            gate.set()
            await reader.readuntil(DONE)
    (problem,) = account.problems()
    assert "had not ended" in problem
    assert (account.counts["recorded"], account.counts["not-recorded"]) == (0, 2)
    assert proxy.ledger.faults == 1
    assert files(cassette) == []


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
async def test_a_call_after_the_end_of_its_lane_is_refused_and_not_recorded(cassette: Path, mode: Mode) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(mode, cassette, upstream.url) as proxy:
        await run(proxy, ["Say hello."])
        late = await call(proxy)
        other = await call(proxy, "b", "Something else.")
        assert len(upstream.requests) == 2
    assert (late.status, n(late)) == (400, "bad_lane")
    assert other.status == 200
    assert proxy.ledger.faults == 1


async def test_in_replay_a_call_after_the_end_of_its_lane_is_as_any_other(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        await run(proxy, ["Say hello."])
        assert n(await call(proxy)) == 1


async def test_a_lane_may_be_started_anew_after_its_end(cassette: Path) -> None:
    """As a runner does that tries a test once more."""
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        await run(proxy, ["Say hello."], passed=False)
        account = await run(proxy, ["Say hello."])
    assert account.counts["recorded"] == 1
    assert held(cassette) == [("a", 1, 2)]


async def test_a_lane_that_was_not_started_cannot_end_and_those_that_were_are_named(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        with pytest.raises(BadLaneError, match="none"):
            await proxy.lanes.end("", "a", passed=True)
        proxy.lanes.start(Wanted(lane="one"))
        with pytest.raises(BadLaneError, match="'one'"):
            await proxy.lanes.end("", "a", passed=True)
        await proxy.lanes.end("", "one", passed=True)
        with pytest.raises(BadLaneError):
            await proxy.lanes.end("", "one", passed=True)


# Replay


async def test_a_lane_begins_at_its_first_takes_whenever_it_is_started(cassette: Path) -> None:
    await record(cassette, ["Say hello."] * 2)
    async with running(Mode.REPLAY, cassette) as proxy:
        for _ in range(2):
            proxy.lanes.start(Wanted(lane="a"))
            assert [n(await call(proxy)) for _ in range(2)] == [1, 2]
            account = await proxy.lanes.end("", "a", passed=True)
            assert account.problems(strict=True) == ()


async def test_the_account_names_misses_what_was_not_played_and_what_was_played_again(cassette: Path) -> None:
    await record(cassette, ["One.", "One.", "Two."])
    async with running(Mode.REPLAY, cassette) as proxy:
        account = await run(proxy, ["One.", "One.", "One.", "Something else."])
    assert [one.fate for one in account.calls] == [*[Fate.PLAYED] * 3, Fate.MISSED]
    assert str(cassette) in account.misses[0]
    assert account.problems() == account.misses
    assert len(account.unplayed) == len(account.exhausted) == 1
    assert len(account.problems(strict=True)) == 3


async def test_a_test_that_made_no_call_has_all_its_takes_left(cassette: Path) -> None:
    await record(cassette, ["One.", "Two."])
    await record(cassette, ["Other."], lane="b")
    async with running(Mode.REPLAY, cassette) as proxy:
        assert len((await run(proxy, [])).unplayed) == 2


async def test_what_was_played_before_its_start_is_forgotten(cassette: Path) -> None:
    await record(cassette, ["One."])
    async with running(Mode.REPLAY, cassette) as proxy:
        await call(proxy, text="One.")
        assert len((await run(proxy, [])).unplayed) == 1


async def test_calls_are_kept_with_what_was_asked_and_answered_and_without_credentials(cassette: Path) -> None:
    await record(cassette, ["One."])
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy, text="One.", Authorization="Bearer planted-key-0123456789")
        account = await proxy.lanes.end("", "a", passed=True)
    (told,) = account.as_dict()["calls"]
    assert told["request"]["messages"][0]["content"] == "One."
    assert told["response"] == {"n": 1}
    assert "planted" not in repr(account.calls[0].request)


async def test_each_lane_has_its_own_account_and_calls_of_none_are_in_no_account(cassette: Path) -> None:
    await record(cassette, ["One."])
    await record(cassette, ["One."], lane="b", start=2)
    async with running(Mode.REPLAY, cassette) as proxy:
        for lane in ("a", "b"):
            proxy.lanes.start(Wanted(lane=lane))
        assert [n(await call(proxy, lane, "One.")) for lane in ("b", "a", "", "b")] == [2, 1, 1, 2]
        accounts = [await proxy.lanes.end("", lane, passed=True) for lane in ("a", "b")]
    assert [len(account.calls) for account in accounts] == [1, 2]


async def test_parallel_identical_calls_of_a_lane_get_its_takes_in_the_order_of_their_arrival(cassette: Path) -> None:
    first, gate = asyncio.Event(), asyncio.Event()
    scripts = [(Reached(first), Hold(gate), *plain(body=b'{"n":1}')), plain(body=b'{"n":2}')]
    async with ScriptedUpstream(*scripts) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        slow = asyncio.create_task(call(proxy))
        await first.wait()
        assert n(await call(proxy)) == 2
        gate.set()
        assert n(await slow) == 1
        await proxy.lanes.end("", "a", passed=True)
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        played = await asyncio.gather(*(call(proxy) for _ in range(2)))
        account = await proxy.lanes.end("", "a", passed=True)
    assert sorted(map(n, played), key=str) == [1, 2]
    assert [one.take.rpartition(":")[2] for one in account.calls] == ["1", "2"]
    assert account.problems(strict=True) == ()


async def test_a_recorded_429_and_its_retry_play_as_that_and_at_once(cassette: Path) -> None:
    limited = plain(429, {"retry-after": "20"}, body=b'{"n":0}')
    async with (
        ScriptedUpstream(limited, numbered()) as upstream,
        running(Mode.RECORD, cassette, upstream.url, record={"errors": "all"}) as proxy,
    ):
        await run(proxy, ["Say hello."] * 2)
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        first, second = await call(proxy), await call(proxy, x_stainless_retry_count="1")
        account = await proxy.lanes.end("", "a", passed=True)
    assert [(first.status, n(first)), (second.status, n(second))] == [(429, 0), (200, 1)]
    assert "retry-after" not in first.headers
    assert first.headers["retry-after-ms"] == "1"
    assert account.problems(strict=True) == ()


# What a lane may have otherwise


@pytest.mark.parametrize(
    ("repeats", "expected"),
    [
        (None, [1, 2, 2, 2]),
        (Repeats.LAST, [1, 2, 2, 2]),
        (Repeats.CYCLE, [1, 2, 1, 2]),
        (Repeats.ERROR, [1, 2, "takes_exhausted", "takes_exhausted"]),
    ],
)
async def test_a_lane_repeats_as_it_wants_to(cassette: Path, repeats: Repeats | None, expected: list[Any]) -> None:
    await record(cassette, ["Say hello."] * 2)
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a", repeats=repeats))
        assert [n(await call(proxy)) for _ in range(4)] == expected
        assert [n(await call(proxy, "")) for _ in range(3)] == [1, 2, 2]  # all others as the config says


async def test_a_lane_plays_at_a_pace_of_its_own(cassette: Path) -> None:
    streamed = chat(stream=True)
    async with (
        ScriptedUpstream(stream([delta("one"), STOP, DONE])) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        await ask(proxy.url + CHAT, streamed)
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = proxy.lanes.start(Wanted(lane="a", pace="1000x"))
        assert lane.policy.pace != proxy.lanes.start(Wanted(lane="b")).policy.pace
        played = [await ask(mounted(proxy.url, "", name) + CHAT, streamed) for name in "ab"]
    assert played[0].body == played[1].body == delta("one") + STOP + DONE


async def test_rules_of_a_lane_make_its_keys(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    named, rules = cassette.with_name("dated.sqlite"), Rules(scrub=("date",))
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(cassette="dated", lane="a", rules=rules))
        await ask(mounted(proxy.url, "dated", "a") + CHAT, chat("Today is 2026-11-21."))
        await proxy.lanes.end("dated", "a", passed=True)
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(cassette="dated", lane="a", rules=rules))
        answer = await ask(mounted(proxy.url, "dated", "a") + CHAT, chat("Today is 2026-11-22."))
        account = await proxy.lanes.end("dated", "a", passed=True)
    assert n(answer) == 1
    assert (account.cassette, account.problems(strict=True)) == (str(named), ())


async def test_a_lane_may_replay_while_others_record(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    before = contents(cassette)
    async with ScriptedUpstream() as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        account = await run(proxy, ["Say hello.", "Something else."], mode=Mode.REPLAY)
    assert (account.counts["played"], account.counts["missed"]) == (1, 1)
    assert upstream.connections == 0
    assert contents(cassette) == before


async def test_a_lane_in_passthrough_stores_nothing_and_makes_no_file(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        account = await run(proxy, ["Say hello."], mode=Mode.PASSTHROUGH)
    assert account.counts["forwarded"] == 1
    assert files(cassette) == []


async def test_faults_of_a_lane_are_for_its_calls_by_their_number(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a", faults=faults.parse("status=503; calls=2")))
        assert [(await call(proxy)).status for _ in range(3)] == [200, 503, 200]
        assert (await call(proxy, "")).status == 200
        account = await proxy.lanes.end("", "a", passed=True)
    assert account.injected == ("status=503; calls=2",)
    assert account.counts["injected"] == 1
    assert account.problems() == ()


async def test_faults_that_come_later_count_the_calls_anew(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        lane = proxy.lanes.start(Wanted(lane="a"))
        await call(proxy)
        lane.inject(faults.parse("status=500; calls=1"))
        assert [(await call(proxy)).status for _ in range(2)] == [500, 200]


async def test_a_stalled_answer_is_let_go_by_the_end_of_its_lane(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy, connected(proxy.url) as (reader, writer):
        proxy.lanes.start(Wanted(lane="a", faults=faults.parse("stall")))
        writer.write(request(mounted(proxy.url, "", "a") + CHAT, chat()))
        status, headers = await read_head(reader)
        account = await proxy.lanes.end("", "a", passed=True)
        assert await breaks_off(reader)
    assert (status, headers["x-llmtape-fault"]) == (200, "stall")
    assert account.counts["played"] == 1


async def test_a_stalled_answer_is_let_go_where_its_lane_is_started_anew(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy, connected(proxy.url) as (reader, writer):
        proxy.lanes.start(Wanted(lane="a", faults=faults.parse("stall")))
        writer.write(request(mounted(proxy.url, "", "a") + CHAT, chat()))
        await read_head(reader)
        proxy.lanes.start(Wanted(lane="a"))
        assert await breaks_off(reader)
        assert n(await call(proxy)) == 1


async def test_a_stalled_answer_is_let_go_where_the_proxy_ends(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        url = mounted(proxy.url, "", "a") + CHAT
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(request(url, chat(), headers={"x-llmtape-fault": "stall"}))
        await read_head(reader)
    assert await breaks_off(reader)
    writer.close()


async def breaks_off(reader: asyncio.StreamReader) -> bool:
    """Read on, and tell whether the connection ended before the answer did."""
    try:
        await read_chunk(reader)
    except (asyncio.IncompleteReadError, ConnectionError):
        return True
    return False


# The current lane


async def test_calls_that_name_no_place_go_to_the_current_lane_until_its_end(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    await record(cassette, ["Say hello."], lane="b", start=2)
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="b", is_current=True))
        proxy.lanes.start(Wanted(lane="a"))
        assert [n(await call(proxy, lane)) for lane in ("", "a", "b")] == [2, 1, 2]
        assert len((await proxy.lanes.end("", "b", passed=True)).calls) == 2
        assert n(await call(proxy, "")) == 1


async def test_the_current_lane_ends_however_its_cassette_is_named(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a", is_current=True))
        await proxy.lanes.end("c", "a", passed=True)
        assert (await call(proxy, "")).status == 200


# What may not be


@pytest.mark.parametrize("wanted", [Wanted(cassette="../x"), Wanted(lane="a\n"), Wanted(lane="x" * 1001)])
async def test_what_is_no_cassette_or_lane_is_refused(cassette: Path, wanted: Wanted) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        with pytest.raises(BadAddressError):
            proxy.lanes.start(wanted)


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO, Mode.PASSTHROUGH])
async def test_a_replay_starts_no_lane_that_wants_an_upstream(cassette: Path, mode: Mode) -> None:
    await record(cassette, ["Say hello."])
    async with ScriptedUpstream() as upstream, running(Mode.REPLAY, cassette, upstream.url) as proxy:
        with pytest.raises(BadLaneError, match=f"llmtape {mode}"):
            proxy.lanes.start(Wanted(lane="a", mode=mode))
        with pytest.raises(BadLaneError):
            proxy.lanes.change(mode)
        assert proxy.lanes.mode is Mode.REPLAY
        assert (await call(proxy, text="Something else.")).status == 424
    assert upstream.connections == 0


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
async def test_a_passthrough_starts_no_lane_that_records(cassette: Path, mode: Mode) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.PASSTHROUGH, cassette, upstream.url) as proxy:
        with pytest.raises(BadLaneError, match="no way to record"):
            proxy.lanes.start(Wanted(lane="a", mode=mode))


async def test_who_runs_the_proxy_in_its_own_process_may_allow_an_upstream(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.REPLAY, cassette, upstream.url) as proxy:
        await proxy.allow(Mode.RECORD)
        assert (await call(proxy, text="Something else.")).status == 424  # still no other lane
        assert (await run(proxy, ["Say hello."], mode=Mode.RECORD)).problems() == ()
    assert held(cassette) == [("a", 1, 11)]


async def test_a_missing_cassette_is_a_miss_of_each_call_and_a_broken_one_no_start(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    cassette.with_name("bad.sqlite").write_text("no cassette")
    async with running(Mode.REPLAY, cassette) as proxy:
        with pytest.raises(CassetteError):
            proxy.lanes.start(Wanted(cassette="bad", lane="a"))
        proxy.lanes.start(Wanted(cassette="absent", lane="a"))
        answer = await ask(mounted(proxy.url, "absent", "a") + CHAT, chat())
        account = await proxy.lanes.end("absent", "a", passed=True)
    assert n(answer) == "cassette_not_found"
    assert len(account.misses) == 1


# Another mode


async def test_free_lanes_go_on_in_another_mode(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        answers = [await call(proxy)]
        for mode in (Mode.REPLAY, Mode.PASSTHROUGH, Mode.AUTO):
            proxy.lanes.change(mode)
            assert proxy.lanes.mode is mode
            answers.append(await call(proxy))
    fates = [answer.headers["x-llmtape"].split()[0] for answer in answers]
    assert fates == ["recorded", "played", "forwarded", "played"]


async def test_what_is_recorded_in_auto_mode_replaces_nothing_though_the_proxy_began_in_record_mode(
    cassette: Path,
) -> None:
    await record(cassette, ["Say hello."] * 2)
    async with (
        ScriptedUpstream(numbered(11)) as upstream,
        running(Mode.RECORD, cassette, upstream.url, replay={"repeats": "error"}) as proxy,
    ):
        proxy.lanes.change(Mode.AUTO)
        assert [n(await call(proxy)) for _ in range(3)] == [1, 2, 11]
    assert held(cassette) == [("a", 1, 1), ("a", 2, 2), ("a", 3, 11)]


async def test_what_is_recorded_in_record_mode_replaces_though_the_proxy_began_in_auto_mode(cassette: Path) -> None:
    await record(cassette, ["Say hello."] * 2)
    async with ScriptedUpstream(numbered(11)) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        assert n(await call(proxy)) == 1
        proxy.lanes.change(Mode.RECORD)
        assert [n(await call(proxy)) for _ in range(2)] == [11, 12]
    assert held(cassette) == [("a", 1, 11), ("a", 2, 12)]


async def test_a_lane_keeps_the_mode_it_was_started_in(cassette: Path) -> None:
    async with ScriptedUpstream(numbered()) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        proxy.lanes.change(Mode.REPLAY)
        assert (await call(proxy)).headers["x-llmtape"].startswith("recorded")


# Sheets


async def test_sheets_tell_of_lanes_that_run_and_that_ended(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        await run(proxy, ["Say hello."], passed=False)
        proxy.lanes.start(Wanted(lane="b"))
        await call(proxy, "b", "Something else.")
        sheets = proxy.lanes.sheets()
    assert {lane: sheet.passed for (_, lane), sheet in sheets.items()} == {"a": False, "b": None}
    assert [len(sheet.misses) for sheet in sheets.values()] == [0, 1]


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.AUTO])
async def test_the_retry_of_a_call_that_was_spoilt_on_purpose_is_no_take_of_its_own(cassette: Path, mode: Mode) -> None:
    wanted = Wanted(lane="a", faults=faults.parse("cut; calls=1"))

    async def asked(proxy: Proxy) -> tuple[list[int | str], tuple[str, ...]]:
        proxy.lanes.start(wanted)
        spoilt = await call(proxy)
        assert not spoilt.ended
        answers = [await call(proxy, x_stainless_retry_count="1"), await call(proxy)]
        account = await proxy.lanes.end("", "a", passed=True, strict=True)
        assert account.problems(strict=True) == ()
        return [n(answer) for answer in answers], tuple(call.take[-2:] for call in account.calls)

    async with ScriptedUpstream(numbered()) as upstream, running(mode, cassette, upstream.url) as proxy:
        recorded = await asked(proxy)
        assert len(upstream.requests) == 2
    async with running(Mode.REPLAY, cassette) as proxy:
        assert await asked(proxy) == recorded == ([1, 2], (":1", ":1", ":2"))


async def test_a_fault_that_there_is_not_fails_the_test_that_asks_for_it(cassette: Path) -> None:
    await record(cassette, ["Say hello."])
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        answer = await call(proxy, x_llmtape_fault="statu=429")
        account = await proxy.lanes.end("", "a", passed=True)
    assert (answer.status, answer.headers["x-llmtape"]) == (400, "not-recorded")
    assert "statu" in account.problems()[0]
    assert proxy.ledger.faults == 1


async def test_a_test_that_asks_for_nothing_any_more_is_recorded_as_that(cassette: Path) -> None:
    await record(cassette, ["one"], "a")
    await record(cassette, ["one"], "b")
    async with running(Mode.AUTO, cassette) as proxy:
        await run(proxy, [], "a")
    assert {lane for lane, *_ in held(cassette)} == {"a", "b"}
    async with running(Mode.RECORD, cassette) as proxy:
        await run(proxy, [], "a", passed=False)
        await run(proxy, [], "c")
        assert {lane for lane, *_ in held(cassette)} == {"a", "b"}
        await run(proxy, [], "a")
    assert {lane for lane, *_ in held(cassette)} == {"b"}
    assert files(cassette) == [cassette.name]


async def test_a_delay_on_purpose_lasts_no_longer_than_its_test(cassette: Path) -> None:
    reached = asyncio.Event()
    patient: dict[str, Any] = {"drain_s": 1000.0}  # a delay that is waited for comes to the guard against hangs
    async with (
        ScriptedUpstream((Reached(reached), *plain(body=b'{"n":1}'))) as upstream,
        running(Mode.RECORD, cassette, upstream.url, server=patient) as proxy,
    ):
        proxy.lanes.start(Wanted(lane="a", faults=faults.parse("delay=1000s")))
        asked = asyncio.create_task(call(proxy))
        await reached.wait()
        account = await proxy.lanes.end("", "a", passed=True)
        assert n(await asked) == 1
    assert account.problems() == ()
    assert held(cassette) == [("a", 1, 1)]
