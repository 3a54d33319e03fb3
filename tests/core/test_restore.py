"""What the model wrote says today's values, in however many pieces it came; and no other byte changes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import jsontext, sse
from proxy.core.completion import assemble
from proxy.core.model import Chunk, Outcome, Response
from proxy.core.restore import Replacement, restored

CHAT = "/v1/chat/completions"
OLD, NEW = "/tmp/pytest-1/a", "/tmp/pytest-22/a"
VALUE = Replacement(OLD, NEW)
EMOJI = "\U0001f642"
DONE = b"data: [DONE]\n\n"


def response(*pieces: bytes, content_type: str = "application/json", was_asked: bool = False) -> Response:
    chunks = tuple(Chunk(10 * at, piece) for at, piece in enumerate(pieces))
    headers = (("Content-Type", content_type), ("x-request-id", OLD))
    return Response(200, headers, chunks, Outcome.COMPLETE, 1, 99, was_asked_as_stream=was_asked)


def plain(value: Any, *, ascii_only: bool = True) -> Response:
    return response(json.dumps(value, ensure_ascii=ascii_only).encode())


def event(value: Any, *, ascii_only: bool = True) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=ascii_only).encode() + b"\n\n"


def stream(*events: bytes) -> Response:
    return response(*events, DONE, content_type="text/event-stream")


def delta(index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": OLD, "model": OLD, "choices": [{"index": index, "delta": fields, "finish_reason": None}]}


def call(index: int, arguments: str, choice: int = 0) -> dict[str, Any]:
    return delta(choice, tool_calls=[{"index": index, "id": OLD, "function": {"arguments": arguments}}])


def content_of(answer: Response, choice: int = 0) -> str:
    return assemble(answer).choices[choice].content


def arguments_of(answer: Response, number: int = 0) -> str:
    return assemble(answer).choices[0].tool_calls[number].arguments


def pieces_of(answer: Response) -> list[str]:
    """Return the content of each event of a stream."""
    documents = [json.loads(data) for chunk in answer.chunks[:-1] if (data := sse.data_of(chunk.data))]
    return [document["choices"][0]["delta"]["content"] for document in documents]


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def test_a_value_in_a_plain_answer_is_replaced_and_no_other_byte() -> None:
    body = b'{ "choices" : [ {"message": {"content": "see \\/tmp/pytest-1\\/a, \\u00e9"},\r\n "x": 1.0 } ] }\n'
    answer = response(body)
    new = restored(answer, CHAT, [VALUE])
    assert new.body == body.replace(rb"\/tmp/pytest-1\/a", NEW.encode())
    assert (new.status, new.headers, new.outcome) == (answer.status, answer.headers, answer.outcome)
    assert (new.first_byte_us, new.duration_us) == (answer.first_byte_us, answer.duration_us)


def test_only_what_the_model_wrote_is_touched() -> None:
    def answer(text: str) -> dict[str, Any]:
        function = {"name": f"f{OLD}", "arguments": json.dumps({"path": text})}
        message = {
            "role": OLD,
            "content": text,
            "refusal": text,
            "reasoning_content": text,
            "annotations": [{"type": "url_citation", "url_citation": {"url": text}}],
            "audio": {"id": OLD, "data": OLD, "transcript": text},
            "tool_calls": [
                {"id": OLD, "type": OLD, "function": function},
                {"id": OLD, "type": OLD, "custom": {"name": "g", "input": text}},
                {"id": OLD, "type": OLD, "function": {"name": "h", "arguments": {"id": text}}},
            ],
            "function_call": function,
        }
        choice = {
            "index": 0,
            "message": message,
            "text": text,
            "finish_reason": OLD,
            "logprobs": {"content": [{"token": OLD, "top_logprobs": [{"token": OLD}]}]},
        }
        return {
            "id": OLD,
            "created": 1714557600,
            "model": OLD,
            "system_fingerprint": OLD,
            "choices": [choice],
            "usage": {"prompt_tokens": 1714557600, "x": OLD},
            "error": {"message": text, "type": OLD, "param": OLD, "code": OLD},
        }

    values = [VALUE, Replacement("1714557600", "1736400000")]
    assert restored(plain(answer(OLD)), CHAT, values).body == plain(answer(NEW)).body


@pytest.mark.parametrize("error", ["no such file: {}", {"message": "no such file: {}"}])
def test_the_message_of_an_error_is_restored(error: Any) -> None:
    text = json.dumps({"error": error})
    new = restored(response(text.replace("{}", OLD).encode()), CHAT, [VALUE])
    assert new.body == text.replace("{}", NEW).encode()


def test_where_no_value_occurs_the_very_same_response_comes_back() -> None:
    for answer in (plain({"id": OLD}), stream(event(delta(content="a"))), response(), response(b"\xff" + OLD.encode())):
        assert restored(answer, CHAT, [VALUE]) is answer
        assert restored(answer, CHAT, []) is answer
    same = plain({"choices": [{"message": {"content": OLD}}]})
    assert restored(same, CHAT, [Replacement(OLD, OLD)]) is same


def test_an_answer_of_another_path_is_restored_in_all_of_its_strings_and_in_no_number() -> None:
    def answer(text: str) -> dict[str, Any]:
        return {"id": text, "created": 7, "data": [{"text": text, OLD: 7}], "inner": json.dumps({"x": text})}

    values = [VALUE, Replacement("7", "8")]
    assert restored(plain(answer(OLD)), "/v1/x", values).body == plain(answer(NEW)).body


@pytest.mark.parametrize("path", [CHAT, "/v1/audio/transcriptions"])
def test_a_body_that_is_no_json_is_a_text(path: str) -> None:
    page = response(f"<p>{OLD} caf\u00e9 {EMOJI} {OLD}</p>".encode(), content_type="text/html")
    assert restored(page, path, [VALUE]).body == f"<p>{NEW} caf\u00e9 {EMOJI} {NEW}</p>".encode()
    mislabelled = response(f"Bad Gateway: {OLD}".encode())
    assert restored(mislabelled, path, [VALUE]).body == f"Bad Gateway: {NEW}".encode()


@pytest.mark.parametrize("body", [b"\xff/tmp/pytest-1/a", b"\x00\x80/tmp/pytest-1/a"])
def test_a_body_that_is_no_text_stays(body: bytes) -> None:
    answer = response(body, content_type="application/octet-stream")
    assert restored(answer, "/v1/x", [VALUE]) is answer


def test_a_value_that_utf_8_cannot_spell_stays_out_of_a_plain_text_and_is_escaped_in_json() -> None:
    half = Replacement("a", "\ud83d")
    page = response(b"a", content_type="text/plain")
    assert restored(page, "/v1/x", [half]) is page
    assert restored(response(b'{"x":"a"}'), "/v1/x", [half]).body == rb'{"x":"\ud83d"}'


def test_an_unlabelled_json_body_and_one_with_a_byte_order_mark_are_json() -> None:
    body = rb'{"choices":[{"message":{"content":"\/tmp/pytest-1/a"}}]}'
    for mark in (b"", b"\xef\xbb\xbf"):
        new = restored(response(mark + body, content_type=""), CHAT, [VALUE])
        assert new.body == mark + body.replace(rb"\/tmp/pytest-1/a", NEW.encode())


def test_a_json_body_that_is_cut_off_is_restored_as_far_as_it_goes() -> None:
    body = rb'{"choices":[{"message":{"content":"\/tmp/pytest-1/a and'
    assert restored(response(body), CHAT, [VALUE]).body == body.replace(rb"\/tmp/pytest-1/a", NEW.encode())


def test_bytes_that_are_no_utf_8_stay_in_a_json_body() -> None:
    body = b'{"choices":[{"message":{"content":"\xff\xc3 /tmp/pytest-1/a \xed\xa0\xbd"}}],"x":"\xfe"}'
    assert restored(response(body), CHAT, [VALUE]).body == body.replace(OLD.encode(), NEW.encode())


def test_a_plain_body_keeps_the_number_and_times_of_its_chunks() -> None:
    answer = response(b'{"choices":[{"message":{"content":"/tmp/pyt', b"", b"est-1", b'/a"}}]}')
    new = restored(answer, CHAT, [VALUE])
    assert [chunk.at_us for chunk in new.chunks] == [0, 10, 20, 30]
    assert [chunk.data for chunk in new.chunks] == [
        b'{"choices":[{"message":{"content":"/tmp/pyt',
        b"",
        b"est-2",
        b'2/a"}}]}',
    ]


def test_what_is_spelt_in_ascii_stays_so_and_what_is_not_gets_no_escapes() -> None:
    value = Replacement("x", f"\u00e9{EMOJI}")
    body = {"choices": [{"message": {"content": "x \u00fc"}}]}
    for ascii_only in (True, False):
        new = restored(plain(body, ascii_only=ascii_only), CHAT, [value])
        wanted = {"choices": [{"message": {"content": f"\u00e9{EMOJI} \u00fc"}}]}
        assert new.body == plain(wanted, ascii_only=ascii_only).body


def test_a_value_that_runs_over_several_events_is_spread_over_the_same() -> None:
    pieces = ["see ", "/tmp", "/", "", "pytest", "-1/a", "."]
    answer = stream(*(event(delta(content=piece)) for piece in pieces))
    new = restored(answer, CHAT, [VALUE])
    assert pieces_of(new) == ["see ", "/tmp", "/", "", "pytest", "-22/a", "."]
    assert [chunk.at_us for chunk in new.chunks] == [chunk.at_us for chunk in answer.chunks]
    shorter = restored(answer, CHAT, [Replacement(OLD, "/x")])
    assert pieces_of(shorter) == ["see ", "/x", "", "", "", "", "."]


def test_events_without_a_part_of_the_value_stay_as_they_are() -> None:
    answer = stream(
        b": PROCESSING /tmp/pytest-1/a\n\n",
        b'event: x\r\nid: /tmp/pytest-1/a\r\ndata:{"choices" :[{"delta":{"content":"/tmp"},"index":0}]}\r\n\r\n',
        b"data\n\n",
        b"\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"/pytest-1\\/a\\n"}}]}\r\r',
        b"data: /tmp/pytest-1/a\n\n",
    )
    new = restored(answer, CHAT, [VALUE])
    assert [chunk.data for chunk in new.chunks] == [
        b": PROCESSING /tmp/pytest-1/a\n\n",
        b'event: x\r\nid: /tmp/pytest-1/a\r\ndata:{"choices" :[{"delta":{"content":"/tmp"},"index":0}]}\r\n\r\n',
        b"data\n\n",
        b"\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"/pytest-22/a\\n"}}]}\r\r',
        b"data: /tmp/pytest-1/a\n\n",
        DONE,
    ]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_data_may_run_over_several_lines(line_end: bytes) -> None:
    lines = [
        b"\xef\xbb\xbfdata: {",
        b": a comment",
        b'data:"choices": [{"delta": {"content": "\xc3\xa9 /tmp/pytest-1/a"},',
        b"id: 3",
        b'data:  "index": 0},',
        b"data",
        b'data: {"delta": {"content": "/tmp/pytest-1/a"}, "index": 1}]}',
        b"",
        b"",
    ]
    answer = stream(line_end.join(lines))
    assert restored(answer, CHAT, [VALUE]).body == answer.body.replace(OLD.encode(), NEW.encode())


def test_choices_that_are_interleaved_are_told_apart() -> None:
    answer = stream(
        event(delta(0, content="/tmp/pyt")),
        event(delta(1, content="/tmp/pytest")),
        event(delta(0, content="est-1/a")),
        event(delta(1, content="-1/a!")),
    )
    new = restored(answer, CHAT, [VALUE])
    assert (content_of(new, 0), content_of(new, 1)) == (NEW, f"{NEW}!")
    crossed = stream(event(delta(0, content="/tmp/pytest-")), event(delta(1, content="1/a")))
    assert restored(crossed, CHAT, [VALUE]) is crossed


def test_tool_calls_that_are_interleaved_are_told_apart() -> None:
    one, other = json.dumps({"path": OLD}), json.dumps({"other": [OLD, "\u00e9"]})
    answer = stream(
        event(call(0, one[:14])), event(call(1, other[:17])), event(call(0, one[14:])), event(call(1, other[17:]))
    )
    new = restored(answer, CHAT, [VALUE])
    assert json.loads(arguments_of(new, 0)) == {"path": NEW}
    assert json.loads(arguments_of(new, 1)) == {"other": [NEW, "\u00e9"]}
    assert new.body.count(OLD.encode()) == answer.body.count(OLD.encode())  # the ids, and none else


def test_texts_of_one_choice_are_told_apart() -> None:
    answer = stream(
        event(delta(reasoning_content="/tmp/pytest")), event(delta(content="-1/a")), event(delta(refusal="-1/a"))
    )
    assert restored(answer, CHAT, [VALUE]) is answer


def test_a_swap_is_a_swap() -> None:
    values = [Replacement("alpha", "beta"), Replacement("beta", "alpha")]
    answer = stream(event(delta(content="al")), event(delta(content="pha be")), event(delta(content="ta")))
    assert content_of(restored(answer, CHAT, values)) == "beta alpha"


def test_a_number_in_arguments_is_restored_and_none_outside() -> None:
    value = Replacement("1714557600", "1736400000")
    answer = stream(event(delta() | {"created": 1714557600}), event(call(0, '{"at": 171455')), event(call(0, "7600}")))
    new = restored(answer, CHAT, [value])
    assert arguments_of(new) == '{"at": 1736400000}'
    assert b'"created": 1714557600' in new.body
    assert restored(answer, CHAT, [Replacement("1714557600", "soon")]) is answer


def test_arguments_that_are_cut_off_are_restored_as_far_as_they_go() -> None:
    answer = stream(event(call(0, '{"a": "\\/tmp/pytest-1/a", "b": "')), event(call(0, "\\/tmp/pytest-1/a and")))
    assert arguments_of(restored(answer, CHAT, [VALUE])) == f'{{"a": "{NEW}", "b": "{NEW} and'


def test_arguments_of_the_deprecated_kind_and_content_in_json_mode_are_json_too() -> None:
    value = Replacement(OLD, 'C:\\"x"')
    text = json.dumps({"path": OLD}).replace("/", r"\/")
    for fields in ({"content": text}, {"function_call": {"arguments": text}}):
        events = stream(event(delta(**fields)))
        for answer in (events, plain({"choices": [{"message": fields}]})):
            choice = assemble(restored(answer, CHAT, [value])).choices[0]
            said = choice.content or choice.tool_calls[0].arguments
            assert json.loads(said) == {"path": 'C:\\"x"'}


def test_an_emoji_that_is_split_over_two_events_is_part_of_a_value() -> None:
    answer = stream(event(delta(content="a\ud83d")), event(delta(content="\ude42b \ud83d")))
    new = restored(answer, CHAT, [Replacement(f"a{EMOJI}b", f"{EMOJI}c")])
    assert pieces_of(new) == [EMOJI, "c \ud83d"]


def test_an_error_in_a_stream_is_restored_on_its_own() -> None:
    answer = stream(event(delta(content="/tmp/pytest")), event({"error": {"message": OLD, "type": OLD}}))
    new = restored(answer, CHAT, [VALUE])
    assert new.chunks[1].data == event({"error": {"message": NEW, "type": OLD}})
    two = stream(event({"error": {"message": "/tmp/pytest"}}), event({"error": {"message": "-1/a"}}))
    assert restored(two, CHAT, [VALUE]) is two


def test_a_stream_that_is_not_labelled_is_one_where_it_was_asked_for() -> None:
    events = event(delta(content="/tmp/pyt")), event(delta(content="est-1/a"))
    new = restored(response(*events, content_type="", was_asked=True), CHAT, [VALUE])
    assert new.body == event(delta(content="/tmp/pyt")) + event(delta(content="est-22/a"))


def test_an_event_that_tells_its_index_last_belongs_to_it_all_the_same() -> None:
    late = b'data: {"choices":[{"delta":{"content":"%b"},"index":%d}]}\n\n'
    answer = stream(late % (b"/tmp/pytest", 1), late % (b"/tmp/py", 0), late % (b"-1/a", 1))
    wanted = stream(late % (b"/tmp/pytest", 1), late % (b"/tmp/py", 0), late % (b"-22/a", 1))
    assert restored(answer, CHAT, [VALUE]) == wanted


def test_token_probabilities_in_a_stream_stay() -> None:
    def answer(text: str) -> Response:
        document = delta(content=text)
        document["choices"][0]["logprobs"] = {"content": [{"token": OLD, "logprob": -1.5}]}
        return stream(event(document))

    assert restored(answer(OLD), CHAT, [VALUE]) == answer(NEW)


def test_an_event_that_is_cut_off_is_restored_as_far_as_it_goes() -> None:
    last = b'data: {"choices":[{"index":0,"delta":{"content":"est-1/a an'
    answer = response(event(delta(content="/tmp/pyt")), last, content_type="text/event-stream")
    assert restored(answer, CHAT, [VALUE]).chunks[1].data == last.replace(b"est-1", b"est-22")


def test_streams_of_other_apis_are_joined_by_what_their_events_say_they_belong_to() -> None:
    def part(item: str, text: str, kind: str = "response.output_text.delta") -> bytes:
        return event({"type": kind, "item_id": item, "output_index": 0, "delta": text})

    def whole(text: str) -> bytes:
        return event({"type": "response.output_text.done", "item_id": "m1", "text": text})

    answer = stream(part("m1", "/tmp/pyt"), part("m2", "/tmp/"), part("m1", "est-1/a"), part("m2", "x"), whole(OLD))
    wanted = stream(part("m1", "/tmp/pyt"), part("m2", "/tmp/"), part("m1", "est-22/a"), part("m2", "x"), whole(NEW))
    assert restored(answer, "/v1/responses", [VALUE]) == wanted
    apart = stream(event({"text": "/tmp/pytest"}), event({"text": "-1/a"}))
    assert restored(apart, "/v1/x", [VALUE]) is apart


ALPHABET = ["a", "/", '"', "\\", "\n", "\u00e9", EMOJI, " "]
TEXTS = st.lists(st.sampled_from([*ALPHABET, "VALUE", "VALUE"]), max_size=8)
CUTS = st.lists(st.integers(0, 90), max_size=10)
WORDS = st.text(st.sampled_from(ALPHABET), max_size=8)
# Begins and ends with what occurs nowhere else, so that there is one reading of a text.
RECORDED = WORDS.map(lambda word: f"<{word}>")


@settings(deadline=None, max_examples=200)
@given(text=TEXTS, cuts=CUTS, recorded=RECORDED, asked=WORDS, ascii_only=st.booleans())
def test_for_any_split_over_events_the_joined_text_is_the_restored_one(
    text: list[str], cuts: list[int], recorded: str, asked: str, *, ascii_only: bool
) -> None:
    joined = "".join(text)
    recorded_text = joined.replace("VALUE", recorded)
    # Half a character can only be spelt as an escape.
    pieces = cut(jsontext.units(recorded_text) if ascii_only else recorded_text, cuts)
    answer = stream(*(event(delta(content=piece), ascii_only=ascii_only) for piece in pieces))
    new = restored(answer, CHAT, [Replacement(recorded, asked)])
    assert content_of(new) == joined.replace("VALUE", asked)
    assert len(new.chunks) == len(answer.chunks)


@settings(deadline=None, max_examples=200)
@given(text=TEXTS, cuts=CUTS, recorded=RECORDED, asked=WORDS, ascii_only=st.booleans())
@example(text=["VALUE"], cuts=[3, 9], recorded=f'<"\\\u00e9{EMOJI}>', asked=f'\\"{EMOJI}', ascii_only=True)
def test_for_any_split_of_arguments_they_parse_to_the_restored_value(
    text: list[str], cuts: list[int], recorded: str, asked: str, *, ascii_only: bool
) -> None:
    said = {"x": ["".join(text).replace("VALUE", recorded), 1]}
    arguments = json.dumps(said, ensure_ascii=ascii_only).replace("/", r"\/")
    answer = stream(*(event(call(0, piece)) for piece in cut(jsontext.units(arguments), cuts)))
    new = restored(answer, CHAT, [Replacement(recorded, asked)])
    assert json.loads(arguments_of(new)) == {"x": ["".join(text).replace("VALUE", asked), 1]}


@settings(deadline=None, max_examples=150)
@given(TEXTS, CUTS, st.lists(st.integers(0, 1500), max_size=12))
def test_chunks_may_be_cut_anywhere(text: list[str], cuts: list[int], chunk_cuts: list[int]) -> None:
    pieces = cut("".join(text).replace("VALUE", OLD), cuts)
    whole = stream(*(event(delta(content=piece), ascii_only=False) for piece in pieces))
    places = [0, *sorted(min(place, len(whole.body)) for place in chunk_cuts), len(whole.body)]
    recut = response(*(whole.body[a:b] for a, b in pairwise(places)), content_type="text/event-stream")
    new = restored(recut, CHAT, [VALUE])
    assert new.body == restored(whole, CHAT, [VALUE]).body
    assert [chunk.at_us for chunk in new.chunks] == [chunk.at_us for chunk in recut.chunks]


@settings(deadline=None, max_examples=150)
@given(TEXTS, CUTS, RECORDED.filter(lambda word: word.isascii()))
def test_there_and_back_gives_the_same_bytes(text: list[str], cuts: list[int], recorded: str) -> None:
    asked = "(" + recorded[1:-1] + ")"
    pieces = cut("".join(text).replace("VALUE", recorded), cuts)
    for answer in (
        stream(*(event(delta(content=piece), ascii_only=False) for piece in pieces)),
        stream(*(event(call(0, piece)) for piece in cut(json.dumps({"x": "".join(pieces)}), cuts))),
    ):
        there = restored(answer, CHAT, [Replacement(recorded, asked)])
        assert restored(there, CHAT, [Replacement(asked, recorded)]) == answer
        assert (there is answer) == ("VALUE" not in text)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=60), st.sampled_from(["text/event-stream", "application/json", ""]))
def test_any_body_at_all_goes_through(body: bytes, content_type: str) -> None:
    answer = response(body, content_type=content_type)
    assert restored(answer, CHAT, [VALUE]) is answer


def test_a_long_stream_takes_time_in_proportion() -> None:
    answer = stream(
        *(event(call(0, f"[{'1,' * 9}" if at == 0 else '"/tmp/py","/tmp/pytest-1/a",')) for at in range(5000))
    )
    new = restored(answer, CHAT, [VALUE])
    assert arguments_of(new).count(NEW) == 4999
