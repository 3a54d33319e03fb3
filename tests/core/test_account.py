"""What a lane's account tells of its calls, and what of that fails a test."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from proxy.core.account import Account
from proxy.core.ledger import Call, Fate
from proxy.core.model import Chunk, Outcome, Request, Response
from proxy.core.modes import Mode


def call(fate: Fate, take: str = "", **more: Any) -> Call:
    return Call(fate, "c.sqlite", "a", take, "POST", "/v1/chat/completions", 200, **more)


def account(*calls: Call, unplayed: tuple[str, ...] = (), trouble: str = "") -> Account:
    return Account("c.sqlite", "a", Mode.REPLAY, calls, unplayed, trouble)


def asked(body: bytes) -> Request:
    return Request("POST", "/v1/chat/completions", body=body)


def answered(*pieces: bytes) -> Response:
    chunks = tuple(Chunk(number, piece) for number, piece in enumerate(pieces))
    return Response(200, (), chunks, Outcome.COMPLETE, 0, 0)


MISSED = call(Fate.MISSED, note="llmtape miss: nothing like it")
AGAIN = call(Fate.PLAYED, "k:2", is_again=True)


def test_without_calls_nothing_is_wrong() -> None:
    empty = account()
    assert empty.problems(strict=True) == ()
    assert empty.counts == dict.fromkeys((fate.value for fate in Fate), 0)


def test_calls_are_counted_by_what_became_of_them() -> None:
    counts = account(call(Fate.PLAYED), AGAIN, MISSED, call(Fate.INJECTED)).counts
    assert {fate: count for fate, count in counts.items() if count} == {"played": 2, "missed": 1, "injected": 1}


def test_misses_takes_played_again_and_faults_are_listed_in_the_order_of_the_calls() -> None:
    other = call(Fate.MISSED, note="another")
    told = account(
        MISSED, AGAIN, call(Fate.INJECTED, injected=("status=429", "delay=1s")), other, call(Fate.PLAYED, "k:1")
    )
    assert told.misses == (MISSED.note, "another")
    assert told.exhausted == ("k:2",)
    assert told.injected == ("status=429", "delay=1s")


def test_a_miss_is_one_problem_though_it_is_also_a_failure() -> None:
    """A cassette that cannot be read is entered as both."""
    assert account(call(Fate.MISSED, note="cannot read it", failed=True)).problems() == ("cannot read it",)


def test_what_failed_and_what_could_not_be_stored_are_problems_after_the_misses() -> None:
    told = account(call(Fate.NOT_RECORDED, note="no upstream", failed=True), MISSED, trouble="the disk is full")
    assert told.problems() == (MISSED.note, "no upstream", "the disk is full")


@pytest.mark.parametrize(
    "fine",
    [
        call(Fate.NOT_RECORDED, note="status 500 is not recorded"),
        call(Fate.INJECTED, injected=("status=500",)),
        call(Fate.FORWARDED),
        call(Fate.RECORDED, "k:1"),
        AGAIN,
    ],
)
def test_what_went_as_it_was_meant_to_is_no_problem(fine: Call) -> None:
    assert account(fine).problems() == ()


def test_where_it_is_strict_every_take_is_played_and_none_again() -> None:
    told = account(AGAIN, unplayed=("k:3", "k:4"))
    assert told.problems() == ()
    unplayed, exhausted = told.problems(strict=True)
    assert "k:3, k:4" in unplayed
    assert "'a' in c.sqlite" in unplayed
    assert exhausted.endswith("k:2. Record it anew")


@pytest.mark.parametrize(
    ("told", "strict", "ok"),
    [
        (account(call(Fate.PLAYED)), True, True),
        (account(AGAIN), False, True),
        (account(AGAIN), True, False),
        (account(unplayed=("k:1",)), False, True),
        (account(unplayed=("k:1",)), True, False),
        (account(MISSED), False, False),
        (account(trouble="x"), False, False),
    ],
)
def test_it_is_ok_where_there_is_no_problem(told: Account, *, strict: bool, ok: bool) -> None:
    written = told.as_dict(strict=strict)
    assert (written["ok"], bool(written["problems"])) == (ok, not ok)


def test_each_call_is_told_with_its_bodies() -> None:
    request, response = asked(b'{"model":"m","n":[1.5,null]}'), answered(b'data: {"a":1}\n\n', b"data: [DONE]\n\n")
    (told,) = account(call(Fate.PLAYED, "k:1", request=request, response=response)).as_dict()["calls"]
    assert told == {
        "fate": "played",
        "take": "k:1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "note": "",
        "injected": (),
        "request": {"model": "m", "n": [1.5, None]},
        "response": 'data: {"a":1}\n\ndata: [DONE]\n\n',
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", None, id="none"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"[]", [], id="an empty list"),
        pytest.param(b"\xff{", "\ufffd{", id="not utf-8"),
        pytest.param(b'{"a":"\\ud83d"}', '{"a":"\\ud83d"}', id="a lone surrogate"),
        pytest.param(b'{"a":NaN}', '{"a":NaN}', id="not a number"),
        pytest.param(b"[" * 500 + b"]" * 500, "[" * 500 + "]" * 500, id="deep"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "[" * 5000 + "]" * 5000, id="deeper"),
    ],
)
def test_a_body_that_json_cannot_tell_on_is_told_as_text(body: bytes, expected: Any) -> None:
    told = account(call(Fate.PLAYED, request=asked(body), response=answered(body))).as_dict()
    assert told["calls"][0]["request"] == told["calls"][0]["response"] == expected
    assert orjson.loads(orjson.dumps(told))["calls"][0]["request"] == expected


def test_a_number_of_many_digits_can_be_told_on() -> None:
    told = account(call(Fate.PLAYED, request=asked(b'{"n":123456789012345678901234567890}'))).as_dict()
    assert orjson.loads(orjson.dumps(told))["calls"][0]["request"]["n"] == pytest.approx(1.2345678901234568e29)
