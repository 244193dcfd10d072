"""The fax provider's inside: takes faxes, fetches their media, calls one number once at a time, tells how it went."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from outreach.sandbox import box, hooks, machine, raster
from outreach.sandbox.line import Fault
from outreach.sandbox.magic import fax_fault
from outreach.settings import Settings

LINES = 2
"""Calls at the same time, over all numbers."""
BUSY_TIMES = 2
FETCH_S = 15
LARGEST_MEDIA = 20_000_000
FETCH_FAILED = 11200
"""Twilio's "HTTP retrieval failure"."""
WAITING = frozenset({"queued", "processing"})
FINAL = frozenset({"delivered", "no-answer", "busy", "failed", "canceled"})
_log = logging.getLogger(__name__)


@dataclass
class Fax:
    """One fax as the provider knows it; its JSON sidecar has the same fields. Times are UTC."""

    sid: str
    to: str
    sender: str
    media_url: str
    quality: str
    callback: str
    ttl_minutes: int
    created: datetime
    updated: datetime
    status: str = "queued"
    num_pages: int | None = None
    duration: int | None = None
    error_code: int | None = None
    error_message: str = ""
    told: str = ""
    """The last status that the callback URL took note of."""
    t30: dict[str, Any] = field(default_factory=dict)


class Exchange:
    """Faxes in memory and in sidecars. What was under way when the process ended is taken up again at the next start."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings, self.http, self.folder = settings, http, box.fax_dir(settings)
        self.sid, self._token = hooks.sandbox_credentials(settings)
        self.faxes: dict[str, Fax] = {}
        self._numbers: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lines = asyncio.Semaphore(LINES)
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_word: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in box.sidecars(self.folder):
            values = box.read_sidecar(path)
            try:
                fax = Fax(**{**values, "created": datetime.fromisoformat(values["created"]),
                             "updated": datetime.fromisoformat(values["updated"])})
            except (KeyError, TypeError, ValueError):
                _log.warning("sidecar %s cannot be read", path.name)
                continue
            self.faxes[fax.sid] = fax
            if fax.status not in FINAL:
                self._spawn(self._work(fax))
            elif fax.told != fax.status:
                self._tell(fax)

    async def close(self) -> None:
        """Hang up and forget nothing: the sidecars say where each fax was."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def take(self, *, to: str, sender: str, media_url: str, quality: str, callback: str, ttl_minutes: int) -> Fax:
        at = box.now()
        fax = Fax("FX" + secrets.token_hex(16), to, sender, media_url, quality, callback, ttl_minutes, at, at)
        self.faxes[fax.sid] = fax
        self._keep(fax)
        self._spawn(self._work(fax))
        return fax

    def cancel(self, fax: Fax) -> bool:
        """Whether it was still time."""
        if fax.status not in WAITING:
            return False
        self._move(fax, "canceled")
        return True

    def forget(self, fax: Fax) -> None:
        """Delete the record, the sidecar and the received pages."""
        del self.faxes[fax.sid]
        for path in self.folder.glob(f"{fax.sid}.*"):
            path.unlink(missing_ok=True)

    async def _work(self, fax: Fax) -> None:
        if fax.status in FINAL:
            return
        media = self.folder / f"{fax.sid}.media"
        try:
            self._move(fax, "processing")
            try:
                box.write(media, await self._fetch(fax.media_url))
            except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, raster.BadMedia) as e:
                self._fail(fax, FETCH_FAILED, f"the media could not be fetched: {e or type(e).__name__}")
                return
            async with self._numbers[fax.to], self._lines:
                if box.now() > fax.created + timedelta(minutes=fax.ttl_minutes):
                    self._fail(fax, None, "its time to live passed before the line was free")
                elif fax.status == "processing":
                    self._move(fax, "sending")
                    self._finish(fax, await self._dial(fax, media))
        finally:
            media.unlink(missing_ok=True)

    async def _fetch(self, url: str) -> bytes:
        if not hooks.stays_here(url, self.settings):
            raise raster.BadMedia("the sandbox fetches from this machine only")
        content = bytearray()
        async with asyncio.timeout(FETCH_S), self.http.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK:
                raise raster.BadMedia(f"the media URL answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_MEDIA:
                    raise raster.BadMedia(f"the media is larger than {LARGEST_MEDIA} bytes")
        return bytes(content)

    async def _dial(self, fax: Fax, media: Path) -> machine.Call:
        fault, half = fax_fault(fax.to), self.folder / f"{fax.sid}.half"
        if fault is Fault.BUSY_TWICE:
            earlier = sum(f.to == fax.to and f.status == "busy" for f in self.faxes.values())
            fault = Fault.BUSY if earlier < BUSY_TIMES else Fault.NONE
        try:
            call = await machine.dial(media, half, caller=fax.sender, called=fax.to, fault=fault)
            if half.exists() and (call.status == "delivered" or call.pages):
                half.replace(self.folder / f"{fax.sid}.tiff")
        finally:
            half.unlink(missing_ok=True)
        return call

    def _finish(self, fax: Fax, call: machine.Call) -> None:
        fax.num_pages, fax.duration = call.pages, round(call.line_seconds)
        fax.error_code, fax.error_message = call.error_code, call.message if call.status != "delivered" else ""
        fax.t30 = asdict(call)
        self._move(fax, call.status)

    def _fail(self, fax: Fax, code: int | None, message: str) -> None:
        if fax.status in FINAL:
            return
        fax.error_code, fax.error_message = code, message
        self._move(fax, "failed")

    def _move(self, fax: Fax, status: str) -> None:
        fax.status, fax.updated = status, box.now()
        self._keep(fax)
        self._tell(fax)

    def _keep(self, fax: Fax) -> None:
        if fax.sid in self.faxes:
            box.write_sidecar(self.folder / f"{fax.sid}.json", {
                **asdict(fax), "created": fax.created.isoformat(), "updated": fax.updated.isoformat()})

    def _tell(self, fax: Fax) -> None:
        """Post this status after the ones before it."""
        if not fax.callback:
            return
        fields = {"FaxSid": fax.sid, "AccountSid": self.sid, "ApiVersion": "v1", "From": fax.sender, "To": fax.to,
                  "FaxStatus": fax.status, "Status": fax.status}
        if fax.status in FINAL - {"canceled"}:
            fields |= {"NumPages": str(fax.num_pages or 0), "RemoteStationId": fax.t30.get("remote_ident", "")}
            if fax.status != "delivered":
                fields |= {"ErrorCode": str(fax.error_code or ""), "ErrorMessage": fax.error_message}
        self._last_word[fax.sid] = self._spawn(self._post(fax, fields, self._last_word.get(fax.sid)))

    async def _post(self, fax: Fax, fields: dict[str, str], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        signature = hooks.twilio_signature(fax.callback, fields, self._token)
        headers = {"X-Twilio-Signature": signature, "X-SignalWire-Signature": signature}
        if not hooks.stays_here(fax.callback, self.settings):
            _log.warning("callback of %s leads away from this machine: not posted", fax.sid)
        elif await hooks.post(self.http, fax.callback, headers, form=fields, about=fax.sid):
            fax.told = fields["FaxStatus"]
            self._keep(fax)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
