"""Cassettes of VCR.py, those that it wrote and those that nobody should have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proxy.foreign import vcr

if TYPE_CHECKING:
    from proxy.foreign.exchange import Exchange

HERE = Path(__file__).parent
URL = "http://127.0.0.1:8771/v1/chat/completions"


def read(name: str) -> list[Exchange]:
    data = (HERE / name).read_bytes()
    value = json.loads(data) if name.endswith(".json") else vcr.parsed(data)
    assert vcr.is_cassette(value)
    return [told.read() for told in vcr.entries(value)]


def one(request: Any = None, response: Any = None) -> Exchange:
    """Read an entry that has what is given, and else what it must have."""
    asked = {"method": "POST", "uri": URL, "body": "", "headers": {}, **(request or {})}
    answered = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": ""}, **(response or {})}
    (told,) = vcr.entries({"interactions": [{"request": asked, "response": answered}]})
    return told.read()


def test_what_requests_recorded_is_read() -> None:
    plain, _, stream, *_, german, models = read("requests.yaml")
    assert (plain.method, plain.url, plain.status) == ("POST", URL, 200)
    assert json.loads(plain.request_body)["messages"] == [{"role": "user", "content": "hi"}]
    assert ("Authorization", "Bearer sk-proj-PLANTED0123456789abcdefgh") in plain.request_headers
    assert json.loads(plain.response_body)["choices"][0]["message"]["content"] == "Grüße 🎲"
    assert ("Content-Encoding", "gzip") in plain.response_headers
    assert plain.recorded_at == "2026-11-25T14:56:51.000Z"
    assert stream.response_body.endswith(b"data: [DONE]\n\n")
    assert "Zürich".encode() in german.request_body
    assert (models.method, models.request_body) == ("GET", b"")


def test_what_the_openai_sdk_recorded_is_read_as_the_bytes_that_came() -> None:
    assert [exchange.response_body[:2] for exchange in read("openai.yaml")] == [b"\x1f\x8b", b"\x1f\x8b"]


def test_a_body_that_aiohttp_was_given_parsed_is_written_as_json() -> None:
    plain, stream = read("aiohttp.yaml")
    assert plain.request_body == '{"messages":[{"content":"Zürich","role":"user"}],"model":"m"}'.encode()
    assert json.loads(stream.request_body)["stream"] is True


def test_a_cassette_in_json_is_the_same_in_other_clothes() -> None:
    plain, stream = read("requests.json")
    assert json.loads(plain.request_body)["model"] == "m"
    assert "Grüße".encode() in stream.response_body


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"body": {"string": "ü"}}, "ü".encode()),
        ({"body": {"string": b"\xff"}}, b"\xff"),
        ({"body": {"string": None}}, b""),
        ({"body": "ü"}, "ü".encode()),
        ({"body": None}, b""),
        ({"body": {"string": [b"a", "b"]}}, b"ab"),
        ({"parsed_body": {"a": ["ü"]}}, '{"a":["ü"]}'.encode()),
    ],
)
def test_a_body_is_read_in_any_form(response: Any, body: bytes) -> None:
    assert one(response=response).response_body == body


def test_what_the_stubs_of_httpx_wrote_until_2024_is_read() -> None:
    response = {"content": "said", "http_version": "HTTP/1.1", "status_code": 404, "headers": {"date": ["x"]}}
    (told,) = vcr.entries({"interactions": [{"request": {"method": "POST", "uri": URL}, "response": response}]})
    exchange = told.read()
    assert (exchange.response_body, exchange.status, exchange.recorded_at) == (b"said", 404, None)


def test_a_header_field_may_be_a_list_or_one_value() -> None:
    headers = {"a": ["1", "2"], "b": "3", "c": 4, "d": [b"\xe9"]}
    assert one({"headers": headers}).request_headers == (
        *(("a", "1"), ("a", "2"), ("b", "3"), ("c", "4")),
        ("d", "\udce9"),
    )


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("Wed, 25 Nov 2026 14:56:51 GMT", "2026-11-25T14:56:51.000Z"),
        ("Wed, 25 Nov 2026 15:56:51 +0100", "2026-11-25T14:56:51.000Z"),
        ("Wed, 25 Nov 2026 14:56:51 -0000", "2026-11-25T14:56:51.000Z"),
        ("yesterday", None),
        ("Wed, 99 Nov 2026 14:56:51 GMT", None),
    ],
)
def test_when_it_was_recorded_is_when_the_answer_was_sent(date: str, at: str | None) -> None:
    assert one(response={"headers": {"Date": [date]}}).recorded_at == at


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        ({"method": None}, {}),
        ({"uri": 1}, {}),
        ({"headers": []}, {}),
        ({"headers": {1: "a"}}, {}),
        ({"body": 1.5}, {}),
        ({"body": "\ud83d"}, {}),
        ({}, {"status": None}),
        ({}, {"status": {"code": "200"}}),
        ({}, {"body": {"string": {"a": {1, 2}}}}),
        ({}, {"headers": {"a": ["\ud83d"]}}),
        ({}, {"headers": {"a": [["b"]]}}),
    ],
)
def test_an_entry_that_has_another_form_is_told_when_it_is_read(request_: Any, response: Any) -> None:
    with pytest.raises(ValueError):
        one(request_, response)


@pytest.mark.parametrize(
    "entry",
    [
        {"request": {"body": ["*text"] * 200}},
        {"response": {"body": {"string": ["*text"] * 200}}},
        {"response": {"headers": {"a": ["*text"] * 200}}},
        {"response": {"headers": {"a": "*nested"}}},
        {"response": {"body": "*nested"}},
    ],
)
def test_a_few_lines_that_stand_for_any_number_of_bytes_are_told_and_not_written_out(
    entry: dict[str, dict[str, Any]],
) -> None:
    text = "x" * 1024 * 1024
    nested: list[Any] = [text]
    for _ in range(12):
        nested = [nested] * 10
    anchors = {"*text": text, "*nested": nested}

    def meant(value: Any) -> Any:
        """Put in what YAML's aliases would stand for."""
        if isinstance(value, dict):
            return {name: meant(inner) for name, inner in value.items()}
        return [anchors[item] for item in value] if isinstance(value, list) else anchors[value]

    with pytest.raises(ValueError, match=r"longer|larger|should be"):
        one(**{name: meant(value) for name, value in entry.items()})


