"""What is said of two answers, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.meaning import meaning
from proxy.core.verdict import Verdict, compare
from tests.core.test_completion import delta, message, plain, stream
from tests.core.test_meaning import SAME

if TYPE_CHECKING:
    from proxy.core.canonical import Json
    from proxy.core.model import Response


def calling(*calls: tuple[str, Json], **fields: Any) -> Response:
    made = [{"function": {"name": name, "arguments": json.dumps(arguments)}} for name, arguments in calls]
    return plain(message(tool_calls=made, **fields))


def saying(content: Json, **fields: Any) -> Response:
    return plain(message(content=content if isinstance(content, str) else json.dumps(content), **fields))


def choices(*texts: str) -> Response:
    made = [{"index": at, "message": {"content": content}, "finish_reason": "stop"} for at, content in enumerate(texts)]
    return plain({"choices": made})


REWORDED: Final[dict[str, tuple[Response, Response, tuple[str, ...]]]] = {
    "text": (saying("Hello there."), saying("Hello again."), ("choices[0].content: other words",)),
    "text of one choice": (choices("a", "b"), choices("a", "c"), ("choices[1].content: other words",)),
    "JSON of one shape": (
        saying({"name": "Ada", "tags": ["x"]}),
        saying({"name": "Bob", "tags": ["y", "z"]}),
        (
            "choices[0].content.name: other words",
            "choices[0].content.tags[0]: other words",
            "choices[0].content.tags[1]: (absent) -> z",
        ),
    ),
    "a number in JSON": (saying({"n": 1}), saying({"n": 2.5}), ("choices[0].content.n: 1 -> 2.5",)),
    "JSON spelt differently": (saying('{"a":1}'), saying('{ "a": 1 }'), ("choices[0].content: other words",)),
    "a refusal": (
        plain(message(refusal="No.")),
        plain(message(refusal="Never.")),
        ("choices[0].refusal: other words",),
    ),
    "what is said beside a tool call": (
        calling(("f", {"a": 1})),
        calling(("f", {"a": 1}), content="I look."),
        ("choices[0].content: (absent) -> I look.",),
    ),
    "reasoning": (
        saying("x", reasoning="First."),
        saying("x"),
        ("choices[0].reasoning: First. -> (absent)",),
    ),
    "an embedding": (plain({"data": [0.1, 2]}), plain({"data": [0.3, 2]}), ("body.data[0]: 0.1 -> 0.3",)),
    "a body that is no JSON": (plain(b"one"), plain(b"two"), ("body: other words",)),
}
CHANGED: Final[dict[str, tuple[Response, Response, tuple[str, ...]]]] = {
    "finish reason": (
        stream(delta(content="x", finish="stop")),
        stream(delta(content="x", finish="length")),
        ("choices[0].finish_reason: stop -> length",),
    ),
    "an argument": (
        calling(("weather", {"city": "Zürich", "days": 1})),
        calling(("weather", {"city": "Bern", "days": 1})),
        ("choices[0].tool_calls[0].arguments.city: Zürich -> Bern",),
    ),
    "another tool": (
        calling(("weather", {})),
        calling(("news", {})),
        ("choices[0].tool_calls[0].name: weather -> news",),
    ),
    "one tool call more": (
        calling(("f", {})),
        calling(("f", {}), ("g", {"a": 1})),
        ('choices[0].tool_calls[1]: (absent) -> {"name":"g","arguments":{"a":1}}',),
    ),
    "a tool call in place of a text": (
        saying("x"),
        calling(("f", {})),
        (
            'choices[0].tool_calls: (absent) -> [{"name":"f","arguments":{}}]',
            "choices[0].content: x -> (absent)",
        ),
    ),
    "number of choices": (choices("a", "b"), choices("a"), ("choices: 2 -> 1",)),
    "a refusal in place of an answer": (
        saying("x"),
        plain(message(refusal="No.")),
        ("choices[0].refusal: (absent) -> No.", "choices[0].content: x -> (absent)"),
    ),
    "no text any more": (saying("x"), saying(""), ("choices[0].content: x -> (absent)",)),
    "another kind in JSON": (saying({"n": 1}), saying({"n": "1"}), ("choices[0].content.n: number -> text",)),
    "a name more in JSON": (
        saying({"n": "a"}),
        saying({"n": "b", "m": 1}),
        ("choices[0].content.m: (absent) -> 1", "choices[0].content.n: other words"),
    ),
    "no JSON any more": (saying({"n": 1}), saying("Sorry."), ("choices[0].content: object -> text",)),
    "an array in place of an object": (saying({}), saying([]), ("choices[0].content: object -> array",)),
    "an error": (
        saying("x"),
        plain({"error": {"message": "No."}}, status=400),
        ("status: 200 -> 400", 'error: (absent) -> {"message":"No."}', "choices: 1 -> 0"),
    ),
    "an embedding of another kind": (plain({"data": [1]}), plain({"data": "eA=="}), ("body.data: array -> text",)),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_answers_that_mean_the_same_are_identical(one: Response, other: Response) -> None:
    assert compare(one, other).verdict is Verdict.IDENTICAL
    assert compare(one, other).reasons == ()


@pytest.mark.parametrize(("one", "other", "reasons"), REWORDED.values(), ids=REWORDED)
def test_other_words_are_told_field_by_field(one: Response, other: Response, reasons: tuple[str, ...]) -> None:
    found = compare(one, other)
    assert sorted(found.reasons) == sorted(reasons)
    assert found.verdict is Verdict.REWORDED


@pytest.mark.parametrize(("one", "other", "reasons"), CHANGED.values(), ids=CHANGED)
def test_whatever_a_program_could_trip_over_is_a_change(
    one: Response, other: Response, reasons: tuple[str, ...]
) -> None:
    found = compare(one, other)
    assert found.reasons == reasons
    assert found.verdict is Verdict.CHANGED


def test_what_changed_is_told_before_what_was_reworded() -> None:
    one, other = saying({"text": "a", "count": 1}), saying({"text": "b", "count": "1"})
    assert [change.is_worded for change in compare(one, other).changes] == [False, True]


def test_a_long_value_is_told_by_its_beginning() -> None:
    (reason,) = compare(calling(("f", {"a": "x" * 500})), calling(("f", {"a": "y\n" * 500}))).reasons
    assert reason == f"choices[0].tool_calls[0].arguments.a: {'x' * 39}… -> {'y ' * 19}y…"


ANSWERS = st.one_of(
    st.sampled_from([response for *pair, _ in (REWORDED | CHANGED).values() for response in pair]),
    st.builds(saying, st.recursive(st.integers() | st.text(max_size=2), lambda inner: st.lists(inner, max_size=2))),
    st.builds(plain, st.binary(max_size=8)),
    st.builds(
        lambda arguments: plain(message(tool_calls=[{"function": {"name": "f", "arguments": arguments}}])),
        st.sampled_from(['{"a":1,"a":2}', '{"a":1}', "{", '{"properties":[["a",1]]}', '{"properties":{"a":1}}', "1e5"]),
    ),
)


@given(ANSWERS, ANSWERS)
def test_a_verdict_is_the_same_both_ways_and_has_its_reasons(one: Response, other: Response) -> None:
    found, back = compare(one, other), compare(other, one)
    assert found.verdict is back.verdict
    assert len(found.changes) == len(back.changes)
    assert (found.verdict is Verdict.IDENTICAL) == (meaning(one) == meaning(other))
    assert bool(found.reasons) == (found.verdict is not Verdict.IDENTICAL)
