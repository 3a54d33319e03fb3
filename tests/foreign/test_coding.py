"""Codings of a body are undone, within bounds."""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.foreign import coding
from proxy.foreign.coding import decoded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = "Grüße 🎲 ".encode() * 50


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    " Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
each_coding = pytest.mark.parametrize(("name", "encode"), ENCODERS.items())


@each_coding
def test_a_coded_body_is_decoded(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert decoded(encode(BODY), name) == BODY


def test_several_codings_are_undone_from_the_last_to_the_first() -> None:
    assert decoded(brotli.compress(gzip.compress(BODY)), "gzip, br") == BODY


def test_a_body_of_several_members_is_decoded_whole() -> None:
    assert decoded(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert decoded(zstd.compress(b"a") + zstd.compress(b"b"), "zstd") == b"ab"


@pytest.mark.parametrize("name", ["", "identity", *ENCODERS, "unheard-of"])
def test_what_was_stored_decoded_stays_as_it_is(name: str) -> None:
    assert decoded(BODY, name) == BODY
    assert decoded(b"", name) == b""


@each_coding
def test_a_body_that_is_cut_off_is_told(name: str, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match=r"cut off|damaged"):
        decoded(encode(BODY)[:-9], name)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_body_that_is_damaged_is_told(name: str) -> None:
    with pytest.raises(ValueError, match=r"cut off|damaged"):
        decoded(b"\xff\xfe\x00 not a coded body", name)


def test_a_coding_that_nobody_knows_is_told() -> None:
    with pytest.raises(ValueError, match="'compress'"):
        decoded(b"\xff", "compress")


def test_a_body_of_members_without_end_is_told() -> None:
    with pytest.raises(ValueError, match="members"):
        decoded(gzip.compress(b"") * 2000, "gzip")


@each_coding
def test_no_more_comes_out_than_a_body_may_have(
    name: str, encode: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coding, "LARGEST", 1000)
    assert decoded(encode(b"\xff" * 1000), name) == b"\xff" * 1000
    with pytest.raises(ValueError, match="over 1000 bytes"):
        decoded(encode(b"\xff" * 1001), name)
    with pytest.raises(ValueError, match="over 1000 bytes"):
        decoded(encode(b"\0" * 50_000_000), name)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.sampled_from([*ENCODERS]))
def test_whatever_comes_a_body_or_an_error_goes(body: bytes, name: str) -> None:
    with suppress(ValueError):
        assert isinstance(decoded(body, name), bytes)
