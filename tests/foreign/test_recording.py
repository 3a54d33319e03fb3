"""What another tool recorded goes the way that a recording goes."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from proxy.core.errors import InterchangeError
from proxy.core.keep import Errors
from proxy.core.model import Outcome, Variant
from proxy.core.normalize import normalize
from proxy.core.redact import redactor
from proxy.core.rules import DEFAULT, Rules
from proxy.foreign.exchange import Exchange, Told
from proxy.foreign.recording import Keeping, PassedOverError, Recorder, Taken
from tests.cassette.making import CHAT, JSON_TYPE, SSE_TYPE, question

URL = "https://api.openai.com/v1/chat/completions"
NOW = "2026-11-22T12:00:00.000Z"
KEEPING = Keeping(NOW)
SAID = b'{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]}'
EVENTS = (b'data: {"choices":[]}\n\n', b": ping\n\n", b"data: [DONE]\n\n")
SECRET = "sk-proj-PLANTED0123456789abcdefgh"

EXCHANGE = Exchange("POST", URL, JSON_TYPE, question().body, 200, JSON_TYPE, SAID)


def told(exchange: Exchange) -> Told:
    return Told(1, exchange.method, exchange.url, lambda: exchange)


def take(keeping: Keeping = KEEPING, rules: Rules = DEFAULT, **changes: Any) -> Taken:
    return Recorder(keeping, rules).take(told(replace(EXCHANGE, **changes)))


def test_a_call_is_recorded_as_a_proxy_would_have_recorded_it() -> None:
    interaction = take().interaction
    request, response = interaction.request, interaction.response
    assert request == question()
    assert (interaction.track.key, interaction.track.variant) == (normalize(question()).key, Variant.JSON)
    assert (interaction.number, interaction.track.lane, interaction.recorded_at) == (1, "", NOW)
    assert (response.status, response.body, response.outcome) == (200, SAID, Outcome.COMPLETE)


@pytest.mark.parametrize(
    ("url", "upstream", "path", "query"),
    [
        (URL, "https://api.openai.com/v1", CHAT, ""),
        ("https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api/v1", CHAT, ""),
        ("https://api.deepseek.com/chat/completions", "https://api.deepseek.com", CHAT, ""),
        ("http://127.0.0.1:8771//v1/chat/completions/", "http://127.0.0.1:8771/v1", CHAT, ""),
        ("https://me:it-is-secret@a.test/v1/chat/completions?a=1#f", "https://a.test/v1", CHAT, "a=1"),
        ("https://a.test/grüße/v1/chat/completions?b=ü", "https://a.test/grüße/v1", CHAT, "b=%C3%BC"),
        (
            "https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=1&api-key=not-to-be-kept",
            "https://x.openai.azure.com",
            "/openai/deployments/gpt/chat/completions",
            "api-version=1",
        ),
        (
            "https://gate.test/team/openai/deployments/gpt/chat/completions",
            "https://gate.test/team",
            "/openai/deployments/gpt/chat/completions",
            "",
        ),
    ],
)
def test_what_stands_before_the_endpoint_is_the_upstream(url: str, upstream: str, path: str, query: str) -> None:
    taken = take(url=url)
    request = taken.interaction.request
    assert (taken.upstream, request.path, request.query) == (upstream, path, query)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", URL),
        ("OPTIONS", URL),
        ("", URL),
        ("POST", ""),
        ("POST", "https://api.openai.com/v1/embeddings"),
        ("POST", "https://api.openai.com/v1/chat/completions/x"),
        ("POST", "https://api.openai.com/?path=/chat/completions"),
    ],
)
def test_nothing_but_chat_completions_is_taken_or_even_read(method: str, url: str) -> None:
    def read() -> Exchange:
        raise InterchangeError("it was read")

    with pytest.raises(PassedOverError, match="no chat completion"):
        Recorder(KEEPING, DEFAULT).take(Told(1, method, url, read))


@pytest.mark.parametrize("status", [401, 403, 408, 409, 429, 500, 503])
def test_an_answer_that_speaks_of_a_moment_is_not_taken(status: int) -> None:
    with pytest.raises(PassedOverError, match=str(status)):
        take(status=status)
    assert take(replace(KEEPING, errors=Errors.ALL), status=status).interaction.response.status == status


@pytest.mark.parametrize("status", [400, 404, 422])
def test_other_errors_are_taken(status: int) -> None:
    assert take(status=status).interaction.response.status == status


def test_header_fields_are_kept_by_list() -> None:
    sent = (*JSON_TYPE, ("Authorization", f"Bearer {SECRET}"), ("User-Agent", "x"), ("Accept", "*/*"))
    came = (*JSON_TYPE, ("Set-Cookie", "a=b"), ("x-request-id", "req_1"), ("CF-Ray", "1"), ("content-encoding", "gzip"))
    interaction = take(request_headers=sent, response_headers=came).interaction
    assert interaction.request.headers == (*JSON_TYPE, ("Accept", "*/*"))
    assert interaction.response.headers == (*JSON_TYPE, ("x-request-id", "req_1"))
    more = take(replace(KEEPING, headers={"cf-ray"}), response_headers=came).interaction
    assert ("CF-Ray", "1") in more.response.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"request_headers": (*JSON_TYPE, ("api-key", "PLANTED-0123456789"))},
        {"request_headers": (*JSON_TYPE, ("Cookie", "session=PLANTED-0123456789"))},
        {"url": f"{URL}?api-key=PLANTED-0123456789"},
        {"url": URL.replace("https://", "https://me:PLANTED-0123456789@")},
    ],
    ids=["header", "cookie", "query", "user"],
)
def test_a_credential_is_in_nothing_that_is_stored(changes: dict[str, Any]) -> None:
    body = question("my key is PLANTED-0123456789").body
    said = SAID.replace(b"Hi", b"You said PLANTED-0123456789")
    taken = take(request_body=body, response_body=said, **changes)
    assert "PLANTED" not in repr(taken) + repr(taken.interaction.request.body)
    assert len(taken.interaction.request.body) == len(body)
    assert taken.interaction.track.key == normalize(question("my key is [redacted]********")).key


def test_secrets_of_known_shapes_and_the_users_own_are_redacted_in_requests() -> None:
    keeping = replace(KEEPING, redactor=redactor(["customer-[0-9]+"]))
    body = take(keeping, request_body=question(f"{SECRET} customer-4711").body).interaction.request.body
    assert b"PLANTED" not in body
    assert b"4711" not in body


@pytest.mark.parametrize("url", ["https://SECRET.gate.test/v1", "https://gate.test/SECRET/v1"])
def test_an_upstream_is_redacted_as_a_request_is(url: str) -> None:
    taken = take(url=url.replace("SECRET", SECRET) + "/chat/completions")
    assert taken.upstream == url.replace("SECRET", "[redacted]".ljust(len(SECRET), "*"))


def test_a_stream_is_cut_into_its_events_spread_over_the_time_that_it_took() -> None:
    asked = json.dumps({**json.loads(question().body), "stream": True}).encode()
    interaction = take(
        request_body=asked,
        response_headers=SSE_TYPE,
        response_body=b"".join(EVENTS),
        first_byte_us=100,
        duration_us=400,
    ).interaction
    response = interaction.response
    assert interaction.track.variant is Variant.SSE
    assert [(chunk.at_us, chunk.data) for chunk in response.chunks] == [*zip((200, 300, 400), EVENTS, strict=True)]
    assert (response.first_byte_us, response.duration_us, response.outcome) == (100, 400, Outcome.COMPLETE)


def test_a_stream_that_does_not_end_is_unfinished() -> None:
    response = take(response_headers=SSE_TYPE, response_body=EVENTS[0]).interaction.response
    assert response.outcome is Outcome.UNFINISHED


def test_coded_bodies_are_stored_decoded() -> None:
    gzipped = (*JSON_TYPE, ("Content-Encoding", "gzip"))
    interaction = take(
        request_headers=gzipped,
        request_body=gzip.compress(question().body),
        response_headers=gzipped,
        response_body=gzip.compress(SAID),
    ).interaction
    assert (interaction.request, interaction.response.body) == (question(), SAID)
    assert take(response_headers=gzipped).interaction.response.body == SAID
    with pytest.raises(ValueError, match="cut off"):
        take(response_headers=gzipped, response_body=gzip.compress(SAID)[:20])


def test_takes_are_numbered_in_their_order() -> None:
    recorder = Recorder(KEEPING, DEFAULT)
    texts = ["a", "b", "a", "a"]
    taken = [recorder.take(told(replace(EXCHANGE, request_body=question(text).body))) for text in texts]
    assert [item.interaction.number for item in taken] == [1, 1, 2, 3]


def test_keys_are_those_that_the_rules_make() -> None:
    rules = Rules(models={"alias": "m"}, headers=("x-tenant",))
    headers = (*JSON_TYPE, ("X-Tenant", "blue"))
    interaction = take(rules=rules, request_headers=headers, request_body=question(model="alias").body).interaction
    assert interaction.track.key == normalize(interaction.request, rules).key
    other = take(rules=rules, request_headers=(*JSON_TYPE, ("X-Tenant", "red")), request_body=question().body)
    assert other.interaction.track.key != interaction.track.key
    assert "blue" not in repr(interaction)


def test_an_answer_without_a_body_has_no_chunks() -> None:
    assert take(status=404, response_body=b"").interaction.response.chunks == ()


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(ValueError):
        take(url="http://[::1/v1/chat/completions")
