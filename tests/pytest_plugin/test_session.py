"""The pytest plugin, in suites of its own: what they record, what they are played, and what they are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

# What an inner suite in this process imports is forgotten with it, unless it was there before.
import proxy.cassette.writer
import proxy.testing
import proxy.upstream  # noqa: F401  as above
from proxy.cassette.facts import lanes_in
from tests import suites
from tests.running import recordings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.demo.script import ScriptedUpstream

pytest_plugins = ["pytester"]

TWO_TESTS = """
from asking import ask

def test_one(llmtape):
    assert ask("one").startswith("one")

def test_two(llmtape):
    assert ask("two").startswith("two")
"""
INI = (
    "[pytest]",
    "pythonpath = .",
    "asyncio_mode = auto",
    "asyncio_default_fixture_loop_scope = function",
)


class Suite:
    """An inner suite, in the folder that pytester makes for it."""

    def __init__(self, pytester: pytest.Pytester, upstream: ScriptedUpstream) -> None:
        self.pytester = pytester
        self.upstream = upstream
        pytester.makepyfile(asking=suites.ASKING)
        self.ini()

    def ini(self, *lines: str, addopts: str = "-p no:randomly") -> None:
        self.pytester.makeini("\n".join([*INI, f"addopts = -p no:hypothesispytest {addopts}", *lines]))

    def write(self, source: str, name: str = "test_it") -> None:
        self.pytester.makepyfile(**{name: source})

    def run(self, *options: str, **outcomes: int) -> str:
        """Run it in this process; return what it told."""
        return self._checked(self.pytester.runpytest_inprocess(*options), outcomes)

    def run_apart(self, *options: str, **outcomes: int) -> str:
        """Run it in a process of its own."""
        return self._checked(self.pytester.runpytest_subprocess(*options), outcomes)

    def record(self, *options: str, **outcomes: int) -> str:
        return self.run(*self.recording, *options, **outcomes)

    @property
    def recording(self) -> tuple[str, str]:
        return "--llmtape=record", f"--llmtape-upstream={self.upstream.url}"

    def lanes(self, cassette: str = "test_it") -> list[str]:
        return lanes_in(self.cassette(cassette))

    def answers(self, cassette: str = "test_it") -> list[str]:
        """Return what the model says in a cassette."""
        bodies = (json.loads(found.response.body) for found in recordings(self.cassette(cassette)))
        return sorted(body["choices"][0]["message"]["content"] for body in bodies)

    def cassette(self, name: str = "test_it") -> Path:
        return self.pytester.path / "cassettes" / f"{name}.sqlite"

    def receipt(self, name: str = "receipt.json") -> dict[str, object]:
        told: dict[str, object] = json.loads((self.pytester.path / name).read_bytes())
        return told

    def _checked(self, result: pytest.RunResult, outcomes: dict[str, int]) -> str:
        told = result.stdout.str() + result.stderr.str()
        if outcomes:
            result.assert_outcomes(**outcomes)
        return f"exit status {int(result.ret)}\n{told}"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    suites.forget_environment(monkeypatch)


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Iterator[Suite]:
    with suites.upstream() as upstream:
        yield Suite(pytester, upstream)


# Recording and replaying


def test_a_suite_is_recorded_and_then_replayed_without_its_upstream(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    assert "record: 2 recorded" in suite.record(passed=2)
    asked = len(suite.upstream.requests)
    told = suite.run(f"--llmtape-upstream={suite.upstream.url}", passed=2)
    assert "replay: 2 played" in told
    assert told.startswith("exit status 0\n")
    assert len(suite.upstream.requests) == asked == 2


def test_without_recordings_a_replay_fails_and_says_how_to_record(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    told = suite.run(failed=2)
    assert "exit status 1" in told
    assert "pytest --llmtape=record test_it.py::test_one" in told
    assert "replay: 2 missed" in told


def test_each_module_has_a_cassette_and_each_test_a_lane(suite: Suite) -> None:
    source = (
        "import pytest\nfrom asking import ask\n@pytest.mark.parametrize('n', [1, 2])\ndef test_n(llmtape, n): ask()"
    )
    suite.write(source, "test_a")
    (suite.pytester.path / "deep er").mkdir()
    (suite.pytester.path / "deep er/test_b.py").write_text(
        "from asking import ask\nclass TestB:\n    def test_b(self, llmtape): ask()\n", encoding="utf-8"
    )
    suite.record(passed=3)
    assert suite.lanes("test_a") == ["test_a.py::test_n[1]", "test_a.py::test_n[2]"]
    assert suite.lanes("deep-er/test_b") == ["deep er/test_b.py::TestB::test_b"]
    assert "3 played" in suite.run(passed=3)


def test_the_handle_tells_of_the_calls_and_the_environment_is_restored(suite: Suite) -> None:
    suite.write("""
        import os
        from asking import ask

        BEFORE = dict(os.environ)

        def test_it(llmtape):
            assert os.environ["OPENAI_BASE_URL"] == os.environ["OPENAI_API_BASE"] == llmtape.base_url
            first = ask()
            assert [ask(), ask()] != [first, first]
            llmtape.rewind()
            assert ask() == (first if llmtape.mode == "replay" else "Hello #4")
            assert len(llmtape.calls) == 4
            call = llmtape.calls[0]
            assert call.request.json()["messages"][0]["content"] == "Hello"
            assert first.encode() in call.response.body
            assert (llmtape.lane, llmtape.misses) == ("test_it.py::test_it", ())
            assert llmtape.cassette.name == "test_it.sqlite"
            assert ask(url=llmtape.base_url)

        def test_after():
            kept = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
            assert kept == {name: value for name, value in BEFORE.items() if name != "PYTEST_CURRENT_TEST"}
    """)
    suite.record(passed=2)
    suite.run(passed=2)


def test_auto_records_what_a_test_lacks_and_plays_the_rest(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.record("-k", "one", passed=1)
    told = suite.run("--llmtape=auto", f"--llmtape-upstream={suite.upstream.url}", passed=2)
    assert "auto: 1 played, 1 recorded" in told
    assert "2 played" in suite.run(passed=2)


def test_passthrough_records_nothing(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    assert "2 forwarded" in suite.run("--llmtape=passthrough", f"--llmtape-upstream={suite.upstream.url}", passed=2)
    assert not suite.cassette().exists()


def test_recording_one_test_anew_leaves_the_others_alone(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.record(passed=2)
    suite.record("test_it.py::test_two", passed=1)
    assert suite.answers() == ["one #1", "two #2"]


def test_the_embedded_upstream_can_be_recorded_with_the_sdk_sync_and_async(suite: Suite) -> None:
    suite.write("""
        from openai import AsyncOpenAI, OpenAI

        ASK = {"model": "demo", "messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 2}

        def test_sync(llmtape):
            with OpenAI() as client:
                assert client.chat.completions.create(**ASK).choices
            assert len(llmtape.calls) == 1

        async def test_async(llmtape):
            async with AsyncOpenAI() as client:
                chunks = await client.chat.completions.create(stream=True, **ASK)
                assert [chunk async for chunk in chunks][-1].choices[0].finish_reason
            assert len(llmtape.calls) == 1
    """)
    assert "2 recorded" in suite.run_apart("--llmtape=record", "--llmtape-upstream=demo", passed=2)
    assert "2 played" in suite.run_apart("--llmtape-strict", passed=2)


# Markers


def test_markers_weigh_more_the_nearer_they_are(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        pytestmark = pytest.mark.llmtape("of-module")

        def test_module():
            ask()

        @pytest.mark.llmtape(cassette="of-class")
        class TestClass:
            def test_class(self):
                ask()

            @pytest.mark.llmtape(cassette="of-test", repeats="error")
            def test_test(self):
                ask()
    """)
    suite.record(passed=3)
    assert suite.lanes("of-module") == ["test_it.py::test_module"]
    assert suite.lanes("of-class") == ["test_it.py::TestClass::test_class"]
    assert suite.lanes("of-test") == ["test_it.py::TestClass::test_test"]
    assert "3 played" in suite.run(passed=3)


