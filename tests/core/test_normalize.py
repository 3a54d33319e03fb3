"""The key: of what it is made, what it outlives, and what it never confuses."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Request, Variant
from proxy.core.normalize import NORMALIZER, Canonical, is_chat, normalize

if TYPE_CHECKING:
    from random import Random

CHAT = "/v1/chat/completions"
Path = tuple[str | int, ...]


def asked(body: Any, path: str = CHAT, method: str = "POST") -> Canonical:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return normalize(Request(method, path, body=data))


GOLDEN: dict[str, tuple[Request, str]] = {
    "the least": (
        Request("POST", CHAT, body=b'{"messages":[{"role":"user","content":"Hi"}],"model":"gpt-5.4"}'),
        "67bb2cd29abf4f3b1cb2038613c37636e9f84c7e9f22b8b37673fef58674efe4",
    ),
    "an agent": (
        Request(
            "POST",
            CHAT,
            "api-version=1",
            (("authorization", "Bearer x"),),
            json.dumps(
                {
                    "model": "gpt-5.4",
                    "temperature": 0.0,
                    "max_tokens": 100,
                    "stop": "END",
                    "stream": True,
                    "stream_options": {"include_usage": True},
                    "user": "someone",
                    "messages": [
                        {"role": "system", "content": "Be brief.\r\nBe kind."},
                        {
                            "role": "user",
                            "content": [
                                {"type": "text", "text": "caf\u00e9"},
                                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                            ],
                        },
                        {
                            "role": "assistant",
                            "content": None,
                            "tool_calls": [
                                {
                                    "id": "call_x",
                                    "type": "function",
                                    "function": {"name": "f", "arguments": '{"b": 2.0, "a": 1}'},
                                }
                            ],
                        },
                        {"role": "tool", "tool_call_id": "call_x", "content": '{"ok": true}'},
                    ],
                    "tools": [
                        {
                            "type": "function",
                            "function": {
                                "name": "f",
                                "strict": False,
                                "parameters": {
                                    "type": "object",
                                    "properties": {"a": {"enum": ["z", "y"]}},
                                    "required": ["b", "a"],
                                },
                            },
                        }
                    ],
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
                    },
                }
            ).encode(),
        ),
        "41838bef5822ad08f274bd1173c59b80bed409d7c542e62192fd05efbe8287a6",
    ),
    "a body that only the standard library reads": (
        Request(
            "POST",
            CHAT,
            body=rb'{"messages":[{"role":"user","content":"\ud83d caf\u00e9"}],"seed":123456789012345678901234567890}',
        ),
        "897c0bfdb54e4bbd6bc43bd6a200f7dd921b89aa28e7de057d247fae49e962a8",
    ),
    "embeddings": (
        Request("POST", "/v1/embeddings", body=b'{"model":"m","input":["b","a"],"user":"u","dimensions":8.0}'),
        "774bb1325df30c9e36bfd42ceecc3b7f746298de37608a8bdcad08fe425cd0d9",
    ),
    "bytes": (
        Request("POST", "/v1/files", body=b"--x\r\n\r\nnot json"),
        "928db56bd2e321d1f36af9a0a61ec0c73bb534ae31d514ae4dd0ef73274f3885",
    ),
    "no body": (Request("GET", "/v1/models"), "67af7bb681d0f7e6b3f60ac9714d83b762a6b90f421c2ecda6e36175db856716"),
}


@pytest.mark.parametrize(("request_", "key"), GOLDEN.values(), ids=GOLDEN.keys())
def test_keys_of_this_normalizer_stay_as_they_are(request_: Request, key: str) -> None:
    """A key that changes here changes in every cassette: then NORMALIZER must be raised."""
    assert NORMALIZER == 1
    assert normalize(request_).key == key


def test_a_key_is_the_digest_of_the_canonical_request() -> None:
    canonical = asked(
        {"temperature": 0.0, "model": "m", "messages": [{"content": "\u00e9", "role": "user"}], "stream": True}
    )
    body = '{"messages":[{"content":"\u00e9","role":"user"}],"model":"m","temperature":0}'
    text = f'{{"body":{body},"method":"POST","path":"/v1/chat/completions"}}'
    assert canonical.key == hashlib.sha256(b"llmtape/1\n" + text.encode()).hexdigest()
    assert canonical.variant is Variant.SSE


def test_headers_and_query_are_not_in_the_key() -> None:
    bare = Request("POST", CHAT, body=b"{}")
    dressed = Request(
        "POST", CHAT, "api-version=2", (("authorization", "Bearer x"), ("x-stainless-retry-count", "1")), b"{}"
    )
    assert normalize(bare) == normalize(dressed)


def test_method_path_and_body_are_in_the_key() -> None:
    keys = [
        normalize(Request(method, path, body=body)).key
        for method in ("GET", "POST", "DELETE")
        for path in ("/v1/x", "/v1/x/y", "/v1/X", CHAT)
        for body in (
            b"",
            b"null",
            b"{}",
            b"[]",
            b'""',
            b"0",
            b"false",
            b" ",
            b"x",
            hashlib.sha256(b"x").hexdigest().encode(),
        )
    ]
    assert len(set(keys)) == len(keys)
    assert asked(b"{}", method="post").key == asked(b"{}").key


def test_bytes_and_the_json_that_names_their_digest_are_told_apart() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    assert asked(b"x").content["body_sha256"] == digest
    assert (
        len({asked(body).key for body in (b"x", f'"{digest}"'.encode(), f'{{"body_sha256":"{digest}"}}'.encode())}) == 3
    )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", CHAT, True),
        ("post", "/chat/completions", True),
        ("POST", "/openai/deployments/m/chat/completions", True),
        ("GET", CHAT, False),
        ("POST", "/v1/chat/completions/c1", False),
        ("POST", "/v1/completions", False),
        ("POST", "/v1/mychat/completions", False),
        ("POST", "/v1/embeddings", False),
    ],
)
def test_chat_completions_are_told_by_method_and_path(method: str, path: str, *, expected: bool) -> None:
    assert is_chat(Request(method, path)) is expected


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"input":"a","model":"m"}', b'{ "model":"m", "input":"\\u0061" }', True),
        (b'{"dimensions":1}', b'{"dimensions":1.0}', True),
        (b'{"input":"a"}', b'{"input":["a"]}', False),
        (b'{"input":["a","b"]}', b'{"input":["b","a"]}', False),
        (b'{"input":"a"}', b'{"input":"a","user":"u"}', False),
        (b'{"input":"a"}', b'{"input":"a","user":null}', False),
        (b'{"input":"a"}', b'{"input":"a","metadata":{}}', False),
        (b'{"input":"a"}', b'{"input":"a","stream":true}', False),
        (b'{"input":"a\\r\\n"}', b'{"input":"a\\n"}', False),
        (b'{"n":1}', b"{}", False),
    ],
)
def test_other_paths_count_by_canonical_json_alone(one: bytes, other: bytes, *, same: bool) -> None:
    for path in ("/v1/embeddings", "/v1/responses", "/v1/completions"):
        assert (asked(one, path).key == asked(other, path).key) is same


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"7",
        b"null",
        b'"text"',
        b"true",
        b"not json",
        b"\xff\xfe",
        b"[" * 5000,
        b"[" * 300 + b"]" * 300,
        b'{"a":"\xff"}',
        b"\x1f\x8b\x08",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_bodies_that_are_no_objects_have_keys_too(body: bytes) -> None:
    canonical = asked(body)
    assert canonical.variant is Variant.JSON
    assert canonical.key != asked(body + b"1").key


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'\xef\xbb\xbf{"model":"m"}', b'{"model":"m"}', True),
        (rb'{"seed":1.0,"model":"\ud83d"}', rb'{"model":"\uD83D", "seed":1}', True),
        (rb'{"model":"\ud83d"}', rb'{"model":"\ud83e"}', False),
        (rb'{"model":"\ud83d"}', rb'{"model":"\\ud83d"}', False),
        (b'{"seed":18446744073709551616}', b'{"seed":18446744073709551617}', False),
        (b'{"seed":123456789012345678901234567890}', b'{"seed":1.2345678901234568e29}', False),
        (b'{"temperature":NaN}', b'{"temperature":null}', False),
        (b'{"temperature":NaN}', b'{"temperature":Infinity}', False),
        (b'{"temperature":Infinity}', b'{"temperature":-Infinity}', False),
        (b'{"temperature":Infinity}', b'{ "temperature" : Infinity }', True),
    ],
)
def test_bodies_that_orjson_rejects_are_read_all_the_same(one: bytes, other: bytes, *, same: bool) -> None:
    assert (asked(one).key == asked(other).key) is same


@pytest.mark.parametrize("number", ["1e400", "-1e400", "Infinity", "-Infinity"])
@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings"])
def test_a_number_that_is_out_of_range_is_no_reason_to_fail(number: str, path: str) -> None:
    assert asked(f'{{"temperature":{number}}}'.encode(), path).key


# --- generated bodies -------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "",
        "a\r\nb",
        "a\r\r\nb",
        '{"b": 1.0, "a": [1, 2]}',
        "[1e5, NaN]",
        "caf\u00e9",
        "cafe\u0301",
        "\U0001f642",
        "null",
        "\ufeff",
        " { } ",
    ]
)
NUMBERS = st.sampled_from(
    [0, 1, 2, -1, 0.0, -0.0, 0.5, 1.0, 0.7, 1e-05, 2**53, 2**53 + 1, 2**64, 10**30, 1e30, True, False]
)
NAMES = st.sampled_from(["a", "b", "required", "user", "metadata", "enum", "properties", "n", "stream", "type"])
PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
    st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries(
                {"url": st.sampled_from(["data:image/png;base64,QUJD", "data:,a b", "https://x/y"])}
            ),
        }
    ),
)
SCHEMA = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer"])})
    | st.fixed_dictionaries({"enum": st.lists(TEXTS, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {
            "type": st.just("object"),
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, max_size=3, unique=True),
        }
    ),
    max_leaves=4,
)
TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": NAMES, "description": TEXTS}, optional={"parameters": SCHEMA}),
    }
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": NUMBERS,
        "top_p": NUMBERS,
        "seed": NUMBERS,
        "n": NUMBERS,
        "max_tokens": NUMBERS,
        "presence_penalty": NUMBERS,
        "stop": TEXTS | st.lists(TEXTS, max_size=2),
        "tools": st.lists(TOOL, min_size=1, max_size=2),
        "tool_choice": st.sampled_from(["auto", "none", "required"]),
        "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
        "logit_bias": st.dictionaries(st.sampled_from("123"), NUMBERS, max_size=2),
        "extra": st.recursive(
            NUMBERS | TEXTS,
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
            max_leaves=4,
        ),
    },
)


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Make one exchange: a text of someone's, or tool calls that are all answered."""
    if draw(st.booleans()):
        role = draw(st.sampled_from(["user", "system", "developer", "assistant"]))
        return [{"role": role, "content": draw(TEXTS | st.lists(PARTS, min_size=1, max_size=2))}]
    ids = draw(st.lists(st.sampled_from(["x", "y", "call_1", "call_2", "call_3"]), min_size=1, max_size=3, unique=True))
    calls = [
        {"id": each, "type": "function", "function": {"name": draw(NAMES), "arguments": draw(TEXTS)}} for each in ids
    ]
    answers = [{"role": "tool", "tool_call_id": each, "content": draw(TEXTS)} for each in draw(st.permutations(ids))]
    return [{"role": "assistant", "content": draw(TEXTS), "tool_calls": calls}, *answers]


