"""Arguments and options that several commands share.

Rule: one spelling and one help text each, so that they read alike everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.config import load

if TYPE_CHECKING:
    from proxy.config import Config
    from proxy.core.rules import Rules

CASSETTE = click.argument("cassette", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")
CONFIG = click.option(
    "--config", "file", type=click.Path(path_type=Path), help="The config file, instead of the nearest."
)


def config_of(file: Path | None) -> Config:
    """Read the config; raises ConfigError."""
    return load({}, file=file).config


def rules_of(file: Path | None) -> Rules:
    """Read the rules under which a cassette is looked at: those that a replay here would go by."""
    return config_of(file).rules
