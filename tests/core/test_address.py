"""No target leads out of the cassette folder, or to another host."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core import address
from proxy.core.address import Address, mounted, parse, upward
from proxy.core.errors import BadAddressError

TEST_ID = "tests/test_a.py::test_b[x-1]"

ADDRESSES: list[tuple[str, Address]] = [
    ("/v1/chat/completions", Address("", "", "/v1/chat/completions", "")),
    ("/v1/models?limit=2&after=%20x", Address("", "", "/v1/models", "limit=2&after=%20x")),
    ("/v1/models?", Address("", "", "/v1/models", "")),
    ("/v1/models?a?b", Address("", "", "/v1/models", "a?b")),
    ("/", Address("", "", "/", "")),
    ("", Address("", "", "/", "")),
    ("/chat/completions", Address("", "", "/chat/completions", "")),
    ("//v1///chat//completions//", Address("", "", "/v1/chat/completions", "")),
    ("//evil.example/v1", Address("", "", "/evil.example/v1", "")),
    ("/v1/models/a%2Fb", Address("", "", "/v1/models/a%2Fb", "")),
    ("/v1/models/a%2fb/", Address("", "", "/v1/models/a%2fb", "")),
    ("/v1/models/@x", Address("", "", "/v1/models/@x", "")),
    ("/v1/caf\u00e9?q=\u00e9", Address("", "", "/v1/caf%C3%A9", "q=%C3%A9")),
    ("/v1/caf\udce9", Address("", "", "/v1/caf%E9", "")),
    (
        "/openai/deployments/m/chat/completions?api-version=1",
        Address("", "", "/openai/deployments/m/chat/completions", "api-version=1"),
    ),
    ("/@agent/v1/models", Address("agent", "", "/v1/models", "")),
    ("/@agent", Address("agent", "", "/", "")),
    ("/@agent/", Address("agent", "", "/", "")),
    ("//@agent//v1//models/", Address("agent", "", "/v1/models", "")),
    ("/%40agent/v1", Address("agent", "", "/v1", "")),
    ("/@suite%2Fagent-1.2_x/v1", Address("suite/agent-1.2_x", "", "/v1", "")),
    ("/@%C3%A9t%C3%A9/v1", Address("\u00e9t\u00e9", "", "/v1", "")),
    ("/@\u00e9/v1", Address("\u00e9", "", "/v1", "")),
    ("/@agent:/v1", Address("agent", "", "/v1", "")),
    ("/@agent:lane/v1?x=1", Address("agent", "lane", "/v1", "x=1")),
    (f"/@agent:{quote(TEST_ID, safe='')}/v1", Address("agent", TEST_ID, "/v1", "")),
    ("/@agent:tests%2Ftest_a.py::test_b[x-1]/v1", Address("agent", TEST_ID, "/v1", "")),
    ("/@agent%3Alane/v1", Address("agent", "lane", "/v1", "")),
    ("/@:lane/v1/models", Address("", "lane", "/v1/models", "")),
    ("/@%3Atests%2Ftest_a.py::test_b[x-1]/v1", Address("", TEST_ID, "/v1", "")),
    ("/@agent:a%2F%2Fb/v1", Address("agent", "a//b", "/v1", "")),
    ("/@agent:..%2F..%2Fetc/v1", Address("agent", "../../etc", "/v1", "")),
    ("/@agent:a%3Fb%23c/v1", Address("agent", "a?b#c", "/v1", "")),
    ("/@agent:%F0%9F%99%82/v1", Address("agent", "\U0001f642", "/v1", "")),
    ("/@agent:a%252Fb/v1", Address("agent", "a%2Fb", "/v1", "")),
    ("http://127.0.0.1:8000/v1/models?x=1", Address("", "", "/v1/models", "x=1")),
    ("https://api.openai.com/@agent:l/v1", Address("agent", "l", "/v1", "")),
    ("http://u:p@h/v1/", Address("", "", "/v1", "")),
    ("http://h", Address("", "", "/", "")),
    ("HTTP://h?x=1", Address("", "", "/", "x=1")),
]

BAD_NAMES = [
    "", ".", "..", "../x", "x/..", "x/../y", "/x", "/etc/passwd", "x/", "x//y", ".hidden", "x/.hidden", "-x", "~",
    "~root", "x y", "x\0", "x\n", "x\\y", "..\\x", "C:x", "x%2Fy", "%2e%2e", "x*", "x;y",
    "x|y", "x'", "\ufffd", "x\udcff", "x@y", "x#y", "x?y", "a" * 256, "\uff0e\uff0e/x", "\u2025/x",
]  # fmt: skip


@pytest.mark.parametrize(("target", "expected"), ADDRESSES)
def test_a_target_is_taken_apart(target: str, expected: Address) -> None:
    assert parse(target) == expected


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadAddressError):
        address.check_name(name)


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if ":" not in name], ids=ascii)
def test_what_is_no_name_is_refused_in_a_target_as_well(name: str) -> None:
    with pytest.raises(BadAddressError):
        parse(f"/@{quote(name, safe='', errors='surrogateescape')}/v1")


@pytest.mark.parametrize(
    "target",
    [
        "/@../v1",
        "/@../../etc/passwd",
        "/@%2e%2e/v1",
        "/@%2E%2E%2Fx/v1",
        "/@..%2f..%2fx/v1",
        "/@/v1",
        "/@%00/v1",
        "/@%FF/v1",
        "/@/etc",
        "/@%2Fetc/v1",
        "/@..:lane/v1",
        "/@:a%0Ab/v1",
    ],
)
def test_a_mount_that_leaves_the_folder_is_refused(target: str) -> None:
    with pytest.raises(BadAddressError):
        parse(target)


@pytest.mark.parametrize("lane", ["%00", "a%0Ab", "a%0D", "%1F", "%7F", "%09", "x" * 1001])
def test_a_lane_with_controls_or_too_long_is_refused(lane: str) -> None:
    with pytest.raises(BadAddressError):
        parse(f"/@agent:{lane}/v1")


@pytest.mark.parametrize(
    "target",
    [
        "*",
        "api.example:443",
        "x:.evil.example/v1",
        "http:foo",
        "v1/models",
        "http://[/v1",
        "http://[::1/v1",
        "mailto:x",
        ":",
        "@agent/v1",
    ],
)
def test_a_target_that_is_no_path_leads_nowhere_else(target: str) -> None:
    try:
        found = parse(target)
    except BadAddressError:
        return
    assert found.path.startswith("/")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/_llmtape", True),
        ("/_llmtape/", True),
        ("/_llmtape/health?x=1", True),
        ("//_llmtape//health", True),
        ("http://127.0.0.1/_llmtape/mode", True),
        ("/_llmtapes/health", False),
        ("/v1/_llmtape/health", False),
        ("/@agent/_llmtape/health", False),
        ("/@:lane/_llmtape/health", False),
        ("/v1", False),
    ],
)
def test_only_the_proxys_own_path_is_control(target: str, *, expected: bool) -> None:
    assert parse(target).is_control is expected


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="@:/.%2eEfF~a-_ \\0?#\u00e9[]", max_size=16))
def test_any_name_that_passes_stays_within_the_folder(text: str) -> None:
    try:
        found = parse("/@" + text)
    except BadAddressError:
        return
    folder = Path("/cassettes")
    assert (folder / f"{found.cassette}.sqlite").resolve().is_relative_to(folder)
    assert PurePosixPath(found.cassette).parts == tuple(filter(None, found.cassette.split("/")))
    assert found.cassette or found.lane


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="/v1@:?%.#[] h\u00e9\udce9", max_size=20))
def test_any_target_is_read_or_refused_and_reading_its_path_again_changes_nothing(target: str) -> None:
    try:
        found = parse(target)
    except BadAddressError:
        return
    assert found.path.startswith("/")
    assert found.path.isascii()
    assert "//" not in found.path
    assert address.fold(found.path) == found.path


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_any_lane_that_is_encoded_comes_back(lane: str) -> None:
    assert parse(f"/@agent:{quote(lane, safe='')}/v1").lane == lane


def test_the_longest_name_can_be_a_files(tmp_path: Path) -> None:
    for name in ("a" * 255, "\u00e9" * 200):
        try:
            address.check_name(name)
        except BadAddressError:
            continue
        (tmp_path / f"{name}.sqlite-journal").touch()


URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("cassette", "lane", "expected"),
    [
        ("", "", URL),
        ("agent", "", "http://127.0.0.1:8000/@agent/v1"),
        ("", "lane", "http://127.0.0.1:8000/@:lane/v1"),
        ("agent", "lane", "http://127.0.0.1:8000/@agent:lane/v1"),
        ("suite/agent", TEST_ID, "http://127.0.0.1:8000/@suite%2Fagent:tests%2Ftest_a.py%3A%3Atest_b%5Bx-1%5D/v1"),
    ],
)
def test_a_base_url_is_mounted_for_a_cassette_and_lane(cassette: str, lane: str, expected: str) -> None:
    assert mounted(URL, cassette, lane) == expected


@settings(deadline=None, max_examples=200)
@given(
    st.from_regex(r"(?:[A-Za-zé_][A-Za-z0-9_.\-]{0,8})(?:/[a-z0-9_]{1,4})?", fullmatch=True) | st.just(""),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
)
def test_what_is_mounted_is_read_again(cassette: str, lane: str) -> None:
    target = mounted(URL, cassette, lane).removeprefix("http://127.0.0.1:8000") + "/models"
    assert parse(target) == Address(cassette, lane, "/v1/models", "")


@pytest.mark.parametrize(
    ("path", "base", "asked"),
    [
        ("/v1", "/api/v1", "/api/v1"),
        ("/v1/models", "/api/v1/", "/api/v1/models"),
        ("/v1/models", "/", "/models"),
        ("/v1/models", "", "/models"),
        ("/v12/models", "/api/v1", "/v12/models"),
        ("/openai/x", "/v1", "/openai/x"),
    ],
)
def test_an_upstreams_own_path_stands_in_for_v1(path: str, base: str, asked: str) -> None:
    assert upward(path, base) == asked
