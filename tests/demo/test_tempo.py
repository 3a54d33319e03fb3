"""Deadlines are counted from the start."""

from __future__ import annotations

from proxy.demo.tempo import Metronome, Tempo


def test_tokens_are_due_at_even_distances_from_the_first() -> None:
    tempo = Tempo(first_token=1.0, interval=0.5)
    assert [tempo.due(number) for number in range(3)] == [1.0, 1.5, 2.0]


async def test_delays_do_not_add_up() -> None:
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    metronome = Metronome(Tempo(first_token=1.0, interval=0.5), clock=lambda: now, sleep=sleep)
    await metronome.until(0)
    now += 0.25  # a slow write
    await metronome.until(1)
    now += 9  # a very slow one
    await metronome.until(2)
    assert slept == [1.0, 0.25]
