"""An outline is the same wherever it is made, grows as a conversation does, and finds texts by the words they share."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.model import Request
from proxy.core.normalize import normalize
from proxy.core.outline import ANCHORS, WHOLE, Step, outline

CHAT = "/v1/chat/completions"


def said(*texts: Any, **settings: Any) -> dict[str, Any]:
    """Build the canonical chat of a user who said these."""
    return asked({"model": "m", "messages": [{"role": "user", "content": text} for text in texts]} | settings)


def asked(body: Any, path: str = CHAT) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return normalize(Request("POST", path, body=data)).content


def digests(content: dict[str, Any]) -> list[int]:
    return [step.digest for step in outline(content)]


def anchors(text: str, most: int = ANCHORS) -> list[int]:
    return outline(said(text))[1].anchors(most)


def test_a_conversation_is_its_endpoint_and_its_messages() -> None:
    steps = outline(said("a", "b"))
    assert [step.content for step in steps] == [
        {"method": "POST", "path": CHAT},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_a_conversation_that_grows_keeps_its_beginning() -> None:
    assert digests(said("a", "b", "c"))[:3] == digests(said("a", "b"))


def test_settings_are_no_part_of_a_conversation() -> None:
    assert digests(said("a", temperature=1, tools=[])) == digests(said("a"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[1]",
        b"7",
        {"model": "m", "input": "text"},
        {"messages": []},
        {"messages": {"role": "user"}},
        {"messages": "hello"},
        b'{"input":"\\ud83d"}',
        b'{"input":NaN}',
    ],
)
def test_what_is_no_conversation_is_one_step_that_is_known_as_such(body: Any) -> None:
    _, whole = outline(asked(body))
    assert whole.anchors()[0] == WHOLE
    assert whole.digest != outline(asked({"input": "other"}))[1].digest


def test_no_message_is_taken_for_the_whole_of_a_request() -> None:
    assert all(WHOLE not in step.anchors() for step in outline(said("a", "b", "")))


def test_the_query_of_what_is_no_conversation_counts() -> None:
    one, other = (normalize(Request("GET", "/v1/files", query)).content for query in ("after=a", "after=b"))
    assert digests(one)[0] == digests(other)[0]
    assert digests(one)[1] != digests(other)[1]


def test_an_outline_is_the_same_in_every_version_that_writes_this_format() -> None:
    """Cassettes keep it: where this test fails, raise the format's version, and make old files' indexes anew."""
    assert digests(said("What is a cassette?")) == [4073024305151693524, 2831516306659712789]
    assert anchors("What is a cassette?") == [214447240, 450141532, 2375276105, 1022026391, 3904355907]


TEXTS = st.text(alphabet="ab \ud83dü\n", max_size=4)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.lists(TEXTS, min_size=1, max_size=4))
def test_outlines_are_the_same_where_the_messages_are(one: list[str], other: list[str]) -> None:
    same = said(*one)["body"]["messages"] == said(*other)["body"]["messages"]
    assert (digests(said(*one)) == digests(said(*other))) == same


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_message_has_a_digest_that_sqlite_holds_and_no_more_words_than_are_kept(content: Any) -> None:
    for step in outline(said(content)):
        assert -(2**63) <= step.digest < 2**63
        assert len(step.anchors()) <= ANCHORS
        assert all(0 <= word < 2**32 for word in step.anchors())


WORDS = st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=9), max_size=30)


@given(WORDS, st.text(alphabet="xyz", min_size=1, max_size=9))
def test_one_word_more_takes_the_place_of_one_at_most(words: list[str], added: str) -> None:
    before, after = (set(anchors(" ".join(text))) for text in (words, [*words, added]))
    assert len(before - after) <= 1
    assert len(after - before) <= 1


@given(WORDS)
def test_the_more_words_are_asked_for_the_more_come_after_the_same_ones(words: list[str]) -> None:
    assert anchors(" ".join(words), 2 * ANCHORS)[:ANCHORS] == anchors(" ".join(words))


def test_long_words_are_kept_before_short_ones() -> None:
    long = ["photosynthesis", "chlorophyll"]
    short = [f"{letter}o" for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert set(anchors(" ".join(long), 2)) < set(anchors(" ".join([*short, *long])))


def test_words_are_read_from_all_that_is_said_and_not_from_the_names_of_fields() -> None:
    parts = [{"type": "text", "text": "red fox"}, {"type": "image_url", "image_url": {"url": "http://x/y"}}]
    call = {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "red"}}]}
    (red,) = Step(0, "red").anchors()
    assert red in outline(said(parts))[1].anchors(99)
    assert red in Step(0, call).anchors(99)
    assert Step(0, {"red": 1}).anchors() == Step(0, 1).anchors()


def test_numbers_are_words() -> None:
    assert set(Step(0, [1, 22, None]).anchors()) == set(Step(0, "1 22").anchors())


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    beginning = "ab " * 700
    assert anchors(beginning + "unread") == anchors(beginning + "never")
    assert Step(0, [beginning, "unread"]).anchors() == Step(0, [beginning, "never"]).anchors()
