"""What goes over one SMTP connection, counted to the byte: a hand-over's safety lies in knowing whether its final dot went out.

`smtplib` connects, greets, encrypts and logs in (`smtp_server.py`); from then on commands are written and answers read here,
several to a system call where the server takes them so (RFC 2920). A socket's own time-out begins anew with each byte, so
answers, and hand-overs as a whole, have an end by the clock as well.
"""

from __future__ import annotations

import math
import smtplib
import time

_LINE, _LINES = 8192, 200


class Wire:
    """One connection after its greeting. Whatever goes wrong is an OSError. One answer takes at most the socket's time-out."""

    __slots__ = ("_end", "_read", "_set", "_socket", "patience", "smtp")

    def __init__(self, smtp: smtplib.SMTP) -> None:
        """Raises ConnectionError when the connection is closed already."""
        if smtp.sock is None:
            raise ConnectionError("closed")
        self.smtp, self._socket, self._read = smtp, smtp.sock, b""
        self.patience = self._set = smtp.sock.gettimeout() or math.inf
        self._end = math.inf

    def within(self, end: float) -> None:
        """From now on everything is over at `end` (monotonic seconds), whatever the time-outs still allow."""
        self._end = end

    def send(self, data: bytes) -> tuple[int, OSError | None]:
        """Write all of it; returns how many bytes went out, and the error that stopped the rest."""
        rest, sent = memoryview(data), 0
        try:
            while sent < len(data):
                self._wait_until(self._end)
                sent += self._socket.send(rest[sent:])
        except OSError as e:
            return sent, e
        return sent, None

    def write(self, data: bytes) -> None:
        """`send` where it does not matter how far it came. Raises OSError."""
        _, error = self.send(data)
        if error:
            raise error

    def reply(self) -> tuple[int, bytes]:
        """The next answer: its code, -1 for what is none, and its text. Raises OSError."""
        texts: list[bytes] = []
        end = min(self._end, time.monotonic() + self.patience)
        while len(texts) < _LINES:
            line = self._line(end)
            texts.append(line[4:].strip())
            if not line[:3].isdigit():
                return -1, line.strip()
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(texts)
        raise ConnectionError("the server's answer does not end")

    def _line(self, end: float) -> bytes:
        while (found := self._read.find(b"\n")) < 0:
            if len(self._read) > _LINE:
                raise ConnectionError("the server's answer does not end")
            self._wait_until(end)
            more = self._socket.recv(_LINE)
            if not more:
                raise ConnectionError("closed by the server")
            self._read += more
        line, self._read = self._read[:found], self._read[found + 1:]
        return line

    def _wait_until(self, end: float) -> None:
        """Let the next step take no longer. Raises TimeoutError."""
        left = min(end - time.monotonic(), self.patience)
        if left <= 0:
            raise TimeoutError("it took too long as a whole")
        if abs(self._set - left) > 0.001:  # a millisecond's difference is not worth a system call for each step of each mail
            self._socket.settimeout(left)
            self._set = left
