"""One root, and no refusal that an SDK would send again."""

from __future__ import annotations

import inspect

import pytest

from proxy.core import address, canonical, completion, deck, errors, guard, pace, refusal
from proxy.core.errors import AnsweredError, LlmtapeError, UpstreamTimeoutError, UpstreamUnreachableError

OURS = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]
ANSWERED = [value for value in OURS if issubclass(value, AnsweredError) and value is not AnsweredError]
FROM_UPSTREAM = (UpstreamTimeoutError, UpstreamUnreachableError)


def is_retried(status: int) -> bool:
    return status in {408, 409, 429} or status >= 500


@pytest.mark.parametrize("error", OURS)
def test_every_error_has_the_one_root_and_an_exit_status(error: type[LlmtapeError]) -> None:
    assert issubclass(error, LlmtapeError)
    assert error.exit_status in {1, 2}


@pytest.mark.parametrize("error", ANSWERED)
def test_no_refusal_has_a_status_that_sdks_retry(error: type[AnsweredError]) -> None:
    assert error.kind
    assert error.code
    assert is_retried(error.status) == issubclass(error, FROM_UPSTREAM)


@pytest.mark.parametrize(
    "module", [address, canonical, completion, deck, guard, pace, refusal], ids=lambda module: module.__name__
)
def test_exceptions_of_the_core_have_the_one_root(module: object) -> None:
    declared = [value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, Exception)]
    assert [
        error for error in declared if error.__module__.startswith("proxy") and not issubclass(error, LlmtapeError)
    ] == []
