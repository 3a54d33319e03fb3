"""Which rules can be made, and how a cassette carries them."""

from __future__ import annotations

import tomllib

import pytest

from proxy.core.errors import ConfigError, RuleError
from proxy.core.rules import DEFAULT, OPTIONS, SWITCHES, PathAction, PathRule, Pattern, Rules, added, check, read


def test_the_defaults_are_no_rules() -> None:
    assert DEFAULT.text == "{}"
    check(DEFAULT)


def test_a_cassette_carries_what_makes_the_keys_in_one_spelling() -> None:
    one = Rules(scrub=("uuid", "date"), headers=("X-Tenant",), models={"b": "a"})
    other = Rules(scrub=("date", "uuid", "date"), headers=("x-tenant",), models={"b": "a"})
    assert one.text == other.text == '{"headers":["x-tenant"],"models":{"b":"a"},"scrub":["date","uuid"]}'


@pytest.mark.parametrize(
    "rules",
    [
        Rules(scrub=("uuid",)),
        Rules(developer_is_system=True),
        Rules(sort_tools=True),
        Rules(ignore_max_tokens=True),
        Rules(models={"a": "b"}),
        Rules(query=("a",)),
        Rules(headers=("a",)),
        Rules(api_key=True),
        Rules(pattern=(Pattern(name="a", pattern="x"),)),
        Rules(path=(PathRule(name="a", path="$.x"),)),
        Rules(path=(PathRule(name="a", path="$.x", action=PathAction.REPLACE),)),
    ],
)
def test_every_choice_that_makes_keys_is_carried(rules: Rules) -> None:
    check(rules)
    assert rules.text != "{}"


def test_what_only_restores_is_not_carried() -> None:
    assert Rules(restore=True).text == "{}"
    assert Rules(pattern=(Pattern(name="a", pattern="x", restore=True),)).text == (
        Rules(pattern=(Pattern(name="a", pattern="x"),)).text
    )


def test_a_pattern_may_restore_or_not_whatever_the_others_do() -> None:
    rules = Rules(restore=True, pattern=(Pattern(name="a", pattern="x", restore=False), Pattern(name="b", pattern="y")))
    assert [rules.restores(name) for name in ("uuid", "a", "b")] == [True, False, True]


def test_the_order_of_patterns_counts_since_the_first_takes_its_part() -> None:
    one, other = Pattern(name="a", pattern="x"), Pattern(name="b", pattern="xy")
    assert Rules(pattern=(one, other)).text != Rules(pattern=(other, one)).text


@pytest.mark.parametrize(
    ("rules", "told", "value"),
    [
        (Rules(scrub=("uid",)), "no scrubber 'uid'. Is uuid meant?", "uid"),
        (Rules(scrub=("everything",)), "Known are: workdir, ", "everything"),
        (Rules(pattern=(Pattern(name="a", pattern="(x"),)), "is no regular expression: missing )", "(x"),
        (Rules(pattern=(Pattern(name="a", pattern="x*"),)), "takes the empty text", "x*"),
        (
            Rules(pattern=(Pattern(name="a", pattern="a{99999999999999}"),)),
            "is no regular expression",
            "a{99999999999999}",
        ),
        (Rules(pattern=(Pattern(name="a", pattern="(?P<val>x)"),)), "none is named 'value'", "(?P<val>x)"),
        (Rules(path=(PathRule(name="a", path="$"),)), "names the whole body", "$"),
        (Rules(path=(PathRule(name="a", path="$.["),)), "'$.[' is no JSON path: ", "$.["),
        (Rules(pattern=(Pattern(name="uuid", pattern="x"),)), "the name 'uuid' is taken", "uuid"),
        (Rules(pattern=(Pattern(name="a b", pattern="x"),)), "'a b' is no name", "a b"),
        (
            Rules(pattern=(Pattern(name="a", pattern="x"),), path=(PathRule(name="a", path="$.x"),)),
            "the name 'a' is taken",
            "a",
        ),
        (Rules(query=("api-key",)), "'api-key' bears a credential", "api-key"),
        (Rules(models={"a": "b", "b": "c"}), "'a' counts as 'b', which counts as another itself", "a"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_is_at_fault(rules: Rules, told: str, value: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(rules)
    assert told in str(caught.value)
    assert caught.value.value == value
    assert isinstance(caught.value, ConfigError)


def test_every_option_is_a_choice() -> None:
    assert all(hasattr(DEFAULT, name) for name in OPTIONS)


def test_a_rule_is_adopted_by_its_name() -> None:
    assert Rules(scrub=("uuid",)).adopting("date").scrub == ("uuid", "date")
    assert Rules(scrub=("uuid",)).adopting("uuid").scrub == ("uuid",)
    assert all(getattr(DEFAULT.adopting(name), name) for name in SWITCHES)
    with pytest.raises(RuleError, match=r"there is no rule 'dat'\. Is date meant"):
        DEFAULT.adopting("dat")


def test_what_rules_have_more_is_written_as_a_config_that_reads_so() -> None:
    before = Rules(scrub=("uuid",), pattern=(Pattern(name="a", pattern="x"),), developer_is_system=True)
    more = Rules(
        scrub=("uuid", "date"),
        developer_is_system=True,
        sort_tools=True,
        models={'a"b': "c"},
        pattern=(*before.pattern, Pattern(name="b", pattern=r"it's \d+"), Pattern(name="c", pattern=r"run \d+")),
        path=(PathRule(name="d", path="$['x']", action=PathAction.REPLACE),),
    )
    text = "\n".join(added(before, more))
    read = tomllib.loads(text)["rules"]
    assert read["scrub"] == ["uuid", "date"]
    assert read["sort_tools"] is True
    assert "developer_is_system" not in read
    assert read["models"] == {'a"b': "c"}
    assert [rule["pattern"] for rule in read["pattern"]] == [r"it's \d+", r"run \d+"]
    assert r"pattern = 'run \d+'" in text
    assert read["path"] == [{"name": "d", "path": "$['x']", "action": "replace"}]
    assert added(before, before) == []


@pytest.mark.parametrize(
    "rules",
    [
        DEFAULT,
        Rules(scrub=("date", "uuid"), developer_is_system=True, sort_tools=True, ignore_max_tokens=True, api_key=True),
        Rules(models={"alias": "model"}, query=("a",), headers=("x-tenant",)),
        Rules(
            pattern=(Pattern(name="run", pattern=r"run (?P<value>\d+)"),),
            path=(PathRule(name="at", path="$.at"), PathRule(name="by", path="$.by", action=PathAction.REPLACE)),
        ),
    ],
)
def test_what_a_cassette_carries_is_read_again(rules: Rules) -> None:
    assert read(rules.text).text == rules.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"x"',
        '{"magic":true}',
        '{"scrub":["moon"]}',
        '{"scrub":7}',
        '{"pattern":[["a"]]}',
        '{"pattern":[["a","("]]}',
        '{"pattern":7}',
        '{"path":[["a","$","burn"]]}',
        '{"models":[1]}',
        '{"query":[7]}',
        '{"query":"ab"}',
        '{"headers":[7]}',
        '{"restore":true}',
        '{ "api_key":true}',
        "{" * 5000,
    ],
)
def test_what_no_version_writes_is_no_rules(text: str) -> None:
    with pytest.raises(RuleError):
        read(text)
