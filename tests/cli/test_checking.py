"""`llmtape verify`, as it is called."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from proxy.cli import main
from proxy.core.model import Outcome
from tests.cassette.damaging import agent, overwrite, write
from tests.cassette.making import answer, change, files, held, question, store, taken
from tests.cassette.test_wreck import root

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SECRET = "sk-proj-" + "aB3_-" * 12


def run(*arguments: object, **environment: str) -> Result:
    settings = {"COLUMNS": "200", "NO_COLOR": None, "FORCE_COLOR": None, **environment}
    return CliRunner().invoke(main, ["verify", *map(str, arguments)], env=settings)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sound(folder: Path) -> Path:
    write(folder / "sound.sqlite", agent(6, "test_a"))
    return folder / "sound.sqlite"


@pytest.fixture
def broken(folder: Path) -> Path:
    """A cassette with a fault, and a note about the same recording."""
    path = folder / "broken.sqlite"
    store(path, [taken(question(), answer(b'{"x":1}', outcome=Outcome.CUT), lane="test_b")])
    change(path, "update interactions set model = 'other'")
    return path


def test_a_sound_cassette_is_told_in_a_line(sound: Path) -> None:
    result = run(sound)
    assert (result.exit_code, result.stdout) == (0, f"{sound}: 6 recordings checked, no faults, no notes.\n")


def test_a_fault_is_told_with_what_to_do_and_ends_with_status_1(broken: Path) -> None:
    result = run(broken)
    name = f"{held(broken)[0].track.key[:12]}:1"
    remove = f"llmtape rm {shlex.quote(str(broken))} {name}"
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"note    {name} (lane test_b): its answer is incomplete: cut",
        '        → a replay refuses it, unless [replay] incomplete = "play"; record it again',
        f"fault   {name} (lane test_b): it has model 'other' where its bodies say 'm'",
        f"        → somebody changed the row, or the file is damaged; record it again, or take it out: {remove}",
        f"{broken}: 1 recording checked, 1 fault, 1 note.",
    ]


def test_notes_alone_end_with_status_0(folder: Path) -> None:
    path = folder / "t.sqlite"
    store(path, [taken(question(), answer(b"{}", outcome=Outcome.CUT))])
    result = run(path)
    assert result.exit_code == 0
    assert "1 recording checked, no faults, 1 note." in result.stdout


def test_of_many_alike_the_first_are_shown_and_advice_comes_once(folder: Path) -> None:
    path = folder / "t.sqlite"
    write(path, (taken(question(str(n)), answer(b"{}", outcome=Outcome.CUT)) for n in range(30)))
    lines = run(path).stdout.splitlines()
    assert sum(line.startswith("note") for line in lines) == 20
    assert sum("→" in line for line in lines) == 1
    assert "        and 10 more: incomplete" in lines
    assert len(json.loads(run(path, "--json").stdout)) == 30


def test_several_cassettes_are_checked_and_the_worst_tells_the_status(sound: Path, broken: Path) -> None:
    result = run(sound, broken, sound)
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stdout.splitlines() if "checked" in line] == [
        *map(str, (sound, broken, sound))
    ]


def test_the_configured_cassette_is_checked_where_none_is_named(folder: Path, sound: Path) -> None:
    (folder / "llmtape.toml").write_text('cassette = "sound.sqlite"\n')
    assert f"{sound.name}: 6 recordings checked" in run().stdout


def test_the_config_tells_what_a_secret_is(folder: Path, sound: Path) -> None:
    (folder / "llmtape.toml").write_text('[redact]\npatterns = ["look at file 5"]\n')
    result = run(sound)
    assert result.exit_code == 1
    assert "take it out: llmtape redact" in result.stdout
    assert "look at file 5" not in result.stdout


def test_a_secret_in_an_answer_is_a_note_and_with_redacted_answers_a_fault(folder: Path) -> None:
    path = folder / "t.sqlite"
    store(path, [taken(question(), answer(json.dumps({"x": SECRET}).encode()))])
    noted = run(path)
    (folder / "llmtape.toml").write_text("[redact]\nresponses = true\n")
    refused = run(path)
    assert (noted.exit_code, refused.exit_code) == (0, 1)
    assert SECRET not in noted.output + refused.output


def test_json_has_an_object_a_finding(broken: Path) -> None:
    result = run(broken, "--json")
    note, fault = json.loads(result.stdout)
    assert result.exit_code == 1
    assert note["kind"] == "incomplete"
    assert fault == {
        "cassette": str(broken),
        "level": "fault",
        "kind": "derived",
        "what": "it has model 'other' where its bodies say 'm'",
        "name": f"{held(broken)[0].track.key[:12]}:1",
        "lane": "test_b",
        "advice": fault["advice"],
    }
    assert "llmtape rm" in fault["advice"]


def test_json_of_a_sound_cassette_is_an_empty_list_and_of_a_file_names_nothing(sound: Path, folder: Path) -> None:
    assert json.loads(run(sound, "--json").stdout) == []
    (folder / "text").write_text("x" * 4000)
    (*_, it) = json.loads(run(folder / "text", "--json").stdout)
    assert (it["kind"], it["name"], it["lane"]) == ("no-database", None, None)


def test_a_cassette_that_is_missing_is_a_usage_error_before_any_is_checked(sound: Path, folder: Path) -> None:
    for option in ([], ["--json"]):
        result = run(sound, folder / "none.sqlite", *option)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no cassette" in result.stderr


@pytest.mark.parametrize("content", [b"", b"not a database" * 500, b"SQLite format 3\0" * 500])
def test_what_is_no_cassette_is_told_in_words(folder: Path, content: bytes) -> None:
    (folder / "it").write_bytes(content)
    result = run(folder / "it")
    assert result.exit_code == 1
    assert "fault" in result.stdout
    assert "no recordings checked, 1 fault" in result.stdout


def test_damage_is_told_and_what_can_be_read_is_saved(sound: Path, folder: Path) -> None:
    before = held(sound)
    overwrite(sound, root(sound, "interactions"), seed=3)
    damaged = run(sound)
    assert damaged.exit_code == 1
    assert "llmtape verify --recover NEW" in damaged.stdout
    saved = run("--recover", folder / "new.sqlite", sound)
    assert saved.stdout == f"{folder / 'new.sqlite'}: 6 recordings recovered, none known to be lost.\n"
    assert saved.exit_code == 0
    assert held(folder / "new.sqlite") == before
    assert run(folder / "new.sqlite").exit_code == 0


def test_what_is_lost_is_told_with_status_1(sound: Path, folder: Path) -> None:
    change(sound, "update interactions set response_framing = 'x' where id in (2, 4)")
    result = run("--recover", "new.sqlite", sound)
    names = [it.track.key[:12] for it in agent(6, "test_a")]
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"lost    {names[1]}:1 (lane test_a): not all of it can be read",
        f"lost    {names[3]}:1 (lane test_a): not all of it can be read",
        "new.sqlite: 4 recordings recovered, 2 known to be lost.",
    ]
    assert len(held(folder / "new.sqlite")) == 4


def test_json_of_a_recovery_has_an_object_a_recording(sound: Path) -> None:
    change(sound, "update interactions set response_framing = 'x' where id = 2")
    told = json.loads(run("--recover", "new.sqlite", sound, "--json").stdout)
    assert [it["is_recovered"] for it in told] == [True, False, True, True, True, True]
    assert told[1]["loss"] == "not all of it can be read"
    assert (told[0]["loss"], told[0]["lane"]) == (None, "test_a")


def test_rules_that_are_lost_are_told(sound: Path) -> None:
    overwrite(sound, root(sound, "cassette"), seed=3)
    result = run("--recover", "new.sqlite", sound)
    assert "the config's rules are taken for it" in result.stderr
    assert result.exit_code == 0


def test_where_nothing_can_be_saved_nothing_is_made(folder: Path) -> None:
    (folder / "text").write_text("x" * 9000)
    result = run("--recover", "new.sqlite", "text")
    assert result.exit_code == 1
    assert "no recording in text can be read whole" in result.stderr
    assert "new.sqlite" not in files(folder / "text")


def test_a_new_file_that_is_there_is_left_alone(sound: Path, broken: Path) -> None:
    before = broken.read_bytes()
    result = run("--recover", broken, sound)
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert broken.read_bytes() == before


def test_only_one_cassette_is_recovered_at_a_time(sound: Path, broken: Path) -> None:
    result = run("--recover", "new.sqlite", sound, broken)
    assert result.exit_code == 2
    assert "--recover takes one cassette" in result.stderr


def test_on_a_terminal_lines_are_wrapped_to_its_width(broken: Path) -> None:
    text = run(broken, COLUMNS="60", FORCE_COLOR="1", NO_COLOR="1", TERM="dumb").stdout
    assert all(cell_len(line) <= 60 for line in text.splitlines())


def test_what_a_file_says_reaches_no_terminal_raw(folder: Path) -> None:
    path = folder / "t.sqlite"
    store(path, [taken(question(), answer(b"{}", outcome=Outcome.CUT), lane="a\x1b[2Jb")])
    change(path, "update interactions set model = 'x' || char(27) || '[31m'")
    assert "\x1b" not in run(path).stdout
    assert "\x1b" not in run(path, "--json").stdout
