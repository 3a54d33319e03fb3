"""A proxy within the process of a test suite, for tests in any framework.

Rule: the proxy runs in a thread with its own event loop, so that sync and async clients of any SDK can call it; all
that touches a lane runs on that loop. What a test is answered with an error for is raised in the test, too, since
applications swallow errors.

    from proxy.testing import use_cassette

    with use_cassette("agent", lane="first steps") as taped:
        answer = my_agent.run("What is a cassette?")   # its OpenAI client reads OPENAI_BASE_URL
    assert [call.fate for call in taped.calls] == ["played"]
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from proxy.config import DEMO, load, pointed_at
from proxy.core import faults
from proxy.core.address import mounted
from proxy.core.errors import LlmtapeError
from proxy.core.modes import Mode, calls_upstream
from proxy.server import Proxy
from proxy.wanted import read

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import TracebackType

    from proxy.config import Config
    from proxy.core.account import Account
    from proxy.core.ledger import Call
    from proxy.lanes import Lane
    from proxy.wanted import Wanted

Result = TypeVar("Result")
Function = TypeVar("Function", bound="Callable[..., Any]")

PLACEHOLDER_KEY = "llmtape"
"""What is set as the API key where a call needs none and none is set: SDKs refuse to start without."""


class MissedError(LlmtapeError, AssertionError):
    """A test whose calls were not all answered as it wants, though it may have swallowed the errors.

    The text is the reports of its misses, and whatever else was wrong.
    """


class Background:
    """A proxy in a thread of its own, from `start` to `stop`. Any thread may use it.

    The port is a free one. Starting raises ConfigError, ServerError.
    """

    def __init__(self, config: Config, mode: Mode, *, upstream_key: str | None = None, recorder: str = "") -> None:
        self.proxy = Proxy(config, mode, upstream_key=upstream_key, needs_default=None, recorder=recorder)
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="llmtape", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL of calls that name no lane."""
        return self.proxy.url

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._thread.start()
        try:
            self._started.result()
        except LlmtapeError:
            self._thread.join()
            raise

    def stop(self) -> None:
        """Wait for running answers, bring all cassettes to rest, and end the thread."""
        self._started.result().call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the proxy's loop, and return what it does."""
        return asyncio.run_coroutine_threadsafe(work, self._started.result()).result()

    def begin(self, wanted: Wanted) -> Taped:
        """Start a lane. Raises BadAddressError, BadLaneError, CassetteError, ConfigError."""
        return Taped(self, wanted, self.run(self._begin(wanted)))

    def account(self, taped: Taped) -> Account:
        """Sum up what a lane was asked until now."""
        return self.run(_called(taped._lane.account))  # noqa: SLF001  the two are one

    def end(self, taped: Taped, *, passed: bool, strict: bool = False) -> Account:
        """End a lane: store what it recorded, or drop it where its test did not pass."""
        cassette, lane = taped.wanted.cassette, taped.wanted.lane
        taped.ended = self.run(self.proxy.lanes.end(cassette, lane, passed=passed, strict=strict))
        return taped.ended

    def point(self, cassette: str, lane: str = "") -> tuple[str, str]:
        """Let calls that name no place go there; return where they went before."""
        return self.run(_called(lambda: self.proxy.lanes.point(cassette, lane)))

    async def _begin(self, wanted: Wanted) -> Lane:
        if wanted.mode:
            await self.proxy.allow(wanted.mode)
        return self.proxy.lanes.start(wanted)

    def _work(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        try:
            async with self.proxy:
                self._started.set_result(asyncio.get_running_loop())
                await self._stop.wait()
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)


