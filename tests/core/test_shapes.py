"""Shapes of secrets: each has an example, and is found in time however a text is made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from proxy.core.shapes import SHAPES, Shape, spans

Spelling = Callable[[str], str]

LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

EXAMPLES = [
    *("sk-proj-" + "aB3_-" * 12, "sk-" + "a1B2c3D4" * 6, "sk-svcacct-" + "a1B2" * 6, "sk-admin-" + "a1B2" * 6),
    *("sk-ant-api03-" + "a1_-" * 10, "sk-or-v1-" + "0a1b" * 16, "gsk_" + "a1B2" * 13, "xai-" + "a1B2" * 20),
    *("sk-lf-01234567-89ab-cdef-0123-456789abcdef", "pplx-" + "a1B2" * 12, "nvapi-" + "a1_-" * 16),
    *("csk-" + "a1b2" * 12, "fw_" + "a1B2" * 6, "hf_" + "a1B2c" * 7, "r8_" + "a1B2" * 10, "tvly-dev-" + "a1B2" * 8),
    *("pcsk_" + "a1B2_" * 10, "lsv2_pt_" + "0a1b" * 8 + "_" + "0a1b2c3d4e", "dapi" + "0a1b" * 8),
    *("AIza" + "a1B2c-_" * 5, "ya29." + "a1B2_" * 10, "GOCSPX-" + "a1B2_-c" * 4),
    *("AKIA" + "A1B2" * 4, "ASIA" + "A1B2" * 4, "ABSK" + "a1B2" * 30 + "=="),
    *("ghp_" + "a1B2" * 9, "gho_" + "a1B2" * 9, "ghu_" + "a1B2" * 9, "ghs_" + "a1B2" * 9, "ghr_" + "a1B2" * 19),
    *("github_pat_" + "a1B2_" * 8, "glpat-" + "a1B2-" * 4, "gldt-" + "a1B2" * 5, "glrt-" + "a1B2" * 5),
    *("glcbt-" + "a1B2" * 5, "glptt-" + "a1B2" * 10, "gloas-" + "a1B2" * 16),
    *("xoxb-1234567890-abc", "xapp-1-" + "A1B2" * 8, "sk_live_" + "a1B2" * 6, "rk_test_" + "a1B2" * 6),
    *("whsec_" + "a1B2" * 8, "SG." + "a1B2_-c9d0e" * 2 + "." + "a" * 43, "key-" + "0a1b" * 8, "npm_" + "a1B2" * 9),
    *("pypi-AgEIcHlwaS5vcmc" + "a1B2" * 16, "dop_v1_" + "0a1b" * 16, "doo_v1_" + "0a1b" * 16, "dor_v1_" + "0a1b" * 16),
    *("dckr_pat_" + "a1B2_-c" * 4, "hvs." + "a1B2" * 8, "AGE-SECRET-KEY-1" + "QPZR" * 14 + "QP"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
]
"""A whole text of each shape that stands by itself."""

WITHIN = [
    *(
        f"{name}={'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1'}"
        for name in ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY")
    ),
    *(f'"{name}": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1"' for name in ("SecretAccessKey", "secretAccessKey")),
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + "a1B2" * 21 + "ab==",
    "Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey=" + "a1B2" * 10 + "abc=",
    *("Authorization: Bearer abcdefgh-ijklmnop-12345", "authorization: bearer abcdefghijklmnop.12345"),
    f"-----BEGIN PRIVATE KEY-----\n{LINE}\n{LINE}\nabc=\n-----END PRIVATE KEY-----",
    f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n{LINE}\n",
    f"-----BEGIN PGP PRIVATE KEY BLOCK-----\r\n\r\n{LINE}\r\n{LINE}\r\n-----END PGP PRIVATE KEY BLOCK-----",
]
"""Texts in which only some is the secret."""

INNOCENT = [
    *("sk-", "sk-proj-", "sk-short", "risk-0123456789abcdefghijklmnopqrstuvwxyz01", "sk-learn-and-pandas-for-everyone"),
    *("a task-proj-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "high_fidelity hf_ gsk_ xai- AIza AKIA ghp_ fw_bw_pass"),
    *("Bearer YOUR_API_KEY_GOES_HERE_PLEASE", "the bearer of this letter", "Bearer of 12345678901234567890"),
    *("-----BEGIN PRIVATE KEY-----\nand then some prose\n", "-----BEGIN PUBLIC KEY-----\n" + LINE),
    *("-----BEGIN CERTIFICATE-----\n" + LINE, "secret_access_key is the name", "AccountKey=<your key>"),
    *(
        "eyJhbGciOiJIUzI1NiJ9 alone",
        "key-value-store",
        "npm_config_registry",
        "SG.US",
        "req_0123456789abcdef0123456789ab",
    ),
    *("monkey-0123456789abcdef0123456789abcdef", "0123456789abcdef" * 4, "chatcmpl-AbCdEf0123456789AbCdEf0123456789"),
]

SPELLINGS: list[Spelling] = [
    lambda text: text,
    json.dumps,
    lambda text: json.dumps({"a": json.dumps({"b": f"\n{text}\n"})}),
    lambda text: f"'{text}'",
]


def found(text: str) -> list[bytes]:
    data = text.encode()
    return [data[start:end] for start, end in spans(data)]


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("spelt", SPELLINGS)
def test_a_secret_is_found_as_a_whole_however_the_text_around_it_is_spelt(spelt: Spelling, example: str) -> None:
    assert example.encode() in found(spelt(example))


@pytest.mark.parametrize("text", WITHIN)
@pytest.mark.parametrize("spelt", SPELLINGS)
def test_a_secret_that_its_surroundings_tell_is_found_without_them(spelt: Spelling, text: str) -> None:
    (secret,) = found(spelt(text))
    assert secret.decode() in spelt(text)
    assert not secret.startswith((b"aws", b"Auth", b"----", b"Shared", b"Proc"))
    assert len(secret) >= 20


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    for spelt in SPELLINGS:
        assert found(spelt(text)) == []


def test_each_shape_has_an_example_and_says_who_makes_it() -> None:
    texts = [text.encode() for text in [*EXAMPLES, *WITHIN]]
    assert [shape.start for shape in SHAPES if not any(shape.pattern.search(text) for text in texts)] == []
    assert all(shape.source for shape in SHAPES)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.start.decode())
def test_no_text_takes_more_than_linear_time(shape: Shape) -> None:
    cruel = (b"", b"a", b" ", b"\\n", b"-----\\n", b'="', b"eyJ.", b"-----\\nAb-c: x\\n", b" a1-")
    for more in cruel:
        unit = shape.start + more
        data = unit * (40_000 // len(unit)) + b"a" * 20_000
        began = time.perf_counter()
        list(spans(data))
        assert time.perf_counter() - began < 5  # it takes 0.01 s; what tries again at each letter takes minutes
