"""Compressed bodies: asked for by nobody, cut off, damaged, and swelling.

Rule: the same answers in each coding, spoilt in the same ways.
"""

from __future__ import annotations

import sys
import zlib
from typing import TYPE_CHECKING

import brotli

from proxy.demo.script import Close
from torture.cruelties.case import ANSWER, EVENTS, JSON_TYPE, SSE_TYPE, STREAM, Case, chunked, counted, gzipped, plays

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator


def codings() -> Iterator[Case]:
    """Yield what may be wrong with a compressed body."""
    group = "coding"
    packers = {
        "gzip": (b"gzip", gzipped),
        "deflate": (b"deflate", zlib.compress),
        "raw deflate": (b"deflate", lambda data: _packed(data, wbits=-zlib.MAX_WBITS)),
        "br": (b"br", brotli.compress),
        "zstd": (b"zstd", zstd.compress),
    }
    for name, (coding, pack) in packers.items():
        fields = b"Content-Encoding: " + coding + b"\r\n"
        slug = name.replace(" ", "-")
        plain, stream = pack(ANSWER), pack(STREAM)
        yield Case(
            group, f"{slug}-json", f"compresses JSON unasked: {name}", plays(counted(plain, JSON_TYPE + fields)), ANSWER
        )
        yield Case(
            group,
            f"{slug}-stream",
            f"compresses a stream unasked: {name}",
            plays(chunked([stream], SSE_TYPE + fields)),
            STREAM,
            streams=True,
        )
        yield Case(
            group,
            f"{slug}-bytes",
            f"sends it in a chunk for each byte: {name}",
            plays(chunked([bytes([byte]) for byte in stream], SSE_TYPE + fields)),
            STREAM,
            streams=True,
        )
        yield Case(
            group,
            f"{slug}-short",
            f"ends it 5 bytes early, as if it were whole: {name}",
            plays(counted(plain[:-5], JSON_TYPE + fields)),
            ANSWER,
        )
        yield Case(
            group,
            f"{slug}-short-stream",
            f"the same of a stream: {name}",
            plays(chunked([stream[:-5]], SSE_TYPE + fields)),
            STREAM,
            streams=True,
        )
        yield Case(
            group,
            f"{slug}-cut",
            f"closes 5 bytes early: {name}",
            plays(counted(plain[:-5], JSON_TYPE + fields, length=len(plain)), Close()),
            ANSWER,
        )
        yield Case(
            group,
            f"{slug}-not",
            f"says it compresses, and does not: {name}",
            plays(counted(ANSWER, JSON_TYPE + fields)),
            ANSWER,
        )
        yield Case(
            group,
            f"{slug}-bytes-behind",
            f"sends bytes behind the compressed ones: {name}",
            plays(counted(plain + b"behind", JSON_TYPE + fields)),
            ANSWER,
        )
        yield Case(group, f"{slug}-empty", f"sends no byte of it: {name}", plays(counted(b"", JSON_TYPE + fields)), b"")
    yield Case(
        group,
        "members",
        "sends a stream of several gzip members",
        plays(chunked(map(gzipped, EVENTS), SSE_TYPE + b"Content-Encoding: gzip\r\n")),
        STREAM,
        streams=True,
    )
    for name, does, coding, body, meant in (
        ("x-gzip", "calls gzip `x-gzip`", b"x-gzip", gzipped(ANSWER), ANSWER),
        ("upper-gzip", "calls gzip `GZIP`", b" GZIP ", gzipped(ANSWER), ANSWER),
        ("identity", "calls no coding `identity`", b"identity", ANSWER, ANSWER),
        ("double", "compresses twice: `gzip, br`", b"gzip, br", brotli.compress(gzipped(ANSWER)), ANSWER),
        (
            "many-codings",
            "compresses ten times over",
            b", ".join([b"gzip"] * 10),
            _again(ANSWER, 10),
            _again(ANSWER, 10),
        ),
        ("unknown-coding", "uses a coding that nobody knows", b"x-odd", b"odd", b"odd"),
        ("gzip-unknown", "uses one that nobody knows, within gzip", b"x-odd, gzip", gzipped(b"odd"), gzipped(b"odd")),
        ("empty-coding", "names an empty coding", b"", ANSWER, ANSWER),
    ):
        yield Case(group, name, does, plays(counted(body, JSON_TYPE + b"Content-Encoding: " + coding + b"\r\n")), meant)
    yield Case(
        group,
        "two-coding-fields",
        "names its two codings in two fields",
        plays(
            counted(brotli.compress(gzipped(ANSWER)), JSON_TYPE + b"Content-Encoding: gzip\r\nContent-Encoding: br\r\n")
        ),
        ANSWER,
    )


def _packed(data: bytes, *, wbits: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    return packer.compress(data) + packer.flush()


def _again(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = gzipped(data)
    return data