CONVERSATIONS = st.lists(turns(), max_size=3).map(lambda several: [message for turn in several for message in turn])
BODIES = st.builds(
    lambda model, messages, more: {"model": model, "messages": messages} | more, TEXTS, CONVERSATIONS, SETTINGS
)


def respelt(value: Any, random: Random, *, is_ordered: bool = False) -> str:
    """Write JSON in one of its many spellings; the properties of a schema keep their order, which counts."""
    gap = random.choice(["", "", " ", "\n", "\t", "\r\n "])
    if isinstance(value, dict):
        names = list(value)
        if not is_ordered:
            random.shuffle(names)
        fields = (
            f"{respelt(name, random)}{gap}:{gap}{respelt(value[name], random, is_ordered=name == 'properties')}"
            for name in names
        )
        return f"{{{gap}{f'{gap},'.join(fields)}{gap}}}"
    if isinstance(value, list):
        return f"[{gap}{f',{gap}'.join(respelt(item, random) for item in value)}{gap}]"
    if isinstance(value, str):
        return _respelt_text(value, random)
    if isinstance(value, bool) or value is None or not float(value).is_integer() or abs(value) >= 2**53:
        return json.dumps(value)
    return random.choice([str(int(value)), f"{int(value)}.0", f"{int(value)}.00e0", f"{int(value)}E+0"])


