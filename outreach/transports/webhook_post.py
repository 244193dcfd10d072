"""Posting to an address that an organizer typed in: never to one inside our own network, whatever its name resolves to.

The name is resolved once, each of its addresses is looked at, and the connection goes to the one that was looked at: a name
that answers differently the second time (DNS rebinding) gains nothing. Redirects are not followed, answers are hardly read.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import certifi
import httpcore

SECONDS = 10.0
MOST_READ = 2000
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` None: nothing did, or nothing was sent; `said` says why, or how the answer begins."""

    status: int | None
    said: str


class Inside(OSError):
    """The name leads into a network that webhooks must not reach."""


class _Timed(httpcore.NetworkStream):
    """A stream with one end for all that is read and written: whoever answers drop by drop keeps nobody waiting."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self._stream, self._end = stream, end

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, ssl_context: ssl.SSLContext, server_hostname: str | None = None,
                  timeout: float | None = None) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, self._left()), self._end)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Anywhere(httpcore.SyncBackend):
    """Connects to any address; all of it is over in `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        return _Timed(super().connect_tcp(host, port, timeout, local_address, socket_options), self._end)


class _Outside(_Anywhere):
    """The same, but only addresses of the public internet (`ipaddress`: global, no multicast)."""

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        places = [ipaddress.ip_address(str(found[4][0]).partition("%")[0]) for found in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM)]
        if not places or not all(is_public(p) for p in places):
            raise Inside(f"{host} is not an address of the public internet")
        return super().connect_tcp(str(places[0]), port, timeout, local_address, socket_options)


def is_public(place: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is one of the public internet, also where it is an IPv4 address in IPv6's clothes."""
    if isinstance(place, ipaddress.IPv6Address):
        inner = place.ipv4_mapped or place.sixtofour or (place.teredo and place.teredo[1])
        if inner:
            return is_public(inner)
        if place in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(ipaddress.IPv4Address(int(place) & 0xFFFFFFFF))
    return place.is_global and not place.is_multicast


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False, seconds: float = SECONDS) -> Answer:
    """POST `body`. `private` lets it go into our own network too (for tests, and operators who mean it). Never raises."""
    limits = {"connect": seconds, "read": seconds, "write": seconds, "pool": seconds}
    backend = _Anywhere(seconds) if private else _Outside(seconds)
    try:
        with httpcore.ConnectionPool(ssl_context=ssl.create_default_context(cafile=certifi.where()), network_backend=backend,
                                     max_connections=1) as pool, \
                pool.stream("POST", url, headers=list(headers.items()), content=body, extensions={"timeout": limits}) as answer:
            read = b""
            for part in answer.iter_stream():
                read += part
                if len(read) > MOST_READ:
                    break
            return Answer(answer.status, read[:MOST_READ].decode("utf-8", "replace"))
    except Inside as e:
        return Answer(None, str(e))
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError,
            UnicodeError, ValueError) as e:
        return Answer(None, f"{type(e).__name__}: {e}"[:200])
