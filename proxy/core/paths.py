"""JSON paths: values that the user says do not count, or count as one.

Rule: a path addresses the opened canonical body, as miss reports and `explain` show it (RFC 9535, the leading `$.`
may be left out). An ignored member of an object goes; an ignored element of an array leaves a mark, since the places
of the others count.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from proxy.core import canonical
from proxy.core.canonical import IGNORED
from proxy.core.scrub import Held

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathQuery

    from proxy.core.canonical import Json

Location = tuple[str | int, ...]

_ROOT = re.compile(r"\$(?:[.\[]|$)")


@lru_cache(maxsize=64)
def compiled(path: str) -> JSONPathQuery:
    """Read a JSON path. Raises ValueError, in words, for what is none."""
    # Few configs have one, and it takes 35 ms.
    from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError  # noqa: PLC0415

    class Deep(JSONPathEnvironment):
        max_recursion_depth = 2 * canonical.DEEPEST

    full = path if _ROOT.match(path) else f"$.{path}"
    try:
        query = Deep().compile(full)
    except (JSONPathError, RecursionError) as error:
        raise ValueError(str(error).replace("line 1, column", "at character")) from error
    if not query.segments:
        raise ValueError("it names the whole body, which always counts")
    return query


def ignore(view: Json, path: str) -> bool:
    """Take away what stands at a path, in place; tell whether anything did."""
    changed = False
    for location in reversed(_locations(view, path)):  # the last first: a path may name what stands within another
        holder, last = _holder(view, location)
        if isinstance(holder, dict):
            del holder[last]
            changed = True
        elif holder[last] != IGNORED:
            holder[last] = IGNORED
            changed = True
    return changed


def hold(view: Json, path: str, name: str) -> None:
    """Hold back what stands at a path, in place, to be numbered under a rule's name."""
    for location in reversed(_locations(view, path)):
        holder, last = _holder(view, location)
        value = holder[last]
        is_text = isinstance(value, str)
        text = value if is_text else canonical.dumps(canonical.Document(_plain(value), exact=True)).decode()
        holder[last] = Held(name, text, is_text)


def _locations(view: Json, path: str) -> list[Location]:
    """Find the places that a path names, but for the whole, in an order that no client's spelling changes."""
    found = {node.location for node in compiled(path).find(view) if node.location}
    return sorted(found, key=lambda location: [(isinstance(part, str), str(part), part) for part in location])


def _holder(view: Json, location: Location) -> tuple[Any, Any]:
    holder = view
    for part in location[:-1]:
        holder = holder[part]
    return holder, location[-1]


def _plain(value: Json) -> Json:
    """Write out what was held back within."""
    if isinstance(value, Held):
        return value.value
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
