"""What the tests of other suites share: an upstream in a thread, and a client that needs no SDK."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from proxy.demo.script import ScriptedUpstream, plain, stream
from tests.running import DONE, STOP, delta

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from proxy.demo.script import ReceivedRequest, Script

ASKING: Final = '''
"""A client of few words: no SDK to import, and no retries."""
import http.client, json, os
from urllib.parse import urlsplit


def answer(text="Hello", url=None, **fields):
    """Return the status and the body of what is answered."""
    place = urlsplit(url or os.environ["OPENAI_BASE_URL"])
    connection = http.client.HTTPConnection(place.netloc)
    try:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}
        headers = {"content-type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["authorization"] = f"Bearer {key}"
        connection.request("POST", place.path + "/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ask(text="Hello", url=None, **fields):
    """Return what is said; raise where it is an error."""
    status, body = answer(text, url, **fields)
    assert status == 200, f"the API answered {status}"
    return json.loads(body)["choices"][0]["message"]["content"]
'''
"""The module `asking` of an inner suite."""


class Model:
    """Says what it was asked, and how often it was asked that; once 429 where it was asked for trouble."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, request: ReceivedRequest) -> Script:
        body = json.loads(request.body)
        text = body["messages"][-1]["content"]
        self._asked[text] += 1
        said = f"{text} #{self._asked[text]}"
        if text.startswith("trouble") and self._asked[text] % 2:
            return plain(429, {"retry-after": "20"}, json.dumps({"error": {"message": said}}).encode())
        if body.get("stream"):
            return stream([*(delta(f"{word} ") for word in said.split()), STOP, DONE])
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        answer = {"id": "c1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        return plain(body=json.dumps(answer).encode())


@contextmanager
def upstream() -> Iterator[ScriptedUpstream]:
    """Run a model in a thread of its own, for clients that are in the way of no event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ScriptedUpstream(Model())
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def forget_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what whoever runs our own suite has set."""
    for name in ("CI", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY", "LLMTAPE_URL", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
