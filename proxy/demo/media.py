"""Pictures, sound and files on their way in; sound on its way out.

One rule: attached data is decoded, not believed. What is not base64 is refused, and what is said about an
attachment was measured.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
import wave
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.demo.faults import ApiError, invalid

if TYPE_CHECKING:
    from random import Random

_DATA_URI = re.compile(r"data:(?P<media_type>[\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*?;base64,(?P<data>.*)", re.DOTALL)
_UNNAMED = "application/octet-stream"
_IMAGE_TOKENS = 85
_BYTES_PER_AUDIO_TOKEN = 1600
_BYTES_PER_FILE_TOKEN = 4

_RATE = 24_000
_SECONDS = 0.05
_LOUDNESS = 8_000
_TOKENS_PER_SOUND = 1


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message that is not text; without a size it is only referred to."""

    kind: str
    name: str
    size: int | None = None

    def __str__(self) -> str:
        article = "an" if self.kind[0] in "aeiou" else "a"
        extent = "" if self.size is None else f", {self.size:,} bytes"
        return f"{article} {self.kind} ({self.name}{extent})"

    @property
    def text_tokens(self) -> int:
        """What it costs of the prompt, audio aside."""
        if self.kind == "image":
            return _IMAGE_TOKENS
        return 0 if self.kind == "audio clip" else (self.size or 0) // _BYTES_PER_FILE_TOKEN + 1

    @property
    def audio_tokens(self) -> int:
        """What it costs of the prompt as sound."""
        return (self.size or 0) // _BYTES_PER_AUDIO_TOKEN + 1 if self.kind == "audio clip" else 0


@dataclass(frozen=True, slots=True)
class Sound:
    """Speech as the API returns it."""

    id: str
    data: str
    transcript: str
    expires_at: int

    @property
    def tokens(self) -> int:
        """What the sound itself costs, its transcript aside."""
        return len(self.data) // _BYTES_PER_AUDIO_TOKEN + _TOKENS_PER_SOUND


def check_base64(path: str, value: Any) -> None:
    """Refuse data that does not decode; a data URI is taken for what it holds."""
    try:
        _decoded(str(value))
    except binascii.Error:
        raise _not_base64(path) from None


def check_image_url(path: str, value: Any) -> None:
    """Refuse what is neither a web address nor a base64 data URI."""
    if not isinstance(value, str) or not value.startswith(("http://", "https://", "data:")):
        raise invalid(
            f"Invalid '{path}'. Expected a valid URL, but got a value with an invalid format.", path, "invalid_value"
        )
    if value.startswith("data:"):
        if not _DATA_URI.fullmatch(value):
            raise _not_base64(path)
        check_base64(path, value)


def attachment(part: dict[str, Any]) -> Attachment:
    """Describe a content part that has passed its checks."""
    match part:
        case {"type": "image_url", "image_url": {"url": url}}:
            return _from_url("image", url)
        case {"type": "input_audio", "input_audio": {"data": data, "format": form}}:
            return Attachment("audio clip", f"audio/{form}", len(_decoded(data)[1]))
        case {"type": "file", "file": {"file_data": str(data)} as file}:
            media_type, content = _decoded(data)
            name = file.get("filename")
            return Attachment("file", f"{name}, {media_type}" if name else media_type, len(content))
        case _:
            return Attachment("file", str(part["file"].get("file_id")))


def _from_url(kind: str, url: str) -> Attachment:
    if not url.startswith("data:"):
        return Attachment(kind, url)
    media_type, content = _decoded(url)
    return Attachment(kind, media_type, len(content))


def _decoded(value: str) -> tuple[str, bytes]:
    uri = _DATA_URI.fullmatch(value)
    media_type, data = (uri["media_type"], uri["data"]) if uri else (_UNNAMED, value)
    try:
        return media_type, base64.b64decode("".join(data.split()), validate=True)
    except ValueError as error:  # characters outside of ASCII are not reported as a base64 error
        raise binascii.Error(str(error)) from None


def _not_base64(path: str) -> ApiError:
    return invalid(
        f"Invalid '{path}'. Expected base64-encoded data, but got a value that does not decode.",
        path,
        "invalid_base64",
    )


def speak(transcript: str, form: str, now: int, random: Random) -> Sound:
    """Make a short tone that stands for a spoken answer, as WAV or as bare samples."""
    samples = _tone(random.uniform(220, 880))
    data = base64.b64encode(_wav(samples) if form == "wav" else samples).decode()
    return Sound(f"audio_{random.getrandbits(128):032x}", data, transcript, now + 3600)


def _tone(pitch: float) -> bytes:
    step = 2 * math.pi * pitch / _RATE
    return array("h", (int(_LOUDNESS * math.sin(step * n)) for n in range(int(_RATE * _SECONDS)))).tobytes()


def _wav(samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(samples)
    return file.getvalue()
