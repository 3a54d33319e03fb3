"""A cassette as lines of text, for `git diff`.

Rule: a line changes only where what was asked or answered does, or when it was recorded: ids, times within a stream
and counts are left out, and no line is wrapped. Interactions stand lane by lane, so that tests which ran side by side
do not mix; what a conversation sends again, turn after turn, is said in a line. Recorded text is made safe to show.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from proxy.cassette.facts import rules_in
from proxy.cassette.filling import rows
from proxy.cassette.reader import Reader
from proxy.cassette.settle import conflicts_in
from proxy.cli import wording
from proxy.cli.prompt import Message, messages
from proxy.core import meaning
from proxy.core.completion import assemble
from proxy.core.errors import CassetteError
from proxy.core.model import Outcome, Variant, take_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.core.canonical import Json
    from proxy.core.completion import Choice, ToolCall
    from proxy.core.conflicts import Conflict
    from proxy.core.model import Interaction, RecordedRun, Request, Response

HEAD: Final = "^((CONFLICT|[0-9a-f]{12}:[0-9]+) .*)$"
"""What the first line of a block looks like, as a regular expression of git's: its group stands above each hunk."""

_INDENT: Final = "  "
_LONGEST_VALUE: Final = 60
_LONGEST_BODY: Final = 2_000
_OK = 200
_CHAT = "/v1/chat/completions"
_RESULTS = frozenset({"tool", "function"})


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request says, as far as the next one of its lane may say it again."""

    parameters: dict[str, str]
    messages: list[Message]


_NOTHING: Final = _Asked({}, [])


def transcript(path: Path) -> Iterator[str]:
    """Yield the lines. What cannot be read is told in one, with a digest of the bytes, and never raised."""
    try:
        yield from _cassette(path)
    except (CassetteError, OSError) as error:
        yield from _unreadable(path, error)


def _cassette(path: Path) -> Iterator[str]:
    for conflict in conflicts_in(path).values():
        yield from _conflict(conflict)
    with Reader(path, rules_in(path)) as reader:
        lane = ""
        before = _NOTHING
        for row in sorted(rows(reader), key=lambda row: row.take.track.lane):
            if row.take.track.lane != lane:
                lane, before = row.take.track.lane, _NOTHING
            try:
                interaction, run = row.read()
            except CassetteError as error:
                yield from _unreadable(path, error, f"{row.take.name} ")
                continue
            asked = _asked(interaction.request)
            yield from _printable(_block(interaction, run, asked, before))
            before = asked


def _unreadable(path: Path, error: Exception, prefix: str = "") -> Iterator[str]:
    """Say in a line what is wrong, the same wherever git put the file; the digest tells that it changed."""
    reason = str(error).replace(str(path), "this file")
    digest = "" if prefix else _digest(path)
    yield f"{prefix}cannot be shown: {wording.folded(wording.printable(reason))}{digest}"


def _digest(path: Path) -> str:
    try:
        return f" (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()})"
    except OSError:  # a folder, or what this user may not read
        return ""


def _conflict(conflict: Conflict) -> Iterator[str]:
    lane = f" lane {conflict.track.lane}" if conflict.track.lane else ""
    for recordings in conflict.alternatives:
        yield from _printable([f"CONFLICT {conflict.track.key[:12]}{lane}: theirs has"])
        if not recordings:
            yield from (f"{_INDENT}no recording", "")
        for interaction, run in recordings:
            yield from _printable(_block(interaction, run, asked := _asked(interaction.request), asked), _INDENT)


def _printable(lines: Iterator[str] | list[str], margin: str = "") -> Iterator[str]:
    for line in lines:
        yield f"{margin}{wording.on_one_line(line)}" if line.strip() else ""


def _block(interaction: Interaction, run: RecordedRun, asked: _Asked, before: _Asked) -> Iterator[str]:
    track = interaction.track
    variant = "" if track.variant is Variant.JSON else f" {track.variant}"
    lane = f" lane {track.lane}" if track.lane else ""
    yield f"{take_name(track.key, interaction.number)} {_endpoint(interaction.request)}{variant}{lane}"
    yield from _parameters(asked, before)
    yield from _messages(asked, before)
    yield from _answer(interaction.response)
    when = f"{wording.second(interaction.recorded_at)} UTC"
    yield f"{_INDENT}recorded {when}, {run.mode} from {run.upstream}, llmtape {run.llmtape_version}"
    yield ""


def _endpoint(request: Request) -> str:
    query = f"?{request.query}" if request.query else ""
    return (
        "chat"
        if (request.method, request.path + query) == ("POST", _CHAT)
        else f"{request.method} {request.path}{query}"
    )


def _asked(request: Request) -> _Asked:
    body = wording.parsed(request.body)
    said = messages(body)
    if not isinstance(body, dict):
        return _Asked({"body": _text(body)} if request.body else {}, said)
    return _Asked({name: _text(value) for name, value in body.items() if name != "messages" or not said}, said)


def _parameters(asked: _Asked, before: _Asked) -> Iterator[str]:
    for name, text in asked.parameters.items():
        is_long = len(text) > _LONGEST_VALUE or "\n" in text
        if is_long and before.parameters.get(name) == text:
            yield f"{_INDENT}{name}: as before"
        elif is_long:
            yield f"{_INDENT}{name}:"
            yield from _lines(wording.laid_out(text), 2)
        else:
            yield f"{_INDENT}{name}: {text}"


def _messages(asked: _Asked, before: _Asked) -> Iterator[str]:
    again = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(asked.messages, before.messages, strict=False))
    )
    if again:
        yield f"{_INDENT}({wording.counted(again, 'message')} as before)"
    for message in asked.messages[again:]:
        yield f"{_INDENT}{message.role}{f' {message.name}' if message.name else ''}"
        for part in message.parts:
            yield from _lines(wording.laid_out(part.text) if message.role in _RESULTS else part.text, 2)
        for call in message.tool_calls:
            yield from _call(call)


def _answer(response: Response) -> Iterator[str]:
    answer = assemble(response)
    status = "" if response.status == _OK else f", status {response.status}"
    outcome = "" if response.outcome is Outcome.COMPLETE else f", {response.outcome}"
    for choice in answer.choices:
        place = f" {choice.index + 1}" if len(answer.choices) > 1 else ""
        yield f"{_INDENT}answer{place}: {choice.finish_reason or 'no finish reason'}{status}{outcome}"
        yield from _choice(choice)
    if answer.error:
        yield f"{_INDENT}error{status}{outcome}"
        yield from _lines(answer.error, 2)
    elif not answer.choices:
        yield f"{_INDENT}answer{status}{outcome}"
        yield from _lines(_cut(_text(meaning.said(response).get("body"))), 2)


def _choice(choice: Choice) -> Iterator[str]:
    told = {"reasoning": choice.reasoning, "refusal": choice.refusal, "audio": choice.audio}
    for name, text in told.items():
        if text:
            yield f"{2 * _INDENT}({name})"
            yield from _lines(text, 2)
    yield from _lines(choice.content, 2) if choice.content else ()
    for call in choice.tool_calls:
        yield from _call(call)
    for annotation in choice.annotations:
        yield f"{2 * _INDENT}[{annotation.kind}] {annotation.title} {annotation.url}"


def _call(call: ToolCall) -> Iterator[str]:
    yield f"{2 * _INDENT}→ {call.name}"
    yield from _lines(wording.laid_out(call.arguments), 3)


def _lines(text: str, depth: int) -> Iterator[str]:
    return (f"{_INDENT * depth}{line}" for line in text.split("\n"))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else wording.compact(value)


def _cut(text: str) -> str:
    """Cut a long body, such as an embedding; the digest of the rest tells that it changed."""
    if len(text) <= _LONGEST_BODY:
        return text
    rest = text[_LONGEST_BODY:]
    digest = hashlib.sha256(rest.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:_LONGEST_BODY]}…\n({len(rest)} more characters, sha256 {digest})"
