"""One request on its way, and what is told of it."""

from __future__ import annotations

import pytest

from proxy.asked import FAULT_FIELD, faults_of, mark, retry_count
from proxy.core.errors import FaultError
from proxy.core.ledger import Fate
from proxy.core.model import Request
from proxy.core.modes import Mode
from proxy.lanes import Lane, Policy


def test_an_answer_tells_its_fate_and_of_what_and_where_there_is_more_why() -> None:
    assert mark(Fate.RECORDED, "3f2a:1") == (("x-llmtape", "recorded 3f2a:1"),)
    assert mark(Fate.NOT_RECORDED, "3f2a", "no room") == (("x-llmtape", "not-recorded 3f2a; no room"),)


@pytest.mark.parametrize(("value", "count"), [("2", 2), ("0", 0), ("", 0), ("-1", 0), ("two", 0), ("9" * 5000, 0)])
def test_a_librarys_own_retries_are_counted_by_it(value: str, count: int) -> None:
    assert retry_count((("X-Stainless-Retry-Count", value),)) == count


def test_a_fault_that_is_asked_for_in_the_head_goes_no_further() -> None:
    lane = Lane(Policy(Mode.REPLAY))
    asked = Request("POST", "/v1", headers=((FAULT_FIELD, "cut"), ("accept", "*/*")))
    request, wanted = faults_of(asked, lane)
    assert request.headers == (("accept", "*/*"),)
    assert [fault.text for fault in wanted] == ["cut"]
    assert faults_of(request, lane) == (request, ())


def test_a_fault_that_there_is_not_is_told() -> None:
    with pytest.raises(FaultError):
        faults_of(Request("POST", "/v1", headers=((FAULT_FIELD, "catastrophe"),)), Lane(Policy(Mode.REPLAY)))
