"""The endpoints under `/_llmtape/`.

Rule: reads the ledger and the decks, and rewinds; answers JSON, errors in the API's shape. Never forwarded, never
recorded.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from proxy import __version__
from proxy.core import refusal
from proxy.core.address import CONTROL, Address
from proxy.core.ledger import Fate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.cassette.shelf import Shelf
    from proxy.core.ledger import Ledger
    from proxy.core.model import Headers
    from proxy.core.modes import Mode

    Endpoint = Callable[[Address], Awaitable[dict[str, Any]]]

Reply = tuple[int, "Headers", bytes]
"""Status, header fields and body."""


class Control:
    """What a test suite may ask the proxy itself."""

    def __init__(self, mode: Mode, shelf: Shelf, ledger: Ledger) -> None:
        self._mode = mode
        self._shelf = shelf
        self._ledger = ledger
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", "health"): self._health,
            ("GET", "status"): self._status,
            ("GET", "report"): self._report,
            ("POST", "rewind"): self._rewind,
        }

    async def answer(self, method: str, address: Address) -> Reply:
        """Answer one request."""
        name = address.path.removeprefix(CONTROL).strip("/")
        endpoint = self._endpoints.get((method, name))
        if endpoint is None:
            known = ", ".join(f"{verb} {CONTROL}/{path}" for verb, path in self._endpoints)
            text = f"there is no {method} {CONTROL}/{name}. There are: {known}"
            return 404, refusal.FINAL, refusal.body(text, "invalid_request_error", "unknown_endpoint")
        return 200, refusal.JSON_TYPE, orjson.dumps(await endpoint(address))

    async def _health(self, _address: Address) -> dict[str, Any]:
        return {"status": "ok"}

    async def _status(self, _address: Address) -> dict[str, Any]:
        return {
            "version": __version__,
            "mode": self._mode,
            "cassettes": [tape.title for tape in self._shelf],
            "calls": {fate.value: self._ledger.total(fate) for fate in Fate},
        }

    async def _report(self, _address: Address) -> dict[str, Any]:
        unplayed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for tape in self._shelf:
            for take in tape.unplayed():
                unplayed[tape.title, take.track.lane].append(take.name)
            await asyncio.sleep(0)
        places = sorted({*self._ledger.lanes, *unplayed})
        return {
            "mode": self._mode,
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

    async def _rewind(self, address: Address) -> dict[str, Any]:
        lane = parse_qs(address.query, keep_blank_values=True).get("lane", [None])[0]
        for tape in self._shelf:
            tape.deck.rewind(lane)
        return {"rewound": [tape.title for tape in self._shelf]}
