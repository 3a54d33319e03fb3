"""The one form of a conversation: what a model is told stays, how it was spelt goes.

Each entry of `CLASSES` lists classes of conversations: those within a class have one form, those of different classes
never do.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import unicodedata
from typing import Any

import pytest

from proxy.core.messages import content, conversation

Message = dict[str, Any]
Messages = list[Any]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(40))
PNG_64 = base64.b64encode(PNG).decode()
CACHED = {"cache_control": {"type": "ephemeral"}}


def says(value: Any, role: str = "user", **fields: Any) -> Message:
    return {"role": role, "content": value} | fields


def text(value: str, **fields: Any) -> Message:
    return {"type": "text", "text": value} | fields


def called(identity: str, arguments: str = "{}", name: str = "f", **fields: Any) -> Message:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}} | fields


def calls(*each: Message, **fields: Any) -> Message:
    return {"role": "assistant", "tool_calls": list(each)} | fields


def answers(identity: str, value: Any, **fields: Any) -> Message:
    return {"role": "tool", "tool_call_id": identity, "content": value} | fields


def image(url: str, **fields: Any) -> Messages:
    return [says([{"type": "image_url", "image_url": {"url": url} | fields}])]


def audio(data: str, form: str = "wav") -> Messages:
    return [says([{"type": "input_audio", "input_audio": {"data": data, "format": form}}])]


def file(**fields: Any) -> Messages:
    return [says([{"type": "file", "file": fields}])]


def with_arguments(*each: str) -> list[Messages]:
    return [[calls(called("x", arguments))] for arguments in each]


def with_answer(*each: Any) -> list[Messages]:
    return [[calls(called("x")), answers("x", value)] for value in each]


A, B, C = says("a"), says("b", "assistant"), says("c")
USE = "What is a cassette?"

CLASSES: dict[str, list[list[Messages]]] = {
    "turns": [
        [[A, B, C], [{"content": "a", "role": "user"}, B, C]],
        [[C, B, A]],
        [[A, B]],
        [[B, C]],
        [[A, B, C, A]],
        [[A, A, B, C]],
        [[A, C, B]],
        [[A]],
        [[]],
    ],
    "roles": [
        [[says("a", role)]] for role in ("user", "system", "developer", "assistant", "tool", "function", "User", "")
    ],
    "names": [
        [[says("a")], [says("a", name=None)]],
        [[says("a", name="Ann")]],
        [[says("a", name="ann")]],
        [[says("a", name="")]],
        [[says("a", "system", name="Ann")]],
    ],
    "texts": [
        [[says(USE)]],
        [[says(USE + " ")]],
        [[says(" " + USE)]],
        [[says(USE + "\n")], [says(USE + "\r\n")]],
        [[says(USE + "\r")]],
        [[says(USE + "\n\n")], [says(USE + "\r\n\r\n")], [says(USE + "\r\n\n")], [says(USE + "\n\r\n")]],
        [[says(USE + "\r\r\n")]],
        [[says(USE.lower())]],
        [[says(USE[:-1])]],
        [[says("")]],
        [[says(USE + "\u200b")]],
        [[says(USE + "\u00a0")]],
    ],
    "unicode": [
        [[says(unicodedata.normalize("NFC", "caf\u00e9"))]],
        [[says(unicodedata.normalize("NFD", "caf\u00e9"))]],
        [[says("cafe")]],
        [[says("\ufb01")]],
        [[says("fi")]],
        [[says("\u212b")]],
        [[says("\u00c5")]],
    ],
    "scalars": [[[says(value)]] for value in (True, 1, "1", "true", 0, False, {}, {"text": "1"}, 1.5)],
    "json in a users text": [[[says('{"a": 1}')]], [[says('{"a":1}')]]],
    "json in an assistants text": [[[says('{"a": 1}', "assistant")]], [[says('{"a":1}', "assistant")]]],
    "parts": [
        [[says("a")], [says([text("a")])], [says([text("a", **CACHED)])], [says([{"text": "a", "type": "text"}])]],
        [
            [says([text("a"), text("b")])],
            [says([text("a", **CACHED), text("b")])],
            [says([text("a", cache_control=None), text("b")])],
        ],
        [[says([text("b"), text("a")])]],
        [[says([text("ab")])], [says("ab")]],
        [[says([text("a"), text("b"), text("b")])]],
        [[says([text("a", extra=1)])]],
        [[says([text("a", annotations=[])])]],
        [[says([{"type": "input_text", "text": "a"}])]],
        [[says([{"type": "text", "text": 1}])]],
        [[says([{"type": "text"}])], [says([{"type": "text", "text": None}])]],
        [[says([])]],
        [[says([text("\n"), text("b")])], [says([text("\r\n"), text("b")])]],
        [[says(["a"])]],
        [[says([["a"]])]],
        [[says([None])]],
    ],
    "refusals as parts": [
        [[says([{"type": "refusal", "refusal": "no"}], "assistant")]],
        [[says([{"type": "refusal", "refusal": "No"}], "assistant")]],
        [[says([text("no")], "assistant")], [says("no", "assistant")]],
    ],
    "what an assistant echoes": [
        [
            [B],
            [B | {"refusal": None, "annotations": [], "audio": None, "function_call": None, "tool_calls": None}],
            [B | {"refusal": ""}],
            [B | {"name": None}],
        ],
        [[B | {"refusal": "no"}]],
        [[B | {"annotations": [{"type": "url_citation"}]}]],
        [[B | {"audio": {"id": "audio_1"}}]],
        [[B | {"audio": {"id": "audio_2"}}]],
        [[B | {"reasoning_content": "hm"}]],
        [[B | {"reasoning_content": "hmm"}]],
        [[B | {"reasoning_content": ""}]],
    ],
    "content beside tool calls": [
        [
            [calls(called("x"))],
            [calls(called("x"), content=None)],
            [calls(called("x"), content="")],
            [calls(called("x"), content=[])],
            [calls(called("x"), content=[text("")])],
            [calls(called("x", extra=None), refusal=None)],
        ],
        [[calls(called("x"), content="a")], [calls(called("x"), content=[text("a")])]],
        [[calls(called("x"), content=" ")]],
        [[says("", "assistant")]],
        [[says(None, "assistant")], [{"role": "assistant"}]],
    ],
    "ids of tool calls": [
        [
            [calls(called("x"), called("y")), answers("x", "1"), answers("y", "2")],
            [calls(called("call_9"), called("call_8")), answers("call_9", "1"), answers("call_8", "2")],
            [calls(called("call_2"), called("call_1")), answers("call_2", "1"), answers("call_1", "2")],
            [calls(called("x"), called("y")), answers("y", "2"), answers("x", "1")],
        ],
        [
            [calls(called("x"), called("y")), answers("y", "1"), answers("x", "2")],
            [calls(called("x"), called("y")), answers("x", "2"), answers("y", "1")],
        ],
        [[calls(called("x"), called("y")), answers("x", "1"), answers("x", "2")]],
        [[calls(called("x"), called("y")), answers("x", "2"), answers("x", "1")]],
        [[calls(called("x"), called("y")), answers("x", "1"), answers("z", "2")]],
        [[calls(called("x"), called("y")), answers("x", "1")]],
        [[calls(called("x"), called("y"))]],
        [[calls(called("x"), called("x"))]],
        [[calls(called("x"))], [calls(called("y"))]],
        [[answers("x", "1")], [answers("y", "1")]],
    ],
    "ids over several turns": [
        [
            [calls(called("x")), answers("x", "1"), calls(called("y")), answers("y", "2")],
            [calls(called("p")), answers("p", "1"), calls(called("q")), answers("q", "2")],
        ],
        [[calls(called("x")), answers("x", "1"), calls(called("x")), answers("x", "2")]],
        [[calls(called("x")), answers("x", "1"), calls(called("y")), answers("x", "2")]],
        [[calls(called("x")), answers("x", "2"), calls(called("y")), answers("y", "1")]],
    ],
    "order of tool messages": [
        [
            [calls(called("x"), called("y"), called("z")), *order, A]
            for order in (
                (answers("x", "1"), answers("y", "2"), answers("z", "3")),
                (answers("z", "3"), answers("y", "2"), answers("x", "1")),
                (answers("y", "2"), answers("z", "3"), answers("x", "1")),
            )
        ],
        [[calls(called("x"), called("y"), called("z")), answers("x", "1"), A, answers("y", "2"), answers("z", "3")]],
        [[calls(called("x"), called("y"), called("z")), answers("x", "1"), answers("y", "3"), answers("z", "2"), A]],
        [
            [
                calls(called("z"), called("y", name="g"), called("x")),
                answers("x", "1"),
                answers("y", "2"),
                answers("z", "3"),
                A,
            ]
        ],
    ],
    "order of calls": [
        [[calls(called("x", name="f"), called("y", name="g"))], [calls(called("y", name="f"), called("x", name="g"))]],
        [[calls(called("x", name="g"), called("y", name="f"))]],
    ],
    "arguments": [
        with_arguments('{"a":1,"b":[1,2]}', '{ "b": [1, 2],\n "a": 1.0 }', '{"a":1,"b":[1,2]}\r\n'),
        with_arguments('{"a":1,"b":[2,1]}'),
        with_arguments('{"a":"1","b":[1,2]}'),
        with_arguments('{"a":true,"b":[1,2]}'),
        with_arguments('{"a":null,"b":[1,2]}'),
        with_arguments('{"b":[1,2]}'),
        with_arguments('{"a":"\\u00e9"}', '{"a":"\u00e9"}'),
        with_arguments("{}", " { } "),
        with_arguments(""),
        with_arguments("[]"),
        with_arguments('{"a":1'),
        with_arguments('{"a": 1'),
        with_arguments('"a"'),
        with_arguments("1"),
        with_arguments("1.0"),
        with_arguments('{"a":12345678901234567890123}'),
        with_arguments('{"a":12345678901234567890124}'),
        with_arguments('{"a":"\\ud83d"}'),
        with_arguments('{"a":NaN}'),
        with_arguments('{"a":"NaN"}'),
    ],
    "names and kinds of calls": [
        [[calls(called("x", name="f"))]],
        [[calls(called("x", name="g"))]],
        [[calls({"id": "x", "type": "custom", "custom": {"name": "f", "input": "{}"}})]],
        [[calls({"id": "x", "type": "custom", "custom": {"name": "f", "input": "{ }"}})]],
        [[calls({"id": "x", "type": "function"})]],
        [[calls()]],
    ],
    "a tools answer": [
        with_answer('{"a": 1}', '{"a":1}', '{"a":1.0}\n', [text('{"a":1}')]),
        with_answer('{"a": 2}'),
        with_answer("a"),
        with_answer("a "),
        with_answer("1"),
        with_answer("1.0"),
        with_answer('{"a": 1} ok'),
        with_answer("[1,2]", "[1, 2]", "[1,\r\n2]"),
        with_answer("[2,1]"),
        with_answer('[{"type":"text","text":"a"}]'),
        with_answer(""),
        with_answer([text('{"a":1}'), text("b")]),
        with_answer([text('{"a": 1}'), text("b")]),
        with_answer({"a": 1}),
    ],
    "a legacy function call": [
        [
            [{"role": "assistant", "function_call": {"name": "f", "arguments": arguments}}]
            for arguments in ('{"a": 1}', '{"a":1}')
        ],
        [[{"role": "assistant", "function_call": {"name": "f", "arguments": '{"a":2}'}}]],
        [[{"role": "assistant", "function_call": {"name": "g", "arguments": '{"a":1}'}}]],
        [[{"role": "assistant"}]],
    ],
    "images": [
        [
            image(f"data:image/png;base64,{PNG_64}"),
            image(f"DATA:image/PNG;BASE64,{PNG_64}"),
            image(f"data:image/png;base64,{PNG_64[:20]}\n{PNG_64[20:]}"),
            image(f"data:image/png;base64,{PNG_64}", detail=None),
        ],
        [image(f"data:image/jpeg;base64,{PNG_64}")],
        [image(f"data:image/png;base64,{base64.b64encode(PNG + b'x').decode()}")],
        [image(f"data:image/png;base64,{PNG_64}", detail="low")],
        [image(f"data:image/png;base64,{PNG_64}", detail="high")],
        [image("data:image/png;base64,"), image("data:image/png;base64,\n")],
        [image("data:image/png;base64,!")],
        [image("data:image/png;base64,?")],
        [image("data:image/png")],
        [image("https://example.com/a.png")],
        [image("https://example.com/A.png")],
        [image("http://example.com/a.png")],
        [image(PNG_64)],
        [image(f"data:image/png,{PNG_64}")],
        [image("data:,a%20b"), image("data:,a b"), image("data:,%61%20b")],
        [image(hashlib.sha256(PNG).hexdigest())],
        [image(json.dumps({"media_type": "image/png", "sha256": hashlib.sha256(PNG).hexdigest()}))],
    ],
    "order of images": [
        [image("https://example.com/1")[:1] + image("https://example.com/2")],
        [image("https://example.com/2")[:1] + image("https://example.com/1")],
    ],
    "audio": [
        [audio(PNG_64), audio(PNG_64[:8] + "\r\n" + PNG_64[8:])],
        [audio(PNG_64, "mp3")],
        [audio(base64.b64encode(b"x" + PNG).decode())],
        [audio("not base64!")],
        [audio("not base64?")],
        [audio(f"data:audio/wav;base64,{PNG_64}")],
    ],
    "files": [
        [file(file_data=PNG_64), file(file_data=PNG_64 + "\n", filename=None)],
        [file(file_data=PNG_64, filename="a.pdf")],
        [file(file_data=PNG_64, filename="b.pdf")],
        [file(file_data=f"data:application/pdf;base64,{PNG_64}")],
        [file(file_data=f"data:text/plain;base64,{PNG_64}")],
        [file(file_id="file-1")],
        [file(file_id="file-2")],
    ],
    "cache control": [
        [
            [says([text("a", **CACHED), text("b")])],
            [says([text("a"), text("b", **CACHED)])],
            [says([text("a"), text("b")])],
        ],
        [[says("a") | CACHED]],
        [[says("a")], [says([text("a", **CACHED)])]],
        [[says([{"type": "text", "text": {"cache_control": 1}}])]],
        [[says([{"type": "x", "x": {"cache_control": 1}}])]],
        [[says([{"type": "x", "x": {}}])]],
    ],
}


def form(messages: Any) -> str:
    """Spell a conversation's one form as text, `true` apart from `1`."""
    return json.dumps(conversation(copy.deepcopy(messages)), sort_keys=True)


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES.keys())
def test_conversations_of_one_class_have_one_form(classes: list[list[Messages]]) -> None:
    for spellings in classes:
        assert {form(messages) for messages in spellings} == {form(spellings[0])}


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES.keys())
def test_conversations_of_different_classes_never_have_one_form(classes: list[list[Messages]]) -> None:
    by_form: dict[str, list[Messages]] = {}
    for spellings in classes:
        by_form.setdefault(form(spellings[0]), []).append(spellings[0])
    assert [confused for confused in by_form.values() if len(confused) > 1] == []


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES.keys())
def test_the_one_form_is_its_own(classes: list[list[Messages]]) -> None:
    for spellings in classes:
        for messages in spellings:
            once = conversation(copy.deepcopy(messages))
            assert form(once) == json.dumps(once, sort_keys=True)


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES.keys())
def test_what_is_given_is_not_changed(classes: list[list[Messages]]) -> None:
    for spellings in classes:
        for messages in spellings:
            before = copy.deepcopy(messages)
            conversation(messages)
            assert messages == before


