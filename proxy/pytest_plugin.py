"""The pytest plugin: the fixture `llmtape`, its marker, its options, and what a run tells at its end.

Rule: only pytest's side is here: which cassette and lane a test has, and when it fails. A proxy is started with the
first test that wants one, and what it needs is imported then, so that a suite without any pays nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.core.errors import ConfigError, LlmtapeError
from proxy.core.ledger import Fate
from proxy.core.modes import Mode, records

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from proxy.config import Loaded
    from proxy.core.receipt import Receipt
    from proxy.testing import Background, Taped
    from proxy.wanted import Wanted

MARKER: Final = "llmtape"
_WORDS: Final = ("cassette", "mode", "pace", "repeats", "rules", "faults")
_LONGEST_LANE: Final = 800
_NOT_OF_A_NAME: Final = re.compile(r"[^\w.\-/]")
_MOST_TOLD: Final = 20


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
    words = ", ".join(f"{word}=..." for word in _WORDS)
    config.addinivalue_line("markers", f"{MARKER}({words}): record and replay the LLM calls of a test (llmtape)")
    session = Session(config)
    if session.explicit:
        _check_ci(session, session.explicit)
    config.stash[_SESSION] = session


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell a mode that was chosen."""
    session = config.stash[_SESSION]
    return f"llmtape: mode {session.mode}" if session.explicit or session.is_autouse else None


@pytest.fixture
def llmtape(request: pytest.FixtureRequest) -> Iterator[Taped]:
    """Answer the LLM calls of this test from its recordings.

    OPENAI_BASE_URL points to a proxy in this process, in a lane of the test's own. What the fixture returns has
    `base_url`, `cassette`, `lane`, `calls`, `misses`, `rewind()` and `inject()`. A call that misses fails the test.
    """
    session = request.config.stash[_SESSION]
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
    if request.config.stash[_SESSION].is_autouse or request.node.get_closest_marker(MARKER):
        request.getfixturevalue("llmtape")


