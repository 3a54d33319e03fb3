"""The proxy within a process: `use_cassette` in any framework, or in none."""

from __future__ import annotations

import json
import os
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from openai import APIError, AsyncOpenAI, OpenAI

from proxy.cassette.facts import lanes_in
from proxy.config import load
from proxy.core.errors import ConfigError, FaultError, LlmtapeError, ServerError
from proxy.core.ledger import Fate
from proxy.core.modes import Mode
from proxy.testing import Background, MissedError, use_cassette
from proxy.wanted import Wanted
from tests import suites
from tests.running import NOWHERE, recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.demo.script import ScriptedUpstream

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "one"}]}

asking = ModuleType("asking")
exec(compile(suites.ASKING, asking.__name__, "exec"), vars(asking))
answer: Callable[..., tuple[int, bytes]] = asking.answer
ask: Callable[..., str] = asking.ask


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    suites.forget_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with suites.upstream() as running:
        yield running


@pytest.fixture
def record(upstream: ScriptedUpstream) -> dict[str, Any]:
    """What makes a use of a cassette record it."""
    return {"mode": "record", "upstream": upstream.url}


def answers(*texts: str) -> list[int]:
    """Ask for each, and swallow what goes wrong."""
    return [answer(text)[0] for text in texts]


def fail_after(*texts: str) -> None:
    answers(*texts)
    raise ValueError("my own")


def kept() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def test_a_block_is_recorded_and_then_played_without_an_upstream(
    record: dict[str, Any], upstream: ScriptedUpstream, folder: Path
) -> None:
    with use_cassette("agent", lane="first steps", **record) as taped:
        said = [ask("one"), ask("one")]
    assert [call.fate for call in taped.calls] == [Fate.RECORDED, Fate.RECORDED]
    assert lanes_in(folder / "cassettes/agent.sqlite") == ["first steps"]

    with use_cassette("agent", lane="first steps", upstream=upstream.url) as taped:
        assert [ask("one"), ask("one")] == said
        assert (taped.lane, taped.mode, taped.misses) == ("first steps", Mode.REPLAY, ())
        assert taped.cassette == Path("cassettes/agent.sqlite")
        assert taped.calls[0].request.json()["messages"][0]["content"] == "one"
        assert taped.calls[0].response is not None
        assert "'first steps'" in repr(taped)
    assert [call.fate for call in taped.calls] == [Fate.PLAYED, Fate.PLAYED]
    assert len(upstream.requests) == 2


