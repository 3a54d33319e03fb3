"""An upstream that streams events, each with the moment at which it was sent (one clock for all processes here)."""

from __future__ import annotations

import asyncio
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PADDING = "x" * 150


def event(sent_ns: int, finish: str) -> bytes:
    choice = f'{{"index":0,"delta":{{"content":"{PADDING}"}},"finish_reason":{finish}}}'
    data = f'data: {{"sent_ns":{sent_ns},"choices":[{choice}]}}\n\n'.encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(events: int, interval_s: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        writer.write(HEAD)
        for number in range(events):
            if (wait := started + number * interval_s - loop.time()) > 0:
                await asyncio.sleep(wait)
            writer.write(event(time.monotonic_ns(), '"stop"' if number == events - 1 else "null"))
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
