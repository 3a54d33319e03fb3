"""Finding what may be nearest, however large the cassette.

Rule: looks at a bounded number of rows, and names candidates; which of them is nearest, comparing tells. Only those
are named that by their common beginning can be: the turns on the way tell it without reading a request.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Final

from proxy.core.outline import ANCHORS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from proxy.core.outline import Outline, Step

MOST: Final = 24
"""How many candidates are named."""

_ROOT = 0  # the turn before all endpoints
_FIRST_MESSAGE = 1  # its place in an outline
_MOST_FOLLOWED = 16  # ways that are looked down; each differs from what was asked in one step more, or in another
_MOST_LIKELY = 64  # turns whose words are looked at
_MOST_ALIKE = 8  # turns that are taken for what the asked one may have been
_MOST_BELOW = 3  # recordings that are taken of those that go on from a turn

_TURN = "select id from turns where parent_id = ? and digest = ?"

# A word that a hundred thousand texts share costs no more than one that so many share.
_MOST_SHARING = 200
_SHARING = f"""
select turn_id from anchors where parent_id = ? and word = ? order by turn_id desc limit {_MOST_SHARING}"""  # noqa: S608
_LEAST = 1.5  # above 1, so that also a word that so many share tells a little
_SHARED = """
select turn_id, word from anchors where parent_id = ?
and word in (select value from json_each(?)) and turn_id in (select value from json_each(?))"""

# Of many takes of one key one is enough.
_AT = f"""
select max(id) from (select id, key, variant from interactions where turn_id = ? order by id desc limit 200)
group by key, variant order by 1 desc limit {MOST}"""  # noqa: S608

# The longer of two conversations is what their common beginning is a share of: what is no longer than the one asked
# comes first, and then what is about as long. The inner limit is for a turn that has a hundred thousand after it.
_BELOW = """
with recursive below(id, depth) as (
  select ?, 0
  union all
  select turns.id, depth + 1 from below join turns on turns.id in
    (select after.id from turns after where after.parent_id = below.id and after.id <> ? limit 200)
  limit 500)
select interactions.id, depth from below join interactions on turn_id = below.id
order by max(depth - ?, 0), abs(depth - ?), interactions.id desc limit ?"""

_LATEST = f"""
select id from (select id, method, path from interactions order by id desc limit 200)
where method = ? and path = ? limit {MOST}"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Lead:
    """A turn that may stand for all steps asked before `place`, of which so many messages are the very same."""

    turn: int
    place: int
    common: int | None = None
    """None while no message differs."""


def candidates(connection: sqlite3.Connection, asked: Outline) -> list[int]:
    """Name the interactions one of which is the nearest, the most promising first."""
    return _Search(connection, asked).run()


