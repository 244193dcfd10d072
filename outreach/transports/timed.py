"""HTTP with an end for each request as a whole.

A time-out for each read is none for the answer: a server that sends a byte now and then holds its client for hours. So the
streams under the HTTP library know when the whole must be over, and how much of an answer is read.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

MOST_BYTES = 8_000_000
"""Of one answer, its headers included; the longest that is asked for, a page of a list of faxes, has a tenth of it."""

PIECE = 16_384
"""Bytes after which a request that is being written looks at the clock."""


class Limit:
    """When the request under way is over, and how much of its answer may still be read. `begin` before each request."""

    __slots__ = ("_bytes", "_end", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.begin()

    def begin(self) -> None:
        """The next request starts now."""
        self._end, self._bytes = time.monotonic() + self._seconds, MOST_BYTES

    def left(self, timeout: float | None, late: type[httpcore.TimeoutException]) -> float:
        """Seconds that the next step may take, `timeout` of its own at the most. Raises `late`."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise late("it took too long as a whole")
        return left if timeout is None else min(left, timeout)

    def count(self, data: bytes) -> bytes:
        """The same bytes of an answer. Raises httpcore.ReadError when it has more than any good one."""
        self._bytes -= len(data)
        if self._bytes < 0:
            raise httpcore.ReadError("the answer does not end")
        return data


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, limit: Limit) -> None:
        self._stream, self._limit = stream, limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._limit.count(self._stream.read(max_bytes, self._limit.left(timeout, httpcore.ReadTimeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), PIECE):  # a write loops until all has gone, with its time-out for each step
            self._stream.write(buffer[at:at + PIECE], self._limit.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        left = self._limit.left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class TimedBackend(httpcore.SyncBackend):
    """Makes connections whose requests keep within `limit`."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        left = self._limit.left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options), self._limit)
