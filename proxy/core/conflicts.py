"""What both sides of a merge changed, kept until somebody settles it.

Rule: a conflict is a fact in a cassette's table `cassette`, so that it goes where the file goes. Its name says the
track; its text is what others have in the place of what stands in the file, in the lines of `core.interchange`: each
alternative begins with a header, and one without recordings says that they deleted it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.core import interchange
from proxy.core.errors import InterchangeError
from proxy.core.interchange import Header
from proxy.core.merging import Decision, plan
from proxy.core.model import Interaction, RecordedRun, Track, Variant
from proxy.core.normalize import normalize
from proxy.core.verdict import Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proxy.core.model import Request, Response
    from proxy.core.rules import Rules
    from proxy.core.verdict import Change

Recording = tuple[Interaction, RecordedRun]

_PREFIX: Final = "conflict:"


class Settling(StrEnum):
    """How a conflict is settled: by what stands in the file, what was kept beside it, or one after the other."""

    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A track of which there are alternatives to what stands in the file, each with its recordings in order."""

    track: Track
    alternatives: tuple[tuple[Recording, ...], ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """What a conflict is about: what was asked, where a recording tells that, and how theirs differs from ours.

    `remark` says what is no difference between two answers: that one is not there.
    """

    track: Track
    request: Request | None
    remark: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """All of it in phrases."""
        return tuple(filter(None, (self.remark, *(change.reason for change in self.changes))))


def is_one(name: str) -> bool:
    """Tell whether a fact of that name is a conflict."""
    return name.startswith(_PREFIX)


def name_of(track: Track) -> str:
    """Name the fact that tells of a conflict."""
    return f"{_PREFIX}{track.key}:{track.variant}:{track.lane}"


def track_of(name: str) -> Track:
    """Undo `name_of`. Raises InterchangeError."""
    key, _, rest = name.removeprefix(_PREFIX).partition(":")
    variant, _, lane = rest.partition(":")
    try:
        return Track(key, Variant(variant), lane)
    except ValueError as error:
        raise InterchangeError(f"no conflict is named {name!r}") from error


def written(keyed: Mapping[str, str], recordings: Iterable[Recording]) -> str:
    """Write an alternative; `keyed` are the facts about what made the keys."""
    lines = [interchange.dumps(Header(keyed))]
    known: set[RecordedRun] = set()
    for interaction, run in recordings:
        if run not in known:
            known.add(run)
            lines.append(interchange.dumps(run))
        lines.append(interchange.dumps(interchange.Recorded(interaction, run.id)))
    return b"".join(lines).decode()


def combined(one: str, other: str) -> str:
    """Join the alternatives of two texts, each once."""
    return "".join(dict.fromkeys((*_documents(one), *_documents(other))))


def read(name: str, text: str, rules: Rules) -> Conflict:
    """Read a conflict. Under rules other than those of its time its track is that of what was asked.

    Raises InterchangeError.
    """
    track = track_of(name)
    alternatives = tuple(_alternative(document) for document in _documents(text))
    asked = next((interaction.request for recordings in alternatives for interaction, _ in recordings), None)
    if asked is not None:
        track = replace(track, key=normalize(asked, rules).key)
    return Conflict(track, tuple(_on_track(recordings, track) for recordings in alternatives))


def merged(base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Merge the conflicts among facts: one that a side settled is gone, others stay, with all alternatives."""
    before, our, their = (_among(facts) for facts in (base, ours, theirs))
    kept: dict[str, str] = {}
    for name, decision in plan(before, our, their):
        texts = {side: facts.get(name, "") for side, facts in ((Decision.OURS, our), (Decision.THEIRS, their))}
        text = combined(*texts.values()) if decision is Decision.CONFLICT else texts[decision]
        if text:
            kept[name] = text
    return kept


def settled(conflict: Conflict, held: Sequence[Recording], how: Settling) -> list[Recording]:
    """Return what a track is to have, of what it has and the alternatives; the last of these is theirs."""
    match how:
        case Settling.OURS:
            return list(held)
        case Settling.THEIRS:
            return list(conflict.alternatives[-1])
        case Settling.BOTH:
            return list(_one_after_the_other(held, *conflict.alternatives))


def clash(track: Track, ours: Sequence[Recording], theirs: Sequence[Recording]) -> Clash:
    """Say what two sides clash on."""
    request = next((interaction.request for interaction, _ in (*ours, *theirs)), None)
    if not ours or not theirs:
        return Clash(track, request, "theirs deleted it" if ours else "ours deleted it")
    remark = f"{_takes(ours)} -> {_takes(theirs)}" if len(ours) != len(theirs) else ""
    pairs = zip(ours, theirs, strict=False)
    changes = (change for (one, _), (other, _) in pairs for change in compare(one.response, other.response).changes)
    return Clash(track, request, remark, tuple(changes))


def _among(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in facts.items() if is_one(name)}


def _one_after_the_other(*alternatives: Sequence[Recording]) -> Iterator[Recording]:
    """Yield our takes and the others' that say something else, numbered in turn."""
    number = 0
    yielded: list[Response] = []
    for recordings in alternatives:
        for interaction, run in recordings:
            if recordings is not alternatives[0] and _is_among(interaction.response, yielded):
                continue
            number += 1
            yielded.append(interaction.response)
            yield replace(interaction, number=number), run


def _is_among(response: Response, others: Iterable[Response]) -> bool:
    return any(compare(response, other).verdict is Verdict.IDENTICAL for other in others)


def _alternative(document: str) -> list[Recording]:
    runs: dict[int, RecordedRun] = {}
    recordings: list[Recording] = []
    for line in filter(None, document.split("\n")):
        match interchange.loads(line.encode()):
            case RecordedRun() as run:
                runs[run.id] = run
            case interchange.Recorded(interaction, run_id) if run_id in runs:
                recordings.append((interaction, runs[run_id]))
            case Header():
                pass
            case _:
                raise InterchangeError("a recording's run does not stand before it")
    return recordings


def _on_track(recordings: Iterable[Recording], track: Track) -> tuple[Recording, ...]:
    return tuple((replace(interaction, track=track), run) for interaction, run in recordings)


def _documents(text: str) -> Iterator[str]:
    """Cut a text into alternatives, each from its header on."""
    document: list[str] = []
    for line in text.split("\n"):
        if interchange.is_header(line.encode()) and document:
            yield "\n".join(document) + "\n"
            document = []
        document += [line] if line else []
    if document:
        yield "\n".join(document) + "\n"


def _takes(recordings: Sequence[Recording]) -> str:
    return f"{len(recordings)} take{'' if len(recordings) == 1 else 's'}"