class Taped:
    """A lane of a proxy in this process, as its test sees it."""

    def __init__(self, background: Background, wanted: Wanted, lane: Lane) -> None:
        self.wanted = wanted
        self.ended: Account | None = None
        """What it was asked in all, once it has ended."""
        self._background = background
        self._lane = lane

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.mode} {self.cassette} {self.lane!r}>"

    @property
    def base_url(self) -> str:
        """Where an SDK's client is pointed to: `http://127.0.0.1:PORT/@CASSETTE:LANE/v1`."""
        return mounted(self._background.url, self.wanted.cassette, self.wanted.lane)

    @property
    def url(self) -> str:
        """The proxy's own address, below which its control endpoints are."""
        return self._background.url.removesuffix("/v1")

    @property
    def cassette(self) -> Path:
        """The file of its recordings, which need not be there."""
        return Path(self._lane.cassette)

    @property
    def lane(self) -> str:
        """Whose recordings they are; with the pytest plugin, the test's id."""
        return self._lane.name

    @property
    def mode(self) -> Mode:
        """What is done with its calls."""
        return self._lane.policy.mode

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls since its start, in their order, each with its request, its response and what became of it."""
        return tuple(line.call for line in self._lane.lines)

    @property
    def misses(self) -> tuple[str, ...]:
        """The reports of the calls that missed."""
        return (self.ended or self._background.account(self)).misses

    def rewind(self) -> None:
        """Play its recordings again from the first."""
        tape = self._lane.tape
        if tape is not None:
            self._background.run(_called(lambda: tape.deck.rewind(self.lane)))

    def inject(self, text: str) -> None:
        """Do this to its calls from now on, as in `status=429; calls=1`; the empty text ends it.

        Raises FaultError for a fault that there is not.
        """
        wanted = faults.parse(text) if text else ()
        self._background.run(_called(lambda: self._lane.inject(wanted)))

    def pointed(self) -> AbstractContextManager[None]:
        """Point the SDKs of this process to it for as long as the block lasts, by the variables that they read."""
        return pointed_at(
            self.base_url,
            key=PLACEHOLDER_KEY if needs_no_key(self._background.proxy.config, self.mode) else None,
            root=self.url,
            is_offline=not calls_upstream(self.mode),
        )


class _Used(AbstractContextManager["Taped"]):
    """What `use_cassette` returns: a block's context, or a function's decorator."""

    def __init__(self, cassette: str | Path, lane: str, options: dict[str, Any]) -> None:
        self._cassette = cassette
        self._lane = lane
        self._options = options
        self._stack = ExitStack()

    def __enter__(self) -> Taped:
        return self._stack.enter_context(_used(self._cassette, self._lane, **self._options))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def __call__(self, function: Function) -> Function:
        """Run a function, or a coroutine function, within; its lane is its name, where none was given."""
        if inspect.isclass(function) or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"use_cassette decorates functions and coroutine functions, not {function!r}: decorate the methods of "
                "a class, and in a generator say `with use_cassette(...)`"
            )

        @wraps(function)
        def within(*args: Any, **kwargs: Any) -> Any:
            with _used(self._cassette, self._lane or _name(function, args), **self._options):
                return function(*args, **kwargs)

        @wraps(function)
        async def within_async(*args: Any, **kwargs: Any) -> Any:
            with _used(self._cassette, self._lane or _name(function, args), **self._options):
                return await function(*args, **kwargs)

        chosen: Any = within_async if inspect.iscoroutinefunction(function) else within
        return chosen  # type: ignore[no-any-return]


def use_cassette(
    cassette: str | Path = "",
    *,
    lane: str = "",
    mode: str = Mode.REPLAY,
    upstream: str | None = None,
    strict: bool = False,
    config: Path | None = None,
    **wanted: Any,
) -> _Used:
    """Run a proxy for as long as the block, or the decorated function, runs, and point this process's SDKs to it.

    `cassette` is a name in the cassette folder, or a path that ends with `.sqlite`; the config's default where it is
    empty. Further words are those of the pytest marker: `pace`, `repeats`, `rules`, `faults`. What is recorded is
    stored at the end; where the block raises, nothing is.

    The block raises MissedError at its end where a call missed, and with `strict` also where recordings of the lane
    were not played, or had to be played again. An error of its own is never hidden: the reports are a note to it.
    Raises ConfigError, FaultError for words that cannot be.
    """
    options = {"mode": mode, "upstream": upstream, "strict": strict, "config": config, "wanted": wanted}
    return _Used(cassette, lane, options)


def needs_no_key(config: Config, mode: Mode) -> bool:
    """Tell whether a call goes nowhere, or to the embedded upstream."""
    return not calls_upstream(mode) or config.upstream == DEMO


@contextmanager
def _used(
    cassette: str | Path,
    lane: str,
    *,
    mode: str,
    upstream: str | None,
    strict: bool,
    config: Path | None,
    wanted: dict[str, Any],
) -> Iterator[Taped]:
    is_file = isinstance(cassette, Path) or cassette.endswith(".sqlite")
    flags = {"cassette": str(cassette) if is_file else None, "upstream": upstream, "server.port": 0}
    loaded = load(flags, file=config)
    said = {"cassette": "" if is_file else cassette, "lane": lane, "mode": mode, "current": True, **wanted}
    asked = replace(read(said, loaded.config.rules, "use_cassette"), recorder='use_cassette(..., mode="record")')
    with Background(loaded.config, asked.mode or Mode.REPLAY, upstream_key=loaded.upstream_key) as background:
        taped = background.begin(asked)
        try:
            with taped.pointed():
                yield taped
        except BaseException as error:
            problems = background.end(taped, passed=False).problems()
            if problems and _is_skip(error):  # a miss is no excuse to skip
                raise MissedError("\n\n".join(problems)) from error
            for problem in problems:
                error.add_note(problem)
            raise
        if problems := background.end(taped, passed=True, strict=strict).problems(strict=strict):
            raise MissedError("\n\n".join(problems))


def _name(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Name a function; a method after the class that it runs in, since others may inherit it."""
    kind = type(args[0]) if args and hasattr(type(args[0]), function.__name__) else None
    return f"{kind.__module__}.{kind.__qualname__}.{function.__name__}" if kind else _full_name(function)


def _full_name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _is_skip(error: BaseException) -> bool:
    """Tell whether a test is skipped by it: unittest's exception, or pytest's, neither of which is known here."""
    return any(kind.__name__ in {"SkipTest", "Skipped"} for kind in type(error).__mro__)


async def _called(function: Callable[[], Result]) -> Result:
    return function()
