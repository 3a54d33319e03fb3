"""A file to import: of which kind it is, and the recordings in it.

Rule: kinds are told apart by content, never by name. Our own lines are read one by one, as a cassette may have
any number; other tools' files are documents, and read whole.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

import orjson

from proxy.core import interchange
from proxy.core.errors import InterchangeError
from proxy.core.interchange import Header, Recorded
from proxy.core.model import RecordedRun
from proxy.foreign import har, vcr
from proxy.foreign.recording import Keeping, PassedOverError, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from proxy.core.canonical import Json
    from proxy.core.model import Interaction
    from proxy.core.rules import Rules
    from proxy.foreign.exchange import Told

_SQLITE: Final = b"SQLite format 3\0"
_OURS: Final = (b'{"header"', b'{"run"', b'{"interaction"')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MODE: Final = "import"
_TO_THE_SECOND: Final = len("2026-11-22T12:00:00")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A recording to import, its run, and where it stands: `calls.jsonl, line 7`."""

    interaction: Interaction
    run: RecordedRun
    where: str


@dataclass(frozen=True, slots=True)
class Lines:
    """A file that `export` wrote. `facts` tell what made its keys."""

    name: str
    facts: Mapping[str, str]
    _file: BinaryIO = field(repr=False)

    def recordings(self, rules: Rules) -> Iterator[Incoming]:
        """Yield the recordings under the keys that they have. Raises InterchangeError for a line that is none."""
        del rules
        runs: dict[int, RecordedRun] = {}
        self._file.seek(0)
        for number, data in enumerate(self._file, 1):
            if not data.strip():
                continue
            where = f"{self.name}, line {number}"
            match _line(data, where):
                case Header(facts) if facts == self.facts:
                    runs = {}  # as where two exports of one cassette were put together
                case Header():
                    raise InterchangeError(f"{where}: here begin lines of another cassette; import them by themselves")
                case RecordedRun() as run:
                    runs[run.id] = run
                case Recorded(interaction, run_id) if run_id in runs:
                    yield Incoming(interaction, runs[run_id], where)
                case Recorded(_, run_id):
                    raise InterchangeError(f"{where}: its run {run_id} stands on no line before it")


@dataclass(frozen=True, slots=True)
class Document:
    """A file of another tool. `passed_over` counts the entries that were not imported, by reason, once it was read."""

    name: str
    keeping: Keeping
    version: str
    _entries: Callable[[], Iterable[Told]] = field(repr=False)
    passed_over: Counter[str] = field(default_factory=Counter)
    facts: None = None

    def recordings(self, rules: Rules) -> Iterator[Incoming]:
        """Yield the chat completions, under the keys that the rules make."""
        self.passed_over.clear()
        recorder = Recorder(self.keeping, rules)
        runs: dict[str, RecordedRun] = {}
        for told in self._entries():
            where = f"{self.name}, entry {told.place}"
            try:
                taken = recorder.take(told)
            except PassedOverError as error:
                self.passed_over[str(error)] += 1
                continue
            except ValueError as error:
                self.passed_over[f"unreadable ({where}: {error})"] += 1
                continue
            if taken.upstream not in runs:  # the file does not tell of runs: the first call is taken for its beginning
                started_at = f"{taken.interaction.recorded_at[:_TO_THE_SECOND]}Z"
                runs[taken.upstream] = RecordedRun(0, started_at, _MODE, taken.upstream, self.version)
            yield Incoming(taken.interaction, runs[taken.upstream], where)


Source = Lines | Document


def opened(name: str, file: BinaryIO, keeping: Keeping, version: str) -> Source:
    """Tell what a file is, which must be seekable. Raises InterchangeError where it is nothing that can be imported.

    `keeping` and `version`, this program's, are for files of other tools.
    """
    first = file.readline()
    if first.startswith(_SQLITE):
        raise InterchangeError(f"{name} is a cassette or another database: `llmtape merge` puts cassettes together")
    if interchange.is_header(first) or first.startswith(_OURS):
        match _line(first, f"{name}, line 1"):
            case Header(facts):
                return Lines(name, facts, file)
        raise InterchangeError(f"{name}, line 1: the header should stand here, the first line of an export")
    value = _parsed(first + file.read(), name)
    for kind in (_har_entries, _vcr_entries):
        if entries := kind(value):
            return Document(name, keeping, version, entries)
    raise InterchangeError(f"{name} {_NOT_KNOWN}")


_NOT_KNOWN: Final = (
    "is nothing that can be imported: that are lines which `llmtape export` wrote, cassettes of VCR.py, and HAR files"
)


def _har_entries(value: Json) -> Callable[[], Iterable[Told]] | None:
    return (lambda: har.entries(value)) if har.is_har(value) else None


def _vcr_entries(value: Json) -> Callable[[], Iterable[Told]] | None:
    return (lambda: vcr.entries(value)) if vcr.is_cassette(value) else None


def _line(data: bytes, where: str) -> interchange.Line:
    try:
        return interchange.loads(data)
    except InterchangeError as error:
        raise InterchangeError(f"{where}: {error}") from error


def _parsed(data: bytes, name: str) -> Json:
    """Parse JSON, and what is none as YAML."""
    data = data.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data)  # half an emoji in a page that a browser saved
    except (ValueError, RecursionError):
        pass
    try:
        return vcr.parsed(data)
    except ValueError as error:
        raise InterchangeError(f"{name} {_NOT_KNOWN}. As YAML: {error}") from error
