"""Webhooks and the media that providers fetch: only what is signed does anything."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import func, insert, select
from twilio.request_validator import RequestValidator

from outreach import tokens
from outreach.db import new_id, reading, unit_of_work, utcnow
from outreach.models import Attempt, Letter, Receipt
from outreach.services.media import media_url
from tests.web.conftest import Site

_LETTERS, _ATTEMPTS = Letter.__table__, Attempt.__table__


def _attempt(site: Site) -> str:
    """A fax on its way, as a worker leaves it."""
    where = site.send(channel="fax", targets=["commissioner"])
    with reading() as c:
        from outreach.models import Submission

        submission = c.execute(select(Submission.__table__.c.id)).scalar_one()
    site.client.post(f"{where}/confirm", data={"code": tokens.code(submission)})
    attempt = new_id()
    with unit_of_work() as c:
        letter = c.execute(select(_LETTERS)).one()
        c.execute(_LETTERS.update().values(state="sent", sent_at=utcnow()))
        c.execute(insert(_ATTEMPTS).values(id=attempt, letter_id=letter.id, campaign_id=letter.campaign_id, address_id=letter.address_id,
                                           transport="twilio", holder="test", verdict="accepted", provider_ref="FX1", started_at=utcnow()))
    return attempt


def _receipts() -> int:
    with reading() as c:
        return int(c.execute(select(func.count()).select_from(Receipt)).scalar_one())


def _state() -> str:
    with reading() as c:
        return str(c.execute(select(_LETTERS.c.state)).scalar_one())


def _callback(site: Site, attempt: str, token: str) -> int:
    url = f"http://testserver/hooks/twilio?a={attempt}"
    fields = {"FaxSid": "FX1", "FaxStatus": "delivered", "NumPages": "1", "To": "+14165550133", "AccountSid": "AC0"}
    signature = RequestValidator(token).compute_signature(url, fields)
    answer = site.client.post(url, content=urlencode(fields), headers={
        "content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature, "origin": "https://provider.example"})
    return answer.status_code


def test_a_signed_callback_marks_the_fax_delivered(site: Site) -> None:
    attempt = _attempt(site)
    assert _callback(site, attempt, "token-of-a-test") == 204
    assert _state() == "delivered"


def test_a_forged_callback_changes_nothing(site: Site) -> None:
    attempt = _attempt(site)
    assert _callback(site, attempt, "another-token") == 401
    assert (_state(), _receipts()) == ("sent", 0)


def test_malformed_and_unknown_hooks_are_told_apart(site: Site) -> None:
    assert site.client.post("/hooks/nobody", content=b"x").status_code == 404
    assert site.client.post("/hooks/twilio", content=b"\xff\x00").status_code in (400, 401)
    assert site.client.post("/hooks/sendgrid", content=b"{").status_code in (400, 401, 404)
    assert _receipts() == 0


def test_media_is_served_to_the_signed_address_only(site: Site) -> None:
    attempt = _attempt(site)
    path = media_url(attempt, utcnow()).removeprefix("http://testserver")
    answer = site.client.get(path)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/pdf" and answer.content.startswith(b"%PDF")
    dots = site.client.get(path.replace(".pdf", ".tiff"))
    assert dots.status_code == 200 and dots.headers["content-type"] == "image/tiff" and dots.content[:2] in (b"II", b"MM")
    assert answer.headers["cache-control"] == "no-store"
    assert site.client.get(path[:-1] + ("a" if path[-1] != "a" else "b")).status_code == 404
    assert site.client.get(path.replace("e=", "e=9")).status_code == 404
    assert site.client.get(path.split("?")[0]).status_code == 404
    old = media_url(attempt, utcnow() - timedelta(days=1)).removeprefix("http://testserver")
    assert site.client.get(old).status_code == 404
