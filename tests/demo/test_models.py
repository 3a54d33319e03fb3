"""Names of models."""

from __future__ import annotations

import pytest

from proxy.demo import models
from proxy.demo.faults import ApiError


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        ("gpt-5.4", "gpt-5.4"),
        ("o3", "o3-2025-04-16"),
        ("demo", "demo"),
        ("demo-anything", "demo-anything"),
    ],
)
def test_snapshot_answers_for_its_alias(asked: str, answers: str) -> None:
    assert models.snapshot(asked) == answers


@pytest.mark.parametrize("name", ["gpt-9", "", "my-demo", "gpt-4o-mini "])
def test_unknown_models_are_not_found(name: str) -> None:
    for look_up in (models.snapshot, models.entry, models.check_embedder):
        with pytest.raises(ApiError) as caught:
            look_up(name)
        assert (caught.value.fault.status, caught.value.fault.code) == (404, "model_not_found")


def test_what_is_listed_can_be_looked_up() -> None:
    for entry in models.listing()["data"]:
        assert models.entry(entry["id"]) == entry
