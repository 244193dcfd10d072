"""A mail sink that costs as little as Python allows: it reads, counts, and answers. Run as a process of its own.

    python -m tests.bench.sink [SECONDS]

It prints its port. A line "STAT" on a connection answers with counts. With SECONDS it is slow: so long does each mail take.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

_ADDRESS = re.compile(rb"<([^>]*)>")


class Sink(asyncio.Protocol):
    """One connection. Offers PIPELINING and DSN, as most servers do."""

    slow = 0.0
    count = 0
    first = 0.0
    last = 0.0
    seen: dict[str, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.buffer, self.in_data, self.to, self.busy = transport, b"", False, b"", False
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.go_on()

    def taken(self) -> None:
        """A slow sink has taken a mail, and turns to what came meanwhile."""
        self.busy = False
        self.transport.write(b"250 2.0.0 taken\r\n")
        self.go_on()

    def go_on(self) -> None:
        out = []
        while not self.busy:
            if self.in_data:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    break
                self.buffer, self.in_data = self.buffer[end + 5:], False
                now = time.time()
                Sink.count += 1
                Sink.first = Sink.first or now
                Sink.last = now
                if len(Sink.seen) < 5000:
                    Sink.seen[self.to.decode()] = now
                if Sink.slow:
                    self.busy = True
                    asyncio.get_running_loop().call_later(Sink.slow, self.taken)
                else:
                    out.append(b"250 2.0.0 taken\r\n")
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                break
            self.buffer = rest
            out.append(self.answer(line))
        if out:
            self.transport.write(b"".join(out))

    def answer(self, line: bytes) -> bytes:
        word = line[:4].upper()
        if word == b"EHLO":
            return b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n"
        if word == b"RCPT":
            found = _ADDRESS.search(line)
            self.to = found[1] if found else b""
            return b"250 ok\r\n"
        if word == b"DATA":
            self.in_data = True
            return b"354 go\r\n"
        if word == b"QUIT":
            return b"221 bye\r\n"
        if word == b"STAT":
            said = json.dumps({"count": Sink.count, "first": Sink.first, "last": Sink.last, "seen": Sink.seen})
            Sink.count, Sink.first, Sink.last, Sink.seen = 0, 0.0, 0.0, {}
            return said.encode() + b"\r\n"
        return b"250 ok\r\n"


async def serve(slow: float) -> None:
    Sink.slow = slow
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(serve(float(sys.argv[1]) if sys.argv[1:] else 0.0))
    except KeyboardInterrupt:
        sys.exit()
