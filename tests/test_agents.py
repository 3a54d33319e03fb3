"""Recorded on one day and machine, replayed on another: prompts as agents really send them."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from proxy.core import sse
from proxy.core.ledger import Fate
from proxy.core.modes import Mode
from proxy.core.scrubbers import SCRUBBERS
from proxy.demo.script import ScriptedUpstream, plain, stream
from tests.agents import IN_CI, MONDAY, PROMPTS, Surroundings, coding_agent
from tests.running import CHAT, DONE, RawAnswer, ask, recordings, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Prompt = Callable[..., dict[str, Any]]

ALL = {"scrub": list(SCRUBBERS)}
JSON_TYPE = {"Content-Type": "application/json"}
each_prompt = pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    return tmp_path / "agents.sqlite"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Surroundings], None]:
    """Let the proxy that starts next run on a machine with these folders."""

    def move(at: Surroundings) -> None:
        monkeypatch.setattr("proxy.server.places", lambda: (("workdir", at.workdir), ("home", at.home)))

    return move


def said(at: Surroundings) -> str:
    """What a model answers: it speaks of what it was told."""
    return f'On {at.day}: opened "{at.workdir}/tests/test_cart.py" of {at.ids[0]}, see {at.workdir}.'


def call_of(at: Surroundings) -> str:
    return json.dumps({"path": f"{at.workdir}/tests/test_cart.py", "note": f"as of {at.day}"})


def completion(at: Surroundings) -> bytes:
    function = {"name": "read", "arguments": call_of(at)}
    message = {"role": "assistant", "content": said(at), "tool_calls": [{"id": "c1", "function": function}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return json.dumps({"id": "x", "model": "m", "created": at.unix, "choices": [choice]}).encode()


def events(at: Surroundings, size: int) -> list[bytes]:
    """Stream the same answer, a few characters an event, so that no value stands in one piece."""
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in pieces(said(at), size)]
    arguments = pieces(call_of(at), size)
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in arguments]
    chunks = [{"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    end = {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    return [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (*chunks, end)] + [DONE]


def pieces(text: str, size: int) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)]


def heard(answer: RawAnswer) -> tuple[str, str]:
    """Put a streamed answer together: what it says, and the arguments of its tool call."""
    documents = [json.loads(data) for data in map(sse.data_of, sse.split(answer.body)) if data and data != sse.DONE]
    deltas = [document["choices"][0]["delta"] for document in documents]
    content = "".join(delta.get("content", "") for delta in deltas)
    calls = [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas if "tool_calls" in delta]
    return content, "".join(calls)


def bytes_of(cassette: Path) -> bytes:
    return cassette.read_bytes()


async def call(mode: Mode, cassette: Path, body: dict[str, Any], *scripts: Any, **settings: Any) -> RawAnswer:
    async with (
        ScriptedUpstream(*scripts) as upstream,
        running(mode, cassette, upstream.url, **settings) as proxy,
    ):
        return await ask(proxy.url + CHAT, json.dumps(body).encode(), headers=settings.pop("headers", JSON_TYPE))


def fate(answer: RawAnswer) -> str:
    return answer.headers["x-llmtape"].partition(" ")[0]


@each_prompt
async def test_a_recording_plays_on_another_day_and_machine(
    cassette: Path, on: Callable[[Surroundings], None], prompt: Prompt
) -> None:
    on(MONDAY)
    recorded = await call(Mode.RECORD, cassette, prompt(MONDAY), plain(200, JSON_TYPE, completion(MONDAY)), rules=ALL)
    on(IN_CI)
    played = await call(Mode.REPLAY, cassette, prompt(IN_CI), rules=ALL)
    assert fate(played) == Fate.PLAYED
    assert played.body == recorded.body


@each_prompt
async def test_without_rules_it_misses_and_the_report_names_the_rules_under_which_it_plays(
    cassette: Path, on: Callable[[Surroundings], None], prompt: Prompt
) -> None:
    on(MONDAY)
    await call(Mode.RECORD, cassette, prompt(MONDAY), plain(200, JSON_TYPE, completion(MONDAY)))
    on(IN_CI)
    missed = await call(Mode.REPLAY, cassette, prompt(IN_CI))
    assert fate(missed) == Fate.MISSED
    report = json.loads(missed.body)["error"]["message"]
    config = report.partition("write into llmtape.toml:\n")[2]
    rules = tomllib.loads("\n".join(line.strip() for line in config.splitlines()))["rules"]
    played = await call(Mode.REPLAY, cassette, prompt(IN_CI), rules=rules)
    assert fate(played) == Fate.PLAYED


@each_prompt
async def test_another_question_misses_under_all_rules(
    cassette: Path, on: Callable[[Surroundings], None], prompt: Prompt
) -> None:
    on(MONDAY)
    await call(Mode.RECORD, cassette, prompt(MONDAY), plain(200, JSON_TYPE, completion(MONDAY)), rules=ALL)
    on(IN_CI)
    assert fate(await call(Mode.REPLAY, cassette, prompt(IN_CI, "Something else."), rules=ALL)) == Fate.MISSED


async def test_another_file_below_the_working_directory_misses(
    cassette: Path, on: Callable[[Surroundings], None]
) -> None:
    on(MONDAY)
    await call(Mode.RECORD, cassette, coding_agent(MONDAY), plain(200, JSON_TYPE, completion(MONDAY)), rules=ALL)
    on(IN_CI)
    other = json.loads(json.dumps(coding_agent(IN_CI)).replace("test_cart.py", "test_basket.py"))
    assert fate(await call(Mode.REPLAY, cassette, other, rules=ALL)) == Fate.MISSED


async def test_restored_values_are_those_of_today(cassette: Path, on: Callable[[Surroundings], None]) -> None:
    on(MONDAY)
    rules = ALL | {"restore": True}
    body = coding_agent(MONDAY, f"Fix {MONDAY.ids[0]}.")
    await call(Mode.RECORD, cassette, body, plain(200, JSON_TYPE, completion(MONDAY)), rules=rules)
    on(IN_CI)
    played = await call(Mode.REPLAY, cassette, coding_agent(IN_CI, f"Fix {IN_CI.ids[0]}."), rules=rules)
    message = json.loads(played.body)["choices"][0]["message"]
    assert message["content"] == said(IN_CI)
    assert message["tool_calls"][0]["function"]["arguments"] == call_of(IN_CI)
    assert json.loads(played.body)["created"] == MONDAY.unix


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 34, 1000])
async def test_values_are_restored_however_a_stream_splits_them(
    cassette: Path, on: Callable[[Surroundings], None], size: int
) -> None:
    rules = ALL | {"restore": True}
    recorded = events(MONDAY, size)
    on(MONDAY)
    asked = coding_agent(MONDAY, f"Fix {MONDAY.ids[0]}.") | {"stream": True}
    await call(Mode.RECORD, cassette, asked, stream(recorded), rules=rules)
    on(IN_CI)
    asked = coding_agent(IN_CI, f"Fix {IN_CI.ids[0]}.") | {"stream": True}
    played = await call(Mode.REPLAY, cassette, asked, rules=rules)
    assert heard(played) == (said(IN_CI), call_of(IN_CI))
    assert len(played.chunks) == len(recorded)


async def test_a_cassette_of_no_rules_plays_under_rules_and_is_not_changed(
    cassette: Path, on: Callable[[Surroundings], None]
) -> None:
    on(MONDAY)
    await call(Mode.RECORD, cassette, coding_agent(MONDAY), plain(200, JSON_TYPE, completion(MONDAY)))
    before = bytes_of(cassette)
    on(IN_CI)
    assert fate(await call(Mode.REPLAY, cassette, coding_agent(IN_CI), rules=ALL)) == Fate.PLAYED
    assert bytes_of(cassette) == before


async def test_the_folders_of_a_server_that_no_prompt_announces_are_kept_with_the_recording(
    cassette: Path, on: Callable[[Surroundings], None]
) -> None:
    def asks(at: Surroundings) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "user", "content": f"Summarize {at.workdir}/README.md"}]}

    on(MONDAY)
    await call(Mode.RECORD, cassette, asks(MONDAY), plain(), rules=ALL)
    on(IN_CI)
    assert fate(await call(Mode.REPLAY, cassette, asks(IN_CI), rules=ALL)) == Fate.PLAYED
    (recorded,) = recordings(cassette)
    assert ("llmtape:workdir", MONDAY.workdir) in recorded.request.headers


async def test_a_wrong_api_key_is_another_call_where_the_rules_say_so_and_no_key_is_stored(cassette: Path) -> None:
    body = {"model": "m", "messages": []}
    rules = {"api_key": True, "headers": ["x-tenant"]}

    async def asking(mode: Mode, key: str, tenant: str, *scripts: Any) -> str:
        async with ScriptedUpstream(*scripts) as upstream, running(mode, cassette, upstream.url, rules=rules) as proxy:
            fields = {"Authorization": f"Bearer {key}", "X-Tenant": tenant}
            return fate(await ask(proxy.url + CHAT, json.dumps(body).encode(), headers=fields))

    assert await asking(Mode.RECORD, "sk-planted-0123456789", "tenant-ada", plain()) == Fate.RECORDED
    assert await asking(Mode.REPLAY, "sk-planted-0123456789", "tenant-ada") == Fate.PLAYED
    assert await asking(Mode.REPLAY, "sk-another-0123456789", "tenant-ada") == Fate.MISSED
    assert await asking(Mode.REPLAY, "sk-planted-0123456789", "tenant-bob") == Fate.MISSED
    assert b"planted" not in bytes_of(cassette)
    assert b"tenant-ada" not in bytes_of(cassette)
