"""The index names the nearest recording, as comparing all of them would, at a cost that does not grow with them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.cassette import search
from proxy.cassette.reader import Reader
from proxy.cassette.shelf import Tape
from proxy.cassette.writer import Writer
from proxy.core.deck import Deck
from proxy.core.errors import CassetteError
from proxy.core.mismatch import nearness
from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from tests.cassette.making import AUTO, CHAT, answer, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from proxy.core.miss import Nearest

SYSTEM = "You are a careful assistant"


def chat(*texts: str, path: str = CHAT, **more: Any) -> Request:
    """Build the request of a system message and what was said after it."""
    roles = ["system", *("assistant" if number % 2 else "user" for number in range(len(texts)))]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return Request("POST", path, "", (), json.dumps({"model": "m", "messages": messages} | more).encode())


def record(path: Path, requests: Iterable[Request]) -> None:
    """Record many at once; each counts as a take of its own."""
    writer = Writer(path, AUTO)
    saved = [writer.save(taken(request, answer(b"1"), number)) for number, request in enumerate(requests, 1)]
    writer.close()
    for future in saved:
        future.result()


def nearest(path: Path, asked: Request) -> Nearest | None:
    return Tape(path, Deck()).nearest(normalize(asked))


def found(path: Path, asked: Request) -> Any:
    """Return the body that was found, as JSON."""
    near = nearest(path, asked)
    assert near is not None
    with Reader(path) as reader:
        return json.loads(reader.interaction(near.take).request.body)


def steps_taken(path: Path, asked: Request) -> int:
    """Count what SQLite does for a search, in hundreds of its virtual machine's instructions."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(tick, 100)
        assert search.candidates(connection, outline(normalize(asked).content))
    return count


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@pytest.fixture(autouse=True)
def _by_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few recordings would all be compared."""
    monkeypatch.setattr("proxy.cassette.nearest.FEW", 0)


SAID = st.sampled_from(["a", "b", "red fox", "red dog", "", "\ud83d"])
PATHS = st.sampled_from([CHAT, "/chat/completions", "/v1/chat/completion", "/v2/other", "/"])
CHATS = st.builds(
    lambda texts, path, seed: chat(*texts, path=path, seed=seed), st.lists(SAID, max_size=6), PATHS, st.integers(1, 3)
)
OTHERS = st.builds(
    lambda method, path, body: Request(method, path, "", (), body),
    st.sampled_from(["POST", "GET"]),
    PATHS,
    st.sampled_from([b"", b"no json", b"[1]", b'{"input":"red fox"}', b'{"input":"red dog"}', b'{"messages":"a"}']),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CHATS | OTHERS, min_size=1, max_size=25), CHATS | OTHERS)
def test_nothing_that_was_recorded_is_nearer_by_its_structure(
    path: Path, recorded: list[Request], now: Request
) -> None:
    """By endpoint, then the same messages, then the share of the conversation that is common."""
    path.unlink(missing_ok=True)
    record(path, recorded)
    asked = normalize(now).content
    best = max(nearness(normalize(request).content, asked) for request in recorded)
    near = nearest(path, now)
    assert (near is None) == (best[0] == 0)
    if near is not None:
        assert nearness(near.canonical.content, asked)[:3] == best[:3]


def test_a_word_that_changed_is_found_among_many_that_share_the_rest(path: Path) -> None:
    record(path, (chat(SYSTEM, f"Tell me about the number {number} please") for number in range(1000)))
    assert found(path, chat(SYSTEM, "Tell me about the numbr 321 please"))["messages"][1]["content"].split()[5] == "321"


def test_other_settings_are_found_among_many_takes_of_the_same_messages(path: Path) -> None:
    same = [chat(SYSTEM, "same", seed=7)] * 250
    record(path, [chat(SYSTEM, "same", seed=1, top_p=1), *same[:50], chat(SYSTEM, "same", seed=1), *same[:100]])
    assert "top_p" not in found(path, chat(SYSTEM, "same", seed=1, temperature=1))


def test_a_changed_system_message_hides_no_prompt(path: Path) -> None:
    record(path, (chat(SYSTEM, f"Tell me of case {number}") for number in range(1000)))
    assert found(path, chat(f"{SYSTEM} today", "Tell me of case 321"))["messages"][1]["content"].endswith("321")


@pytest.mark.parametrize("at", [1, 5, 10, 19])
def test_a_message_changed_amid_a_conversation_leads_to_the_same_turn_of_it(path: Path, at: int) -> None:
    texts = [[f"conversation {number} turn {turn}" for turn in range(20)] for number in range(10)]
    record(path, (chat(SYSTEM, *each[:count]) for each in texts for count in range(1, 21)))
    now = [*texts[4][:at], "conversation 4 anew", *texts[4][at + 1 :]]
    assert [message["content"] for message in found(path, chat(SYSTEM, *now))["messages"]] == [SYSTEM, *texts[4]]


def test_two_changed_messages_lead_to_the_conversation_that_has_the_rest(path: Path) -> None:
    texts = [[f"conversation {number} turn {turn} of many" for turn in range(8)] for number in range(10)]
    record(path, (chat(SYSTEM, *each) for each in texts))
    now = [*texts[4][:2], "conversation 4 turn 2 with many", *texts[4][3:5], "conversation 4 turn 5", *texts[4][6:]]
    assert found(path, chat(SYSTEM, *now))["messages"][1]["content"] == texts[4][0]


def test_the_shorter_of_two_that_share_as_much_is_nearer(path: Path) -> None:
    record(path, [chat(SYSTEM, "a", "b"), chat(SYSTEM, "a", *"bcdefgh")])
    assert len(found(path, chat(SYSTEM, "a", "x"))["messages"]) == 3


def test_a_short_conversation_is_nearer_than_one_that_shares_more_and_goes_on_for_long(path: Path) -> None:
    record(path, [chat(SYSTEM, "a"), chat(SYSTEM, "a", "b", *"cdefghijklmnopq")])
    assert len(found(path, chat(SYSTEM, "a", "b"))["messages"]) == 2


def test_a_path_that_is_a_little_off_leads_to_the_endpoint_that_is_meant(path: Path) -> None:
    files = (Request("GET", f"/v1/files/file-{number}") for number in range(300))
    record(path, [*files, *(chat(SYSTEM, f"question {number}") for number in range(300))])
    assert found(path, chat(SYSTEM, "question 7", path="/chat/completions"))["messages"][1]["content"] == "question 7"


def test_something_unrelated_leads_to_the_latest_of_its_endpoint(path: Path) -> None:
    record(path, [chat(SYSTEM, "hello"), *(Request("GET", f"/v1/files/{number}") for number in range(30))])
    assert found(path, chat("Something", "else", "altogether"))["messages"][1]["content"] == "hello"


def test_of_several_that_are_as_near_the_latest_is_taken(path: Path) -> None:
    record(path, [chat(SYSTEM, "a", seed=seed) for seed in (1, 2, 3)])
    assert found(path, chat(SYSTEM, "a", seed=4))["seed"] == 3


@pytest.mark.parametrize("now", [question(), Request("GET", "/v1/models"), Request("POST", CHAT, body=b"no json")])
def test_an_empty_index_names_nothing(path: Path, now: Request) -> None:
    store(path, [taken(question(), answer(b"1"))])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("interactions", "anchors", "turns"):
            connection.execute(f"delete from {table}")
        assert search.candidates(connection, outline(normalize(now).content)) == []


ASKED: Sequence[Request] = (
    chat(SYSTEM, "Tell me about the numbr 321 please"),
    chat(SYSTEM, "Tell me about the number 321 please", seed=1),
    chat(f"{SYSTEM} today", "Tell me about the number 321 please"),
    chat("Sing", "a song"),
    chat(SYSTEM, "Tell me about the number 321 please", path="/chat/completions"),
    Request("POST", "/v1/embeddings", body=b'{"input":"red"}'),
)


def test_a_search_costs_the_same_however_many_were_recorded(tmp_path: Path) -> None:
    prompts = [chat(SYSTEM, f"Tell me about the number {number} please") for number in range(4000)]
    others = [replace(prompt, path="/v1/embeddings") for prompt in prompts[::4]]
    record(tmp_path / "some", [*prompts[:1000], *others[:250]])
    record(tmp_path / "many", [*prompts, *others])
    for asked in ASKED:
        assert steps_taken(tmp_path / "many", asked) < 1.2 * steps_taken(tmp_path / "some", asked) + 10


@pytest.mark.parametrize(
    "statement",
    [
        "update turns set parent_id = id where id > 1",
        "update turns set parent_id = 2 where id = 2",
        "update or replace anchors set turn_id = parent_id",
        "update anchors set turn_id = 'x' || turn_id",
        "update anchors set word = 'x' || word",
        "update interactions set turn_id = 1",
        "update turns set digest = digest || 'x'",
    ],
)
def test_an_index_that_makes_no_sense_ends_the_search_all_the_same(path: Path, statement: str) -> None:
    record(path, [chat(SYSTEM, "a"), chat(SYSTEM, "b"), chat(SYSTEM, "b", "c")])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    with Reader(path) as reader:
        for asked in ASKED:
            with suppress(CassetteError):  # it may be told
                assert len(list(reader.near(outline(normalize(asked).content)))) <= search.MOST
