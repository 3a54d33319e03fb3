"""Faults on purpose are read as they are written, and nothing that is written wrong is passed over."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core import faults
from proxy.core.errors import FaultError
from proxy.core.faults import LONGEST_DELAY_US, Calls, End, Fault, Framing, Kind
from proxy.core.model import header

READ: dict[str, tuple[Fault, ...]] = {
    "status=429": (Fault(Kind.STATUS, status=429),),
    "status=400": (Fault(Kind.STATUS, status=400),),
    "status=599": (Fault(Kind.STATUS, status=599),),
    "delay=250ms": (Fault(Kind.DELAY, delay_us=250_000),),
    "delay=0.25ms": (Fault(Kind.DELAY, delay_us=250),),
    "delay=2s": (Fault(Kind.DELAY, delay_us=2_000_000),),
    "delay=1500ms": (Fault(Kind.DELAY, delay_us=1_500_000),),
    "delay=3600s": (Fault(Kind.DELAY, delay_us=LONGEST_DELAY_US),),
    "stall": (Fault(Kind.STALL),),
    "stall; after=3": (Fault(Kind.STALL, after=3),),
    "cut": (Fault(Kind.CUT),),
    "cut; after=2; end=clean": (Fault(Kind.CUT, after=2, end=End.CLEAN),),
    "error; at=4": (Fault(Kind.ERROR, at=4),),
    "malformed; at=2; seed=7": (Fault(Kind.MALFORMED, at=2, seed=7),),
    "framing=split; seed=1": (Fault(Kind.FRAMING, seed=1),),
    "framing=glue": (Fault(Kind.FRAMING, framing=Framing.GLUE),),
    "framing=bytes": (Fault(Kind.FRAMING, framing=Framing.BYTES),),
    "cut; calls=1": (Fault(Kind.CUT, calls=((1, 1),)),),
    "cut; calls=1-3": (Fault(Kind.CUT, calls=((1, 3),)),),
    "cut; calls=2-": (Fault(Kind.CUT, calls=((2, None),)),),
    "cut; calls=1+3": (Fault(Kind.CUT, calls=((1, 1), (3, 3))),),
    "status=500; calls=1, delay=2s, cut; after=1": (
        Fault(Kind.STATUS, status=500, calls=((1, 1),)),
        Fault(Kind.DELAY, delay_us=2_000_000),
        Fault(Kind.CUT, after=1),
    ),
}

# As it may be written as well, and how it is written.
NORMAL = {
    " status = 429 ": "status=429",
    "delay=1.5s": "delay=1500ms",
    "delay=60000ms": "delay=60s",
    "delay=01.50s": "delay=1500ms",
    "stall;after=0": "stall",
    "cut;end=abort;after=2": "cut; after=2",
    "cut ; after = 2;\tcalls= 1 + 3-3 +5 ": "cut; after=2; calls=1+3+5",
    "error; at=1; seed=0": "error",
    "status=429;calls=1,cut": "status=429; calls=1, cut",
}

KINDS = "There are status, delay, stall, cut, error, malformed and framing"
STATUS = "status wants a number from 400 to 599, such as status=429; it is"
DELAY = "delay wants a time, such as delay=250ms or delay=1.5s, of an hour at most; it is"
CALLS = "calls wants calls counted from 1, such as calls=1, calls=1-3, calls=2- or 1+3; it is"

# The text, and what is said of it; the part that is at fault where there are several.
BAD: dict[str, str] = {
    "": f"fault '': there is no fault ''. {KINDS}",
    " ": f"fault '': there is no fault ''. {KINDS}",
    "cut,": f"fault '': there is no fault ''. {KINDS}",
    "=": f"fault '=': there is no fault ''. {KINDS}",
    "explode": f"fault 'explode': there is no fault 'explode'. {KINDS}",
    "CUT": f"fault 'CUT': there is no fault 'CUT'. {KINDS}",
    "cut, stauts=429": "fault 'stauts=429': there is no fault 'stauts'. Is status meant?",
    "malfromed": "fault 'malfromed': there is no fault 'malfromed'. Is malformed meant?",
    "status=429, calls=1": (
        "fault 'calls=1': calls says more of a fault: join it by a semicolon, as in status=429; calls=1"
    ),
    "status": f"fault 'status': {STATUS} ''",
    "status=": f"fault 'status=': {STATUS} ''",
    "status=200": f"fault 'status=200': {STATUS} '200'",
    "status=399": f"fault 'status=399': {STATUS} '399'",
    "status=600": f"fault 'status=600': {STATUS} '600'",
    "status=-429": f"fault 'status=-429': {STATUS} '-429'",
    "status=429=1": f"fault 'status=429=1': {STATUS} '429=1'",
    "status=\u0664\u0662\u0669": f"fault 'status=\u0664\u0662\u0669': {STATUS} '\u0664\u0662\u0669'",
    f"status={'4' * 5000}": f"fault 'status={'4' * 5000}': {STATUS} '{'4' * 5000}'",
    "status=429; after=1": "fault 'status=429; after=1': status has no 'after'. There are seed and calls",
    "delay": f"fault 'delay': {DELAY} ''",
    "delay=0s": f"fault 'delay=0s': {DELAY} '0s'",
    "delay=250": f"fault 'delay=250': {DELAY} '250'",
    "delay=-1s": f"fault 'delay=-1s': {DELAY} '-1s'",
    "delay=1.s": f"fault 'delay=1.s': {DELAY} '1.s'",
    "delay=1m": f"fault 'delay=1m': {DELAY} '1m'",
    "delay=0.0005ms": f"fault 'delay=0.0005ms': {DELAY} '0.0005ms'",
    "delay=3600001ms": f"fault 'delay=3600001ms': {DELAY} '3600001ms'",
    "stall=3": "fault 'stall=3': stall takes no value, but after, seed and calls: say stall; after=1",
    "error=3": "fault 'error=3': error takes no value, but at, seed and calls: say error; at=1",
    "stall; end=clean": "fault 'stall; end=clean': stall has no 'end'. There are after, seed and calls",
    "cut;": "fault 'cut;': cut has no ''. There are after, end, seed and calls",
    "cut; afer=2": "fault 'cut; afer=2': cut has no 'afer'. Is after meant?",
    "cut; after": "fault 'cut; after': after wants how many events are sent, such as after=3; it is ''",
    "cut; after=-1": "fault 'cut; after=-1': after wants how many events are sent, such as after=3; it is '-1'",
    "cut; after=1; after=2": "fault 'cut; after=1; after=2': after is said twice",
    "cut; end=Clean": "fault 'cut; end=Clean': end wants abort or clean; it is 'Clean'",
    "error; at=0": "fault 'error; at=0': at wants an event's place, counted from 1, such as at=3; it is '0'",
    "malformed; at=x": "fault 'malformed; at=x': at wants an event's place, counted from 1, such as at=3; it is 'x'",
    "framing": "fault 'framing': framing wants split, glue or bytes; it is ''",
    "framing=glued": "fault 'framing=glued': framing wants split, glue or bytes; it is 'glued'",
    "framing=split; seed=1.5": (
        "fault 'framing=split; seed=1.5': seed wants a whole number, such as seed=7; it is '1.5'"
    ),
    "cut; calls=": f"fault 'cut; calls=': {CALLS} ''",
    "cut; calls=0": f"fault 'cut; calls=0': {CALLS} '0'",
    "cut; calls=3-1": f"fault 'cut; calls=3-1': {CALLS} '3-1'",
    "cut; calls=-2": f"fault 'cut; calls=-2': {CALLS} '-2'",
    "cut; calls=1+": f"fault 'cut; calls=1+': {CALLS} '1+'",
    "cut; calls=1-2-3": f"fault 'cut; calls=1-2-3': {CALLS} '1-2-3'",
}

NUMBERS = st.integers(0, 999_999_999)


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int | None]:
    first = draw(st.integers(1, 1_000))
    return first, draw(st.none() | st.integers(first, 2_000))


@st.composite
def any_fault(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(Kind))
    said = {
        Kind.STATUS: {"status": st.integers(400, 599)},
        Kind.DELAY: {"delay_us": st.integers(1, LONGEST_DELAY_US)},
        Kind.STALL: {"after": NUMBERS},
        Kind.CUT: {"after": NUMBERS, "end": st.sampled_from(End)},
        Kind.ERROR: {"at": st.integers(1, 999_999_999)},
        Kind.MALFORMED: {"at": st.integers(1, 999_999_999)},
        Kind.FRAMING: {"framing": st.sampled_from(Framing)},
    }[kind]
    calls: Calls = tuple(draw(st.lists(spans(), max_size=3)))
    return Fault(kind, seed=draw(NUMBERS), calls=calls, **{name: draw(values) for name, values in said.items()})


@pytest.mark.parametrize("text", READ)
def test_a_fault_is_read_and_written_as_it_was(text: str) -> None:
    read = faults.parse(text)
    assert read == READ[text]
    assert ", ".join(fault.text for fault in read) == text


@pytest.mark.parametrize("text", NORMAL)
def test_there_is_one_way_to_write_a_fault(text: str) -> None:
    assert ", ".join(fault.text for fault in faults.parse(text)) == NORMAL[text]


@pytest.mark.parametrize("text", BAD, ids=lambda text: ascii(text[:30]))
def test_what_is_written_wrong_is_told_with_what_there_is(text: str) -> None:
    with pytest.raises(FaultError) as raised:
        faults.parse(text)
    assert str(raised.value) == BAD[text]
    assert raised.value.status == 400


@given(st.lists(any_fault(), min_size=1, max_size=4))
def test_every_fault_is_read_back_from_its_text(some: list[Fault]) -> None:
    text = ", ".join(fault.text for fault in some)
    assert faults.parse(text) == tuple(some)
    assert text.isascii()
    assert text.isprintable()


@given(st.text(alphabet="cutsalerofmid=;,+-. 0123456789é\n", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = faults.parse(text)
    except FaultError:
        return
    assert faults.parse(", ".join(fault.text for fault in read)) == read


@pytest.mark.parametrize(
    ("calls", "hit"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("; calls=1", [1]),
        ("; calls=2-4", [2, 3, 4]),
        ("; calls=2-", [2, 3, 4, 5]),
        ("; calls=1+3", [1, 3]),
        ("; calls=1+4-", [1, 4, 5]),
        ("; calls=9", []),
    ],
)
def test_calls_are_counted_from_one(calls: str, hit: list[int]) -> None:
    written = faults.parse(f"cut{calls}")
    assert [call for call in range(1, 6) if faults.chosen(written, call)] == hit


def test_several_faults_are_chosen_in_their_order() -> None:
    first, second, third = faults.parse("delay=1s, cut; calls=2, framing=glue")
    assert faults.chosen((first, second, third), 1) == (first, third)
    assert faults.chosen((first, second, third), 2) == (first, second, third)


@pytest.mark.parametrize(
    ("status", "kind", "code", "retried"),
    [
        (400, "invalid_request_error", "context_length_exceeded", False),
        (401, "invalid_request_error", "invalid_api_key", False),
        (403, "request_forbidden", "unsupported_country_region_territory", False),
        (404, "invalid_request_error", "model_not_found", False),
        (408, "invalid_request_error", None, True),
        (409, "invalid_request_error", None, True),
        (422, "invalid_request_error", None, False),
        (429, "requests", "rate_limit_exceeded", True),
        (499, "invalid_request_error", None, False),
        (500, "server_error", None, True),
        (502, "server_error", None, True),
        (503, "server_error", None, True),
        (599, "server_error", None, True),
    ],
)
def test_a_status_is_answered_as_the_api_does_and_sent_again_at_once(
    status: int, kind: str, code: str | None, *, retried: bool
) -> None:
    answer = faults.refusal(faults.parse(f"status={status}"))
    assert answer is not None
    answered, headers, body = answer
    error = json.loads(body)["error"]
    assert answered == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == (kind, code)
    assert error["message"]
    assert header(headers, "content-type") == "application/json"
    assert header(headers, "x-should-retry") is None
    assert header(headers, "retry-after-ms") == ("1" if retried else None)


def test_the_first_status_is_answered_and_no_other_fault_is_one() -> None:
    answer = faults.refusal(faults.parse("delay=1s, status=503, status=429"))
    assert answer is not None
    assert answer[0] == 503
    assert faults.refusal(faults.parse("cut, stall, error, malformed, framing=glue, delay=1s")) is None
    assert faults.refusal(()) is None
