"""Every kind of finding has its level, and says what to do in words that hold for any file name."""

from __future__ import annotations

import shlex

import pytest

from proxy.core.finding import Finding, Kind, Level

NOTES = {
    Kind.OLDER,
    Kind.PERMISSIONS,
    Kind.SIDE_FILE,
    Kind.EXTRA,
    Kind.UNUSED,
    Kind.OTHER_NORMALIZER,
    Kind.OTHER_RULES,
    Kind.GAP,
    Kind.INCOMPLETE,
    Kind.TIMES,
    Kind.SECRET_IN_ANSWER,
}


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_is_a_fault_or_a_note(kind: Kind) -> None:
    assert Finding(kind, "x").level is (Level.NOTE if kind in NOTES else Level.FAULT)


@pytest.mark.parametrize("kind", Kind)
def test_advice_can_be_copied_into_a_shell_whatever_the_names_are(kind: Kind) -> None:
    file, name = "a folder/it's {x}.sqlite", "3f2a9c01b2d4:1"
    advice = Finding(kind, "x", name).advice(file)
    assert advice
    if "llmtape " in advice:
        assert file in shlex.split(advice[advice.index("llmtape ") :])


def test_advice_about_a_recording_names_it() -> None:
    assert "llmtape rm t.sqlite 3f2a9c01b2d4:1" in Finding(Kind.KEY, "x", "3f2a9c01b2d4:1").advice("t.sqlite")


def test_the_names_of_kinds_are_words_for_programs() -> None:
    assert all(kind.replace("-", "").isalpha() and kind.islower() for kind in Kind)
