"""Somebody reports a campaign: a row, a log line, and a mail to the operator."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert

from outreach.db import new_id, unit_of_work, utcnow
from outreach.errors import FormInvalid
from outreach.i18n import N_
from outreach.logs import get
from outreach.models import Report, table
from outreach.render.clean import clean_text
from outreach.services import campaigns, notices
from outreach.settings import get_settings

log = get()
EMPTY = N_("Say in a few words what is wrong with this campaign.")
LONGEST = 4000


def report(slug: str, reason: str, *, now: datetime | None = None) -> None:
    """Take a report. Raises NotFound for an unknown campaign, FormInvalid({"reason": …}) for an empty or endless text."""
    now = now or utcnow()
    campaign = campaigns.get(slug)
    text = clean_text(reason).strip()
    if not text or len(text) > LONGEST:
        raise FormInvalid({"reason": EMPTY})
    contact = get_settings().operator_contact
    with unit_of_work() as c:
        report_id = new_id(now.timestamp())
        c.execute(insert(table(Report)).values(id=report_id, campaign_id=campaign.id, reason=text, at=now))
        if "@" in contact:
            notices.add(c, "report", report_id, recipient=contact, campaign_id=campaign.id, now=now)
    log.warning("campaign.reported", campaign=campaign.id, report=report_id)
    notices.ring_soon()
