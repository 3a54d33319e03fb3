"""Vectors are short, of length one, and nearer to what is alike."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from proxy.demo.embeddings import embed
from proxy.demo.faults import ApiError

MODEL = "text-embedding-3-small"


def _vectors(*texts: Any, **fields: Any) -> list[list[float]]:
    return [entry["embedding"] for entry in embed({"model": MODEL, "input": list(texts), **fields})["data"]]


def _dot(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_vector_is_a_function_of_its_text() -> None:
    boat, again, ship, sums = _vectors("a red boat", "A red boat", "a red ship", "tax return 2026")
    assert boat == again
    assert _dot(boat, boat) == pytest.approx(1)
    assert _dot(boat, ship) > _dot(boat, sums)


def test_text_may_come_alone_or_as_tokens() -> None:
    for given in ("one", ["one"], [1, 2], [[1, 2]]):
        answer = embed({"model": MODEL, "input": given})
        assert [entry["index"] for entry in answer["data"]] == [0]
        assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 0


def test_dimensions_and_encoding_are_the_callers() -> None:
    (plain,) = _vectors("one", dimensions=5)
    packed: Any = _vectors("one", dimensions=5, encoding_format="base64")[0]
    assert struct.unpack("<5f", base64.b64decode(packed)) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"input": []}, "input"), ({"input": None}, "input"), ({"dimensions": 0}, "dimensions")],
)
def test_faulty_fields_are_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        embed({"model": MODEL, "input": "x", **fields})
    assert caught.value.fault.param == param
