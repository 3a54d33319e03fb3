"""The loop that `llmtape demo` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cassette.reader import Reader
from proxy.tour import STEPS, Heard, Result, take

if TYPE_CHECKING:
    from pathlib import Path


async def test_every_answer_comes_again_byte_for_byte_and_only_streams_have_events(tmp_path: Path) -> None:
    results = await take(tmp_path / "demo.sqlite")
    assert [result.step for result in results] == list(STEPS)
    assert all(result.is_same for result in results)
    assert all(result.replayed.status == 200 for result in results)
    tools = [result for result in results if "tools" in result.step.title]
    assert all(b"tool_calls" in result.replayed.body for result in tools)
    assert [bool(result.events) for result in results] == [bool(step.body.get("stream")) for step in STEPS]
    with Reader(tmp_path / "demo.sqlite") as reader:
        assert len(reader) == len(STEPS)


def test_one_byte_that_differs_is_seen() -> None:
    heard = [Heard(200, (), body, 0.1, "k:1", is_stream=False) for body in (b"a", b"b")]
    assert not Result(STEPS[0], *heard).is_same
    assert Result(STEPS[0], heard[0], heard[0]).is_same
