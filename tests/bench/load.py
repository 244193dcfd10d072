"""A lean HTTP/1.1 load generator: kept connections, ready-made requests, nothing parsed but status and length."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence


async def _one(host: str, port: int, work: Iterator[bytes], codes: dict[int, int]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for request in work:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            codes[int(head[9:12])] = codes.get(int(head[9:12]), 0) + 1
            lower = head.lower()
            if b"content-length:" in lower:
                length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                if length:
                    await reader.readexactly(length)
            elif b"transfer-encoding: chunked" in lower:
                while (size := int((await reader.readline()).strip() or b"0", 16)):
                    await reader.readexactly(size + 2)
                await reader.readline()
    finally:
        writer.close()


async def _all(port: int, requests: Sequence[bytes], clients: int) -> tuple[float, dict[int, int]]:
    work, codes = iter(requests), dict[int, int]()
    began = time.perf_counter()
    await asyncio.gather(*(_one("127.0.0.1", port, work, codes) for _ in range(clients)))
    return time.perf_counter() - began, codes


def fire(port: int, requests: Sequence[bytes], *, clients: int = 16) -> float:
    """Send all requests over `clients` connections; returns requests/s. Raises AssertionError for any answer of 400 or more."""
    seconds, codes = asyncio.run(_all(port, requests, clients))
    assert all(code < 400 for code in codes), codes
    assert sum(codes.values()) == len(requests), codes
    return len(requests) / seconds


def get(path: str, port: int) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def post(path: str, port: int, body: str) -> bytes:
    data = body.encode()
    return (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(data)}\r\n\r\n").encode() + data
