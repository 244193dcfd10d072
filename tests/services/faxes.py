"""A fax provider's memory behind a test's HTTP server, in Twilio's shape or Telnyx's, and the ways in which it fails to answer."""

from __future__ import annotations

import email
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.services.helpers import Desk
from tests.transports.servers import CLOSE, HANG, Answer, Asked

LOST = {"500 after taking it": Answer(500, {}), "408": Answer(408, {}), "no answer": HANG, "hangs up": CLOSE,
        "breaks off": Answer(201, {"sid": "FX1", "status": "queued", "data": {"id": "FX1"}}, cut=True), "rubbish": Answer(200, b"<html>")}


@dataclass
class Fax:
    ref: str
    to: str
    created: datetime
    status: str = "queued"
    media_url: str = ""
    client_state: str = ""
    failure: str = ""
    direction: str = "outbound"


@dataclass
class FaxProvider:
    """Takes, lists, shows and cancels faxes. `lost` says how the next hand-overs go unanswered, `keeps` whether it keeps those."""

    desk: Desk
    faxes: list[Fax] = field(default_factory=list)
    lost: list[Answer | str] = field(default_factory=list)
    keeps: bool = True
    lists: list[Answer | str] = field(default_factory=list)
    """Answers to the next askings for a list, in the place of the list."""
    shows_media: bool = False
    too_late: bool = False
    posts: int = 0
    page: int = 100

    def __post_init__(self) -> None:
        self.desk.provider.answer = self.answer
        self.desk.set(http_timeout="1")

    def telnyx(self) -> FaxProvider:
        """The same in Telnyx's shape."""
        self.desk.set(fax_transport="telnyx", telnyx_api_key="KEY", telnyx_url=self.desk.provider.url, telnyx_connection_id="c1",
                      telnyx_public_key="")
        return self

    def add(self, to: str = "+14165550133", **changes: Any) -> Fax:
        """A fax that it has taken, from whomever."""
        made = Fax(**{"ref": f"FX{len(self.faxes) + 1}", "to": to, "created": self.desk.now, **changes})
        self.faxes.append(made)
        return made

    def one(self, ref: str) -> Fax | None:
        return next((f for f in self.faxes if f.ref == ref), None)

    def answer(self, asked: Asked) -> Answer | str:
        parts = urlsplit(asked.path)
        steps = parts.path.strip("/").split("/")
        telnyx = steps[0] == "v2"
        steps = steps[2:] if telnyx else steps[1:]
        if not steps:
            query = {k: v[0] for k, v in parse_qs(parts.query).items()}
            return self._taken(asked, telnyx=telnyx) if asked.method == "POST" else self._listed(query, telnyx=telnyx)
        fax = self.one(steps[0])
        if fax is None:
            return Answer(404, {})
        if asked.method == "POST":
            if self.too_late:
                return Answer(422 if telnyx else 400, {})
            fax.status = "failed" if telnyx else "canceled"
            fax.failure = "sender_canceled"
            return Answer(202, {"data": {"result": "ok"}}) if telnyx else Answer(200, self._shown(fax))
        return Answer(200, {"data": self._telnyx(fax)} if telnyx else self._shown(fax))

    def _taken(self, asked: Asked, *, telnyx: bool) -> Answer | str:
        self.posts += 1
        if telnyx:
            whole = email.message_from_bytes(f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode() + asked.body,
                                             policy=policy.default)
            form = {str(p.get_param("name", header="Content-Disposition")): p.get_payload(decode=True) for p in whole.iter_parts()}
            values = {k: v.decode() for k, v in form.items() if isinstance(v, bytes) and k != "contents"}
        else:
            values = {k: v for k, [v] in parse_qs(asked.body.decode()).items()}
        lost = self.lost.pop(0) if self.lost else None
        if lost is None or self.keeps:
            fax = self.add(values.get("To") or values["to"], media_url=values.get("MediaUrl", ""),
                           client_state=values.get("client_state", ""))
        if lost is not None:
            return lost
        return Answer(202, {"data": self._telnyx(fax)}) if telnyx else Answer(201, self._shown(fax))

    def _listed(self, query: dict[str, str], *, telnyx: bool) -> Answer | str:
        if self.lists:
            return self.lists.pop(0)
        wanted = query.get("filter[to][eq]") or query.get("To")
        newest = sorted((f for f in self.faxes if f.to == wanted), key=lambda f: f.created, reverse=True)
        number = int(query.get("page[number]", 1)) - 1 if telnyx else int(query.get("Page", 0))
        rows, pages = newest[number * self.page:(number + 1) * self.page], max(1, -(-len(newest) // self.page))
        if telnyx:
            return Answer(200, {"data": [self._telnyx(f) for f in rows],
                                "meta": {"total_pages": pages, "page_number": number + 1, "page_size": self.page}})
        following = f"{self.desk.provider.url}/Faxes?To=%2B{str(wanted)[1:]}&Page={number + 1}" if number + 1 < pages else None
        return Answer(200, {"faxes": [self._shown(f) for f in rows], "meta": {"key": "faxes", "next_page_url": following}})

    def _shown(self, fax: Fax) -> dict[str, Any]:
        return {"sid": fax.ref, "to": fax.to, "status": fax.status, "direction": fax.direction, "num_pages": None,
                "date_created": fax.created.isoformat(), "media_url": fax.media_url if self.shows_media else None}

    def _telnyx(self, fax: Fax) -> dict[str, Any]:
        return {"id": fax.ref, "to": fax.to, "status": fax.status, "direction": fax.direction, "created_at": fax.created.isoformat(),
                "client_state": fax.client_state or None, **({"failure_reason": fax.failure} if fax.failure else {})}
