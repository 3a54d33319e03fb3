"""An answer in the making."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.speech import Flow, Speech
from proxy.cli.wording import printable
from proxy.core.delta import Addition, Kind, Piece
from proxy.core.lenient import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTILE = st.text(st.characters() | st.sampled_from("\x1b[]\x9b\x07\r\n\t \u202e\ud83d\ude42"), max_size=12)


def said(*additions: Addition) -> str:
    shown: list[str] = []
    speech = Speech(lambda text: shown.append(text.plain))
    for addition in additions:
        speech.add(addition)
    speech.finish()
    return "".join(shown)


def add(*pieces: Piece, ended: Sequence[int] = ()) -> Addition:
    return Addition(pieces, frozenset(ended))


def piece(text: str, choice: int = 0, kind: Kind = Kind.CONTENT, call: int = 0, name: str = "") -> Piece:
    return Piece(choice, kind, text, call, name)


@given(st.lists(HOSTILE, max_size=6))
def test_pieces_are_as_safe_and_look_the_same_as_the_whole(pieces: list[str]) -> None:
    flow = Flow()
    shown = "".join([*map(flow.feed, pieces), flow.flush()])
    assert shown == printable(joined(pieces))


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(Kind), HOSTILE, st.integers(0, 1), HOSTILE), max_size=8))
def test_nothing_that_is_said_can_steer_a_terminal(pieces: list[tuple[int, Kind, str, int, str]]) -> None:
    text = said(*(add(piece(told, choice, kind, call, name)) for choice, kind, told, call, name in pieces))
    assert printable(text) == text


def test_an_escape_sequence_that_is_split_over_events_is_none() -> None:
    assert said(add(piece("a\x1b")), add(piece("[31m\r")), add(piece("\nb"))) == "a\\x1b[31m\nb\n"


def test_an_emoji_that_is_split_over_events_is_whole() -> None:
    assert said(add(piece("\ud83d")), add(piece("\ude42"))) == "🙂\n"


def test_each_part_has_a_line_of_its_own() -> None:
    text = said(
        add(piece("Let me ", kind=Kind.REASONING)),
        add(piece("think.\n", kind=Kind.REASONING)),
        add(piece("It ")),
        add(piece("rains.")),
        add(piece("", kind=Kind.CALL, name="weather")),
        add(piece('{"city": ', kind=Kind.CALL)),
        add(piece('"Oslo"}', kind=Kind.CALL)),
        add(piece("{}", kind=Kind.CALL, call=1, name="time")),
        add(piece("No.", kind=Kind.REFUSAL)),
        add(piece("Hello.", kind=Kind.AUDIO)),
        add(piece("overloaded", kind=Kind.ERROR)),
    )
    assert text == (
        "[reasoning] Let me think.\nIt rains.\n"
        '→ weather {"city": "Oslo"}\n→ time {}\nrefusal: No.\n[audio] Hello.\nerror: overloaded\n'
    )


def test_choices_that_come_at_once_are_said_one_after_the_other() -> None:
    assert (
        said(
            add(piece("A"), piece("B", 1), piece("C", 2)),
            add(piece("b", 1), piece("a")),
            add(ended=[2]),
            add(ended=[0]),
            add(piece("!", 1), ended=[1]),
        )
        == "Aa\n[choice 2]\nBb!\n[choice 3]\nC\n"
    )


def test_a_choice_that_waits_for_one_that_never_ends_is_said_at_the_end() -> None:
    assert said(add(piece("A"), piece("B", 1)), add(piece("a"))) == "Aa\n[choice 2]\nB\n"


def test_nothing_is_said_where_there_is_nothing() -> None:
    assert said() == ""
    assert said(add(), add(ended=[0])) == ""
