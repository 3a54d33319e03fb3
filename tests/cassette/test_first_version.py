"""What the first version recorded plays today, and for good: no later version may make other keys of it unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.cassette.format import restored
from proxy.cassette.shelf import Shelf
from proxy.core.deck import Deck
from proxy.core.model import Track, Variant
from proxy.core.modes import Found, Mode
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules
from proxy.core.scrubbers import SCRUBBERS
from tests.cassette.making import as_nobody, files, read_only_copy, rows
from tests.cassette.test_migration import FIRST

if TYPE_CHECKING:
    from pathlib import Path

ALL = Rules(scrub=tuple(SCRUBBERS), developer_is_system=True, sort_tools=True, ignore_max_tokens=True)
RESPONSES = "select id, key, variant, take, status, response_body from interactions order by id"


def played(path: Path, rules: Rules) -> dict[int, tuple[int, bytes]]:
    """Ask all that was recorded, each request as it is stored; tell what plays, by the id of the recording."""
    shelf = Shelf(path, path.parent, mode=Mode.REPLAY, deck=Deck, rules=rules)
    told: dict[int, tuple[int, bytes]] = {}
    try:
        tape = shelf.tape("")
        for take in tape.unplayed():
            canonical = normalize(tape.request(take), rules)
            drawn = tape.look_up(Track(canonical.key, canonical.variant), retry=False)
            assert drawn.found is Found.PLAYABLE
            assert drawn.take == take
            response = tape.recorded(take).response
            told[take.id] = response.status, response.body
        assert tape.unplayed() == []
    finally:
        shelf.close()
    return told


@pytest.mark.parametrize("rules", [DEFAULT, ALL], ids=["its own rules", "other rules"])
def test_every_recording_of_the_first_version_plays_from_a_folder_that_nobody_may_write(rules: Rules) -> None:
    stored = {id_: (status, restored(body)) for id_, _, _, _, status, body in rows(FIRST, RESPONSES)}
    assert len(stored) == 8
    with read_only_copy(FIRST) as path:
        with as_nobody():
            assert played(path, rules) == stored
        assert path.read_bytes() == FIRST.read_bytes()
        assert files(path) == [path.name]


def test_the_keys_of_the_first_version_are_those_of_today() -> None:
    """They stand in the file; a normalizer that makes others is another version, and says so."""
    shelf = Shelf(FIRST, FIRST.parent, mode=Mode.REPLAY, deck=Deck)
    try:
        tape = shelf.tape("")
        keys = [(take.id, normalize(tape.request(take))) for take in tape.unplayed()]
    finally:
        shelf.close()
    recorded = [(id_, key, Variant(variant)) for id_, key, variant, *_ in rows(FIRST, RESPONSES)]
    assert [
        (id_, canonical.key, canonical.variant) for id_, canonical in sorted(keys, key=lambda one: one[0])
    ] == recorded