def test_a_marker_says_what_comes_after_the_last_take(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import answer, ask

        @pytest.mark.llmtape(repeats="cycle")
        def test_cycle(llmtape):
            said = [ask(), ask()] + ([ask(), ask()] if llmtape.mode == "replay" else [])
            assert said[2:] == said[:2][: len(said) - 2]

        @pytest.mark.llmtape(repeats="error")
        def test_error(llmtape):
            ask()
            if llmtape.mode == "replay":
                answer()

        def test_last(llmtape):
            said = ask()
            if llmtape.mode == "replay":
                assert ask() == said
    """)
    suite.record(passed=3)
    told = suite.run(passed=2, failed=1)
    assert "takes_exhausted" in told


def test_a_marker_says_mode_and_pace_and_a_command_that_records_weighs_more_but_over_replay(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        @pytest.mark.llmtape(mode="passthrough")
        def test_live():
            ask("live")

        @pytest.mark.llmtape(mode="replay", pace="1000x")
        def test_played():
            ask("played")
    """)
    upstream = f"--llmtape-upstream={suite.upstream.url}"
    assert "1 forwarded, 1 missed" in suite.run(upstream, passed=1, failed=1)
    assert "1 recorded, 1 missed" in suite.run(upstream, "--llmtape=record", passed=1, failed=1)
    assert "1 played, 1 missed" in suite.run(upstream, "--llmtape=replay", passed=1, failed=1)


