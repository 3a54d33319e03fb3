"""`show`: one recording, or all of a key, in the form that is asked for.

Rule: each form is a function of the recordings that are meant, and a line in a table; they are read one after
another. What is printed to the byte is about one recording alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from proxy.cassette.reader import Reader
from proxy.cli import events, wording
from proxy.cli.arguments import CASSETTE, CONFIG, JSON, rules_of
from proxy.cli.conversation import Conversation
from proxy.cli.curl import command
from proxy.cli.document import named, print_list
from proxy.cli.naming import KEY, LANE, VARIANT, Name
from proxy.cli.screen import Screen, check_bytes, styled
from proxy.core.completion import assemble
from proxy.core.logprobs import logprobs
from proxy.core.model import SSE_TYPE, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.text import Text

    from proxy.core.canonical import Json
    from proxy.core.model import Interaction, RecordedRun, Request, Response, Take

T = TypeVar("T", str, bytes)

_LONGEST_RULE = 80


@click.command(short_help="Show one recorded conversation.")
@CASSETTE
@KEY
@click.option("--logprobs", is_flag=True, help="Tell how probable each token was, and which others were likely.")
@click.option("--raw", is_flag=True, help="The response body, byte for byte.")
@click.option("--request", is_flag=True, help="The stored request body, byte for byte.")
@click.option("--events", is_flag=True, help="Each event of the stream with its time.")
@click.option("--curl", is_flag=True, help="A shell command that repeats the call, with the key in $OPENAI_API_KEY.")
@LANE
@VARIANT
@CONFIG
@JSON
def show(cassette: Path, key: str, lane: str | None, variant: str | None, file: Path | None, **flags: bool) -> None:
    """Show a recorded conversation: what was asked, what came back, and when.

    KEY is any beginning of a key that no other key has; all its takes are shown, unless one is named. --raw,
    --request and --curl print what all of these have in common, and want one to be named where they differ.

    \b
    llmtape show cassettes/default.sqlite 3f2a9c
    llmtape show cassettes/default.sqlite 3f2a9c:2
    llmtape show cassettes/default.sqlite 3f2a9c --logprobs
    llmtape show cassettes/default.sqlite 3f2a9c --events
    llmtape show cassettes/default.sqlite 3f2a9c:1 --raw > answer.json
    llmtape show cassettes/default.sqlite 3f2a9c --curl > call.sh
    llmtape show cassettes/default.sqlite 3f2a9c --json | jq '.[0].completion.choices[0].content'

    \b
    --json is a list of objects, one a take: name, key, take, variant, lane, recorded_at (UTC),
    run {id, started_at, mode, upstream, llmtape_version},
    request {method, path, query, headers, body},
    response {status, headers, outcome, first_byte_us, first_chunk_us, duration_us, chunks (how
    many), body}, completion {id, model, choices [{index, role, content, refusal, tool_calls [{id,
    kind, name, arguments}], finish_reason, audio, logprobs (how many), reasoning, annotations
    [{kind, title, url}], audio_bytes}], prompt_tokens, completion_tokens, error, done}. A body is its
    JSON value, or its text where it is no JSON; a stream's is null, since completion has what it says.
    With --logprobs a choice has tokens as well: [{token, logprob, top [{token, logprob}]}].
    With --events it is a list of events: name, key, take, variant, lane, at_us, bytes (how many),
    data (its JSON value or text; null where it has none).
    """  # noqa: D301  click wants the character
    form = _form(flags)
    with Reader(cassette, rules_of(file)) as reader:
        name = Name(key, lane, variant)
        form(Shown(reader, name, name.takes(reader)))


@dataclass(frozen=True, slots=True)
class Shown:
    """The recordings that are to be shown, each read as it is wanted."""

    reader: Reader
    name: Name
    takes: Sequence[Take]

    def __iter__(self) -> Iterator[tuple[Interaction, RecordedRun]]:
        return ((self.reader.interaction(take), self.reader.run(take)) for take in self.takes)

    def common(self, read: Callable[[Interaction, RecordedRun], T]) -> T:
        """Return what is the same in all of them. Raises KeyNotFoundError where they differ."""
        values = (read(interaction, run) for interaction, run in self)
        first = next(values)
        if any(value != first for value in values):
            self.name.only(self.takes)
        return first


def _as_conversation(shown: Shown, *, shows_logprobs: bool = False) -> None:
    screen = Screen()
    texts = (Conversation(screen, *recording, shows_logprobs=shows_logprobs).lines() for recording in shown)
    screen.show(_ruled(texts, screen.width))


def _with_logprobs(shown: Shown) -> None:
    _as_conversation(shown, shows_logprobs=True)


def _as_events(shown: Shown) -> None:
    screen = Screen()
    screen.show(_ruled((events.lines(interaction, screen) for interaction, _ in shown), screen.width))


def _as_body(shown: Shown) -> None:
    _print_exactly(shown.common(lambda interaction, _: interaction.response.body))


def _as_request(shown: Shown) -> None:
    _print_exactly(shown.common(lambda interaction, _: interaction.request.body))


def _as_curl(shown: Shown) -> None:
    click.echo(shown.common(_command))


def _as_json(shown: Shown) -> None:
    print_list((_whole(*recording) for recording in shown), indent=2)


def _as_json_with_logprobs(shown: Shown) -> None:
    print_list((_with_tokens(_whole(*recording), recording[0].response) for recording in shown), indent=2)


def _as_json_events(shown: Shown) -> None:
    print_list(event for interaction, _ in shown for event in events.documents(interaction))


_FORMS: Final[Mapping[frozenset[str], Callable[[Shown], None]]] = {
    frozenset(): _as_conversation,
    frozenset({"logprobs"}): _with_logprobs,
    frozenset({"raw"}): _as_body,
    frozenset({"request"}): _as_request,
    frozenset({"events"}): _as_events,
    frozenset({"curl"}): _as_curl,
    frozenset({"json"}): _as_json,
    frozenset({"json", "logprobs"}): _as_json_with_logprobs,
    frozenset({"json", "events"}): _as_json_events,
}
"""What is done for each set of options that can be told together."""


def _form(flags: Mapping[str, bool]) -> Callable[[Shown], None]:
    asked = [name.removeprefix("as_") for name, is_asked in flags.items() if is_asked]
    if form := _FORMS.get(frozenset(asked)):
        return form
    raise click.UsageError(f"{' and '.join(f'--{name}' for name in asked)} cannot be asked for together")


def _ruled(parts: Iterable[Iterable[Text]], width: int) -> Iterator[Text]:
    """Draw a rule between the recordings."""
    for place, part in enumerate(parts):
        if place:
            yield from (styled(), styled(("─" * min(width, _LONGEST_RULE), "dim")), styled())
        yield from part


def _print_exactly(data: bytes) -> None:
    check_bytes(data)
    click.echo(data, nl=False)


def _command(interaction: Interaction, run: RecordedRun) -> str:
    return command(interaction.request, run.upstream, streams=interaction.track.variant is not Variant.JSON)


def _whole(interaction: Interaction, run: RecordedRun) -> dict[str, Any]:
    return {
        **named(interaction),
        "recorded_at": interaction.recorded_at,
        "run": asdict(run),
        "request": _request(interaction.request),
        "response": _response(interaction.response),
        "completion": asdict(assemble(interaction.response)),
    }


def _with_tokens(whole: dict[str, Any], response: Response) -> dict[str, Json]:
    tokens = logprobs(response)
    for choice in whole["completion"]["choices"]:
        choice["tokens"] = [asdict(token) for token in tokens.get(choice["index"], ())]
    return whole


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
