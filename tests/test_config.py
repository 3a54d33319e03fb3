"""Where settings come from, which weighs more, and what is told of those that cannot be used."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.config import (
    Config,
    Loaded,
    environment_for_command,
    is_ci,
    load,
    places,
    pointed_at,
    rules_over,
    settings,
    variable,
)
from proxy.core.deck import Incomplete, Repeats
from proxy.core.errors import ConfigError
from proxy.core.keep import Errors
from proxy.core.rules import DEFAULT, PathAction, PathRule, Pattern, Rules

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.toml"


class Folder:
    """A folder with config files, and what is loaded from it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str, name: str = "llmtape.toml") -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def loaded(
        self, *, below: str = "", file: Path | None = None, env: dict[str, str] | None = None, **flags: Any
    ) -> Loaded:
        start = self.path / below
        start.mkdir(parents=True, exist_ok=True)
        named = {name.replace("__", "."): value for name, value in flags.items()}
        return load(named, file=file, folder=start, environment=env or {})

    def load(self, **more: Any) -> Config:
        return self.loaded(**more).config

    def refused(self, **more: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            self.load(**more)
        return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def value_of(config: Config, name: str) -> Any:
    value: Any = config
    for step in name.split("."):
        value = getattr(value, step)
    return value


def test_without_any_source_all_is_at_its_default(folder: Folder) -> None:
    assert folder.load() == Config()


@pytest.mark.parametrize(
    ("flag", "environment", "file", "expected"),
    [
        (1, "2", 3, 1),
        (None, "2", 3, 2),
        (None, None, 3, 3),
        (None, None, None, 8788),
        (0, "2", 3, 0),
        (1, None, None, 1),
    ],
)
def test_flags_weigh_more_than_the_environment_than_the_file_than_the_default(
    folder: Folder, flag: int | None, environment: str | None, file: int | None, expected: int
) -> None:
    if file is not None:
        folder.write(f"[server]\nport = {file}\n")
    env = {} if environment is None else {"LLMTAPE_SERVER_PORT": environment}
    assert folder.load(env=env, server__port=flag).server.port == expected


def test_sources_are_joined_setting_by_setting(folder: Folder) -> None:
    folder.write('upstream = "http://a/v1"\n[server]\nport = 1\ndrain_s = 2.0\n[replay]\npace = "3x"\n')
    config = folder.load(env={"LLMTAPE_SERVER_DRAIN_S": "4", "LLMTAPE_RECORD_ERRORS": "all"}, server__port=5)
    assert config == msgspec.convert(
        {
            "upstream": "http://a/v1",
            "server": {"port": 5, "drain_s": 4.0},
            "replay": {"pace": "3x"},
            "record": {"errors": "all"},
        },
        Config,
    )


# Which file


@pytest.mark.parametrize("below", ["", "a", "a/b/c"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("llmtape.toml", "[server]\nport = 7\n"), ("pyproject.toml", "[tool.llmtape.server]\nport = 7\n")],
)
def test_the_nearest_file_upward_is_read(folder: Folder, below: str, name: str, text: str) -> None:
    folder.write(text, name)
    assert folder.load(below=below).server.port == 7


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"llmtape.toml": "server.port = 1", "a/llmtape.toml": "server.port = 2"}, 2),
        ({"llmtape.toml": "server.port = 1", "a/pyproject.toml": "[project]\nname = 'x'"}, 1),
        ({"llmtape.toml": "server.port = 1", "a/pyproject.toml": "tool.llmtape.server.port = 2"}, 2),
        ({"llmtape.toml": "server.port = 1", "pyproject.toml": "tool.llmtape.server.port = 2"}, 1),
        ({"llmtape.toml": "server.port = 1", "a/b/pyproject.toml": "tool.llmtape.server.port = 2"}, 1),
        ({"llmtape.toml": "server.port = 1", "a/llmtape.toml": ""}, 8788),
        ({"llmtape.toml": "server.port = 1", "a/pyproject.toml": "[tool.llmtape]"}, 8788),
        ({"a/pyproject.toml": "[tool.ruff]\nline-length = 1"}, 8788),
    ],
)
def test_a_nearer_file_hides_one_that_is_further_up(folder: Folder, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        folder.write(text, name)
    assert folder.load(below="a").server.port == expected


def test_a_named_file_is_read_instead_of_the_nearest(folder: Folder) -> None:
    folder.write("server.port = 1")
    other = folder.write("server.port = 2", "other/strange.name")
    third = folder.write("server.port = 3", "third.toml")
    env = {"LLMTAPE_CONFIG": str(third)}
    assert folder.load(file=other, env=env).server.port == 2
    assert folder.load(env=env).server.port == 3


def test_a_named_pyproject_is_read_by_its_section(folder: Folder) -> None:
    file = folder.write("[project]\nname = 'x'\n[tool.llmtape]\nserver.port = 4\n", "pyproject.toml")
    assert folder.load(file=file).server.port == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"server = [", "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
        (b"cassette = 'a'\ncassette = 'b'\n", "is no TOML"),
        (None, "cannot read the config"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(folder: Folder, content: bytes | None, words: str) -> None:
    file = folder.path / "named.toml"
    if content is not None:
        file.write_bytes(content)
    told = folder.refused(file=file)
    assert words in told
    assert str(file) in told


# Paths


@pytest.mark.parametrize("name", ["llmtape.toml", "pyproject.toml"])
def test_paths_in_a_file_are_relative_to_it(folder: Folder, name: str) -> None:
    text = 'cassette = "tapes/a.sqlite"\ncassette_dir = "tapes"\n'
    folder.write(f"[tool.llmtape]\n{text}" if name == "pyproject.toml" else text, name)
    config = folder.load(below="a/b")
    assert Path(config.cassette) == folder.path / "tapes/a.sqlite"
    assert Path(config.cassette_dir) == folder.path / "tapes"


def test_an_absolute_path_in_a_file_stays(folder: Folder) -> None:
    folder.write(f'cassette = "{folder.path}/x.sqlite"')
    assert folder.load(below="a").cassette == f"{folder.path}/x.sqlite"


def test_paths_elsewhere_are_relative_to_where_one_stands(folder: Folder) -> None:
    folder.write("")
    assert folder.load(cassette="x.sqlite").cassette == "x.sqlite"
    assert folder.load(env={"LLMTAPE_CASSETTE": "y.sqlite"}).cassette == "y.sqlite"
    assert folder.load().cassette == Config().cassette


@pytest.mark.parametrize(
    ("file", "env", "flag", "expected"),
    [
        ("", {}, None, "no"),
        ('cassette = "x"', {}, None, "yes"),
        ("", {"LLMTAPE_CASSETTE": "x"}, None, "yes"),
        ("", {}, "x", "yes"),
        ('cassette_dir = "x"', {}, None, "no"),
    ],
)
def test_it_is_known_whether_a_cassette_was_named(
    folder: Folder, file: str, env: dict[str, str], flag: str | None, expected: str
) -> None:
    folder.write(file)
    assert folder.loaded(env=env, cassette=flag).names_cassette is (expected == "yes")


# What is refused


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        ("casette = 'x'", "casette", "cassette"),
        ("[server]\nprt = 1", "server.prt", "server.port"),
        ("[replay]\nrepeat = 'last'", "replay.repeat", "replay.repeats"),
        ("pace = 'instant'", "pace", "replay.pace"),
        ("[record]\npace = 'instant'", "record.pace", "replay.pace"),
        ("[sever]\nport = 1", "sever", "server"),
        ("[timeout]\nconnect_s = 1", "timeout", "timeouts"),
        ("tool.llmtape.server.port = 1", "tool", ""),
        ("upstream_key = 'sk'", "upstream_key", "upstream"),
    ],
)
def test_a_setting_that_is_not_known_is_an_error_that_names_the_nearest(
    folder: Folder, text: str, name: str, nearest: str
) -> None:
    file = folder.write(text)
    told = folder.refused()
    assert f"there is no setting {name}." in told
    assert str(file) in told
    assert nearest in told.partition("there is no setting")[2].replace(f" {name}.", "", 1)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("LLMTAPE_SERVER_PRT", "LLMTAPE_SERVER_PORT"),
        ("LLMTAPE_PACE", "LLMTAPE_REPLAY_PACE"),
        ("LLMTAPE_CASETTE", "LLMTAPE_CASSETTE"),
        ("LLMTAPE_", ""),
    ],
)
def test_a_variable_that_is_not_known_is_an_error_that_names_the_nearest(
    folder: Folder, key: str, nearest: str
) -> None:
    told = folder.refused(env={key: "1"})
    assert f"there is no {key}." in told
    assert nearest in told.partition("there is no")[2].replace(f" {key}.", "", 1)


