"""The layout of `ls`: one line an interaction.

Rule: the layout is planned from the first entries alone, before a body is read, and each line is made by itself: the
first lines come at once, and a cassette of any size takes no more memory than its largest interaction. (Rich's own
table would read all rows first.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from proxy.cli import wording
from proxy.cli.prompt import last_user_message
from proxy.cli.screen import styled
from proxy.core.completion import assemble
from proxy.core.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.cassette.reader import Entry, Reader
    from proxy.core.completion import Completion, ToolCall

SAMPLE: Final = 1000
"""From so many entries a layout is planned. Where there are more, columns that none of them fills are there all the
same, and what turns out wider than its column is still whole."""

_GAP: Final = 2
_LEAST_TEXT: Final = 20
"""What a column of text should have at least; others are left out until it has."""

_NAME_SHARE: Final = 6
"""Names that users choose (models, lanes) get no more than this part of a line each."""

_OK = 200


@dataclass(frozen=True, slots=True)
class Column:
    """One column, filled from an entry, or where it has no `cell` with recorded text.

    `rank` says which columns go first where the line is narrow, the greatest first; those of rank 0 stay.
    """

    title: str
    cell: Callable[[Entry], str] | None = None
    style: str = ""
    rank: int = 0
    is_name: bool = False
    is_number: bool = False

    @property
    def may_be_cut(self) -> bool:
        """Whether its beginning tells enough."""
        return self.is_name or self.cell is None


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that a listing has, each with its width."""

    columns: Sequence[tuple[Column, int]]

    def header(self) -> Text:
        """Name the columns."""
        return self._line([styled((column.title, "bold")) for column, _ in self.columns])

    def line(self, entry: Entry, prompt: Text, answer: Text) -> Text:
        """Lay one interaction out."""
        texts = iter((prompt, answer))
        cells = [
            styled((_told(column.cell, entry), column.style)) if column.cell else next(texts)
            for column, _ in self.columns
        ]
        return self._line(cells)

    def _line(self, cells: Sequence[Text]) -> Text:
        for (column, planned), cell in zip(self.columns, cells, strict=True):
            width = planned if column.may_be_cut else max(planned, cell.cell_len)
            cell.align("right" if column.is_number else "left", width)
        line = Text(" " * _GAP).join(cells)
        line.rstrip()
        return line


def plan(sample: Sequence[Entry], width: int) -> Layout:
    """Find the widths that hold the entries, and leave columns out where a line cannot hold them and the texts.

    The sample is all that will be listed, or its first `SAMPLE` entries.
    """
    widths = _needed(sample, width)
    present = [column for column in _COLUMNS if not column.cell or widths[column] or len(sample) >= SAMPLE]
    by_rank = sorted((column for column in present if column.rank), key=lambda column: column.rank)
    while _room(present, widths, width) < len(_TEXTS) * _LEAST_TEXT and by_rank:
        present.remove(by_rank.pop())
    room = max(_room(present, widths, width), len(_TEXTS))
    widths[_PROMPT] = room * 2 // 5 if room > len(_TEXTS) * 2 * _LEAST_TEXT else room // 2
    widths[_ANSWER] = room - widths[_PROMPT]
    return Layout([(column, widths[column]) for column in present])


def line_of(reader: Reader, layout: Layout, entry: Entry) -> Text:
    """Read one interaction, and lay it out."""
    interaction = reader.interaction(entry.take)
    prompt = last_user_message(wording.parsed(interaction.request.body))
    answer = answer_cell(assemble(interaction.response), interaction.response.body)
    return layout.line(entry, prompt_cell(entry, prompt), answer)


def prompt_cell(entry: Entry, prompt: str | None) -> Text:
    """Show the last user message; where there is none, the endpoint tells what was asked."""
    return styled((f"{entry.method} {entry.path}", "dim")) if prompt is None else styled(wording.folded(prompt))


def answer_cell(answer: Completion, body: bytes) -> Text:
    """Show what came back, in short: error, text, refusal or tool calls; else the body's beginning."""
    if answer.error:
        return styled((wording.folded(answer.error), "red"))
    if not answer.choices:
        return styled((wording.folded(body[:1000].decode("utf-8", "replace")), "dim"))
    first = answer.choices[0]
    said = first.content or first.audio
    pieces = [wording.folded(said)] if said else []
    pieces += [wording.folded(f"refusal: {first.refusal}")] if first.refusal else []
    return styled(" ".join(pieces + [_call(call) for call in first.tool_calls]))


def _call(call: ToolCall) -> str:
    return wording.folded(f"→ {call.name}({call.arguments})")


def _told(cell: Callable[[Entry], str], entry: Entry) -> str:
    """Fill a cell; clients name lanes and models, and may put line ends into them."""
    return wording.on_one_line(cell(entry))


def _needed(sample: Sequence[Entry], width: int) -> dict[Column, int]:
    widths = dict.fromkeys(_COLUMNS, 0)
    for column in _COLUMNS:
        cells = {_told(column.cell, entry) for entry in sample} - {""} if column.cell else set()
        if cells or len(sample) >= SAMPLE:
            widths[column] = max(len(column.title), *(styled(cell).cell_len for cell in cells), 0)
    return {
        column: min(needed, width // _NAME_SHARE) if column.is_name else needed for column, needed in widths.items()
    }


def _room(columns: Sequence[Column], widths: dict[Column, int], width: int) -> int:
    """Return what is left of a line for the texts."""
    return width - sum(widths[column] for column in columns if column.cell) - _GAP * (len(columns) - 1)


def _tokens(entry: Entry) -> str:
    counts = (entry.prompt_tokens, entry.completion_tokens)
    return "" if counts == (None, None) else "/".join(map(wording.tokens, counts))


def _note(entry: Entry) -> str:
    """Tell what is unusual about an answer."""
    take = entry.take
    status = "" if take.status == _OK else str(take.status)
    outcome = "" if take.outcome is Outcome.COMPLETE else take.outcome.value
    return " ".join(filter(None, (status, outcome)))


_PROMPT = Column("last user message")
_ANSWER = Column("answer")
_TEXTS = (_PROMPT, _ANSWER)

_COLUMNS: Final = (
    Column("take", lambda entry: entry.take.name, style="cyan"),
    Column("lane", lambda entry: entry.take.track.lane, style="magenta", rank=1, is_name=True),
    Column("variant", lambda entry: entry.take.track.variant.value, style="dim", rank=7),
    Column("when (UTC)", lambda entry: wording.minute(entry.recorded_at), style="dim", rank=6),
    Column("model", lambda entry: entry.model, rank=2, is_name=True),
    _PROMPT,
    _ANSWER,
    Column("finish", lambda entry: entry.finish_reason or "", style="dim", rank=5),
    Column("tokens", _tokens, style="dim", rank=3, is_number=True),
    Column("took", lambda entry: wording.duration(entry.duration_us), style="dim", rank=4, is_number=True),
    Column("", _note, style="bold red"),
)
"""From left to right."""
