"""A desk over one database: campaigns, people who write, real servers to hand letters to, and a clock that the test moves."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from outreach import queue as queues
from outreach import tokens
from outreach.db import reading, unit_of_work
from outreach.domain.campaign import CampaignSpec, LetterText, TargetSpec
from outreach.domain.letters import Verdict
from outreach.models import Address, Attempt, Base, Copy, Lane, Letter, Notice, Submission, table
from outreach.queries import figures
from outreach.queue import QueueName
from outreach.services import campaigns, confirm, deliver, ledger, notices, outlooks, receipts, stats, submit, sweep
from outreach.services.campaigns import CampaignRow, store_campaign
from outreach.services.forms import FormInput
from outreach.settings import get_settings
from outreach.transports.base import ReceiptWord
from tests.transports.servers import Answer, HttpServer, SmtpServer, Taken, running

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
"""A Monday, 10 o'clock in Toronto."""
COPIES = "copies@nightbus.example"
COMMISSIONER = TargetSpec(id="commissioner", name="Transit Commissioner", salutation="Commissioner", timezone="America/Toronto",
                          hours="always", email=("commissioner@transit.example",), fax=("+14165550133",))
COUNCIL = TargetSpec(id="council", name="City Council", timezone="America/Toronto", hours="always", email=("council@city.example",))
LETTER = LetterText("Keep the night bus", "Dear {{ target.salutation }},\n\nplease keep the bus.\n\n{{ supporter.name }}")
FIELDS = {"street": "optional", "city": "optional", "postal_code": "optional", "phone": "optional"}


