"""`llmtape explain`, `llmtape lint` and `llmtape rekey`, as they are called."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from rich.cells import cell_len

from proxy.cassette.format import VERSION
from proxy.cli import main
from proxy.cli.wording import printable
from proxy.core.model import Interaction, Outcome, Request, Variant
from proxy.core.normalize import normalize
from proxy.core.rules import DEFAULT, OPTIONS, Rules
from proxy.core.scrubbers import SCRUBBERS
from tests.cassette.making import AUTO, CHAT, JSON_TYPE, answer, change, files, interactions, question, store, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from click.testing import Result

COMMANDS: Final = ("explain", "lint", "rekey")
SECRET: Final = "sk-proj-planted-0123456789abcdefghij"
MONDAY, TUESDAY = "Today is 2026-11-23.", "Today is 2026-11-24."
DATE: Final = '[rules]\nscrub = ["date"]\n'
EVERYTHING: Final = '[[rules.path]]\nname = "said"\npath = "$.messages"\naction = "replace"\n'
"""A rule under which all that is asked is one call."""

TERMINAL: Final = {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}


def ask(*messages: dict[str, Any], **fields: Any) -> Request:
    return Request("POST", CHAT, "", JSON_TYPE, json.dumps({"model": "m", "messages": messages, **fields}).encode())


def said(text: str) -> bytes:
    return json.dumps({"choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}]}).encode()


def key_of(request: Request, rules: Rules = DEFAULT) -> str:
    return normalize(request, rules).key


def name_of(request: Request, rules: Rules = DEFAULT) -> str:
    return f"{key_of(request, rules)[:12]}:1"


class Desk:
    """A folder of its own, in which `llmtape` is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tape = folder / "tape.sqlite"

    def place(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        return path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.place(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def record(self, *requests: Request, name: str = "tape.sqlite", answers: Iterable[str] = ()) -> Path:
        """Record requests; what each is answered, where that is given."""
        path = self.place(name)
        texts = [*answers] or ["Yes."] * len(requests)
        store(path, [taken(request, answer(said(text))) for request, text in zip(requests, texts, strict=True)], AUTO)
        return path

    def run(self, *arguments: object, fed: bytes | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run a command; what it does not expect ends the test here."""
        clean = {"COLUMNS": "200", "NO_COLOR": None, "FORCE_COLOR": None, "LLMTAPE_CONFIG": None, **(env or {})}
        result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=clean, input=fed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def told(
        self, *arguments: object, status: int = 0, fed: bytes | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a command that has nothing to complain of; return what it printed."""
        result = self.run(*arguments, fed=fed, env=env)
        assert (result.exit_code, result.stderr) == (status, "")
        return result.stdout

    def document(self, *arguments: object, status: int = 0, fed: bytes | None = None) -> Any:
        return json.loads(self.told(*arguments, "--json", status=status, fed=fed))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


# What all three take, and refuse


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain"],
        ["explain", "tape.sqlite"],
        ["explain", "tape.sqlite", "3f", "--rule", "date"],
        ["explain", "tape.sqlite", "3f", "--request", "body.json"],
        ["explain", "tape.sqlite", ""],
        ["explain", "tape.sqlite", "--request", ""],
        ["explain", "tape.sqlite", "zzz"],
        ["explain", "tape.sqlite", "--request", "missing.json"],
        ["explain", "tape.sqlite", "--request", "."],
        ["lint"],
        ["lint", "tape.sqlite", "tape.sqlite", "tape.sqlite"],
        ["lint", "tape.sqlite", "missing.sqlite"],
        ["rekey"],
        ["rekey", "tape.sqlite", "--forse"],
        *([command, "tape.sqlite", *more] for command in COMMANDS for more in (["--config", "none.toml"], ["--none"])),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_and_changes_nothing(arguments: list[str], desk: Desk) -> None:
    before = desk.record(question()).read_bytes()
    if "--config" in arguments and arguments[0] == "explain":
        arguments = [*arguments, "--rule", "date"]
    result = desk.run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert desk.tape.read_bytes() == before


def called(command: str, path: object) -> list[str]:
    return [command, str(path), *(["--rule", "date"] if command == "explain" else [])]


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_no_cassette_is_told_in_words_and_left_alone(command: str, form: list[str], desk: Desk) -> None:
    desk.write("text.sqlite", "not a database " * 100)
    with closing(sqlite3.connect(desk.folder / "other.sqlite")) as connection:
        connection.execute("create table photos (name)")
    change(desk.record(question(), name="newer.sqlite"), f"pragma user_version = {VERSION + 1}")
    (desk.folder / "folder").mkdir()
    told = {
        "missing.sqlite": (2, "there is no cassette"),
        "text.sqlite": (1, "is not a cassette"),
        "other.sqlite": (1, "another program made this file"),
        "newer.sqlite": (1, "update llmtape"),
        "folder": (1, "is a folder"),
    }
    before = {path: path.read_bytes() for path in desk.folder.glob("*.sqlite")}
    for name, (status, words) in told.items():
        result = desk.run(*called(command, name), *form)
        assert (result.exit_code, result.stdout) == (status, ""), name
        assert words in result.stderr
    assert {path: path.read_bytes() for path in desk.folder.glob("*.sqlite")} == before
    assert desk.run("lint", desk.record(question()), "text.sqlite", *form).exit_code == 1


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "damage",
    ["update interactions set request_headers = 'no list'", "update interactions set outcome = 'odd', take = 'odd'"],
)
def test_a_damaged_cassette_is_told_in_words_and_left_alone(command: str, damage: str, desk: Desk) -> None:
    desk.write("llmtape.toml", DATE)
    change(desk.record(question(MONDAY)), damage)
    before = desk.tape.read_bytes()
    result = desk.run(*called(command, desk.tape))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot read the cassette" in result.stderr
    assert desk.tape.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_half_a_file_is_told_in_words(command: str, desk: Desk) -> None:
    whole = desk.record(*(question(f"{MONDAY} {number}") for number in range(200))).read_bytes()
    desk.tape.write_bytes(whole[: len(whole) // 2])
    desk.write("llmtape.toml", DATE)
    result = desk.run(*called(command, desk.tape))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "take it from version control" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('[rules]\nscrub = = ["date"]\n', "line 2"),
        ('[rules]\n\nscrub = ["dat"]\n', "llmtape.toml, line 3: rules.scrub: there is no scrubber 'dat'. Is date"),
        ('[[rules.pattern]]\nname = "a"\npattern = "("\n', "llmtape.toml, line 3: rules.pattern 'a'"),
        ('[[rules.path]]\nname = "a"\npath = "$.["\n', "llmtape.toml, line 3: rules.path 'a'"),
        ('[rules]\nscrubs = ["date"]\n', "llmtape.toml: there is no setting rules.scrubs. Is rules.scrub meant?"),
    ],
)
def test_a_broken_config_is_told_with_its_file_and_line(command: str, config: str, words: str, desk: Desk) -> None:
    desk.record(question())
    desk.write("llmtape.toml", config)
    result = desk.run(*called(command, desk.tape))
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert str(desk.folder / "llmtape.toml") in result.stderr


def test_a_config_that_is_named_counts_instead_of_the_nearest(desk: Desk) -> None:
    desk.write("llmtape.toml", "broken [")
    named = desk.write("ci/rules.toml", DATE)
    monday = question(MONDAY)
    desk.record(monday)
    key = key_of(monday, Rules(scrub=("date",)))
    assert desk.document("explain", desk.tape, key, "--config", named)["rules"] == '{"scrub":["date"]}'
    assert desk.document("lint", desk.tape, "--config", named)["volatile"] == []
    assert desk.document("rekey", desk.tape, "--dry-run", "--config", named)["changed"] == 1


def test_advice_names_the_config_that_was_named_and_quotes_what_a_shell_would_part(desk: Desk) -> None:
    named = desk.write("my rules.toml", "")
    tape = desk.record(question(MONDAY), name="my tape.sqlite")
    text = desk.told("lint", tape.name, "--config", named.name, status=1)
    assert "write into my rules.toml:" in text
    assert "llmtape rekey 'my tape.sqlite' --config 'my rules.toml'" in text


@given(interactions())
@settings(max_examples=40, deadline=None)
def test_whatever_was_recorded_can_be_explained_and_reaches_no_terminal_raw(interaction: Interaction) -> None:
    with TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        store(desk.tape, [interaction])
        config = desk.write("rules.toml", f"[rules]\nscrub = {json.dumps([*SCRUBBERS])}\nsort_tools = true\n")
        rekeyed = key_of(interaction.request, Rules(scrub=tuple(SCRUBBERS), sort_tools=True))
        for arguments in (
            ["explain", desk.tape, interaction.track.key],
            ["explain", desk.tape, rekeyed, "--config", config],
            ["explain", desk.tape, "--rule", "uuid"],
            ["lint", desk.tape],
            ["lint", desk.tape, desk.tape],
            ["rekey", desk.tape, "--config", config],
        ):
            for environment in ({}, TERMINAL):
                text = desk.run(*arguments, env=environment).stdout
                assert printable(text) == text
            document = desk.run(*arguments, "--json").stdout
            assert printable(document) == document
            assert isinstance(json.loads(document), dict)


# explain


def test_a_recording_is_explained_with_what_was_done_and_what_its_key_is_made_of(desk: Desk) -> None:
    asked = ask({"role": "user", "content": "Hi"}, n=1, user="ada")
    desk.record(asked)
    assert desk.told("explain", desk.tape, key_of(asked)[:8]).splitlines() == [
        f"key       {key_of(asked)}",
        "variant   json",
        "rules     none",
        f"plays     {name_of(asked)}",
        "",
        "what was done",
        "  cosmetic: 1 counts as absent",
        "    n  1 → (absent)",
        "  transport: left out",
        '    user  "ada" → (absent)',
        "",
        "the canonical request",
        "  POST /v1/chat/completions",
        "  {",
        '    "model": "m",',
        '    "messages": [',
        "      {",
        '        "role": "user",',
        '        "content": "Hi"',
        "      }",
        "    ]",
        "  }",
    ]


def test_an_explanation_for_programs_has_the_promised_names(desk: Desk) -> None:
    asked = ask({"role": "user", "content": MONDAY}, n=1)
    desk.record(asked)
    desk.write("llmtape.toml", DATE)
    key = key_of(asked, Rules(scrub=("date",)))
    explained = desk.document("explain", desk.tape, f"{key[:9]}:1")
    assert explained.pop("touches") == [
        {"path": "n", "was": 1, "rule": "cosmetic", "why": "1 counts as absent"},
        {
            "path": "messages[0].content",
            "was": "2026-11-23",
            "now": "<date:1>",
            "rule": "date",
            "why": SCRUBBERS["date"].note,
        },
    ]
    assert explained == {
        "key": key,
        "variant": "json",
        "rules": '{"scrub":["date"]}',
        "found": "playable",
        "take": f"{key[:12]}:1",
        "content": {
            "method": "POST",
            "path": CHAT,
            "body": {"model": "m", "messages": [{"role": "user", "content": "Today is <date:1>."}]},
        },
    }


def test_a_request_that_was_recorded_is_told_to_play(desk: Desk) -> None:
    monday, tuesday = question(MONDAY), question(TUESDAY)
    desk.record(monday)
    desk.write("llmtape.toml", DATE)
    body = desk.write("body.json", tuesday.body)
    name = name_of(monday, Rules(scrub=("date",)))
    assert f"plays     {name}\n" in desk.told("explain", desk.tape, "--request", body)
    assert f"plays     {name}\n" in desk.told("explain", desk.tape, "--request", "-", fed=tuesday.body)
    assert desk.document("explain", desk.tape, "--request", "-", fed=tuesday.body)["take"] == name


def test_a_request_that_misses_is_told_with_the_nearest_and_the_rule_that_helps(desk: Desk) -> None:
    monday, tuesday = question(MONDAY), question(TUESDAY)
    desk.record(question("something else"), monday)
    text = desk.told("explain", desk.tape, "--request", "-", fed=tuesday.body)
    for fragment in (
        "misses    not_recorded\n",
        f"the nearest recording, {name_of(monday)}, differs in messages[0].content",
        "equal     under the rule date\n",
        'scrub = ["date"]\n',
        "nothing: it is in its one form as it was asked\n",
    ):
        assert fragment in text
    explained = desk.document("explain", desk.tape, "--request", "-", fed=tuesday.body)
    assert (explained["found"], explained["take"], explained["touches"]) == ("not_recorded", None, [])


def test_a_request_recorded_otherwise_is_told_by_its_variant(desk: Desk) -> None:
    desk.record(ask({"role": "user", "content": "Hi"}))
    stream = ask({"role": "user", "content": "Hi"}, stream=True)
    text = desk.told("explain", desk.tape, "--request", "-", fed=stream.body)
    assert "variant   sse\n" in text
    assert "misses    variant_not_recorded\n" in text
    assert "was recorded without a stream, and is asked for as a stream" in text
    explained = desk.document("explain", desk.tape, "--request", "-", fed=stream.body)
    assert (explained["variant"], explained["take"]) == ("sse", name_of(stream))


def test_a_recording_that_was_cut_off_is_told_not_to_play_unless_the_config_lets_it(desk: Desk) -> None:
    store(desk.tape, [taken(question(), answer(b'{"cho', outcome=Outcome.CUT))])
    name = name_of(question())
    text = desk.told("explain", desk.tape, name)
    assert "misses    recording_incomplete\n" in text
    assert f"the recording {name} is cut: the upstream broke it off" in text
    desk.write("llmtape.toml", '[replay]\nincomplete = "play"\n')
    assert f"plays     {name}\n" in desk.told("explain", desk.tape, name)


def test_a_recording_of_a_lane_is_told_as_it_plays_there(desk: Desk) -> None:
    whole, cut = answer(said("Yes.")), answer(b"{", outcome=Outcome.CUT)
    store(desk.tape, [taken(question(), cut, lane="test_a"), taken(question("b"), whole, lane="test_b")])
    assert "lane 'test_a'" in desk.told("explain", desk.tape, key_of(question()))
    assert f"plays     {name_of(question('b'))}" in desk.told("explain", desk.tape, key_of(question("b")))


def test_rules_of_the_config_are_told_where_they_touch_a_request(desk: Desk) -> None:
    desk.write(
        "llmtape.toml",
        '[rules]\nscrub = ["date"]\nignore_max_tokens = true\nmodels = { alias = "m" }\n'
        "[[rules.pattern]]\nname = \"ticket\"\npattern = 'T-(?P<value>\\d+)'\n"
        '[[rules.path]]\nname = "trace"\npath = "$.messages[*].name"\n',
    )
    asked = ask({"role": "user", "name": "ada", "content": f"{MONDAY} T-17"}, max_tokens=9)
    desk.record(asked)
    fed = asked.body.replace(b'"m"', b'"alias"')
    text = desk.told("explain", desk.tape, "--request", "-", fed=fed)
    for fragment in (
        "plays     ",
        f'date: {SCRUBBERS["date"].note}\n    messages[0].content  "2026-11-23" → "<date:1>"\n',
        'ticket: matches T-(?P<value>\\d+)\n    messages[0].content  "17" → "<ticket:1>"\n',
        'trace: the path $.messages[*].name is ignored\n    messages[0].name  "ada" → (absent)\n',
        f"rules.ignore_max_tokens: {OPTIONS['ignore_max_tokens']}\n    max_tokens  9 → (absent)\n",
        f'rules.models: {OPTIONS["models"]}\n    model  "alias" → "m"\n',
    ):
        assert fragment in text, text


@pytest.mark.parametrize("body", [b"", b"\xff\x00 no JSON", b"[" * 3000, b"null", b'"text"', b'{"messages": 7}'])
def test_a_body_of_any_form_is_explained(body: bytes, desk: Desk) -> None:
    path = "/v1/audio/transcriptions"
    desk.record(question())
    for options in ([], ["--path", path]):
        explained = desk.document("explain", desk.tape, "--request", "-", *options, fed=body)
        assert explained["found"] == "not_recorded"
        assert explained["content"]["path"] == (path if options else CHAT)
        assert desk.told("explain", desk.tape, "--request", "-", *options, fed=body)
    assert "body_sha256" in desk.document("explain", desk.tape, "--request", "-", fed=b"no JSON")["content"]


def test_a_secret_in_a_request_is_not_shown(desk: Desk) -> None:
    desk.record(question())
    fed = question(f"my key is {SECRET}").body
    for form in ([], ["--json"]):
        assert SECRET not in desk.told("explain", desk.tape, "--request", "-", *form, fed=fed)


def test_an_agents_many_tool_call_ids_are_all_told_under_one_reason(desk: Desk) -> None:
    turns = [
        message
        for turn in range(60)
        for message in (
            {"role": "assistant", "tool_calls": [{"id": f"id-{turn}", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": f"id-{turn}", "content": "ok"},
        )
    ]
    asked = ask({"role": "user", "content": "Go"}, *turns)
    desk.record(asked)
    text = desk.told("explain", desk.tape, key_of(asked), env=TERMINAL)
    assert text.count("tool call ids are renamed by first appearance") == 1
    assert text.count('" → "call_') == 120


# explain --rule


def test_a_rule_is_told_by_the_recordings_that_it_would_merge(desk: Desk) -> None:
    same = [question(MONDAY), question(TUESDAY)]
    desk.record(*same, question("other"))
    before = desk.tape.read_bytes()
    key = key_of(same[0], Rules(scrub=("date",)))
    assert desk.told("explain", desk.tape, "--rule", "date").splitlines() == [
        "2 of 3 recordings would get another key; 2 calls would merge into 1.",
        f"  {name_of(same[0])}, {name_of(same[1])} become takes of {key[:12]}, with the same answer",
        "",
        "To adopt the rule, write into llmtape.toml:",
        "",
        "  [rules]",
        '  scrub = ["date"]',
    ]
    assert desk.document("explain", desk.tape, "--rule", "date") == {
        "rule": "date",
        "rules": '{"scrub":["date"]}',
        "recordings": 3,
        "changed": 2,
        "merges": [{"key": key, "takes": [name_of(request) for request in same], "differs": False}],
    }
    assert desk.tape.read_bytes() == before


def test_a_rule_that_would_give_a_call_anothers_answer_says_so(desk: Desk) -> None:
    desk.record(question(MONDAY), question(TUESDAY), answers=["Monday.", "Tuesday."])
    assert "with different answers" in desk.told("explain", desk.tape, "--rule", "date")
    assert desk.document("explain", desk.tape, "--rule", "date")["merges"][0]["differs"] is True


def test_a_rule_that_touches_nothing_is_not_recommended(desk: Desk) -> None:
    desk.record(question())
    for rule in ("uuid", "sort_tools"):
        assert desk.told("explain", desk.tape, "--rule", rule) == (
            "No recording would get another key; no calls would merge.\n"
        )


def test_a_switch_may_be_tried_too(desk: Desk) -> None:
    desk.record(ask({"role": "developer", "content": "Hi"}), ask({"role": "system", "content": "Hi"}))
    text = desk.told("explain", desk.tape, "--rule", "developer_is_system")
    assert "1 of 2 recordings would get another key; 2 calls would merge into 1." in text
    assert "  developer_is_system = true" in text


def test_a_rule_that_is_in_force_is_told_by_what_it_does(desk: Desk) -> None:
    desk.write("llmtape.toml", f"{DATE}[[rules.pattern]]\nname = 'ticket'\npattern = 'T-\\d+'\n")
    desk.record(question(f"{MONDAY} T-1"), question(f"{MONDAY} T-2"), question(TUESDAY))
    for rule, changed, merged in (("date", 3, "no calls would merge"), ("ticket", 2, "2 calls would merge into 1")):
        head, *rest = desk.told("explain", desk.tape, "--rule", rule).splitlines()
        assert head == f"The rule {rule} is in force."
        assert rest[0] == f"{changed} of 3 recordings would get another key; {merged}."
        assert "write into" not in "".join(rest)
        assert desk.document("explain", desk.tape, "--rule", rule)["changed"] == changed


@pytest.mark.parametrize(("name", "words"), [("dte", "Is date meant?"), ("zzz", "Known are: workdir")])
def test_a_rule_that_is_not_known_is_a_usage_error_that_names_the_nearest(name: str, words: str, desk: Desk) -> None:
    desk.record(question())
    result = desk.run("explain", desk.tape, "--rule", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no rule {name!r}" in result.stderr
    assert words in result.stderr


def test_a_request_is_explained_with_the_header_fields_that_count(desk: Desk) -> None:
    desk.write("llmtape.toml", "[rules]\napi_key = true\nheaders = ['x-team']\n")
    desk.write("body.json", '{"model": "m"}')
    desk.record(question())
    asked = ("explain", desk.tape, "--request", "body.json")
    bare = desk.document(*asked)
    full = desk.document(*asked, "--header", "X-Team: ada", "--header", "Authorization: Bearer sk-planted-0123456789")
    assert full["key"] != bare["key"]
    assert set(full["content"]) - set(bare["content"]) == {"headers", "api_key"}
    assert "planted" not in str(full)


def test_a_miss_of_a_request_names_the_rules_that_know_the_folders_of_this_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.cli.keys.places", lambda: (("home", "/var/lib/ci"),))
    desk.record(question("Open /home/ada/notes.md"))
    desk.write("body.json", question("Open /var/lib/ci/notes.md").body.decode())
    assert '  scrub = ["home"]' in desk.told("explain", desk.tape, "--request", "body.json")


# lint


def test_where_nothing_is_volatile_lint_finds_nothing(desk: Desk) -> None:
    desk.record(question())
    assert desk.told("lint", desk.tape) == "No text that looks volatile is left uncovered.\n"
    assert desk.document("lint", desk.tape) == {"volatile": [], "lines": [], "conflicts": []}


@pytest.mark.parametrize("name", SCRUBBERS)
def test_each_kind_of_volatile_text_is_found_until_the_lines_that_are_told_stand_in_the_config(
    name: str, desk: Desk
) -> None:
    example = SCRUBBERS[name].example
    asked = ask(
        {"role": "user", "content": f"Working directory: {example}" if name == "workdir" else f"see {example} ok"}
    )
    desk.record(asked)
    found = desk.document("lint", desk.tape, status=1)
    (kind,) = found["volatile"]
    assert (kind["rule"], kind["path"], kind["take"], kind["count"]) == (name, "messages[0].content", name_of(asked), 1)
    assert kind["value"] in example
    text = desk.told("lint", desk.tape, status=1)
    assert f"1 time, the first in {name_of(asked)}, messages[0].content\n" in text
    desk.write("llmtape.toml", "\n".join(found["lines"]))
    desk.told("lint", desk.tape)


def test_what_lint_finds_again_and_again_is_told_once_with_its_count(desk: Desk) -> None:
    desk.record(question(f"{MONDAY} {TUESDAY}"), question(TUESDAY))
    assert desk.told("lint", desk.tape, status=1).splitlines() == [
        "date            2026-11-23",
        f"                3 times, the first in {name_of(question(f'{MONDAY} {TUESDAY}'))}, messages[0].content",
        "",
        "To let it not count, write into llmtape.toml:",
        "",
        "  [rules]",
        '  scrub = ["date"]',
        "",
        "and give what was recorded its new keys:",
        "",
        f"  llmtape rekey {desk.tape}",
    ]


def test_lint_reads_and_does_not_write(desk: Desk) -> None:
    before = desk.record(question(MONDAY)).read_bytes()
    desk.told("lint", desk.tape, status=1)
    desk.told("lint", desk.tape, desk.tape)
    assert desk.tape.read_bytes() == before
    assert files(desk.tape) == ["tape.sqlite"]


def run_of(day: str, session: str, ticket: str, took: int) -> list[Request]:
    """Ask what a test suite asks on each of its days."""
    call = {"id": f"call-{session}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        ask({"role": "system", "content": f"Today is {day}."}, {"role": "user", "content": "Say hello"}),
        ask({"role": "user", "content": f"Summarize Ticket-{ticket}, asked in {session}."}),
        ask(
            {"role": "user", "content": "How long does it take?"},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": json.dumps({"ok": True, "took_ms": took})},
        ),
        ask({"role": "user", "content": "The same each day"}),
    ]


def test_what_lint_tells_of_two_runs_makes_them_equal_once_it_is_done(desk: Desk) -> None:
    runs = {
        "monday.sqlite": run_of("2026-11-23", "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "1f20c8", 117),
        "tuesday.sqlite": run_of("2026-11-24", "0b5e8a52-51a6-4b33-a3b9-a1c4c0f2d9aa", "77ab31", 94),
    }
    for name, requests in runs.items():
        desk.record(*requests, name=name)
    told = desk.told("lint", *runs, status=1)
    assert told.startswith("1 call equal, 3 different, none without a counterpart.\n")
    assert "no rule makes equal" not in told
    _, _, advice = told.partition("To make all 3 equal, write into llmtape.toml:\n")
    lines, _, commands = advice.partition("and give what was recorded its new keys:\n")
    desk.write("llmtape.toml", dedent(lines))
    for command in commands.split("\n"):
        if command:
            assert "got another key" in desk.told(*command.split()[1:])
    assert desk.told("lint", *runs) == "4 calls equal, none different, none without a counterpart.\n"
    for request in runs["tuesday.sqlite"]:
        assert "plays     " in desk.told("explain", "monday.sqlite", "--request", "-", fed=request.body)


def test_what_no_rule_makes_equal_is_told_and_so_are_calls_without_a_counterpart(desk: Desk) -> None:
    one = desk.record(
        *(question(f"{MONDAY} Count to three."), Request("GET", "/v1/models"), question("the same")),
        name="one.sqlite",
    )
    other = desk.record(question(f"{TUESDAY} Count to three, please."), question("the same"), name="other.sqlite")
    text = desk.told("lint", one.name, other.name, status=1)
    assert text.startswith("1 call equal, 1 different, 1 without a counterpart.\n")
    assert f"calls in one.sqlite alone\n  {name_of(Request('GET', '/v1/models'))}\n" in text
    _, _, rest = text.partition("fields that no rule makes equal\n")
    assert rest.startswith("  messages[0].content\n")
    assert "Count to three{+, please+}." in rest
    compared = desk.document("lint", one.name, other.name, status=1)
    assert (compared["equal"], compared["pairs"], compared["solved"]) == (1, 1, 0)
    assert compared["alone"] == [name_of(Request("GET", "/v1/models"))]
    (left,) = compared["rest"]
    assert left["path"] == "messages[0].content"
    assert [left["take"], left["other"]] == [
        name_of(question(f"{MONDAY} Count to three.")),
        name_of(question(f"{TUESDAY} Count to three, please.")),
    ]


def test_a_call_that_only_one_run_has_is_a_difference(desk: Desk) -> None:
    one = desk.record(question(), name="one.sqlite")
    other = desk.record(question(), Request("GET", "/v1/models"), name="other.sqlite")
    text = desk.told("lint", one, other, status=1)
    assert text.startswith("1 call equal, none different, 1 without a counterpart.\n")
    assert f"calls in {other} alone\n" in text


# rekey


def keys_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("select key from interactions order by id")]


def test_a_dry_run_tells_what_would_change_and_changes_no_byte(desk: Desk) -> None:
    desk.record(question(MONDAY), question("other"))
    desk.write("llmtape.toml", DATE)
    before = desk.tape.read_bytes()
    for option in ("-n", "--dry-run"):
        assert desk.told("rekey", desk.tape, option) == (
            "1 of 2 recordings would get another key; no calls would merge.\n"
        )
    assert desk.document("rekey", desk.tape, "-n") == {"recordings": 2, "changed": 1, "written": False, "merges": []}
    assert desk.tape.read_bytes() == before
    assert files(desk.tape) == ["llmtape.toml", "tape.sqlite"]


def test_rekey_writes_the_keys_that_the_rules_make_and_then_has_nothing_to_do(desk: Desk) -> None:
    desk.record(question(MONDAY), question(TUESDAY))
    desk.write("llmtape.toml", DATE)
    text = desk.told("rekey", desk.tape)
    assert text.startswith("2 of 2 recordings got another key; 2 calls merged into 1.\n")
    assert keys_in(desk.tape) == [key_of(question(MONDAY), Rules(scrub=("date",)))] * 2
    after = desk.tape.read_bytes()
    assert desk.told("rekey", desk.tape) == (
        f"The keys in {desk.tape} are those that the rules make: there is nothing to change.\n"
    )
    assert desk.document("rekey", desk.tape) == {"recordings": 2, "changed": 0, "written": False, "merges": []}
    assert desk.tape.read_bytes() == after


def test_other_rules_part_again_what_rekey_merged(desk: Desk) -> None:
    desk.record(question(MONDAY), question(TUESDAY))
    config = desk.write("llmtape.toml", DATE)
    keys = keys_in(desk.tape)
    desk.told("rekey", desk.tape)
    config.unlink()
    assert desk.document("rekey", desk.tape)["changed"] == 2
    assert keys_in(desk.tape) == keys


def test_rules_that_change_no_key_are_written_all_the_same(desk: Desk) -> None:
    desk.record(question())
    desk.write("llmtape.toml", DATE)
    assert desk.told("rekey", desk.tape) == "No recording got another key; no calls merged.\n"
    assert "nothing to change" in desk.told("rekey", desk.tape)


@pytest.mark.parametrize("options", [[], ["-n"]])
def test_recordings_with_different_answers_are_not_merged_unless_it_is_forced(options: list[str], desk: Desk) -> None:
    desk.record(question(MONDAY), question(TUESDAY), answers=["Monday.", "Tuesday."])
    desk.write("llmtape.toml", DATE)
    before = desk.tape.read_bytes()
    refused = desk.run("rekey", desk.tape, *options)
    assert refused.exit_code == 1
    assert "2 of 2 recordings would get another key; 2 calls would merge into 1.\n" in refused.stdout
    assert "with different answers" in refused.stdout
    assert "--force writes all the same" in refused.stderr
    told = desk.run("rekey", desk.tape, *options, "--json")
    assert (told.exit_code, json.loads(told.stdout)["written"]) == (1, False)
    assert desk.tape.read_bytes() == before
    forced = desk.document("rekey", desk.tape, *options, "--force")
    assert (forced["written"], forced["merges"][0]["differs"]) == (not options, True)
    assert (desk.tape.read_bytes() == before) is bool(options)


def test_recordings_of_another_variant_or_lane_share_a_key_and_stay_apart(desk: Desk) -> None:
    days = [question(MONDAY), question(TUESDAY)]
    store(
        desk.tape,
        [taken(days[0], answer(said("a")), lane="a"), taken(days[1], answer(b"b"), variant=Variant.SSE)],
    )
    desk.write("llmtape.toml", DATE)
    assert desk.document("rekey", desk.tape) == {"recordings": 2, "changed": 2, "written": True, "merges": []}


# On a terminal


@pytest.mark.parametrize("width", [40, 80])
def test_prose_keeps_to_the_width_of_a_terminal_and_what_is_copied_stays_whole(width: int, desk: Desk) -> None:
    long = "/tmp/" + "x" * 300
    texts = [f"{day} Look at {long}/{day[-3]} and 日本語 " + "word " * 40 for day in (MONDAY, TUESDAY)]
    for name, text in zip(("one.sqlite", "other.sqlite"), texts, strict=True):
        desk.record(question(text), question(f"{text} again"), name=name)
    desk.write("llmtape.toml", EVERYTHING)
    empty = desk.write("empty.toml", "")
    for arguments in (
        ["explain", "one.sqlite", key_of(question(texts[0])), "--config", empty],
        ["explain", "one.sqlite", "--request", "-", "--config", empty],
        ["explain", "one.sqlite", "--rule", "said"],
        ["lint", "one.sqlite", "--config", empty],
        ["lint", "one.sqlite", "other.sqlite", "--config", empty],
        ["rekey", "one.sqlite", "-n"],
    ):
        ran = desk.run(*arguments, fed=question(texts[1]).body, env={**TERMINAL, "COLUMNS": str(width)})
        wide = [line for line in ran.stdout.splitlines() if cell_len(line) > width]
        assert [line for line in wide if not line.startswith(("  llmtape rekey ", "  pattern = "))] == []


def test_colour_is_for_terminals_alone(desk: Desk) -> None:
    desk.record(question(MONDAY))
    coloured = {"FORCE_COLOR": "1", "TERM": "xterm"}
    for arguments in (["lint", desk.tape], ["explain", desk.tape, "--rule", "date"]):
        assert "\x1b[32m" not in desk.run(*arguments).stdout
        assert "\x1b[32m" in desk.run(*arguments, env=coloured).stdout
        assert "\x1b[32m" not in desk.run(*arguments, env={**coloured, "NO_COLOR": "1"}).stdout
