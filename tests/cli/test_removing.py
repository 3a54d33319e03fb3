"""`llmtape rm` and `llmtape prune`: what goes, what stays, and what is told of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from proxy.cassette.draft import drafted
from proxy.cassette.format import VERSION
from proxy.cassette.writer import Writer
from proxy.cli.wording import printable
from proxy.core.address import mounted
from proxy.core.modes import Mode
from proxy.core.rules import Rules
from proxy.demo.script import ScriptedUpstream, plain
from proxy.receipts import write
from proxy.wanted import Wanted
from tests.cassette.making import (
    AUTO,
    NOON,
    answer,
    as_nobody,
    bodies,
    change,
    files,
    question,
    read_only_copy,
    remembered,
    store,
    taken,
)
from tests.cli.recorded import run, told
from tests.running import CHAT, ask, chat, running

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.core.model import Interaction
    from proxy.server import Proxy

RUN = remembered(AUTO)
SECRET = "a-secret-that-only-one-call-has"


def one(text: str, number: int = 1, *, lane: str = "", model: str = "m") -> Interaction:
    return taken(question(text, model=model), answer(text.encode()), number, lane=lane)


RECORDED = [
    one("first"),
    one("again"),
    one("again", 2),
    one(SECRET * 50, lane="tests/test_a.py::test_a[x]"),
    one("last", lane="t", model="old"),
]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tape.sqlite"
    store(path, RECORDED, AUTO)
    return path


def key(place: int) -> str:
    return RECORDED[place].track.key[:12]


def without(path: Path, *places: int) -> bytes:
    """Return the bytes of a cassette that never had some of the recordings."""
    other = path.with_name("never.sqlite")
    with drafted(other) as draft:
        for place, interaction in enumerate(RECORDED):
            if place not in places:
                draft.add(interaction, RUN)
    data = other.read_bytes()
    other.unlink()
    return data


def lacks(path: Path, *places: int) -> bool:
    """Tell whether a cassette is as if it had had all but some of the recordings."""
    return path.read_bytes() == without(path, *places)


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ([key(0)], [0]),
        ([key(1)], [1, 2]),
        ([f"{key(1)}:2"], [2]),
        ([key(0), f"{key(1)}:1"], [0, 1]),
        (["--lane", "tests/*"], [3]),
        (["--model", "old"], [4]),
        (["--text", "again", "--text", "last"], [1, 2, 4]),
        ([key(1), "--older", "2000-01-01"], []),
        (["--lane", "nobody's"], []),
    ],
)
def test_what_is_named_or_chosen_goes_and_the_rest_is_as_if_it_had_never_been_there(
    path: Path, arguments: list[str], gone: list[int]
) -> None:
    expected = without(path, *gone)
    result = run("rm", path, *arguments)
    assert result.exit_code == 0
    assert path.read_bytes() == expected
    assert files(path) == ["tape.sqlite"]
    count = {0: "No recordings", 1: "1 recording"}.get(len(gone), f"{len(gone)} recordings")
    assert result.stdout.endswith(f"{count} removed, {5 - len(gone)} stay.\n")


def test_nothing_is_left_of_what_goes(path: Path) -> None:
    assert SECRET.encode() in path.read_bytes()
    told("rm", path, key(3))
    assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("command", ["rm", "prune"])
def test_a_dry_run_tells_all_and_changes_nothing(path: Path, command: str) -> None:
    before = path.stat()
    arguments = [key(1)] if command == "rm" else [receipt(path, played=[0, 3, 4], unplayed=[1, 2])]
    shown = told(command, path, *arguments, "--dry-run")
    assert "2 recordings would be removed, 3 stay." in shown
    assert f"{key(1)}:1" in shown
    assert path.stat() == before


def test_programs_get_names(path: Path) -> None:
    document = json.loads(told("rm", path, key(1), "--json"))
    assert [removed["name"] for removed in document["removed"]] == [f"{key(1)}:1", f"{key(1)}:2"]
    assert set(document["removed"][0]) == {"name", "key", "take", "variant", "lane"}
    assert (document["kept"], document["written"]) == (3, True)
    assert json.loads(told("rm", path, "--text", "first", "-n", "--json"))["written"] is False


def test_of_many_the_first_are_listed(path: Path) -> None:
    store(path, [one(f"number {number}", lane="many") for number in range(30)], AUTO)
    lines = told("rm", path, "--lane", "many").splitlines()
    assert len(lines) == 1 + 20 + 2
    assert lines[-2:] == ["and 10 more", "30 recordings removed, 5 stay."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Name the KEYs to remove"),
        (["ffffffffffff"], "no recording 'ffffffffffff'"),
        ([key(0), "ffffffffffff"], "no recording"),
        ([f"{key(0)}:7"], "no recording"),
        ([""], "give more digits"),
        (["--text", ""], "--text is empty"),
        (["--older", "soon"], "is neither an age"),
        (["--forse"], "No such option"),
        ([key(0), "--config", "none.toml"], "none.toml"),
        (["--outcome", "lost"], "is not one of"),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_goes(path: Path, arguments: list[str], words: str) -> None:
    before = path.read_bytes()
    result = run("rm", path, *arguments)
    assert (result.exit_code, result.stdout, path.read_bytes()) == (2, "", before)
    assert words in result.stderr


def test_a_key_that_begins_as_several_do_names_none(path: Path) -> None:
    numbers = range(40)
    store(path, [one(f"number {number}") for number in numbers], AUTO)
    keys = [one(f"number {number}").track.key for number in numbers]
    digit = next(key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1)
    before = path.read_bytes()
    result = run("rm", path, digit)
    assert (result.exit_code, result.stdout, path.read_bytes()) == (2, "", before)
    assert f"'{digit}' is the beginning of several keys in {path}: give more digits" in result.stderr


def test_of_the_keys_those_go_that_the_options_choose_too(path: Path) -> None:
    store(path, [one("again", lane="t")], AUTO)
    told("rm", path, key(1), "--lane", "t")
    assert lacks(path)


def test_what_no_recording_can_be_is_told_apart(path: Path) -> None:
    result = run("rm", path, "--lane", "tests/*", "--model", "gpt-9")
    assert (result.exit_code, result.stdout) == (0, "No recordings removed, 5 stay.\n")
    assert result.stderr == f"{path} has no model 'gpt-9'; it has m, old.\n"


def test_under_other_rules_keys_are_those_that_ls_shows(path: Path, tmp_path: Path) -> None:
    (tmp_path / "llmtape.toml").write_text("[rules]\nmodels = { old = 'm' }\n")
    aliased = taken(question("last"), answer(b"1"), rules=Rules()).track.key[:12]
    assert f"{aliased}:1" in told("ls", path)
    told("rm", path, aliased)
    assert lacks(path, 4)


def test_what_is_shown_of_what_goes_is_safe_to_show_and_in_a_line(path: Path) -> None:
    store(path, [taken(question("\\u001b[2J"), answer(b"\x1b[2J"), lane="\x1b[31m")], AUTO)
    for width in ("40", "80", "200"):
        shown = told("rm", path, "--lane", "\x1b*", "-n", COLUMNS=width)
        assert printable(shown) == shown
        assert all(cell_len(line) <= int(width) for line in shown.splitlines())
    cyan = "\x1b[36m"
    assert cyan in told("rm", path, "--lane", "t", "-n", FORCE_COLOR="1", TERM="xterm")
    assert cyan not in told("rm", path, "--lane", "t", "-n", FORCE_COLOR="1", TERM="xterm", NO_COLOR="1")


def test_where_conflicts_of_a_merge_are_open_they_come_first(path: Path) -> None:
    change(path, f"insert into cassette values ('conflict:{'0' * 64}:json:', 'a')")
    before = path.read_bytes()
    result = run("rm", path, key(0))
    assert (result.exit_code, result.stdout, path.read_bytes()) == (1, "", before)
    assert "settle them first" in result.stderr


def test_what_several_keys_name_is_removed_once(path: Path) -> None:
    told("rm", path, key(1), f"{key(1)}:2", key(1)[:8].upper())
    assert lacks(path, 1, 2)


def test_a_cassette_may_lose_all(path: Path) -> None:
    assert told("rm", path, "--newer", "2000-01-01").endswith("5 recordings removed, none stays.\n")
    assert "holds no recordings" in run("ls", path).stderr
    assert lacks(path, *range(5))


def test_a_recorder_that_goes_on_is_told_to_end_first(path: Path) -> None:
    writer = Writer(path, AUTO)
    try:
        writer.save(one("more")).result()
        result = run("rm", path, key(0))
    finally:
        writer.close()
    assert (result.exit_code, result.stdout) == (1, "")  # it does not say of anything that it was removed
    assert "such as a recorder, holds it: end that" in result.stderr
    assert len(bodies(path)) == 6


def test_a_folder_where_nobody_may_write_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with read_only_copy(path) as copy, as_nobody():
        monkeypatch.chdir(copy.parent)
        result = run("rm", copy, key(0), "--json")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "cannot write the cassette" in result.stderr
        assert json.loads(told("rm", copy, key(0), "--json", "-n"))["kept"] == 4


@pytest.mark.parametrize(("content", "status"), [(b"", 1), (b"SQLite format 3\0" + bytes(2000), 1), (None, 2)])
@pytest.mark.parametrize("command", ["rm", "prune", "redact"])
def test_what_is_no_cassette_is_told_in_words(path: Path, command: str, content: bytes | None, status: int) -> None:
    witness = receipt(path, played=[0], unplayed=[1])
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    more: dict[str, list[object]] = {"rm": ["--lane", "t"], "prune": [witness], "redact": []}
    result = run(command, path, *more[command])
    assert result.exit_code == status
    assert "tape.sqlite" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["rm", "prune", "redact"])
def test_a_file_of_a_later_version_is_left_alone(path: Path, command: str) -> None:
    witness = receipt(path, played=[0], unplayed=[1])
    change(path, f"pragma user_version = {VERSION + 1}")
    before = path.read_bytes()
    more: dict[str, list[object]] = {"rm": [key(0)], "prune": [witness], "redact": []}
    result = run(command, path, *more[command])
    assert (result.exit_code, result.stdout, path.read_bytes()) == (1, "", before)
    assert "update llmtape" in result.stderr


@pytest.mark.parametrize("command", ["rm", "prune", "redact"])
def test_a_damaged_file_is_told_of_and_left_alone(path: Path, command: str) -> None:
    witness = receipt(path, played=[0], unplayed=[1])
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    path.write_bytes(data)
    more: dict[str, list[object]] = {"rm": [key(0)], "prune": [witness], "redact": ["--pattern", "first"]}
    result = run(command, path, *more[command])
    assert (result.exit_code, path.read_bytes()) == (1, bytes(data))
    assert "tape.sqlite" in result.stderr
    assert files(path) == ["receipt.json", "tape.sqlite"]
    assert isinstance(result.exception, SystemExit)


# prune


def receipt(beside: Path, played: list[int], unplayed: list[int], **changes: Any) -> Path:
    """Write a receipt of a run that played some recordings, and not others."""
    names = [
        {"key": it.track.key, "variant": it.track.variant.value, "lane": it.track.lane, "take": it.number}
        for it in RECORDED
    ]
    newest = {"newest": changes.pop("newest")} if "newest" in changes else {}
    sheet = {
        "path": changes.pop("path", "/elsewhere/tape.sqlite"),
        "sha256": "",
        **newest,
        "recordings": 5,
        "played": [names[place] for place in played],
        "unplayed": [names[place] for place in unplayed],
    }
    document = {"llmtape": "0.1.0", "receipt": 1, "mode": "replay", "had_upstream": False, "failed": 0}
    file = beside.with_name(changes.pop("name", "receipt.json"))
    file.write_text(json.dumps({**document, "cassettes": [sheet], "lanes": [], **changes}))
    return file


LANE = {
    "cassette": "tape.sqlite",
    "lane": "tests/test_a.py::test_a",
    "mode": "replay",
    "counts": {},
    **dict.fromkeys(("misses", "unplayed", "exhausted", "injected"), ()),
    "passed": True,
}


def test_recordings_that_a_run_did_not_play_go(path: Path) -> None:
    expected = without(path, 0, 4)
    shown = told("prune", path, receipt(path, played=[1, 2, 3], unplayed=[0, 4]))
    assert "2 recordings removed, 3 stay." in shown
    assert path.read_bytes() == expected


def test_recordings_made_anew_since_stay_whatever_a_receipt_says_of_their_like(path: Path) -> None:
    witness = receipt(path, played=[0], unplayed=[1, 2, 3, 4], newest=NOON)
    anew = replace(RECORDED[3], recorded_at="2026-11-23T00:00:00.000Z", response=answer(b"anew"))
    store(path, [anew], replace(AUTO, replaces=True, started_at=anew.recorded_at))
    told("prune", path, witness)
    assert bodies(path) == [b"first", b"anew"]


def test_recordings_made_since_stay(path: Path) -> None:
    witness = receipt(path, played=[0], unplayed=[1, 2, 3, 4])
    store(path, [one("since")], AUTO)
    told("prune", path, witness)
    assert bodies(path) == [b"first", b"since"]


def test_options_narrow_what_goes(path: Path) -> None:
    told("prune", path, receipt(path, played=[0], unplayed=[1, 2, 3, 4]), "--lane", "t")
    assert len(bodies(path)) == 4


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"mode": "record"}, "in mode record, not a replay"),
        ({"failed": 3}, "calls failed (3)"),
        ({"lanes": [{**LANE, "counts": {"missed": 2}}]}, "calls missed (2)"),
        ({"lanes": [{**LANE, "passed": False}, {**LANE, "lane": "b"}]}, f"tests failed (1), {LANE['lane']} among them"),
    ],
)
def test_a_bad_witness_is_believed_only_with_force(path: Path, changes: dict[str, Any], doubt: str) -> None:
    before = path.read_bytes()
    witness = receipt(path, played=[0], unplayed=[1, 2], **changes)
    result = run("prune", path, witness)
    assert (result.exit_code, path.read_bytes()) == (1, before)
    assert "2 recordings would be removed, 3 stay." in result.stdout
    assert f"{witness}: " in result.stderr
    assert doubt in result.stderr
    assert result.stderr.endswith("Nothing was removed: run the suites again, or say --force.\n")
    assert run("prune", path, witness, "-n").exit_code == 1
    document = json.loads(run("prune", path, witness, "--json").stdout)
    assert (document["written"], len(document["doubts"])) == (False, 1)
    told("prune", path, witness, "--force")
    assert len(bodies(path)) == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the receipt"),
        ("<testsuites/>", "is no receipt"),
        ("{}", "receipt.json"),
        ("[]", "a receipt"),
    ],
)
def test_what_is_no_receipt_is_told(path: Path, content: str | None, words: str) -> None:
    file = path.with_name("receipt.json")
    if content is not None:
        file.write_text(content)
    result = run("prune", path, file)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_receipt_of_other_cassettes_is_told_with_their_names(path: Path) -> None:
    other = path.with_name("other.sqlite")
    shutil.copy(path, other)
    result = run("prune", other, receipt(path, played=[0], unplayed=[1]))
    assert result.exit_code == 2
    assert f"receipt.json does not tell of {other}, but of /elsewhere/tape.sqlite." in " ".join(result.stderr.split())
    good = receipt(path, [0], [1], path="other.sqlite", name="good.json")
    result = run("prune", other, good, receipt(path, [0], [1], cassettes=[]))
    assert result.exit_code == 2
    assert "but of no cassette." in " ".join(result.stderr.split())
    assert len(bodies(other)) == 5


def test_what_any_of_several_runs_played_stays(path: Path) -> None:
    one_suite = receipt(path, [0, 3], [1, 2, 4], name="one.json")
    other = receipt(path, [1], [0, 2, 3, 4], name="other.json")
    document = json.loads(told("prune", path, one_suite, other, "--json"))
    assert [removed["name"] for removed in document["removed"]] == [f"{key(1)}:2", f"{key(4)}:1"]
    assert (document["kept"], document["written"], document["doubts"]) == (3, True, [])
    assert lacks(path, 2, 4)


def test_one_bad_witness_is_enough(path: Path) -> None:
    good = receipt(path, [0], [1, 2, 3, 4], name="good.json")
    bad = receipt(path, [], [0, 1, 2, 3, 4], name="bad.json", mode="mixed")
    result = run("prune", path, good, bad)
    assert result.exit_code == 1
    assert [line.partition(": ")[0] for line in result.stderr.splitlines()[:2]] == [str(bad)] * 2
    assert len(bodies(path)) == 5


def test_a_run_that_names_what_is_unknown_or_a_path_that_is_none_harms_nobody(path: Path) -> None:
    witness = receipt(path, [0], [], path="tape\0.sqlite")
    assert run("prune", path, witness).exit_code == 2
    strange = {"key": "f" * 64, "variant": "telegraph", "lane": "", "take": 1}
    sheet = {"path": "tape.sqlite", "sha256": "", "recordings": 1, "played": [strange], "unplayed": [strange]}
    assert told("prune", path, receipt(path, [], [], cassettes=[sheet])) == "No recordings removed, 5 stay.\n"


def test_it_takes_a_receipt(path: Path) -> None:
    result = run("prune", path)
    assert result.exit_code == 2
    assert "Missing argument 'RECEIPT...'" in result.stderr


def test_under_other_rules_it_goes_by_the_keys_of_the_run(path: Path, tmp_path: Path) -> None:
    (tmp_path / "llmtape.toml").write_text("[rules]\nmodels = { old = 'm' }\n")
    aliased = {"key": taken(question("last"), answer()).track.key, "variant": "json", "lane": "t", "take": 1}
    played = {"key": RECORDED[0].track.key, "variant": "json", "lane": "", "take": 1}
    sheet = {"path": "tape.sqlite", "sha256": "", "recordings": 5, "played": [played], "unplayed": [aliased]}
    told("prune", path, receipt(path, [], [], cassettes=[sheet]))
    assert lacks(path, 4)


async def test_a_real_replay_tells_what_it_played_and_plays_it_again_afterwards(path: Path) -> None:
    body = chat("a call", model="m")
    asked = json.loads(body)["messages"][0]["content"]
    store(path, [replace(one(asked), response=answer(b'{"n":7}'))], AUTO)
    async with running(Mode.REPLAY, path) as proxy:
        assert (await ask(proxy.url + CHAT, body)).body == b'{"n":7}'
    assert "5 recordings removed, 1 stays." in told("prune", path, written(proxy, path))
    async with running(Mode.REPLAY, path) as proxy:
        assert (await ask(proxy.url + CHAT, body)).status == 200


def written(proxy: Proxy, path: Path) -> Path:
    file = path.with_name("receipt.json")
    write(proxy.receipt, file)
    return file


async def play(proxy: Proxy, *places: int) -> list[bytes]:
    """Ask again what was recorded, each in its lane; return the answers."""
    asked = [RECORDED[place] for place in places]
    urls = [mounted(proxy.url, "", it.track.lane) + CHAT for it in asked]
    return [(await ask(url, it.request.body)).body for url, it in zip(urls, asked, strict=True)]


async def test_after_rm_everything_else_plays_as_before(path: Path) -> None:
    told("rm", path, key(0), f"{key(1)}:1")
    async with running(Mode.REPLAY, path) as proxy:
        assert await play(proxy, 2, 3, 4) == [RECORDED[place].response.body for place in (2, 3, 4)]
        (missed,) = await play(proxy, 0)
        assert json.loads(missed)["error"]["code"] == "not_recorded"


async def test_a_suite_that_rewinds_between_its_tests_keeps_all_that_they_play(path: Path) -> None:
    async with running(Mode.REPLAY, path) as proxy:
        for place in (0, 3, 4):
            await play(proxy, place)
            assert (await ask(proxy.url.removesuffix("/v1") + "/_llmtape/rewind", b"{}")).status == 200
    told("prune", path, written(proxy, path))
    assert lacks(path, 1, 2)


async def test_a_test_that_was_tried_again_keeps_what_each_try_played(path: Path) -> None:
    async with running(Mode.REPLAY, path) as proxy:
        for place in (1, 4):
            proxy.lanes.start(Wanted(lane="t"))
            await ask(mounted(proxy.url, "", "t") + CHAT, RECORDED[place].request.body)
            await proxy.lanes.end("", "t", passed=True)
    told("prune", path, written(proxy, path))
    assert lacks(path, 0, 2, 3)


async def test_a_miss_or_a_failed_test_in_a_real_run_is_a_doubt(path: Path) -> None:
    async with running(Mode.REPLAY, path) as proxy:
        await play(proxy, 0)
        proxy.lanes.start(Wanted(lane="t"))
        await ask(mounted(proxy.url, "", "t") + CHAT, question("nobody asked that").body)
        await proxy.lanes.end("", "t", passed=False)
    result = run("prune", path, written(proxy, path))
    assert result.exit_code == 1
    assert "calls missed (1)" in result.stderr
    assert "tests failed (1), t among them" in result.stderr
    assert lacks(path)


async def test_a_run_that_recorded_is_a_doubt_and_what_it_recorded_stays(path: Path) -> None:
    async with ScriptedUpstream(plain()) as upstream, running(Mode.AUTO, path, upstream.url) as proxy:
        await play(proxy, 0)
        await ask(proxy.url + CHAT, question("something new").body)
    witness = written(proxy, path)
    result = run("prune", path, witness)
    assert result.exit_code == 1
    assert "it was a run in mode auto, not a replay" in result.stderr
    assert told("prune", path, witness, "--force").endswith("4 recordings removed, 2 stay.\n")


async def test_a_receipt_for_other_machines_names_none_of_these_recordings(path: Path) -> None:
    async with running(Mode.REPLAY, path) as proxy:
        await play(proxy, 0)
    file = path.with_name("receipt.xml")
    write(proxy.receipt, file)
    result = run("prune", path, file)
    assert result.exit_code == 2
    assert f"{file} is no receipt: " in result.stderr
    assert "Name one that `llmtape replay --report FILE.json` wrote" in result.stderr


async def test_a_receipt_of_the_same_content_elsewhere_is_believed(path: Path, tmp_path: Path) -> None:
    async with running(Mode.REPLAY, path) as proxy:
        await play(proxy, 0)
    copy = tmp_path / "elsewhere" / "by-another-name.sqlite"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    told("prune", copy, written(proxy, path))
    assert lacks(copy, 1, 2, 3, 4)
