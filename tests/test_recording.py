"""What is recorded, on its way from an exchange into the cassette."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from proxy.core.model import take_name
from proxy.core.modes import Mode
from proxy.demo.script import ScriptedUpstream, plain
from proxy.recording import Nobody
from proxy.wanted import Wanted
from tests.running import CHAT, ask, chat, recordings, running

if TYPE_CHECKING:
    from pathlib import Path


async def test_nobody_takes_all_and_leaves_never() -> None:
    client = Nobody()
    client.start(200, ())
    await client.write([b"all"], last=True, trailers=(("x-late", "1"),))
    await client.abort()
    assert client.outlived


async def test_an_answer_bears_the_name_of_its_take_that_the_cassette_knows(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    async with ScriptedUpstream(plain(body=b"{}")) as upstream, running(Mode.RECORD, cassette, upstream.url) as proxy:
        answer = await ask(proxy.url + CHAT, chat())
    (recorded,) = recordings(cassette)
    assert answer.mark == f"recorded {take_name(recorded.track.key, recorded.number)}"


async def test_a_lane_is_told_that_it_holds_its_recording_whatever_became_of_the_latest(tmp_path: Path) -> None:
    cassette = tmp_path / "c.sqlite"
    async with (
        ScriptedUpstream(*[plain(body=b"{}")] * 2) as upstream,
        running(Mode.RECORD, cassette, upstream.url) as proxy,
    ):
        with closing(sqlite3.connect(cassette)) as other:
            other.execute("alter table interactions rename to elsewhere")
        failed = await ask(proxy.url + CHAT, chat())
        proxy.lanes.start(Wanted(lane="a", is_current=True))
        held = await ask(proxy.url + CHAT, chat())
    assert [answer.mark.split()[0] for answer in (failed, held)] == ["not-recorded", "recorded"]
