"""What somebody should make sure of before a campaign goes online: some of it is looked up, some only a person can vouch for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from outreach.db import new_id, reading
from outreach.domain.addresses import is_freemail
from outreach.domain.campaign import CampaignSpec
from outreach.errors import NotAllowed, TransportDown
from outreach.i18n import gettext_for
from outreach.queries import campaigns as campaign_queries
from outreach.render.mail import letter_mail
from outreach.render.text import CannotRender, render_letter
from outreach.services import letter_gaps, proposals, terms
from outreach.services.access import Visitor
from outreach.services.draft_files import Checked
from outreach.services.drafts import DraftRow
from outreach.services.previews import sample
from outreach.settings import get_settings
from outreach.transports.base import Accepted, Mailbox, OutgoingMail, Refused
from outreach.transports.registry import mail_transport

Resolver = Callable[[str], bool | None]
"""Whether mail can be sent to a domain; None when nobody answered."""
PATIENCE = 3.0
"""Seconds that a name server has to answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One point: whether it is done, whether nothing goes online without it, what is so, and what can be done about it."""

    key: str
    title: str
    done: bool
    must: bool
    text: str
    act: str = ""
    """A part of the editor, or what the button does: agreed, inbox, test, seen, terms."""

    @property
    def todo(self) -> str:
        """What somebody should do while it is not done: "set a deadline"."""
        return _TODO.get(self.key, self.title)


_TODO = {
    "valid": "Fill in what is missing, mend what is wrong", "sourced": "Say where each address is published",
    "sound": "Look again at addresses that may be wrong", "approved": "Letters to new addresses wait until the operator has approved them",
    "deadline": "Set a deadline that is ahead", "limits": "Say how many letters an hour each address takes",
    "inbox": "Make sure that the inbox for copies can be reached", "test": "Send yourself a test letter", "seen": "Read the letter",
    "hours": "Give each fax number its time zone", "holes": "Require what the letter needs, or let its sentence go without it",
    "blanks": "Write out the blanks in the letter", "agreed": "Ask the person or family concerned", "terms": "Accept the terms",
}


def items(draft: DraftRow, checked: Checked, visitor: Visitor, *, now: datetime, first: bool) -> list[Item]:
    """The list, in the order in which one would go through it; `first`: the campaign has never been online."""
    found = [_valid(checked)]
    if checked.spec is not None:
        found += [*_places(checked.spec, visitor), hours(checked.spec), _deadline(checked.spec, now),
                  _limits(checked.spec), _inbox(checked.spec, draft.ticks),
                  *gaps(checked.spec), *_letter(checked.spec, draft.ticks)]
    if first:
        found.append(_agreed(draft.ticks))
    found.append(Item("terms", "Acceptable use", terms.accepted(visitor), True, "You have accepted the terms of acceptable use."
                      if terms.accepted(visitor) else "You have not accepted the terms of acceptable use yet.", "terms"))
    return found


def tick(draft: DraftRow, what: str, *, on: bool, who: str, now: datetime, **more: Any) -> DraftRow:
    """The draft with something vouched for, or no longer."""
    ticks = {k: v for k, v in draft.ticks.items() if k != what}
    if on:
        ticks[what] = {"who": who, "at": now.isoformat(), **more}
    return replace(draft, ticks=ticks)


def letter_mark(spec: CampaignSpec) -> str:
    """Changes whenever the letter's text does: a test of another text proves nothing."""
    texts = (spec.letter, *(t for _, t in sorted(spec.translations.items())))
    return hashlib.sha256("\0".join(x for t in texts for x in (t.subject, t.body)).encode()).hexdigest()[:16]