@pytest.mark.parametrize("key", ["LLMTAPEX", "llmtape_server_port", "OPENAI_API_KEY", "TAPE_SERVER_PORT"])
def test_variables_of_others_are_no_concern(folder: Folder, key: str) -> None:
    assert folder.load(env={key: "7"}) == Config()


BAD = [
    ("server.port", -1),
    ("server.port", 65536),
    ("server.port", "x"),
    ("server.port", 1.5),
    ("server.port", True),
    ("server.body_limit", 0),
    ("server.drain_s", -0.1),
    ("server.drain_s", "soon"),
    ("server.hosts", "one"),
    ("server.hosts", [1]),
    ("timeouts.connect_s", 0),
    ("timeouts.silence_s", -1),
    ("record.errors", "some"),
    ("replay.repeats", "never"),
    ("replay.incomplete", "maybe"),
    ("redact.responses", "perhaps"),
    ("cassette", 5),
    ("upstream", ["x"]),
]


def toml(name: str, value: Any) -> str:
    return f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}"


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_value_that_does_not_fit_is_told_by_its_name(folder: Folder, name: str, value: Any) -> None:
    file = folder.write(toml(name, value))
    told = folder.refused()
    assert name in told
    assert str(file) in told


# Any text will do for a text or a list, and `True` is a number to nobody who writes variables.
BAD_TEXTS = [
    (name, value)
    for name, value in BAD
    if isinstance(value, int | str) and value is not True and name not in {"cassette", "server.hosts"}
]


