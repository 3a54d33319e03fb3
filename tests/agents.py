"""Prompts as agents really send them, on one day and machine or another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a run is chance: where, when, and under which ids."""

    workdir: str
    home: str
    tmp: str
    day: str
    written_day: str
    now: str
    unix: int
    port: int
    ids: tuple[str, str]
    address: str


MONDAY: Final = Surroundings(
    workdir="/home/ada/src/shop",
    home="/home/ada",
    tmp="/tmp/pytest-of-ada/pytest-41",
    day="2026-11-23",
    written_day="Monday, November 23, 2026",
    now="2026-11-23T09:15:02.123456+00:00",
    unix=1763889302,
    port=53211,
    ids=("6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "0b9a3c52-1d2e-4f60-8a7b-9c0d1e2f3a4b"),
    address="0x7f3a5c0d1e80",
)
IN_CI: Final = Surroundings(
    workdir="/builds/acme/shop",
    home="/var/lib/runner",
    tmp="/tmp/pytest-of-root/pytest-0",
    day="2027-01-08",
    written_day="Friday, January 8, 2027",
    now="2027-01-08T23:59:59.000001+00:00",
    unix=1799452799,
    port=40007,
    ids=("91d3f6a0-55cb-4e0e-a4f7-0a1b2c3d4e5f", "e4b6a1c8-0f9e-4d3c-8b2a-1f0e9d8c7b6a"),
    address="0x10d5f3b20",
)


def coding_agent(at: Surroundings, question: str = "Fix the failing test.") -> dict[str, Any]:
    """A coding agent: its environment block, a file it read, what a command printed."""
    environment = (
        f"<env>\nWorking directory: {at.workdir}\nIs directory a git repo: Yes\nPlatform: linux\n"
        f"Today's date: {at.day}\n</env>\nMemory files: {at.home}/.config/agent/notes.md"
    )
    read = {"path": f"{at.workdir}/tests/test_cart.py", "limit": 200}
    ran = {"command": f"cd {at.workdir} && python -m pytest -x --basetemp {at.tmp}"}
    printed = (
        f"FAILED tests/test_cart.py::test_total - AssertionError: <Cart object at {at.address}>\n"
        f"rootdir: {at.workdir}\ntmp: {at.tmp}/test_total0\nserver at http://127.0.0.1:{at.port}/health"
    )
    return {
        "model": "gpt-5.4",
        "messages": [
            {"role": "system", "content": f"You are a coding agent.\n{environment}"},
            {"role": "user", "content": question},
            {"role": "assistant", "content": None, "tool_calls": [_call("r", "read", read), _call("b", "bash", ran)]},
            {"role": "tool", "tool_call_id": "r", "content": json.dumps({"path": read["path"], "text": "def test…"})},
            {"role": "tool", "tool_call_id": "b", "content": printed},
        ],
        "tools": [_tool("read", f"Read a file below {at.workdir}"), _tool("bash", "Run a command")],
    }


def rag(at: Surroundings, question: str = "When is the store open?") -> dict[str, Any]:
    """A prompt with retrieved passages, each with when it was fetched."""
    passages = "\n\n".join(
        f"[{number}] (fetched {at.now}, id {id_})\n{text}"
        for number, (id_, text) in enumerate(zip(at.ids, ("Open from 9 to 5.", "Closed on Sundays."), strict=True), 1)
    )
    return {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": f"Today is {at.written_day}. Answer from the passages alone."},
            {"role": "user", "content": [{"type": "text", "text": f"{passages}\n\nQuestion: {question}"}]},
        ],
    }


def tool_results(at: Surroundings, status: str = "shipped") -> dict[str, Any]:
    """A service's answers as tool results: UUIDs, times in two spellings, a dictionary by path."""
    order = {"order_id": at.ids[0], "created": at.unix, "updated_at": at.now, "status": status}
    files = {f"{at.tmp}/invoice.pdf": {"size": 1200}, f"{at.tmp}/label.png": {"size": 88}}
    return {
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": f"Where is order {at.ids[0]}, and what of {at.ids[1]}?"},
            {"role": "assistant", "tool_calls": [_call("o", "order", {"id": at.ids[0]}), _call("f", "files", {})]},
            {"role": "tool", "tool_call_id": "o", "content": json.dumps(order)},
            {"role": "tool", "tool_call_id": "f", "content": json.dumps(files)},
        ],
    }


PROMPTS: Final = {"a coding agent": coding_agent, "retrieved passages": rag, "tool results": tool_results}


def _call(id_: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _tool(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
