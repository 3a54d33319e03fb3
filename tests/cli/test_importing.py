"""`llmtape import`: exports, VCR.py's cassettes and HAR files, as they are called."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from proxy.cassette.reader import Reader
from proxy.cli import main
from tests.cassette.making import answer, files, held, question, store, taken
from tests.running import NOWHERE

FOREIGN = Path(__file__).parent.parent / "foreign"
SAMPLES = ("requests.yaml", "requests.json", "openai.yaml", "aiohttp.yaml", "mitmproxy.har")
PLANTED = (b"PLANTED", b"cookiecookie", b"org-secret")


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tape.sqlite"


@pytest.mark.parametrize("name", SAMPLES)
def test_no_secret_of_a_foreign_file_is_in_the_cassette(name: str, path: Path) -> None:
    source = (FOREIGN / name).read_bytes()
    assert any(planted in source for planted in PLANTED)
    assert run("import", path, FOREIGN / name).exit_code == 0
    assert not [planted for planted in PLANTED if planted in path.read_bytes()]
    assert files(path) == ["tape.sqlite"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_foreign_file_gives_the_same_cassette_every_time(name: str, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    for target in (path, other, path):
        assert run("import", target, FOREIGN / name).exit_code == 0
    assert path.read_bytes() == other.read_bytes()


def test_what_was_imported_and_what_was_not_is_told(path: Path) -> None:
    result = run("import", path, FOREIGN / "requests.yaml", FOREIGN / "mitmproxy.har")
    assert result.stdout == f"8 recordings imported into {path}.\n"
    assert result.stderr.splitlines() == [
        f"{FOREIGN / name}: 1 passed over: {reason}"
        for name in ("requests.yaml", "mitmproxy.har")
        for reason in ("answered 429, which is not recorded", "no chat completion")
    ]
    again = run("import", path, FOREIGN / "requests.yaml").stdout
    assert again == f"no recordings imported into {path}.\n5 recordings were there already.\n"


def test_json_tells_the_same_to_programs(path: Path) -> None:
    result = run("import", path, FOREIGN / "requests.yaml", "--json")
    assert result.stderr == ""
    told = json.loads(result.stdout)
    assert told == {
        "added": 5,
        "replaced": 0,
        "renumbered": 0,
        "there_already": 0,
        "gave_way": 0,
        "passed_over": [
            {"file": str(FOREIGN / "requests.yaml"), "reason": "answered 429, which is not recorded", "count": 1},
            {"file": str(FOREIGN / "requests.yaml"), "reason": "no chat completion", "count": 1},
        ],
    }


def test_what_was_imported_is_replayed_by_its_key(path: Path) -> None:
    run("import", path, FOREIGN / "aiohttp.yaml")
    plain, stream = held(path)
    assert plain.track.key == stream.track.key
    assert [len(item.response.chunks) for item in (plain, stream)] == [1, 4]
    with Reader(path) as reader:
        assert {reader.run(entry.take).mode for entry in reader.entries()} == {"import"}


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("keep", "no recordings imported into {}.\n1 recording gave way to others.\n"),
        ("replace", "1 recording imported into {}.\n1 of them replaced what was there.\n"),
        ("add", "1 recording imported into {}.\n1 of them became later takes of calls that were there.\n"),
    ],
)
def test_what_becomes_of_a_conflict_is_told(way: str, told: str, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    store(path, [taken(question(), answer(b"one"))])
    store(other, [taken(question(), answer(b"other"))])
    exported = run("export", other).stdout_bytes
    refused = run("import", path, "-", stdin=exported)
    assert refused.exit_code == 1
    assert "-, line 3" in refused.stderr
    assert "--on-conflict" in refused.stderr
    assert run("import", path, "-", "--on-conflict", way, stdin=exported).stdout == told.format(path)


def test_the_settings_of_recordings_hold_for_imports(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "llmtape.toml"
    config.write_text(
        '[record]\nerrors = "all"\nkeep_headers = ["Server"]\n[redact]\npatterns = ["Zür[a-z]+"]\n'
        '[rules]\nmodels = { m = "other" }\n'
    )
    result = run("import", path, FOREIGN / "requests.yaml", "--config", config)
    assert result.stdout.startswith("6 recordings")
    content = path.read_bytes()
    assert b"BaseHTTP" in content
    assert "Zürich".encode() not in content
    assert b'{"models":{"m":"other"}}' in content


def test_nothing_to_import_makes_no_file_and_says_why(path: Path, tmp_path: Path) -> None:
    source = tmp_path / "models.yaml"
    text = (FOREIGN / "aiohttp.yaml").read_text().replace("/chat/completions", "/embeddings")
    source.write_text(text)
    result = run("import", path, source)
    assert result.exit_code == 1
    assert "2 passed over: no chat completion" in result.stderr
    assert "nothing to import" in result.stderr
    assert not path.exists()


def test_of_very_many_reasons_some_are_told(path: Path, tmp_path: Path) -> None:
    source = tmp_path / "calls.json"
    asked = {"method": "POST", "uri": "http://x/v1/chat/completions\x1b[2J"}
    whole = json.loads((FOREIGN / "requests.json").read_text())
    whole["interactions"] += [{"request": {**asked, "uri": f"{NOWHERE}/chat/completions"}}] * 30
    source.write_text(json.dumps(whole))
    result = run("import", path, source)
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 11
    assert "and 20 more; --json tells them all" in result.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read"),
        (b"", "nothing that can be imported"),
        (b"\xff\xfe\0", "nothing that can be imported"),
        (b'{"header":{"format":"llmtape","version":9}}\n', "line 1: it has version 9"),
        (b"a: \x1b[2J", "nothing that can be imported"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told(content: bytes | None, reason: str, path: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    if content is not None:
        source.write_bytes(content)
    result = run("import", path, source)
    assert result.exit_code == 1
    assert result.stderr.startswith("llmtape: ")
    assert reason in result.stderr
    assert "\x1b" not in result.stderr
    assert not path.exists()


def test_a_folder_and_a_cassette_are_told_from_files_to_import(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    store(other, [taken(question(), answer(b"1"))])
    assert "cannot read" in run("import", path, tmp_path).stderr
    assert "llmtape merge" in run("import", path, other).stderr


def test_a_target_that_is_no_cassette_is_left_alone(path: Path) -> None:
    shutil.copy(FOREIGN / "requests.yaml", path)
    before = path.read_bytes()
    result = run("import", path, FOREIGN / "requests.json")
    assert result.exit_code == 1
    assert "not a cassette" in result.stderr
    assert path.read_bytes() == before
    assert files(path) == ["tape.sqlite"]


def test_a_file_must_be_named(path: Path) -> None:
    assert run("import", path).exit_code == 2
    assert run("import", path, FOREIGN / "requests.yaml", "--on-conflict", "guess").exit_code == 2
