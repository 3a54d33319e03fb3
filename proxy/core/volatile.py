"""Text that looks volatile, and the rules that would cover it.

Rule: what is proposed was tried on the very requests that it is proposed for. Text looks volatile where a scrubber
that is not in the rules takes it; between two recordings of the same run, whatever differs is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from proxy.core.normalize import normalize
from proxy.core.remedy import Trial, named_changes
from proxy.core.rules import PathAction, PathRule, Pattern, Rules
from proxy.core.scrubbers import SCRUBBERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from proxy.core.mismatch import Difference
    from proxy.core.model import Request
    from proxy.core.remedy import Change
    from proxy.core.scrub import Scrubbed

Pair = tuple["Request", "Request"]
"""The same call of two runs."""

_TOKENS: Final = re.compile(r"\S+")
_LETTERS: Final = re.compile("[A-Za-z]")
_WORD_BEFORE: Final = re.compile(r"\S+[ \t]+\Z")
_RUN_BEGINS: Final = re.compile(r"(?<![^\W_])[^\W_]+\Z|[0-9a-f]+\Z")
_RUN_ENDS: Final = re.compile(r"[^\W_]+")
_SPECIAL: Final = re.compile(r"[][.^$*+?{}\\|()]")
_ESCAPED: Final = r"\\\g<0>"
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")
_PLACE: Final = re.compile(r"\[\d+\]")
_WITHIN_JSON: Final = re.compile(r"body\.messages\[\d+\]\.(?:content|.*?\.arguments)[.\[]")
_LEAST_CONTEXT: Final = 3
"""Letters that must stand before a value for an expression to know it again."""

_KINDS: Final = (
    (re.compile(r"\d+"), r"\d+"),
    (re.compile(r"[0-9a-f]+"), "[0-9a-f]+"),
    (re.compile(r"\w+"), r"\w+"),
    (re.compile(r"[\w.:+-]+"), r"[\w.:+-]+"),
)
"""What a value may consist of, the narrowest first."""

_MOST_TOKENS: Final = 2_000
_LONGEST_NAME: Final = 30


@dataclass(frozen=True, slots=True)
class Proposal:
    """Rules that make pairs of requests equal. `solved` counts those that are; `rest` is what still differs."""

    rules: Rules
    solved: int
    rest: tuple[tuple[int, Difference], ...]


def uncovered(request: Request, rules: Rules) -> list[Scrubbed]:
    """List the text in a redacted request that looks volatile and that no rule covers."""
    form = normalize(request, replace(rules, scrub=tuple(SCRUBBERS)))
    return [found for found in form.scrubbed if found.rule in SCRUBBERS and found.rule not in rules.scrub]


def propose(pairs: Sequence[Pair], rules: Rules) -> Proposal:
    """Find rules under which the requests of each pair are the same call."""
    named: dict[str, Change] = {}
    for one, other in pairs:
        changes = named_changes(one, other, rules)
        named |= {name: change for name, change in changes.items() if name in SCRUBBERS and name not in named}
    found = dict.fromkeys(
        candidate
        for difference in Trial(pairs, rules, named).differing(named).values()
        for candidate in _candidates(difference)
    )
    trial = Trial(pairs, rules, named | _adopting(found, {*named, *SCRUBBERS, *(rule.name for rule in rules.named)}))
    names = trial.pruned()
    rest = [(place, left) for (place, _), left in trial.differing(names).items()]
    return Proposal(trial.under(names), len(pairs) - len({place for place, _ in rest}), tuple(rest))


def _candidates(difference: Difference) -> Iterator[Pattern | PathRule]:
    """Yield rules that might make a field equal, named after what they take."""
    if isinstance(difference.recorded, str) and isinstance(difference.asked, str):
        for before, kind in _expressions(difference.recorded, difference.asked):
            yield Pattern(name=_slug(before), pattern=f"{_SPECIAL.sub(_ESCAPED, before)}(?P<value>{kind})")
    if _WITHIN_JSON.match(difference.path):
        path = "$." + _PLACE.sub("[*]", difference.path.removeprefix("body."))
        yield PathRule(name=_slug(difference.path.rpartition(".")[2]), path=path, action=PathAction.REPLACE)


def _adopting(candidates: Iterable[Pattern | PathRule], taken: Collection[str]) -> dict[str, Change]:
    """Make changes of candidates, each under a name that is free."""
    changes: dict[str, Change] = {}
    for candidate in candidates:
        name = _free(candidate.name, {*taken, *changes})
        changes[name] = partial(_with, replace(candidate, name=name))
    return changes


def _with(candidate: Pattern | PathRule, rules: Rules) -> Rules:
    if isinstance(candidate, Pattern):
        return replace(rules, pattern=(*rules.pattern, candidate))
    return replace(rules, path=(*rules.path, candidate))


def _expressions(recorded: str, asked: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before each value that changed, and the kind of characters that it consists of."""
    seen: set[tuple[str, str]] = set()
    for before, *values in _changed_values(recorded, asked):
        kind = next((spelt for kind, spelt in _KINDS if all(map(kind.fullmatch, values))), None)
        if kind and len(_LETTERS.findall(before)) >= _LEAST_CONTEXT and (before, kind) not in seen:
            seen.add((before, kind))
            yield before, kind


def _changed_values(recorded: str, asked: str) -> Iterator[tuple[str, str, str]]:
    """Yield each value that changed, in both texts, after what stands before it in its line."""
    one, other = (list(_TOKENS.finditer(text))[:_MOST_TOKENS] for text in (recorded, asked))
    words, other_words = ([token[0] for token in tokens] for tokens in (one, other))
    matcher = SequenceMatcher(None, words, other_words, autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        if kind == "replace" and end - start == other_end - other_start:
            for token, its in zip(one[start:end], other[other_start:other_end], strict=True):
                yield _value(recorded, token, its)


def _value(text: str, token: re.Match[str], other: re.Match[str]) -> tuple[str, str, str]:
    """Narrow two words down to the values in them: whole runs of letters and digits."""
    head = _common(token[0], other[0])
    tail = _common(token[0][head:][::-1], other[0][head:][::-1])
    begin = _RUN_BEGINS.search(token[0][:head])
    start = begin.start() if begin else head
    end = _RUN_ENDS.match(token[0][len(token[0]) - tail :])
    tail -= end.end() if end else 0
    before = token[0][:start]
    if len(_LETTERS.findall(before)) < _LEAST_CONTEXT and (word := _WORD_BEFORE.search(text, 0, token.start())):
        before = word[0] + before
    return before, token[0][start : len(token[0]) - tail], other[0][start : len(other[0]) - tail]


def _common(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _slug(text: str) -> str:
    name = _NO_NAME.sub("-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-")
    return name if name[:1].isalpha() else f"value-{name}".strip("-")


def _free(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbered if other not in taken)
