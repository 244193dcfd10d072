"""Several mails on one connection, a text and the next envelope in one write: every place where that can break.

What matters is the sorting. A mail whose text has gone out without an answer is unknown; one of which only the envelope has
gone out has not started, and is simply carried by the next connection; none is ever handed over twice.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from outreach.domain.letters import Reason
from outreach.transports.base import Accepted, Mailbox, NotStarted, Outcome, OutgoingMail, Refused, Unknown, each
from outreach.transports.email.smtp import SmtpSession, SmtpTransport
from outreach.transports.email.smtp_server import SmtpServer as Server
from outreach.transports.email.wire import Wire
from tests.transports import servers
from tests.transports.letters import mail
from tests.transports.servers import CLOSE, EXTENSIONS, HANG, SmtpServer, running

SHORT = 1.0
ALWAYS: Callable[[OutgoingMail], None] = lambda _mail: None  # noqa: E731


def window(n: int, **changes: object) -> list[OutgoingMail]:
    """Mails to n offices, told apart by everything that is told apart."""
    return [mail(**{"attempt_id": f"attempt{i}", "message_id": f"letter{i}@nightbus.example", "to": Mailbox(f"office{i}@target.example"),
                    "text": f"Dear office {i},\n\n.keep it.\n", "cc": None, **changes}) for i in range(n)]


@contextmanager
def connected(server: SmtpServer) -> Iterator[SmtpSession]:
    with SmtpTransport(Server.from_url(server.url, helo="nightbus.example", timeout=SHORT)).connect() as session:
        yield session


def send(server: SmtpServer, mails: Sequence[OutgoingMail]) -> list[Outcome]:
    with connected(server) as session:
        return list(session.hand_over_many(mails))


def kinds(outcomes: Sequence[Outcome]) -> list[type[Outcome]]:
    return [type(o) for o in outcomes]


class Nth(SmtpServer):
    """Goes wrong at the nth time (from 0) that a stage is reached, once."""

    def __init__(self, stage: str, nth: int, what: str, extensions: tuple[str, ...] = EXTENSIONS) -> None:
        super().__init__(extensions)
        self.at, self.nth, self.what, self.seen = stage, nth, what, 0

    def fault(self, stage: str) -> str | None:
        if stage == ("data" if self.at == "dot" else self.at):
            self.seen += 1
            if self.seen == self.nth + 1:
                self.faults[self.at] = self.what
        return super().fault(stage)

    def taken(self) -> list[str]:
        return [m.rcpts[0] for m in self.mails]


def test_a_window_of_mails_arrives_whole_and_in_order() -> None:
    with running(SmtpServer()) as server:
        assert send(server, window(5)) == [Accepted(f"4ZQ{i}") for i in range(1, 6)]
        assert [m.rcpts for m in server.mails] == [[f"office{i}@target.example"] for i in range(5)]
        for i, taken in enumerate(server.mails):
            assert f"<letter{i}@nightbus.example>".encode() in taken.raw
            assert f"Dear office {i}".encode() in taken.raw
        assert server.connections == 1


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["pipelining", "plain"])
def test_with_copies_each_goes_to_its_own_two(extensions: tuple[str, ...]) -> None:
    with running(SmtpServer(extensions)) as server:
        assert kinds(send(server, window(3, cc="copies@nightbus.example"))) == [Accepted] * 3
        assert [m.rcpts for m in server.mails] == [[f"office{i}@target.example", "copies@nightbus.example"] for i in range(3)]


STAGES = ("mail", "rcpt1", "data", "dot")
BREAKS = (CLOSE, HANG, "421 4.3.2 closing", "rubbish", "354 what")


def expected(stage: str, what: str, place: int) -> type[Outcome]:
    """What the mail has come to at which a server breaks off."""
    if stage == "dot":
        return Refused if what.startswith("421") else Unknown
    early = stage in ("mail", "rcpt1") and what != "354 what"
    # A connection that has carried mails may end by itself: what had only been asked goes over the next one.
    return Accepted if early and place else NotStarted


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["pipelining", "plain"])
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(("stage", "what"), [(s, w) for s in STAGES for w in BREAKS if (s, w) != ("data", "354 what")])
def test_a_break_anywhere_in_a_window_is_sorted_right(stage: str, what: str, place: int, extensions: tuple[str, ...]) -> None:
    with running(Nth(stage, place, what, extensions)) as server:
        outcomes = send(server, window(3))
        wanted: list[type[Outcome]] = [Accepted] * 3
        wanted[place] = expected(stage, what, place)
        assert kinds(outcomes) == wanted
        taken = server.taken()
        assert len(taken) == len(set(taken)), "nothing arrives twice"
        for i, outcome in enumerate(outcomes):
            if isinstance(outcome, Accepted):
                assert f"office{i}@target.example" in taken
            elif isinstance(outcome, NotStarted | Refused):
                assert f"office{i}@target.example" not in taken


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["pipelining", "plain"])
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("answer", ["450 4.2.0 later", "550 5.1.1 nobody"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_refusal_anywhere_in_a_window_is_that_mails_alone(stage: str, answer: str, place: int, extensions: tuple[str, ...]) -> None:
    with running(Nth(stage, place, answer, extensions)) as server:
        outcomes = send(server, window(3))
        assert kinds(outcomes) == [Refused if i == place else Accepted for i in range(3)]
        refused = outcomes[place]
        assert isinstance(refused, Refused) and refused.permanent is answer.startswith("5") and refused.detail == answer
        assert server.taken() == [f"office{i}@target.example" for i in range(3) if i != place]
        assert server.connections == 1


def test_a_server_that_wants_a_text_for_nobody_gets_none() -> None:
    """It refuses the only recipient, yet answers DATA with 354: only hanging up forgets that for certain."""
    real = servers._Smtp.data

    def data(handler: servers._Smtp) -> None:
        if not handler.rcpts:
            handler.wfile.write(b"354 go on\r\n")
            return
        real(handler)

    with running(Nth("rcpt1", 1, "550 5.1.1 nobody")) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(servers._Smtp, "data", data)
            assert kinds(send(server, window(3))) == [Accepted, Refused, Accepted]
        assert server.taken() == ["office0@target.example", "office2@target.example"]
        assert server.connections == 2


def test_where_there_is_a_copy_the_targets_answer_is_awaited_before_data() -> None:
    with running(Nth("rcpt1", 1, "550 5.1.1 nobody")) as server:
        assert kinds(send(server, window(3, cc="copies@nightbus.example"))) == [Accepted, Refused, Accepted]
        asked = ["MAIL FROM", "RCPT TO", "RCPT TO"]
        assert [c.split(":")[0] for c in server.commands[1:13]] == [*asked, "DATA", *asked, "RSET", *asked, "DATA"]
        assert len(server.mails) == 2


def test_the_fence_is_asked_right_before_each_text() -> None:
    asked: list[str] = []

    def check(message: OutgoingMail) -> NotStarted | None:
        asked.append(f"{message.message_id} after {len(server.mails)}")
        return NotStarted("the lease was about to end", down=False) if len(server.mails) == 1 else None

    with running(SmtpServer()) as server, connected(server) as session:
        outcomes = list(session.hand_over_many(window(3), check))
        assert kinds(outcomes) == [Accepted, NotStarted, NotStarted]
        assert len(server.mails) == 1
        assert "letter0@nightbus.example after 0" in asked and "letter1@nightbus.example after 1" in asked
        assert isinstance(session.hand_over(mail()), Accepted)  # the transaction that had begun is not in its way


def test_no_text_leaves_before_the_one_in_front_has_its_outcome() -> None:
    with running(SmtpServer()) as server, connected(server) as session:
        for n, outcome in enumerate(session.hand_over_many(window(4)), 1):
            assert isinstance(outcome, Accepted)
            assert len(server.mails) == n


def test_who_wants_no_more_leaves_no_half_transaction_behind() -> None:
    with running(SmtpServer()) as server, connected(server) as session:
        outcomes = session.hand_over_many(window(3))
        assert isinstance(next(outcomes), Accepted)
        outcomes.close()  # type: ignore[attr-defined]
        assert isinstance(session.hand_over(mail(cc=None)), Accepted)
        assert [m.rcpts[0] for m in server.mails] == ["office0@target.example", "commissioner@transit.example"]


def test_a_mail_that_cannot_be_written_keeps_its_place() -> None:
    mails = window(4)
    mails[1] = mail(attempt_id="bad", to=Mailbox("a b@c.example"), cc=None)
    with running(SmtpServer()) as server:
        outcomes = send(server, mails)
        assert kinds(outcomes) == [Accepted, Refused, Accepted, Accepted]
        assert isinstance(outcomes[1], Refused) and outcomes[1].reason is Reason.CANNOT_RENDER
        assert len(server.mails) == 3


def test_an_error_of_ours_while_composing_ahead_is_only_that_mails() -> None:
    mails = [*window(1), mail(attempt_id="x", cc=None, headers=((1, 2),))]  # a defect of ours: no ValueError but a TypeError
    with running(SmtpServer()) as server, connected(server) as session:
        outcomes = session.hand_over_many(mails)
        assert isinstance(next(outcomes), Accepted)
        with pytest.raises((TypeError, AttributeError)):
            next(outcomes)
        assert isinstance(session.hand_over(mail(cc=None)), Accepted)
        assert len(server.mails) == 2


def test_a_session_without_windows_is_given_one_after_another() -> None:
    @dataclass
    class Plain:
        got: list[OutgoingMail] = field(default_factory=list)

        def hand_over(self, message: OutgoingMail) -> Outcome:
            self.got.append(message)
            return Accepted("x")

    plain, mails = Plain(), window(3)
    stop = NotStarted("too late", down=False)
    assert list(each(plain, iter(mails), lambda m: stop if m is mails[1] else None)) == [Accepted("x"), stop, Accepted("x")]
    assert plain.got == [mails[0], mails[2]]


# --- to the byte


@contextmanager
def pair() -> Iterator[tuple[Wire, socket.socket]]:
    """A wire, and the server's end of it."""
    class Connection:
        sock, there = socket.socketpair()

    Connection.sock.settimeout(SHORT)
    with Connection.sock, Connection.there:
        yield Wire(Connection()), Connection.there  # type: ignore[arg-type]