def test_faults_are_done_on_purpose_and_told(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import answer, ask

        @pytest.mark.llmtape(faults="status=429; calls=1")
        def test_refused(llmtape):
            assert answer()[0] == 429
            assert ask() == "Hello #1"
            assert llmtape.calls[0].injected
    """)
    assert "1 recorded, 1 injected" in suite.record(passed=1)
    assert "1 played, 1 injected" in suite.run("--llmtape-strict", passed=1)


def test_rules_below_the_module_get_a_cassette_of_their_own(suite: Suite) -> None:
    suite.write("""
        import uuid

        import pytest
        from asking import ask

        UUIDS = pytest.mark.llmtape(rules={"scrub": ["uuid"]})

        def test_plain(llmtape):
            ask("plain")

        @UUIDS
        @pytest.mark.parametrize("n", [1, 2])
        def test_scrubbed(n):
            ask(f"{uuid.uuid4()}")

        @UUIDS
        class TestA:
            def test_a(self):
                ask(f"a {uuid.uuid4()}")

        class TestB:
            @pytest.mark.llmtape(rules={"sort_tools": True})
            def test_b(self):
                ask("b")

        class TestC:
            @UUIDS
            def test_b(self):
                ask(f"c {uuid.uuid4()}")
    """)
    suite.record(passed=6)
    assert suite.lanes() == ["test_it.py::test_plain"]
    assert suite.lanes("test_it.test_scrubbed") == ["test_it.py::test_scrubbed[1]", "test_it.py::test_scrubbed[2]"]
    assert suite.lanes("test_it.TestA") == ["test_it.py::TestA::test_a"]
    assert suite.lanes("test_it.TestB.test_b") == ["test_it.py::TestB::test_b"]
    assert suite.lanes("test_it.TestC.test_b") == ["test_it.py::TestC::test_b"]
    assert "6 played" in suite.run("--llmtape-strict", passed=6)


def test_rules_of_a_module_hold_for_its_own_cassette(suite: Suite) -> None:
    suite.write("""
        import uuid

        import pytest
        from asking import ask

        pytestmark = pytest.mark.llmtape(rules={"scrub": ["uuid"]})

        def test_scrubbed():
            ask(f"{uuid.uuid4()}")
    """)
    suite.record(passed=1)
    assert suite.lanes() == ["test_it.py::test_scrubbed"]
    suite.run(passed=1)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("casette='a'", "there is no casette. Known are: cassette, mode, pace, repeats, rules, faults"),
        ("'a', 'b'", "there is no b"),
        ("mode='rewind'", "mode"),
        ("pace='slow'", "slow"),
        ("faults='fire'", "there is no fault 'fire'"),
        ("rules={'scrubs': []}", "there is no setting scrubs. Is scrub meant?"),
        ("cassette='../a'", "../a"),
        ("cassette=1", "cassette"),
    ],
)
def test_a_marker_that_cannot_be_is_told_in_words(suite: Suite, marker: str, said: str) -> None:
    suite.write(f"import pytest\n@pytest.mark.llmtape({marker})\ndef test_it(): pass\n")
    told = suite.run(errors=1)
    assert said in told
    assert "pytest_plugin.py" not in told
    assert "During handling" not in told


# The fixture in every test


AUTOUSE = "llmtape_autouse = true"


def test_with_autouse_a_client_made_at_import_or_by_a_session_fixture_goes_to_the_lane_of_each_test(
    suite: Suite,
) -> None:
    suite.ini(AUTOUSE)
    suite.write("""
        import os

        import pytest
        from asking import ask

        URL = os.environ["OPENAI_BASE_URL"]

        @pytest.fixture(scope="session")
        def url():
            return os.environ["OPENAI_BASE_URL"]

        def test_one(url):
            assert ask("one", url) and ask("one", URL)

        def test_two(url, request):
            assert ask("two", url)
            assert len(request.getfixturevalue("llmtape").calls) == 1
    """)
    suite.record(passed=2)
    found = {(take.track.lane, take.number) for take in (found for found in recordings(suite.cassette()))}
    assert found == {("test_it.py::test_one", 1), ("test_it.py::test_one", 2), ("test_it.py::test_two", 1)}
    assert "3 played" in suite.run("--llmtape-strict", passed=2)


def test_with_autouse_calls_between_tests_go_to_no_lane_of_the_module(suite: Suite) -> None:
    suite.ini(AUTOUSE)
    suite.write("""
        import pytest
        from asking import ask

        @pytest.fixture(scope="module", autouse=True)
        def around():
            ask("before")
            yield
            ask("after")

        def test_it():
            ask("within")
    """)
    suite.record(passed=1)
    assert {
        (found.track.lane, json.loads(found.request.body)["messages"][0]["content"])
        for found in recordings(suite.cassette())
    } >= {("", "before"), ("test_it.py::test_it", "within")}
    assert "3 played" in suite.run("--llmtape-strict", passed=1)


def test_without_a_test_that_wants_it_no_proxy_runs(suite: Suite) -> None:
    suite.write(
        "import os, threading\ndef test_it():\n    assert 'OPENAI_BASE_URL' not in os.environ\n"
        "    assert 'llmtape' not in [thread.name for thread in threading.enumerate()]\n"
    )
    told = suite.run(passed=1)
    assert "- llmtape -" not in told


# Failures


def test_a_miss_fails_a_test_that_swallowed_the_error_with_the_report_alone(suite: Suite) -> None:
    suite.write("""
        from asking import answer

        def test_swallows(llmtape):
            answer("never recorded")
    """)
    told = suite.run(failed=1)
    assert "cassette_not_found" in told
    assert "pytest_plugin.py" not in told
    assert "def test_swallows" not in told


def test_a_failure_of_its_own_stays_and_the_report_is_beside_it(suite: Suite) -> None:
    suite.write("""
        from asking import ask

        def test_raises(llmtape):
            ask("never recorded")
    """)
    told = suite.run(failed=1)
    assert "the API answered 424" in told
    assert "- llmtape -" in told
    assert told.count("(cassette_not_found)") == 1


def test_a_miss_while_fixtures_end_is_told_as_well(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import answer

        @pytest.fixture
        def late(llmtape):
            yield
            answer("late")

        def test_late(late):
            answer("early")
    """)
    told = suite.run(failed=1, errors=1)
    assert told.count("(cassette_not_found)") == 2


