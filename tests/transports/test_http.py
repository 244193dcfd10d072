"""A kept connection to an HTTP provider: each request gets the answer to itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from outreach.transports.http import kept_client


class _Stutters(StreamRequestHandler):
    """Gives each answer twice, in one write; an answer is the number of its request."""

    def handle(self) -> None:
        while (head := self._head()) is not None:
            self.rfile.read(head)
            self.server.asked += 1  # type: ignore[attr-defined]
            body = str(self.server.asked).encode()  # type: ignore[attr-defined]
            self.wfile.write((b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) * 2)

    def _head(self) -> int | None:
        """The length of the body that follows; None at the end."""
        length = 0
        while line := self.rfile.readline():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            if line == b"\r\n":
                return length
        return None


@contextmanager
def stuttering() -> Iterator[str]:
    with ThreadingTCPServer(("127.0.0.1", 0), _Stutters) as server:
        server.daemon_threads = True
        server.asked = 0  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("proxied", [False, True])
def test_an_answer_given_twice_is_not_taken_for_the_answer_to_the_next_request(proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with stuttering() as url:
        if proxied:
            monkeypatch.setenv("http_proxy", url)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
        with kept_client("http://provider.example" if proxied else url, 5.0) as client:
            assert [client.post("/faxes", content=b"To=x").text for _ in range(4)] == ["1", "2", "3", "4"]