def _respelt_text(text: str, random: Random) -> str:
    spelt = "".join(_respelt_character(character, random) for character in text)
    return f'"{spelt}"'


def _respelt_character(character: str, random: Random) -> str:
    if character.isascii() and random.random() < 0.3:
        return f"\\u{ord(character):04X}"
    return json.dumps(character, ensure_ascii=random.random() < 0.3)[1:-1]


def leaves(value: Any, path: Path = ()) -> list[Path]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in leaves(item, (*path, name))]
    if isinstance(value, list):
        return [leaf for place, item in enumerate(value) for leaf in leaves(item, (*path, place))]
    return [path]


def counts(path: Path) -> bool:
    """Tell whether another value there is another question: ids of calls are names, `required` is a set."""
    return path[-1] != "id" and "required" not in path[-2:]


def changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return f"{value}!" if isinstance(value, str) else -value - 3


@settings(deadline=None, max_examples=200)
@given(BODIES)
def test_normalizing_twice_changes_nothing_more(body: dict[str, Any]) -> None:
    once = asked(body)
    again = asked(once.content["body"])
    assert again.content == once.content
    assert again.key == once.key


@settings(deadline=None, max_examples=100)
@given(BODIES, st.randoms(use_true_random=False))
def test_respelling_a_body_never_changes_its_key(body: dict[str, Any], random: Random) -> None:
    text = respelt(body, random)
    assert json.loads(text) == body
    assert asked(text.encode()).key == asked(body).key