def test_the_sdk_is_answered_in_any_thread(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the upstream")

    def said(_: int) -> str:
        with OpenAI() as sdk:
            return str(sdk.chat.completions.create(**ASKED).choices[0].message.content)

    with ThreadPoolExecutor(2) as pool:
        with use_cassette("agent", **record):
            recorded = list(pool.map(said, range(2)))
        monkeypatch.delenv("OPENAI_API_KEY")
        with use_cassette("agent", strict=True):
            assert sorted(pool.map(said, range(2))) == sorted(recorded) == ["one #1", "one #2"]


async def test_the_sdk_is_answered_in_an_event_loop(record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the upstream")
    with use_cassette("agent", **record):
        async with AsyncOpenAI() as sdk:
            first = await sdk.chat.completions.create(**ASKED)
    with use_cassette("agent", strict=True):
        async with AsyncOpenAI() as sdk:
            assert await sdk.chat.completions.create(**ASKED) == first


def test_a_recorded_refusal_is_retried_by_the_sdk_as_it_was(record: dict[str, Any], folder: Path) -> None:
    (folder / "llmtape.toml").write_text('record.errors = "all"\n', encoding="utf-8")
    with use_cassette("agent", **record):
        assert [answer("trouble")[0], answer("trouble")[0]] == [429, 200]
    with use_cassette("agent", strict=True) as taped, OpenAI(max_retries=1) as sdk:
        messages: Any = [{"role": "user", "content": "trouble"}]
        found = sdk.chat.completions.create(model="m", messages=messages)
        assert found.choices[0].message.content == "trouble #2"
    assert [call.status for call in taped.calls] == [429, 200]


def test_a_decorated_function_has_a_lane_of_its_name(record: dict[str, Any], folder: Path) -> None:
    def asks(text: str) -> str:
        """Ask for it."""
        said: str = ask(text)
        return said

    decorated = use_cassette("agent", **record)(asks)
    assert decorated.__doc__ == "Ask for it."
    said = decorated("one")
    (lane,) = lanes_in(folder / "cassettes/agent.sqlite")
    assert lane.endswith("test_a_decorated_function_has_a_lane_of_its_name.<locals>.asks")
    replayed = use_cassette("agent", strict=True)(asks)
    assert replayed("one") == replayed("one") == said
    with pytest.raises(MissedError):
        use_cassette("agent")(lambda: answer("two"))()


async def test_a_decorated_coroutine_function_is_awaited_within(record: dict[str, Any]) -> None:
    async def asks() -> Any:
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        async with ClientSession() as session, session.post(url, json=ASKED) as response:
            return await response.json()

    said = await use_cassette("agent", lane="one", **record)(asks)()
    assert "choices" in said
    assert await use_cassette("agent", lane="one")(asks)() == said
    assert "OPENAI_BASE_URL" not in os.environ


def test_unittest_cases_may_use_it_and_a_miss_is_a_failure(record: dict[str, Any]) -> None:
    with use_cassette("agent", lane="case", **record):
        said = ask("one")

    class Cases(unittest.TestCase):
        @use_cassette("agent", lane="case")
        def test_decorated(self) -> None:
            self.assertEqual(ask("one"), said)  # noqa: PT009  this is unittest

        def test_with_a_context(self) -> None:
            taped = self.enterContext(use_cassette("agent", lane="case", strict=True))
            ask("one")
            self.assertEqual(len(taped.calls), 1)  # noqa: PT009  as above

        @use_cassette("agent", lane="case")
        def test_that_misses(self) -> None:
            answer("two")

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Cases).run(result)
    assert (result.testsRun, result.errors) == (3, [])
    (failed,) = result.failures
    assert failed[0].id().endswith("test_that_misses")
    assert "(not_recorded)" in failed[1]


# What goes wrong


def test_a_miss_that_was_swallowed_is_raised_at_the_end(record: dict[str, Any]) -> None:
    with use_cassette("agent", **record):
        ask("one")
    with pytest.raises(MissedError, match=r"(?s)\(not_recorded\).*\(not_recorded\)") as raised, use_cassette("agent"):
        assert answers("two", "three") == [424, 424]
    assert isinstance(raised.value, AssertionError)
    assert isinstance(raised.value, LlmtapeError)
    assert 'use_cassette(..., mode="record")' in str(raised.value)


def test_a_block_that_fails_keeps_its_error_with_the_reports_as_notes() -> None:
    with pytest.raises(ValueError, match="my own") as raised, use_cassette("agent"):
        fail_after("one")
    assert str(raised.value) == "my own"
    (note,) = raised.value.__notes__
    assert "(cassette_not_found)" in note


def test_a_block_that_fails_records_nothing_and_what_there_was_remains(record: dict[str, Any], folder: Path) -> None:
    with use_cassette("agent", **record):
        ask("one")
    before = recordings(folder / "cassettes/agent.sqlite")
    with pytest.raises(ValueError, match="my own"), use_cassette("agent", **record) as taped:
        fail_after("one", "two")
    assert [call.fate for call in taped.calls] == [Fate.NOT_RECORDED, Fate.NOT_RECORDED]
    assert recordings(folder / "cassettes/agent.sqlite") == before


def test_an_upstream_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(MissedError, match=r"127\.0\.0\.1"),
        use_cassette("agent", mode="record", upstream=NOWHERE),
    ):
        assert answer("one")[0] >= 400


