"""Standard output that takes any text.

Rule: what an encoding lacks is written as JSON escapes it: a recording in any language can be looked at
anywhere, and JSON stays JSON. Output of a form of its own, such as `export`, writes bytes, and is UTF-8 everywhere.
"""

from __future__ import annotations

import codecs
import io
import json
import sys
from typing import Final

_NAME: Final = "llmtape.json"


def take_any_text() -> None:
    """Let standard output escape what its encoding lacks, where it is a stream that can."""
    codecs.register_error(_NAME, _escaped)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_NAME)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