def send_test(spec: CampaignSpec, to: str, *, now: datetime) -> str:
    """Mail the first target's letter to the organizer who asks; returns the provider's answer in words.

    It goes nowhere else. Raises NotAllowed when the letter cannot be written, or nothing could be handed over.
    """
    settings, target = get_settings(), spec.targets[0]
    language = target.language or spec.languages[0]
    try:
        letter = render_letter(spec, target, sample(spec))
    except CannotRender as e:
        raise NotAllowed(f"the letter cannot be written: {e}") from None
    mail = letter_mail(letter, person=sample(spec), operator_name=settings.operator_name or spec.title,
                       verify_url=f"{settings.public_url}/v/preview", language=language, translate=gettext_for(language))
    mail_id = new_id()
    out = OutgoingMail(mail_id, f"t-{mail_id}@{settings.mail_domain}", settings.mail_from,
                       Mailbox(settings.mail_from, settings.operator_name), Mailbox(to), f"Test: {mail.subject}", mail.text, mail.html, now,
                       language=language)
    try:
        with mail_transport(settings).connect() as session:
            outcome = session.hand_over(out)
    except TransportDown as e:
        raise NotAllowed(f"the test could not be sent: {e}") from None
    if isinstance(outcome, Accepted):
        return "the mail server has taken it"
    if isinstance(outcome, Refused):
        raise NotAllowed(f"the mail server refused it: {outcome.reason.value} {outcome.detail}".strip())
    return f"it is not known whether it went: {outcome.why}"


def mail_host(domain: str) -> bool | None:
    """Whether the name service knows where mail for a domain goes: an MX record, or an address. Waits at most `PATIENCE` seconds each."""
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        return None
    for kind in ("MX", "A", "AAAA"):
        try:
            answer = dns.resolver.resolve(domain, kind, lifetime=PATIENCE)
            return kind != "MX" or any(str(r.exchange) != "." for r in answer)  # "." is RFC 7505's: it takes no mail
        except dns.resolver.NXDOMAIN:
            return False
        except dns.resolver.NoAnswer:
            continue
        except (dns.exception.DNSException, OSError):
            return None
    return False


def look_up(draft: DraftRow, spec: CampaignSpec, resolve: Resolver, *, who: str, now: datetime) -> DraftRow:
    """The draft with what the name service says of its inbox."""
    found = resolve(spec.inbox.rpartition("@")[2]) if spec.inbox else None
    return tick(draft, "inbox", on=True, who=who, now=now, value=spec.inbox, found=found)


def _valid(checked: Checked) -> Item:
    n = len(checked.mistakes)
    return Item("valid", "Everything that is needed is there", not n, True, "The checks of a campaign file find no mistake." if not n else
                f"{n} thing{'s are' if n > 1 else ' is'} still missing or wrong.", "mistakes")


def _places(spec: CampaignSpec, visitor: Visitor) -> Iterator[Item]:
    unsourced = [t.name for t in spec.targets if not t.source_url]
    yield Item("sourced", "Addresses have a source", not unsourced, False, "Each target says where its addresses are published."
               if not unsourced else f"Where were these found? {_some(unsourced)}. Officials move; a link lets anybody check.", "who")
    free = [a for t in spec.targets for a in t.email if is_freemail(a)]
    with reading() as c:
        known = campaign_queries.addresses(c, {(ch, v) for t in spec.targets for ch in ("email", "fax") for v in getattr(t, ch)})
    odd = [f"{v} is {row.state}" for (_, v), row in sorted(known.items()) if row.state in ("suspect", "blocked")]
    odd += [f"{a} is a mailbox that anybody can open" for a in free]
    yield Item("sound", "Addresses are sound", not odd, False, f"{_some(odd)}." if odd else "None is known to be wrong or private.", "who")
    new = [] if visitor.operator else [v for ch, v in proposals.new_places(spec) if ch != "phone"]
    new += [v for (_, v), row in known.items() if row.state == "proposed" and v not in new]
    if new:
        yield Item("approved", "Addresses are approved", False, False, f"{_some(sorted(new))} "
                   f"{'waits' if len(new) == 1 else 'wait'} for the operator's approval once this is stored; letters to "
                   f"{'it' if len(new) == 1 else 'them'} are taken and wait so long. The campaign can go online before.")


