"""What can be wrong with a cassette.

Rule: each kind of finding stands once, in one table, with how grave it is and what to do about it; whoever finds one
says only what and where. The kinds' names are a promise to programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from shlex import quote
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Level(StrEnum):
    """How grave a finding is: a fault ends a check with status 1, a note does not."""

    FAULT = "fault"
    NOTE = "note"


class Kind(StrEnum):
    """What is found, in the order in which it is looked for."""

    UNREADABLE = "unreadable"
    EMPTY = "empty"
    NO_DATABASE = "no-database"
    FOREIGN = "foreign"
    NEWER = "newer"
    OLDER = "older"
    PERMISSIONS = "permissions"
    UNSETTLED = "unsettled"
    SIDE_FILE = "side-file"
    FOREIGN_LOG = "foreign-log"
    SCHEMA = "schema"
    VIEW = "view"
    TRIGGER = "trigger"
    EXTRA = "extra"
    DAMAGE = "damage"
    REFERENCE = "reference"
    UNUSED = "unused"
    FACT = "fact"
    OTHER_NORMALIZER = "other-normalizer"
    OTHER_RULES = "other-rules"
    CONFLICT = "conflict"
    GAP = "gap"
    ROW = "row"
    KEY = "key"
    VARIANT = "variant"
    OUTCOME = "outcome"
    INCOMPLETE = "incomplete"
    STREAM = "stream"
    FRAMING = "framing"
    TIMES = "times"
    DERIVED = "derived"
    SECRET = "secret"  # noqa: S105  it is the name of one
    SECRET_ASIDE = "secret-aside"  # noqa: S105
    SECRET_IN_ANSWER = "secret-in-answer"  # noqa: S105


_FROM_VERSION_CONTROL = "take it from version control"
_RECOVER = "or put what can be read of it into a new one: llmtape verify --recover NEW {file}"
_END_RECORDER = "end the recorder that holds it"
_REVOKE = "where it is a real one, revoke it"
_AGAIN = "record it again, or take it out: llmtape rm {file} {name}"

_KINDS: Final[Mapping[Kind, tuple[Level, str]]] = {
    Kind.UNREADABLE: (Level.FAULT, "end what holds it, or let this user read it, and check again"),
    Kind.EMPTY: (Level.FAULT, f"delete it and record again, or {_FROM_VERSION_CONTROL}"),
    Kind.NO_DATABASE: (Level.FAULT, f"if it was a cassette, {_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.FOREIGN: (Level.FAULT, "name another file"),
    Kind.NEWER: (Level.FAULT, "update llmtape"),
    Kind.OLDER: (Level.NOTE, "nothing: the next recording into it brings it to the present format"),
    Kind.PERMISSIONS: (Level.NOTE, "if its prompts are nobody else's business: chmod 600 {file}"),
    Kind.UNSETTLED: (
        Level.FAULT,
        f"{_END_RECORDER}; where there is none, make one file of both: sqlite3 {{file}} 'pragma journal_mode = delete'",
    ),
    Kind.SIDE_FILE: (Level.NOTE, "leave it there while a process has the cassette open; else it can go"),
    Kind.FOREIGN_LOG: (
        Level.FAULT,
        "put the file back that a killed recorder recorded into, or else be rid of its log: rm {file}-wal {file}-shm",
    ),
    Kind.SCHEMA: (Level.FAULT, f"{_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.VIEW: (Level.FAULT, f"what others read from it is not what was recorded; {_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.TRIGGER: (Level.FAULT, "it changes what is recorded; to be rid of it: llmtape verify --recover NEW {file}"),
    Kind.EXTRA: (Level.NOTE, "nothing: it is not looked at, and is gone once the file is written anew"),
    Kind.DAMAGE: (Level.FAULT, f"{_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.REFERENCE: (Level.FAULT, f"{_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.UNUSED: (Level.NOTE, "nothing: it only takes space, until the file is written anew"),
    Kind.FACT: (Level.FAULT, "give the recordings the keys of the rules in force: llmtape rekey {file}"),
    Kind.OTHER_NORMALIZER: (Level.NOTE, "a replay makes the keys anew each time; to keep them: llmtape rekey {file}"),
    Kind.OTHER_RULES: (Level.NOTE, "a replay makes the keys anew each time; to keep them: llmtape rekey {file}"),
    Kind.CONFLICT: (Level.FAULT, "choose --ours, --theirs or --both: llmtape merge --ours {name} {file}"),
    Kind.GAP: (Level.NOTE, "nothing: the takes play in their order"),
    Kind.ROW: (Level.FAULT, f"{_FROM_VERSION_CONTROL}, {_RECOVER}"),
    Kind.KEY: (Level.FAULT, f"its answer may be another question's; {_AGAIN}"),
    Kind.VARIANT: (Level.FAULT, _AGAIN),
    Kind.OUTCOME: (Level.FAULT, _AGAIN),
    Kind.INCOMPLETE: (Level.NOTE, 'a replay refuses it, unless [replay] incomplete = "play"; record it again'),
    Kind.STREAM: (Level.FAULT, _AGAIN),
    Kind.FRAMING: (Level.FAULT, _AGAIN),
    Kind.TIMES: (Level.NOTE, "nothing: only a replay at the recorded pace goes by them"),
    Kind.DERIVED: (Level.FAULT, f"somebody changed the row, or the file is damaged; {_AGAIN}"),
    Kind.SECRET: (Level.FAULT, f"{_REVOKE}; take it out: llmtape redact {{file}}"),
    Kind.SECRET_ASIDE: (Level.FAULT, f"{_REVOKE}; {_AGAIN}"),
    Kind.SECRET_IN_ANSWER: (
        Level.NOTE,
        f"a model wrote it; {_REVOKE}, and take it out: llmtape redact --responses {{file}}",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a file, or worth a word.

    `name` is the take's that it is about, such as `3f2a9c01b2d4:1`, and `lane` that take's lane; both are empty where
    it is about the file.
    """

    kind: Kind
    what: str
    name: str = ""
    lane: str = ""

    @property
    def level(self) -> Level:
        """How grave it is."""
        return _KINDS[self.kind][0]

    def advice(self, file: str) -> str:
        """Say what to do about it; `file` is the cassette's path."""
        return _KINDS[self.kind][1].format(file=quote(file), name=quote(self.name or "KEY"))
