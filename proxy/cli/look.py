"""`ls`: what a cassette holds.

Rule: read one interaction after another, changing nothing; a cassette of any size is never in memory whole. The
names in `--json` are a promise to programs: fields may be added, none is renamed or dropped.
"""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from proxy.cassette.ordering import Order
from proxy.cassette.reader import Entry, Reader
from proxy.cli import listing, wording
from proxy.cli.arguments import CHOICE, CONFIG, JSON, config_of
from proxy.cli.choosing import chosen, warn
from proxy.cli.document import named, print_list
from proxy.cli.progress import progress
from proxy.cli.prompt import last_user_message
from proxy.cli.screen import Screen
from proxy.core.completion import assemble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from proxy.core.canonical import Json
    from proxy.core.choice import Choice
    from proxy.core.completion import Completion


@click.command(short_help="List what was recorded.")
@click.argument("cassette", required=False, type=click.Path(path_type=Path))
@CHOICE
@click.option(
    "--sort",
    "order",
    type=click.Choice([order.value for order in Order]),
    default=Order.RECORDED.value,
    show_default=True,
    help="What to sort by.",
)
@click.option("-r", "--reverse", "is_reversed", is_flag=True, help="The last first.")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
@CONFIG
@JSON
def ls(
    cassette: Path | None,
    choice: Choice,
    order: str,
    limit: int | None,
    file: Path | None,
    *,
    is_reversed: bool,
    as_json: bool,
) -> None:
    """List what a cassette holds, one line an interaction, in the order in which it was asked for.

    Without a CASSETTE it is the configured one. An option that is given twice takes both values; different ones narrow
    each other. Where a line is too narrow, columns are left out. Piped output is 200 columns wide, unless COLUMNS says
    otherwise.

    \b
    llmtape ls
    llmtape ls cassettes/default.sqlite
    llmtape ls cassettes/default.sqlite --model 'gpt-4o*' --outcome error --outcome cut
    llmtape ls tests/chat.sqlite --text refund --newer 7d
    llmtape ls tests/chat.sqlite --sort duration --reverse --limit 10
    llmtape ls tests/chat.sqlite --json | jq '.[] | select(.finish_reason == "length") | .name'

    \b
    --json is a list of objects: name, key, take, variant, lane, run, recorded_at (UTC), method, path,
    model, prompt (the last user message), answer, refusal and tool_calls [{name, arguments}]
    (the first choice's), error, finish_reason, prompt_tokens, completion_tokens, status, outcome,
    first_byte_us, duration_us. What there is none of is null.
    """  # noqa: D301  click wants the character
    config = config_of(file)
    with Reader(cassette or Path(config.cassette), config.rules) as reader:
        warn(reader, choice)
        listed = reader.entries(Order(order), is_reversed=is_reversed)
        if choice.texts:  # all are read, and few may be shown
            listed = progress(listed, len(reader), f"searching {reader.path.name}")
        entries = filter(choice.takes, listed)
        if as_json:
            print_list(_listed(reader, entry) for entry in islice(chosen(reader, entries, choice), limit))
            return
        screen = Screen()
        lines = _lines(reader, entries, choice, limit, screen.width)
        if (header := next(lines, None)) is None:
            click.echo(f"{reader.path} holds no recordings{'' if choice.is_all else ' that match'}.", err=True)
        else:
            screen.show(chain([header], lines))


def _lines(reader: Reader, entries: Iterator[Entry], choice: Choice, limit: int | None, width: int) -> Iterator[Text]:
    """Yield the titles and a line an interaction; nothing where there is none."""
    likely = entries if choice.texts else islice(entries, limit)
    sample = list(islice(likely, listing.SAMPLE))
    layout = listing.plan(sample, width)
    for place, entry in enumerate(islice(chosen(reader, chain(sample, likely), choice), limit)):
        if not place:
            yield layout.header()
        yield listing.line_of(reader, layout, entry)


def _listed(reader: Reader, entry: Entry) -> dict[str, Json]:
    interaction = reader.interaction(entry.take)
    answer = assemble(interaction.response)
    return {
        **named(interaction),
        "run": entry.run_id,
        "recorded_at": entry.recorded_at,
        "method": entry.method,
        "path": entry.path,
        "model": entry.model or None,
        "prompt": last_user_message(wording.parsed(interaction.request.body)),
        **_first_choice(answer),
        "error": answer.error or None,
        "finish_reason": entry.finish_reason,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "status": entry.take.status,
        "outcome": entry.take.outcome,
        "first_byte_us": entry.first_byte_us,
        "duration_us": entry.duration_us,
    }


def _first_choice(answer: Completion) -> dict[str, Json]:
    if not answer.choices:
        return {"answer": None, "refusal": None, "tool_calls": []}
    first = answer.choices[0]
    calls = [{"name": call.name, "arguments": call.arguments} for call in first.tool_calls]
    return {"answer": first.content or first.audio or None, "refusal": first.refusal or None, "tool_calls": calls}
