"""Recordings from elsewhere come into a cassette: all or nothing, none twice, and none lost unseen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in
from proxy.cassette.format import keyed_by
from proxy.cassette.intake import take_in
from proxy.cassette.placing import OnConflict, TakenIn
from proxy.cassette.reader import Reader
from proxy.cassette.settle import conflicts_in
from proxy.cassette.writer import Writer
from proxy.core import conflicts
from proxy.core.errors import CassetteError, InterchangeError
from proxy.core.model import Interaction, RecordedRun
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import AUTO, answer, bodies, change, files, held, question, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RUN = RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
LATER = "2026-11-23T12:00:00.000Z"
RULES = Rules(models={"alias": "m"})


@dataclass(frozen=True, slots=True)
class Item:
    interaction: Interaction
    run: RecordedRun = RUN
    where: str = "calls.jsonl, line 7"


@dataclass(frozen=True, slots=True)
class Held:
    """Recordings that have keys."""

    interactions: tuple[Interaction, ...]
    facts: Mapping[str, str]

    def recordings(self, _rules: Rules) -> Iterator[Item]:
        return map(Item, self.interactions)


@dataclass(frozen=True, slots=True)
class Keyless:
    """Recordings whose keys are made as they are read."""

    texts: tuple[str, ...]
    facts: None = None

    def recordings(self, rules: Rules) -> Iterator[Item]:
        return (Item(said(text, model="alias", rules=rules)) for text in self.texts)


class Broken:
    """A file that is damaged somewhere behind its beginning."""

    facts = keyed_by(DEFAULT)

    def recordings(self, _rules: Rules) -> Iterator[Item]:
        yield Item(said("x"))
        raise InterchangeError("line 8: damaged")


def said(text: str, body: str = "", number: int = 1, *, model: str = "m", rules: Rules = DEFAULT) -> Interaction:
    return taken(question(text, model=model), answer((body or text).encode()), number, rules=rules)


def some(*interactions: Interaction, rules: Rules = DEFAULT, **notes: str) -> Held:
    return Held(interactions, {**keyed_by(rules), **notes})


def come(path: Path, *sources: Held | Keyless, way: OnConflict = OnConflict.ERROR, rules: Rules = DEFAULT) -> TakenIn:
    return take_in(path, sources, rules, way)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@pytest.fixture
def tape(path: Path) -> Path:
    """Give a cassette that has two takes of `a`, and `b`."""
    come(path, some(said("a", "a1"), said("a", "a2", 2), said("b")))
    return path


def numbered(path: Path) -> list[tuple[int, bytes]]:
    """Tell which takes there are, in the order of the file."""
    with Reader(path) as reader:
        return [(interaction.number, interaction.response.body) for interaction, _ in reader.stored()]


def test_into_a_new_cassette_all_comes_as_it_is(path: Path) -> None:
    done = come(path, some(said("b"), said("a", "a2", 2), said("a", "a1"), extra="noted"))
    assert done == TakenIn(added=3, replaced=0, renumbered=0, there_already=0, gave_way=0)
    assert numbered(path) == [(1, b"b"), (2, b"a2"), (1, b"a1")]
    assert facts_in(path).items() >= {**keyed_by(DEFAULT), "extra": "noted"}.items()
    assert files(path) == ["tape.sqlite"]


def test_what_is_new_follows_what_is_there(tape: Path) -> None:
    assert come(tape, some(said("c"))).added == 1
    assert numbered(tape) == [(1, b"a1"), (2, b"a2"), (1, b"b"), (1, b"c")]


def test_what_is_there_already_changes_nothing(tape: Path) -> None:
    before = tape.read_bytes()
    later = replace(said("a", "a1"), recorded_at=LATER)
    done = come(tape, some(later, said("b")))
    assert (done.added, done.there_already) == (0, 2)
    assert tape.read_bytes() == before


@pytest.mark.parametrize("way", OnConflict)
def test_importing_twice_is_importing_once(tape: Path, way: OnConflict) -> None:
    incoming = some(said("a", "other"), said("a", "a2", 2), said("c"))
    if way is OnConflict.ERROR:
        incoming = some(said("c"))
    come(tape, incoming, way=way)
    before = tape.read_bytes()
    come(tape, incoming, way=way)
    assert tape.read_bytes() == before


def test_a_take_that_is_another_is_refused_and_named(tape: Path) -> None:
    before = tape.read_bytes()
    clashing = said("a", "other")
    with pytest.raises(CassetteError, match=rf"{clashing.track.key[:12]}:1 \(calls.jsonl, line 7\)\. --on-conflict"):
        come(tape, some(said("c"), clashing))
    assert tape.read_bytes() == before
    assert files(tape) == ["tape.sqlite"]


def test_of_many_conflicts_some_are_named_and_all_are_counted(path: Path) -> None:
    come(path, some(*(said(str(number)) for number in range(20))))
    with pytest.raises(CassetteError, match="and 15 more"):
        come(path, some(*(said(str(number), "other") for number in range(20))))


def test_what_is_there_may_be_kept(tape: Path) -> None:
    done = come(tape, some(said("a", "other"), said("c")), way=OnConflict.KEEP)
    assert (done.added, done.gave_way) == (1, 1)
    assert numbered(tape) == [(1, b"a1"), (2, b"a2"), (1, b"b"), (1, b"c")]


def test_what_is_there_may_be_replaced(tape: Path) -> None:
    done = come(tape, some(said("a", "other"), said("b"), said("c")), way=OnConflict.REPLACE)
    assert (done.added, done.replaced, done.there_already) == (2, 1, 1)
    assert numbered(tape) == [(2, b"a2"), (1, b"b"), (1, b"other"), (1, b"c")]


def test_of_several_that_replace_one_the_last_does(tape: Path) -> None:
    done = come(tape, some(said("a", "first")), some(said("a", "last")), way=OnConflict.REPLACE)
    assert (done.added, done.replaced, done.gave_way) == (1, 1, 1)
    assert (1, b"last") in numbered(tape)
    back = come(tape, some(said("a", "x")), some(said("a", "last")), way=OnConflict.REPLACE)
    assert (back.added, back.replaced, back.there_already) == (0, 0, 1)


def test_what_conflicts_may_become_the_next_take(tape: Path) -> None:
    done = come(tape, some(said("a", "a3"), said("a", "a4", 2), said("b")), way=OnConflict.ADD)
    assert (done.added, done.renumbered, done.there_already) == (2, 2, 1)
    assert numbered(tape)[3:] == [(3, b"a3"), (4, b"a4")]


def test_two_files_that_differ_conflict_as_well(path: Path) -> None:
    with pytest.raises(CassetteError, match="with other content"):
        come(path, some(said("a", "one")), some(said("a", "other")))
    assert not path.exists()
    assert come(path, some(said("a", "one")), some(said("a", "one"))).there_already == 1
    assert come(path, some(said("a", "other")), some(said("a", "third")), way=OnConflict.ADD).renumbered == 2
    assert [number for number, _ in numbered(path)] == [1, 2, 3]


def test_recordings_of_other_rules_get_the_keys_of_the_cassettes_rules(path: Path) -> None:
    come(path, some(said("a", model="m", rules=RULES), rules=RULES))
    come(path, some(said("b", "b1", model="alias"), said("b", "b2", model="m")))
    (one, *others) = held(path, RULES)
    assert one.track.key == normalize(question("a"), RULES).key
    assert [(item.track.key, item.number, item.response.body) for item in others] == [
        (normalize(question("b"), RULES).key, 1, b"b1"),
        (normalize(question("b"), RULES).key, 2, b"b2"),
    ]
    assert facts_in(path)["rules"] == RULES.text


def test_the_first_file_says_what_makes_the_keys_of_a_new_cassette(path: Path) -> None:
    come(path, some(said("a", model="alias", rules=RULES), rules=RULES), some(said("b", model="alias")))
    assert facts_in(path)["rules"] == RULES.text
    assert {item.track.key for item in held(path, RULES)} == {
        normalize(question(text), RULES).key for text in ("a", "b")
    }


def test_what_has_no_keys_yet_gets_those_of_the_cassette_or_else_of_the_rules_in_force(path: Path) -> None:
    come(path, Keyless(("a",)), rules=RULES)
    come(path, Keyless(("b",)), rules=DEFAULT)
    keys = [item.track.key for item in held(path, RULES)]
    assert keys == [normalize(question(text), RULES).key for text in ("a", "b")]


def test_notes_of_files_with_the_same_keys_are_kept(tape: Path) -> None:
    come(tape, some(extra="noted"), some(rules=RULES, other="of other keys"))
    assert facts_in(tape).get("extra") == "noted"
    assert "other" not in facts_in(tape)


def test_an_empty_export_makes_an_empty_cassette_and_an_empty_document_none(path: Path) -> None:
    with pytest.raises(CassetteError, match="nothing to import"):
        come(path, Keyless(()))
    assert not path.exists()
    assert come(path, some(rules=RULES)).added == 0
    assert facts_in(path)["rules"] == RULES.text


def test_a_source_that_is_damaged_leaves_all_as_it_was(tape: Path, tmp_path: Path) -> None:
    before = tape.read_bytes()
    for way in OnConflict:
        with pytest.raises(InterchangeError, match="line 8"):
            take_in(tape, [some(said("c")), Broken()], DEFAULT, way)
    with pytest.raises(InterchangeError):
        take_in(tmp_path / "new.sqlite", [Broken()], DEFAULT, OnConflict.ERROR)
    assert tape.read_bytes() == before
    assert files(tape) == ["tape.sqlite"]


def test_keys_of_another_version_are_made_anew_first(tape: Path) -> None:
    change(tape, "update cassette set value = '0' where name = 'normalizer'")
    with pytest.raises(CassetteError, match="llmtape rekey"):
        come(tape, some(said("c")))


def test_rules_that_nobody_knows_are_told(path: Path) -> None:
    with pytest.raises(CassetteError, match="Update llmtape"):
        come(path, Held((said("a"),), {"normalizer": "1", "rules": '{"from":"the future"}'}))
    assert not path.exists()


def test_a_cassette_that_a_recorder_holds_is_left_alone(tape: Path) -> None:
    writer = Writer(tape, AUTO)
    try:
        writer.save(said("c")).result()
        with pytest.raises(CassetteError, match="recorder"):
            come(tape, some(said("d")))
    finally:
        writer.close()
    assert sorted(bodies(tape)) == [b"a1", b"a2", b"b", b"c"]


def test_an_empty_file_is_taken_for_a_new_cassette(path: Path) -> None:
    path.touch()
    come(path, some(said("a")))
    assert numbered(path) == [(1, b"a")]


def test_an_import_lies_in_the_file_as_a_draft_does(tape: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    with drafted(other) as draft:
        for interaction in (said("a", "a1"), said("a", "a2", 2), said("b")):
            draft.add(interaction, RUN)
    assert other.read_bytes() == tape.read_bytes()


def test_what_another_made_meanwhile_is_not_replaced(path: Path) -> None:
    @dataclass(frozen=True, slots=True)
    class Slow:
        facts = keyed_by(DEFAULT)

        def recordings(self, _rules: Rules) -> Iterator[Item]:
            come(path, some(said("a")))
            yield Item(said("b"))

    with pytest.raises(CassetteError, match="another process made"):
        take_in(path, [Slow()], DEFAULT, OnConflict.ERROR)
    assert bodies(path) == [b"a"]


def unsettled(text: str, *others: str) -> Held:
    """Give a recording on whose track a merge left others to be settled."""
    texts = [conflicts.written(keyed_by(DEFAULT), [(said(text, other), RUN)]) for other in others]
    return Held((said(text),), {**keyed_by(DEFAULT), conflicts.name_of(said(text).track): "".join(texts)})


def alternatives(path: Path) -> list[bytes]:
    """Tell what is to be settled."""
    found = conflicts_in(path).values()
    return [item.response.body for conflict in found for side in conflict.alternatives for item, _ in side]


def test_conflicts_that_come_in_join_those_that_are_there(path: Path) -> None:
    come(path, unsettled("a", "one"))
    come(path, unsettled("a", "two", "one"), unsettled("a", "three"))
    assert alternatives(path) == [b"one", b"two", b"three"]
    before = path.read_bytes()
    come(path, unsettled("a", "one", "two", "three"))
    assert path.read_bytes() == before


def test_conflicts_of_several_sources_join_in_a_new_file(path: Path) -> None:
    come(path, unsettled("a", "one"), unsettled("a", "two"))
    assert alternatives(path) == [b"one", b"two"]


def test_conflicts_of_other_rules_come_in_as_well(path: Path) -> None:
    come(path, some(said("a", rules=RULES), rules=RULES))
    come(path, unsettled("b", "other"))
    assert alternatives(path) == [b"other"]
    assert [conflict.track for conflict in conflicts_in(path).values()] == [said("b", rules=RULES).track]


@pytest.mark.parametrize("name", ["conflict:x", f"conflict:{'a' * 64}:json:"])
def test_a_conflict_that_nobody_could_settle_does_not_come_in(path: Path, name: str) -> None:
    damaged = Held((said("a"),), {**keyed_by(DEFAULT), name: "no lines"})
    with pytest.raises(InterchangeError):
        take_in(path, [damaged], DEFAULT, OnConflict.ERROR)
    assert not path.exists()
