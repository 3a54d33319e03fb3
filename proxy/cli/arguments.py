"""Arguments and options that several commands share.

Rule: one spelling and one help text each, so that they read alike everywhere.
"""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from proxy.cli.age import since
from proxy.config import load
from proxy.core.choice import Choice, Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.config import Config
    from proxy.core.rules import Rules

CASSETTE = click.argument("cassette", type=click.Path(path_type=Path))
CASSETTES = click.argument("cassettes", metavar="[CASSETTE]...", nargs=-1, type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
DRY_RUN = click.option("-n", "--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
CONFIG = click.option(
    "--config", "file", type=click.Path(path_type=Path), help="The config file, instead of the nearest."
)

_CHOOSING: Final = (
    click.option("--model", "models", metavar="GLOB", multiple=True, help="Only of this model, such as 'gpt-4o*'."),
    click.option("--lane", "lanes", metavar="GLOB", multiple=True, help="Only of this lane; '' is the lane of none."),
    click.option("--run", "runs", metavar="N", type=int, multiple=True, help="Only of this run."),
    click.option(
        "--outcome",
        "endings",
        type=click.Choice([ending.value for ending in Ending]),
        multiple=True,
        help="Only what ended so; error is any status of 400 and above.",
    ),
    click.option("--text", "texts", metavar="TEXT", multiple=True, help="Only with this text in prompt or answer."),
    click.option(
        "--newer", metavar="AGE", callback=since, help="Only of the last 30min, 12h, 7d or 2w, or since a date."
    ),
    click.option("--older", metavar="AGE", callback=since, help="Only from before that."),
)
"""The fields of a `Choice`."""


def CHOICE(command: Callable[..., None]) -> Callable[..., None]:  # noqa: N802  stands among the others
    """Give a command the options that tell which interactions are meant, and one argument `choice` for them all.

    An option that is given several times takes any of its values.
    """

    @wraps(command)
    def choosing(
        *,
        models: tuple[str, ...],
        lanes: tuple[str, ...],
        runs: tuple[int, ...],
        endings: tuple[str, ...],
        texts: tuple[str, ...],
        newer: str,
        older: str,
        **others: Any,
    ) -> None:
        if "" in texts:  # it stands in everything, and `rm` may be what is called
            raise click.UsageError("--text is empty: give the text to look for.")
        ended = tuple(map(Ending, endings))
        command(**others, choice=Choice(models, lanes, runs, ended, texts, newer, older))

    for option in reversed(_CHOOSING):
        choosing = option(choosing)
    return choosing


def config_of(file: Path | None) -> Config:
    """Read the config; raises ConfigError."""
    return load({}, file=file).config


def cassettes_of(named: tuple[Path, ...], config: Config) -> tuple[Path, ...]:
    """Return the cassettes that were named, or where none were the configured one."""
    return named or (Path(config.cassette),)


def rules_of(file: Path | None) -> Rules:
    """Read the rules under which a cassette is looked at: those that a replay here would go by."""
    return config_of(file).rules