def mail_of(taken: Taken) -> EmailMessage:
    """A mail that a sink took, parsed."""
    found = email.message_from_bytes(taken.raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(taken: Taken) -> str:
    """All that its reader could see: headers and every text part, decoded."""
    message = mail_of(taken)
    parts = [f"{name}: {value}" for name, value in message.items()]
    return "\n".join([*parts, *(str(p.get_content()) for p in message.walk() if p.get_content_maintype() == "text")])


@dataclass
class Desk:
    """What supporters, organizers, workers and providers do, at `now`."""

    database: Engine
    patch: pytest.MonkeyPatch
    servers: ExitStack
    now: datetime = NOW
    _sink: SmtpServer | None = None
    _fax: HttpServer | None = None
    faxes: int = 0
    people: int = field(default=0)

    # settings and servers

    def set(self, **values: str) -> None:
        """Change settings, as if the service had been started with these."""
        for name, value in values.items():
            self.patch.setenv(f"OUTREACH_{name.upper()}", value)
        get_settings.cache_clear()

    @property
    def sink(self) -> SmtpServer:
        """The mail server that letters and notices are handed to."""
        if self._sink is None:
            self.mail_server(SmtpServer())
            assert self._sink
        return self._sink

    def mail_server(self, server: SmtpServer) -> None:
        self._sink = self.servers.enter_context(running(server))
        self.set(email_transport="smtp", smtp_url=self._sink.url, smtp_timeout="5")

    @property
    def provider(self) -> HttpServer:
        """A fax provider of Twilio's shape that takes everything; what it was asked is in `asked`."""
        if self._fax is None:
            self._fax = self.servers.enter_context(running(HttpServer(self._take_fax)))
            self.set(fax_transport="twilio", twilio_fax_url=f"{self._fax.url}/Faxes", twilio_account_sid="AC1",
                     twilio_auth_token="token-of-a-test", http_timeout="5")
        return self._fax

    def _take_fax(self, _asked: object) -> Answer:
        self.faxes += 1
        return Answer(201, {"sid": f"FX{self.faxes}", "status": "queued"})

    def later(self, **delta: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(**delta)
        return self.now

    def clock(self) -> datetime:
        return self.now

    # campaigns

    def campaign(self, slug: str = "night-bus", *, state: str = "live", **changes: Any) -> CampaignRow:
        """A campaign with two offices, the first with a fax; again with the same slug: a new version of it."""
        values: dict[str, Any] = {"slug": slug, "title": "Keep the night bus", "summary": "s", "story": "s", "letter": LETTER,
                                  "editable": True, "targets": (COMMISSIONER, COUNCIL), "inbox": COPIES, "country": "CA",
                                  "fields": FIELDS, "deadline": self.now + timedelta(days=30)}
        self._both_real_or_neither()
        made = store_campaign(CampaignSpec(**{**values, **changes}), now=self.now)
        if made.state == "draft" and state != "draft":
            campaigns.set_state(slug, "publish", now=self.now)
        for wanted, action in (("paused", "pause"), ("closed", "close")):
            if state == wanted:
                campaigns.set_state(slug, action, now=self.now)
        return campaigns.get(slug)

    def action(self, action: str, slug: str = "night-bus") -> None:
        self._both_real_or_neither()
        campaigns.set_state(slug, action, now=self.now)

    def _both_real_or_neither(self) -> None:
        """Nothing is published beside a transport that ends in the sandbox."""
        if (self._sink is None) != (self._fax is None):
            _ = self.sink, self.provider

    # supporters

    def form(self, **changes: Any) -> FormInput:
        """A good form of somebody who has not written before."""
        self.people += 1
        made = FormInput(token=submit.new_form_token(self.now - timedelta(seconds=30)), name="Jane Doe", channel="email",
                         email=f"jane{self.people}@people.example", city="Toronto", targets=("commissioner",), consent=True)
        return replace(made, **changes)

    def write(self, slug: str = "night-bus", *, network: str | None = None, **changes: Any) -> str:
        """Send a form; returns the status page's token."""
        return submit.submit(slug, self.form(**changes), network=network, now=self.now)

    def submission(self, token: str) -> Any:
        s = table(Submission)
        with reading() as c:
            return c.execute(select(s).where(s.c.form_hash == tokens.form_hash(token))).one()

    def code(self, token: str) -> str:
        return tokens.code(self.submission(token).id)

    def mailed(self, token: str) -> str:
        """The token in the mail that the submission's mailbox got."""
        return tokens.mail_token(self.submission(token).id)

    def confirm(self, token: str) -> None:
        confirm.by_code(token, self.code(token), now=self.now)

    def signed(self, slug: str = "night-bus", **changes: Any) -> str:
        """Write and confirm."""
        token = self.write(slug, **changes)
        if self.submission(token).state == "unconfirmed":
            self.confirm(token)
        return token

    # workers

    def send(self, queue: QueueName = QueueName.EMAIL, *, seconds: float = 60) -> int:
        """Drain what is due now; returns how many hand-overs were made."""
        (self.sink if queue is QueueName.EMAIL else self.provider)  # noqa: B018  (started, and in the settings)
        return deliver.drain(queue, seconds=seconds, clock=self.clock)

    def notify(self) -> list[Taken]:
        """Send due notices; returns the mails that this brought."""
        before = len(self.sink.mails)
        while notices.due(self.now) and notices.drain(seconds=60, clock=self.clock):
            pass
        return self.sink.mails[before:]

    def sweep(self) -> dict[str, int]:
        return sweep.sweep(self.now)

    # what a provider says

    def word(self, verdict: Verdict | None, attempt: Any = None, **changes: Any) -> ReceiptWord:
        """A receipt for an attempt (the only one if none is given), as its provider would word it."""
        attempt = attempt or self.one(Attempt)
        address = next(a for a in self.rows(Address) if a.id == attempt.address_id)
        made = ReceiptWord("twilio" if address.channel == "fax" else "smtp", tokens.new_form_token(), verdict, address.value, self.now,
                           attempt_id=attempt.id)
        return replace(made, **changes)

    def hear(self, *words: ReceiptWord) -> int:
        return receipts.take(words, now=self.now)

    # what is so

    def rows(self, model: type[Base], *where: Any) -> list[Any]:
        t = table(model)
        with reading() as c:
            return list(c.execute(select(t).where(*where).order_by(*t.primary_key.columns)))

    def one(self, model: type[Base], *where: Any) -> Any:
        found = self.rows(model, *where)
        assert len(found) == 1, found
        return found[0]

    def letters(self, token: str | None = None) -> list[Any]:
        rows = self.rows(Letter)
        return rows if token is None else [x for x in rows if x.submission_id == self.submission(token).id]

    def letter(self, token: str | None = None) -> Any:
        found = self.letters(token)
        assert len(found) == 1, found
        return found[0]

    def states(self) -> list[str]:
        return sorted(x.state for x in self.letters())

    def attempts(self) -> list[Any]:
        """Oldest first."""
        return sorted(self.rows(Attempt), key=lambda a: (a.started_at, a.id))

    def copies(self) -> list[Any]:
        return self.rows(Copy)

    def notices(self) -> list[Any]:
        return self.rows(Notice)

    def lane(self, value: str) -> Any:
        address = self.one(Address, table(Address).c.value == value)
        return self.one(Lane, table(Lane).c.address_id == address.id)

    def stats(self, slug: str = "night-bus") -> dict[str, Any]:
        return stats.stats(slug)

    def counts_agree(self, slug: str = "night-bus") -> bool:
        """Whether the counters, folded or not, say what the letters themselves say."""
        with reading() as c:
            campaign = campaigns.get(slug).id
            return {k: n for k, n in figures.counts(c, campaign).items() if k[2].startswith("letter:")} == figures.recount(c, campaign)

    def change(self, model: type[Base], *where: Any, **values: Any) -> int:
        """What somebody else's hand did to the database."""
        with unit_of_work() as c:
            return c.execute(update(table(model)).where(*where).values(**values)).rowcount


@pytest.fixture
def desk(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The service's parts over `database`; Redis is away, as it may be at any time."""
    monkeypatch.setattr(deliver, "LINGER", 0.01, raising=False)  # nobody else adds letters while a test's drain runs
    _forget()
    with ExitStack() as servers:
        yield Desk(database, monkeypatch, servers)
    _forget()


def _forget() -> None:
    outlooks.forget()
    queues.redis.cache_clear()
    queues.queue.cache_clear()


def hold_up(patch: pytest.MonkeyPatch, step: Callable[[], None]) -> None:
    """Have `step` happen between a drain's reading of letters and its claim of them, once."""
    real, pending = ledger.commit, [step]

    def commit(terms: Any, done: Any, starts: Any, now: datetime) -> Any:
        if starts and pending:
            pending.pop()()
        return real(terms, done, starts, now)

    patch.setattr(ledger, "commit", commit)
