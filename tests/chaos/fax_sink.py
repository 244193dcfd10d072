"""A fax provider of Twilio's shape that keeps what it takes, calls, reports, and fails as it is told.

    python -m tests.chaos.fax_sink FOLDER SEED SHARE_FETCHED LONGEST_CALL

Truth: `accepted` (sid, to, attempt) before any answer, `final` (sid, to, attempt, status) when the call is over, `fault`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx

from tests.chaos.truth import Truth, obey

SID, TOKEN = "AC" + "c" * 32, "chaos-token"
KINDS = ("hang_after", "error_after", "drop_after", "drop_body", "twice", "early", "reorder", "late", "silent", "busy", "error_before",
         "drop_before", "limit", "stranger")
DOUBTFUL = frozenset({"hang_after", "error_after", "drop_after", "drop_body", "error_before", "drop_before"})
"""After these the answer does not tell whether the fax was taken; the provider can be asked."""
DEAD = "+1416555190"
"""Numbers that begin so do not exist."""
HANG = 60.0
LATE = 4.0
TRIES = 60
"""Callbacks are posted again every half second while the web server is away."""


@dataclass
class Fax:
    """One fax that was taken."""

    sid: str
    to: str
    sender: str
    media: str
    callback: str
    attempt: str
    created: datetime
    status: str = "queued"

    def shown(self) -> dict[str, object]:
        return {"sid": self.sid, "account_sid": SID, "from": self.sender, "to": self.to, "status": self.status, "direction": "outbound",
                "media_url": self.media, "num_pages": 1, "error_code": None, "error_message": None,
                "date_created": f"{self.created:%Y-%m-%dT%H:%M:%SZ}", "date_updated": f"{self.created:%Y-%m-%dT%H:%M:%SZ}"}


class FaxSink:
    """The provider; `fetch` is the share of the faxes whose pages it comes for, `longest` what a call takes at the most, in seconds."""

    def __init__(self, truth: Truth, fetch: float, longest: float) -> None:
        self.truth, self.fetch, self.longest = truth, fetch, longest
        self.faxes: dict[str, Fax] = {}
        self.http = httpx.AsyncClient(trust_env=False, timeout=10)
        self.calls: set[asyncio.Task[None]] = set()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Returns whether the connection lives on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path = head.split(" ", 2)[:2]
        fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in head.split("\r\n")[1:])}
        body = await reader.readexactly(int(fields.get("content-length", 0)))
        if method != "POST":
            writer.write(self._asked(path))
            return True
        return await self._hand_over(dict(parse_qsl(body.decode())), writer)

    def _asked(self, path: str) -> bytes:
        parts = urlsplit(path)
        sid = parts.path.rpartition("/")[2].removesuffix(".json")
        if sid == "Faxes":
            wanted = parse_qs(parts.query).get("To", [""])[0]
            newest = sorted((f for f in self.faxes.values() if f.to == wanted), key=lambda f: f.created, reverse=True)
            return _answer(200, {"faxes": [f.shown() for f in newest[:100]], "meta": {"key": "faxes"}})
        fax = self.faxes.get(sid)
        return _answer(200, fax.shown()) if fax else _answer(404, {"code": 20404, "message": "not found"})

    async def _hand_over(self, form: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        if form["To"].startswith(DEAD):
            writer.write(_answer(400, {"code": 21211, "message": "not a valid phone number", "status": 400}))
            return True
        fault = self.truth.next_fault(*KINDS)
        attempt = parse_qs(urlsplit(form.get("StatusCallback", "")).query).get("a", [""])[0]
        if fault:
            self.truth.add("fault", kind=fault, attempt=attempt)
        if fault in ("error_before", "limit"):
            writer.write(_answer(500, {"message": "oops"}) if fault == "error_before" else
                         _answer(429, {"code": 20429, "message": "slow down"}, "Retry-After: 1\r\n"))
            return True
        if fault == "drop_before":
            return False
        fax = Fax(f"FX{len(self.faxes):030d}", form["To"], form.get("From", ""), form.get("MediaUrl", ""), form["StatusCallback"], attempt,
                  datetime.fromtimestamp(self.truth.now(), UTC))
        self.faxes[fax.sid] = fax
        self.truth.add("accepted", sid=fax.sid, to=fax.to, attempt=attempt)
        call = asyncio.create_task(self._call(fax, fault))
        self.calls.add(call)
        call.add_done_callback(self.calls.discard)
        if fault == "early":  # the receipt is there before the answer is, and so before the sender can commit it
            await asyncio.wait([call], timeout=1.0)
        await asyncio.sleep(self.truth.random.uniform(0, 0.05))
        if fault == "hang_after":
            await asyncio.sleep(HANG)
        if fault in ("hang_after", "drop_after"):
            return False
        answer = _answer(201, {**fax.shown(), "status": "queued"})
        if fault == "drop_body":
            writer.write(answer[:-40])
            await writer.drain()
            return False
        writer.write(_answer(500, {"message": "oops"}) if fault == "error_after" else answer * (2 if fault == "twice" else 1))
        return True

    async def _call(self, fax: Fax, fault: str) -> None:
        """The call and its receipts: queued, processing, and how it ended."""
        if fault != "early":
            await asyncio.sleep(self.truth.random.uniform(0.1, self.longest))
        if self.truth.random.random() < self.fetch:
            await self._fetch(fax)
        fax.status = "busy" if fault == "busy" else "delivered"
        self.truth.add("final", sid=fax.sid, to=fax.to, attempt=fax.attempt, status=fax.status)
        if fault == "silent":
            return
        words = ["processing", fax.status]
        if fault == "late":
            await asyncio.sleep(LATE)
        if fault == "reorder":
            words.reverse()
        if fault == "twice":
            words = [w for w in words for _ in range(2)]
        for word in words:
            await self._tell(fax, word)
        if fault == "stranger":
            nobody = Fax("FX" + "9" * 30, fax.to, fax.sender, fax.media, fax.callback.replace(fax.attempt, "0" * 26), "", fax.created)
            await self._tell(nobody, "delivered")

    async def _fetch(self, fax: Fax) -> None:
        try:
            await self.http.get(fax.media)
        except httpx.HTTPError:
            pass  # the web server is away; a real provider would try again, and the call's outcome is what counts here

    async def _tell(self, fax: Fax, status: str) -> None:
        form = {"FaxSid": fax.sid, "AccountSid": SID, "From": fax.sender, "To": fax.to, "FaxStatus": status, "NumPages": "1"}
        signed = fax.callback + "".join(k + form[k] for k in sorted(form))
        signature = base64.b64encode(hmac.new(TOKEN.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        for _ in range(TRIES):
            try:
                answer = await self.http.post(fax.callback, content=urlencode(form), headers={
                    "content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature})
                if answer.status_code < 500:
                    self.truth.add("told", sid=fax.sid, status=status, answer=answer.status_code)
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.5)
        self.truth.add("told", sid=fax.sid, status=status, answer=0)


def _answer(status: int, body: dict[str, object], more: str = "") -> bytes:
    text = json.dumps(body)
    return (f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n{more}\r\n{text}").encode()


async def main(folder: Path, seed: int, fetch: float, longest: float) -> None:
    sink = FaxSink(Truth(folder, "fax", seed), fetch, longest)
    server = await asyncio.start_server(sink.talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await obey(sink.truth)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
