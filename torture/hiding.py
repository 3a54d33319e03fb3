r"""Ways to hide a credential in a text, and to find it there again.

Rule: knows nothing of the proxy's own code: what is found here is looked for by decoding a text in all ways, and not by
the forms that the proxy looks for.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    Hide = Callable[[str, Random], str]

_TOKEN: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_\-]{8,}={0,2}")
_HEXADECIMAL: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_ESCAPES: Final = re.compile(rb"\\+u00([0-9A-Fa-f]{2})")
_LEAST_SEEN: Final = 8
"""So many bytes of a credential in a row are a leak: base64 leaves some bits of those at its ends."""


def _letters(random: Random, count: int, alphabet: str = _TOKEN) -> str:
    return "".join(random.choices(alphabet, k=count))


def credential(random: Random) -> str:
    """Draw a credential of one of the kinds that there are."""
    kinds: tuple[Callable[[], str], ...] = (
        lambda: f"sk-proj-{_letters(random, random.randint(40, 120), _TOKEN + '_-')}",
        lambda: f"sk-{_letters(random, 8)}",
        lambda: _letters(random, 32, "0123456789abcdef"),
        lambda: base64.b64encode(random.randbytes(random.randint(12, 64))).decode(),
        lambda: f"{_letters(random, 6)}:{_letters(random, 12)}@/+&=?%",
        lambda: f"eyJ{_letters(random, 20)}.{_letters(random, 40)}.{_letters(random, 43)}",
        lambda: f'{_letters(random, 4)}"{_letters(random, 4)}\\{_letters(random, 6)}',
        lambda: f"{_letters(random, 5)} {_letters(random, 9)} {_letters(random, 3)}",
    )
    return random.choice(kinds)()


def _in_base64(text: str, random: Random) -> str:
    encode = random.choice((base64.b64encode, base64.urlsafe_b64encode))
    return encode(
        random.randbytes(random.randint(0, 5)) + text.encode() + random.randbytes(random.randint(0, 5))
    ).decode()


HIDDEN: Final[dict[str, Hide]] = {
    "raw": lambda text, _: text,
    "base64": _in_base64,
    "basic": lambda text, random: base64.b64encode(
        f"{_letters(random, random.randint(0, 7))}:{text}".encode()
    ).decode(),
    "hex": lambda text, _: text.encode().hex(),
    "HEX": lambda text, _: text.encode().hex().upper(),
    "percent": lambda text, _: quote(text, safe=""),
    "percent of all": lambda text, _: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent twice": lambda text, _: quote(quote(text, safe=""), safe=""),
    "slashes": lambda text, _: text.replace("/", "\\/"),
    "escapes": lambda text, random: "".join(
        f"\\u{ord(letter):04x}" if not letter.isalnum() or random.random() < 0.5 else letter for letter in text
    ),
    "json": lambda text, _: json.dumps({"key": text}),
    "json in json": lambda text, _: json.dumps({"a": json.dumps({"key": text})}),
    "data uri": lambda text, random: (
        f"data:image/png;base64,{base64.b64encode(random.randbytes(9) + text.encode()).decode()}"
    ),
}
"""What a client, a server or a model may make of a text on its way into another one."""


def sights(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """Yield all that a text may be decoded to: itself, without its escapes, and what its base64 and digits hold."""
    yield data
    if not depth:
        return
    plain = _ESCAPES.sub(lambda match: bytes([int(match[1], 16)]), data)
    plain = unquote_to_bytes(plain)
    plain = re.sub(rb'\\+([/"\\])', rb"\1", plain)
    if plain != data:
        yield from sights(plain, depth - 1)
    for match in _BASE64.finditer(data):
        word = match[0].replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        for start in range(4):
            part = word[start:]
            part = part[: len(part) // 4 * 4] if len(part) % 4 == 1 else part + b"=" * (-len(part) % 4)
            yield base64.b64decode(part)
    for match in _HEXADECIMAL.finditer(data):
        yield bytes.fromhex(match[0].decode())


def shows(data: bytes, secret: str) -> bool:
    """Tell whether a text shows a credential, or most of it, in whatever form."""
    inner = secret.encode()
    wanted = inner[1:-1] if len(inner) > _LEAST_SEEN + 1 else inner
    return any(wanted in sight or wanted.lower() in sight.lower() for sight in sights(data))
