"""What each scrubber takes, and what it leaves."""

from __future__ import annotations

import pytest

from proxy.core.cut import matchers
from proxy.core.scrubbers import ANNOUNCED, ANNOUNCING, SCRUBBERS

TAKEN: dict[str, list[str]] = {
    "tmp-path": [
        "/tmp/tmpab12cd_9",
        "/tmp/tmp.XyZ123",
        "/var/tmp/build-1",
        "/private/tmp/x",
        "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/tmpq1w2",
        "/private/var/folders/a1/b2c3/T/foo-AbC123",
        "/dev/shm/sem_1",
        "/tmp/pytest-of-ada/pytest-7",
        "C:\\Users\\ada\\AppData\\Local\\Temp\\tmp1a2b",
    ],
    "home": ["/home/ada", "/Users/ada.lovelace", "/root", "C:\\Users\\ada", "/home/ci-runner"],
    "uuid": ["6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "6F1C1DE4-6A3B-4F53-9F0E-3F7F0B1F8A55"],
    "iso-datetime": [
        "2026-11-25T09:30:00Z",
        "2026-11-25T09:30",
        "2026-11-25 09:30:00.123456",
        "2026-11-25T09:30:00+01:00",
        "2026-11-25T09:30:00.123-0800",
        "2026-11-25 09:30:00 UTC",
        "2026-11-25t09:30:00z",
    ],
    "date": [
        "2026-11-25",
        "2026/11/25",
        "11/25/2026",
        "25.11.2026",
        "November 25, 2026",
        "Wednesday, November 25, 2026",
        "Wed Nov 25 2026",
        "25 November 2026",
        "25th of November 2026",
        "Nov. 5th, 2026",
        "Wed Nov 25 02:34:19 UTC 2026",
        "Wed Nov  5 02:34:19 2026",
        "Wed, 25 Nov 2026 02:34:19 GMT",
        "11/25/2026, 2:34:19 AM",
        "November 25, 2026 at 2:34 PM",
        "Wednesday, 2026-11-25",
        "2026-11-25 (Wednesday)",
    ],
    "unix-time": ["1764063000", "1764063000123", "1764063000123456", "1764063000.25", "2051222400"],
    "localhost-port": ["53211"],
    "hex-address": ["0x7f3a5c0d1e80", "0X10D5F3B20"],
}

LEFT: dict[str, list[str]] = {
    "tmp-path": ["/tmp", "/tmp/", "/data/tmp/x", "./tmp/x", "tmp/x", "/temp/x", "~/tmp/x"],
    "home": ["/home", "/homes/ada", "/data/home/ada", "./home/ada", "/rooted", "/root2", "home/ada", "/root.d"],
    "uuid": ["6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a5", "6f1c1de46a3b4f539f0e3f7f0b1f8a55", "x6f1c1de4-6a3b-4f53-9f0e"],
    "iso-datetime": ["2026-11-25", "2026-13-25T09:30", "12026-11-25T09:30:00", "09:30:00"],
    "date": ["2026-13-01", "2026-11-32", "1826-11-25", "May I", "in 2026", "November 25", "12026-11-251", "1.2.3"],
    "unix-time": [
        "1464063000",
        "17640630001",
        "2164063000",
        "0.1764063000",
        "x1764063000",
        "1764063000th",
        "176406300",
    ],
    "localhost-port": ["example.com:8080", "8080", "notlocalhost-8080", "localhost:", "localhost:1"],
    "hex-address": ["0x7f3a5", "0xFF8800", "0x100000", "7f3a5c0d1e80", "a0x7f3a5c0d1e80", "0x7f3a5c0d1e80zz"],
}


def taken_by(name: str, text: str, *places: tuple[str, str]) -> list[str]:
    (matcher,) = matchers(frozenset({name}), (), places)
    return [match[0] for match in matcher.find.finditer(text)]


def each(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, text) for name, texts in table.items() for text in texts]


@pytest.mark.parametrize(("name", "value"), each(TAKEN))
@pytest.mark.parametrize("around", ["{}", "({})", "\n{}\n", 'is "{}".', "[{}]", "{}, and", "={};", "`{}`"])
def test_a_scrubber_takes_its_values_whole_wherever_they_stand(name: str, value: str, around: str) -> None:
    before = "http://localhost:" if name == "localhost-port" else ""
    inner = around.replace("{}", before + "{}")
    assert taken_by(name, inner.format(value)) == [value]


