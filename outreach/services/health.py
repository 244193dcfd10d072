"""How well the lines and the mail of a campaign do: what fax calls come to, how much mail comes back, who calls it spam."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from outreach.domain.letters import Reason, State, Verdict
from outreach.queries import desk as queries

CALLS_OF = timedelta(hours=24)
MAIL_OF = timedelta(days=7)
MOST_BOUNCES = 5000
"""Bounces are counted up to here."""
ENOUGH = 50
"""Mails below which a rate says nothing: one wrong address of three is no reputation."""
_BACK = frozenset({Reason.REFUSED, Reason.NO_MAILBOX, Reason.MAILBOX_FULL, Reason.BOUNCED, Reason.SPAM})
"""What the recipient's side answers. A provider that is down, or a letter that cannot be rendered, is no bounce."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A share of all mail (percent) at which a provider does something."""

    percent: float
    who: str
    does: str


BOUNCES = (Threshold(5, "Amazon SES", "puts a sender under review"), Threshold(10, "Amazon SES", "may stop a sender"))
COMPLAINTS = (Threshold(0.1, "Gmail and Amazon SES", "ask senders to stay below it; SES puts one that reaches it under review"),
              Threshold(0.3, "Gmail", "asks senders never to reach it: more of their mail is then filed as spam"),
              Threshold(0.5, "Amazon SES", "may stop a sender"))
SOURCES = ("Google, “Email sender guidelines” (support.google.com/a/answer/81126)",
           "Amazon SES, Developer Guide, “Reputation metrics messages” (docs.aws.amazon.com/ses)")
"""Where the thresholds stand."""


@dataclass(frozen=True, slots=True)
class FaxHealth:
    """Fax calls that started within `CALLS_OF`."""

    calls: int
    answered: int
    """Every page was confirmed."""
    under_way: int
    """Started, and no final word yet."""
    unknown: int
    why_not: dict[str, int] = field(default_factory=dict)
    """Reason (or "") to number, the most frequent first."""
    pages: int = 0
    minutes: int = 0
    """From hand-over to result, of those answered: the provider's own queue is in it."""


@dataclass(frozen=True, slots=True)
class MailHealth:
    """E-mails of which it became known within `MAIL_OF` whether they were taken."""

    went: int
    """Taken, delivered or failed for good."""
    back: int
    """Bounced or refused for good by the recipient's side."""
    complaints: int
    heard: bool
    """Whether the provider tells of complaints at all."""
    why: dict[str, int] = field(default_factory=dict)
    more: bool = False
    """There are more failures than are counted."""

    @property
    def bounced(self) -> float | None:
        """Percent that came back; None while too few have gone."""
        return None if self.went < ENOUGH else self.back * 100 / self.went

    @property
    def complained(self) -> float | None:
        """Percent that was called spam; None while too few have gone, or where nobody would tell."""
        return None if self.went < ENOUGH or not self.heard else self.complaints * 100 / self.went


def passed(percent: float | None, thresholds: Sequence[Threshold]) -> Threshold | None:
    """The highest threshold that a rate has reached."""
    return None if percent is None else next((t for t in reversed(thresholds) if percent >= t.percent), None)


def fax(c: Connection, campaign_id: int, now: datetime) -> FaxHealth:
    """What became of a campaign's fax calls lately."""
    calls, why_not = Counter[str](), Counter[str]()
    pages, seconds = 0, 0.0
    for row in queries.fax_calls(c, campaign_id, now - CALLS_OF):
        calls[row.verdict] += row.calls
        if row.verdict == Verdict.DELIVERED.value:
            pages, seconds = pages + int(row.pages), seconds + float(row.seconds)
        elif row.verdict in (Verdict.REFUSED.value, Verdict.BOUNCED.value):
            why_not[row.reason or ""] += row.calls
    return FaxHealth(
        calls=calls.total() - calls[Verdict.VOID.value], answered=calls[Verdict.DELIVERED.value],
        under_way=calls[Verdict.OPEN.value] + calls[Verdict.ACCEPTED.value], unknown=calls[Verdict.UNKNOWN.value],
        why_not=dict(why_not.most_common()), pages=pages, minutes=round(seconds / 60))


def mail(c: Connection, campaign_id: int, changes: Sequence[tuple[int, str, str, int]], now: datetime, *, heard: bool) -> MailHealth:
    """How a campaign's mail was taken lately; `changes` are those of the counters within `MAIL_OF` (see `queries.desk.changes`)."""
    known = {f"letter:{s.value}" for s in (State.SENT, State.DELIVERED, State.FAILED)}
    went = sum(n for _, channel, name, n in changes if channel == "email" and name in known)
    found = queries.refusals(c, campaign_id, "email", now - MAIL_OF, MOST_BOUNCES)
    why = {reason: n for reason, n in sorted(found.items(), key=lambda x: -x[1]) if reason in _BACK}
    back = sum(why.values())
    return MailHealth(max(went, back), back, queries.complaints(c, campaign_id, now - MAIL_OF), heard, why,
                      more=sum(found.values()) >= MOST_BOUNCES)
