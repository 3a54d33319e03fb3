"""What is kept of a call's surroundings: only where asked for, and never a value that may be secret."""

from __future__ import annotations

from proxy.core.marks import fingerprint, header_digests, marks, placed, places
from proxy.core.rules import DEFAULT, Rules

HERE = (("workdir", "/srv/shop"), ("home", "/home/ada"))
SENT = (("authorization", "Bearer sk-secret-value"), ("X-Tenant", "ada"), ("x-other", "y"))


def test_without_rules_nothing_is_kept() -> None:
    assert marks(SENT, "", DEFAULT, HERE) == ()


def test_values_are_kept_as_digests_and_folders_as_they_are() -> None:
    kept = marks(SENT, "", Rules(headers=("x-tenant",), api_key=True, scrub=("workdir",)), HERE)
    assert [name for name, _ in kept] == ["llmtape:header:x-tenant", "llmtape:api-key", "llmtape:workdir"]
    assert "ada" not in dict(kept)["llmtape:header:x-tenant"]
    assert "secret" not in str(kept)
    assert places(kept) == (("workdir", "/srv/shop"),)


def test_what_was_kept_is_read_back() -> None:
    rules = Rules(headers=("x-tenant", "absent"), api_key=True)
    kept = marks(SENT, "", rules, ())
    assert header_digests(kept, rules) == {"x-tenant": dict(kept)["llmtape:header:x-tenant"]}
    assert fingerprint(kept) == dict(kept)["llmtape:api-key"]
    assert fingerprint(()) is None


def test_a_field_that_is_stored_in_clear_has_the_same_digest() -> None:
    rules = Rules(headers=("openai-beta",))
    sent = (("OpenAI-Beta", "assistants=v2"),)
    assert header_digests(marks(sent, "", rules, ()), rules) == header_digests(sent, rules)


def test_all_fields_of_a_name_count() -> None:
    rules = Rules(headers=("x-team",))
    sent = [tuple(("x-team", value) for value in values) for values in (("a", "b"), ("a", "c"), ("a",), ("b", "a"))]
    assert len({marks(headers, "", rules, ()) for headers in sent}) == 4


def test_what_a_client_sends_is_not_taken_for_a_digest() -> None:
    rules = Rules(headers=("x-tenant",))
    (digest,) = dict(marks(SENT, "", rules, ())).values()
    assert header_digests(marks((("x-tenant", digest),), "", rules, ()), rules)["x-tenant"] != digest


def test_all_folders_are_told_where_rules_are_only_tried() -> None:
    kept = marks(SENT, "", Rules(scrub=("workdir",)), (("workdir", "/elsewhere"),))
    assert placed(kept, HERE) == (("llmtape:workdir", "/elsewhere"), ("llmtape:home", "/home/ada"))


def test_the_key_is_found_wherever_it_is_shown() -> None:
    rules = Rules(api_key=True)
    forms = [
        ((("Authorization", "Bearer k"),), ""),
        ((("authorization", "k"),), ""),
        ((("api-key", "k"),), ""),
        ((("x-api-key", "k"),), ""),
        ((), "a=b&api-key=k"),
    ]
    assert len({marks(headers, query, rules, ()) for headers, query in forms}) == 1
