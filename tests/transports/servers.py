"""Small providers on loopback that speak the real wire formats over sockets, and go wrong where they are told to."""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, CLOSE, DRIBBLE, TRICKLE = "hang", "close", "dribble", "trickle"
"""How an answer goes wrong; the last two send it byte by byte and never end: its first line or headers, or (HTTP) its body."""
DROP = 0.1
"""Seconds between two bytes of such an answer."""
EXTENSIONS = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "DSN")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def drip(server: Any, out: Any, head: bytes) -> None:
    """Write `head` and then letters without end, each in time for whoever waits for the next byte only."""
    for i in range(200):
        out.write(head[i:i + 1] or b"x")
        out.flush()
        if server.over.wait(DROP):
            return


@contextmanager
def running(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Taken:
    sender: str
    rcpts: list[str]
    raw: bytes


class SmtpServer(socketserver.ThreadingTCPServer):
    """`faults` maps a stage to what happens there, once: a reply, "hang", "close" or "dribble". Stages: greeting, ehlo, auth, mail, rcpt1,
    rcpt2, data, body (after its first line), dot, rset. A stage written "mail*" goes wrong each time."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, extensions: tuple[str, ...] = EXTENSIONS, *, tls: ssl.SSLContext | None = None, login: str = "",
                 wrapped: bool = False) -> None:
        self.extensions, self.tls, self.login, self.wrapped = extensions, tls, login, wrapped
        self.faults: dict[str, str] = {}
        self.poison = ""
        """It hangs up at a command that holds this."""
        self.mails: list[Taken] = []
        self.commands: list[str] = []
        self.connections = 0
        self.encrypted: list[bool] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Smtp)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def fault(self, stage: str) -> str | None:
        return self.faults.get(f"{stage}*") or self.faults.pop(stage, None)


class _Stop(Exception):
    pass


class _Smtp(socketserver.StreamRequestHandler):
    server: SmtpServer

    def say(self, stage: str, line: str) -> bool:
        """Answers; True when the answer was the good one."""
        fault = self.server.fault(stage)
        if fault == HANG:
            self.server.over.wait(20)
            raise _Stop
        if fault == CLOSE:
            raise _Stop
        if fault == DRIBBLE:
            drip(self.server, self.wfile, line[:3].encode() + b"-")
            raise _Stop
        self.wfile.write(f"{fault or line}\r\n".encode())
        if fault and fault.startswith("421"):
            raise _Stop
        return fault is None

    def handle(self) -> None:
        self.server.connections += 1
        try:
            if self.server.wrapped:
                self.secure()
            self.say("greeting", "220 mx.example ESMTP")
            while line := self.rfile.readline().decode():
                self.server.commands.append(line.strip())
                self.command(line)
        except (_Stop, OSError):
            pass

    def secure(self) -> None:
        assert self.server.tls
        self.request = self.connection = self.server.tls.wrap_socket(self.request, server_side=True)
        self.setup()

    def command(self, line: str) -> None:
        verb = line[:4].upper()
        if self.server.poison and self.server.poison in line:
            raise _Stop
        if verb == "EHLO":
            encrypted = isinstance(self.connection, ssl.SSLSocket)
            words = [*self.server.extensions, *(["STARTTLS"] if self.server.tls and not encrypted else []),
                     *(["AUTH PLAIN"] if self.server.login else [])]
            self.say("ehlo", "".join(f"250-{w}\r\n" for w in ["mx.example", *words]) + "250 HELP")
        elif verb == "STAR":
            self.say("starttls", "220 go")
            self.secure()
        elif verb == "AUTH":
            good = line.rsplit(maxsplit=1)[-1] == self.server.login
            self.say("auth", "235 2.7.0 in" if good else "535 5.7.8 bad credentials")
        elif verb == "MAIL":
            self.rcpts: list[str] = []
            self.sender = line.split("<", 1)[1].split(">", maxsplit=1)[0]
            self.begun = self.say("mail", "250 2.1.0 ok")
        elif verb == "RCPT":
            self.recipient(line)
        elif verb == "DATA":
            self.data()
        elif verb == "RSET":
            self.rcpts = []
            self.say("rset", "250 2.0.0 ok")
        elif verb == "QUIT":
            self.say("quit", "221 bye")
            raise _Stop
        else:
            self.say("other", "502 5.5.2 what?")

    def recipient(self, line: str) -> None:
        if not self.begun:
            self.wfile.write(b"503 5.5.1 need MAIL\r\n")
            return
        address = line.split("<", 1)[1].split(">", maxsplit=1)[0]
        stage = "rcpt2" if "copies" in address else "rcpt1"
        if self.say(stage, "250 2.1.5 ok"):
            self.rcpts.append(address)

    def data(self) -> None:
        if not self.rcpts:
            self.wfile.write(b"554 5.5.1 no valid recipients\r\n")
            return
        if not self.say("data", "354 go"):
            return
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line[1:] if line.startswith(b".") else line)
            if "body" in self.server.faults:
                self.server.fault("body")
                raise _Stop
        taken = Taken(self.sender, list(self.rcpts), b"".join(lines))
        if self.server.faults.get("dot", "250").startswith(("250", HANG, CLOSE, DRIBBLE, "rubbish", "999")):
            self.server.mails.append(taken)
        self.server.encrypted.append(isinstance(self.connection, ssl.SSLSocket))
        self.say("dot", f"250 2.0.0 Ok: queued as 4ZQ{len(self.server.mails)}")
        self.rcpts = []


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """The connection breaks in the middle of the body."""


class HttpServer(ThreadingHTTPServer):
    """Answers with what `answer` gives for a request: an Answer, "hang", "close", "dribble" or "trickle". `faults` come first, once
    each."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], Answer | str]) -> None:
        self.answer = answer
        self.faults: list[Answer | str] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Http)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class _Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpServer

    def log_message(self, *args: object) -> None: ...

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.asked.append(asked)
        answer = self.server.faults.pop(0) if self.server.faults else self.server.answer(asked)
        if isinstance(answer, str):
            if answer == HANG:
                self.server.over.wait(20)
            elif answer in (DRIBBLE, TRICKLE):
                rest = b"X-Slow: " if answer == DRIBBLE else b'Content-Length: 9999\r\n\r\n{"x": "'
                self.wfile.write(b"HTTP/1.1 201 Created\r\n" + rest)
                drip(self.server, self.wfile, b"")
            self.close_connection = True
            return
        data = answer.body if isinstance(answer.body, bytes) else b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2] if answer.cut else data)
        self.close_connection |= answer.cut

    do_POST = do_GET = serve