@pytest.mark.parametrize(("name", "value"), BAD_TEXTS)
def test_a_variable_that_does_not_fit_is_told_by_its_name(folder: Folder, name: str, value: Any) -> None:
    assert variable(name) in folder.refused(env={variable(name): str(value)})


@pytest.mark.parametrize("section", ["server", "timeouts", "record", "replay", "redact"])
@pytest.mark.parametrize("source", ["file alone", "flag", "environment"])
def test_a_section_that_is_none_is_told_and_not_stumbled_over(folder: Folder, section: str, source: str) -> None:
    folder.write(f"{section} = 5")
    name = next(name for name, kind, _ in settings() if name.startswith(section) and kind != tuple[str, ...])
    default = str(value_of(Config(), name))
    sources: dict[str, dict[str, Any]] = {
        "file alone": {},
        "flag": {name.replace(".", "__"): default},
        "environment": {"env": {variable(name): default}},
    }
    more = sources[source]
    assert section in folder.refused(**more)


@pytest.mark.parametrize("name", ["server.drain_s", "timeouts.connect_s", "timeouts.silence_s"])
def test_a_time_that_is_no_number_is_refused(folder: Folder, name: str) -> None:
    folder.write(f"{name} = nan")
    assert name in folder.refused()


@pytest.mark.parametrize("pace", ["", "fast", "0x", "x", "-1x", "10 x", "0tps", "infx", "1e3x"])
def test_a_pace_that_is_none_is_refused(folder: Folder, pace: str) -> None:
    assert "instant, recorded, a factor such as 10x, or 50tps" in folder.refused(replay__pace=pace)


def test_a_pattern_that_is_no_regular_expression_is_refused(folder: Folder) -> None:
    folder.write("[redact]\npatterns = ['ok', '(']")
    assert "redact.patterns: '(' is no regular expression" in folder.refused()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.local", "", "127.0.0.1.example.com"])
