"""The report of a miss, in words.

Rule: the first line stands by itself, since some clients show no more; everything that helps is in the message,
because others show nothing else. Built from redacted, canonical requests alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from proxy.core.mismatch import Difference, differences
from proxy.core.model import Outcome, Variant, take_name
from proxy.core.modes import Found

if TYPE_CHECKING:
    from proxy.core.model import Request, Take, Track
    from proxy.core.normalize import Canonical
    from proxy.core.remedy import Remedy

_MOST_DIFFERENCES = 8
_LINE_ENDS = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recorded request that is most like the one asked."""

    take: Take
    recorded_at: str
    request: Request
    canonical: Canonical


@dataclass(frozen=True, slots=True)
class Miss:
    """What was asked of which cassette, and how it stood there.

    `take` is the one that could not be played, where there is one; `held` how many interactions the cassette has.
    """

    found: Found
    cassette: str
    track: Track
    asked: Canonical
    held: int = 0
    take: Take | None = None
    nearest: Nearest | None = None
    remedy: Remedy | None = None
    is_named: bool = False
    """Whether the client named the cassette in its base URL."""
    recorder: str = ""
    """The command that records it, where a test's runner has one of its own."""

    @property
    def differences(self) -> list[Difference]:
        """How the nearest recorded request differs from the one asked."""
        return differences(self.nearest.canonical.content, self.asked.content) if self.nearest else []

    @property
    def param(self) -> str | None:
        """The first field that differs, as the API's error object names one."""
        found = self.differences
        return _name(found[0]) if found else None

    def report(self) -> str:
        """Write the whole report; it can be sent as UTF-8, whatever was asked."""
        lines = [_one_line(_headline(self)), "", *_facts(self), *_differing(self), "", _remedy(self)]
        return "\n".join(lines).encode("utf-8", "replace").decode()


def _headline(miss: Miss) -> str:
    what = f"{miss.asked.content['method']} {miss.asked.content['path']}"
    return f"llmtape replay miss ({miss.found}): {_REASONS[miss.found](miss)} [{what}, key {miss.track.key[:12]}]"


def _not_recorded(miss: Miss) -> str:
    if not miss.nearest:
        return f"nothing like this request is in {miss.cassette}"
    paths = [_name(difference) for difference in miss.differences]
    named = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")  # noqa: PLR2004
    return (
        f"this request is not in {miss.cassette}; the nearest recording, {miss.nearest.take.name}, differs in {named}"
    )


_ASKED = {
    Variant.JSON: "without a stream",
    Variant.SSE: "as a stream",
    Variant.SSE_USAGE: "as a stream with include_usage",
}


def _other_variant(miss: Miss) -> str:
    recorded = _ASKED[miss.take.track.variant] if miss.take else "another way"
    return f"this request was recorded {recorded}, and is asked for {_ASKED[miss.track.variant]}"


def _exhausted(miss: Miss) -> str:
    last = miss.take.number if miss.take else 0
    return f"all takes of this request were played (the last is {take_name(miss.track.key, last)})"


def _incomplete(miss: Miss) -> str:
    if not miss.take:
        return "the recording did not end well"
    return f"the recording {miss.take.name} is {miss.take.outcome}: {_ENDINGS[miss.take.outcome]}"


_ENDINGS = {
    Outcome.CUT: "the upstream broke it off",
    Outcome.UNFINISHED: "it ended without [DONE] or a finish reason",
    Outcome.COMPLETE: "it ended well",
}


def _no_cassette(miss: Miss) -> str:
    return f"there is no cassette {miss.cassette}"


_REASONS = {
    Found.NOT_RECORDED: _not_recorded,
    Found.OTHER_VARIANT: _other_variant,
    Found.EXHAUSTED: _exhausted,
    Found.INCOMPLETE: _incomplete,
    Found.NO_CASSETTE: _no_cassette,
}


def _facts(miss: Miss) -> list[str]:
    lane = f", lane {miss.track.lane!r}" if miss.track.lane else ""
    facts = [
        f"  cassette  {miss.cassette} ({miss.held} recorded)",
        f"  asked     key {miss.track.key[:12]}, variant {miss.track.variant}{lane}",
    ]
    if miss.nearest:
        take = miss.nearest.take
        facts.append(f"  nearest   {take.name}, variant {take.track.variant}, recorded {miss.nearest.recorded_at}")
    return facts


def _differing(miss: Miss) -> list[str]:
    found = miss.differences
    lines: list[str] = []
    for difference in found[:_MOST_DIFFERENCES]:
        recorded, asked = difference.excerpt()
        lines += [
            "",
            f"  {_name(difference)}",
            f"    recorded  {recorded}",
            f"    asked     {asked}",
        ]
        if rules := miss.remedy and miss.remedy.fields.get(difference.path):
            lines.append(f"    equal     under the rule{'s' if len(rules) > 1 else ''} {', '.join(rules)}")
    if len(found) > _MOST_DIFFERENCES:
        lines += ["", f"  and {len(found) - _MOST_DIFFERENCES} more fields"]
    return lines


def _name(difference: Difference) -> str:
    path = difference.path.removeprefix("body.")
    return _one_line(path).encode("utf-8", "replace").decode()


def _one_line(text: str) -> str:
    return _LINE_ENDS.sub(" ", text)


def _remedy(miss: Miss) -> str:
    where = "" if miss.is_named else f" -c {quote(miss.cassette)}"
    record = miss.recorder or f"llmtape auto{where} -- YOUR COMMAND"
    if miss.found is Found.EXHAUSTED:
        return f"To play the last take again: --repeats last (replay.repeats); to record one more: {record}"
    if miss.found is Found.INCOMPLETE:
        return f"To record it anew: {record}; to play it as it is: --incomplete play (replay.incomplete)"
    told = f"If the request is as it should be, record it: {record}"
    if miss.remedy and miss.remedy.is_whole:
        lines = "".join(f"\n  {line}" for line in miss.remedy.lines)
        return f"{told}\nIf what differs should not count, write into llmtape.toml:\n{lines}"
    if miss.nearest:
        told += "\nIf what differs changes by itself, record a second time: llmtape lint ONE OTHER finds rules for it"
    return told
