"""The command line.

Rule: commands parse, call and print. Each group of commands is a file, imported only when one of them is called:
a test suite starts `llmtape replay` often. Exit status: 0 done, 1 found a difference or fault, 2 usage, 3 missed;
130 ended by Ctrl-C, as of any command.
"""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final

import click

from proxy import __version__
from proxy.cli.encoding import take_any_text
from proxy.core.errors import LlmtapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMANDS: Final[Mapping[str, str]] = {
    "record": "serve",
    "replay": "serve",
    "auto": "serve",
    "passthrough": "serve",
    "demo": "demo",
    "ls": "look",
    "show": "showing",
    "play": "playing",
    "grep": "grep",
    "stats": "stats",
    "explain": "keys",
    "lint": "keys",
    "diff": "differing",
    "verify": "checking",
    "rekey": "keys",
    "rm": "removing",
    "prune": "removing",
    "redact": "redacting",
    "export": "exporting",
    "import": "importing",
    "merge": "merging",
    "git": "git",
}
"""Each command, by the module that holds it; in the order of the help."""


INTERRUPTED: Final = 128 + 2
"""The exit status of what SIGINT ended, as shells have it."""


class Commands(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all, in their order."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one that is called."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"proxy.cli.{COMMANDS[cmd_name]}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what we raise on purpose is told in words, never with a traceback."""
        take_any_text()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                click.echo(err=True)  # a prompt does not stand behind the ^C
            ctx.exit(INTERRUPTED)
        except LlmtapeError as error:
            from proxy.cli.wording import printable  # noqa: PLC0415  errors are few, and may quote what is recorded

            click.echo(f"llmtape: {printable(str(error))}", err=True)
            ctx.exit(error.exit_status)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="llmtape")
def main() -> None:
    """Record OpenAI-style chat completions once; replay the same bytes, offline, in your tests.

    \b
    llmtape demo                            see it work, without a key
    llmtape record -- python my_app.py      record what my_app asks and gets
    llmtape replay -- pytest                answer from the recordings, never from the network
    llmtape ls cassettes/default.sqlite     see what was recorded
    """  # noqa: D301  click wants the character
