"""The receipt of a run: what was played from which cassettes, and whether the run was isolated.

Rule: the verdict, its reasons and the sums follow from the sheets alone; where a receipt is read they are found
anew, never taken from what is written. Same run, same bytes: all is sorted but the texts of a lane, which stand in
the order of its calls.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeVar
from xml.etree import ElementTree as ET

import orjson

from proxy.core.errors import ConfigError
from proxy.core.ledger import Fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Kind = TypeVar("Kind")

FORMAT: Final = 1
"""Of the JSON; it grows where an older reader would take a receipt for what it is not."""

MIXED: Final = "mixed"
"""The mode of a receipt that is merged from runs of several modes."""

NO_LANE: Final = "(no lane)"
"""How JUnit XML names the lane that has no name."""

_FATES: Final = tuple(fate.value for fate in Fate)
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """What tells one recording from all others of its cassette."""

    key: str
    variant: str
    lane: str
    take: int


@dataclass(frozen=True, slots=True)
class CassetteSheet:
    """What a run did with one cassette.

    `sha256` is the file's, in hexadecimal; empty where there is no file. `newest` is when the latest recording that
    the run found there was made, as `Interaction.recorded_at` says it; empty where there was none, or nothing tells.
    """

    path: str
    sha256: str
    recordings: int
    played: tuple[Named, ...] = ()
    unplayed: tuple[Named, ...] = ()
    newest: str = ""


@dataclass(frozen=True, slots=True)
class LaneSheet:
    """What became of the calls of one lane.

    `counts` are by fate; `misses` whole reports, which may be fewer than were counted; `unplayed` and `exhausted`
    names of takes; `injected` the texts of faults; `passed` what its runner said of the test, None where it said
    nothing.
    """

    cassette: str
    lane: str
    mode: str
    counts: Mapping[str, int]
    misses: tuple[str, ...] = ()
    unplayed: tuple[str, ...] = ()
    exhausted: tuple[str, ...] = ()
    injected: tuple[str, ...] = ()
    passed: bool | None = None

    @property
    def missed(self) -> int:
        """How many calls missed, however that is told."""
        return max(self.counts.get(Fate.MISSED, 0), len(self.misses))


@dataclass(frozen=True, slots=True)
class Receipt:
    """A run as CI keeps it. `faults` is how many calls failed, as the ledger counts them."""

    version: str
    mode: str
    had_upstream: bool
    faults: int
    cassettes: tuple[CassetteSheet, ...]
    lanes: tuple[LaneSheet, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many calls ended how, over all lanes."""
        found = Counter(dict.fromkeys(_FATES, 0))
        for lane in self.lanes:
            found.update(lane.counts)
        return _ordered(found)

    @property
    def isolated(self) -> bool:
        """Whether all that was answered came from recordings or from faults on purpose, and something was."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not isolated, in words; empty where it is."""
        return tuple(self._reasons())

    def _reasons(self) -> Iterator[str]:
        counts = self.counts
        if missed := sum(lane.missed for lane in self.lanes):
            yield f"{_calls(missed)} missed"
        if self.had_upstream:
            yield f"an upstream existed in the process (mode {self.mode}); only a run in mode replay has none"
        if sent := counts[Fate.RECORDED] + counts[Fate.FORWARDED]:
            yield f"{_calls(sent)} went to an upstream"
        if self.faults:
            yield f"{_calls(self.faults)} failed, or what became of them is not known"
        if not counts[Fate.PLAYED] + counts[Fate.INJECTED]:
            yield "no call was served from a cassette; did the application get the proxy's base URL?"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; what UTF-8 cannot say is replaced."""
        found: dict[str, Any] = _plain(
            {
                "llmtape": self.version,
                "receipt": FORMAT,
                "mode": self.mode,
                "had_upstream": self.had_upstream,
                "isolated": self.isolated,
                "reasons": self.reasons,
                "counts": self.counts,
                "failed": self.faults,
                "cassettes": _sorted_cassettes(self.cassettes),
                "lanes": _sorted_lanes(self.lanes),
            }
        )
        return found

    def as_json(self) -> bytes:
        """Write it as JSON for people and machines."""
        return orjson.dumps(self.as_dict(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def as_junit(self) -> bytes:
        """Write it as JUnit XML: a suite a cassette, a case a lane, and one case for the verdict."""
        lanes = groupby(_sorted_lanes(self.lanes), key=lambda lane: lane.cassette)
        suites = [[_case(lane) for lane in found] for _, found in lanes]
        verdict = [("; ".join(self.reasons), "\n".join(self.reasons))] if self.reasons else []
        return _junit([*suites, [_Case("llmtape", "isolated", verdict)]])


def merged(receipts: Iterable[Receipt]) -> Receipt:
    """Make one receipt of those of several workers. Raises ConfigError where there is none.

    A cassette's recording was played if any worker played it, and was not if each that had the cassette says so.
    Of what can have changed meanwhile the last worker's word counts.
    """
    parts = tuple(receipts)
    if not parts:
        raise ConfigError("there is no receipt to merge: name at least one")
    modes = {part.mode for part in parts}
    sheets: dict[str, CassetteSheet] = {}
    for sheet in (sheet for part in parts for sheet in part.cassettes):
        sheets[sheet.path] = _joined(sheets.get(sheet.path, sheet), sheet)
    return Receipt(
        version=parts[-1].version,
        mode=modes.pop() if len(modes) == 1 else MIXED,
        had_upstream=any(part.had_upstream for part in parts),
        faults=sum(part.faults for part in parts),
        cassettes=_sorted_cassettes(sheets.values()),
        lanes=_sorted_lanes(lane for part in parts for lane in part.lanes),
    )


def _joined(one: CassetteSheet, later: CassetteSheet) -> CassetteSheet:
    played = {*one.played, *later.played}
    unplayed = {*one.unplayed} & {*later.unplayed}
    newest = max(one.newest, later.newest)
    return replace(later, played=tuple(sorted(played)), unplayed=tuple(sorted(unplayed - played)), newest=newest)


def from_dict(value: Any) -> Receipt:
    """Read what `as_dict` made. Raises ConfigError where it is no receipt, or one of a later format."""
    whole = _Part(value, "a receipt")
    version, found = whole.get("llmtape", str), whole.get("receipt", int)
    if found != FORMAT:
        raise ConfigError(
            f"this receipt has format {found}, written by llmtape {version}, and format {FORMAT} can be read here: "
            "use that version, or run anew with this one"
        )
    return Receipt(
        version=version,
        mode=whole.get("mode", str),
        had_upstream=whole.get("had_upstream", bool),
        faults=whole.number("failed"),
        cassettes=tuple(_cassette(part) for part in whole.parts("cassettes")),
        lanes=tuple(_lane(part) for part in whole.parts("lanes")),
    )


def _cassette(part: _Part) -> CassetteSheet:
    return CassetteSheet(
        path=part.get("path", str),
        sha256=part.get("sha256", str),
        recordings=part.number("recordings"),
        played=tuple(_named(named) for named in part.parts("played")),
        unplayed=tuple(_named(named) for named in part.parts("unplayed")),
        newest=part.get("newest", str) if "newest" in part.value else "",  # unknown to the first who wrote this format
    )


def _named(part: _Part) -> Named:
    return Named(part.get("key", str), part.get("variant", str), part.get("lane", str), part.number("take"))


def _lane(part: _Part) -> LaneSheet:
    counts = _Part(part.get("counts", dict), f"{part.name}.counts")
    passed = part.get("passed", bool) if part.value.get("passed") is not None else None
    return LaneSheet(
        cassette=part.get("cassette", str),
        lane=part.get("lane", str),
        mode=part.get("mode", str),
        counts={fate: counts.number(fate) for fate in counts.value},
        misses=part.texts("misses"),
        unplayed=part.texts("unplayed"),
        exhausted=part.texts("exhausted"),
        injected=part.texts("injected"),
        passed=passed,
    )


_KINDS: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


class _Part:
    """An object of a receipt that is read, and where it stands; each way to take a field checks its kind."""

    __slots__ = ("name", "value")

    def __init__(self, value: Any, name: str) -> None:
        self.value: dict[str, Any] = _checked(value, dict, name)
        self.name = name

    def get(self, field: str, kind: type[Kind]) -> Kind:
        """Return a field of this very kind: true is no number."""
        return _checked(self.value.get(field), kind, f"{self.name}.{field}")

    def number(self, field: str) -> int:
        """Return a number of things."""
        number = self.get(field, int)
        if number < 0:
            raise _no_receipt(f"{self.name}.{field} is less than 0")
        return number

    def texts(self, field: str) -> tuple[str, ...]:
        """Return a list of texts."""
        items = enumerate(self.get(field, list))
        return tuple(_checked(item, str, f"{self.name}.{field}[{place}]") for place, item in items)

    def parts(self, field: str) -> Iterator[_Part]:
        """Yield the objects of a list."""
        for place, item in enumerate(self.get(field, list)):
            yield _Part(item, f"{self.name}.{field}[{place}]")


def _checked(value: Any, kind: type[Kind], name: str) -> Kind:
    if type(value) is not kind:
        raise _no_receipt(f"{name} is not {_KINDS[kind]}")
    return value


def _no_receipt(reason: str) -> ConfigError:
    name = reason.replace("a receipt.", "")
    return ConfigError(f"this is no receipt of llmtape: {name}. Give the file as a run wrote it")


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """Sort counts as fates are declared; those that are not known come last."""
    names = sorted(counts, key=lambda name: (_FATES.index(name) if name in _FATES else len(_FATES), name))
    return {name: counts[name] for name in names}


def _sorted_cassettes(sheets: Iterable[CassetteSheet]) -> tuple[CassetteSheet, ...]:
    within = (
        replace(sheet, played=tuple(sorted(sheet.played)), unplayed=tuple(sorted(sheet.unplayed))) for sheet in sheets
    )
    return tuple(sorted(within, key=lambda sheet: sheet.path))


def _sorted_lanes(lanes: Iterable[LaneSheet]) -> tuple[LaneSheet, ...]:
    within = (replace(lane, counts=_ordered(lane.counts)) for lane in lanes)
    return tuple(sorted(within, key=lambda lane: (lane.cassette, lane.lane)))


def _plain(value: Any) -> Any:
    """Return values as JSON has them: objects, lists, and texts that can be sent."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(name): _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