@pytest.mark.parametrize(
    ("token", "hosts"), [("", ""), ("secret", ""), ("", "box.local")], ids=["neither", "token", "hosts"]
)
def test_listening_beyond_loopback_takes_a_token_and_hosts(folder: Folder, host: str, token: str, hosts: str) -> None:
    env = {"LLMTAPE_SERVER_TOKEN": token, "LLMTAPE_SERVER_HOSTS": hosts}
    told = folder.refused(env=env, server__host=host)
    assert "server.token" in told
    assert "server.hosts" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "LOCALHOST"])
def test_listening_on_loopback_takes_neither(folder: Folder, host: str) -> None:
    assert folder.load(server__host=host).server.host == host


def test_listening_beyond_loopback_is_allowed_with_both(folder: Folder) -> None:
    folder.write('[server]\nhost = "0.0.0.0"\ntoken = "t"\nhosts = ["box.local"]')
    assert folder.load().server.hosts == ("box.local",)


# Variables


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("cassette", "a b.sqlite", "a b.sqlite"),
        ("server.port", "0", 0),
        ("server.drain_s", "0.5", 0.5),
        ("server.token", "123", "123"),
        ("server.hosts", "one", ("one",)),
        ("server.hosts", " one, two ,,", ("one", "two")),
        ("server.hosts", "", ()),
        ("record.errors", "all", Errors.ALL),
        ("record.keep_headers", "x-a,x-b", ("x-a", "x-b")),
        ("replay.repeats", "cycle", Repeats.CYCLE),
        ("replay.incomplete", "play", Incomplete.PLAY),
        ("redact.responses", "true", True),
        ("redact.responses", "0", False),
    ],
)
def test_a_variable_is_read_as_its_settings_type(folder: Folder, name: str, text: str, expected: Any) -> None:
    value = value_of(folder.load(env={variable(name): text}), name)
    assert value == expected
    assert type(value) is type(expected)


def test_each_setting_has_a_variable_of_its_own() -> None:
    names = [name for name, _, _ in settings()]
    assert len({variable(name) for name in names}) == len(names)
    assert variable("server.port") == "LLMTAPE_SERVER_PORT"


@pytest.mark.parametrize(("text", "expected"), [("sk-1", "sk-1"), ("", None), (None, None)])
def test_the_upstreams_key_comes_from_the_environment(folder: Folder, text: str | None, expected: str | None) -> None:
    env = {} if text is None else {"OPENAI_API_KEY": text}
    assert folder.loaded(env=env).upstream_key == expected


