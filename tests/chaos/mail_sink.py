"""A mail server that keeps what it takes, and fails as it is told.

    python -m tests.chaos.mail_sink FOLDER SEED

Truth: `kept` (message_id, envid, rcpts; of a digest the letters that its table lists) before the answer to the final dot, `fault`
with its kind, `left` when nobody waited for that answer. A fault whose moment did not come in one transaction waits for the next.
"""

from __future__ import annotations

import asyncio
import csv
import email
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.truth import Truth, obey

ENVELOPE = ("defer_rcpt", "refuse_rcpt", "refuse_copy", "drop_early", "hang_early")
DATA = ("defer_data", "refuse_data", "drop_before_dot", "drop_after_kept", "drop_after_lost", "hang_after_kept", "hang_after_lost")
DOUBTFUL = frozenset({"drop_after_kept", "drop_after_lost", "hang_after_kept", "hang_after_lost"})
"""After these nobody but this server can know what became of the mail."""
HANG = 60.0
"""Seconds: longer than any patience of the service's."""
SLOW = 0.03
GONE = "gone"
"""Mailboxes whose name begins so do not exist."""
_MESSAGE_ID = re.compile(rb"^message-id:\s*<([^>]*)>", re.IGNORECASE | re.MULTILINE)


@dataclass
class Envelope:
    """One transaction. `fault` is what will go wrong with it, "" once it has."""

    fault: str = ""
    envid: str = ""
    rcpts: list[str] = field(default_factory=list)
    asked: int = 0


class MailSink:
    """The server; one `talk` for each connection."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        envelopes = [Envelope()]
        try:
            await self._talk(envelopes, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._forget(envelopes.pop())
            writer.close()

    def _forget(self, envelope: Envelope) -> None:
        """A transaction is over: what should have gone wrong with it and did not is for the next."""
        if envelope.fault:
            self.truth.armed.append(envelope.fault)
            envelope.fault = ""

    async def _talk(self, envelopes: list[Envelope], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink ESMTP\r\n")
        while line := await reader.readline():
            envelope = envelopes[-1]
            word = line[:4].upper()
            if word == b"EHLO":
                writer.write(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n")
            elif word == b"MAIL":
                found = re.search(rb"ENVID=(\S+)", line)
                self._forget(envelope)
                envelope = envelopes[-1] = Envelope(self.truth.next_fault(*ENVELOPE, *DATA), found[1].decode() if found else "")
                if envelope.fault in ("drop_early", "hang_early"):
                    if self._strike(envelope) == "hang_early":
                        await asyncio.sleep(HANG)
                    return
                writer.write(b"250 ok\r\n")
            elif word == b"RCPT":
                writer.write(self._recipient(envelope, line))
            elif word == b"DATA":
                if not envelope.rcpts:
                    writer.write(b"503 5.5.1 no recipient\r\n")
                    continue
                writer.write(b"354 go\r\n")
                if not await self._data(envelope, reader, writer):
                    return
            elif word == b"RSET":
                self._forget(envelope)
                writer.write(b"250 ok\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                writer.write(b"250 ok\r\n")
            await writer.drain()

    def _strike(self, envelope: Envelope, message_id: str = "") -> str:
        """The transaction's fault happens now. Returns its kind."""
        kind, envelope.fault = envelope.fault, ""
        self.truth.add("fault", kind=kind, envid=envelope.envid, message_id=message_id)
        return kind

    def _recipient(self, envelope: Envelope, line: bytes) -> bytes:
        """The first recipient is the target, a second one the inbox's copy."""
        envelope.asked += 1
        address = line.decode().partition("<")[2].partition(">")[0].lower()
        if address.startswith(GONE):
            return b"550 5.1.1 no such mailbox\r\n"
        answers = {("defer_rcpt", 1): b"450 4.2.0 try again later\r\n", ("refuse_rcpt", 1): b"554 5.7.1 not from you\r\n",
                   ("refuse_copy", 2): b"550 5.1.1 no such mailbox\r\n"}
        answer = answers.get((envelope.fault, envelope.asked))
        if answer and len(envelope.rcpts) == envelope.asked - 1:  # not the copy of what its target has refused
            self._strike(envelope)
            return answer
        envelope.rcpts.append(address)
        return b"250 ok\r\n"

    async def _data(self, envelope: Envelope, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take the text and answer. Returns whether the connection lives on."""
        await writer.drain()
        if envelope.fault == "drop_before_dot":
            if await reader.readline():
                self._strike(envelope)
            return False
        content = await reader.readuntil(b"\r\n.\r\n")
        found = _MESSAGE_ID.search(content)
        message_id = found[1].decode() if found else ""
        fault = self._strike(envelope, message_id) if envelope.fault in DATA else ""
        if fault not in ("defer_data", "refuse_data", "drop_after_lost", "hang_after_lost"):
            listed = {"letters": _listed(content)} if message_id.startswith("n-") else {}
            self.truth.add("kept", message_id=message_id, envid=envelope.envid, rcpts=envelope.rcpts, **listed)
        await asyncio.sleep(self.truth.random.uniform(0, SLOW))  # so that the shots also fall between keeping and answering
        if fault.startswith("hang"):
            await asyncio.sleep(HANG)
        if fault in DOUBTFUL:
            return False
        if reader.at_eof():  # its sender was shot, or had no more patience on a busy machine
            self.truth.add("left", message_id=message_id)
            return False
        writer.write({"defer_data": b"451 4.7.1 greylisted\r\n", "refuse_data": b"554 5.6.0 not like this\r\n"}.get(
            fault, b"250 2.0.0 taken\r\n"))
        return True


def _listed(content: bytes) -> list[str]:
    """The letters in a mail's tables."""
    mail = email.message_from_bytes(content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
    found = []
    for part in mail.walk():
        if part.get_content_type() == "text/csv":
            table = part.get_payload(decode=True)
            assert isinstance(table, bytes)
            found += [row["letter"].lower() for row in csv.DictReader(table.decode("utf-8-sig").splitlines())]
    return found


async def main(folder: Path, seed: int) -> None:
    sink = MailSink(Truth(folder, "mail", seed))
    server = await asyncio.start_server(sink.talk, "127.0.0.1", 0, limit=2**25)
    print(server.sockets[0].getsockname()[1], flush=True)
    await obey(sink.truth)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
