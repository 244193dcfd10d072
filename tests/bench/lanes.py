"""The desk's promise where it is hardest to keep: e-mail and fax, limits, office hours, a deadline that most will miss, many lanes.

A million letters beside a thousand, in two databases in turns; milliseconds to a page's first byte, 95th percentile, each page asked
for right after a lever was used.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import insert, text

from outreach import db
from outreach.models import Submission, table
from outreach.services import campaigns, moves, stats
from outreach.services.drafts import LIMITS
from tests.bench import campaign, looks
from tests.bench.places import Place, place

SLUG = "bench-lanes"
FEW, MANY = 1_000, 1_000_000
FAXES = 4
"""Of so many writers one sends faxes."""
PAGES = {"desk": "", "levers": "levers", "target": "levers/targets/t1", "bundle": "levers/bundle", "exports": "exports"}
_SUBMISSIONS = table(Submission)


def measure(here: Place, note: looks.Note, admin: str, name: str = "limits", targets: int = 50,
            pages: tuple[str, ...] = tuple(PAGES)) -> None:
    """See `looks.compare`, for each page."""
    with ExitStack() as open_:
        many = _site(here, MANY, targets, open_)
        few = _site(open_.enter_context(place("few", admin)), FEW, targets, open_)
        for page in pages:
            looks.compare(note, f"{page}_{name}_1m_vs_1k_postgres", many, few, PAGES[page])
        many.engine.dispose()


def _site(here: Place, letters: int, targets: int, open_: ExitStack) -> looks.Site:
    campaign.load(here.folder, SLUG, targets=targets, limits=LIMITS, deadline=db.utcnow().replace(microsecond=0) + timedelta(days=14),
                  hours="Mon-Fri 09:00-17:00", zone="America/Toronto")
    fill(letters)
    return looks.opened(here, SLUG, open_)


def fill(n: int) -> None:
    """About n letters, half of them sent at the pace of the limits, the others queued. Set-wise, in Postgres itself."""
    row, now = campaigns.get(SLUG), db.utcnow()
    people = max(2 * FAXES, n // len(campaigns.targets_of(row.id)))
    with db.unit_of_work() as c:
        c.execute(insert(_SUBMISSIONS), [{
            "id": f"s{i:025}", "campaign_id": row.id, "version_id": row.version_id, "form_hash": f"{i:064}", "state": "accepted",
            "fingerprint": f"{i:032}", "channel": "email" if i % FAXES else "fax", "asked": [], "language": "en", "name": f"Person {i}",
            "email": f"person{i}@supporter.example", "street": "", "city": "Toronto", "postal_code": "M5V 2T6", "phone": "",
            "affiliation": "", "consent_version": "x", "updates": False, "public_name": False, "created_at": now,
            "confirmed_at": now} for i in range(people)])
        for statement in _STATEMENTS:
            c.execute(text(statement), {"now": now, "yes": True, "no": False, "half": people // 2, "faxes": FAXES})
        counted = c.execute(text("SELECT target_id, channel, state, count(*) FROM letters GROUP BY target_id, channel, state")).all()
        moves.count(c, [(row.id, target, channel, f"letter:{state}", count) for target, channel, state, count in counted])
    while stats.fold():
        pass
    with db.unit_of_work() as c:
        c.exec_driver_sql("ANALYZE")


_NUMBER = "substr(l.submission_id, 2)::bigint"
_STATEMENTS = (
    "INSERT INTO letters (id, campaign_id, submission_id, target_id, address_id, channel, state, state_at, fingerprint, counts,"
    " submitted_at, created_at) SELECT 'l' || substr(s.id, 6) || (1000 + t.position), s.campaign_id, s.id, t.id, ta.address_id, s.channel,"
    " 'queued', s.created_at, s.fingerprint, :yes, s.created_at, s.created_at FROM submissions s JOIN targets t ON t.campaign_id ="
    " s.campaign_id JOIN target_addresses ta ON ta.target_id = t.id JOIN addresses a ON a.id = ta.address_id AND a.channel = s.channel",
    "INSERT INTO attempts (id, letter_id, campaign_id, address_id, transport, holder, verdict, retryable, started_at, ended_at)"
    " SELECT 'a' || substr(l.id, 2), l.id, l.campaign_id, l.address_id, CASE l.channel WHEN 'fax' THEN 'telnyx' ELSE 'smtp' END, 'bench',"
    f" 'accepted', :no, CAST(:now AS timestamptz) - CASE l.channel WHEN 'fax' THEN (:half - {_NUMBER}) / :faxes * interval '40 minutes'"
    f" ELSE (:half - {_NUMBER}) * interval '8 minutes' END, :now FROM letters l WHERE {_NUMBER} < :half",
    "UPDATE letters SET state = 'sent', attempt_id = a.id, sent_at = a.started_at FROM attempts a WHERE a.letter_id = letters.id",
    "INSERT INTO letter_events (letter_id, at, after, why) SELECT id, created_at, 'queued', 'submitted' FROM letters ORDER BY id",
    "INSERT INTO letter_events (letter_id, at, before, after, why, attempt_id) SELECT id, state_at, 'sending', state, 'accepted',"
    " attempt_id FROM letters WHERE attempt_id IS NOT NULL")
