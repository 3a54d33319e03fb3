"""The upstream does everything wrong: the table, a cut at each byte, and compositions of both at random.

Rule: what comes of a case may depend on the bytes, never on how they fell into reads: an answer in random pieces is
what it is in one. A cut is told from an end, wherever it falls.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

from proxy.core.model import Outcome
from proxy.demo.script import Abort, Close, Send
from torture.cruel_upstream import GOOD, Read, Turns
from torture.cruelties import CASES
from torture.cruelties.case import JSON_TYPE, SSE_TYPE, Case, chunked, counted, top
from torture.item import Advance, BrokenPromiseError, Item, check, nothing
from torture.observed import Seen, code_of, hold, observe, shown

if TYPE_CHECKING:
    from pathlib import Path

    from torture.cruel_upstream import Step

SEED: Final = 20
_BATCH: Final = 200
_MOST_PIECES: Final = 30

_SHORT: Final = b'{"choices":[{"finish_reason":"stop"}]}'
_FIRST: Final = b'data: {"choices":[{"delta":{}}]}\n\n'
_LAST: Final = b"data: [DONE]\n\n"
_BODY: Final = _FIRST + _LAST

# By name: the bytes of an answer, and where in them its head ends.
_WHOLE: Final = {
    "counted": counted(_SHORT, JSON_TYPE),
    "chunked": chunked([_FIRST, _LAST], SSE_TYPE),
    "until-close": top(SSE_TYPE) + _BODY,
}


def cuts() -> list[Case]:
    """Return all ways to break an answer off: at each byte, by FIN and by RST, in each framing."""
    return [
        _cut(name, how, place)
        for name, data in _WHOLE.items()
        for how in (Close(), Abort())
        for place in range(len(data))
    ]


def _cut(framing: str, how: Close | Abort, place: int) -> Case:
    return Case(
        "cut",
        f"{framing}-{type(how).__name__}-{place}".lower(),
        f"breaks off after {place} bytes",
        ((Read(), Send(_WHOLE[framing][:place]), how),),
        _SHORT if framing == "counted" else _BODY,
        streams=framing != "counted",
    )


def hold_cut(seen: Seen) -> None:
    """Check what must come of a cut; raise BrokenPromiseError where something else does."""
    hold(seen)
    name, live, kept = seen.case.name, seen.live, seen.stored
    framing, how, place = name.rsplit("-", 2)
    data = _WHOLE[framing]
    sent = _body_in(framing, data[: int(place)])
    assert live is not None
    if sent is None:
        check(code_of(live) == "upstream_unreachable" and kept is None, f"{name}: no head came, and yet {live}")
        return
    check(live.status == 200 and live.body == sent, f"{name}: of {sent!r} came {live.body!r}")
    ends_well = framing == "until-close" and how == "close"
    check(
        live.ended == ends_well, f"{name}: {'a plain end was taken for a cut' if ends_well else 'a cut ended cleanly'}"
    )
    is_whole = (_LAST.rstrip() in sent) if ends_well else sent == _BODY
    expected = Outcome.COMPLETE if is_whole else Outcome.UNFINISHED if ends_well else Outcome.CUT
    check(kept and kept.response.outcome is expected, f"{name}: not stored as {expected}")


def _body_in(framing: str, sent: bytes) -> bytes | None:
    """Return what of the body is in the first bytes of an answer; None where not even its head is."""
    _, end, rest = sent.partition(b"\r\n\r\n")
    if not end:
        return None
    if framing != "chunked":
        return rest
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return body


@dataclass(frozen=True, slots=True)
class Composed:
    """A case of the table in random pieces, and perhaps broken off. `cut` is how, None for not at all."""

    base: Seen
    case: Case
    cut: Close | Abort | None

    def hold(self, seen: Seen) -> None:
        """Check that it is what it was in one piece, or the beginning of that."""
        hold(seen)
        name, live, base = self.case.name, seen.live, self.base.live
        assert live is not None
        assert base is not None
        if self.cut is None:
            check(
                shown(seen) == shown(self.base), f"{name}: in pieces it comes to {shown(seen)}, not {shown(self.base)}"
            )
            check(live.body == base.body, f"{name}: in pieces it has other bytes")
        elif not code_of(live):
            check(base.body.startswith(live.body), f"{name}: the client got bytes that were never sent: {live.body!r}")
            may_end = live.body == base.body or (isinstance(self.cut, Close) and _ends_by_closing(self.base.case))
            check(may_end or not live.ended, f"{name}: a cut ended cleanly")


def compose(table: list[Seen], count: int, seed: int) -> list[Composed]:
    """Draw so many compositions of what the table has."""
    random = Random(seed)
    fit = [seen for seen in table if _sent_by(seen.case) and not code_of(seen.live) and not _is_damaged(seen)]
    return [_compose(random.choice(fit), number, random) for number in range(count)]


def _compose(base: Seen, number: int, random: Random) -> Composed:
    case = base.case
    data = _sent_by(case)
    cut = random.choice((None, Close(), Abort()))
    end = len(data) if cut is None else random.randrange(1, len(data))
    pieces = min(end, random.choice((1, 2, 5, _MOST_PIECES)))
    places = [0, *sorted(random.sample(range(1, end), pieces - 1)), end]
    steps: list[Step] = []
    for start, stop in pairwise(places):
        steps += [Send(data[start:stop]), Turns(random.randrange(4))]
    last = (cut,) if cut else case.scripts[0][2:]
    before: tuple[Step, ...] = (Read(), Send(GOOD)) if random.random() < 0.3 else ()  # on a kept connection
    name = f"{number}-{case.name}{'-kept' if before else ''}{f'-{type(cut).__name__.lower()}-{end}' if cut else ''}"
    script = (*before, Read(), *steps, *last)
    return Composed(base, replace(case, name=name, scripts=(script,), is_kept=bool(before)), cut)


def _sent_by(case: Case) -> bytes:
    """Return what a case sends at once, where that is all it does before the connection may end."""
    match case.scripts:
        case ((Read(), Send(data)) | (Read(), Send(data), Close() | Abort()),) if not (case.limit or case.is_kept):
            return data
    return b""


def _is_damaged(seen: Seen) -> bool:
    """Tell whether a compressed body is damaged: how much of it can be undone depends on how it falls into reads."""
    return seen.case.group == "coding" and seen.live is not None and not seen.live.ended


def _ends_by_closing(case: Case) -> bool:
    head = _sent_by(case).partition(b"\r\n\r\n")[0].lower()
    return b"content-length" not in head and b"chunked" not in head


def look_up_table(folder: Path) -> list[Seen]:
    """Let all of the table happen once; raise BrokenPromiseError where what must hold of each does not."""
    table = observe(CASES, folder)
    for seen in table:
        hold(seen)
    return table


def hold_cuts(cases: list[Case], folder: Path) -> None:
    """Let these cuts happen, and check what comes of them."""
    for seen in observe(cases, folder):
        hold_cut(seen)


def hold_composed(composed: list[Composed], folder: Path, advance: Advance = nothing) -> list[Seen]:
    """Let these compositions happen, and check what comes of them."""
    found = observe([each.case for each in composed], folder, advance)
    for each, seen in zip(composed, found, strict=True):
        each.hold(seen)
    return found


def run(count: int, folder: Path, advance: Advance) -> str:
    """Let the table happen, each cut, and so many compositions."""
    table = look_up_table(_made(folder / "table"))
    broken = cuts()
    for start in range(0, len(broken), _BATCH):
        hold_cuts(broken[start : start + _BATCH], _made(folder / f"cuts-{start}"))
    ended = stored = 0
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        seed = SEED + start
        try:
            found = hold_composed(compose(table, size, seed), _made(folder / f"composed-{start}"), advance)
        except BrokenPromiseError as error:
            raise BrokenPromiseError(f"{error} [compose(table, {size}, {seed})]") from error
        ended += sum(seen.live is not None and seen.live.ended for seen in found)
        stored += sum(seen.stored is not None for seen in found)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return (
        f"{len(table)} cases, {len(broken)} cuts, one at each byte, and {count} compositions, of which {ended} came to "
        f"an end and {stored} were stored: each as the table has it; {most} MB at most"
    )


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


ITEMS: Final = (
    Item(
        "upstream", 2000, "compositions", "an upstream that does everything wrong harms nothing but its own answer", run
    ),
)
