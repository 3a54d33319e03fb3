"""The index is stored with each interaction, shares what conversations share, and keeps nothing that is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.model import Interaction, Outcome, Request
from proxy.core.normalize import normalize
from proxy.core.outline import outline
from tests.cassette.making import AUTO, CHAT, RECORD, answer, held, interactions, question, rows, store, taken

ROOT = Path(__file__).parent.parent.parent


def paths(path: Path) -> dict[int, list[int]]:
    """Read the digests that lead to each interaction, by its id."""
    steps: dict[int, list[int]] = {}
    parents = {turn: (parent, digest) for turn, parent, digest in rows(path, "select * from turns")}
    for id_, last in rows(path, "select id, turn_id from interactions"):
        turn, steps[id_] = last, []
        while turn:
            turn, digest = parents[turn]
            steps[id_].insert(0, digest)
    return steps


def digests(request: Request) -> list[int]:
    return [step.digest for step in outline(normalize(request).content)]


def unused(path: Path) -> tuple[int, int, int]:
    """Count the turns that lead nowhere, the words of turns that are gone, and the turns without any."""
    used = """with recursive used(id) as (
      select turn_id from interactions union select parent_id from turns join used on turns.id = used.id)
      select count(*) from turns where id not in (select id from used)"""
    gone = "select count(*) from anchors where turn_id not in (select id from turns)"
    bare = "select count(*) from turns where id not in (select turn_id from anchors)"
    counts = [rows(path, statement)[0][0] for statement in (used, gone, bare)]
    return counts[0], counts[1], counts[2]


def chat(*texts: str) -> Request:
    messages = [{"role": "user", "content": text} for text in texts]
    return replace(question(), body=json.dumps({"model": "m", "messages": messages}).encode())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(interactions(), min_size=1, max_size=4, unique_by=lambda one: (one.track, one.number)))
def test_the_turns_of_each_interaction_are_its_outline(path: Path, drawn: list[Interaction]) -> None:
    path.unlink(missing_ok=True)
    store(path, drawn, AUTO)
    assert sorted(paths(path).values()) == sorted(digests(one.request) for one in drawn)
    assert unused(path)[:2] == (0, 0)


def test_a_conversation_that_grows_stores_each_message_once(path: Path) -> None:
    texts = [f"message {number}" for number in range(50)]
    store(path, [taken(chat(*texts[:count]), answer(b"1")) for count in range(1, 51)])
    assert rows(path, "select count(*) from turns") == [(1 + 50,)]
    assert rows(path, "select count(*) from anchors where turn_id > 1") == [(50 * len({"user", "message", "number"}),)]


def test_takes_of_one_question_end_at_one_turn(path: Path) -> None:
    store(path, [taken(question(), answer(b"%d" % number), number) for number in (1, 2, 3)])
    assert rows(path, "select count(*), count(distinct turn_id) from interactions") == [(3, 1)]


def test_the_same_recordings_give_the_same_index(tmp_path: Path) -> None:
    made = [taken(chat("a", str(number % 7)), answer(b"1"), number) for number in range(1, 30)]
    for name in ("one", "other"):
        store(tmp_path / name, made)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_replaced_takes_leave_no_turns_behind(path: Path) -> None:
    shared = chat("shared", "kept")
    gone = chat("shared", "gone", "gone as well")
    store(path, [taken(shared, answer(b"1")), taken(gone, answer(b"stump", outcome=Outcome.CUT))], AUTO)
    other = Interaction(taken(gone, answer(b"2")).track, 1, "2026-11-23T12:00:00.000Z", chat("anew"), answer(b"2"))
    store(path, [other], AUTO)
    assert sorted(paths(path).values()) == sorted([digests(shared), digests(chat("anew"))])
    assert unused(path) == (0, 0, 0)


def test_what_is_recorded_anew_keeps_its_turns(path: Path) -> None:
    for body in (b"1", b"2"):
        store(path, [taken(chat("a", "b"), answer(body))], RECORD)
    assert list(paths(path).values()) == [digests(chat("a", "b"))]
    assert unused(path) == (0, 0, 0)


def test_a_recorder_that_is_killed_leaves_each_interaction_with_its_turns(path: Path) -> None:
    script = """if True:
        import sys
        from pathlib import Path
        from proxy.cassette.writer import Writer
        from tests.cassette.making import AUTO, answer, question, taken

        writer = Writer(Path(sys.argv[1]), AUTO)
        for number in range(100_000):
            writer.save(taken(question(f"question {number} of many"), answer(b"%d" % number))).result()
            print(number, flush=True)
    """
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        while int(process.stdout.readline()) < 30:
            pass
        process.kill()
        seen = [int(line) for line in process.stdout if line.endswith("\n")]
    assert len(held(path)) > max(seen, default=30)
    assert sorted(paths(path).values()) == sorted(digests(one.request) for one in held(path))
    assert unused(path) == (0, 0, 0)
    assert rows(path, "pragma integrity_check") == [("ok",)]


def test_the_endpoint_is_found_by_the_words_of_its_path(path: Path) -> None:
    store(path, [taken(question(), answer(b"1"))])
    ((words,),) = rows(path, "select count(*) from anchors where parent_id = 0")
    assert words == len({"POST", *CHAT.strip("/").split("/")})