def test_the_own_failure_of_a_unittest_case_stays_and_the_report_is_beside_it(suite: Suite) -> None:
    suite.write("""
        import unittest

        import pytest
        from asking import answer, ask

        @pytest.mark.llmtape
        class Cases(unittest.TestCase):
            def test_swallows(self):
                answer("swallowed")

            def test_raises(self):
                ask("raised")

            def test_fails(self):
                answer("before")
                self.assertEqual(1, 2)

            def test_parts(self):
                with self.subTest("part"):
                    ask("in a part")
    """)
    told = suite.run()
    assert "exit status 1" in told
    assert "the API answered 424" in told
    assert "1 != 2" in told
    assert "FAILED test_it.py::Cases::test_swallows" in told
    assert "FAILED test_it.py::Cases::test_fails" in told
    assert told.count("(cassette_not_found)") == 4


def test_unittest_cases_are_recorded_and_replayed(suite: Suite) -> None:
    suite.ini(AUTOUSE)
    suite.write("""
        import unittest

        from asking import ask

        class Cases(unittest.TestCase):
            def test_one(self):
                ask("one")

        class Async(unittest.IsolatedAsyncioTestCase):
            async def test_two(self):
                ask("two")
    """)
    suite.record(passed=2)
    assert suite.lanes() == ["test_it.py::Async::test_two", "test_it.py::Cases::test_one"]
    assert "2 played" in suite.run("--llmtape-strict", passed=2)