def test_strict_wants_all_takes_played_and_none_again(record: dict[str, Any]) -> None:
    with use_cassette("agent", **record):
        ask("one")
        ask("two")
    with use_cassette("agent"):
        ask("one")
        ask("one")
    with pytest.raises(MissedError, match="were not played"), use_cassette("agent", strict=True):
        ask("one")
    with pytest.raises(MissedError, match="played once more"), use_cassette("agent", strict=True):
        answers("one", "two", "two")


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        ({"mode": "rewind"}, ConfigError, "rewind"),
        ({"pase": "instant"}, ConfigError, "there is no setting pase. Is pace meant?"),
        ({"pace": "slow"}, ConfigError, "slow"),
        ({"faults": "fire"}, FaultError, "there is no fault 'fire'"),
        ({"rules": {"scrub": ["uuids"]}}, ConfigError, "uuids"),
        ({"cassette": "../out"}, LlmtapeError, "out"),
        ({"lane": "\n"}, LlmtapeError, "lane"),
        ({"config": Path("absent.toml")}, ConfigError, "absent.toml"),
        ({"mode": "record", "upstream": "nowhere"}, ConfigError, "nowhere"),
    ],
)
def test_words_that_cannot_be_are_refused_before_the_block(
    words: dict[str, Any], error: type[Exception], said: str
) -> None:
    before = kept()
    running = threading.active_count()
    with pytest.raises(error, match=said), use_cassette(**words):
        raise AssertionError("never here")
    assert kept() == before
    assert threading.active_count() == running


# What is there for the asking


def test_a_cassette_is_named_or_a_path_or_the_default_one(record: dict[str, Any], folder: Path) -> None:
    for cassette in ("deep/agent", folder / "mine.sqlite", str(folder / "own.sqlite"), ""):
        with use_cassette(cassette, **record) as taped:
            ask("one")
        assert taped.cassette.is_file()
        with use_cassette(cassette, strict=True) as taped:
            assert ask("one", taped.base_url)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.sqlite")}
    assert names == {"cassettes/deep/agent.sqlite", "mine.sqlite", "own.sqlite", "cassettes/default.sqlite"}


def test_a_config_is_read_and_rules_count_beside_its_own(record: dict[str, Any], folder: Path) -> None:
    config = folder / "mine.toml"
    config.write_text('cassette_dir = "tapes"\n[rules]\nscrub = ["uuid"]\n', encoding="utf-8")
    words: dict[str, Any] = {"config": config, "rules": {"ignore_max_tokens": True}}
    with use_cassette("agent", **words, **record):
        ask("c9b1b3a0-7a3e-4f6e-9d6a-1f8a4d0a9c11", max_tokens=1)
    assert (folder / "tapes/agent.sqlite").is_file()
    with use_cassette("agent", **words, strict=True):
        ask("0d9d3c38-8d1a-4b29-a5d3-f4c8a1d0b2e7", max_tokens=2)


def test_the_environment_is_as_it_was_also_where_the_block_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://mine.example/v1")
    before = kept()
    with use_cassette("agent") as taped:
        assert os.environ["OPENAI_BASE_URL"] == os.environ["OPENAI_API_BASE"] == taped.base_url
        assert os.environ["LLMTAPE_URL"] == taped.url
        assert os.environ["OPENAI_API_KEY"]
    assert kept() == before
    with pytest.raises(ValueError, match="my own"), use_cassette("agent"):
        fail_after()
    assert kept() == before


def test_rewind_plays_from_the_first_take(record: dict[str, Any]) -> None:
    with use_cassette("agent", **record):
        said = [ask("one"), ask("one")]
    with use_cassette("agent", repeats="error") as taped:
        assert [ask("one"), ask("one")] == said
        taped.rewind()
        assert [ask("one"), ask("one")] == said
    with use_cassette("absent") as taped:
        taped.rewind()


