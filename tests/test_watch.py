"""What is warned of while recording: each kind of volatile text once, and never in the way."""

from __future__ import annotations

import logging
from threading import Event
from typing import TYPE_CHECKING

from proxy import watch as room
from proxy.core.model import Request
from proxy.core.rules import DEFAULT, Rules
from proxy.watch import Watch
from tests.running import chat

if TYPE_CHECKING:
    import pytest

    from proxy.core.scrub import Scrubbed

ONE = "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55"


def asked(text: str) -> Request:
    return Request("POST", "/v1/chat/completions", body=chat(text))


def warned(caplog: pytest.LogCaptureFixture, *texts: str, rules: Rules = DEFAULT) -> list[str]:
    watch = Watch(rules)
    with caplog.at_level(logging.WARNING, "llmtape"):
        for number, text in enumerate(texts, 1):
            watch.look(asked(text), f"take-{number}")
        watch.close()
    return [record.getMessage() for record in caplog.records]


def test_text_that_looks_volatile_is_warned_of_with_its_place_and_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    (told,) = warned(caplog, f"about {ONE}")
    assert told.startswith(f"take-1 has text that looks volatile, and will miss once it changes: '{ONE}' in ")
    assert "messages[0].content" in told
    assert 'add "uuid" to rules.scrub' in told


def test_each_kind_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    told = warned(caplog, f"{ONE} {ONE}", ONE, f"{ONE} on 2026-11-25")
    assert [line.partition(" ")[0] for line in told] == ["take-1", "take-3"]


def test_what_a_rule_covers_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    assert warned(caplog, ONE, "hello", rules=Rules(scrub=("uuid",))) == []


def test_a_long_value_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    (told,) = warned(caplog, "/tmp/" + "x" * 1000)
    assert len(told) < 400


def test_under_load_some_requests_are_passed_over_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = Event()
    seen = []

    def slow(request: Request, _rules: Rules) -> list[Scrubbed]:
        goes_on.wait(60)
        seen.append(request)
        return []

    monkeypatch.setattr(room, "uncovered", slow)
    watch = Watch(DEFAULT)
    for number in range(100):
        watch.look(asked(str(number)), "take")
    goes_on.set()
    watch.close()
    assert len(seen) == 32
