"""The live desk over a million letters beside the same over a thousand: milliseconds to the page's first byte, none of it from memory."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy import text

from outreach import db
from outreach.services import campaigns, moves, stats
from tests.bench import campaign, delivery, looks, scale
from tests.bench.places import Place, place

SLUG = "bench-scale"


def measure(here: Place, note: looks.Note, admin: str) -> None:
    """See `looks.compare`."""
    with ExitStack() as open_:
        many = _site(here, scale.MANY, open_)
        few = _site(open_.enter_context(place("few", admin)), scale.FEW, open_)
        looks.compare(note, "desk_1m_vs_1k_postgres", many, few)
        many.engine.dispose()


def measure_export(here: Place, note: looks.Note) -> None:
    """The most memory of the server while all of a million letters are taken away as CSV, beside that over the first tenth of them."""
    with ExitStack() as open_:
        lines, early, most = _site(here, scale.MANY, open_).take_away("letters.csv")
    assert lines > scale.MANY, lines
    note("export_memory_1m_postgres", most, early, "MB", "aim ≤ 1.1 (flat)")


def _site(here: Place, letters: int, open_: ExitStack) -> looks.Site:
    campaign.load(here.folder, SLUG, targets=delivery.LANES)
    scale.fill(letters)
    _half_have_gone()
    return looks.opened(here, SLUG, open_)


def _half_have_gone() -> None:
    """Half of the letters were handed over, one in thirty of them in vain: attempts, events and counts of that, set-wise."""
    row, now = campaigns.get(SLUG), db.utcnow()
    gone, failed = "substr(l.id, 20, 7) % 2 = 0", "substr(l.id, 20, 7) % 60 = 0"
    if db.engine().dialect.name == "postgresql":
        gone, failed = (x.replace("substr(l.id, 20, 7)", "substr(l.id, 20, 7)::int") for x in (gone, failed))
    verdict = f"CASE WHEN {failed} THEN 'refused' ELSE 'accepted' END"
    with db.unit_of_work() as c:
        c.execute(text(
            "INSERT INTO attempts (id, letter_id, campaign_id, address_id, transport, holder, verdict, retryable, reason, started_at,"
            f" ended_at) SELECT 'a' || substr(l.id, 2), l.id, l.campaign_id, l.address_id, 'smtp', 'bench', {verdict}, :no,"
            f" CASE WHEN {failed} THEN 'no_such_mailbox' END, :now, :now FROM letters l WHERE {gone}"), {"now": now, "no": False})
        c.execute(text("UPDATE letters SET state = CASE WHEN a.verdict = 'refused' THEN 'failed' ELSE 'sent' END, reason = a.reason,"
                       " attempt_id = a.id, sent_at = a.started_at FROM attempts a WHERE a.letter_id = letters.id"))
        c.execute(text("INSERT INTO letter_events (letter_id, at, before, after, why, attempt_id) SELECT l.id, l.state_at, 'sending',"
                       " l.state, 'accepted', l.attempt_id FROM letters l WHERE l.attempt_id IS NOT NULL"))
        moved = c.execute(text("SELECT target_id, state, count(*) FROM letters WHERE attempt_id IS NOT NULL"
                               " GROUP BY target_id, state")).all()
        moves.count(c, [(row.id, target, "email", name, n * sign) for target, state, n in moved
                        for name, sign in (("letter:queued", -1), (f"letter:{state}", 1))])
    while stats.fold():
        pass
    if db.engine().dialect.name == "postgresql":
        with db.unit_of_work() as c:
            c.exec_driver_sql("ANALYZE")
