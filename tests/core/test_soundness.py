"""What a recorder stores is sound, and what is not is told without a secret in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import keep
from proxy.core.completion import judge
from proxy.core.finding import Kind, Level
from proxy.core.model import Chunk, Interaction, Outcome, Request, Response, Track, Variant
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor, redactor
from proxy.core.rules import DEFAULT, Rules
from proxy.core.soundness import check
from proxy.tee import StreamTee
from tests.cassette.making import CHAT, JSON_TYPE, SSE_TYPE, answer, interactions, question, taken

if TYPE_CHECKING:
    from proxy.core.finding import Finding

SECRET = "sk-proj-" + "aB3_-" * 12
PLAIN = Redactor()
STREAMED = Request("POST", CHAT, "", JSON_TYPE, b'{"model":"m","messages":[],"stream":true}')


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
WHOLE = (event("Hello"), event("", "stop"), DONE)


def stream(*events: bytes, outcome: Outcome = Outcome.COMPLETE) -> Interaction:
    made = answer(*events, headers=SSE_TYPE, outcome=outcome)
    return taken(STREAMED, replace(made, was_asked_as_stream=True), variant=Variant.SSE)


def found(interaction: Interaction, rules: Rules | None = DEFAULT, redactor: Redactor = PLAIN) -> list[Finding]:
    return list(check(interaction, rules, redactor))


def kinds(interaction: Interaction, rules: Rules | None = DEFAULT, redactor: Redactor = PLAIN) -> set[Kind]:
    return {it.kind for it in found(interaction, rules, redactor)}


def with_response(interaction: Interaction, **fields: object) -> Interaction:
    return replace(interaction, response=replace(interaction.response, **fields))  # type: ignore[arg-type]


def as_recorded(interaction: Interaction) -> Interaction:
    """Give an interaction what a recorder would: the fields that are kept, and the variant, frames and outcome."""
    request = replace(interaction.request, headers=keep.of_request(interaction.request.headers))
    variant = normalize(interaction.request).variant
    response = replace(interaction.response, was_asked_as_stream=variant is not Variant.JSON)
    if response.is_stream:
        tee = StreamTee()
        for chunk in response.chunks:
            tee.feed(chunk.data, chunk.at_us)
        tee.end(response.duration_us)
        response = replace(response, chunks=tuple(tee.chunks))
    response = replace(response, outcome=judge(response, interaction.request.path))
    return replace(interaction, track=replace(interaction.track, variant=variant), request=request, response=response)


@given(interactions())
@settings(max_examples=150, deadline=None)
def test_whatever_a_recorder_stores_is_sound_but_for_a_stream_that_was_none(interaction: Interaction) -> None:
    faults = {it.kind for it in found(as_recorded(interaction)) if it.level is Level.FAULT}
    assert faults <= {Kind.STREAM}


@given(interactions(), st.sampled_from([DEFAULT, None, Rules(scrub=("date",))]))
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_row_is_checked_without_an_exception(
    interaction: Interaction, rules: Rules | None
) -> None:
    assert all(it.what and it.name for it in found(interaction, rules))


def test_a_sound_one_has_no_findings() -> None:
    assert found(taken(question(), answer(b'{"choices":[]}'))) == []
    assert found(stream(*WHOLE)) == []
    assert found(stream(b": ping\n\n", b"event: x\ndata:\n\n", *WHOLE)) == []


def test_a_finding_names_its_recording_and_lane() -> None:
    made = taken(question(), answer(b"{", outcome=Outcome.CUT), 2, lane="test_a")
    (it,) = found(made)
    assert (it.name, it.lane) == (f"{made.track.key[:12]}:2", "test_a")


def test_a_key_that_its_request_does_not_make_is_a_fault_where_the_rules_are_known() -> None:
    made = taken(question("one"), answer(b"{}"))
    other = replace(made, request=question("two"))
    assert kinds(other) == {Kind.KEY}
    assert kinds(other, None) == set()
    dated = replace(taken(question("2026-11-22"), answer(b"{}")), request=question("2026-11-23"))
    assert kinds(dated) == {Kind.KEY}


def test_keys_are_held_against_the_rules_that_made_them() -> None:
    rules = Rules(scrub=("date",))
    made = taken(question("2026-11-22"), answer(b"{}"), rules=rules)
    assert kinds(made, rules) == set()
    assert kinds(replace(made, request=question("2026-11-23")), rules) == set()
    assert kinds(made) == {Kind.KEY}


def test_a_variant_that_its_request_does_not_ask_for_is_a_fault() -> None:
    made = stream(*WHOLE)
    assert kinds(replace(made, track=Track(made.track.key, Variant.SSE_USAGE))) == {Kind.VARIANT}


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (stream(event("Hel")), Kind.OUTCOME),
        (taken(question(), answer(b'{"choices":')), Kind.OUTCOME),
        (stream(*WHOLE, outcome=Outcome.UNFINISHED), Kind.OUTCOME),
        (stream(event("Hel"), outcome=Outcome.UNFINISHED), Kind.INCOMPLETE),
        (stream(event("Hel"), outcome=Outcome.CUT), Kind.INCOMPLETE),
        (stream(*WHOLE, outcome=Outcome.CUT), Kind.INCOMPLETE),
        (stream(event("Hello", "stop")), None),
    ],
)
def test_an_outcome_is_held_against_the_protocol(made: Interaction, kind: Kind | None) -> None:
    assert kinds(made) == ({kind} if kind else set())


def test_an_event_that_is_no_json_is_told_with_its_place() -> None:
    (it,) = found(stream(event("a"), b"data: {no\n\n", b"data: nor this\n\n", *WHOLE[1:]))
    assert it.kind is Kind.STREAM
    assert it.what.startswith("event 2 of its stream is no JSON, nor are 1 others: 'data: {no")


def test_a_stream_that_was_cut_within_an_event_is_only_incomplete() -> None:
    assert kinds(stream(event("a"), b'data: {"cho', outcome=Outcome.CUT)) == {Kind.INCOMPLETE}


def test_half_a_character_and_a_byte_order_mark_are_json_as_servers_write_it() -> None:
    half = b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'
    assert kinds(stream(half, *WHOLE)) == set()
    assert kinds(stream(b"data: \xef\xbb\xbf{}\n\n", *WHOLE)) == set()


def test_what_other_streams_and_errors_carry_is_taken_as_it_comes() -> None:
    speech = replace(STREAMED, path="/v1/audio/speech")
    made = taken(speech, answer(b"data: audio\n\n", headers=SSE_TYPE), variant=Variant.SSE)
    assert kinds(made) == set()
    assert kinds(with_response(stream(b"data: no\n\n"), status=400)) == set()


def test_chunks_that_are_not_the_events_are_a_fault() -> None:
    assert kinds(stream(b"".join(WHOLE))) == {Kind.FRAMING}


def test_times_that_run_back_are_a_note() -> None:
    late = with_response(stream(*WHOLE), first_byte_us=10_000)
    assert kinds(late) == {Kind.TIMES}
    chunks = (Chunk(900, WHOLE[0]), Chunk(100, WHOLE[1]), Chunk(901, DONE))
    assert kinds(with_response(stream(*WHOLE), chunks=chunks, duration_us=1000)) == {Kind.TIMES}


def secret_in(place: str) -> Interaction:
    made = taken(question(f"my key: {SECRET}") if place == "body" else question(), answer(b"{}"))
    request, track = made.request, made.track
    changed = {
        "path": replace(request, path=f"/v1/x/{SECRET}"),
        "query": replace(request, query=f"a={SECRET}"),
        "key in the query": replace(request, query="api-key=0123456789abcdef"),
        "header": replace(request, headers=(*request.headers, ("openai-beta", SECRET))),
        "authorization": replace(request, headers=(("authorization", "Bearer 0123456789abcdef"),)),
    }
    if place == "lane":
        return replace(made, track=replace(track, lane=SECRET))
    if place == "answer's header":
        return with_response(made, headers=(("x-request-id", SECRET),))
    request = changed.get(place, request)
    return replace(made, request=request, track=replace(track, key=normalize(request).key))


@pytest.mark.parametrize("place", ["body", "path", "query", "key in the query"])
def test_a_secret_in_what_was_asked_is_found_and_never_repeated(place: str) -> None:
    findings = found(secret_in(place))
    assert {it.kind for it in findings} == {Kind.SECRET}
    assert not any(SECRET in it.what or "0123456789abcdef" in it.what for it in findings)


@pytest.mark.parametrize("place", ["header", "authorization", "lane", "answer's header"])
def test_a_secret_where_no_redacting_reaches_is_another_kind(place: str) -> None:
    findings = found(secret_in(place))
    assert {it.kind for it in findings} == {Kind.SECRET_ASIDE}
    assert not any(SECRET in it.what or "0123456789abcdef" in it.what for it in findings)


def test_a_placeholder_and_the_marks_that_recording_leaves_are_no_secrets() -> None:
    kept = (("authorization", "[redacted]******"), ("llmtape:api-key", "0123456789abcdef"))
    made = taken(replace(question(), headers=kept), answer(b"{}"))
    assert kinds(made) == set()


def test_a_secret_in_an_answer_is_a_note_unless_answers_are_redacted() -> None:
    made = taken(question(), answer(json.dumps({"choices": [], "x": SECRET}).encode()))
    assert kinds(made) == {Kind.SECRET_IN_ANSWER}
    assert kinds(made, redactor=redactor((), responses=True)) == {Kind.SECRET}


def test_the_users_own_patterns_are_looked_for() -> None:
    made = taken(question("ACME-1234"), answer(b"{}"))
    assert kinds(made) == set()
    assert kinds(made, redactor=redactor([r"ACME-\d+"])) == {Kind.SECRET}


def test_a_response_without_a_body_is_sound() -> None:
    made = taken(Request("HEAD", "/v1/models"), Response(200, SSE_TYPE, (), Outcome.COMPLETE, 1, 1))
    assert found(made) == []
