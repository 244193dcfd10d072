"""Receipts per second as SendGrid posts them (signed batches over HTTP), against a plain bulk insert of the very rows they leave."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import delete, func, insert, select, update

from outreach import db
from outreach.models import Attempt, Letter, Receipt, table
from outreach.services import campaigns, moves
from tests.bench import campaign, delivery
from tests.bench.places import Place

Note = Callable[..., None]
BATCH, BATCHES, ROUNDS = 500, 12, 3
_LETTERS, _ATTEMPTS, _RECEIPTS = table(Letter), table(Attempt), table(Receipt)


def measure(here: Place, note: Note, name: str = "receipts_vs_bulk_insert", *, aim: str = "aim ≥ 0.3") -> None:
    """The better of three rounds each; every receipt makes a sent letter delivered, event and counts included."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    here.env["OUTREACH_SENDGRID_WEBHOOK_KEY"] = base64.b64encode(public).decode()
    ours, floors = [], []
    with here.serving("outreach.app:create_app") as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for round_ in range(ROUNDS):
            slug = f"receipts-{round_}"
            campaign.load(here.folder, slug, targets=delivery.LANES)
            batches = [json.dumps(batch).encode() for batch in _said_of(_sent(slug, BATCH * BATCHES))]
            signed = [_signed(key, body) for body in batches]
            began = time.perf_counter()
            for body, headers in zip(batches, signed, strict=True):
                assert client.post("/hooks/sendgrid", content=body, headers=headers).status_code == 204
            ours.append(BATCH * BATCHES / (time.perf_counter() - began))
            _all_delivered(slug, BATCH * BATCHES)
            floors.append(_bulk_insert())
    note(name, max(ours), max(floors), "receipts/s", aim)


def _sent(slug: str, n: int) -> list[dict[str, str]]:
    """n letters of a campaign as they stand when a provider has taken them; returns attempt and address of each."""
    delivery.queue_letters(slug, n)
    campaign_id, now = campaigns.get(slug).id, db.utcnow()
    address = {a.id: a.value for t in campaigns.targets_of(campaign_id) for a in t.addresses}
    with db.unit_of_work() as c:
        rows = c.execute(select(_LETTERS.c.id, _LETTERS.c.target_id, _LETTERS.c.address_id)
                         .where(_LETTERS.c.campaign_id == campaign_id).order_by(_LETTERS.c.id)).all()
        tries = [{"id": db.new_id(), "letter_id": r.id, "campaign_id": campaign_id, "address_id": r.address_id, "holder": "bench",
                  "transport": "sendgrid", "verdict": "accepted", "provider_ref": f"ref-{r.id}", "started_at": now, "ended_at": now}
                 for r in rows]
        c.execute(insert(_ATTEMPTS), tries)
        c.execute(update(_LETTERS).where(_LETTERS.c.campaign_id == campaign_id).values(
            state="sent", tries=1, sent_at=now, attempt_id=select(_ATTEMPTS.c.id).where(_ATTEMPTS.c.letter_id == _LETTERS.c.id)
            .scalar_subquery()))
        moves.count(c, [(campaign_id, r.target_id, "email", f"letter:{s}", d) for r in rows for s, d in (("queued", -1), ("sent", 1))])
    return [{"attempt": t["id"], "email": address[t["address_id"]], "letter": t["letter_id"]} for t in tries]


def _said_of(sent: list[dict[str, str]]) -> list[list[dict[str, Any]]]:
    """The events in SendGrid's form, in batches."""
    events = [{"email": s["email"], "timestamp": int(time.time()), "smtp-id": f"<{s['letter']}@campaign.example>", "event": "delivered",
               "ip": "168.1.1.1", "tls": 1, "response": "250 2.0.0 OK 1700000000 d75a77b69052e-4c1b2a3c4d5e6f7g8h9i 0 - gsmtp",
               "sg_event_id": f"ZGVsaXZlcmVk{s['attempt']}", "sg_message_id": f"{s['letter']}.recvd-5f54b5d587-czmqb-1-6561",
               "attempt": s["attempt"]} for s in sent]
    return [events[i:i + BATCH] for i in range(0, len(events), BATCH)]


def _signed(key: ec.EllipticCurvePrivateKey, body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return {"x-twilio-email-event-webhook-signature": signature, "x-twilio-email-event-webhook-timestamp": stamp}


def _all_delivered(slug: str, n: int) -> None:
    with db.reading() as c:
        done = c.execute(select(func.count()).select_from(_LETTERS).where(
            _LETTERS.c.campaign_id == campaigns.get(slug).id, _LETTERS.c.state == "delivered")).scalar_one()
    assert done == n, f"{done} of {n} delivered"


def _bulk_insert() -> float:
    """Rows/s of inserting the same rows again in the same batches, after they have been taken out."""
    with db.unit_of_work() as c:
        rows = [dict(r._mapping) for r in c.execute(select(_RECEIPTS).order_by(_RECEIPTS.c.id))]
        c.execute(delete(_RECEIPTS))
    began = time.perf_counter()
    for i in range(0, len(rows), BATCH):
        with db.unit_of_work() as c:
            c.execute(insert(_RECEIPTS), rows[i:i + BATCH])
    seconds = time.perf_counter() - began
    with db.unit_of_work() as c:
        c.execute(delete(_RECEIPTS))
    return len(rows) / seconds