def test_the_real_environment_is_read_where_none_is_given(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMTAPE_SERVER_PORT", "4321")
    assert load({}, folder=folder.path).config.server.port == 4321


def test_a_commands_environment_points_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere/v1")
    monkeypatch.setenv("UNRELATED", "stays")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    url = "http://127.0.0.1:5/v1"
    given = environment_for_command(url, key="dummy")
    assert (given["OPENAI_BASE_URL"], given["OPENAI_API_BASE"], given["OPENAI_API_KEY"]) == (url, url, "dummy")
    assert given["UNRELATED"] == "stays"
    assert "OPENAI_API_KEY" not in environment_for_command(url)
    monkeypatch.setenv("OPENAI_API_KEY", "own")
    assert environment_for_command(url, key="dummy")["OPENAI_API_KEY"] == "own"
    assert environment_for_command(url, key="dummy", token="shown")["OPENAI_API_KEY"] == "shown"
    assert os.environ["OPENAI_BASE_URL"] == "https://elsewhere/v1"


URL = "http://127.0.0.1:5/v1"
POINTED = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY", "LLMTAPE_URL", "NO_PROXY", "no_proxy")
AZURE = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which no SDK is pointed anywhere."""
    for name in (*POINTED, *AZURE):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_this_process_is_pointed_to_the_proxy_for_as_long_as_a_block_lasts(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("OPENAI_BASE_URL", "https://elsewhere/v1")
    before = dict(os.environ)
    with pointed_at(URL, key="dummy"):
        assert (os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_BASE"]) == (URL, URL)
        assert os.environ["OPENAI_API_KEY"] == "dummy"
        assert os.environ["LLMTAPE_URL"] == "http://127.0.0.1:5"
        assert "127.0.0.1" in os.environ["NO_PROXY"]
        assert not set(AZURE) & os.environ.keys()
    assert dict(os.environ) == before


def test_this_process_is_pointed_back_where_a_block_fails(bare: pytest.MonkeyPatch) -> None:
    del bare
    before = dict(os.environ)
    with suppress(KeyError), pointed_at(URL):
        raise KeyError
    assert dict(os.environ) == before


def test_blocks_may_stand_in_each_other(bare: pytest.MonkeyPatch) -> None:
    del bare
    with pointed_at(URL):
        with pointed_at("http://127.0.0.1:5/@:a/v1", root="http://127.0.0.1:5"):
            assert os.environ["OPENAI_BASE_URL"] == "http://127.0.0.1:5/@:a/v1"
            assert os.environ["LLMTAPE_URL"] == "http://127.0.0.1:5"
        assert os.environ["OPENAI_BASE_URL"] == URL
    assert not set(POINTED) & os.environ.keys()


@pytest.mark.parametrize(("own", "expected"), [("own", "own"), ("", "dummy"), (None, "dummy")])
def test_offline_the_sdks_of_azure_are_pointed_there_too(
    bare: pytest.MonkeyPatch, own: str | None, expected: str
) -> None:
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        if own is not None:
            bare.setenv(name, own)
    with pointed_at(URL, key="dummy", is_offline=True):
        assert os.environ["AZURE_OPENAI_ENDPOINT"] == "http://127.0.0.1:5"
        assert os.environ["OPENAI_API_KEY"] == os.environ["AZURE_OPENAI_API_KEY"] == expected
    assert os.environ.get("AZURE_OPENAI_API_KEY") == own


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *[(value, True) for value in ("true", "1", "True", "yes", "woodpecker")],
        *[(value, False) for value in ("", " ", "0", "false", "FALSE", "no", None)],
    ],
)
def test_it_is_ci_where_the_variable_says_so(
    monkeypatch: pytest.MonkeyPatch, value: str | None, *, expected: bool
) -> None:
    assert is_ci({} if value is None else {"CI": value}) is expected
    if value is None:
        monkeypatch.delenv("CI", raising=False)
    else:
        monkeypatch.setenv("CI", value)
    assert is_ci() is expected


# Rules


def test_some_rules_are_set_over_others() -> None:
    rules = Rules(scrub=("date",), pattern=(Pattern(name="a", pattern="x"),))
    assert rules_over(rules, {"sort_tools": True, "scrub": ["uuid"]}, "here") == Rules(
        scrub=("uuid",), sort_tools=True, pattern=(Pattern(name="a", pattern="x"),)
    )
    assert rules_over(rules, {}, "here") == rules


@pytest.mark.parametrize(
    "values",
    [
        {"sort_tool": True},
        {"sort_tools": "yes"},
        {"scrub": ["dates"]},
        {"pattern": [{"name": "a", "pattern": "("}]},
        {"path": [{"name": "a", "path": "$.x", "act": "drop"}]},
    ],
)
def test_rules_that_cannot_be_are_refused_with_their_source(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="here"):
        rules_over(DEFAULT, values, "here")


RULES = """
cassette = "uid.sqlite"

[rules]
scrub = [
  "uuid",
  "uid",
]

[[rules.pattern]]
name = "session"
pattern = 'session-\\w+'
restore = true

[[rules.path]]
name = "trace"
path = "$.messages[*].content.trace"
action = "replace"
"""


def test_rules_are_read_from_tables(folder: Folder) -> None:
    folder.write(RULES.replace('  "uid",\n', ""))
    rules = folder.load().rules
    assert rules.scrub == ("uuid",)
    assert rules.pattern == (Pattern(name="session", pattern=r"session-\w+", restore=True),)
    assert rules.path == (PathRule(name="trace", path="$.messages[*].content.trace", action=PathAction.REPLACE),)


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("", "", 7, "there is no scrubber 'uid'. Is uuid meant?"),
        (r"session-\w+", "session-(", 12, "rules.pattern 'session': 'session-(' is no regular expression: missing )"),
        ("$.messages[*].content.trace", "$.messages[", 17, "rules.path 'trace': '$.messages[' is no JSON path: "),
        ('name = "trace"', 'name = "session"', 11, "the name 'session' is taken"),
        ('name = "trace"', 'name = "The trace"', 16, "'The trace' is no name"),
    ],
)
def test_a_rule_that_cannot_be_made_is_told_with_its_line(
    folder: Folder, old: str, new: str, line: int, told: str
) -> None:
    text = RULES.replace(old, new) if old else RULES
    file = folder.write(text if not old else text.replace('  "uid",\n', '  "date",\n'))
    error = folder.refused()
    assert error.startswith(f"{file}, line {line}: ")
    assert told in error


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("pattern = 's", "patern = 's", "there is no setting rules.pattern.patern. Is rules.pattern"),
        ('scrub = ["uuid"]', 'scrubs = ["uuid"]', "there is no setting rules.scrubs. Is rules.scrub meant?"),
        (
            'action = "replace"',
            'action = "drop"',
            "rules.path[0].action: invalid enum value 'drop': say ignore or replace",
        ),
        ('name = "session"\n', "", "rules.pattern[0]: object missing required field `name`"),
        ("[rules]", "rules = 5\n[redact]", "rules"),
        ("[rules]", "[rules]\nmodels = { a = 5 }", "rules.models"),
    ],
)
def test_a_table_of_rules_that_is_none_is_told(folder: Folder, old: str, new: str, told: str) -> None:
    text = RULES.replace('scrub = [\n  "uuid",\n  "uid",\n]', 'scrub = ["uuid"]').replace(old, new)
    folder.write(text)
    assert told in folder.refused()


def test_rules_come_from_the_environment_too(folder: Folder) -> None:
    pattern = '[{"name": "a", "pattern": "x{2}"}]'
    env = {"LLMTAPE_RULES_SCRUB": "uuid, date", "LLMTAPE_RULES_PATTERN": pattern, "LLMTAPE_RULES_MODELS": '{"a": "b"}'}
    rules = folder.load(env=env).rules
    assert (rules.scrub, rules.pattern, rules.models) == (
        ("uuid", "date"),
        (Pattern(name="a", pattern="x{2}"),),
        {"a": "b"},
    )
    assert "there is no scrubber 'uid'" in folder.refused(env={"LLMTAPE_RULES_SCRUB": "uid"})
    assert "rules.pattern.nam" in folder.refused(env={"LLMTAPE_RULES_PATTERN": '[{"nam": "a"}]'})
    assert "LLMTAPE_RULES_MODELS" in folder.refused(env={"LLMTAPE_RULES_MODELS": "gpt"})


def test_the_folders_of_this_process_are_the_current_one_and_the_home(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.path)
    assert places({"HOME": "/home/ada/"}) == (("workdir", str(folder.path)), ("home", "/home/ada"))
    assert places({"HOME": "/"}) == (("workdir", str(folder.path)),)


# The example


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return found


def test_the_example_shows_every_setting_at_its_default_and_no_other() -> None:
    shown = flat(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))
    defaults = {name: msgspec.to_builtins(default) for name, _, default in settings()}
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in shown.items()} == {
        name: tuple(value) if isinstance(value, list) else value for name, value in defaults.items()
    }
    assert list(shown) == list(defaults)


def test_the_example_is_a_config(folder: Folder) -> None:
    copy = folder.write(EXAMPLE.read_text(encoding="utf-8"))
    config = folder.load(file=copy)
    assert msgspec.structs.replace(config, cassette="", cassette_dir="") == Config(cassette="", cassette_dir="")


@pytest.mark.parametrize("deep", ["[" * 3000, "{a=" * 3000])
def test_a_file_that_is_nested_too_deep_is_told(folder: Folder, deep: str) -> None:
    folder.write(f"cassette = {deep}")
    assert "is no TOML" in folder.refused()