class _Search:
    def __init__(self, connection: sqlite3.Connection, asked: Outline) -> None:
        self._connection = connection
        self._asked = asked
        self._messages = len(asked) - _FIRST_MESSAGE
        self._shares: dict[int, float] = {}  # of each interaction found: how much of the conversation is common
        self._ways: list[tuple[list[int], int]] = []  # on which no message differs, each with its first turn's place

    def run(self) -> list[int]:
        leads = deque(self._follow(_Lead(_ROOT, 0)))
        if self._shares:
            return list(self._shares)  # the very same conversation
        is_endpoint_known = len(self._ways[0][0]) > 1
        for _ in range(_MOST_FOLLOWED):
            if leads and len(self._shares) < MOST:
                leads.extend(self._follow(leads.popleft()))
        for way, place in self._ways:
            self._look_back(way, place)
        return self._best() if is_endpoint_known else self._ranked()[:MOST]

    def _follow(self, lead: _Lead) -> list[_Lead]:
        """Go on from a turn by the steps asked; where one is not there, by those that are like it."""
        way = self._walk(lead)
        place = lead.place + len(way) - 1
        is_whole = place == len(self._asked)
        common = max(place - _FIRST_MESSAGE, 0) if lead.common is None else lead.common
        if lead.common is not None:
            self._look_below(way[-1], place, common)
        else:
            self._ways.append((way, lead.place))
            if is_whole:
                self._shares.update((id_, 1.0) for (id_,) in self._connection.execute(_AT, (way[-1],)))
        alike = [] if is_whole else self._alike(way[-1], self._asked[place])
        return [_Lead(turn, place + 1, common if place else None) for turn in alike]

    def _walk(self, lead: _Lead) -> list[int]:
        """Return the turns that are the steps asked, from the lead's own as far as they go."""
        way = [lead.turn]
        for step in self._asked[lead.place :]:
            row: tuple[int] | None = self._connection.execute(_TURN, (way[-1], step.digest)).fetchone()
            if row is None:
                break
            way.append(row[0])
        return way

    def _alike(self, parent: int, step: Step) -> list[int]:
        """Return the turns after a turn that share words with a step; the fewer share a word, the more it tells."""
        telling: dict[int, float] = {}
        likely: defaultdict[int, float] = defaultdict(float)
        for word in step.anchors(2 * ANCHORS):  # also what one text chose in the place of a word that the other lacks
            turns = self._connection.execute(_SHARING, (parent, word)).fetchall()
            telling[word] = log(_LEAST * _MOST_SHARING / max(1, len(turns)))
            for (turn,) in turns:
                likely[turn] += telling[word]
        return self._most_alike(parent, telling, _first(likely, _MOST_LIKELY))

    def _most_alike(self, parent: int, telling: dict[int, float], likely: list[int]) -> list[int]:
        """Weigh all words that a turn shares: of those that many share, not all turns were seen."""
        values = (parent, json.dumps(list(telling)), json.dumps(likely))
        alike: defaultdict[int, float] = defaultdict(float)
        for turn, word in self._connection.execute(_SHARED, values):
            alike[turn] += telling[word]
        return _first(alike, _MOST_ALIKE)

    def _look_back(self, way: list[int], place: int) -> None:
        """Take what leaves a way, the last turn first, as long as more may be common than is found."""
        best = -1.0
        passed = 0
        for turn, common in self._back(way, place):
            if common / self._messages <= best:
                return
            best = max(best, self._look_below(turn, common + _FIRST_MESSAGE, common, passed))
            passed = turn

    def _back(self, way: list[int], place: int) -> Iterator[tuple[int, int]]:
        """Yield the turns of a way from its end back to its endpoint, each with how many messages led to it."""
        for at in reversed(range(len(way))):
            if (common := place + at - _FIRST_MESSAGE) >= 0:
                yield way[at], common

    def _look_below(self, turn: int, place: int, common: int, passed: int = _ROOT) -> float:
        """Take a few interactions at a turn and below it; return how much the best of them has in common."""
        room = len(self._asked) - place
        best = -1.0
        for id_, depth in self._connection.execute(_BELOW, (turn, passed, room, room, _MOST_BELOW)).fetchall():
            share = common / max(self._messages, place + depth - _FIRST_MESSAGE)
            self._shares[id_] = max(share, self._shares.get(id_, share))
            best = max(best, share)
        return best

    def _ranked(self) -> list[int]:
        return sorted(self._shares, key=lambda id_: -self._shares[id_])

    def _best(self) -> list[int]:
        """Name those that have most in common; where none has anything, also the latest of the endpoint."""
        most = max(self._shares.values(), default=0.0)
        best = [id_ for id_ in self._shares if self._shares[id_] == most][:MOST]
        if not most:
            endpoint = self._asked[0].content
            latest = self._connection.execute(_LATEST, (endpoint["method"], endpoint["path"]))
            best += [id_ for (id_,) in latest if id_ not in self._shares]
        return best[:MOST]


def _first(weights: dict[int, float], most: int) -> list[int]:
    """Return the turns of most weight, the latest of several."""
    return sorted(weights, key=lambda turn: (weights[turn], turn), reverse=True)[:most]
