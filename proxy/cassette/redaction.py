"""Redacting what was recorded before.

Rule: recordings become what they would be had they been redacted when they came: requests are redacted before they are
keyed, so that their keys are made anew; responses keep every length. Lanes stay: calls find their recordings by them.
The new file has nothing of the old one's bytes.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from proxy.cassette import format as layout
from proxy.cassette.descriptors import read
from proxy.cassette.draft import drafted
from proxy.cassette.facts import require_settled, rules_in
from proxy.cassette.opening import opened
from proxy.cassette.patience import bounded
from proxy.cassette.reader import Reader
from proxy.core.errors import CassetteError
from proxy.core.meaning import meaning
from proxy.core.normalize import normalize
from proxy.core.rekeying import Rekeying, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from proxy.core.model import Interaction, Take
    from proxy.core.redact import Redactor
    from proxy.core.rules import Rules


T = TypeVar("T")

_COUNTER: Final = slice(24, 28)
"""Where a database's head counts its changes. Source: https://www.sqlite.org/fileformat.html, section 1.3.7."""


class Progress(Protocol):
    """Passes recordings on, of which there are so many, and tells how far it is."""

    def __call__(self, items: Iterable[T], total: int, /) -> Iterable[T]:
        """Yield the items."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """What redacting changes, or would: the takes whose request or response it touches, and what becomes of keys."""

    requests: tuple[Take, ...]
    responses: tuple[Take, ...]
    rekeying: Rekeying

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it should be."""
        return not self.requests and not self.responses


def redact(
    path: Path, redactor: Redactor, rules: Rules, accepts: Callable[[Redacted], bool], told: Progress
) -> Redacted:
    """Redact a cassette, if what that changes is accepted; return what it is.

    The rules are those of a replay here: by them takes are named, and it is told which come to share a key. The file
    keeps its own. `told` is given the recordings that are gone through, and how many. Raises CassetteError.
    """
    require_settled(path)
    before = _stamp(path)
    found = _found(path, redactor, rules, told)
    if found.is_nothing or not accepts(found):
        return found
    with drafted(path) as draft:
        if _stamp(path) != before:  # nobody else writes now, but somebody did
            found = _found(path, redactor, rules, told)
            if not accepts(found):
                raise CassetteError(f"another process changed {path} meanwhile, and nothing was written: try again")
        own = rules_in(path)
        keyed = found if own == rules else _found(path, redactor, own, told)
        takes = [take for _, take in sorted(keyed.rekeying.takes.items())]  # as they stand in the file
        with Reader(path, own) as reader:
            for take, (interaction, run) in zip(takes, told(reader.stored(), len(takes)), strict=True):
                draft.add(_rewritten(interaction, take, redactor), run)
        for name, value in layout.keyed_by(own).items():  # where an older normalizer had made them
            draft.note(name, value)
    return found


def _stamp(path: Path) -> tuple[int, int, int, bytes | None]:
    """Return what no change of a file that is at rest leaves as it is, SQLite's counter of changes among it."""
    with closing(opened(path)):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, read(path, _COUNTER)


def _found(path: Path, redactor: Redactor, rules: Rules, told: Progress) -> Redacted:
    requests: list[Take] = []
    responses: list[Take] = []
    with Reader(path, rules) as reader:

        def keyed() -> Iterator[tuple[Take, str]]:
            for take, _, request in told(reader.requests(), len(reader)):
                clean = redactor.request(request, ())
                key = take.track.key
                if clean != request:
                    requests.append(take)
                    with bounded(rules):
                        key = normalize(clean, rules).key
                response = reader.response(take)[0]
                if redactor.response(response) is not response:
                    responses.append(take)
                yield take, key

        planned = plan(keyed(), lambda take: meaning(reader.response(take)[0]))
    return Redacted(tuple(requests), tuple(responses), planned)


def _rewritten(interaction: Interaction, take: Take, redactor: Redactor) -> Interaction:
    return replace(
        interaction,
        track=take.track,
        number=take.number,
        request=redactor.request(interaction.request, ()),
        response=redactor.response(interaction.response),
    )