@pytest.mark.parametrize("item", [None, 1, "x", [], {}, {"request": []}, {"request": {"method": 1, "uri": None}}])
def test_an_entry_of_which_nothing_can_be_told_is_told_as_that(item: Any) -> None:
    (told,) = vcr.entries({"interactions": [item]})
    assert (told.place, told.method, told.url) == (1, "", "")
    with pytest.raises(ValueError):
        told.read()


@pytest.mark.parametrize("value", [None, [], {}, {"interactions": {}}, {"http_interactions": []}, "interactions: []"])
def test_what_is_no_cassette_is_known(value: Any) -> None:
    assert not vcr.is_cassette(value)


def parsed(text: str) -> Any:
    return vcr.parsed(text.encode())


def test_plain_values_and_the_tags_of_old_cassettes_are_read() -> None:
    text = """
    text: ü
    quoted: '1'
    number: -17
    float: 1.5
    none: null
    truth: true
    bytes: !!binary aGk=
    unicode: !!python/unicode 'ü'
    shared: &id001 [a]
    again: *id001
    """
    assert parsed(text) == {
        "text": "ü",
        "quoted": "1",
        "number": -17,
        "float": 1.5,
        "none": None,
        "truth": True,
        "bytes": b"hi",
        "unicode": "ü",
        "shared": ["a"],
        "again": ["a"],
    }


@pytest.mark.parametrize("text", ["2026-11-22", "2026-99-99", "1:30", "1:30:00.5", "9" * 100_000, "<<", "="])
def test_what_yaml_would_make_more_of_stays_a_text(text: str) -> None:
    assert parsed(f"a: {text}") == {"a": text}


def test_merged_keys_are_not_merged() -> None:
    levels = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12))]
    assert parsed("\n".join(levels))["a11"].keys() == {"<<"}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "\x00",
        "a: !!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "a: !!set {b}",
        "a: !unknown b",
        "a: *nowhere",
        "a: !!int x",
        "a: !!int ''",
        "a: !!int [1]",
        "a: !!float ''",
        "a: !!bool maybe",
        "a: !!binary ü",
        "? [a]\n: b",
        "--- a\n--- b",
        "[" * 100_000,
        "- " * 100_000,
        "{a: " * 5000,
    ],
    ids=lambda text: text[:30],
)
def test_what_is_no_yaml_of_plain_values_is_told(text: str) -> None:
    with pytest.raises(ValueError) as told:
        parsed(text)
    assert str(told.value).isprintable()


def test_what_vcr_itself_would_write_comes_back() -> None:
    value = {"interactions": [{"a": "ü\x1b\n", "b": b"\xff\0", "c": [None, True, 1, 1.5]}], "version": 1}
    assert parsed(yaml.dump(value)) == value
