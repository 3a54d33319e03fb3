"""Taking recordings from elsewhere into a cassette.

Rule: all that comes in, or nothing. Keys are by the cassette's own rules: what other rules made is made anew from the
requests.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from proxy.cassette import format as layout
from proxy.cassette.draft import drafted
from proxy.cassette.facts import facts_in, rules_in
from proxy.cassette.patience import bounded
from proxy.cassette.placing import OnConflict, Placing
from proxy.cassette.reader import Reader
from proxy.core import conflicts
from proxy.core.errors import CassetteError, RuleError
from proxy.core.model import Take
from proxy.core.normalize import normalize
from proxy.core.rekeying import plan
from proxy.core.rules import DEFAULT, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.cassette.draft import Draft
    from proxy.cassette.placing import Incoming, TakenIn
    from proxy.core.model import Interaction, RecordedRun
    from proxy.core.rules import Rules


class Source(Protocol):
    """Recordings that can be read more than once."""

    @property
    def facts(self) -> Mapping[str, str] | None:
        """What made their keys, and what else was noted, as the table `cassette` has it; None where keys are made."""

    def recordings(self, rules: Rules) -> Iterable[Incoming]:
        """Yield them in order, under their own keys, or where they have none under those that the rules make."""


class Watch(Protocol):
    """Lets somebody see how far it is."""

    def __call__(self, recordings: Iterable[Incoming], /) -> Iterable[Incoming]:
        """Hand the recordings on."""


def take_in(
    path: Path, sources: Sequence[Source], rules: Rules, on_conflict: OnConflict, watch: Watch = iter
) -> TakenIn:
    """Add the recordings of all sources, in order, to a cassette, which is made where there is none.

    Keys are by the cassette's own rules; those of a new one are what made the first source's keys, or `rules`. Raises
    CassetteError, and changes nothing, where the file cannot be written, where takes conflict and nothing tells what
    becomes of them, and where a new file would have nothing in it; InterchangeError where a source cannot be read.
    """
    old = path if _is_there(path) else None
    facts = facts_in(old) if old else sources[0].facts or layout.keyed_by(rules)
    rules = rules_in(old) if old else _rules_of(facts)
    with ExitStack() as stack:
        draft = stack.enter_context(drafted(path, facts=None if old else facts))
        if not old and _is_there(path):
            raise CassetteError(f"another process made {path} meanwhile, and nothing was imported: try again")
        reader = stack.enter_context(Reader(old, rules)) if old else None
        if reader and reader.rekeying is not None:
            raise CassetteError(f"another version made the keys in {path}: `llmtape rekey {path}` makes them anew")
        placing = Placing(reader, on_conflict)
        if on_conflict is OnConflict.REPLACE:
            placing.look_ahead(watch(_all(sources, facts, rules)))
        if old:
            draft.copy(old, placing.stays)
        for incoming in watch(_all(sources, facts, rules)):
            if placed := placing.place(incoming):
                draft.add(placed, incoming.run)
        placing.check(path)
        if not old and not placing.done().added and all(source.facts is None for source in sources):
            raise CassetteError(f"there is nothing to import: {path} was not made")
        _note(draft, sources, facts)
    return placing.done()


def _is_there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _rules_of(facts: Mapping[str, str]) -> Rules:
    try:
        return read(facts.get("rules", DEFAULT.text))
    except RuleError as error:
        raise CassetteError(
            f"what made the keys of these recordings is not known here: {error}. Update llmtape"
        ) from error


@dataclass(frozen=True, slots=True)
class _Rekeyed:
    """A recording under another key than it came with."""

    interaction: Interaction
    run: RecordedRun
    where: str


def _all(sources: Iterable[Source], facts: Mapping[str, str], rules: Rules) -> Iterator[Incoming]:
    for source in sources:
        yield from source.recordings(rules) if _has_keys_of(source, facts) else _rekeyed(source, rules)


def _has_keys_of(source: Source, facts: Mapping[str, str]) -> bool:
    its = source.facts
    return its is None or all(its.get(name) == facts.get(name) for name in layout.keyed_by(DEFAULT))


def _rekeyed(source: Source, rules: Rules) -> Iterator[Incoming]:
    """Yield recordings under the keys that the rules make; those that come to share one become takes of it."""
    keys = ((_take(place, item.interaction), _key(item, rules)) for place, item in enumerate(source.recordings(rules)))
    takes = plan(keys, lambda _: None).takes
    for place, item in enumerate(source.recordings(rules)):
        take = takes[place]
        yield _Rekeyed(replace(item.interaction, track=take.track, number=take.number), item.run, item.where)


def _take(place: int, interaction: Interaction) -> Take:
    response = interaction.response
    return Take(place, interaction.track, interaction.number, response.status, response.outcome)


def _key(incoming: Incoming, rules: Rules) -> str:
    with bounded(rules):
        return normalize(incoming.interaction.request, rules).key


def _check_conflict(name: str, text: str) -> None:
    """Raise InterchangeError where a conflict cannot be read: nobody could settle it, or be rid of it."""
    if conflicts.is_one(name):
        conflicts.read(name, text, DEFAULT)


def _note(draft: Draft, sources: Iterable[Source], facts: Mapping[str, str]) -> None:
    """Note what else the sources' files said of themselves.

    Conflicts that are not settled hold recordings, and come in by whatever rules they were made.
    """
    noted = dict(facts)
    for source in sources:
        for name, value in (source.facts or {}).items():
            _check_conflict(name, value)
            if conflicts.is_one(name) and noted.get(name, value) != value:
                noted[name] = conflicts.combined(noted[name], value)
            elif conflicts.is_one(name) or _has_keys_of(source, facts):
                noted.setdefault(name, value)
    for name, value in noted.items():
        if value != facts.get(name):
            draft.note(name, value)
