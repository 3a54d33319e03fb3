"""Old recordings, redacted as if they had been when they came."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cassette.draft import drafted
from proxy.cassette.redaction import Redacted, redact
from proxy.core.errors import CassetteError
from proxy.core.model import Interaction, Outcome, Request, Variant
from proxy.core.normalize import normalize
from proxy.core.redact import Redactor, redactor
from proxy.core.rules import DEFAULT, Rules
from tests.cassette.making import (
    AUTO,
    CHAT,
    JSON_TYPE,
    SSE_TYPE,
    Call,
    answer,
    arriving,
    change,
    files,
    held,
    question,
    rows,
    store,
    taken,
)
from tests.cassette.test_migration import FIRST
from tests.running import delta

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

OURS = redactor(["cust-[0-9]{6}"])
BOTH = redactor(["cust-[0-9]{6}"], responses=True)
DATES = Rules(scrub=("date",))
SAID = (b"data: he is cust-1", b"23456, and no\n\n", b"data: [DONE]\n\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


def told(items: Iterable[T], total: int) -> Iterable[T]:
    passed = 0
    for passed, item in enumerate(items, 1):  # noqa: B007  it is asked for below
        yield item
    assert passed == total


def done(path: Path, by: Redactor, rules: Rules = DEFAULT, *, accepted: bool = True) -> Redacted:
    return redact(path, by, rules, lambda _: accepted, told)


def fresh(interaction: Interaction, by: Redactor, rules: Rules = DEFAULT) -> Interaction:
    """Make a recording as it would be had it been redacted when it came."""
    request = by.request(interaction.request, ())
    response = replace(interaction.response, chunks=by.chunks(interaction.response.chunks, ()))
    track = replace(interaction.track, key=normalize(request, rules).key)
    return replace(interaction, track=track, request=request, response=response)


@pytest.mark.parametrize("by", [OURS, BOTH])
def test_the_file_is_as_if_all_had_been_redacted_when_it_came(path: Path, by: Redactor) -> None:
    recorded = [
        taken(question("who is cust-123456?"), answer(*SAID, headers=SSE_TYPE), variant=Variant.SSE),
        taken(question("nothing of the kind"), answer(b"cust-654321")),
        taken(question("sk-proj-0123456789abcdefghij"), answer(b"x")),
    ]
    store(path, recorded, AUTO)
    found = done(path, by)
    other = path.with_name("other.sqlite")
    store(other, [fresh(one, by) for one in recorded], AUTO)
    assert path.read_bytes() == other.read_bytes()
    assert b"cust-123456" not in path.read_bytes().replace(b"he is cust-123456", b"" if by is OURS else b"he is cust-1")
    assert len(found.requests) == 2
    assert len(found.responses) == (2 if by is BOTH else 0)
    assert found.rekeying.changed == 2


def test_streams_keep_their_pieces_and_times(path: Path) -> None:
    store(path, [taken(question("hm"), answer(*SAID, headers=SSE_TYPE), variant=Variant.SSE)], AUTO)
    before = held(path)[0].response
    done(path, BOTH)
    after = held(path)[0].response
    assert [(chunk.at_us, len(chunk.data)) for chunk in after.chunks] == [
        (chunk.at_us, len(chunk.data)) for chunk in before.chunks
    ]
    assert b"cust-123456" not in after.body


def test_where_there_is_nothing_to_redact_or_it_is_not_accepted_the_file_stays(path: Path) -> None:
    store(path, [taken(question("who is cust-123456?"), answer(b"x"))], AUTO)
    before = (path.stat().st_ino, path.read_bytes())
    assert not done(path, OURS, accepted=False).is_nothing
    assert done(path, redactor([])).is_nothing
    assert (path.stat().st_ino, path.read_bytes()) == before
    done(path, OURS)
    assert done(path, OURS).is_nothing


def test_what_comes_to_be_the_same_request_becomes_takes_of_one_call(path: Path) -> None:
    asked = [taken(question(f"who is cust-{number}?"), answer(b"%d" % number)) for number in (123456, 654321)]
    store(path, asked, AUTO)
    (merge,) = done(path, OURS).rekeying.conflicts
    assert len(merge.takes) == 2
    assert [(one.number, one.response.body) for one in held(path)] == [(1, b"123456"), (2, b"654321")]
    assert len({one.track for one in held(path)}) == 1


@pytest.mark.parametrize("of_replay", [DEFAULT, DATES, Rules(developer_is_system=True)])
def test_keys_are_made_by_the_files_own_rules_and_told_by_those_of_a_replay(path: Path, of_replay: Rules) -> None:
    one = taken(question("cust-123456 on 2026-11-25"), answer(b"x"), rules=DATES)
    store(path, [one], AUTO, DATES)
    (take,) = done(path, OURS, of_replay).requests
    assert take.track.key == normalize(one.request, of_replay).key
    assert held(path, DATES) == [fresh(one, OURS, DATES)]
    assert rows(path, "select key from interactions") == [(fresh(one, OURS, DATES).track.key,)]
    assert held(path, of_replay)[0].track.key == fresh(one, OURS, of_replay).track.key


def test_what_the_rules_of_a_replay_keep_apart_does_not_come_to_share_a_key(path: Path) -> None:
    asked = [question(f"cust-{number} on 2026-11-{day}") for number, day in ((123456, 25), (654321, 26))]
    store(path, [taken(one, answer(one.body), rules=DATES) for one in asked], AUTO, DATES)
    before = path.read_bytes()
    assert len(done(path, OURS, DATES, accepted=False).rekeying.conflicts) == 1
    assert path.read_bytes() == before
    assert done(path, OURS).rekeying.conflicts == ()
    assert [one.response.body for one in held(path)] == [one.body for one in asked]
    assert len({one.track for one in held(path)}) == 2
    assert [one.number for one in held(path, DATES)] == [1, 2]


def test_keys_of_an_older_normalizer_are_made_anew_and_said_to_be(path: Path) -> None:
    one = taken(question("who is cust-123456?"), answer(b"x"))
    other = taken(question("hm"), answer(b"x"))
    store(path, [one, other], AUTO)
    change(path, "update cassette set value = '0' where name = 'normalizer'")
    change(path, "update interactions set key = printf('%064d', id)")
    done(path, OURS)
    fresh_one = path.with_name("fresh.sqlite")
    store(fresh_one, [fresh(one, OURS), other], AUTO)
    assert path.read_bytes() == fresh_one.read_bytes()


def test_where_conflicts_of_a_merge_are_open_they_come_first(path: Path) -> None:
    store(path, [taken(question("who is cust-123456?"), answer(b"x", outcome=Outcome.CUT))], AUTO)
    with drafted(path) as draft:
        draft.copy(path)
        draft.note(f"conflict:{'0' * 64}:json:", "cust-123456")
    with pytest.raises(CassetteError, match="settle them first"):
        done(path, OURS)


SECRETS = st.sampled_from(["cust-123456", "cust-654321", "sk-proj-0123456789abcdefghij", "hf_" + "a" * 30])
TEXTS = st.lists(st.text("ab -é🎲\\", max_size=4) | SECRETS, max_size=4).map("".join)
EVENTS = st.lists(st.binary(max_size=9) | TEXTS.map(str.encode), max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, EVENTS, st.sampled_from(["", "t"])), min_size=1, max_size=4))
def test_whatever_was_recorded_none_of_it_is_left_and_a_second_time_changes_nothing(
    drawn: list[tuple[str, tuple[bytes, ...], str]],
) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":%b}]}'
    calls = [
        Call(Request("POST", CHAT, "", JSON_TYPE, body % json.dumps(text, ensure_ascii=False).encode()), b"", lane)
        for text, _, lane in drawn
    ]
    recorded = [
        replace(made, response=answer(*events, headers=SSE_TYPE))
        for made, (_, events, _) in zip(arriving(calls), drawn, strict=True)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tape.sqlite"
        store(path, recorded, AUTO)
        done(path, BOTH)
        data = path.read_bytes()
        assert not re.search(rb"cust-[0-9]{6}", data)
        assert done(path, BOTH).is_nothing
        after = held(path)
        assert sorted(one.request.body for one in after) == sorted(fresh(one, BOTH).request.body for one in recorded)
        assert all(one.track.key == normalize(one.request).key for one in after)
        assert data == path.read_bytes()


def test_what_another_recorded_meanwhile_is_redacted_as_well(path: Path) -> None:
    store(path, [taken(question("who is cust-123456?"), answer(b"x"))], AUTO)
    seen: list[int] = []

    def accepts(found: Redacted) -> bool:
        if not seen:
            store(path, [taken(question("what has cust-654321?"), answer(b"y"))], AUTO)
        seen.append(len(found.requests))
        return True

    assert len(redact(path, OURS, DEFAULT, accepts, told).requests) == 2
    assert seen == [1, 2]
    assert not re.search(rb"cust-[0-9]{6}", path.read_bytes())


def test_what_another_recorded_meanwhile_may_make_it_unacceptable(path: Path) -> None:
    store(path, [taken(question("who is cust-123456?"), answer(b"x"))], AUTO)
    seen: list[Redacted] = []

    def accepts(found: Redacted) -> bool:
        if not seen:
            store(path, [taken(question("who is cust-654321?"), answer(b"y"))], AUTO)
        seen.append(found)
        return not found.rekeying.conflicts

    with pytest.raises(CassetteError, match="another process changed"):
        redact(path, OURS, DEFAULT, accepts, told)
    assert len(held(path)) == 2
    assert (b"cust-123456" in path.read_bytes(), files(path)) == (True, ["tape.sqlite"])


def test_recordings_are_gone_through_once_where_nobody_changed_them_meanwhile(path: Path) -> None:
    store(path, [taken(question("who is cust-123456?"), answer(b"x"))], AUTO)
    passes: list[int] = []

    def counted(items: Iterable[T], total: int) -> Iterable[T]:
        passes.append(total)
        return items

    redact(path, OURS, DEFAULT, lambda _: True, counted)
    assert passes == [1, 1]  # to judge, and to write


def test_header_fields_of_both_sides_and_the_query_are_redacted_and_the_lane_stays(path: Path) -> None:
    asked = replace(question("hm"), query="a=cust-123456", headers=(("accept", "cust-123456"),))
    answered = answer(b"x", headers=(("x-request-id", "cust-123456"),))
    store(path, [taken(asked, answered, lane="cust-654321")], AUTO)
    done(path, BOTH)
    (one,) = held(path)
    assert one.request.query == "a=[redacted]*"
    assert one.request.headers == (("accept", "[redacted]*"),)
    assert one.response.headers == (("x-request-id", "[redacted]*"),)
    assert one.track.lane == "cust-654321"
    assert b"cust-123456" not in path.read_bytes()


def test_a_stream_that_spells_a_secret_over_its_events_is_redacted_in_its_pieces(path: Path) -> None:
    events = [delta(letters) for letters in ("he is cust-1", "23", "456", ", and no")]
    store(path, [taken(question("hm"), answer(*events, headers=SSE_TYPE), variant=Variant.SSE)], AUTO)
    assert len(done(path, BOTH).responses) == 1
    (one,) = held(path)
    said = "".join(json.loads(chunk.data[6:])["choices"][0]["delta"]["content"] for chunk in one.response.chunks)
    assert said == "he is [redacted]*, and no"
    assert [len(chunk.data) for chunk in one.response.chunks] == list(map(len, events))


def test_a_cassette_of_the_first_format_is_redacted_into_the_present_one(path: Path) -> None:
    shutil.copy(FIRST, path)
    before = held(path)
    word = redactor(["weather"])
    done(path, word)
    assert rows(path, "pragma user_version") == [(2,)]
    assert [one.request for one in held(path)] == [word.request(one.request, ()) for one in before]


def test_a_request_without_a_body_is_left_alone(path: Path) -> None:
    store(path, [taken(Request("GET", "/v1/models"), answer(b"[]"))], AUTO)
    assert done(path, BOTH).is_nothing
