"""What is done where there is no network: `python -m torture.within FOLDER [demo]`.

Rule: runs in a network namespace of its own, whose loopback it brings up itself, and refuses to run where there is any
route. All that a replay is used for is used here: what was recorded in the folder comes again, byte for byte.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.running import CHAT, ask, chat, recordings
from torture.item import BrokenPromiseError, check
from torture.served import clean, served

APP: Final = """if True:
    import http.client, os, urllib.parse
    place = urllib.parse.urlsplit(os.environ["OPENAI_BASE_URL"])
    for stream in (b"false", b"true"):
        body = b'{"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": %b}' % stream
        connection = http.client.HTTPConnection(place.netloc)
        connection.request("POST", place.path + "/chat/completions", body)
        print(connection.getresponse().read())
        connection.close()
"""
"""An application, which knows nothing of the proxy."""

SUITE: Final = """
from openai import OpenAI

def test_it(llmtape):
    with OpenAI() as client:
        messages = [{"role": "user", "content": "a test asks"}]
        assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content
        assert len(list(client.chat.completions.create(model="m", messages=messages, stream=True))) > 2
"""
"""A test suite on the SDK and the pytest plugin."""

_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 1
_REQUEST: Final = "16sh14x"  # struct ifreq, as far as flags need it


def bring_up_loopback() -> None:
    """Bring `lo` up, by the tool for it or by hand. Raises OSError where that may not be."""
    if ip := shutil.which("ip"):
        subprocess.run([ip, "link", "set", "lo", "up"], check=True)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        told = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack(_REQUEST, b"lo", 0))
        _, flags = struct.unpack(_REQUEST, told)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack(_REQUEST, b"lo", flags | _IFF_UP))


def has_route() -> bool:
    """Tell whether this process could reach anything but itself."""
    devices = Path("/proc/net/dev").read_text().splitlines()[2:]
    return any(line.split(":")[0].strip() != "lo" for line in devices) or len(routes()) > 1


def routes() -> list[str]:
    """List the routes of this namespace; the first line is a head."""
    return Path("/proc/net/route").read_text().splitlines()


async def replay(folder: Path) -> int:
    """Play everything that a folder has; return how many answers were compared. Raises BrokenPromiseError."""
    compared = 0
    async with served(folder, "replay", "--port", "0", "--report", "receipt.json") as proxy:
        url = await proxy.url()
        check(url, f"the replay did not start: {proxy.said}")
        for tape, mount in (("default", ""), ("named", "/@named")):
            base = url.replace("/v1", f"{mount}/v1")
            for one in recordings(folder / f"cassettes/{tape}.sqlite"):
                answer = await ask(base.removesuffix("/v1") + one.request.path, one.request.body)
                same = (answer.status, answer.body) == (one.response.status, one.response.body)
                check(same, f"{one.request.body!r} was answered with {answer.body!r}, not with {one.response.body!r}")
                compared += 1
        await _misses(url)
        await _control(url.removesuffix("/v1"))
        proxy.signal(signal.SIGTERM)
        end = await proxy.end()
    check(end.status == 3, f"misses, and the exit status is {end.status}: {end.err}")
    receipt = json.loads((folder / "receipt.json").read_bytes())
    check(not receipt["had_upstream"], "the receipt tells of an upstream")
    return compared


async def _misses(url: str) -> None:
    """Ask for what is not there: the answer tells what is nearest, and no upstream is asked."""
    missed = await ask(url + CHAT, chat("What is a casette?"))
    error = json.loads(missed.body)["error"]
    check((missed.status, error["type"]) == (424, "cassette_miss"), f"a miss was answered with {missed.body!r}")
    check("messages[0].content" in error["message"], f"the report names no nearest: {error['message']}")
    for path, method in (("/models", "GET"), ("/embeddings", "POST")):
        other = await ask(url + path, b"{}", method=method)
        check(other.status == 424, f"{path} was answered with {other.status}")
    for place in ("/@nowhere/v1", "/openai/deployments/m"):
        other = await ask(url.replace("/v1", place) + CHAT, chat())
        check(other.status == 424, f"{place} was answered with {other.status}")


async def _control(root: str) -> None:
    """Use each endpoint; none may give a replay an upstream."""

    async def call(path: str, method: str = "POST", **values: Any) -> tuple[int, dict[str, Any]]:
        answer = await ask(f"{root}/_llmtape/{path}", json.dumps(values).encode(), method=method)
        told: dict[str, Any] = json.loads(answer.body)
        return answer.status, told

    for path in ("health", "status", "report"):
        check((await call(path, "GET"))[0] == 200, f"GET {path} failed")
    check((await call("rewind"))[0] == 200, "rewind failed")
    check((await call("lane/start", lane="a test", cassette="named"))[0] == 200, "a lane could not be started")
    check((await call("lane/end", lane="a test", cassette="named"))[1]["ok"], "a lane did not end well")
    for mode in ("record", "auto", "passthrough"):
        status, _ = await call("mode", mode=mode)
        check(status == 400, f"a replay went on in mode {mode}")
        status, _ = await call("lane/start", lane="another", mode=mode)
        check(status == 400, f"a replay started a lane in mode {mode}")


def run(*command: str | Path, folder: Path, **env: str) -> str:
    """Run a command; return what it says. Raises BrokenPromiseError where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=clean(env), capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{words[:6]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


LLMTAPE: Final = (sys.executable, "-m", "proxy")
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")


def main(folder: Path, *, has_demo: bool) -> int:
    """Do all of it, the tour with `has_demo`, which takes seconds; the exit status is 1 where a promise broke."""
    bring_up_loopback()
    if has_route():
        sys.exit("this is no place without a network: run it below `unshare -n`")
    try:
        compared = asyncio.run(replay(folder))
        app = run(*LLMTAPE, "replay", "-c", "app.sqlite", "--", sys.executable, "-c", APP, folder=folder)
        check(app == (folder / "app.out").read_text(), "an application got other answers")
        run(*PYTEST, "suite", folder=folder)
        if has_demo:
            run(*LLMTAPE, "demo", folder=folder)
    except BrokenPromiseError as error:
        print(error)
        return 1
    print(compared)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), has_demo="demo" in sys.argv[2:]))
