"""`ls` and `show`: what a cassette holds.

Rule: read one interaction after another, changing nothing; a cassette of any size is never in memory whole. The
names in `--json` are a promise to programs: fields may be added, none is renamed or dropped.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from proxy.cassette.reader import Entry, Reader, RecordedRun
from proxy.cli import listing, wording
from proxy.cli.arguments import CASSETTE, CONFIG, JSON, rules_of
from proxy.cli.conversation import Conversation
from proxy.cli.prompt import last_user_message
from proxy.cli.screen import Screen, styled
from proxy.core.completion import assemble
from proxy.core.model import SSE_TYPE, take_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.text import Text

    from proxy.core.canonical import Json
    from proxy.core.completion import Completion
    from proxy.core.model import Interaction, Request, Response, Take

_LONGEST_RULE = 80


@click.command(short_help="List what was recorded.")
@CASSETTE
@CONFIG
@JSON
def ls(cassette: Path, file: Path | None, *, as_json: bool) -> None:
    """List what a cassette holds, one line an interaction, in the order in which it was asked for.

    Where a line is too narrow, columns are left out. Piped output is 200 columns wide, unless COLUMNS says otherwise.

    \b
    llmtape ls cassettes/default.sqlite
    llmtape ls tests/chat.sqlite | grep refund
    llmtape ls tests/chat.sqlite --json | jq '.[] | select(.outcome != "complete") | .name'

    \b
    --json is a list of objects: name, key, take, variant, lane, run, recorded_at (UTC), method, path,
    model, prompt (the last user message), answer, refusal and tool_calls [{name, arguments}]
    (the first choice's), error, finish_reason, prompt_tokens, completion_tokens, status, outcome,
    first_byte_us, duration_us. What there is none of is null.
    """  # noqa: D301  click wants the character
    with Reader(cassette, rules_of(file)) as reader:
        if as_json:
            _print_list(_listed(reader, entry) for entry in reader.entries())
        elif not len(reader):
            click.echo(f"{cassette} holds no recordings.", err=True)
        else:
            screen = Screen()
            screen.show(_lines(reader, screen.width))


@click.command(short_help="Show one recorded conversation.")
@CASSETTE
@click.argument("key", metavar="KEY[:TAKE]")
@CONFIG
@JSON
def show(cassette: Path, key: str, file: Path | None, *, as_json: bool) -> None:
    """Show a recorded conversation: what was asked, what came back, and when.

    KEY is any beginning of a key that no other key has; all its takes are shown, unless one is named.

    \b
    llmtape show cassettes/default.sqlite 3f2a9c
    llmtape show cassettes/default.sqlite 3f2a9c:2
    llmtape show cassettes/default.sqlite 3f2a9c --json | jq '.[0].completion.choices[0].content'

    \b
    --json is a list of objects, one a take: name, key, take, variant, lane, recorded_at (UTC),
    run {id, started_at, mode, upstream, llmtape_version},
    request {method, path, query, headers, body},
    response {status, headers, outcome, first_byte_us, first_chunk_us, duration_us, chunks (how
    many), body}, completion {id, model, choices [{index, role, content, refusal, tool_calls [{id,
    kind, name, arguments}], finish_reason, audio, logprobs (how many)}], prompt_tokens,
    completion_tokens, error, done}. A body is its JSON value, or its text where it is no JSON; a
    stream's is null, since completion has what it says.
    """  # noqa: D301  click wants the character
    with Reader(cassette, rules_of(file)) as reader:
        takes = reader.find(key)
        if as_json:
            _print_list((_whole(reader.interaction(take), reader.run(take)) for take in takes), indent=2)
        else:
            screen = Screen()
            screen.show(_conversations(reader, takes, screen))


def _lines(reader: Reader, width: int) -> Iterator[Text]:
    layout = listing.plan(reader.entries(), width)
    if len(reader):
        yield layout.header()
    for entry in reader.entries():
        interaction = reader.interaction(entry.take)
        prompt = last_user_message(wording.parsed(interaction.request.body))
        answer = listing.answer_cell(assemble(interaction.response), interaction.response.body)
        yield layout.line(entry, listing.prompt_cell(entry, prompt), answer)


def _conversations(reader: Reader, takes: Iterable[Take], screen: Screen) -> Iterator[Text]:
    for place, take in enumerate(takes):
        if place:
            yield from (styled(), styled(("─" * min(screen.width, _LONGEST_RULE), "dim")), styled())
        yield from Conversation(screen, reader.interaction(take), reader.run(take)).lines()


def _print_list(values: Iterable[Json], indent: int | None = None) -> None:
    """Print one JSON list, each of its values as soon as it is there."""
    opening = "[\n"
    for value in values:
        click.echo(opening + wording.document(value, indent=indent), nl=False)
        opening = ",\n"
    click.echo("[]" if opening == "[\n" else "\n]")


def _listed(reader: Reader, entry: Entry) -> dict[str, Json]:
    interaction = reader.interaction(entry.take)
    answer = assemble(interaction.response)
    return {
        **_named(interaction),
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


def _whole(interaction: Interaction, run: RecordedRun) -> dict[str, Json]:
    return {
        **_named(interaction),
        "recorded_at": interaction.recorded_at,
        "run": asdict(run),
        "request": _request(interaction.request),
        "response": _response(interaction.response),
        "completion": asdict(assemble(interaction.response)),
    }


def _named(interaction: Interaction) -> dict[str, Json]:
    track = interaction.track
    return {
        "name": take_name(track.key, interaction.number),
        "key": track.key,
        "take": interaction.number,
        "variant": track.variant,
        "lane": track.lane,
    }


def _request(request: Request) -> dict[str, Json]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": request.headers,
        "body": wording.parsed(request.body),
    }


def _response(response: Response) -> dict[str, Json]:
    return {
        "status": response.status,
        "headers": response.headers,
        "outcome": response.outcome,
        "first_byte_us": response.first_byte_us,
        "first_chunk_us": response.chunks[0].at_us if response.chunks else None,
        "duration_us": response.duration_us,
        "chunks": len(response.chunks),
        "body": None if response.content_type == SSE_TYPE else wording.parsed(response.body),
    }
