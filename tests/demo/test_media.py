"""Attachments are measured, sounds can be played."""

from __future__ import annotations

import base64
import io
import wave
from random import Random
from typing import Any

import pytest

from proxy.demo import media
from proxy.demo.faults import ApiError

PIXELS = base64.b64encode(b"x" * 1234).decode()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXELS}"}},
            "an image (image/png, 1,234 bytes)",
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            "an image (https://example.com/a.png)",
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PIXELS, "format": "mp3"}},
            "an audio clip (audio/mp3, 1,234 bytes)",
        ),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PIXELS}", "filename": "a.pdf"}},
            "a file (a.pdf, application/pdf, 1,234 bytes)",
        ),
        (
            {"type": "file", "file": {"file_data": PIXELS}},
            "a file (application/octet-stream, 1,234 bytes)",
        ),
        ({"type": "file", "file": {"file_id": "file-1"}}, "a file (file-1)"),
    ],
)
def test_attachments_are_described_by_their_decoded_data(part: dict[str, Any], expected: str) -> None:
    described = media.attachment(part)
    assert str(described) == expected
    assert described.text_tokens + described.audio_tokens > 0


@pytest.mark.parametrize("data", ["a", "####", "é", "data:image/png;base64,a"])
def test_what_is_not_base64_is_refused(data: str) -> None:
    with pytest.raises(ApiError, match="base64") as caught:
        media.check_base64("here", data)
    assert (caught.value.fault.status, caught.value.fault.param) == (400, "here")


@pytest.mark.parametrize("url", [3, "ftp://x", "data:image/png,plain", "data:image/png;base64,a"])
def test_image_must_be_a_web_address_or_base64(url: object) -> None:
    with pytest.raises(ApiError):
        media.check_image_url("here", url)


def test_line_breaks_in_base64_do_no_harm() -> None:
    media.check_base64("here", f"{PIXELS[:76]}\r\n{PIXELS[76:]}")


def test_spoken_answer_is_a_wav_file_or_its_samples() -> None:
    sound = media.speak("Hello", "wav", 1000, Random(1))
    with wave.open(io.BytesIO(base64.b64decode(sound.data))) as file:
        frames = file.readframes(file.getnframes())
    assert len(frames) == 2 * 1200
    assert (sound.transcript, sound.expires_at) == ("Hello", 4600)
    assert base64.b64decode(media.speak("Hello", "pcm16", 1000, Random(1)).data) == frames
