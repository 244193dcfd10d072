"""Whether a submission's letters wait for a moderator: judged where they come to count, that is at confirmation, or at submit
where nothing is confirmed. Why is written down, and a mark of the text, by which the next one that resembles it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from outreach.db import dialect_insert
from outreach.domain import moderation as rules
from outreach.domain.moderation import Policy
from outreach.models import Review, table
from outreach.queries import moderation as queries
from outreach.queries import submissions
from outreach.render.text import editable_text
from outreach.services import campaigns
from outreach.settings import get_settings

_REVIEWS = table(Review)
COMPARED = 1000
"""Newest reviews of a campaign that a text is compared with."""
USUAL = timedelta(days=2)
"""How long a repeat without confirmation pretends to wait for a moderator (docs/decisions/0005)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is found about a submission. `held` tells whether its letters wait; `mark` is its text's, None for a short or unedited one."""

    held: bool
    reasons: tuple[str, ...] = ()
    mark: int | None = None


def policy_of(campaign: Any) -> Policy:
    """Which of a campaign's letters wait: as its file says (`moderation`), and at least as the operator's setting."""
    return rules.stricter(campaign.moderation, get_settings().moderate)


def is_edited(written: Mapping[str, Any]) -> bool:
    """Whether a submission's text is its writer's own."""
    return written["subject"] is not None or written["body"] is not None


def would_hold(campaign: Any, written: Mapping[str, Any]) -> bool:
    """Whether a submission like this waits for a moderator now."""
    return rules.holds(policy_of(campaign), edited=is_edited(written))


def judge(c: Connection, campaign: Any, written: Mapping[str, Any], now: datetime) -> Judgement | None:
    """Judge a submission (its columns) by its campaign's rules (columns id, moderation, version_id).

    None when there is nothing to write down: the text is the campaign's, and not every letter is read.
    """
    policy, edited = policy_of(campaign), is_edited(written)
    if not edited and policy is not Policy.ALL:
        return None
    text, template = _texts(written) if edited else ("", "")
    mark = rules.mark_of(text, template) if edited else None
    if policy is Policy.NONE:
        return Judgement(False, mark=mark)
    near = mark is not None and rules.is_near(mark, queries.marks(c, campaign.id, written["fingerprint"], COMPARED))
    network = written["network"]
    forms = submissions.forms_of_network(c, network, now - timedelta(hours=1)) if network else 0
    found = rules.reasons(policy, edited=edited, text=text, template=template, details=details_of(written), alike=near,
                          forms_of_network=forms, banned=campaigns.spec_of_version(campaign.version_id).banned_words)
    return Judgement(bool(found), tuple(why.value for why in found), mark)


def judge_again(c: Connection, written: Mapping[str, Any], now: datetime) -> Judgement | None:
    """The same for a submission that is confirmed, perhaps not for the first time: what a moderator has approved stays approved."""
    campaign = queries.policy(c, written["campaign_id"])
    if would_hold(campaign, written) and queries.state_of(c, written["id"]) == "approved":
        return None
    return judge(c, campaign, written, now)


def write_down(c: Connection, found: Judgement, submission_id: str, campaign_id: int, now: datetime) -> None:
    """Keep what was found; letters that are held wait for a moderator from now on."""
    values = {"state": "waiting" if found.held else "free", "reasons": list(found.reasons), "mark": found.mark, "created_at": now}
    c.execute(dialect_insert(c, _REVIEWS).values(submission_id=submission_id, campaign_id=campaign_id, **values)
              .on_conflict_do_update(index_elements=["submission_id"], set_=values))


def forget(c: Connection, submission_ids: Sequence[str]) -> None:
    """Drop what tells of the texts of these submissions, which are scrubbed."""
    c.execute(update(_REVIEWS).where(_REVIEWS.c.submission_id.in_(submission_ids)).values(mark=None, note=None))


def details_of(written: Mapping[str, Any]) -> str:
    """What a writer says of themselves and the letter repeats."""
    return "\n".join((written["name"], written["affiliation"], written["city"]))


def own_text(written: Mapping[str, Any]) -> str:
    """Subject and body as a submission has them; the campaign's where its writer left them."""
    return _texts(written)[0]


def template_of(written: Mapping[str, Any]) -> str:
    """Subject and body as the form offered them to a submission's writer."""
    return _texts(written)[1]


def _texts(written: Mapping[str, Any]) -> tuple[str, str]:
    first = editable_text(campaigns.spec_of_version(written["version_id"]), written["language"])
    subject = first.subject if written["subject"] is None else written["subject"]
    body = first.body if written["body"] is None else written["body"]
    return f"{subject}\n{body}", f"{first.subject}\n{first.body}"
