"""The pytest plugin: the fixture `llmtape`, its marker, its options, and what a run tells at its end.

Rule: only what pytest calls is here; what a run has is the session's. A proxy is started with the first test that
wants one, and what it needs is imported then, so that a suite without any pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.core.errors import LlmtapeError
from proxy.core.modes import Mode
from proxy.pytest_plugin.place import MARKER, WORDS
from proxy.pytest_plugin.session import RUNNING, SESSION, Session, check_ci

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from proxy.testing import Taped


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and settings."""
    group = parser.getgroup("llmtape", "recorded LLM calls (llmtape)")
    modes = [mode.value for mode in Mode]
    group.addoption(
        "--llmtape",
        dest="llmtape_mode",
        choices=modes,
        help="What is done with calls: replay (default) plays recordings, auto records what has none, record records "
        "anew, passthrough does neither.",
    )
    group.addoption("--llmtape-upstream", metavar="URL", help="The API to record, or `demo` for the embedded one.")
    group.addoption(
        "--llmtape-strict", action="store_true", help="Fail tests that leave recordings unplayed, or ask for more."
    )
    group.addoption("--llmtape-force", action="store_true", help="Allow auto and record where CI is set.")
    group.addoption(
        "--llmtape-report",
        metavar="FILE",
        action="append",
        default=[],
        help="Write a receipt of the run: JSON, or JUnit XML where it ends with .xml. May be given twice.",
    )
    parser.addini("llmtape_autouse", "Use the fixture llmtape in every test.", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; refuse to record in CI."""
    words = ", ".join(f"{word}=..." for word in WORDS)
    config.addinivalue_line("markers", f"{MARKER}({words}): record and replay the LLM calls of a test (llmtape)")
    session = Session(config)
    if session.explicit:
        check_ci(session, session.explicit)
    config.stash[SESSION] = session


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell a mode that was chosen."""
    session = config.stash[SESSION]
    return f"llmtape: mode {session.mode}" if session.explicit or session.is_autouse else None


@pytest.fixture
def llmtape(request: pytest.FixtureRequest) -> Iterator[Taped]:
    """Answer the LLM calls of this test from its recordings.

    OPENAI_BASE_URL points to a proxy in this process, in a lane of the test's own. What the fixture returns has
    `base_url`, `cassette`, `lane`, `calls`, `misses`, `rewind()` and `inject()`. A call that misses fails the test.
    """
    session = request.config.stash[SESSION]
    try:
        running = session.begin(request.node)
    except (LlmtapeError, pytest.UsageError) as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with running.taped.pointed():
        yield running.taped
    session.between_tests(request.node)  # where fixtures with a wider scope end now, too


@pytest.fixture(autouse=True)
def _llmtape_where_marked(request: pytest.FixtureRequest) -> None:
    """Use the fixture wherever the marker, or the setting `llmtape_autouse`, says so."""
    if request.config.stash[SESSION].is_autouse or request.node.get_closest_marker(MARKER):
        request.getfixturevalue("llmtape")


def pytest_sessionstart(session: pytest.Session) -> None:
    """With `llmtape_autouse` point SDKs to the proxy before modules are imported: some make their client there."""
    ours = session.config.stash[SESSION]
    if ours.is_autouse and not session.config.pluginmanager.hasplugin("dsession"):  # that one runs no tests
        try:
            ours.point_everything()
        except LlmtapeError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note each test that exists, before any is deselected."""
    item.config.stash[SESSION].collected.append(item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note where not all tests are known."""
    report = yield
    if report.failed:
        collector.config.stash[SESSION].broken.add(collector.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Let calls of a fixture that all modules share go to a place of its own, whichever test wants it first."""
    with request.config.stash[SESSION].while_shared(fixturedef):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Let calls of fixtures with a wider scope than the test go to their module's cassette."""
    if RUNNING in item.stash:  # of a run of the same test before, by a plugin for reruns
        del item.stash[RUNNING]
    item.config.stash[SESSION].between_tests(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test whose calls missed, though it passed otherwise."""
    result = yield
    running = item.stash.get(RUNNING, None)
    if running and (problems := running.problems()):
        running.fail(problems)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """End the test's lane once all of its fixtures are gone, since they may call as well."""
    running = item.stash.get(RUNNING, None)
    try:
        result = yield
    except BaseException:
        if running:
            running.end(passed=False)
        raise
    if running:
        problems = running.end(passed=True)
        item.config.stash[SESSION].between_tests(item)
        if problems:
            running.fail(problems)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the reports of misses to a test's own failure, and note how it went."""
    report = yield
    running = item.stash.get(RUNNING, None)
    if running is None:
        return report
    if report.skipped and call.excinfo and running.is_ours(call.excinfo.value):
        report.outcome = "failed"  # xfail expects a failure of the test, not that it was asked for nothing
        del report.wasxfail
    running.note(call.when, report)
    if report.failed and (problems := running.tell(call.excinfo)):
        report.sections.append(("llmtape", "\n\n".join(problems)))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the proxy; hand what it did to whoever tells it."""
    ours = session.config.stash[SESSION]
    told = ours.close()
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["llmtape"] = told
        return
    if told:
        ours.told.append(told)
    ours.conclude()
    if ours.failed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take over what a worker of pytest-xdist did."""
    ours = node.config.stash[SESSION]
    told = getattr(node, "workeroutput", {}).get("llmtape")
    if told:
        ours.told.append(told)
    elif error:
        ours.crashed += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was played, recorded, missed, unplayed and orphaned."""
    lines = config.stash[SESSION].summary()
    if lines:
        terminalreporter.section("llmtape", sep="-")
        for line in lines:
            terminalreporter.write_line(line)
