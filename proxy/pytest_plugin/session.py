"""What one process of pytest has of llmtape: the proxy, the lanes of the tests that run, and what came of them.

Rule: decides when a test fails and what is kept of it; the verdict on its calls is `core.account`'s. What needs the
proxy is imported where it is used, since most runs of pytest start none.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.core.errors import LlmtapeError
from proxy.core.modes import Mode, records
from proxy.pytest_plugin.orphans import orphans, within
from proxy.pytest_plugin.place import MARKER, names_of, node_id, place_of, said
from proxy.pytest_plugin.summary import summarized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.config import Loaded
    from proxy.core.receipt import Receipt
    from proxy.testing import Background, Taped
    from proxy.wanted import Wanted


FIXTURES: Final = "fixtures"
"""The cassette of fixtures that belong to no module."""

_SHARED: Final = ("session", "package")


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

    @contextmanager
    def while_shared(self, fixture: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Let calls that name no place go to a fixture of the whole session, or a package, while it is made."""
        if self._background is None or not self.is_autouse or fixture.scope not in _SHARED:
            yield
            return
        before = self._background.point(FIXTURES, f"{fixture.baseid or '.'}::{fixture.argname}")
        try:
            yield
        finally:
            self._background.point(*before)

    def begin(self, item: pytest.Item) -> Running:
        """Start the lane of a test. Raises LlmtapeError for a marker that cannot be, or a cassette."""
        wanted = self.wanted(item)
        background = self.start()
        taped = background.begin(wanted)
        item.stash[RUNNING] = running = Running(background, taped, self._missed, is_strict=self.is_strict)
        return running

    def wanted(self, item: pytest.Item) -> Wanted:
        """Read the markers of a test: those nearer to it weigh more. A mode on the command line weighs more still."""
        from proxy.wanted import read  # noqa: PLC0415  see the module's rule

        words, owner = said(item)
        place = place_of(item, self.base)
        cassette = words.pop("cassette", None) or place.cassette
        if owner is not None and cassette == place.cassette:
            # One cassette has one set of rules; those of a test or class need a cassette beside their module's.
            cassette = ".".join((cassette, *names_of(owner)))
        where = f"@pytest.mark.{MARKER} of {item.nodeid}"
        wanted = read({**words, "cassette": cassette, "lane": place.lane}, self.loaded.config.rules, where)
        mode = wanted.mode if wanted.mode and (self.explicit is None or wanted.mode is Mode.REPLAY) else self.mode
        check_ci(self, mode)
        recorder = f"pytest --llmtape=record {quote(node_id(item))}"
        return replace(wanted, mode=mode, is_current=True, recorder=recorder)

    def close(self) -> dict[str, Any] | None:
        """End the proxy; return what it did, fit to be sent to another process, or None where it did not run."""
        self._stack.close()
        if self._background is None:
            return None
        self._background.stop()
        receipt = self._background.proxy.receipt
        orphans = [[cassette, lane] for cassette, lane in self._orphans()]
        return {"receipt": receipt.as_dict(), "orphans": orphans, "strays": list(self._strays(receipt))}

    def _orphans(self) -> list[tuple[str, str]]:
        names = [argument.partition("::")[0] for argument in self._config.args if "::" in argument]
        partly = [self._config.invocation_params.dir / name for name in names]
        partly += [self._config.rootpath / node.partition("::")[0] for node in self.broken]
        lanes = {place_of(item, self.base).lane for item in self.collected}
        knows_all = not self._config.getoption("lf", default=False)  # that one collects what failed alone
        whole = {lane.partition("::")[0] for lane in lanes} - set(within(self.base, partly)) if knows_all else set()
        return orphans(Path(self.loaded.config.cassette_dir), self.base, lanes, whole)

    def _strays(self, receipt: Receipt) -> Iterator[str]:
        """Report the misses that belong to no test: before it, after it, or in no lane of one."""
        for lane in receipt.lanes:
            if (stray := lane.missed - self._missed[lane.cassette, lane.lane]) > 0:
                yield from lane.misses[-stray:] or [f"{stray} calls in lane {lane.lane!r} of {lane.cassette} missed"]

    def conclude(self) -> None:
        """Merge what all processes did, judge what belongs to no test, and write the receipts."""
        if not self.told and not self._config.getoption("llmtape_report"):
            return
        from proxy.core.receipt import from_dict, merged  # noqa: PLC0415  see the module's rule
        from proxy.receipts import empty, write  # noqa: PLC0415

        # A run without any call writes its receipt, too: that of an earlier run would be taken for it.
        receipt = merged([from_dict(told["receipt"]) for told in self.told] or [empty(self.mode)])
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
        return list(summarized(self.receipt, self.mode, orphans, self.crashed, self.failed))


class Running:
    """The lane of a test that runs.

    At its end it adds to `missed`, by cassette and lane, how many calls missed.
    """

    def __init__(
        self, background: Background, taped: Taped, missed: Counter[tuple[str, str]], *, is_strict: bool
    ) -> None:
        self.taped = taped
        self._has_failed = False
        self._was_skipped: dict[str, bool] = {}
        self._background = background
        self._missed = missed
        self._is_strict = is_strict
        self._failure: tuple[BaseException, tuple[str, ...]] | None = None
        self._told: set[str] = set()

    @property
    def passed(self) -> bool:
        """Whether all went well as far as it ran."""
        return not self._has_failed and not any(self._was_skipped.values())

    def note(self, phase: str, report: pytest.TestReport) -> None:
        """Take note of a report. Of a phase's reports the last is its own; those before are of subtests."""
        self._has_failed = self._has_failed or report.failed
        self._was_skipped[phase] = report.skipped and not hasattr(report, "wasxfail")

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


def check_ci(session: Session, mode: Mode) -> None:
    """Refuse to record in CI: what is recorded there nobody reviews, and a miss would go unseen."""
    from proxy.config import is_ci  # noqa: PLC0415  see the module's rule

    if records(mode) and is_ci() and not session.is_forced:
        raise pytest.UsageError(
            f"llmtape: mode {mode} in CI (CI is set): recordings are made where they are reviewed, and in CI replayed. "
            "If this run is to record all the same, add --llmtape-force"
        )


SESSION: Final = pytest.StashKey[Session]()
RUNNING: Final = pytest.StashKey[Running]()
