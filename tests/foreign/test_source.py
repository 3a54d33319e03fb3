"""Files are told apart by what is in them, and what cannot be read is told in words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.core import interchange
from proxy.core.errors import InterchangeError
from proxy.core.interchange import Header, Recorded
from proxy.core.model import RecordedRun
from proxy.core.rules import DEFAULT
from proxy.foreign import vcr
from proxy.foreign.recording import Keeping
from proxy.foreign.source import Document, Lines, Source, opened
from tests.cassette.making import answer, question, taken

if TYPE_CHECKING:
    from proxy.core.interchange import Line

HERE = Path(__file__).parent
NOW = "2026-11-22T12:00:00.000Z"
FACTS = {"normalizer": "1", "rules": "{}"}
RUN = RecordedRun(3, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "0.1.0")
OTHER_RUN = RecordedRun(4, "2026-11-23T12:00:00Z", "auto", "http://127.0.0.1:9/v1", "0.1.0")
FIRST = Recorded(taken(question("a"), answer(b"1")), 3)
SECOND = Recorded(taken(question("b"), answer(b"2")), 4)


def source(data: bytes, name: str = "file") -> Source:
    return opened(name, io.BytesIO(data), Keeping(NOW), "0.1.0")


def lines(*said: Line) -> bytes:
    return b"".join(map(interchange.dumps, said))


def sample(name: str) -> Source:
    return source((HERE / name).read_bytes(), name)


EXPORT = lines(Header(FACTS), RUN, FIRST, OTHER_RUN, SECOND)


def test_an_export_is_read_line_by_line_and_again() -> None:
    export = source(EXPORT, "calls.jsonl")
    assert isinstance(export, Lines)
    assert export.facts == FACTS
    for _ in range(2):
        first, second = export.recordings(DEFAULT)
        assert (first.interaction, first.run, first.where) == (FIRST.interaction, RUN, "calls.jsonl, line 3")
        assert (second.interaction, second.run, second.where) == (SECOND.interaction, OTHER_RUN, "calls.jsonl, line 5")


def test_blank_lines_and_a_last_line_without_its_end_do_no_harm() -> None:
    assert len(list(source(EXPORT.replace(b"\n", b"\n \r\n\n")[:-1].rstrip()).recordings(DEFAULT))) == 2


def test_exports_of_one_cassette_may_be_put_together() -> None:
    twice = lines(Header(FACTS), RUN, FIRST, Header(FACTS), OTHER_RUN, SECOND)
    assert [item.run for item in source(twice).recordings(DEFAULT)] == [RUN, OTHER_RUN]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (EXPORT[:-20], r"calls, line 5: it is no JSON"),
        (EXPORT.replace(b'"take":1', b'"take":0', 1), r"calls, line 3: 'take' should be"),
        (lines(Header(FACTS), FIRST), r"calls, line 2: its run 3 stands on no line before it"),
        (lines(Header(FACTS), RUN, Header(FACTS), FIRST), r"calls, line 4: its run 3"),
        (lines(Header(FACTS), RUN, Header({})), r"calls, line 3: here begin lines of another cassette"),
        (lines(RUN, FIRST), r"calls, line 1: the header should stand here"),
        (EXPORT[:10] + b"\xff" + EXPORT[10:], r"calls, line 1: it is no JSON"),
        (EXPORT.replace(b'"version":1', b'"version":2'), r"calls, line 1: it has version 2, .* update llmtape"),
        (b"SQLite format 3\0" + bytes(84), r"calls is a cassette .*llmtape merge"),
        (b"", r"calls is nothing that can be imported"),
        (b"{}", r"calls is nothing that can be imported"),
        (b"[1, 2]", r"calls is nothing that can be imported"),
        (b"# Notes\n\nNo recordings: at all.", r"calls is nothing that can be imported"),
        (b"a: [", r"calls is nothing that can be imported.* As YAML: "),
        (b"\x89PNG\r\n\x1a\n\0", r"calls is nothing that can be imported"),
        (b"http_interactions: []\nrecorded_with: VCR 6.0.0", r"calls is nothing that can be imported"),
        (b"[" * 100_000, r"calls is nothing that can be imported"),
        (b'{"log":' * 1000 + b"1" + b"}" * 1000, r"calls is nothing that can be imported"),
    ],
    ids=range(18),
)
def test_what_cannot_be_read_is_told_with_file_and_line(data: bytes, reason: str) -> None:
    with pytest.raises(InterchangeError, match=reason):
        list(source(data, "calls").recordings(DEFAULT))


@pytest.mark.parametrize(
    ("name", "recordings", "passed_over"),
    [
        ("requests.yaml", 5, {"answered 429, which is not recorded": 1, "no chat completion": 1}),
        ("requests.json", 2, {}),
        ("openai.yaml", 2, {}),
        ("aiohttp.yaml", 2, {}),
        ("mitmproxy.har", 3, {"answered 429, which is not recorded": 1, "no chat completion": 1}),
    ],
)
def test_files_of_other_tools_are_known_by_their_content(
    name: str, recordings: int, passed_over: dict[str, int]
) -> None:
    document = sample(name)
    assert isinstance(document, Document)
    for _ in range(2):
        taken_in = list(document.recordings(DEFAULT))
        assert len(taken_in) == recordings
        assert document.passed_over == passed_over
    assert all(b"Gr\xc3\xbc\xc3\x9fe" in item.interaction.response.body for item in taken_in)
    assert "PLANTED" not in repr(taken_in) + "".join(str(item.interaction.request.body) for item in taken_in)


def test_a_byte_order_mark_and_half_an_emoji_do_no_harm() -> None:
    text = (HERE / "mitmproxy.har").read_text().replace('"statusText": "OK"', '"statusText": "\\ud83d"')
    assert len(list(source(b"\xef\xbb\xbf" + text.encode()).recordings(DEFAULT))) == 3


def test_a_document_has_a_run_for_each_upstream_begun_by_its_first_call() -> None:
    runs = [item.run for item in sample("mitmproxy.har").recordings(DEFAULT)]
    openai = RecordedRun(0, "2026-11-25T15:19:26Z", "import", "http://127.0.0.1:8771/v1", "0.1.0")
    azure = RecordedRun(0, "2026-11-25T15:19:26Z", "import", "http://127.0.0.1:8771", "0.1.0")
    assert runs == [openai, openai, azure]


def test_an_entry_that_cannot_be_read_is_passed_over_and_told_with_its_place() -> None:
    value = vcr.parsed((HERE / "aiohttp.yaml").read_bytes())
    del value["interactions"][0]["response"]["status"]
    document = source(json.dumps(value).encode(), "calls.json")
    assert isinstance(document, Document)
    assert len(list(document.recordings(DEFAULT))) == 1
    assert document.passed_over == {"unreadable (calls.json, entry 1: 'status' should be between 100 and 599)": 1}
