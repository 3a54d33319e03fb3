"""What a run's receipt gathers of its cassettes and lanes, and how it is written."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from proxy.core.address import mounted
from proxy.core.errors import ConfigError, ReceiptError
from proxy.core.modes import Mode
from proxy.core.receipt import Receipt
from proxy.demo.script import ScriptedUpstream, plain
from proxy.receipts import read, write
from proxy.wanted import Wanted
from tests.cassette.making import as_nobody
from tests.running import CHAT, RawAnswer, ask, chat, recordings, running

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.server import Proxy

EMPTY = Receipt("0.2.0", "replay", had_upstream=False, faults=0, cassettes=(), lanes=())


async def call(proxy: Proxy, lane: str = "", text: str = "Say hello.", cassette: str = "") -> RawAnswer:
    return await ask(mounted(proxy.url, cassette, lane) + CHAT, chat(text))


@pytest.fixture
async def cassette(tmp_path: Path) -> Path:
    """A cassette with two takes in the lane that has no name, and one in lane `a`."""
    path = tmp_path / "c.sqlite"
    async with ScriptedUpstream(plain()) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
        for lane in ("", "", "a"):
            await call(proxy, lane)
    return path


async def test_a_replay_that_was_answered_from_its_cassette_alone_is_isolated(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await call(proxy)
    receipt = proxy.receipt
    assert (receipt.mode, receipt.had_upstream, receipt.faults) == ("replay", False, 0)
    assert receipt.reasons == ()
    assert receipt.counts["played"] == 1


async def test_each_cassette_tells_what_was_played_and_what_not(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await call(proxy)
        await call(proxy)
        await call(proxy, text="Something else.")
    (sheet,) = proxy.receipt.cassettes
    assert (sheet.path, sheet.recordings) == (str(cassette), 3)
    assert [(named.lane, named.take) for named in sheet.played] == [("", 1), ("", 2)]
    assert [(named.lane, named.take) for named in sheet.unplayed] == [("a", 1)]


async def test_a_rewind_takes_nothing_back_of_what_was_played(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        await call(proxy)
        await ask(proxy.url.removesuffix("/v1") + "/_llmtape/rewind", b"{}")
        await call(proxy, "a")
    (sheet,) = proxy.receipt.cassettes
    assert [(named.lane, named.take) for named in sheet.played] == [("", 1), ("a", 1)]


async def test_each_cassette_tells_how_new_what_the_run_found_there_is(cassette: Path) -> None:
    moments = [recorded.recorded_at for recorded in recordings(cassette)]
    async with ScriptedUpstream(plain()) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        await call(proxy, text="Something else.")
    (sheet,) = proxy.receipt.cassettes
    assert sheet.newest == max(moments)


def digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


async def test_the_digest_is_of_the_file_at_rest_and_comes_with_the_end(cassette: Path) -> None:
    async with ScriptedUpstream(plain()) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        await call(proxy, text="Something else.")
        assert [sheet.sha256 for sheet in proxy.receipt.cassettes] == [""]
    (sheet,) = proxy.receipt.cassettes
    assert sheet.sha256 == digest(cassette)


async def test_a_cassette_into_which_nothing_was_recorded_has_no_digest(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, running(Mode.RECORD, tmp_path / "new.sqlite", upstream.url) as proxy:
        pass
    assert [sheet.sha256 for sheet in proxy.receipt.cassettes] == [""]
    assert not proxy.receipt.isolated


async def test_what_was_recorded_in_the_run_counts_as_neither_played_nor_left_over(cassette: Path) -> None:
    async with ScriptedUpstream(plain()) as upstream, running(Mode.AUTO, cassette, upstream.url) as proxy:
        await call(proxy, text="Something else.")
    (sheet,) = proxy.receipt.cassettes
    assert (sheet.recordings, len(sheet.unplayed), sheet.played) == (3, 3, ())
    assert proxy.receipt.had_upstream
    assert proxy.receipt.counts["recorded"] == 1


async def test_a_lane_that_was_started_tells_what_its_runner_said(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        for lane, passed in (("a", True), ("b", False)):
            proxy.lanes.start(Wanted(lane=lane))
            await call(proxy, lane, "Something else." if lane == "b" else "Say hello.")
            await proxy.lanes.end("", lane, passed=passed)
        proxy.lanes.start(Wanted(lane="c"))
        await call(proxy)
    told = {sheet.lane: (sheet.passed, sheet.missed) for sheet in proxy.receipt.lanes}
    assert told == {"": (None, 0), "a": (True, 0), "b": (False, 1), "c": (None, 0)}
    assert proxy.receipt.reasons == ("1 call missed",)


async def test_the_counts_of_a_lane_are_those_of_all_its_attempts(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        for passed in (False, True):
            proxy.lanes.start(Wanted(lane="a"))
            await call(proxy, "a")
            if not passed:
                await call(proxy, "a", "Something else.")
            await proxy.lanes.end("", "a", passed=passed)
    (sheet,) = proxy.receipt.lanes
    assert (sheet.passed, sheet.counts["played"], sheet.missed) == (True, 2, 1)
    assert len(sheet.misses) == 1


async def test_what_a_test_recorded_that_did_not_pass_is_not_in_the_receipt_as_recorded(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"
    async with ScriptedUpstream(plain()) as upstream, running(Mode.RECORD, path, upstream.url) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy, "a")
        await proxy.lanes.end("", "a", passed=False)
    counts = proxy.receipt.counts
    assert (counts["recorded"], counts["not-recorded"]) == (0, 1)


async def test_a_run_without_calls_is_not_isolated_for_want_of_any(cassette: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        pass
    (reason,) = proxy.receipt.reasons
    assert "no call" in reason


# Writing


def test_a_receipt_is_json_unless_its_name_ends_with_xml(tmp_path: Path) -> None:
    for name in ("receipt.json", "receipt", "receipt.xml", "RECEIPT.XML"):
        write(EMPTY, tmp_path / name)
    assert (tmp_path / "receipt.json").read_bytes() == (tmp_path / "receipt").read_bytes() == EMPTY.as_json()
    assert json.loads(EMPTY.as_json())["isolated"] is False
    assert ET.fromstring((tmp_path / "receipt.xml").read_bytes()).tag == "testsuites"
    assert (tmp_path / "RECEIPT.XML").read_bytes() == (tmp_path / "receipt.xml").read_bytes()


def test_its_folder_is_made_and_an_older_one_replaced(tmp_path: Path) -> None:
    file = tmp_path / "reports" / "deep" / "receipt.json"
    for _ in "ab":
        write(EMPTY, file)
    assert file.read_bytes() == EMPTY.as_json()


def test_a_file_that_cannot_be_written_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "shut").mkdir(mode=0o500)
    for file in (tmp_path, tmp_path / "taken" / "receipt.json"):
        with pytest.raises(ReceiptError, match=str(file)):
            write(EMPTY, file)
    tmp_path.chmod(0o755)
    with as_nobody(), pytest.raises(ReceiptError, match="Name another file"):
        write(EMPTY, tmp_path / "shut" / "receipt.json")


# Reading


async def test_what_a_run_wrote_is_read_as_it_was(cassette: Path, tmp_path: Path) -> None:
    async with running(Mode.REPLAY, cassette) as proxy:
        proxy.lanes.start(Wanted(lane="a"))
        await call(proxy, "a")
        await call(proxy, "a", "Something else.")
        await proxy.lanes.end("", "a", passed=False)
    file = tmp_path / "receipt.json"
    write(proxy.receipt, file)
    assert read(file) == proxy.receipt
    assert read(file).lanes[-1].missed == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no receipt: "),
        (EMPTY.as_junit(), "is no receipt: .* Name one that `llmtape replay --report FILE.json` wrote"),
        (EMPTY.as_json()[:-9], "is no receipt: "),
        (b"\xff\xfe", "is no receipt: "),
        (b"[" * 5000, "is no receipt: "),
        (b"[]", "a receipt is not an object"),
        (b"{}", "llmtape is not a text"),
        (EMPTY.as_json().replace(b'"receipt": 1', b'"receipt": 2'), "has format 2, .* use that version, or run anew"),
        (EMPTY.as_json().replace(b'"cassettes": []', b'"cassettes": [7]'), r"cassettes\[0\] is not an object"),
    ],
)
def test_a_file_that_is_no_receipt_is_told_by_its_name(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"receipt.json.*{words}"):
        read(file)


def test_a_receipt_that_cannot_be_opened_is_told_by_its_name(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "none.json", tmp_path / "none" / "none.json"):
        with pytest.raises(ConfigError, match=f"cannot read the receipt {file}: "):
            read(file)
