"""The tables of docs/keys.md and docs/upstream.md: `make docs`.

Rule: what stands between `<!-- table NAME -->` and `<!-- end -->` is never edited by hand; a test compares it. The
tables of keys.md are the code's own, those of upstream.md tell what was observed.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from proxy.core.parameters import PARAMETERS
from proxy.core.rules import OPTIONS
from proxy.core.scrubbers import SCRUBBERS
from torture.observed import shown
from torture.upstream import look_up_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torture.observed import Seen

PAGE: Final = Path(__file__).parent / "keys.md"
UPSTREAM: Final = Path(__file__).parent / "upstream.md"
_TABLE: Final = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str, tables: Mapping[str, str] | None = None) -> str:
    """Return the page with its tables made anew: the code's own, where no others are given."""
    made = _TABLES if tables is None else tables
    return _TABLE.sub(lambda found: found[1] + made[found[2]] + found[3], page)


def observed(table: Iterable[Seen]) -> dict[str, str]:
    """Return the tables of upstream.md, by name, from what was seen of each case."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for seen in table:
        rows.setdefault(seen.case.group, []).append((seen.case.does, *shown(seen)))
    head = ("the upstream", "the client gets", "marked", "stored", "a replay gives")
    return {group: _rows(head, *cells) for group, cells in rows.items()}


def _rows(*cells: tuple[str, ...]) -> str:
    head, *body = ("| " + " | ".join(row) + " |\n" for row in cells)
    return head + "|---" * len(cells[0]) + "|\n" + "".join(body)


_TABLES: Final = {
    "parameters": _rows(
        ("parameter", "class", "in the key"),
        *((f"`{name}`", parameter.role, parameter.note) for name, parameter in sorted(PARAMETERS.items())),
    ),
    "scrubbers": _rows(
        ("scrubber", "takes", "such as"),
        *((f"`{name}`", scrubber.note, f"`{scrubber.example}`") for name, scrubber in SCRUBBERS.items()),
    ),
    "options": _rows(("choice", "what it does"), *((f"`{name}`", does) for name, does in OPTIONS.items())),
}


def main() -> None:
    """Write all tables anew."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    with TemporaryDirectory(prefix="llmtape-docs-") as folder:
        tables = observed(look_up_table(Path(folder)))
    UPSTREAM.write_text(written(UPSTREAM.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
