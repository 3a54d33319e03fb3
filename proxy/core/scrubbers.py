r"""What volatile text looks like: the scrubbers that a config can name.

Rule: one table. A scrubber's pattern takes in what changes by itself and nothing beside it, so that whatever stands
around still counts. To add one is to add a row; to change one changes keys, and raises `normalize.NORMALIZER`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

WORKDIR: Final = "workdir"
HOME: Final = "home"


@dataclass(frozen=True, slots=True)
class Scrubber:
    """A kind of volatile text.

    `pattern`, `before` (a look-behind) and `after` (a look-ahead) are regular expressions; the latter two are no part
    of the value. `hint` is one that a text has to hold, and that is looked for fast. `note` says what the scrubber
    takes, `example` is one.
    """

    name: str
    note: str
    example: str
    hint: str
    pattern: str
    before: str = r"(?<![0-9A-Za-z])"
    after: str = r"(?![0-9A-Za-z])"


_YEAR = r"(?:19|20)\d\d"
_ISO_DATE = rf"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_WEEKDAY = r"(?:Mon|Tue|Tues|Wed|Wednes|Thu|Thur|Thurs|Fri|Sat|Satur|Sun)(?:day)?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?"
    r"|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
# What stands behind a time and is none of these is a word of the prompt's: `09:30 BUY`, `09:30 -1500 EUR`.
_OFFSET = r"[+-](?:0\d|1[0-4]):?(?:00|15|30|45)(?!\d)"
_ZONE = (
    r"(?:UTC|GMT|BST|WES?T|CES?T|EES?T|MSK|IST|JST|KST|HKT|SGT|A[CE][SD]T|AWST|NZ[SD]T|[CEMP][SD]T|AK[SD]T|HST)(?!\w)"
)
_SECONDS = r":\d\d(?:[.,]\d{1,9})?"
_TIME = rf"\d{{1,2}}:\d\d(?:{_SECONDS}(?: ?{_OFFSET})?|{_OFFSET})?(?: ?[AaPp][Mm](?!\w))?(?: ?{_ZONE})?"
_WRITTEN_DATE = "|".join(
    (
        rf"(?:{_WEEKDAY},? )?{_MONTH} {{1,2}}{_DAY},? {_YEAR}",
        rf"(?:{_WEEKDAY},? )?{_DAY}(?: of)? {_MONTH},? {_YEAR}",
        rf"(?:{_WEEKDAY},? )?(?:{_ISO_DATE}|{_YEAR}/\d\d?/\d\d?|\d\d?/\d\d?/{_YEAR}|\d\d?\.\d\d?\.{_YEAR})",
    )
)
_CTIME = rf"{_WEEKDAY} {_MONTH} {{1,2}}\d{{1,2}} \d\d:\d\d:\d\d(?: {_ZONE})? {_YEAR}"

# A name below a temporary folder, and a user's; a full stop that ends a sentence is no part of it.
_SEGMENT = r"[\w.+@%~-]*[\w+@%~-]"
_TEMPORARY = r"(?:/private)?/(?:tmp|var/tmp|dev/shm|var/folders/[\w+-]+/[\w+-]+/T)/"
_WINDOWS_TEMPORARY = rf"[A-Za-z]:[\\/]Users[\\/]{_SEGMENT}[\\/]AppData[\\/]Local[\\/]Temp[\\/]"

PATH_BEGINS: Final = r"(?<![\w.~-])"
PATH_GOES_ON_OR_ENDS: Final = r"(?![\w+@%~-]|\.\w)"
NEVER: Final = "(?!)"

ANNOUNCING: Final = re.compile(r"[dD](?:ir|IR)|[cC]wd|CWD|[wW](?:ork|ORK)|[pP](?:roj|ROJ)|[rR](?:epo|EPO)")
"""What a text has to hold that tells a working directory; looked for fast."""

ANNOUNCED: Final = re.compile(
    r"(?i:(?:working|current)[ _-]dir(?:ectory)?|\b(?:cwd|workdir)|working in the directory"
    r"|(?:workspace|project|repo(?:sitory)?) (?:root|dir(?:ectory)?|folder)|workspace path)"
    r"[\"'`*_]{0,3}(?:\s{0,2}(?:is\b|=|:|\()|>)?[\"'`*_]{0,3}\s{0,4}[\"'`*_]{0,3}"
    r"(?P<value>(?:/|[A-Za-z]:[\\/])[^\s\"'`<>|*?()\[\],;]{0,400}[^\s\"'`<>|*?()\[\],;.:/\\])"
)
"""How prompts tell their working directory: `Working directory: /x`, `<cwd>/x</cwd>`, `workspace root is /x`."""

_LOCAL_HOSTS = (r"localhost", r"127\.0\.0\.1", r"0\.0\.0\.0", r"\[::1\]")

_ALL = (
    Scrubber(
        WORKDIR,
        "the folder in which llmtape runs, and one that the text names as its working directory",
        "/home/ada/shop",
        NEVER,  # only known places are taken: see `scrub`
        NEVER,
        PATH_BEGINS,
        PATH_GOES_ON_OR_ENDS,
    ),
    Scrubber(
        "tmp-path",
        "a temporary folder and the first name below it; what stands below that counts",
        "/tmp/pytest-of-ada/pytest-7",  # noqa: S108  text, not a file of ours
        r"/tmp/|/T/|/shm/|Temp[\\/]",  # noqa: S108  as above
        rf"(?:{_TEMPORARY}|{_WINDOWS_TEMPORARY})(?:pytest-of-{_SEGMENT}[\\/]pytest-\d+|{_SEGMENT})",
        PATH_BEGINS,
        PATH_GOES_ON_OR_ENDS,
    ),
    Scrubber(
        HOME,
        "a user's home folder",
        "/Users/ada",
        r"home/|Users[\\/]|/root",
        rf"/(?:home|Users)/{_SEGMENT}|/root|[A-Za-z]:[\\/]Users[\\/]{_SEGMENT}",
        PATH_BEGINS,
        PATH_GOES_ON_OR_ENDS,
    ),
    Scrubber(
        "uuid",
        "a UUID with its dashes",
        "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55",
        "-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-",
        r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    ),
    Scrubber(
        "iso-datetime",
        "a date and a time in ISO 8601, with or without a zone",
        "2026-11-25T09:30:00Z",
        r"-\d\d[Tt ]\d\d:\d\d",
        rf"{_ISO_DATE}[Tt ]\d\d:\d\d(?:{_SECONDS}(?: ?{_OFFSET})?|{_OFFSET})?(?:[Zz]| ?{_ZONE})?",
    ),
    Scrubber(
        "date",
        "a date in numbers or English words, with the weekday and the time that stand beside it in words",
        "Wednesday, November 25, 2026",
        _YEAR,
        rf"{_CTIME}|(?:{_WRITTEN_DATE})(?:(?:,? at|,)? {_TIME})?(?: \({_WEEKDAY}\))?",
    ),
    Scrubber(
        "unix-time",
        "seconds since 1970 (2017 to 2036), or milli-, micro- or nanoseconds",
        "1764063000",
        r"(?:1[5-9]|20)\d{8}",
        r"(?:1[5-9]|20)\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d{1,9})?",
        r"(?<![\w.])",
        r"(?!\w)",
    ),
    Scrubber(
        "localhost-port",
        "the port behind localhost, 127.0.0.1, 0.0.0.0 or [::1]",
        "localhost:53211",
        r":\d\d",
        r"\d{2,5}",
        "(?:" + "|".join(rf"(?<={host}:)" for host in _LOCAL_HOSTS) + ")",
        r"(?!\d)",
    ),
    Scrubber(
        "hex-address",
        "an address in memory, as a program prints it: 8 to 16 hexadecimal digits",
        "<Tool object at 0x7f3a5c0d1e80>",
        "0[xX]",
        r"0[xX][0-9A-Fa-f]{8,16}",
    ),
)

PATHS: Final = frozenset({WORKDIR, HOME, "tmp-path"})
"""Those whose values are paths."""

SCRUBBERS: Final[dict[str, Scrubber]] = {scrubber.name: scrubber for scrubber in _ALL}
"""By name, in the order in which they take their part of a text: what holds another stands before it."""
