"""Posting to an address that an organizer typed in: never to one inside our own network, whatever its name resolves to.

The name is resolved once, each of its addresses is looked at, and the connection goes to the one that was looked at: a name
that answers differently the second time (DNS rebinding) gains nothing. Redirects are not followed, answers are hardly read.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any

import certifi
import httpcore

from outreach.transports.timed import Limit, TimedBackend

SECONDS = 5.0
"""For all of a post, from the look-up of its name to the last byte that is read."""
MOST_READ = 2000
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` None: nothing did, or nothing was sent; `said` says why, or how the answer begins."""

    status: int | None
    said: str


class Inside(OSError):
    """The name leads into a network that webhooks must not reach."""


class _Outside(TimedBackend):
    """Connects only to addresses of the public internet (`ipaddress`: global, no multicast)."""

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
                    socket_options: Iterable[Any] | None = None) -> httpcore.NetworkStream:
        places = [ipaddress.ip_address(place.partition("%")[0]) for place in _looked_up(
            host, port, self._limit.left(timeout, httpcore.ConnectTimeout))]
        if not places or not all(is_public(p) for p in places):
            raise Inside(f"{host} is not an address of the public internet")
        return super().connect_tcp(str(places[0]), port, timeout, local_address, socket_options)


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())  # takes longer to make than a post


def _looked_up(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a name. Raises OSError, also when that takes longer: the resolver's own patience cannot be set."""
    found: SimpleQueue[list[str] | OSError | UnicodeError] = SimpleQueue()

    def look() -> None:
        try:
            found.put([str(place[4][0]) for place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as e:
            found.put(e)

    threading.Thread(target=look, daemon=True).start()
    try:
        answer = found.get(timeout=seconds)
    except Empty as e:
        raise TimeoutError(f"the name {host} was not found in time") from e
    if isinstance(answer, Exception):
        raise answer
    return answer


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
    backend = (TimedBackend if private else _Outside)(Limit(seconds))
    try:
        with httpcore.ConnectionPool(ssl_context=_trust(), network_backend=backend,
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
