"""Credentials in every place and spelling, in short; `make torture` plants more."""

from __future__ import annotations

import asyncio
import base64
import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from torture import leaking, secrets
from torture.hiding import HIDDEN, credential, shows
from torture.item import BrokenPromiseError, nothing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("plant", [secrets.in_request, secrets.in_stream, secrets.in_answer])
def test_planted_credentials_are_nowhere_and_no_other_byte_changes(plant: secrets.Plant) -> None:
    for seed in range(100):
        plant(Random(seed))


def test_through_a_recorder_a_replay_and_all_commands_no_byte_and_no_word_shows_one(tmp_path: Path) -> None:
    asyncio.run(leaking.through(tmp_path, Random(1)))


def test_a_planting_that_is_found_is_told_with_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_random: Random) -> None:
        raise BrokenPromiseError("a request keeps a credential")

    monkeypatch.setattr(secrets, "WAYS", (broken,))
    with pytest.raises(BrokenPromiseError, match="seed 0: a request keeps"):
        secrets.run(1, tmp_path, nothing)


@pytest.mark.parametrize("how", HIDDEN)
def test_the_eyes_see_what_is_hidden(how: str) -> None:
    for seed in range(20):
        random = Random(seed)
        secret = credential(random)
        assert shows(json.dumps({"a": HIDDEN[how](secret, random)}).encode(), secret)
    assert not shows(base64.b64encode(b"nothing of the kind"), "sk-planted-0123456789")
