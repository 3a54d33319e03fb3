"""Same value, same bytes; other value, other bytes; and nothing that a client may send makes it fall over."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import canonical
from proxy.core.canonical import DEEPEST
from proxy.core.errors import NotJsonError

SPELLINGS: dict[str, tuple[bytes, ...]] = {
    "key order": (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
    "white space": (b'{"a":[1,2]}', b' {\n\t"a" :\r\n[ 1 , 2 ] } \n'),
    "escapes": ('{"\u00e9":"\u00e9/\U0001f642"}'.encode(), rb'{"\u00e9":"\u00E9\/\ud83d\ude42"}'),
    "zeros": (b"[0]", b"[0.0]", b"[-0.0]", b"[-0]", b"[0e5]", b"[0.000]"),
    "whole floats": (b"[1]", b"[1.0]", b"[1e0]", b"[10E-1]", b"[1.000]"),
    "hundreds": (b"[100]", b"[1e2]", b"[100.0]", b"[1E+2]"),
    "fractions": (b"[0.00001]", b"[1e-05]", b"[1E-5]", b"[0.000010]"),
    "large floats": (b"[1e30]", b"[1E+30]", b"[10e29]"),
    "byte order mark": (b'{"a":1}', b'\xef\xbb\xbf{"a":1}'),
    "beside a lone surrogate": (rb'{"a":"\ud83d","b":1.0}', rb'{ "b":1,"a":"\uD83D" }'),
    "beside NaN": (b'{"a":NaN,"b":"\xc3\xa9"}', rb'{"b":"\u00e9", "a":NaN}'),
    "beside a huge integer": (
        b'{"a":123456789012345678901234567890,"b":1.0}',
        b'{"b":1,"a":123456789012345678901234567890}',
    ),
}

DIFFERENT: tuple[bytes, ...] = (
    b"true", b"1", b'"1"', b'"true"', b"false", b"0", b'"0"', b'""', b"null", b"[]", b"{}", b"[null]", b"[[]]", b"[0]",
    b"1.5", b"-1", b"1e-5", b"[1,2]", b"[2,1]", b"[1,2,2]",
    b'{"a":1}', b'{"a":"1"}', b'{"a":true}', b'{"A":1}', b'{"a":null}',
    b'"a"', b'"A"', b'"a "', b'" a"', b'"a\\u0000"', '"\u00e9"'.encode(), '"e\u0301"'.encode(),
    b'"\\n"', b'"\\r\\n"', b'"\\\\n"',
    b"9007199254740992", b"9007199254740993", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"18446744073709551616", b"18446744073709551617", b"-9223372036854775808", b"-9223372036854775809",
    b"100000000000000000000000000000001", b"100000000000000000000000000000002",
    rb'"\ud83d"', rb'"\ud83e"', rb'"\ude42"', rb'"\ude42\ud83d"', rb'"\ud83d\ude42"', rb'"\\ud83d"',
    b"NaN", b"Infinity", b"-Infinity", b'"NaN"', b'"Infinity"', b"1e308",
)  # fmt: skip

NOT_JSON: tuple[bytes, ...] = (
    b"", b" ", b"{", b"[1,]", b"{'a':1}", b'{"a":1}x', b'{"a":1}{"a":1}', b"01", b"+1", b".5",
    b'"\n"', b'"\xff"', b"\xff\xfe1\x00",
    b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}', b"nan", b"undefined", b'"', b"\x00", b"1" * 5000,
)  # fmt: skip

NESTED = (b"[%b]", b'{"a":%b}', b'{"a":[%b]}')


def canon(data: bytes) -> bytes:
    return canonical.dumps(canonical.loads(data))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def nest(levels: int, shape: bytes = b"[%b]") -> bytes:
    opening, _, closing = shape.partition(b"%b")
    return opening * levels + closing * levels


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**66), 2**66)
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("spellings", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spellings_of_one_value_become_the_same_bytes(spellings: tuple[bytes, ...]) -> None:
    assert {canon(spelling) for spelling in spellings} == {canon(spellings[0])}


def test_different_values_never_become_the_same_bytes() -> None:
    by_form: dict[bytes, list[bytes]] = {}
    for value in DIFFERENT:
        by_form.setdefault(canon(value), []).append(value)
    assert [values for values in by_form.values() if len(values) > 1] == []


@pytest.mark.parametrize("value", DIFFERENT)
def test_the_one_spelling_is_its_own(value: bytes) -> None:
    assert canon(canon(value)) == canon(value)


@pytest.mark.parametrize("data", NOT_JSON, ids=repr)
def test_what_is_no_json_is_told(data: bytes) -> None:
    with pytest.raises(NotJsonError):
        canonical.loads(data)


@pytest.mark.parametrize("data", [b"Infinity", b"-Infinity", b"[1e400]", b"[-1e400]", b'{"a":Infinity}'])
def test_infinities_that_python_writes_can_be_read(data: bytes) -> None:
    assert canon(canon(data)) == canon(data)


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"])
def test_integers_over_64_bits_keep_their_digits(digits: str) -> None:
    assert canon(f'{{"seed":{digits}}}'.encode()) == f'{{"seed":{digits}}}'.encode()


def test_a_duplicate_name_is_not_dropped_in_silence() -> None:
    assert canonical.respell('{"a":1,"a":2}') != canonical.respell('{"a":3,"a":2}')


def test_invalid_utf_8_is_no_json_even_where_it_encodes_surrogates() -> None:
    broken = b'["\xed\xa0\xbd\xed\xb9\x82"]'
    with pytest.raises(NotJsonError):
        canonical.loads(broken)


@pytest.mark.parametrize("shape", NESTED)
def test_nesting_is_read_to_the_limit_and_no_further(shape: bytes) -> None:
    each = shape.count(b"[") + shape.count(b"{")
    fits = DEEPEST // each
    assert canon(nest(fits, shape).replace(b'"a":}', b'"a":1}'))
    for levels in (fits + 1, 600, 1500, 100_000):
        with pytest.raises(NotJsonError):
            canonical.loads(nest(levels, shape).replace(b'"a":}', b'"a":1}'))


def test_a_lone_surrogate_does_not_move_the_limit() -> None:
    assert canonical.loads(b"[" * (DEEPEST - 1) + rb'["\ud83d"]' + b"]" * (DEEPEST - 1)).exact
    with pytest.raises(NotJsonError):
        canonical.loads(b"[" * DEEPEST + rb'["\ud83d"]' + b"]" * DEEPEST)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"b": 1.0, "a": [ ]}', '{"a":[],"b":1}'),
        (" \r\n[1,  2]\t", "[1,2]"),
        ('{"a":"\\u00e9"}', '{"a":"\u00e9"}'),
        ('{"a":"\\ud83d"}', '{"a":"\\ud83d"}'),
        ("", ""),
        ("plain  text", "plain  text"),
        ("1.0", "1.0"),
        ('"a"', '"a"'),
        ("null", "null"),
        ("{not json}", "{not json}"),
        ('{"a": 1} and more', '{"a": 1} and more'),
        ("[1, 2", "[1, 2"),
        ("\ufeff{ }", "\ufeff{ }"),
        ("\u00a0{ }", "\u00a0{ }"),
        ("{\ud83d}", "{\ud83d}"),
    ],
)
def test_only_objects_and_arrays_within_a_text_are_respelled(text: str, expected: str) -> None:
    assert canonical.respell(text) == expected


def test_halves_of_a_character_that_were_spelt_in_two_ways_are_respelled_once_and_for_all() -> None:
    text = '{"a":"' + chr(0xD83D) + '\\ude42"}'
    assert canonical.respell(canonical.respell(text)) == canonical.respell(text)


def test_a_text_that_is_nested_too_deep_stands_as_it_is() -> None:
    deep = "[ " * 300 + "]" * 300
    assert canonical.respell(deep) == deep


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999", "NaN"])
def test_a_text_with_numbers_beyond_json_is_respelled_without_a_crash(number: str) -> None:
    text = f'{{"distance": {number}}}'
    assert canonical.respell(canonical.respell(text)) == canonical.respell(text)


@settings(deadline=None, max_examples=150)
@given(
    value=VALUES,
    random=st.randoms(use_true_random=False),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1, "\t"]),
)
def test_any_value_comes_out_the_same_however_it_is_dumped(
    value: Any, random: Any, *, ascii_only: bool, indent: Any
) -> None:
    text = json.dumps(value).encode()
    shuffled = json.dumps(_shuffled(value, random), ensure_ascii=ascii_only, indent=indent)
    if not ascii_only and _has_surrogate(shuffled):
        shuffled = json.dumps(_shuffled(value, random), indent=indent)
    assert canon(shuffled.encode()) == canon(text)
    assert canon(canon(text)) == canon(text)


@settings(deadline=None, max_examples=150)
@given(VALUES, VALUES)
def test_two_values_have_one_form_only_where_they_are_equal(one: Any, other: Any) -> None:
    same = canon(json.dumps(one).encode()) == canon(json.dumps(other).encode())
    assert same == _equal(one, other)


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,01.eE-+ntfINa\\u\ud83d\ufeff \n', max_size=30).map(_encoded))
def test_any_bytes_are_json_or_are_told_not_to_be(data: bytes) -> None:
    try:
        form = canon(data)
    except NotJsonError:
        return
    assert canon(form) == form


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(max_size=3), st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5)))
def test_ordinary_values_are_written_as_orjson_writes_them(value: dict[str, Any]) -> None:
    assert canon(orjson.dumps(value)) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _shuffled(value: Any, random: Any) -> Any:
    if isinstance(value, dict):
        names = list(value)
        random.shuffle(names)
        return {name: _shuffled(value[name], random) for name in names}
    return [_shuffled(item, random) for item in value] if isinstance(value, list) else value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does; a whole float under 2**53 is the integer it stands for."""
    one, other = _whole(one), _whole(other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _whole(value: Any) -> Any:
    is_whole = isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole else value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"balance":12345678901234567.89}', '{"balance":12345678901234568.5}'),
        ('{"x":0.1}', '{"x":0.1000000000000000055}'),
        ('{"x":1e400}', '{"x":1e500}'),
        ('{"x":1e-400}', '{"x":0}'),
        ('{"x":NaN}', '{"x":null}'),
    ],
)
def test_numbers_that_a_model_could_tell_apart_are_not_respelled_alike(one: str, other: str) -> None:
    assert canonical.respell(one) != canonical.respell(other)


@pytest.mark.parametrize("number", ["1e-99999999999999999999", "-0e99999999999999999999", "0.1e-9999999999999999999"])
def test_a_number_whose_exponent_is_beyond_all_numbers_stays_as_it_is_spelt(number: str) -> None:
    assert canonical.respell(f"[ {number}]") == f"[ {number}]"
