"""`llmtape play`: when things are shown, and what. No test waits: clocks and sleep are arguments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.cli.playing import play_bytes, play_text, timed, waiter
from proxy.cli.speech import Speech
from proxy.core.model import Chunk, Outcome, Response, Variant
from proxy.core.pace import Schedule, parse
from tests.cassette.making import AUTO, SSE_TYPE, answer, question, store, taken
from tests.cli.recorded import DONE, RECORDED, event, key, run, stream, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO = stream(event(role="assistant"), event(content="Hel"), event(content="lo"), event("stop"), DONE)


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("play") / "play.sqlite"
    store(path, RECORDED.values(), AUTO)
    return path


def performed(response: Response, pace: str, tokens: int | None = None) -> list[str | int]:
    """Return what was shown, and what was waited for, in order."""
    done: list[str | int] = []
    speech = Speech(lambda text: done.append(text.plain))
    play_text(response, timed(response, parse(pace).schedule(response, tokens)), speech, done.append)
    return done


def test_nothing_is_shown_before_it_is_due() -> None:
    assert performed(HELLO, "recorded") == [200_000, 400_000, "Hel", 600_000, "lo", 800_000, 1_000_000, "\n"]
    assert performed(HELLO, "10x") == [20_000, 40_000, "Hel", 60_000, "lo", 80_000, 100_000, "\n"]
    assert performed(HELLO, "100tps") == [0, 10_000, "Hel", 20_000, "lo", 30_000, 40_000, "\n"]


def test_a_plain_answer_is_shown_when_its_last_byte_came() -> None:
    body = json.dumps({"choices": [{"message": {"content": "Hello"}}]}).encode()
    plain = answer(body[:9], body[9:])
    assert performed(plain, "recorded") == [200, "Hello", "\n"]
    assert performed(plain, "50tps", 100) == [2_000_000, "Hello", "\n"]
    assert performed(answer(), "recorded") == [50]


def test_events_that_came_in_other_pieces_are_shown_when_they_were_whole() -> None:
    whole = event(content="Hi") + event(content="!")
    cut = Response(200, SSE_TYPE, (Chunk(1, whole[:7]), Chunk(2, whole[7:-1]), Chunk(3, whole[-1:])), Outcome.CUT, 0, 9)
    assert list(timed(cut, Schedule(0, (1, 2, 3)))) == [(2, event(content="Hi")), (3, event(content="!"))]
    assert list(timed(cut, None)) == [(0, event(content="Hi")), (0, event(content="!"))]


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        (answer(b"Bad gateway\x1b[2J", status=502), "Bad gateway\\x1b[2J\n"),
        (answer(b'{"data":[1]}'), '{\n  "data": [\n    1\n  ]\n}\n'),
        (answer(b"event: a\ndata: 1\n\n", headers=SSE_TYPE), "event: a\ndata: 1\n\n"),
        (answer(b"\xff"), "\\xff\n"),
    ],
)
def test_answers_of_another_form_are_shown_as_they_are(response: Response, shown: str) -> None:
    assert "".join(item for item in performed(response, "instant") if isinstance(item, str)) == shown


def test_waiting_is_for_absolute_times_so_that_delays_do_not_add_up() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds + 0.25  # whoever sleeps wakes late

    wait_until = waiter(lambda: now[0], sleep)
    for due_us in (0, 1_000_000, 1_100_000, 2_000_000):
        wait_until(due_us)
    assert slept == [1.0, 0.75]


def test_no_sleep_is_longer_than_the_system_can() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    waiter(lambda: now[0], sleep)(9_000_000_000)
    assert slept == [3600.0, 3600.0, 1800.0]


def test_raw_prints_events_as_they_are_when_they_are_due(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    waited: list[int] = []
    play_bytes([(5, b"data: \xff\n\n"), (9, b"x")], waited.append)
    assert (waited, capfdbinary.readouterr().out) == ([5, 9], b"data: \xff\n\nx")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("stream", "Grüße 🎲\n"),
        ("tools", '→ weather {"city": "Zürich"}\n'),
        ("n=2", "Ada\n[choice 2]\nGrace\n"),
        ("picture", "A [bold]cat[/bold]\\x1b[2J.\n"),
    ],
)
def test_an_answer_is_played_from_a_cassette(name: str, shown: str, cassette: Path) -> None:
    assert told("play", cassette, key(name)[:12], "--pace", "instant") == shown


@pytest.mark.parametrize(
    ("name", "shown", "ending"),
    [("cut", "Once\n", "[cut: the upstream broke off]\n"), ("error", "error: Too hot.\n", "[status 400]\n")],
)
def test_an_answer_that_did_not_end_well_says_so_at_its_end(name: str, shown: str, ending: str, cassette: Path) -> None:
    result = run("play", cassette, key(name), "--pace", "instant")
    assert (result.exit_code, result.stdout, result.stderr) == (0, shown, ending)


def test_raw_is_the_stored_body(cassette: Path) -> None:
    result = run("play", cassette, key("tools"), "--raw", "--pace", "instant")
    assert (result.exit_code, result.stdout_bytes) == (0, RECORDED["tools"].response.body)


def test_one_take_is_to_be_named_where_there_are_more(cassette: Path) -> None:
    result = run("play", cassette, key("plain"), "--pace", "instant")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "has 2 recordings: name one" in result.stderr
    assert told("play", cassette, f"{key('plain')}:2", "--pace", "instant") == "Hello again.\n"


def test_a_pace_that_is_none_is_a_usage_error(cassette: Path) -> None:
    result = run("play", cassette, key("stream"), "--pace", "fast")
    assert result.exit_code == 2
    assert "pace 'fast' is not one" in result.stderr


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Play an answer whose second word is due in an hour."""
    path = tmp_path / "endless.sqlite"
    chunks = (Chunk(0, event(content="Hello")), Chunk(3_600_000_000, event(content=" there")))
    recorded = taken(question(), Response(200, SSE_TYPE, chunks, Outcome.COMPLETE, 0, 1), variant=Variant.SSE)
    store(path, [recorded])
    command = [sys.executable, "-m", "proxy", "play", str(path), recorded.track.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_words_are_shown_at_once_and_ctrl_c_ends_it_quietly(endless: subprocess.Popen[bytes]) -> None:
    assert endless.stdout
    assert os.read(endless.stdout.fileno(), 100) == b"Hello"
    endless.send_signal(signal.SIGINT)
    _, err = endless.communicate()
    assert (endless.returncode, err) == (130, b"")


def test_an_answer_that_is_interrupted_ends_its_line() -> None:
    shown: list[str] = []

    def wait_until(due_us: int) -> None:
        if due_us > 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_text(
            HELLO,
            timed(HELLO, Schedule(0, (0, 1, 500_000, 0, 0))),
            Speech(lambda text: shown.append(text.plain)),
            wait_until,
        )
    assert shown == ["Hel", "\n"]


def test_help_has_examples() -> None:
    assert "  llmtape play cassettes/default.sqlite 3f2a9c:1\n" in told("play", "--help")