def test_how_much_went_out_is_known_when_the_rest_cannot() -> None:
    with pair() as (wire, there):
        there.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data = b"x" * 5_000_000
        sent, error = wire.send(data)  # nobody reads
        assert isinstance(error, TimeoutError) and 0 < sent < len(data)
        there.setblocking(False)
        got = 0
        while got < sent:
            got += len(there.recv(1 << 20))
        assert got == sent


def test_a_server_that_reads_drop_by_drop_holds_nobody_up() -> None:
    with pair() as (wire, there):
        over = threading.Event()

        def sip() -> None:
            while not over.wait(0.02):
                there.recv(20_000)

        reader = threading.Thread(target=sip)
        reader.start()
        began = time.monotonic()
        wire.within(began + 0.5)
        sent, error = wire.send(b"x" * 50_000_000)
        took = time.monotonic() - began
        over.set()
        reader.join()
        assert isinstance(error, TimeoutError) and sent and took < 1.5


def test_answers_that_come_together_or_in_crumbs_are_told_apart() -> None:
    said = b"250-mx\r\n250-SIZE\r\n250 ok\r\n354 go\r\n250 2.0.0 queued\n221 bye\r\nnonsense\r\n"
    for step in (len(said), 1, 7):
        with pair() as (wire, there):
            crumbs = threading.Thread(target=lambda t=there, n=step: [t.sendall(said[i:i + n]) for i in range(0, len(said), n)])
            crumbs.start()
            assert [wire.reply() for _ in range(5)] == [(250, b"mx\nSIZE\nok"), (354, b"go"), (250, b"2.0.0 queued"), (221, b"bye"),
                                                        (-1, b"nonsense")]
            crumbs.join()


@pytest.mark.parametrize("flood", [b"2" * 20_000, b"250-x\r\n" * 500])
def test_an_answer_without_an_end_is_none(flood: bytes) -> None:
    with pair() as (wire, there):
        there.sendall(flood)
        with pytest.raises(ConnectionError):
            wire.reply()
