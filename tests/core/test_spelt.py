"""The JSON in a body or an event, and where it stands."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.core import sse
from proxy.core.spelt import decoded, encoded, in_event, size, whole


@given(st.binary())
def test_what_is_decoded_is_encoded_as_it_was(data: bytes) -> None:
    assert encoded(decoded(data)) == data
    assert size(decoded(data)) == len(data)
    assert whole(data).text == decoded(data)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.sampled_from([b"data", b":", b" ", b"\r", b"\n", b"x", b"\xef\xbb\xbf", b"\xc3\xa9", b"\xc3"]),
        max_size=20,
    ).map(b"".join)
)
@example(b"data\r\n\r\n")
@example(b"\xef\xbb\xbfdata")
def test_the_data_of_an_event_is_read_as_everywhere_and_each_character_placed(event: bytes) -> None:
    source = in_event(event)
    assert encoded(source.text) == (sse.data_of(event) or b"")
    for start, end, character in zip(source.places, source.places[1:], source.text, strict=False):
        assert source.raw[start:end] == character or (
            character == "\n" and source.raw[start:end].endswith(("data", ":", ": "))
        )
