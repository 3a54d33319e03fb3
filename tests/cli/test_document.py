"""What programs are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.cli.document import named, print_list
from proxy.core.model import Variant
from tests.cassette.making import answer, question, taken

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("values", [[], [{}], [1, {"a": "\x1b"}, None]])
def test_a_list_is_one_json_document(values: list[Any], indent: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    print_list(values, indent)
    out = capsys.readouterr().out
    assert json.loads(out) == values
    assert "\x1b" not in out


def test_each_value_is_printed_before_the_next_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    def values() -> Iterator[int]:
        yield 1
        assert capsys.readouterr().out == "[\n1"
        yield 2

    print_list(values())
    assert capsys.readouterr().out == ",\n2\n]\n"


def test_a_recording_is_named_by_what_it_is_numbered_under() -> None:
    recorded = taken(question(), answer(), 2, lane="a", variant=Variant.SSE)
    key = recorded.track.key
    assert named(recorded) == {"name": f"{key[:12]}:2", "key": key, "take": 2, "variant": "sse", "lane": "a"}
