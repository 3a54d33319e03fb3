"""How a user says when: an age (`7d`) or a moment (`2026-11-20`).

Rule: both come out as cassettes spell moments, in UTC, so that they compare as texts. A date without a time is its
beginning; one without a time zone is in UTC, as `ls` shows them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS: Final[Mapping[str, str]] = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(rf"(\d+)({'|'.join(_UNITS)})")


def since(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """Return the moment that an option tells, as `Interaction.recorded_at` has it; empty where it was not given."""
    if value is None:
        return ""
    try:
        return moment(value, datetime.now(UTC))
    except (ValueError, OverflowError):
        known = "an age (30min, 12h, 7d, 2w) nor a date (2026-11-20, 2026-11-20T18:00)"
        raise click.BadParameter(f"{value!r} is neither {known}.", context, parameter) from None


def moment(told: str, now: datetime) -> str:
    """Return what an age or a date means at a time.

    Raises ValueError for anything else, and OverflowError for an age before all calendars.
    """
    age = _AGE.fullmatch(told)
    meant = now - timedelta(**{_UNITS[age[2]]: int(age[1])}) if age else datetime.fromisoformat(told)
    known = meant.replace(tzinfo=UTC) if meant.tzinfo is None else meant.astimezone(UTC)
    return known.isoformat(timespec="milliseconds").replace("+00:00", "Z")