@pytest.mark.parametrize(("name", "value"), each(TAKEN))
def test_a_text_with_a_value_has_what_is_looked_for_first(name: str, value: str) -> None:
    (matcher,) = matchers(frozenset({name}), (), ())
    assert list(matcher.spans(f"localhost:{value}" if name == "localhost-port" else f"x {value}."))


@pytest.mark.parametrize(("name", "text"), each(LEFT))
def test_a_scrubber_leaves_what_only_looks_alike(name: str, text: str) -> None:
    assert taken_by(name, text) == []


@pytest.mark.parametrize("name", [name for name in SCRUBBERS if name != "workdir"])
def test_a_scrubber_takes_its_own_example(name: str) -> None:
    assert len(taken_by(name, SCRUBBERS[name].example)) == 1


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"])
def test_a_port_is_taken_behind_each_name_of_this_machine(host: str) -> None:
    assert taken_by("localhost-port", f"http://{host}:53211/v1") == ["53211"]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2026-11-25 09:30 BUY 100", "2026-11-25 09:30"),
        ("2026-11-25 10:30:00 INFO disk", "2026-11-25 10:30:00"),
        ("25.11.2026 10:30 GET /x", "25.11.2026 10:30"),
        ("2026-11-25 09:30 -1500 EUR", "2026-11-25 09:30"),
        ("Nov 25, 2026 9:30 AM today", "Nov 25, 2026 9:30 AM"),
        ("Nov 25, 2026 9:30 ESTIMATE", "Nov 25, 2026 9:30"),
        ("2026-11-25 10:30:00 +0100 x", "2026-11-25 10:30:00 +0100"),
    ],
)
def test_a_word_or_an_amount_behind_a_time_is_no_zone(text: str, taken: str) -> None:
    assert taken_by("date", text) == [taken]
    if text.startswith("2026"):
        assert taken_by("iso-datetime", text) == [taken]


def test_of_a_temporary_path_only_the_first_name_is_taken() -> None:
    assert taken_by("tmp-path", "/tmp/tmpab12/src/main.py") == ["/tmp/tmpab12"]
    assert taken_by("tmp-path", "/tmp/pytest-of-ada/pytest-7/test_a0/x") == ["/tmp/pytest-of-ada/pytest-7"]
    assert taken_by("tmp-path", "It is in /tmp/tmpab12.") == ["/tmp/tmpab12"]


def test_a_known_folder_is_taken_whole_and_not_as_a_part_of_another_name() -> None:
    places = (("workdir", "/srv/shop"), ("workdir", "/srv/shop/api"), ("home", "/var/lib/ci"))
    text = "/srv/shop/a /srv/shop/api/b /srv/shop2 /srv/shop-old /srv/shop.old /x/srv/shop, in /srv/shop."
    assert taken_by("workdir", text, *places) == ["/srv/shop", "/srv/shop/api", "/srv/shop"]
    assert taken_by("home", "/var/lib/ci/.cache and /home/ada", *places) == ["/var/lib/ci", "/home/ada"]
    assert taken_by("workdir", "/srv/shop") == []


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("Working directory: /home/ada/shop\nPlatform: linux", "/home/ada/shop"),
        ("Primary working directory: /srv/shop.", "/srv/shop"),
        ("<cwd>/srv/shop</cwd>", "/srv/shop"),
        ('{"cwd": "/srv/shop", "shell": "zsh"}', "/srv/shop"),
        ("cwd=/srv/shop", "/srv/shop"),
        ("# Current Working Directory (/srv/shop) Files", "/srv/shop"),
        ("I'm currently working in the directory: /srv/shop", "/srv/shop"),
        ("The current working directory is `/srv/shop`.", "/srv/shop"),
        ("The workspace root is /srv/shop, and", "/srv/shop"),
        ("**Working directory:** `C:\\proj\\shop`", "C:\\proj\\shop"),
    ],
)
def test_prompts_tell_their_working_directory_in_many_ways(text: str, folder: str) -> None:
    assert [match["value"] for match in ANNOUNCED.finditer(text)] == [folder]
    assert ANNOUNCING.search(text)


@pytest.mark.parametrize(
    "text", ["The directory /etc holds settings", "cwd: shop", "Working directory: ", "the project path: /api/v1"]
)
def test_not_every_folder_that_is_spoken_of_is_the_working_directory(text: str) -> None:
    assert [match["value"] for match in ANNOUNCED.finditer(text)] == []
