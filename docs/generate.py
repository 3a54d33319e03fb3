"""The tables of docs/keys.md, written from the code's own: `make docs`.

Rule: what stands between `<!-- table NAME -->` and `<!-- end -->` is never edited by hand; a test compares it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from proxy.core.parameters import PARAMETERS
from proxy.core.rules import OPTIONS
from proxy.core.scrubbers import SCRUBBERS

PAGE: Final = Path(__file__).parent / "keys.md"
_TABLE: Final = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str) -> str:
    """Return the page with its tables made anew."""
    return _TABLE.sub(lambda found: found[1] + _TABLES[found[2]] + found[3], page)


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


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
