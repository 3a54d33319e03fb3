"""The endpoints under `/_llmtape/`.

Rule: reads the ledger and the decks, rewinds, starts and ends lanes; takes and answers JSON, errors in the API's
shape. Never forwarded, never recorded. Nothing here can give an upstream to a proxy that has none.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs

import orjson
from msgspec import Struct

from proxy import __version__, declared
from proxy.core import refusal
from proxy.core.address import CONTROL, Address, check_name, mounted
from proxy.core.errors import AnsweredError, CassetteError, ConfigError
from proxy.core.ledger import Fate
from proxy.core.modes import Mode  # noqa: TC001  msgspec reads the fields' types
from proxy.wanted import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.cassette.shelf import Shelf
    from proxy.core.ledger import Ledger
    from proxy.core.model import Headers
    from proxy.core.rules import Rules
    from proxy.lanes import Lanes

    Endpoint = Callable[[Address, dict[str, Any]], Awaitable[dict[str, Any]]]

Root = TypeVar("Root")

Reply = tuple[int, "Headers", bytes]
"""Status, header fields and body."""


class Rewind(Struct, frozen=True, kw_only=True):
    """What is rewound: all, or what a query names."""

    cassette: str | None = None
    lane: str | None = None


class End(Struct, frozen=True, kw_only=True):
    """Which lane ends, and how its test did."""

    cassette: str = ""
    lane: str = ""
    passed: bool = True
    strict: bool = False


class Change(Struct, frozen=True, kw_only=True):
    """The mode to go on in."""

    mode: Mode


class Control:
    """What a test suite may ask the proxy itself. `url` tells the proxy's base URL, once it has one."""

    def __init__(self, lanes: Lanes, shelf: Shelf, ledger: Ledger, rules: Rules, url: Callable[[], str]) -> None:
        self._lanes = lanes
        self._shelf = shelf
        self._ledger = ledger
        self._rules = rules
        self._url = url
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", "health"): self._health,
            ("GET", "status"): self._status,
            ("GET", "report"): self._report,
            ("POST", "rewind"): self._rewind,
            ("POST", "mode"): self._mode,
            ("POST", "lane/start"): self._start,
            ("POST", "lane/end"): self._end,
        }

    async def answer(self, method: str, address: Address, body: bytes = b"") -> Reply:
        """Answer one request."""
        name = address.path.removeprefix(CONTROL).strip("/")
        endpoint = self._endpoints.get((method, name))
        if endpoint is None:
            known = ", ".join(f"{verb} {CONTROL}/{path}" for verb, path in self._endpoints)
            text = f"there is no {method} {CONTROL}/{name}. There are: {known}"
            return 404, refusal.FINAL, refusal.body(text, "invalid_request_error", "unknown_endpoint")
        try:
            told = await endpoint(address, _values(body, f"{method} {address.path}"))
        except ConfigError as error:
            return 400, refusal.FINAL, refusal.body(str(error), "invalid_request_error", "bad_request")
        except (AnsweredError, CassetteError) as error:  # the runner is told; it is no call that failed
            return refusal.answer(error)
        return 200, refusal.JSON_TYPE, orjson.dumps(told)

    async def _health(self, _address: Address, _values: dict[str, Any]) -> dict[str, Any]:
        return {"status": "ok"}

    async def _status(self, _address: Address, _values: dict[str, Any]) -> dict[str, Any]:
        return {
            "version": __version__,
            "mode": self._lanes.mode,
            "cassettes": sorted({tape.title for tape in self._shelf}),
            "calls": {fate.value: self._ledger.total(fate) for fate in Fate},
        }

    async def _report(self, _address: Address, _values: dict[str, Any]) -> dict[str, Any]:
        unplayed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for tape in self._shelf:
            for take in tape.unplayed():
                unplayed[tape.title, take.track.lane].append(take.name)
            await asyncio.sleep(0)
        places = sorted({*self._ledger.lanes, *unplayed})
        return {
            "mode": self._lanes.mode,
            "lanes": [
                {
                    "cassette": cassette,
                    "lane": lane,
                    **{fate.value: self._ledger.lanes.get((cassette, lane), {}).get(fate, 0) for fate in Fate},
                    "unplayed": unplayed[cassette, lane],
                }
                for cassette, lane in places
            ],
            "misses": [
                {"cassette": call.cassette, "lane": call.lane, "report": call.note} for call in self._ledger.misses
            ],
        }

    async def _rewind(self, address: Address, values: dict[str, Any]) -> dict[str, Any]:
        query = {name: texts[-1] for name, texts in parse_qs(address.query, keep_blank_values=True).items()}
        wanted = _read({**query, **values}, Rewind, address)
        name = wanted.cassette
        path = None if name is None else self._shelf.path_of(name and check_name(name))
        tapes = [tape for tape in self._shelf if path in {None, tape.path}]
        for tape in tapes:
            tape.deck.rewind(wanted.lane)
        return {"rewound": [tape.title for tape in tapes]}

    async def _mode(self, address: Address, values: dict[str, Any]) -> dict[str, Any]:
        self._lanes.change(_read(values, Change, address).mode)
        return {"mode": self._lanes.mode}

    async def _start(self, address: Address, values: dict[str, Any]) -> dict[str, Any]:
        wanted = read(values, self._rules, f"POST {address.path}")
        lane = self._lanes.start(wanted)
        return {
            "base_url": mounted(self._url(), wanted.cassette, wanted.lane),
            "cassette": lane.cassette,
            "lane": lane.name,
            "mode": lane.policy.mode,
        }

    async def _end(self, address: Address, values: dict[str, Any]) -> dict[str, Any]:
        ending = _read(values, End, address)
        account = await self._lanes.end(ending.cassette, ending.lane, passed=ending.passed, strict=ending.strict)
        return account.as_dict(strict=ending.strict)


def _values(body: bytes, where: str) -> dict[str, Any]:
    try:
        values = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{where}: its body is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: its body is no JSON object")
    return values


def _read(values: dict[str, Any], kind: type[Root], address: Address) -> Root:
    where = f"POST {address.path}"
    declared.check_names(values, kind, where)
    return declared.convert(values, kind, where)
