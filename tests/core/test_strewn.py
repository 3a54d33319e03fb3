"""Texts that an answer spells in pieces: cleaned as wholes, each piece in its own place and length."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import sse, strewn
from tests.running import DONE, STOP, delta

WORD = b"planted-0123"


def clean(data: bytes) -> bytes:
    return data.replace(WORD, b"[redacted]**")


def event(value: Any, *, ascii_only: bool = True, end: str = "\n\n") -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=ascii_only)}{end}".encode()


def choice(index: int = 0, **added: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": added}]}


def said(body: bytes, *path: str | int) -> str:
    texts = []
    for one in sse.split(body):
        value: Any = json.loads(sse.data_of(one) or b"null")
        for step in path:
            value = value[step]
        texts.append(value)
    return "".join(texts)


CONTENT = ("choices", 0, "delta", "content")


@pytest.mark.parametrize(
    "pieces", [["planted", "-0123"], [*"planted-0123"], ["it is plan", "", "ted-01", "23, is it?"]]
)
def test_a_word_over_several_events_is_replaced_in_its_pieces(pieces: list[str]) -> None:
    events = [event(choice(content=piece)) for piece in pieces]
    body = b"".join(events)
    new = strewn.cleaned(body, clean)
    assert said(new, *CONTENT) == clean(said(body, *CONTENT).encode()).decode()
    assert [len(one) for one in sse.split(new)] == list(map(len, events))


def test_what_stands_between_the_pieces_stays_as_it_is() -> None:
    other = [
        b": ping\n\n",
        event({"usage": {"total_tokens": 3}}),
        event(choice(index=1, content="planted-0")),
        b"id: 7\n\n",
    ]
    pieces = [event(choice(content="planted")), event(choice(content="-0123"))]
    new = sse.split(strewn.cleaned(b"".join([pieces[0], *other, pieces[1], STOP, DONE]), clean))
    assert new[1:5] == other
    assert new[6:] == [STOP, DONE]
    assert b"planted" not in new[0]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda piece: choice(reasoning_content=piece),
        lambda piece: choice(refusal=piece),
        lambda piece: choice(content=[{"type": "text", "text": piece}]),
        lambda piece: choice(tool_calls=[{"index": 3, "function": {"arguments": piece}}]),
        lambda piece: {"choices": [{"index": 0, "text": piece}]},
        lambda piece: {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": piece},
        lambda piece: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
    ],
)
def test_all_places_that_models_write_in_are_looked_at(wrap: Any) -> None:
    body = b"".join(event(wrap(piece)) for piece in ("planted", "-01", "23"))
    assert list(map(clean, strewn.texts(body))) != list(strewn.texts(body))
    new = strewn.cleaned(body, clean)
    assert b"planted" not in new
    assert len(new) == len(body)


def test_texts_of_two_choices_calls_or_items_are_not_one() -> None:
    bodies = [
        event(choice(0, content="planted")) + event(choice(1, content="-0123")),
        *(
            event({"type": "x.delta", "item_id": one, "delta": "planted"})
            + event({"type": "x.delta", "item_id": two, "delta": "-0123"})
            for one, two in [("a", "b")]
        ),
        event(choice(tool_calls=[{"index": 0, "function": {"arguments": "planted"}}]))
        + event(choice(tool_calls=[{"index": 1, "function": {"arguments": "-0123"}}])),
    ]
    for body in bodies:
        assert strewn.cleaned(body, clean) == body


@pytest.mark.parametrize("as_stream", [True, False])
def test_a_token_is_replaced_with_its_bytes_and_its_rivals(*, as_stream: bool) -> None:
    def told(token: str) -> dict[str, Any]:
        return {"token": token, "logprob": -0.5, "bytes": list(token.encode())}

    tokens = [
        {**told(token), "top_logprobs": [told(token), told(f"{token}!")]}
        for token in (" is", " planted", "-0123", " ok")
    ]
    if as_stream:
        choices = [[{"index": 0, "delta": {"content": one["token"]}, "logprobs": {"content": [one]}}] for one in tokens]
        body = b"".join(event({"choices": one}) for one in choices)
    else:
        body = json.dumps({"choices": [{"index": 0, "logprobs": {"content": tokens}}], "created": 17}).encode()
    new = strewn.cleaned(body, clean)
    assert len(new) == len(body)
    assert b"planted" not in new
    assert b"0123" not in new
    assert json.dumps(list(b" planted")).encode() not in new
    assert json.dumps(list(b"-0123")).encode() not in new
    assert new.count(b"-0.5") == body.count(b"-0.5")
    for kept in (" is", " ok"):
        assert new.count(json.dumps(told(kept)).encode()) == body.count(json.dumps(told(kept)).encode())


def test_tokens_of_old_completions_are_replaced_too() -> None:
    held = {"tokens": ["planted", "-0123", "x"], "top_logprobs": [{"planted": -1.0}, {"-0123": -1.0}, {"x": -1.0}]}
    body = json.dumps({"choices": [{"text": "", "logprobs": held}]}).encode()
    new = strewn.cleaned(body, clean)
    assert (b"planted" in new, b"0123" in new, len(new)) == (False, False, len(body))
    assert json.loads(new)["choices"][0]["logprobs"]["top_logprobs"][2] == {"x": -1.0}


def test_however_a_piece_is_spelt_its_length_stays() -> None:
    told = ('"\\u0070lan"', '"ted-01\\u00323 \u00e9"')
    raw = "".join(f'data: {{"choices":[{{"delta":{{"content":{text}}}}}]}}\n\n' for text in told).encode()
    new = strewn.cleaned(raw, clean)
    assert len(new) == len(raw)
    assert [len(one) for one in sse.split(new)] == [len(one) for one in sse.split(raw)]
    assert not any(WORD in text for text in strewn.texts(new))
    assert said(new, *CONTENT).endswith(" é")


def test_data_over_several_lines_and_other_line_ends_are_read() -> None:
    lines = [
        b'data: {"choices":\r\ndata: [{"delta":{"content":"plan"}}]}\r\n\r\n',
        b'event: x\r\ndata:{"choices":[{"delta":{"content":"ted-0123"}}]}\r\n\r\n',
    ]
    new = strewn.cleaned(b"".join(lines), clean)
    assert b"ted-0123" not in new
    assert [len(one) for one in sse.split(new)] == list(map(len, lines))


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"data",
            b"data: ",
            b"data: [DONE]\n\n",
            b"data: {\n\ndata: {\n\n",
            b"\xff\xfedata: {}\n\n",
            b'data: {"a":NaN}\n\n',
        ),
        *(b'{"a":1}', b'{"logprobs":', b"planted-0123", b'data: {"choices":["a",{"delta":null}]}\n\n' * 2),
        b"data: " + b'{"delta":' * 2000 + b"1" + b"}" * 2000 + b"\n\n",
        b'data: {"choices":[{"index":{},"delta":{"content":"a"}}]}\n\n' * 2,
    ],
)
def test_what_has_no_texts_in_pieces_is_the_very_same(body: bytes) -> None:
    assert strewn.cleaned(body, clean) is body


PIECES = st.lists(
    st.sampled_from(["plan", "ted", "-0", "123", "planted-0123", "é", "🎲", '"', "\\", "\n", " "]), max_size=12
)


@settings(deadline=None, max_examples=150)
@given(PIECES, st.booleans(), st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]))
def test_for_any_pieces_nothing_is_left_and_no_length_changes(pieces: list[str], ascii_only: bool, end: str) -> None:  # noqa: FBT001
    events = [event(choice(content=piece), ascii_only=ascii_only, end=end) for piece in pieces]
    body = b"".join(events)
    new = clean(strewn.cleaned(body, clean))
    assert [len(one) for one in sse.split(new)] == [len(one) for one in sse.split(body)]
    assert said(new, *CONTENT) == "".join(pieces).replace("planted-0123", "[redacted]**")


def test_the_events_of_the_fixture_are_read() -> None:
    assert list(strewn.texts(delta("a") + delta("b"))) == [b"ab"]
