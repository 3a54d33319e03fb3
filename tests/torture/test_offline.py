"""Offline is offline, as the kernel sees it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import suites
from tests.running import CHAT, ask
from torture import offline
from torture.item import nothing
from torture.offline import ASKED, outward, record
from torture.served import served

if TYPE_CHECKING:
    from pathlib import Path

needs_a_namespace = pytest.mark.skipif(not offline.namespace(), reason="unshare cannot make a network namespace here")


@needs_a_namespace
def test_without_a_route_a_replay_answers_everything(tmp_path: Path) -> None:
    assert "as recorded" in offline.run_offline(1, tmp_path, nothing)


@needs_a_namespace
def test_the_namespace_has_no_route() -> None:
    """Or the test above would show nothing."""
    told = subprocess.run([*offline.namespace(), "cat", "/proc/net/route"], capture_output=True, check=True)
    assert len(told.stdout.splitlines()) <= 1


@pytest.mark.skipif(not offline.can_trace(), reason="strace is not here, or may not trace")
def test_the_system_calls_of_a_replay_go_nowhere(tmp_path: Path) -> None:
    assert "none of them outward" in offline.run_traced(1, tmp_path, nothing)


@pytest.mark.parametrize(
    "line",
    [
        '7 connect(5, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16) = 0',
        "7 socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 5",
        "7 socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 5",
        '7 sendto(5, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("192.0.2.1")}, 16) = 1',
        '7 openat(AT_FDCWD, "/etc/resolv.conf", O_RDONLY|O_CLOEXEC) = 5',
        '7 openat(AT_FDCWD, "/etc/nsswitch.conf", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)',
    ],
)
def test_a_call_outward_would_be_seen(line: str) -> None:
    assert list(outward([line]))


@pytest.mark.parametrize(
    "line",
    [
        '7 sendto(9, "HTTP/1.1 200 OK", 15, 0, NULL, 0) = 15',
        "7 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 6",
        '7 bind(6, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
        '7 accept4(6, {sa_family=AF_INET, sin_port=htons(4), sin_addr=inet_addr("127.0.0.1")}, [16], SOCK_CLOEXEC) = 9',
    ],
)
def test_listening_and_answering_are_none(line: str) -> None:
    assert not list(outward([line]))


async def test_a_replay_does_not_even_import_what_could_call_an_upstream(tmp_path: Path) -> None:
    with suites.upstream() as model:
        await record(tmp_path, model.url)
    async with served(tmp_path, "replay", "--port", "0", env={"PYTHONPROFILEIMPORTTIME": "1"}) as proxy:
        url = await proxy.url()
        assert (await ask(url + CHAT, ASKED[0])).status == 200
        assert (await ask(url + CHAT, b"{}")).status == 424
        proxy.process.terminate()
        said = (await proxy.end()).err
    imported = {line.rpartition("|")[2].strip() for line in said.splitlines() if "import time:" in line}
    assert "proxy.server" in imported
    assert not {name for name in imported if name.startswith(("proxy.upstream", "proxy.demo", "sqlalchemy"))}