@pytest.mark.parametrize("excuse", ["pytest.skip('no API')", "pytest.xfail('no API')", "raise unittest.SkipTest('no')"])
def test_a_miss_is_no_excuse_to_skip(suite: Suite, excuse: str) -> None:
    suite.write(f"""
        import unittest

        import pytest
        from asking import answer

        def test_excused(llmtape):
            if answer()[0] != 200:
                {excuse}
    """)
    told = suite.run()
    assert "exit status 1" in told
    assert told.count("(cassette_not_found)") == 1


@pytest.mark.parametrize("body", ["answer()", "ask()"])
def test_a_miss_is_not_what_was_expected_to_fail(suite: Suite, body: str) -> None:
    suite.write(f"""
        import pytest
        from asking import answer, ask

        @pytest.mark.xfail
        def test_expected(llmtape):
            {body}
    """)
    told = suite.run()
    assert "exit status 1" in told
    assert told.count("(cassette_not_found)") == 1


def test_what_skips_records_nothing_and_what_is_expected_to_fail_does(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        def test_skips(llmtape):
            ask("skipped")
            pytest.skip("later")

        @pytest.mark.xfail
        def test_fails_as_expected(llmtape):
            ask("expected")
            assert False
    """)
    suite.record(skipped=1, xfailed=1)
    assert suite.answers() == ["expected #1"]
    assert "1 played" in suite.run("-k", "expected", xfailed=1)


def test_a_failing_test_records_nothing_and_what_it_had_remains(suite: Suite) -> None:
    source = """
        import pytest
        from asking import ask

        @pytest.fixture
        def broken(llmtape):
            yield
            assert not {broken}

        def test_one(llmtape):
            ask("one")
            assert not {fails}
            ask("more of one")

        def test_two(broken):
            ask("two")

        @pytest.mark.skipif({fails}, reason="is not run")
        def test_three(llmtape):
            ask("three")
    """
    suite.write(source.format(fails=False, broken=False))
    suite.record(passed=3)
    before = suite.answers()
    assert before == ["more of one #1", "one #1", "three #1", "two #1"]
    suite.write(source.format(fails=True, broken=True))
    told = suite.record(failed=1, passed=1, errors=1, skipped=1)
    assert "2 not-recorded" in told
    assert suite.answers() == before


def test_strict_fails_what_is_left_and_what_is_asked_for_once_more(suite: Suite) -> None:
    source = """
        from asking import ask

        def test_left(llmtape):
            ask("left")
            {left}

        def test_again(llmtape):
            ask("again")
            {again}

        def test_as_it_was(llmtape):
            ask("as it was")
    """
    suite.write(source.format(left="ask('right')", again=""))
    suite.record(passed=3)
    suite.run("--llmtape-strict", passed=3)
    suite.write(source.format(left="", again="ask('again')"))
    told = suite.run(passed=3)
    assert "replay: 4 played, 1 unplayed" in told
    assert "  unplayed: test_it.py::test_left: " in told
    told = suite.run("--llmtape-strict", passed=1, failed=2)
    assert "these were not played: " in told
    assert "played once more: " in told
    assert "pytest_plugin.py" not in told


def test_a_call_that_belongs_to_no_test_and_misses_fails_the_run(suite: Suite) -> None:
    suite.ini(AUTOUSE)
    suite.write("""
        from asking import answer

        answer("at import")

        def test_it():
            pass
    """)
    told = suite.run("--llmtape-report=receipt.json", passed=1)
    assert told.startswith("exit status 1\n")
    assert "(cassette_not_found)" in told
    assert suite.receipt()["isolated"] is False


def test_a_client_that_outlives_its_test_is_told_of(suite: Suite) -> None:
    suite.write("""
        from asking import answer

        URL = []

        def test_first(llmtape):
            URL.append(llmtape.base_url)

        def test_second(llmtape):
            answer("late", URL[0])
    """)
    told = suite.run()
    assert told.startswith("exit status 1\n")
    assert "(cassette_not_found)" in told


# CI


@pytest.mark.parametrize("mode", ["auto", "record"])
def test_in_ci_nothing_is_recorded_unless_forced(suite: Suite, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    suite.write(TWO_TESTS)
    options = f"--llmtape={mode}", f"--llmtape-upstream={suite.upstream.url}"
    told = suite.run(*options)
    assert told.startswith("exit status 4\n")
    assert "add --llmtape-force" in told
    assert not suite.cassette().exists()
    if mode == "record":
        assert "2 recorded" in suite.run("--llmtape-force", *options, passed=2)
        assert "2 played" in suite.run(passed=2)


def test_in_ci_a_marker_records_nothing_either(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    suite.write("import pytest\nfrom asking import ask\n@pytest.mark.llmtape(mode='record')\ndef test_it(): ask()\n")
    told = suite.run(f"--llmtape-upstream={suite.upstream.url}", errors=1)
    assert "add --llmtape-force" in told
    assert "pytest_plugin.py" not in told
    assert not suite.cassette().exists()
    monkeypatch.setenv("CI", "false")
    suite.run(f"--llmtape-upstream={suite.upstream.url}", passed=1)


# What is told at the end


def test_lanes_whose_test_is_gone_are_orphaned(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.write(TWO_TESTS, "test_other")
    suite.record(passed=4)
    (suite.pytester.path / "test_other.py").unlink()
    suite.write(TWO_TESTS.replace("test_two", "test_renamed"))
    told = suite.run("-k", "one", passed=1)
    assert "replay: 1 played, 3 orphaned" in told
    assert f"  orphaned, its test is gone: test_it.py::test_two in {suite.cassette()}" in told
    assert f"  orphaned, its test is gone: test_other.py::test_one in {suite.cassette('test_other')}" in told


@pytest.mark.parametrize(
    "options",
    [["-k", "one"], ["test_it.py::test_one"], ["--deselect=test_it.py::test_two"], ["test_it.py", "-k", "one"]],
)
def test_a_test_that_was_not_asked_for_is_not_gone(suite: Suite, options: list[str]) -> None:
    suite.write(TWO_TESTS)
    suite.record(passed=2)
    assert "orphaned" not in suite.run(*options, passed=1)


def test_what_did_not_fail_last_time_is_not_gone(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.record(passed=2)
    suite.write(TWO_TESTS.replace('ask("two")', 'ask("twice")'))
    suite.run(passed=1, failed=1)
    assert "orphaned" not in suite.run("--lf", failed=1)


def test_the_tests_of_a_module_that_is_broken_are_not_gone(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.write(TWO_TESTS, "test_other")
    suite.record(passed=4)
    suite.write("import nothing_of_that_name\n")
    told = suite.run("--continue-on-collection-errors", passed=2, errors=1)
    assert "replay: 2 played" in told
    assert "orphaned" not in told


def test_receipts_are_written_as_json_and_as_junit(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    reports = "--llmtape-report=receipt.json", "--llmtape-report=deep/receipt.xml"
    suite.record(*reports, passed=2)
    told = suite.receipt()
    assert (told["mode"], told["isolated"], told["had_upstream"]) == ("record", False, True)
    suite.run(*reports, passed=2)
    told = suite.receipt()
    assert (told["mode"], told["isolated"], told["had_upstream"]) == ("replay", True, False)
    cases = ET.parse(suite.pytester.path / "deep/receipt.xml").getroot().iter("testcase")
    names = {case.get("name"): len(case) for case in cases}
    assert names == {"test_it.py::test_one": 0, "test_it.py::test_two": 0, "isolated": 0}


def test_a_receipt_that_cannot_be_written_fails_the_run(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.record(passed=2)
    told = suite.run("--llmtape-report=test_it.py/receipt.json", passed=2)
    assert told.startswith("exit status 1\n")
    assert "cannot write the receipt" in told


# With other plugins


def test_workers_record_into_one_cassette_and_their_receipts_are_one(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        @pytest.mark.xdist_group("one")
        @pytest.mark.xdist_group(name="other")
        @pytest.mark.parametrize("n", range(3))
        def test_of_a_group(llmtape, n):
            ask(f"{n}")

        @pytest.mark.parametrize("n", range(5))
        def test_n(llmtape, n):
            ask(f"{n}")
    """)
    workers = "-n", "2", "--dist", "loadgroup", "--llmtape-report=receipt.json"
    assert "record: 8 recorded" in suite.run_apart(*suite.recording, *workers, passed=8)
    assert suite.lanes() == sorted(
        [*(f"test_it.py::test_n[{n}]" for n in range(5)), *(f"test_it.py::test_of_a_group[{n}]" for n in range(3))]
    )
    told = suite.run_apart(*workers, "--llmtape-strict", passed=8)
    assert "replay: 8 played" in told
    assert "orphaned" not in told
    assert suite.receipt()["isolated"] is True
    assert "replay: 8 played" in suite.run("--llmtape-strict", passed=8)


