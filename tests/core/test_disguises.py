"""A credential is found in whatever form it stands in, and what takes its place is as long and valid there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.disguises import MARK, Span, mark, replaced, spans

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-Zq/+81x==planted99"

FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda key: key,
    "lower case": str.lower,
    "upper case": str.upper,
    "hexadecimal digits": lambda key: key.encode().hex(),
    "hexadecimal digits in upper case": lambda key: key.encode().hex().upper(),
    "percent": lambda key: quote(key, safe=""),
    "percent in lower case": lambda key: quote(key, safe="").lower().replace(key.lower(), key),
    "percent, all of it": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "percent, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "escaped slashes": lambda key: key.replace("/", "\\/"),
    "escaped slashes in JSON within JSON": lambda key: key.replace("/", "\\\\\\/"),
    "JSON escapes": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in key),
    "JSON escapes in JSON": lambda key: "".join(f"\\\\u{ord(letter):04X}" for letter in key),
    "as .NET escapes": lambda key: key.replace("+", "\\u002B").replace("/", "\\u002F"),
    "percent in JSON escapes": lambda key: "".join(f"\\u{ord(letter):04x}" for letter in quote(key, safe="")),
    "base64, percent": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
}


def cleaned(data: bytes, *secrets: str) -> bytes:
    return replaced(data, spans(data, [secret.encode() for secret in secrets]))


@pytest.mark.parametrize("form", FORMS)
def test_a_credential_is_found_in_each_form(form: str) -> None:
    spelt = FORMS[form](KEY).encode()
    data = b'{"a":"b ' + spelt + b' c"}'
    clean = cleaned(data, KEY)
    assert spelt not in clean
    assert b"planted99" not in clean.lower()
    assert len(clean) == len(data)
    assert clean.startswith(b'{"a":"b ')
    assert clean.endswith(b' c"}')
    assert json.loads(clean)
    assert cleaned(clean, KEY) == clean


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_found_wherever_in_it_the_credential_begins_and_stays_base64(
    encode: Callable[[bytes], bytes], before: int, after: int
) -> None:
    inner = b"x" * before + KEY.encode() + b"y" * after
    data = b'"' + encode(inner) + b'"'
    clean = cleaned(data, KEY)
    undone = base64.b64decode(clean[1:-1].replace(b"-", b"+").replace(b"_", b"/"), validate=True)
    assert len(undone) == len(inner)
    assert undone[:before] == inner[:before]
    assert KEY.encode()[1:-1] not in undone
    assert b"planted" not in undone


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be"])
def test_text_of_two_bytes_a_letter_is_found(coding: str) -> None:
    data = f"a {KEY} b".encode(coding)
    clean = cleaned(data, KEY)
    assert KEY.encode(coding) not in clean
    assert len(clean) == len(data)


@pytest.mark.parametrize(
    "secret", ['quo"ted-0123', "back\\slash-0123", 'both\\"-"0123\\', "with space-0123", "100%25-percent"]
)
def test_a_credential_of_any_characters_is_found_in_json_of_any_depth(secret: str) -> None:
    text = f"a {secret} b"
    for _ in range(4):
        clean = cleaned(text.encode(), secret)
        assert b"0123" not in clean
        assert len(clean) == len(text.encode())
        text = json.dumps({"in": text})


def test_a_longer_credential_is_replaced_before_one_that_it_contains() -> None:
    assert cleaned(b"abcdefgh-longer abcdefgh", "abcdefgh", "abcdefgh-longer") == b"[redacted]***** [redacte"


def test_two_that_follow_each_other_are_two_and_two_that_overlap_are_one() -> None:
    assert cleaned(b"abcdefghabcdefgh", "abcdefgh") == b"[redacte[redacte"
    assert cleaned(b"abcdefghijkl", "abcdefgh", "efghijkl") == b"[redacted]**"


def test_spans_are_filled_in_their_order_whatever_order_they_come_in() -> None:
    assert replaced(b"0123456789", [Span(6, 8, mark), Span(1, 3, lambda length: b"x" * length)]) == b"0xx345[r89"


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 100])
def test_a_mark_is_as_long_as_is_asked(length: int) -> None:
    assert len(mark(length)) == length
    assert mark(length).startswith(MARK[:length])


def test_a_short_credential_is_looked_for_in_its_own_case_alone() -> None:
    assert cleaned(b"Planted1 planted1 PLANTED1", "Planted1") == b"[redacte planted1 PLANTED1"


TEXTS = st.lists(
    st.sampled_from(["%", "\\", "u00", "2f", "/", '"', "a", "é", " ", *(form(KEY) for form in FORMS.values())])
).map("".join)


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_no_length_changes_and_a_second_time_nothing_does(text: str) -> None:
    data = text.encode()
    clean = cleaned(data, KEY)
    assert len(clean) == len(data)
    assert KEY.encode() not in clean
    assert cleaned(clean, KEY) == clean


@given(st.binary(max_size=60))
def test_what_holds_no_credential_is_the_very_same(data: bytes) -> None:
    assert cleaned(data) is data
    assert cleaned(data, KEY) is data