def test_faults_are_said_at_the_start_or_on_the_way(record: dict[str, Any]) -> None:
    with use_cassette("agent", **record):
        ask("one")
    with use_cassette("agent", faults="status=503; calls=1") as taped:
        assert answer("one")[0] == 503
        ask("one")
        taped.inject("status=429; calls=2")
        ask("one")
        assert answer("one")[0] == 429
        taped.inject("")
        ask("one")
        with pytest.raises(FaultError):
            taped.inject("fire")
    assert [call.injected for call in taped.calls] == [
        ("status=503; calls=1",),
        (),
        (),
        ("status=429; calls=2",),
        (),
    ]


def test_an_answer_that_stalls_on_purpose_ends_with_the_block(record: dict[str, Any]) -> None:
    with use_cassette("agent", **record):
        answer("one", stream=True)
    stalls = threading.Event()

    def wait(url: str) -> None:
        with OpenAI(base_url=url, api_key="any", max_retries=0) as sdk:
            events = iter(sdk.chat.completions.create(stream=True, **ASKED))
            next(events)
            stalls.set()
            with pytest.raises(APIError):
                next(events)

    with ThreadPoolExecutor(1) as pool:
        with use_cassette("agent", faults="stall; after=1") as taped:
            waiting = pool.submit(wait, taped.base_url)
            assert stalls.wait(60)
        waiting.result()


def test_the_embedded_upstream_needs_no_key() -> None:
    with use_cassette("agent", mode="record", upstream="demo") as taped:
        status, body = answer("one", model="demo", max_tokens=2)
        assert (status, [call.fate for call in taped.calls]) == (200, [Fate.RECORDED])
    with use_cassette("agent", strict=True):
        assert answer("one", model="demo", max_tokens=2) == (200, body)


def test_one_proxy_has_many_lanes_and_calls_that_name_none_go_where_it_points(
    record: dict[str, Any], folder: Path
) -> None:
    with Background(load({"upstream": record["upstream"], "server.port": 0}).config, Mode.RECORD) as background:
        one = background.begin(Wanted("agent", "one"))
        two = background.begin(Wanted("agent", "two", is_current=True))
        ask("a", one.base_url)
        ask("b", background.url)
        assert [len(taped.calls) for taped in (one, two)] == [1, 1]
        background.end(two, passed=True)
        background.point("other", "three")
        ask("c", background.url)
        background.end(one, passed=False)
    assert lanes_in(folder / "cassettes/agent.sqlite") == ["two"]
    assert lanes_in(folder / "cassettes/other.sqlite") == ["three"]
    assert json.loads(background.proxy.receipt.as_json())["counts"]["recorded"] == 2


def test_a_proxy_that_cannot_start_says_so_and_leaves_no_thread() -> None:
    with Background(load({"server.port": 0}).config, Mode.REPLAY) as first:
        taken = load({"server.port": first.proxy.port}).config
        second = Background(taken, Mode.REPLAY)
        with pytest.raises(ServerError):
            second.start()
        second._thread.join()


def test_a_class_or_a_generator_cannot_be_decorated() -> None:
    def generator() -> Iterator[int]:
        yield 1

    for function in (unittest.TestCase, generator):
        with pytest.raises(TypeError, match="decorate the methods"):
            use_cassette("it")(function)


def test_the_lane_of_a_method_is_named_after_the_class_that_it_runs_in(record: dict[str, Any]) -> None:
    class Base:
        word = ""

        @use_cassette("it", **record)
        def method(self) -> str:
            return ask(self.word)

    class One(Base):
        word = "one"

    class Other(Base):
        word = "other"

    assert (One().method(), Other().method()) == ("one #1", "other #1")
    assert [lane.rpartition(".<locals>.")[2] for lane in lanes_in(Path("cassettes/it.sqlite"))] == [
        "One.method",
        "Other.method",
    ]


def test_a_miss_is_no_excuse_to_skip() -> None:
    @use_cassette("it")
    def skipped() -> None:
        answer("one")
        raise unittest.SkipTest("no API")

    with pytest.raises(MissedError, match="cassette_not_found"):
        skipped()


def test_misses_are_told_after_the_block_too() -> None:
    with suppress(MissedError), use_cassette("it") as taped:
        answer("one")
    assert len(taped.misses) == 1