def pytest_sessionstart(session: pytest.Session) -> None:
    """With `llmtape_autouse` point SDKs to the proxy before modules are imported: some make their client there."""
    ours = session.config.stash[_SESSION]
    if ours.is_autouse and not session.config.pluginmanager.hasplugin("dsession"):  # that one runs no tests
        try:
            ours.point_everything()
        except LlmtapeError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note each test that exists, before any is deselected."""
    item.config.stash[_SESSION].collected.append(item)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Note where not all tests are known."""
    report = yield
    if report.failed:
        collector.config.stash[_SESSION].broken.add(collector.nodeid)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Let calls of fixtures with a wider scope than the test go to their module's cassette."""
    if _RUNNING in item.stash:  # of a run of the same test before, by a plugin for reruns
        del item.stash[_RUNNING]
    item.config.stash[_SESSION].between_tests(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test whose calls missed, though it passed otherwise."""
    result = yield
    running = item.stash.get(_RUNNING, None)
    if running and (problems := running.problems()):
        running.fail(problems)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """End the test's lane once all of its fixtures are gone, since they may call as well."""
    running = item.stash.get(_RUNNING, None)
    try:
        result = yield
    except BaseException:
        if running:
            running.end(passed=False)
        raise
    if running:
        problems = running.end(passed=True)
        item.config.stash[_SESSION].between_tests(item)
        if problems:
            running.fail(problems)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Add the reports of misses to a test's own failure, and note how it went."""
    report = yield
    running = item.stash.get(_RUNNING, None)
    if running is None:
        return report
    if report.skipped and call.excinfo and running.is_ours(call.excinfo.value):
        report.outcome = "failed"  # xfail expects a failure of the test, not that it was asked for nothing
        del report.wasxfail
    went_well = report.passed or (report.skipped and hasattr(report, "wasxfail"))
    running.passed = running.passed and went_well
    if report.failed and (problems := running.tell(call.excinfo)):
        report.sections.append(("llmtape", "\n\n".join(problems)))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the proxy; hand what it did to whoever tells it."""
    ours = session.config.stash[_SESSION]
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
    ours = node.config.stash[_SESSION]
    told = getattr(node, "workeroutput", {}).get("llmtape")
    if told:
        ours.told.append(told)
    elif error:
        ours.crashed += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was played, recorded, missed, unplayed and orphaned."""
    lines = config.stash[_SESSION].summary()
    if lines:
        terminalreporter.section("llmtape", sep="-")
        for line in lines:
            terminalreporter.write_line(line)


class Session:
    """All that one process of pytest has of llmtape."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        chosen = config.getoption("llmtape_mode")
        self.explicit = Mode(chosen) if chosen else None
        self.mode = self.explicit or Mode.REPLAY
        self.is_autouse = bool(config.getini("llmtape_autouse"))
        self.is_strict = bool(config.getoption("llmtape_strict"))
        self.collected: list[pytest.Item] = []
        self.broken: set[str] = set()
        self.told: list[dict[str, Any]] = []
        self.crashed = 0
        self.receipt: Receipt | None = None
        self.failed = ""
        self._loaded: Loaded | None = None
        self._background: Background | None = None
        self._missed: Counter[tuple[str, str]] = Counter()
        self._stack = ExitStack()

    @property
    def is_forced(self) -> bool:
        """Whether it may record in CI."""
        return bool(self._config.getoption("llmtape_force"))

    @property
    def loaded(self) -> Loaded:
        """The config, from the nearest file at or above pytest's rootdir. Raises ConfigError."""
        if self._loaded is None:
            from proxy.config import load, rooted  # noqa: PLC0415  see the module's rule

            flags = {"upstream": self._config.getoption("llmtape_upstream"), "server.port": 0}
            self._loaded = rooted(load(flags, folder=self._config.rootpath), self._config.rootpath)
        return self._loaded

    @property
    def base(self) -> Path:
        """The folder that lanes and cassettes are named from: the config file's, else pytest's rootdir."""
        return self.loaded.file.parent if self.loaded.file else self._config.rootpath

    def start(self) -> Background:
        """Return the proxy, started on its first use."""
        if self._background is None:
            from proxy.testing import Background  # noqa: PLC0415  see the module's rule

            background = Background(
                self.loaded.config,
                self.mode,
                upstream_key=self.loaded.upstream_key,
                recorder="pytest --llmtape=record",
            )
            background.start()
            self._background = background
        return self._background

    def point_everything(self) -> None:
        """Point the SDKs of this process to the proxy until the end."""
        from proxy.config import pointed_at  # noqa: PLC0415  see the module's rule
        from proxy.core.modes import calls_upstream  # noqa: PLC0415
        from proxy.testing import PLACEHOLDER_KEY, needs_no_key  # noqa: PLC0415

        background = self.start()
        key = PLACEHOLDER_KEY if needs_no_key(self.loaded.config, self.mode) else None
        self._stack.enter_context(pointed_at(background.url, key=key, is_offline=not calls_upstream(self.mode)))

    def between_tests(self, item: pytest.Item) -> None:
        """Let calls that name no place go to a module's cassette, in no lane."""
        if self._background is not None and self.is_autouse:
            self._background.point(place_of(item, self.base).cassette)

    def begin(self, item: pytest.Item) -> Running:
        """Start the lane of a test. Raises LlmtapeError for a marker that cannot be, or a cassette."""
        wanted = self.wanted(item)
        background = self.start()
        taped = background.begin(wanted)
        item.stash[_RUNNING] = running = Running(background, taped, self._missed, is_strict=self.is_strict)
        return running

    def wanted(self, item: pytest.Item) -> Wanted:
        """Read the markers of a test: those nearer to it weigh more. A mode on the command line weighs more still."""
        from proxy.wanted import read  # noqa: PLC0415  see the module's rule

        said, owner = _said(item)
        place = place_of(item, self.base)
        cassette = said.pop("cassette", None) or place.cassette
        if owner is not None and cassette == place.cassette:
            # One cassette has one set of rules; those of a test or class need a cassette beside their module's.
            cassette = ".".join((cassette, *_names(owner)))
        where = f"@pytest.mark.{MARKER} of {item.nodeid}"
        wanted = read({**said, "cassette": cassette, "lane": place.lane}, self.loaded.config.rules, where)
        mode = wanted.mode if wanted.mode and (self.explicit is None or wanted.mode is Mode.REPLAY) else self.mode
        _check_ci(self, mode)
        recorder = f"pytest --llmtape=record {quote(_node_id(item))}"
        return replace(wanted, mode=mode, is_current=True, recorder=recorder)

    def close(self) -> dict[str, Any] | None:
        """End the proxy; return what it did, fit to be sent to another process, or None where it did not run."""
        self._stack.close()
        if self._background is None:
            return None
        self._background.stop()
        receipt = self._background.proxy.receipt
        orphans = _orphans(self.loaded, self.base, self.collected, self._config)
        return {"receipt": receipt.as_dict(), "orphans": orphans, "strays": list(self._strays(receipt))}

    def _strays(self, receipt: Receipt) -> Iterator[str]:
        """Report the misses that belong to no test: before it, after it, or in no lane of one."""
        for lane in receipt.lanes:
            if (stray := lane.missed - self._missed[lane.cassette, lane.lane]) > 0:
                yield from lane.misses[-stray:] or [f"{stray} calls in lane {lane.lane!r} of {lane.cassette} missed"]

    def conclude(self) -> None:
        """Merge what all processes did, judge what belongs to no test, and write the receipts."""
        if not self.told:
            return
        from proxy.core.receipt import from_dict, merged  # noqa: PLC0415  see the module's rule
        from proxy.receipts import write  # noqa: PLC0415

        receipt = merged([from_dict(told["receipt"]) for told in self.told])
        self.receipt = replace(receipt, faults=receipt.faults + self.crashed)
        self.failed = "\n\n".join(stray for told in self.told for stray in told["strays"])
        for name in self._config.getoption("llmtape_report"):
            try:
                write(self.receipt, self._config.invocation_params.dir / name)
            except LlmtapeError as error:
                self.failed = "\n\n".join(filter(None, (self.failed, str(error))))

    def summary(self) -> list[str]:
        """Write the lines that end a run; none where no test used llmtape."""
        if self.receipt is None:
            return []
        orphans = sorted({(cassette, lane) for told in self.told for cassette, lane in told["orphans"]})
        return list(_summary(self.receipt, self.mode, orphans, self.crashed, self.failed))


class Running:
    """The lane of a test that runs. `passed` is whether all went well as far as it ran.

    At its end it adds to `missed`, by cassette and lane, how many calls missed.
    """

    def __init__(
        self, background: Background, taped: Taped, missed: Counter[tuple[str, str]], *, is_strict: bool
    ) -> None:
        self.taped = taped
        self.passed = True
        self._background = background
        self._missed = missed
        self._is_strict = is_strict
        self._failure: tuple[BaseException, tuple[str, ...]] | None = None
        self._told: set[str] = set()

    def problems(self) -> tuple[str, ...]:
        """List what is wrong and was not told before."""
        return self._untold(self._background.account(self.taped).problems(strict=self._is_strict))

    def fail(self, problems: tuple[str, ...]) -> None:
        """Fail the test with reports alone: a traceback into the plugin would tell nothing."""
        __tracebackhide__ = True
        try:
            pytest.fail("\n\n".join(problems), pytrace=False)
        except BaseException as failure:
            self._failure = failure, problems
            raise

    def is_ours(self, failure: BaseException) -> bool:
        """Tell whether it was raised by `fail`."""
        return self._failure is not None and failure is self._failure[0]

    def tell(self, shown: pytest.ExceptionInfo[BaseException] | None) -> tuple[str, ...]:
        """List what is still to be told beside a failure that is shown: nothing where it is ours.

        Ours need not be, though it was raised: a unittest case's own weighs more.
        """
        if self._failure and shown and self.is_ours(shown.value):
            self._told.update(self._failure[1])
            return ()
        problems = self.problems()
        self._told.update(problems)
        return problems

    def end(self, *, passed: bool) -> tuple[str, ...]:
        """End the lane; list what is wrong and was not told before, also where the test was skipped over it."""
        account = self._background.end(self.taped, passed=passed and self.passed)
        self._missed[account.cassette, account.lane] += len(account.misses)
        return self._untold(account.problems(strict=False))

    def _untold(self, problems: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(problem for problem in problems if problem not in self._told)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test's recordings are, unless its marker says otherwise."""

    cassette: str
    lane: str


def place_of(item: pytest.Item, base: Path) -> Place:
    """Return a test's place: its module's path for the cassette, its id for the lane, both from the base folder."""
    path = item.path.relative_to(base) if item.path.is_relative_to(base) else Path(item.path.name)
    cassette = "/".join(_part(part) for part in path.with_suffix("").parts)
    lane = f"{path.as_posix()}::{_node_id(item).partition('::')[2]}"
    lane = "".join(sign if sign.isprintable() else "?" for sign in lane)
    if len(lane) > _LONGEST_LANE:
        lane = f"{lane[:_LONGEST_LANE]}~{hashlib.sha256(lane.encode()).hexdigest()[:12]}"
    return Place(cassette, lane)


def _node_id(item: pytest.Item) -> str:
    """Return a test's id without the group that pytest-xdist adds to it where it parts tests by it."""
    group = item.get_closest_marker("xdist_group")
    name = group and (group.kwargs.get("name") or next(iter(group.args), "default"))
    return item.nodeid.removesuffix(f"@{name}") if group else item.nodeid


def _part(name: str) -> str:
    """Spell a part of a path as a cassette's name may have it."""
    name = _NOT_OF_A_NAME.sub("-", name)
    return name if name[:1].isalnum() or name[:1] == "_" else f"_{name}"


def _said(item: pytest.Item) -> tuple[dict[str, Any], pytest.Item | pytest.Class | None]:
    """Merge the markers of a test; return also the node below its module that gives it rules of its own."""
    said: dict[str, Any] = {}
    owner = None
    for node, mark in item.iter_markers_with_node(MARKER):
        values = dict(mark.kwargs)
        if mark.args:
            values.setdefault("cassette", mark.args[0])
        if unknown := (set(values) - set(_WORDS)) or mark.args[1:]:
            raise ConfigError(
                f"@pytest.mark.{MARKER} of {item.nodeid}: there is no {', '.join(map(str, unknown))}. "
                f"Known are: {', '.join(_WORDS)}"
            )
        if "rules" in values and "rules" not in said and isinstance(node, (pytest.Item, pytest.Class)):
            owner = node
        for word, value in values.items():
            said.setdefault(word, value)
    return said, owner


def _names(owner: pytest.Item | pytest.Class) -> Iterator[str]:
    """Name a test or class from its module on; all of a test's parameters are one."""
    for node in owner.listchain():
        if isinstance(node, (pytest.Item, pytest.Class)):
            yield _NOT_OF_A_NAME.sub("-", getattr(node, "originalname", None) or node.name)


def _check_ci(session: Session, mode: Mode) -> None:
    """Refuse to record in CI: what is recorded there nobody reviews, and a miss would go unseen."""
    from proxy.config import is_ci  # noqa: PLC0415  see the module's rule

    if records(mode) and is_ci() and not session.is_forced:
        raise pytest.UsageError(
            f"llmtape: mode {mode} in CI (CI is set): recordings are made where they are reviewed, and in CI replayed. "
            "If this run is to record all the same, add --llmtape-force"
        )


def _orphans(loaded: Loaded, base: Path, collected: list[pytest.Item], config: pytest.Config) -> list[list[str]]:
    """Find lanes whose test is no longer: its module is gone, or was collected whole without it."""
    from proxy.cassette.reader import lanes_in  # noqa: PLC0415  see the module's rule

    existing = {place_of(item, base).lane for item in collected}
    whole = {lane.partition("::")[0] for lane in existing} - _partly_collected(base, config)
    found = []
    for file in sorted(Path(loaded.config.cassette_dir).rglob("*.sqlite")):
        try:
            lanes = lanes_in(file)
        except LlmtapeError:  # it is no cassette, or none of ours
            continue
        for lane in lanes:
            module, is_test, _ = lane.partition("::")
            if is_test and lane not in existing and (module in whole or not (base / module).exists()):
                found.append([str(file), lane])
    return found


def _partly_collected(base: Path, config: pytest.Config) -> set[str]:
    """Name the modules of which not all tests need be known: some were asked for by name, or it is broken."""
    named = [argument.partition("::")[0] for argument in config.args if "::" in argument]
    broken = [node.partition("::")[0] for node in config.stash[_SESSION].broken]
    files = [config.invocation_params.dir / name for name in named] + [config.rootpath / name for name in broken]
    partly = {file.resolve().relative_to(base).as_posix() for file in files if file.resolve().is_relative_to(base)}
    return partly if not config.getoption("lf", default=False) else {"*"} | _all_of(config, base)


def _all_of(config: pytest.Config, base: Path) -> set[str]:
    return {place_of(item, base).lane.partition("::")[0] for item in config.stash[_SESSION].collected}


def _summary(receipt: Receipt, mode: Mode, orphans: list[tuple[str, str]], crashed: int, failed: str) -> Iterator[str]:
    told = ", ".join(f"{count} {fate}" for fate, count in receipt.counts.items() if count) or "no calls"
    unplayed = [lane for lane in receipt.lanes if lane.unplayed and lane.passed]
    extra = _counted(sum(len(lane.unplayed) for lane in unplayed), "unplayed") + _counted(len(orphans), "orphaned")
    yield f"{mode}: {told}{extra}"
    if receipt.counts[Fate.NOT_RECORDED]:
        yield "  not recorded: answers to tests that failed, and 401, 403, 408, 409, 429 and 5xx (record.errors)"
    yield from _listed("unplayed", [f"{lane.lane}: {', '.join(lane.unplayed)}" for lane in unplayed])
    yield from _listed("orphaned, its test is gone", [f"{lane} in {cassette}" for cassette, lane in orphans])
    if crashed:
        yield f"the calls of {crashed} workers that crashed are not told"
    if failed:
        yield failed


def _counted(count: int, what: str) -> str:
    return f", {count} {what}" if count else ""


def _listed(what: str, lines: list[str]) -> Iterator[str]:
    yield from (f"  {what}: {line}" for line in lines[:_MOST_TOLD])
    if len(lines) > _MOST_TOLD:
        yield f"  and {len(lines) - _MOST_TOLD} more"


_SESSION: Final = pytest.StashKey[Session]()
_RUNNING: Final = pytest.StashKey[Running]()