@dataclass(frozen=True, slots=True)
class _Case:
    """A case of JUnit XML; `failures` are messages of one line, and their whole texts."""

    group: str
    name: str
    failures: Sequence[tuple[str, str]] = ()


def _case(lane: LaneSheet) -> _Case:
    failures = [(_first_line(report), report) for report in lane.misses]
    if more := lane.missed - len(lane.misses):
        told = f"{_calls(more)} missed whose reports were not kept"
        failures.append((told, told))
    return _Case(lane.cassette, lane.lane or NO_LANE, failures)


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _junit(suites: Sequence[Sequence[_Case]]) -> bytes:
    root = ET.Element("testsuites", _totals([case for suite in suites for case in suite]))
    for suite in suites:
        branch = ET.SubElement(root, "testsuite", {"name": "llmtape", **_totals(suite)})
        for case in suite:
            names = {"classname": _xml_text(case.group), "name": _xml_text(case.name), "time": "0"}
            leaf = ET.SubElement(branch, "testcase", names)
            for message, text in case.failures:
                ET.SubElement(leaf, "failure", {"message": _xml_text(message)}).text = _xml_text(text)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _totals(cases: Sequence[_Case]) -> dict[str, str]:
    """Count cases, not failures: readers reckon what passed as the difference."""
    failed = sum(bool(case.failures) for case in cases)
    return {"tests": str(len(cases)), "failures": str(failed), "errors": "0", "skipped": "0", "time": "0"}


def _xml_text(text: str) -> str:
    """Replace what XML 1.0 cannot hold, escaped or not."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