def test_a_worker_that_misses_fails_its_test_and_the_receipt(suite: Suite) -> None:
    suite.ini(AUTOUSE)
    suite.write(TWO_TESTS)
    suite.record("-k", "one", passed=1)
    suite.write("from asking import answer\nanswer('at import')\ndef test_fine(): pass\n", "test_strays")
    told = suite.run_apart("-n", "2", "--llmtape-report=receipt.json", passed=2, failed=1)
    assert "FAILED test_it.py::test_two" in told
    assert suite.receipt()["isolated"] is False
    only = suite.run_apart("-n", "1", "test_strays.py", passed=1)
    assert only.startswith("exit status 1\n")
    assert "(cassette_not_found)" in only


def test_a_rerun_drops_what_the_attempt_before_it_recorded(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        ATTEMPTS = []

        @pytest.fixture
        def shaky():
            assert len(ATTEMPTS) != 1
            yield

        def test_flaky(llmtape, request):
            ATTEMPTS.append(1)
            ask(f"attempt {len(ATTEMPTS)}")
            ask("both")
            request.getfixturevalue("shaky")

        def test_flaky_before_the_fixture(shaky_once, llmtape):
            ask("late")

        @pytest.fixture
        def shaky_once():
            ATTEMPTS.append(2)
            assert ATTEMPTS.count(2) != 2
    """)
    told = suite.record("--reruns", "1", passed=2)
    assert suite.answers() == ["attempt 2 #1", "both #2", "late #1"]
    assert "1 rerun" in told
    assert "3 recorded, 2 not-recorded" in told


def test_a_rerun_whose_fixtures_fail_early_has_nothing_of_the_attempt_before(suite: Suite) -> None:
    suite.write("""
        import pytest
        from asking import ask

        ATTEMPTS = []

        @pytest.fixture
        def early():
            ATTEMPTS.append(1)
            assert len(ATTEMPTS) == 1

        def test_flaky(early, llmtape):
            ask()
            assert False
    """)
    told = suite.record("--reruns", "1")
    assert "1 rerun" in told
    assert "INTERNALERROR" not in told
    assert "was not started" not in told
    assert "1 not-recorded" in told


def test_a_rerun_is_played_its_takes_from_the_first(suite: Suite) -> None:
    suite.write("""
        from asking import ask

        ATTEMPTS = []

        def test_flaky(llmtape):
            said = ask(), ask()
            ATTEMPTS.append(said)
            assert llmtape.mode == "record" or len(ATTEMPTS) == 2
            assert ATTEMPTS[0] == said
    """)
    suite.record(passed=1)
    told = suite.run("--reruns", "1", "--llmtape-strict", passed=1)
    assert "1 rerun" in told


def test_the_order_of_tests_changes_nothing(suite: Suite) -> None:
    suite.ini(AUTOUSE, addopts="")
    suite.write("""
        import pytest
        from asking import ask

        @pytest.fixture(scope="module")
        def shared():
            yield ask("shared")
            ask("shared")

        @pytest.mark.parametrize("n", range(6))
        def test_n(n, shared):
            said = [ask("same"), ask("same"), ask(f"{n}")]
            assert len(set(said)) == 3
    """)
    suite.record("-p", "randomly", "--randomly-seed=5", passed=6)
    for seed in (1, 2, 3):
        told = suite.run("--llmtape-strict", f"--randomly-seed={seed}", passed=6)
        assert f"Using --randomly-seed={seed}" in told
        assert "20 played" in told


def test_async_clients_share_their_loop_with_pytest_asyncio_and_pytest_aiohttp(suite: Suite) -> None:
    suite.write("""
        import os

        import pytest
        from aiohttp import ClientSession, web

        BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}

        async def asked():
            async with ClientSession() as session:
                async with session.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=BODY) as answer:
                    return await answer.json()

        @pytest.fixture
        async def early(llmtape):
            return await asked()

        async def test_asyncio(early, llmtape):
            assert (await asked())["choices"]
            llmtape.rewind()
            assert [call.status for call in llmtape.calls] == [200, 200]

        async def test_aiohttp(aiohttp_client, llmtape):
            async def handle(request):
                return web.json_response(await asked())

            app = web.Application()
            app.router.add_get("/", handle)
            client = await aiohttp_client(app)
            async with client.get("/") as answer:
                assert (await answer.json())["choices"]
            assert llmtape.misses == ()
    """)
    assert "3 recorded" in suite.record(passed=2)
    assert "3 played" in suite.run("--llmtape-strict", passed=2)


# What others share


def test_a_fixture_of_the_session_is_recorded_in_its_own_place_whichever_test_wants_it_first(suite: Suite) -> None:
    suite.ini("llmtape_autouse = true")
    suite.pytester.makeconftest("""
        import pytest
        from asking import ask

        @pytest.fixture(scope="session")
        def summary():
            return ask("for all")
    """)
    for name in ("test_it", "test_other"):
        suite.write("from asking import ask\ndef test_a(summary): assert ask(summary)", name)
    suite.record(passed=2)
    assert suite.lanes("fixtures") == [".::summary"]
    for order in (["test_it.py", "test_other.py"], ["test_other.py", "test_it.py"], ["test_other.py"], ["test_it.py"]):
        told = suite.run(*order, "--llmtape-strict", passed=len(order))
        assert "missed" not in told
        assert "orphaned" not in told


def test_a_subtest_that_skips_is_not_its_test_and_one_that_fails_is(suite: Suite) -> None:
    suite.write("""
        import os, pytest
        from asking import ask

        def test_it(llmtape, subtests):
            for number in range(3):
                with subtests.test(number=number):
                    if number == 1:
                        pytest.skip("not this one")
                    assert ask(f"{number}")
            with subtests.test("late"):
                assert "FAIL" not in os.environ
    """)
    suite.pytester._monkeypatch.setenv("FAIL", "1")
    assert "2 not-recorded" in suite.record()
    suite.pytester._monkeypatch.delenv("FAIL")
    assert "record: 2 recorded" in suite.record()
    assert "replay: 2 played" in suite.run("--llmtape-strict")


def test_a_run_without_calls_writes_its_receipt_too(suite: Suite) -> None:
    suite.write("def test_nothing(): pass")
    suite.run("--llmtape-report=receipt.json", passed=1)
    assert suite.receipt()["isolated"] is False


def test_a_worker_that_crashed_leaves_no_verdict_of_isolation(suite: Suite) -> None:
    suite.write(TWO_TESTS)
    suite.record(passed=2)
    suite.write(TWO_TESTS.replace("def test_two(llmtape):", "def test_two(llmtape):\n    import os\n    os._exit(1)"))
    suite.run_apart("-n", "2", "--llmtape-report=receipt.json")
    assert suite.receipt()["isolated"] is False