@pytest.mark.parametrize(
    "odd", [None, 7, "text", {}, {"role": "user"}, [7], [None, "x", []], [{}], [{"role": ["tool"]}], [{"content": 7}]]
)
def test_what_is_no_conversation_stands_as_it_is(odd: Any) -> None:
    assert conversation(odd) == odd


CRASHES: dict[str, Any] = {
    "a tool message without an id, beside a call with an empty one": [calls(called("")), says("x", "tool")],
    "a tool message whose id is no text, beside a call with an empty one": [
        calls(called("")),
        answers("", "x"),
        answers("", "y") | {"tool_call_id": 5},
    ],
    "calls with one empty id for all": [calls(called(""), called("")), answers("", "1"), answers("", "2")],
    "ids that are no texts": [
        calls(called("") | {"id": 5}, called("") | {"id": None}),
        answers("", "x") | {"tool_call_id": 5},
    ],
    "calls that are none": [{"role": "assistant", "tool_calls": [7, None, "x", []]}],
    "a call whose function is none": [{"role": "assistant", "tool_calls": [{"id": "x", "function": 7}]}],
    "tool calls that are no list": [{"role": "assistant", "tool_calls": {"id": "x"}}, answers("x", "1")],
    "a data URI with half a character": image("data:,\ud83d"),
    "a data URI of a kind with half a character": image("data:text/\ud83d;base64,QUJD"),
    "base64 with half a character": image("data:image/png;base64,\ud83d"),
    "audio with half a character": audio("\ud83d"),
    "arguments with half a character": with_arguments('{"a":"\ud83d"}')[0],
    "arguments with an infinity": with_arguments('{"a": Infinity}')[0],
    "an answer with an infinity": with_answer('{"a": -Infinity}')[0],
    "an answer with a number out of range": with_answer('{"a": 1e999}')[0],
    "arguments that are nested deep": with_arguments("[" * 5000 + "]" * 5000)[0],
    "parts that are none": [
        says([7, None, {"type": "image_url", "image_url": "data:,x"}, {"type": "file", "file": 7}])
    ],
}


