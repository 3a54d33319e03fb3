"""How a process is told to stop, and made to: in processes of their own, which are sent real signals."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Final

import pytest

FIRST: Final = """
import asyncio, os, signal, threading, time
from proxy.cli import stopping
stopping.CLOSING_S = 0.05
told = stopping.Stopping()
told.listen()
"""
"""What each process begins with."""


def run(script: str, *before: str) -> tuple[int, str, str]:
    command = [*before, sys.executable, "-c", FIRST + script]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_asks(number: int) -> None:
    script = f"""
async def main():
    told.attach()
    told.is_serving = True
    os.kill(os.getpid(), {number})
    await told.wait()
    print(told.number)
asyncio.run(main())
"""
    assert run(script) == (0, f"{number}\n", "")


def test_one_that_came_before_there_was_a_loop_is_not_lost() -> None:
    script = """
told.is_serving = True
os.kill(os.getpid(), signal.SIGTERM)
async def main():
    told.attach()
    await told.wait()
asyncio.run(main())
print("asked")
"""
    assert run(script) == (0, "asked\n", "")


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_second_ends_at_once_though_the_loop_is_busy(second: int) -> None:
    """As where a thread brings a large cassette to rest, and is waited for."""
    script = f"""
async def main():
    told.attach()
    told.is_serving = True
    os.kill(os.getpid(), signal.SIGTERM)
    await told.wait()
    sleeping = threading.Thread(target=time.sleep, args=(60,), daemon=True)
    sleeping.start()
    threading.Timer(0.05, os.kill, (os.getpid(), {second})).start()
    sleeping.join()
asyncio.run(main())
"""
    assert run(script) == (128 + second, "", "")


def test_below_nohup_a_terminal_that_closes_is_nothing() -> None:
    script = """
os.kill(os.getpid(), signal.SIGHUP)
print(told.number)
"""
    ignoring = ("sh", "-c", "trap '' HUP; exec \"$@\"", "sh")
    assert run(script, *ignoring) == (0, "0\n", "")


def test_a_start_that_does_not_come_through_is_broken_off() -> None:
    """As where another process holds the cassette."""
    status, _, said = run("os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)")
    assert status == 128 + signal.SIGTERM
    assert "the start was not through" in said


def test_a_signal_after_the_loop_has_ended_is_only_noted() -> None:
    script = """
async def main():
    told.attach()
    told.is_serving = True
asyncio.run(main())
os.kill(os.getpid(), signal.SIGTERM)
print(told.number)
"""
    assert run(script) == (0, f"{int(signal.SIGTERM)}\n", "")


@pytest.mark.parametrize("holds", ["time.sleep(60)", "threading.Thread(target=time.sleep, args=(60,)).start()"])
def test_a_process_that_does_not_end_in_time_is_made_to_and_that_is_told(holds: str) -> None:
    assert run(f"stopping.end_within(0.05, 'made to', 7)\n{holds}") == (7, "", "made to\n")


def test_one_that_ends_in_time_ends_as_it_would() -> None:
    assert run("stopping.end_within(60, 'made to', 7)\nraise SystemExit(3)") == (3, "", "")
