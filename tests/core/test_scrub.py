"""Volatile text: replaced alike, restored to what it was, and nothing beside it lost."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Request
from proxy.core.normalize import Canonical, normalize
from proxy.core.rules import Pattern, Rules
from proxy.core.scrubbers import SCRUBBERS
from tests.core.scrubbing import ALL, PATTERNS, SCRUBBING, TEXTS, bodies, unscrubbed

if TYPE_CHECKING:
    from proxy.core.model import Headers

CHAT = "/v1/chat/completions"
EVERY = Rules(scrub=tuple(SCRUBBERS))
ONE = "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55"
OTHER = "0b9a3c52-1d2e-4f60-8a7b-9c0d1e2f3a4b"


def asked(body: Any, rules: Rules = EVERY, headers: Headers = ()) -> Canonical:
    return normalize(Request("POST", CHAT, headers=headers, body=json.dumps(body).encode()), rules)


def said(*texts: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text} for text in texts], **more}


def texts_of(form: Canonical) -> list[Any]:
    return [message.get("content") for message in form.content["body"]["messages"]]


@settings(deadline=None, max_examples=200)
@given(bodies(), ALL)
def test_normalizing_twice_under_any_rules_changes_nothing_more(body: dict[str, Any], rules: Rules) -> None:
    once = asked(body, rules)
    again = asked(once.content["body"], rules)
    assert again.content == once.content
    assert again.key == once.key


@settings(deadline=None, max_examples=200)
@given(bodies(), SCRUBBING)
def test_what_was_scrubbed_can_be_put_back_so_that_nothing_else_is_lost(body: dict[str, Any], rules: Rules) -> None:
    assert unscrubbed(asked(body, rules)) == asked(body, Rules()).content["body"]


@settings(deadline=None, max_examples=200)
@given(bodies(), st.data())
def test_the_order_of_names_in_a_body_never_counts(body: dict[str, Any], data: st.DataObject) -> None:
    rules = data.draw(ALL)
    assert asked(_shuffled(body, data), rules).content == asked(body, rules).content


def _shuffled(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict):
        names = data.draw(st.permutations(sorted(value))) if "properties" not in value else list(value)
        keep = "type" in value and "description" in value  # a property: its place in `properties` counts
        return {name: value[name] if keep or name == "properties" else _shuffled(value[name], data) for name in names}
    return [_shuffled(item, data) for item in value] if isinstance(value, list) else value


def test_the_same_value_gets_the_same_number_across_messages() -> None:
    form = asked(said(f"{ONE} and {OTHER}", f"{OTHER}, {ONE}"))
    assert texts_of(form) == ["<uuid:1> and <uuid:2>", "<uuid:2>, <uuid:1>"]
    assert asked(said(f"{OTHER} and {ONE}", f"{ONE}, {OTHER}")).key == form.key
    assert asked(said(f"{ONE} and {OTHER}", f"{ONE}, {OTHER}")).key != form.key
    assert asked(said(f"{ONE} and {ONE}", f"{ONE}, {ONE}")).key != form.key


def test_a_placeholder_that_a_prompt_spells_itself_is_a_value_of_its_own() -> None:
    assert texts_of(asked(said(f"<uuid:1> {ONE}"))) == ["<uuid:1> <uuid:2>"]
    assert asked(said(f"<uuid:1> {ONE}")).key != asked(said(f"{ONE} {ONE}")).key
    assert texts_of(asked(said("<uuid:7>"), Rules(scrub=("date",)))) == ["<uuid:7>"]


def test_texts_are_scrubbed_wherever_a_model_reads_them() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"a": [f"x {ONE}"]})}}
    tool = {"type": "function", "function": {"name": "f", "description": ONE, "parameters": {"default": ONE}}}
    body = {
        "model": "m",
        "messages": [
            {"role": "user", "name": ONE, "content": [{"type": "text", "text": ONE}, {"type": "text", "text": "x"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"http://x/{ONE}"}}]},
            {"role": "assistant", "tool_calls": [call], "reasoning_content": ONE},
            {"role": "tool", "tool_call_id": "c", "content": json.dumps({ONE: f"\n{ONE}"})},
        ],
        "tools": [tool],
        "prediction": {"type": "content", "content": ONE},
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"description": ONE}}},
    }
    form = asked(body)
    assert ONE not in json.dumps(form.content)
    assert {scrubbed.placeholder for scrubbed in form.scrubbed} == {"<uuid:1>"}
    assert {scrubbed.path for scrubbed in form.scrubbed} >= {
        "messages[0].content[0].text",
        "messages[2].tool_calls[0].function.arguments.a[0]",
        "tools[0].function.parameters.default",
        "prediction.content",
    }


@pytest.mark.parametrize("name", ["model", "seed", "stop", "user"])
def test_what_is_no_text_for_the_model_is_not_scrubbed(name: str) -> None:
    kept = asked(said("x") | {name: f"m-{ONE}"}).content["body"].get(name)
    assert kept in ([f"m-{ONE}"], f"m-{ONE}", None)


def test_the_apis_own_words_and_digests_are_no_text() -> None:
    rules = Rules(pattern=(Pattern(name="any", pattern=r"[\w:]+"),))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}}
    (message,) = asked({"messages": [{"role": "user", "content": [image]}]}, rules).content["body"]["messages"]
    assert message["role"] == "user"
    assert message["content"][0]["image_url"]["detail"] == "low"
    assert len(message["content"][0]["image_url"]["url"]["sha256"]) == 64


def test_a_number_in_the_json_of_a_tool_result_is_told_from_a_text() -> None:
    def result(value: Any) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "tool", "content": json.dumps({"at": value})}]}

    assert texts_of(asked(result(1764063000))) == ['{"at":"<unix-time:#1>"}']
    assert asked(result(1764063000)).key == asked(result(1764063001)).key
    assert asked(result(1764063000)).key != asked(result("1764063000")).key
    assert asked(result(5)).key != asked(result(6)).key


def test_names_in_the_json_of_a_tool_result_are_scrubbed_in_an_order_that_no_run_changes() -> None:
    def result(*names: str) -> dict[str, Any]:
        files = {f"/tmp/{name}/a.py": "x" for name in names} | {"0": "y", "z": "w"}
        return {"model": "m", "messages": [{"role": "tool", "content": json.dumps(files)}]}

    form = asked(result("tmp1", "tmp2"))
    assert texts_of(form) == ['{"0":"y","<tmp-path:1>/a.py":"x","<tmp-path:2>/a.py":"x","z":"w"}']
    assert asked(result("tmp9", "tmp3")).key == form.key
    assert asked(form.content["body"]).key == form.key


def test_objects_by_ids_are_ordered_by_what_they_hold_and_not_by_chance() -> None:
    def result(apple: str, pear: str) -> dict[str, Any]:
        return {"messages": [{"role": "tool", "content": json.dumps({apple: "an apple", pear: "a pear"})}]}

    assert asked(result(ONE, OTHER)).key == asked(result(OTHER, ONE)).key


def test_a_pattern_may_replace_a_part_of_what_it_finds() -> None:
    rules = Rules(pattern=(Pattern(name="session", pattern=r"session (?P<value>\w+)"),))
    assert texts_of(asked(said("session ab12 of ab12"), rules)) == ["session <session:1> of ab12"]


def test_a_users_pattern_comes_before_the_scrubbers() -> None:
    rules = Rules(scrub=("uuid",), pattern=(Pattern(name="job", pattern=r"job-[0-9a-f-]+"),))
    assert texts_of(asked(said(f"job-{ONE}, {ONE}"), rules)) == ["<job:1>, <uuid:1>"]


FOLDERS = (("llmtape:workdir", "/home/ada/shop"), ("llmtape:home", "/home/ada"))


@pytest.mark.parametrize(
    ("rules", "one", "other"),
    [
        (EVERY, "delete /home/ada/shop/tmp/a.txt", "delete /home/ada/shop/tmp/keep.txt"),
        (EVERY, "fix /home/ada/shop/home/index.html", "fix /home/ada/shop/home/about.html"),
        (EVERY, "rm /tmp/a/tmp/b.txt", "rm /tmp/a/tmp/c.txt"),
        (EVERY, "/tmp/root1/home/ada", "/tmp/root1/home/bob"),
        (EVERY, "On Nov 25, 2026 09:30 BUY 100 shares", "On Nov 25, 2026 09:30 SELL 100 shares"),
        (EVERY, "2026-11-25 09:30 -1500 EUR", "2026-11-25 09:30 +2000 EUR"),
        (EVERY, "#define N 0x100000", "#define N 0x200000"),
        (r"^\S+\s", "10:00 cats are ok", "11:00 dogs were ok"),
        (r"(?m)^\d+ ", "1 2 3 apples", "1 9 4 apples"),
        (r"(?<!\d)\d{4}", "order 12345678", "order 12349999"),
        (r" ?\w$", "a b c", "x y z"),
    ],
)
def test_no_cut_makes_an_edge_at_which_a_rule_takes_more(rules: Rules | str, one: str, other: str) -> None:
    if isinstance(rules, str):
        rules = Rules(pattern=(Pattern(name="own", pattern=rules), Pattern(name="n", pattern=r"(?<=x)\d(?!1)")))
    assert asked(said(one), rules, FOLDERS).key != asked(said(other), rules, FOLDERS).key


@settings(deadline=None, max_examples=200)
@given(TEXTS, st.sampled_from(PATTERNS))
def test_a_pattern_takes_what_it_matches_in_the_text_and_nothing_else(text: str, pattern: Pattern) -> None:
    text = text.replace("\r\n", "\n").replace(f"<{pattern.name}:", "")
    expected = [match.groupdict().get("value", match[0]) for match in re.finditer(pattern.pattern, text)]
    assert [found.value for found in asked(said(text), Rules(pattern=(pattern,))).scrubbed] == expected


def test_the_folders_of_the_process_that_took_the_call_are_known_from_its_marks() -> None:
    body = said("Read /srv/ada/shop/a.py, not /var/lib/ci/.npmrc")
    marks = (("llmtape:workdir", "/srv/ada/shop"), ("llmtape:home", "/var/lib/ci"))
    assert texts_of(asked(body, headers=marks)) == ["Read <workdir:1>/a.py, not <home:1>/.npmrc"]
    assert texts_of(asked(body, Rules(), headers=marks)) == texts_of(asked(body, Rules()))


def test_a_working_directory_that_one_message_tells_is_found_in_all() -> None:
    body = said("Working directory: /srv/shop", "Open /srv/shop/main.py and /srv/shopping")
    assert texts_of(asked(body)) == ["Working directory: <workdir:1>", "Open <workdir:1>/main.py and /srv/shopping"]


def test_other_bodies_are_scrubbed_as_a_whole_but_for_the_model() -> None:
    body = json.dumps({"model": f"m-{ONE}", "input": [f"about {ONE}", 5]}).encode()
    form = normalize(Request("POST", "/v1/embeddings", body=body), EVERY)
    assert form.content["body"] == {"model": f"m-{ONE}", "input": ["about <uuid:1>", 5]}


@settings(deadline=None, max_examples=60)
@given(
    st.binary(max_size=20)
    | st.sampled_from([b"[]", b'"x"', b"5", b"null", b'{"messages":5}', b'{"messages":[5,null]}'])
)
def test_any_body_at_all_has_a_key_under_all_rules(body: bytes) -> None:
    rules = Rules(scrub=tuple(SCRUBBERS), sort_tools=True, developer_is_system=True, models={"a": "b"})
    assert len(normalize(Request("POST", CHAT, body=body), rules).key) == 64
