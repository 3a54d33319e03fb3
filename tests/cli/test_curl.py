"""A recorded request as a shell command, run by real shells and a real curl."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cli.curl import command
from proxy.cli.wording import printable
from proxy.core.errors import CassetteError
from proxy.core.model import Request
from tests.cassette.making import CHAT, JSON_TYPE, question

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENAI = "https://api.openai.com/v1"
SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh") if shutil.which(shell)]
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")


def post(body: bytes, **fields: Any) -> Request:
    return Request("POST", **{"path": CHAT, "headers": JSON_TYPE, "body": body, **fields})


def run(shell: str, text: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([shell], input=text.encode(), env=environment, capture_output=True, check=True)


def test_a_call_reads_as_one_would_write_it() -> None:
    assert command(question("it's me"), OPENAI, streams=True) == (
        "curl https://api.openai.com/v1/chat/completions \\\n"
        "  --no-buffer \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'content-type: application/json' \\\n"
        """  --data-raw '{"model":"m","messages":[{"role":"user","content":"it'"'"'s me"}]}'"""
    )


@pytest.mark.parametrize(
    ("request_", "upstream", "words"),
    [
        (Request("GET", "/v1/models"), OPENAI, ["curl", "https://api.openai.com/v1/models"]),
        (Request("HEAD", "/v1/models"), OPENAI, ["curl", "https://api.openai.com/v1/models", "--head"]),
        (Request("DELETE", "/v1/x"), "http://h:1/a/", ["curl", "http://h:1/a/x", "-X", "DELETE"]),
        (Request("GET", "/v1/x"), "http://[::1]:80/v1", ["http://[::1]:80/v1/x", "--globoff"]),
        (Request("GET", "/v1/x", "a=[1]&b"), OPENAI, ["curl", f"{OPENAI}/x?a=[1]&b", "--globoff"]),
        (Request("POST", "/v1/x"), OPENAI, ["curl", f"{OPENAI}/x", "--data-raw", ""]),
        (post(b"{}", headers=()), OPENAI, [f"{OPENAI}/chat/completions", "content-type:", "--data-raw"]),
        (post(b"@/etc/passwd"), OPENAI, ["--data-raw", "@/etc/passwd"]),
    ],
)
def test_methods_queries_and_bodies_become_options(request_: Request, upstream: str, words: list[str]) -> None:
    said = shlex.split(command(request_, upstream))
    assert [word for word in words if word not in said] == []


def test_the_key_is_no_part_of_it_and_azure_takes_it_under_its_own_name() -> None:
    azure = Request("POST", "/openai/deployments/m/chat/completions", "api-version=1", JSON_TYPE, b"{}")
    said = command(azure, "https://x.openai.azure.com/v1")
    assert "curl 'https://x.openai.azure.com/openai/deployments/m/chat/completions?api-version=1'" in said
    assert '-H "api-key: $OPENAI_API_KEY"' in said
    bearing = post(b"{}", headers=(("Authorization", "Bearer sk-1"), ("x-api-key", "sk-1"), ("@file", "x"), ("a", "")))
    told = command(bearing, OPENAI)
    assert "sk-1" not in told
    assert "@file" not in told
    assert "-H 'a;'" in told


def test_what_the_embedded_upstream_answered_is_asked_of_the_one_that_runs() -> None:
    note, call = command(question(), "demo").split("\n", 1)
    assert note.startswith("# Recorded from the embedded upstream: `llmtape passthrough --upstream demo -- sh`")
    assert call.startswith('curl "$OPENAI_BASE_URL"/chat/completions \\\n')
    assert 'curl "${OPENAI_BASE_URL%/v1}"/openai/x' in command(Request("GET", "/openai/x"), "demo")


@pytest.mark.parametrize(
    ("request_", "upstream"),
    [
        (Request("GET", "/v1/x"), "file:///etc/passwd"),
        (Request("GET", "/v1/x"), "-o/tmp/x"),
        (Request("GET", "/v1/x"), "https://["),
        (Request("GET", "/v1/x"), "https://host/v1?a=b"),
        (Request("GET", "/v1/x"), "https://user:word@host/v1"),
        (Request("GET", ".evil.test/v1/x"), OPENAI),
        (Request("GET", "/v1/x y"), OPENAI),
        (Request("GET", "/v1/x", "a=\x1b"), OPENAI),
        (Request("-o", "/v1/x"), OPENAI),
        (Request("GET\n", "/v1/x"), OPENAI),
    ],
)
def test_what_no_request_could_have_is_refused(request_: Request, upstream: str) -> None:
    with pytest.raises(CassetteError, match="no command can send that"):
        command(request_, upstream)


class Received(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    seen: ClassVar[list[tuple[str, str, str | None, str | None, bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        told = self.headers["authorization"], self.headers["content-type"]
        type(self).seen.append((self.command, self.path, *told, body))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, type[Received]]]:
    class Handler(Received):
        seen: ClassVar = []

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/v1", Handler
        listening.shutdown()
        thread.join()


BODIES = {
    "json": b'{"model": "m", "messages": []}',
    "quotes and dollars": b"""{"a": "it's `id` $(id) $HOME \\\\ \\n % %s !! \\u0000"}""",
    "lines": "first\nsecond\n\n  Grüße 🎲\n".encode(),
    "carriage returns and tabs": b"a\r\nb\tc\r",
    "an at sign": b"@/etc/passwd",
    "a dash": b"-n\x1b",
    "every byte": bytes(range(256)),
    "no UTF-8": b"\xff\xfe'\x00'",
    "direction overrides": "a\u202eb\\%'".encode(),
    "large": b'{"text": "' + b"it's large " * 40_000 + b'"}',
    "large and binary": bytes(range(256)) * 800,
}


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_it_sends_the_body_to_the_byte(shell: str, body: bytes, server: tuple[str, type[Received]]) -> None:
    url, received = server
    received.seen.clear()
    text = command(post(body, query="a=[b]"), url)
    assert printable(text) == text
    answered = run(shell, text, OPENAI_API_KEY="sk-x y", PATH="/usr/bin:/bin", HOME="/nonexistent")
    assert answered.stdout == b"ok"
    assert received.seen == [("POST", f"{CHAT}?a=[b]", "Bearer sk-x y", "application/json", body)]


@given(st.binary(max_size=60) | st.text("'\"\\$`%!@-\n\r\t a\x1bé\u202e", max_size=30).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_no_body_escapes_its_quotes(body: bytes) -> None:
    """The shell runs a function in curl's place, which prints what curl would be given."""
    text = command(post(body), OPENAI)
    assert printable(text) == text
    sink = 'curl() { while [ $# -gt 1 ]; do shift; done; if [ "$1" = @- ]; then cat; else printf %s "$1"; fi; }\n'
    answered = run("sh", sink + text, PATH="/usr/bin:/bin")
    assert (answered.stdout, answered.stderr) == (body, b"")


@given(st.text(max_size=20), st.text(max_size=10), st.text(max_size=20), st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_nothing_recorded_becomes_a_command_or_an_option(name: str, value: str, path: str, upstream: str) -> None:
    try:
        text = command(Request("GET", f"/{path}", value, ((name, value),)), f"https://{upstream}")
    except CassetteError:
        return
    assert printable(text) == text
    words = shlex.split(text)
    assert words[0] == "curl"
    assert words[1].startswith("https://")
    assert {word for word in words[2:] if word.startswith("-")} <= {"-H", "--globoff"}
