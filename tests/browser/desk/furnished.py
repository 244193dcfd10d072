"""A desk with something in every room: letters in every state, a bundle to send, drafts, reports, alerts, tokens, people of all sorts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from playwright.sync_api import Page
from starlette.testclient import TestClient

from outreach.db import unit_of_work
from outreach.domain.letters import Reason, State, Verdict
from outreach.domain.roles import Right, Role
from outreach.models import Organizer, Review, table
from outreach.queue import QueueName
from outreach.services import (
    access,
    alerts,
    amendments,
    api_tokens,
    blocks,
    budgets,
    links,
    moves,
    passwords,
    pauses,
    reports,
    sessions,
    webhooks,
)
from outreach.web.desk.guard import COOKIE
from tests.browser.desk.conftest import ServedDesk
from tests.services.helpers import COMMISSIONER, COUNCIL, Desk
from tests.transports.servers import CLOSE
from tests.web.desk.drafting import CIRCULAR, began, person, saved

PASSWORD = "kettle marble forgotten lighthouse"
OWN_WORDS = "Dear [salutation],\n\nplease keep the night bus, you idiot. Write to me@people.example.\n\n[your name]"
LONG_NAME = "Wilhelmina-Theodora van Oostenbrugge-Featherstonehaugh"


@dataclass
class Furnished:
    """Where everything is, and the cookies of those who may look at it ("" for nobody)."""

    served: ServedDesk
    letters: dict[str, str] = field(default_factory=dict)
    """Ids by state; "fax": one that was delivered as a fax."""
    drafts: dict[str, str] = field(default_factory=dict)
    """Paths by where they came from."""
    review: str = ""
    links: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=lambda: {"nobody": ""})

    def enter(self, page: Page, who: str) -> None:
        """Let this browser be theirs."""
        page.context.clear_cookies()
        if cookie := self.cookies[who]:
            page.context.add_cookies([{"name": COOKIE, "value": cookie, "domain": "127.0.0.1", "path": "/o/", "httpOnly": True,
                                       "sameSite": "Lax"}])


def furnish(served: ServedDesk) -> Furnished:
    """Fill the rooms, as supporters, workers, organizers and an operator would."""
    made = Furnished(served)
    _letters(served.desk)
    _held(served.desk)
    made.letters = {x.state: x.id for x in served.desk.letters()} | {
        "fax": next(x.id for x in served.desk.letters() if x.channel == "fax" and x.state == "delivered")}
    assert {"queued", "held", "sent", "delivered", "failed", "unknown"} <= made.letters.keys(), made.letters
    made.review = served.desk.rows(Review)[0].submission_id
    operator = person(served.site, operator=True, email="operator@letters.example")
    _drafts(made, operator)
    _trouble(served.desk)
    _people(made, operator)
    alerts.look(served.desk.now)
    return made


def _letters(desk: Desk) -> None:
    """One delivered and one busy fax, mails that were sent, came back and got no answer, and more than the council takes in time."""
    desk.set(confirm="none", max_email_rate="20/hour")
    desk.later(minutes=-30)
    desk.campaign(targets=(replace(COMMISSIONER, limits={"email": "100/minute"}), replace(COUNCIL, name="Council of the "
                  "Metropolitan Transportation Authority", limits={"email": "2/hour"})), deadline=desk.now + timedelta(hours=2),
                  languages=("en",), moderation="edited", banned_words=("idiot",))
    for _ in range(2):
        desk.write(channel="fax", name=LONG_NAME)
    desk.send(QueueName.FAX)
    desk.hear(desk.word(Verdict.DELIVERED, desk.attempts()[0], pages=1))
    desk.write()
    desk.send()
    desk.later(minutes=4)
    desk.write()
    desk.send()
    desk.hear(desk.word(Verdict.BOUNCED, desk.attempts()[-1], reason=Reason.NO_MAILBOX))
    desk.later(minutes=4)
    desk.write()
    desk.sink.faults["dot"] = CLOSE
    desk.send()
    for _ in range(9):
        desk.write(targets=("council",), name=LONG_NAME)
    desk.later(minutes=22)
    x = next(x for x in desk.letters() if x.state == "queued" and x.channel == "email")
    with unit_of_work() as c:
        moves.apply(c, [moves.Move(x.id, x.campaign_id, x.target_id, x.channel, State.QUEUED, State.FAILED, Reason.MAILBOX_FULL)], desk.now)


def _held(desk: Desk) -> None:
    for i in range(3):
        desk.write(targets=("council",), name=f"Writer {'ABC'[i]}", body=f"{OWN_WORDS} {'Really. ' * i}")


def _drafts(made: Furnished, operator: TestClient) -> None:
    desk = made.served.desk
    made.drafts["circular"] = began(operator, "circular", text=CIRCULAR.read_text())
    saved(operator, made.drafts["circular"], "start", **{"deadline.date": "2031-01-24"})
    made.drafts["nothing"] = began(operator)
    change = amendments.addresses("council", "email", ["council@city.example", "council-of-the-metropolitan-authority@gmail.com"])
    amendments.amend("night-bus", change, now=desk.now, who="eva@nightbus.example")
    saved(operator, "/o/c/night-bus/edit", "letter", **{"letter.subject": "Keep the very last bus"})


def _trouble(desk: Desk) -> None:
    budgets.set_cap("night-bus", 5_000_000, now=desk.now, who="eva@nightbus.example")
    pauses.pause("fax", now=desk.now, why="an invoice is in dispute")
    reports.report("night-bus", "They write to somebody’s home, and that is not an office at all.", now=desk.now)
    blocks.block_address("clerk@city.example", "asked not to be written to", now=desk.now)
    for slug in (None, "night-bus"):
        webhooks.add(slug, "https://hooks.example/a-rather-long-path/for-alerts/of-the-campaign", ["alert.opened"], now=desk.now,
                     who="eva@nightbus.example")


def _people(made: Furnished, operator: TestClient) -> None:
    """The operator, whose password is known; people who have only begun; and links that wait to be followed."""
    site, now = made.served.site, made.served.desk.now
    organizers = table(Organizer)
    site.desk.change(Organizer, organizers.c.email == "operator@letters.example", password=passwords.hashed(PASSWORD), name="Robin Okafor")
    made.cookies["operator"] = operator.cookies[COOKIE]
    made.cookies["owner"] = site.signed_in(Role.OWNER, email="a.rather.long.name.of.an.owner@night-bus-riders.example").cookies[COOKIE]
    for email, values in (("newcomer@riders.example", {"password": None, "totp_key": None}), ("half@riders.example", {"totp_key": None})):
        made.cookies[email.split("@")[0]] = site.signed_in(Role.VIEWER, email=email).cookies[COOKIE]
        site.desk.change(Organizer, organizers.c.email == email, **values)
    visitor = access.visitor_of(made.cookies["operator"], now=now)
    assert visitor is not None
    api_tokens.make(visitor, "the mailing list’s own form, at night", scopes=frozenset({Right.SEE, Right.READ}), campaign_id=None,
                    expires_at=now + timedelta(days=30), now=now)
    with unit_of_work() as c:
        made.cookies["halfway"] = sessions.begin(c, visitor.id, stage="password", now=now).cookie
        made.links["reset"] = links.token_of(links.make(c, visitor.id, "reset", now=now))
        made.links["invite"] = links.token_of(links.make(c, visitor.id, now=now))