@pytest.mark.parametrize("odd", CRASHES.values(), ids=CRASHES.keys())
def test_whatever_a_client_sends_has_one_form(odd: Any) -> None:
    once = conversation(copy.deepcopy(odd))
    assert form(once) == json.dumps(once, sort_keys=True)


@pytest.mark.parametrize(
    "pair",
    [
        ('{"a":1,"a":2}', '{"a":3,"a":2}'),
        ('[{"x":"yes","x":"no"}]', '[{"x":"maybe","x":"no"}]'),
    ],
)
def test_a_name_that_occurs_twice_in_a_tools_answer_is_not_lost(pair: tuple[str, str]) -> None:
    one, other = (form(messages) for messages in with_answer(*pair))
    assert one != other


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\r\nb", "a\nb"),
        ([text("a")], "a"),
        ([text("a"), text("b")], [text("a"), text("b")]),
        ([], []),
        (None, None),
        ({"type": "text"}, {"type": "text"}),
    ],
)
def test_content_is_a_text_or_a_list_of_parts(value: Any, expected: Any) -> None:
    assert content(value) == expected


def test_media_count_by_the_digest_of_their_decoded_bytes() -> None:
    digest = hashlib.sha256(PNG).hexdigest()
    (message,) = conversation(image(f"data:image/png;base64,{PNG_64}"))
    assert message["content"][0]["image_url"]["url"] == {"media_type": "image/png", "sha256": digest}
    (message,) = conversation(file(file_data=PNG_64))
    assert message["content"][0]["file"]["file_data"] == {"sha256": digest}


def test_ids_are_renamed_in_the_order_of_their_first_appearance() -> None:
    messages = [calls(called("zz"), called("aa")), answers("aa", "2"), answers("zz", "1")]
    first, second, third = conversation(messages)
    assert [call["id"] for call in first["tool_calls"]] == ["call_1", "call_2"]
    assert [(second["tool_call_id"], second["content"]), (third["tool_call_id"], third["content"])] == [
        ("call_1", "1"),
        ("call_2", "2"),
    ]
