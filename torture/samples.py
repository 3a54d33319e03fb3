"""What fuzzing begins with: real requests, answers and files, and the words of each language.

Rule: values only. A seed is short, since what is long is mutated less; what a mutation would hardly find stands here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from proxy.core import interchange
from proxy.core.model import Chunk, Interaction, Outcome, RecordedRun, Request, Response, Track, Variant
from proxy.core.rules import Rules

_NOON: Final = "2026-11-22T12:00:00.000Z"
_TESTS: Final = Path(__file__).parent.parent / "tests"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": '{"path": "/tmp/x", "n": 1.0}'},
}
_SCHEMA: Final = {
    "type": "object",
    "required": ["b", "a"],
    "properties": {"b": {"enum": [2, 1]}, "a": {"type": "string"}},
}

CHATS: Final = (
    _json({"model": "m", "messages": [{"role": "user", "content": "Hello on 2026-11-25 at /tmp/x, run 7"}]}),
    _json(
        {
            "model": "a",
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.0,
            "max_tokens": 5,
            "messages": [
                {"role": "developer", "content": "Working directory: /home/ada/shop\r\n"},
                {"role": "assistant", "content": None, "tool_calls": [_CALL, {**_CALL, "id": "call_2"}]},
                {"role": "tool", "tool_call_id": "call_2", "content": '[{"at": 1764063000}]'},
                {"role": "tool", "tool_call_id": "call_1", "content": "<run:1> <date:#2>"},
            ],
        }
    ),
    _json(
        {
            "model": "m",
            "tools": [{"type": "function", "function": {"name": "f", "strict": False, "parameters": _SCHEMA}}],
            "tool_choice": "auto",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "6f1c1de4-6a3b-4f53-9f0e-3f7f0b1f8a55", "cache_control": {}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    ],
                }
            ],
        }
    ),
    b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}],"seed":123456789012345678901234567890,"x":NaN}',
    b"\xef\xbb\xbf[1e400, -0.0, 1E5, [[[[[[]]]]]]]",
    b"",
)

_DELTA: Final = (
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"/tmp/x"}}]}\n\n'
    b'data: {"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f",'
    b'"arguments":"{\\"p\\": \\"/tm"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n'
)

STREAMS: Final = (
    _DELTA + b"data: [DONE]\n\n",
    b': PROCESSING\r\n\r\nevent: error\r\ndata: {"error":{"message":"m"}}\r\n\r\n',
    b"\xef\xbb\xbfdata: a\rdata: b\r\rid\n\n\ndata\n\n",
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\ndata: {"choices":[{"delta":{"content":"\\ude42"}}]}\n\n',
    b"",
)

ANSWERS: Final = (
    _json(
        {
            "id": "c",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {
                        "role": "assistant",
                        "content": "It is in tmp, 2026-11-25",
                        "tool_calls": [_CALL],
                        "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}],
                        "audio": {"data": "AAAA", "transcript": "t"},
                    },
                    "logprobs": {"content": [{"token": "x", "logprob": -0.1, "top_logprobs": []}]},
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        }
    ),
    b'{"error": {"message": "no", "type": "t", "param": null, "code": 1}}',
    b'{"detail": ["tmp"]}',
    b"<html>tmp</html>",
)


def _recorded(variant: Variant, headers: str, *pieces: bytes) -> bytes:
    response = Response(
        200, (("content-type", headers),), tuple(Chunk(9, piece) for piece in pieces), Outcome.COMPLETE, 1, 10
    )
    track = Track("ab" * 32, variant, "a lane")
    it = Interaction(
        track, 1, "2026-11-22T12:00:00.000Z", Request("POST", "/v1/chat/completions", "", (), CHATS[0]), response
    )
    return interchange.dumps(interchange.Recorded(it, 1))


HEADER: Final = b'{"header":{"format":"llmtape","version":1,"facts":{"normalizer":"1","rules":"{}"}}}\n'
_RUN: Final = interchange.dumps(RecordedRun(1, "2026-11-22T12:00:00Z", "record", "http://127.0.0.1:9/v1", "1"))
_PLAIN: Final = _recorded(Variant.JSON, "application/json", ANSWERS[0])
_STREAM: Final = _recorded(Variant.SSE, "text/event-stream", *[piece + b"\n\n" for piece in _DELTA.split(b"\n\n")[:-1]])

LINES: Final = (
    HEADER,
    _RUN,
    _PLAIN,
    _STREAM,
    f"conflict:{'ab' * 32}:json:\n".encode() + HEADER + _RUN + _PLAIN + HEADER,
    _PLAIN.replace(b'"status":200', b'"status":99'),
)

_YAML: Final = b"""version: 1
interactions:
- request: {method: POST, uri: http://h/v1/chat/completions, body: '{}', headers: {a: [b]}}
  response: {status: {code: 200}, headers: {date: ['Wed, 25 Nov 2026 14:56:51 GMT'], content-encoding: [gzip]},
    body: {string: !!binary aGk=}}
"""

FILES: Final = (
    HEADER + _RUN + _PLAIN + _STREAM,
    *((_TESTS / "foreign" / name).read_bytes()[:12000] for name in ("requests.json", "requests.yaml", "openai.yaml")),
    (_TESTS / "foreign" / "mitmproxy.har").read_bytes()[:12000],
    _json(
        {
            "log": {
                "entries": [
                    {
                        "startedDateTime": "2026-11-25T09:30:00Z",
                        "time": 5,
                        "request": {
                            "method": "POST",
                            "url": "https://u:pw@h/v1/chat/completions?x=1",
                            "headers": [{"name": "Authorization", "value": "Bearer 0123456789"}],
                            "postData": {"text": CHATS[0].decode()},
                        },
                        "response": {
                            "status": 200,
                            "headers": [{"name": "content-type", "value": "application/json"}],
                            "content": {"text": ANSWERS[0].decode()},
                        },
                        "timings": {"wait": 1.5, "receive": -1},
                    }
                ]
            }
        }
    ),
    _YAML,
    b"interactions: &a\n- request: &r {method: POST, uri: http://h/v1/chat/completions, body: *a}\n  response: *r\n",
)

SETTINGS: Final = (
    b"a" + (_TESTS.parent / "config.example.toml").read_bytes()[:4000],
    b"a[rules]\nscrub = ['uuid']\nmodels = {a = 'b'}\n[[rules.pattern]]\nname = 'run'\npattern = 'r (?P<value>\\d+)'\n",
    b"a[[rules.path]]\nname = 'x'\npath = '$..a[?@.b > 1].c'\naction = 'replace'\n[redact]\npatterns = ['(?i)x+']\n",
    b"a[server]\nhost = '0.0.0.0'\nport = 70000\ndrain_s = inf\nbody_limit = 99999999999999999999\n",
    b"a[replay]\npace = '1e9x'\nrepeats = 'never'\n[tool.llmtape]\n",
    b'\x80SERVER_PORT=1\nRULES_SCRUB=uuid, date\nRULES_MODELS={"a": 1}\nRULES_PATTERN=[{"name": "x"}]\nREPLAY_PACE=2x',
    b"\x80SERVER_DRAIN_S=nan\nREDACT_RESPONSES=yes\nRECORD_ERRORS=all\nTIMEOUTS_SILENCE_S=-1\nCASSETTE=\nUPSTREAM=demo",
)

TEXTS: Final = (
    b"10x",
    b"0.000000000000000001tps",
    b"status=429; calls=1-3+7-, delay=1.5s; seed=7, cut; after=3; end=clean, framing=bytes",
    b"stall; after=1, error; at=2, malformed",
    Rules(scrub=("uuid",), models={"a": "b"}, headers=("X",)).text.encode(),
    b'{"path":[["first","$.messages[0].content","ignore"]],"pattern":[["run","run (?P<value>\\\\d+)"]]}',
    b"/@agent%2Fone:tests/a.py::b/v1//chat/completions/?x=1#y",
    b"http://h:1/@:lane/v1",
    b'{"a": ["\\ud83d\\ude42", 1.5e-7, {"b": "c\\n"}]}',
    b'{\n  "a": "\\u00e9"\n}\n',
)

VALUES: Final = (
    b'{"mode": "replay"}',
    b'{"cassette": "c", "lane": "l", "passed": false, "strict": true}',
    b'{"lane": "a", "mode": "auto", "pace": "2x", "repeats": "cycle", "faults": "status=429", "current": true}',
    b'{"lane": "a", "rules": {"scrub": ["date"], "pattern": [{"name": "x", "pattern": "a+"}], "models": {"a": "b"}}}',
    b'{"rules": {"path": [{"name": "y", "path": "$..[0]", "action": "replace", "restore": null}]}}',
    b"[]",
)

WORDS: Final = (
    *(
        b'{"',
        b'":',
        b'"}',
        b"[[",
        b"]]",
        b"null",
        b"true",
        b"1e999",
        b"-0.0",
        b"9223372036854775808",
        b"NaN",
        b"\\ud83d",
    ),
    *(
        b"\\ud83d",
        b"\r\n\r\n",
        b"\n\n",
        b"data: ",
        b"data: [DONE]\n\n",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\0",
        b"event: ",
        b"<date:1>",
    ),
    *(
        b'"role":"tool"',
        b'"tool_calls":',
        b'"content":',
        b'"arguments":"{}"',
        b'"properties":',
        b'"index":-1',
        b"/tmp/",
    ),
    *(
        b"/tmp/",
        b"2026-11-25",
        b"09:30:00",
        b"run 7",
        b"sk-proj-",
        b"/home/ada",
        b"$..",
        b"[?@",
        b"(?:",
        b")+",
        b"{1,9}",
        b"*",
    ),
    *(b"!!binary ", b"&a ", b"*a", b"<<: ", b"- ", b"? ", b"status", b"delay", b"calls", b"; ", b"\xc2\x85", b"\x1b["),
)
"""What mutations put in."""
