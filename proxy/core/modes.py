"""What is done with a request: one total table, no branches.

Rule: whoever wants a mode to act otherwise changes a row here and nothing else.
"""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How the proxy was started. For readers who know VCR: replay = none, record = all, auto = new_episodes."""

    REPLAY = "replay"
    RECORD = "record"
    AUTO = "auto"
    PASSTHROUGH = "passthrough"


class Found(StrEnum):
    """What the cassette holds for a request. Apart from `PLAYABLE`, the codes of a miss (DESIGN, section 4)."""

    PLAYABLE = "playable"
    NOT_RECORDED = "not_recorded"
    OTHER_VARIANT = "variant_not_recorded"
    EXHAUSTED = "takes_exhausted"
    INCOMPLETE = "recording_incomplete"
    NO_CASSETTE = "cassette_not_found"


class Action(StrEnum):
    """What is done with one request."""

    PLAY = "play"
    CAPTURE = "capture"
    FORWARD = "forward"
    REFUSE = "refuse"


ACTIONS: dict[Mode, dict[Found, Action]] = {
    Mode.REPLAY: dict.fromkeys(Found, Action.REFUSE) | {Found.PLAYABLE: Action.PLAY},
    Mode.RECORD: dict.fromkeys(Found, Action.CAPTURE),
    Mode.AUTO: dict.fromkeys(Found, Action.CAPTURE) | {Found.PLAYABLE: Action.PLAY},
    Mode.PASSTHROUGH: dict.fromkeys(Found, Action.FORWARD),
}


def decide(mode: Mode, found: Found) -> Action:
    """Look the action up."""
    return ACTIONS[mode][found]


def looks_up(mode: Mode) -> bool:
    """Tell whether what the cassette holds makes a difference to this mode."""
    return len(set(ACTIONS[mode].values())) > 1


def calls_upstream(mode: Mode) -> bool:
    """Tell whether this mode may call the upstream; where not, no upstream client is ever made."""
    return bool({Action.CAPTURE, Action.FORWARD} & set(ACTIONS[mode].values()))


def records(mode: Mode) -> bool:
    """Tell whether this mode may write to a cassette."""
    return Action.CAPTURE in ACTIONS[mode].values()
