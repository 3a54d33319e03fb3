"""Topics are told from filler."""

from __future__ import annotations

from proxy.demo.language import names, topics, vocabulary


def test_topics_are_distinct_and_in_order() -> None:
    assert topics("What is the weather in Oslo? The weather!") == ("weather", "Oslo")
    assert topics("") == ()


def test_names_begin_no_sentence() -> None:
    assert names("Is it warm in Paris and Zürich? Perhaps.") == ("Paris", "Zürich")


def test_names_in_code_are_taken_apart() -> None:
    assert vocabulary("getUserWeather read_file") == {"user", "weather", "read", "file"}