@settings(deadline=None, max_examples=150)
@given(
    BODIES,
    st.sampled_from(["user", "metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier"]),
    TEXTS | NUMBERS,
)
def test_adding_what_only_tells_how_it_travels_never_changes_the_key(
    body: dict[str, Any], name: str, value: Any
) -> None:
    assert asked(body | {name: value}).key == asked(body).key
    streamed = asked(body | {"stream": True, "stream_options": {"include_usage": True}})
    assert (streamed.key, streamed.variant) == (asked(body).key, Variant.SSE_USAGE)


@settings(deadline=None, max_examples=120)
@given(BODIES, st.data())
def test_another_value_anywhere_always_changes_the_key(body: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([leaf for leaf in leaves(body) if counts(leaf)]))
    other = copy.deepcopy(body)
    holder: Any = other
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = changed(holder[path[-1]])
    assert asked(other).key != asked(body).key


@settings(deadline=None, max_examples=150)
@given(BODIES, st.data())
def test_another_order_of_different_messages_always_changes_the_key(body: dict[str, Any], data: st.DataObject) -> None:
    said = [{"role": "user", "content": f"{number}"} for number in range(4)]
    other = data.draw(st.permutations(said))
    same = (
        asked(body | {"messages": body["messages"] + said}).key
        == asked(body | {"messages": body["messages"] + other}).key
    )
    assert same == (other == said)


ODD_VALUES = st.recursive(
    st.none()
    | NUMBERS
    | TEXTS
    | st.sampled_from(
        ["\ud83d", "data:,\ud83d", "data:;base64,QQ==", '{"a":"\ud83d"}', '{"a":Infinity}', float("nan"), float("inf")]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "tool_calls",
                    "tool_call_id",
                    "id",
                    "function",
                    "arguments",
                    "type",
                    "text",
                    "image_url",
                    "url",
                    "file",
                    "file_data",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {"messages": st.lists(ODD_VALUES, max_size=3) | ODD_VALUES},
        optional=dict.fromkeys(
            ("tools", "response_format", "prediction", "stop", "stream_options", "functions"), ODD_VALUES
        ),
    )
)
def test_any_json_at_all_has_a_key(body: dict[str, Any]) -> None:
    once = asked(body)
    assert asked(once.content["body"]).key == once.key


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=30))
def test_any_bytes_at_all_have_a_key(body: bytes) -> None:
    assert len(asked(body).key) == 64


def test_the_order_of_a_schemas_properties_counts_since_models_write_in_it() -> None:
    def schema(*names: str) -> bytes:
        properties = {name: {"type": "string"} for name in names}
        wanted = {"name": "out", "schema": {"type": "object", "properties": properties}}
        body = {"model": "m", "messages": [], "response_format": {"type": "json_schema", "json_schema": wanted}}
        return json.dumps(body).encode()

    def key(body: bytes) -> str:
        return normalize(Request("POST", "/v1/chat/completions", body=body)).key

    assert key(schema("reasoning", "answer")) != key(schema("answer", "reasoning"))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("after=a", "after=b", False),
        ("after=a", "", False),
        ("limit=1&after=a", "after=a&limit=1", True),
        ("api-version=1&after=a", "after=a&api-version=2", True),
    ],
)
def test_a_query_counts_where_no_body_asks(one: str, other: str, *, is_same: bool) -> None:
    keys = {normalize(Request("GET", "/v1/files", query)).key for query in (one, other)}
    assert (len(keys) == 1) is is_same
    chats = {normalize(Request("POST", "/v1/chat/completions", query, body=b"{}")).key for query in (one, other)}
    assert len(chats) == 1
