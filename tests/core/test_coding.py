"""Codings of a body are undone while it comes, within bounds; one that is cut off or damaged is told."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.coding import MOST, PIECE, Decoder, undone

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
}
each_coding = pytest.mark.parametrize(("name", "encode"), ENCODERS.values(), ids=ENCODERS)
BODY = "Grüße 🎲 ".encode() * 50


def decoded(reads: Iterable[bytes], *codings: str) -> bytes:
    decoder = Decoder(codings)
    body = b"".join(piece for read in reads for piece in decoder.feed(read))
    decoder.end()
    return body


def bytewise(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


@each_coding
@pytest.mark.parametrize("body", [b"", b"a", BODY, b"\0" * (3 * PIECE)], ids=["empty", "a byte", "text", "zeros"])
def test_a_body_is_what_it_was_however_it_falls_into_reads(
    name: str, encode: Callable[[bytes], bytes], body: bytes
) -> None:
    packed = encode(body)
    assert decoded([packed], name) == body
    assert decoded(bytewise(packed), name) == body
    assert decoded([b"", packed, b""], name) == body


@each_coding
def test_a_body_that_is_cut_off_anywhere_is_told(name: str, encode: Callable[[bytes], bytes]) -> None:
    packed = encode(BODY)
    for end in range(1, len(packed)):
        with pytest.raises(ValueError, match="cut off"):
            decoded([packed[:end]], name)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_without_a_byte_is_whole(name: str) -> None:
    assert decoded([], name) == b""


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_in_no_coding_is_told(name: str) -> None:
    with pytest.raises(ValueError, match=r"damaged|cut off"):
        decoded([b'{"id": "c1", "choices": []}'], name)


@each_coding
def test_what_swells_comes_in_small_pieces_and_takes_little_memory(name: str, encode: Callable[[bytes], bytes]) -> None:
    size = 10_000_000
    packed = encode(b"\0" * size)
    decoder = Decoder([name])
    tracemalloc.start()
    try:
        lengths = [len(piece) for piece in decoder.feed(packed)]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(lengths) == size
    assert max(lengths) <= 2 * PIECE
    assert most < 20 * PIECE


def test_several_codings_are_undone_from_the_last_to_the_first() -> None:
    packed = zstd.compress(brotli.compress(gzip.compress(BODY)))
    assert decoded(bytewise(packed), "gzip", "br", "zstd") == BODY


@pytest.mark.parametrize(("name", "encode"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_body_of_several_members_is_decoded_whole(name: str, encode: Callable[[bytes], bytes]) -> None:
    members = encode(b"a") + encode(b"") + encode(b"b" * 10_000)
    for reads in ([members], bytewise(members)):
        assert decoded(reads, name) == b"a" + b"b" * 10_000
    with pytest.raises(ValueError, match="cut off"):
        decoded([members[:-3]], name)


@pytest.mark.parametrize("name", ["gzip", "deflate", "zstd"])
def test_bytes_behind_a_body_that_begin_no_other_are_passed_over(name: str) -> None:
    packed = ENCODERS[name][1](BODY) + b"behind"
    for reads in ([packed], bytewise(packed)):
        assert decoded(reads, name) == BODY


def test_without_a_coding_bytes_pass_as_they_are() -> None:
    assert list(Decoder([]).feed(BODY)) == [BODY]


def test_a_frame_that_asks_for_more_memory_than_http_allows_is_refused() -> None:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b"a" * 100) + packer.flush()
    with pytest.raises(ValueError, match="damaged"):
        decoded([packed], "zstd")


@pytest.mark.parametrize(
    ("fields", "codings"),
    [
        ([], ()),
        (["gzip"], ("gzip",)),
        ([" GZIP "], ("gzip",)),
        (["gzip, br"], ("gzip", "br")),
        (["gzip", "br,zstd"], ("gzip", "br", "zstd")),
        (["identity"], ()),
        (["", "identity, deflate"], ("deflate",)),
        (["x-odd"], ()),
        (["x-odd, gzip"], ()),
        (["gzip, x-odd"], ()),
        ([", ".join(["gzip"] * MOST)], ("gzip",) * MOST),
        ([", ".join(["gzip"] * (MOST + 1))], ()),
    ],
)
def test_codings_are_undone_where_all_of_them_are_known(fields: list[str], codings: tuple[str, ...]) -> None:
    assert undone(fields) == codings


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=5), st.sampled_from([*ENCODERS]))
def test_whatever_comes_a_body_or_an_error_goes(reads: list[bytes], coding: str) -> None:
    with suppress(ValueError):
        assert isinstance(decoded(reads, ENCODERS[coding][0]), bytes)