def _deadline(spec: CampaignSpec, now: datetime) -> Item:
    if spec.deadline is None:
        return Item("deadline", "The deadline is ahead", False, False, "There is none: the campaign runs until somebody closes "
                    "it, and letters that wait never expire.", "what")
    when = f"{spec.deadline:%A} {spec.deadline.day} {spec.deadline:%B %Y, %H:%M} (UTC{spec.deadline:%z})."
    return Item("deadline", "The deadline is ahead", spec.deadline > now, True, when, "what")


def hours(spec: CampaignSpec) -> Item:
    """Whether fax machines ring by day: whose office hours would be read in UTC."""
    odd = [t.name for t in spec.targets if t.fax and t.timezone == "UTC"]
    return Item("hours", "Faxes go out by day", not odd, False, "Each fax number's office hours are those of its place." if not odd else
                f"Read in UTC: {_some(odd)}. Choose the time zone of the place, or the machine may ring at night.", "who")


def gaps(spec: CampaignSpec) -> Iterator[Item]:
    """What would read badly in the letter; nothing where it reads well."""
    if holes := [name.replace("_", " ") for name in letter_gaps.optional_in_sentences(spec)]:
        yield Item("holes", "The letter reads well without what is optional", False, False,
                   f"It says the writer's {_some(holes)} in a sentence, and the form lets people leave that empty: \"I live in and I am "
                   "writing\". Require it in the form, or write {% if … %} around the words.", "form")
    if blanks := letter_gaps.left_open(spec):
        yield Item("blanks", "Nothing in the letter waits to be filled in", False, False,
                   f"{_some(blanks)}: this would be sent as it stands. Write it out, or take it away.", "letter")


def _limits(spec: CampaignSpec) -> Item:
    bare = [f"{t.name} ({ch})" for t in spec.targets for ch in ("email", "fax") if getattr(t, ch) and not t.limits.get(ch)]
    return Item("limits", "Limits are set", not bare, False, "Each address says how many letters an hour it gets." if not bare else
                f"No limit of its own: {_some(bare)}. Only the operator's ceiling holds there.", "who")


def _inbox(spec: CampaignSpec, ticks: dict[str, Any]) -> Item:
    if not spec.inbox:
        return Item("inbox", "The inbox can be reached", False, False, "There is none, so you keep no copy of what is sent. "
                    "Name a mailbox that somebody reads.", "copies")
    looked = ticks.get("inbox") or {}
    if looked.get("value") != spec.inbox:
        return Item("inbox", "The inbox can be reached", False, False, f"Ask a name server where mail for {spec.inbox} "
                    "goes; nothing is sent.", "inbox")
    words = {True: f"Mail for {spec.inbox} has somewhere to go.", None: "No name server answered; try again later.",
             False: f"No mail server is known for {spec.inbox.rpartition('@')[2]}: is it spelt right?"}
    return Item("inbox", "The inbox can be reached", looked.get("found") is True, False, words[looked.get("found")], "inbox")


def _letter(spec: CampaignSpec, ticks: dict[str, Any]) -> Iterator[Item]:
    mark = letter_mark(spec)
    sent = (ticks.get("test") or {}).get("mark") == mark
    seen = (ticks.get("seen") or {}).get("mark") == mark
    yield Item("test", "A test letter was sent", sent, False,
               f"Sent to {ticks['test']['to']}: {ticks['test'].get('said', '')}." if sent else
               "Send yourself the letter as its first target would get it. Nobody else gets it.", "test")
    yield Item("seen", "Somebody has read it", seen, False, f"{ticks['seen']['who']} has read it." if seen else
               "Read the test letter, or its preview, from the first line to the last.", "seen")


def _agreed(ticks: dict[str, Any]) -> Item:
    who = (ticks.get("agreed") or {}).get("who")
    return Item("agreed", "The person or family concerned agrees", bool(who), True, f"{who} says so." if who else
                "If the campaign is about somebody, they or their family want it, know what the page says, and when it goes online. "
                "If it is about nobody in person, that is settled too.", "agreed")


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
