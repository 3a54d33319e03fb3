"""Rules that came with a file are stopped where they take too long; a config's own are waited for."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.checkup import Checkup
from proxy.cassette.patience import bounded
from proxy.core.errors import CassetteError
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor
from proxy.core.rules import DEFAULT, PathRule, Pattern, Rules
from tests.cassette.damaging import write
from tests.cassette.making import answer, question, taken

if TYPE_CHECKING:
    from pathlib import Path

SLOW = Rules(pattern=(Pattern(name="slow", pattern="(x+x+)+y"),))
ASKED = question("x" * 40)


def test_a_pattern_that_is_slow_on_purpose_is_stopped() -> None:
    with pytest.raises(CassetteError, match=r"slow.*llmtape rekey"), bounded(SLOW, 0.05):
        normalize(ASKED, SLOW)


@pytest.mark.parametrize(
    "rules", [None, DEFAULT, Rules(scrub=("date",)), Rules(path=(PathRule(name="deep", path="$..a"),)), SLOW]
)
def test_what_is_quick_is_let_be_and_nothing_is_left_behind(rules: Rules | None) -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with bounded(rules):
        normalize(question("hello"), rules or DEFAULT)
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_in_another_thread_nothing_is_bounded_and_nothing_breaks() -> None:
    keys: list[str] = []

    def work() -> None:
        with bounded(SLOW):
            keys.append(normalize(question("hello"), SLOW).key)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert keys == [normalize(question("hello"), SLOW).key]


def test_a_check_by_rules_that_may_be_slow_finds_nothing_where_they_are_not(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    quick = taken(question("hello"), answer(b"{}"), rules=SLOW)
    write(path, iter([quick]), {"normalizer": "1", "rules": SLOW.text})
    with Checkup(path, SLOW, Redactor()) as checkup:
        assert [it.kind for it in checkup.file()] == []
        assert list(checkup.interactions()) == [()]
