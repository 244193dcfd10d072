"""Where a letter is, in plain words: what is known, and what happens next. Nothing is claimed that no receipt has said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date

from outreach.domain.letters import Channel, Reason, State
from outreach.domain.pacing import Rule, parse_rules
from outreach.i18n import N_, gettext_for
from outreach.locale import babel_locale, translations
from outreach.services.status import LetterView, StatusView
from outreach.web.pages import clock_time, zone_name

SOON = timedelta(seconds=90)
PENDING = frozenset({State.UNCONFIRMED, State.HELD, State.QUEUED, State.SENDING, State.UNKNOWN, State.SENT})

_ENDED = {State.CANCELLED.value, State.EXPIRED.value}
_WAITING = {State.UNCONFIRMED.value, State.HELD.value, State.QUEUED.value}

_ORDINALS = (N_("first"), N_("second"), N_("third"), N_("fourth"), N_("fifth"), N_("sixth"), N_("seventh"), N_("eighth"), N_("ninth"),
             N_("tenth"))
_TRIED = {
    "busy": N_("The office’s fax line was busy."), "no_answer": N_("The office’s fax machine did not answer."),
    "call_dropped": N_("The fax call broke off."), "fax_error": N_("The two fax machines did not understand each other."),
    "voice_answered": N_("A person or a tape answered instead of a fax machine."),
    "deferred": N_("The mail server asked us to come back later."),
    "rate_limited": N_("The provider asked us to slow down."), "mailbox_full": N_("The office’s mailbox was full."),
    "no_connection": N_("The provider could not be reached."),
    "provider_refuses_our_credentials": N_("The provider does not let us in; the operator has to see to it."),
}
_FAILED = {
    **_TRIED,
    "refused_by_recipient": N_("The mail server refused it."), "no_such_mailbox": N_("The office’s mailbox does not exist."),
    "bounced": N_("It came back as undeliverable."),
    "rejected_as_spam": N_("A mail server took it for spam."), "bad_number": N_("The number is not one that can be called."),
    "too_many_tries": N_("It was tried many times without getting through."),
    "cannot_be_rendered": N_("The letter could not be put on paper."), "no_address": N_("There is no address left to try."),
    "address_blocked": N_("Nothing may be sent to this address any more."),
    "rejected_by_provider": N_("The provider refused to take it."), "no_receipt": N_("No word of it ever came back."),
}
_CANCELLED = {
    "withdrawn": N_("You took it back before it went out."),
    "duplicate": N_("You had already written to this office; it gets one letter from each person."),
    "campaign_closed": N_("The campaign ended before it went out."), "campaign_ended": N_("The campaign ended before it went out."),
    "organizer": N_("The campaign’s organizers took it out."),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One letter's card: the state in a line, what happens next, the stamp's two lines ("" without), and its steps."""

    headline: str
    then: str
    stamp: str
    stamp_small: str
    steps: tuple[tuple[str, bool], ...]
    how: str


def told(x: LetterView, view: StatusView, now: datetime) -> Told:
    """The card of one letter, in the submission's language and its target's time zone."""
    _ = gettext_for(view.language)
    fax = x.channel == Channel.FAX
    headline, then = _since_written(x, view) or _in_a_bundle(x, view, *_lines(x, view, now))
    stamp, small = _stamp(x, view.language)
    by = _("By fax") if fax else _("By e-mail")
    written = _("written %(when)s (%(place)s time)") % {"when": when(x.submitted_at, now, view.language, x.timezone),
                                                         "place": zone_name(x.timezone)}
    return Told(headline, then, stamp, small, _steps(x, view), f"{by} · {written}")


def when(at: datetime, now: datetime, language: str, zone: str) -> str:
    """"14:05" today, "Mon 23 Nov, 14:05" on another day, in that time zone."""
    clock = clock_time(at, language, zone)
    local = at.astimezone(ZoneInfo(zone))
    if local.date() == now.astimezone(ZoneInfo(zone)).date():
        return clock
    return f"{format_date(local, 'EEE d MMM', locale=babel_locale(language))}, {clock}"


def pace_words(pace: str, language: str) -> str:
    """A limit string as people say it: "10 an hour, 60 a day"."""
    try:
        rules = parse_rules(pace) if pace else ()
    except ValueError:
        return ""
    return ", ".join(_rule(r, language) for r in sorted(rules, key=lambda r: r.period or timedelta.max))


def _rule(rule: Rule, language: str) -> str:
    _ = gettext_for(language)
    units = {timedelta(seconds=1): _("%(n)s a second"), timedelta(minutes=1): _("%(n)s a minute"), timedelta(hours=1): _("%(n)s an hour"),
             timedelta(days=1): _("%(n)s a day"), timedelta(weeks=1): _("%(n)s a week"), None: _("%(n)s in all")}
    if rule.period is None or rule.period in units:
        return units[rule.period] % {"n": rule.count}
    minutes = int(rule.period.total_seconds() // 60)
    return _("%(n)s in %(m)s minutes") % {"n": rule.count, "m": minutes}


def _since_written(x: LetterView, view: StatusView) -> tuple[str, str] | None:
    """What a letter that has not gone has to do with its campaign's end or change; None when that does not concern it."""
    _ = gettext_for(view.language)
    if view.can_be_undone and x.state in _WAITING:
        return (_("Stopped for now."),
                _("The campaign’s organizers have stopped it. Unless they take that back within a few minutes, it is not sent any more."))
    if view.outcome and x.state in _WAITING:
        return _("It is not sent any more."), _("The campaign has ended before it went out.")
    if view.asked and x.state == State.UNCONFIRMED:
        return _("Waits until you say whether it shall still go."), _("Nothing goes out before that; it keeps its place.")
    return None


def _lines(x: LetterView, view: StatusView, now: datetime) -> tuple[str, str]:
    """A letter's state in a line, and what follows. A mail goes by a provider of ours: what that says is not yet the office's word."""
    _ = gettext_for(view.language)
    fax = x.channel == Channel.FAX
    reason = x.reason or ""
    match State(x.state):
        case State.UNCONFIRMED:
            return _("Waits until you confirm your e-mail address."), _("Nothing goes out before that.")
        case State.HELD:
            return _("Waits for a moderator."), _("Somebody of the campaign reads it first. It keeps its place in line.")
        case State.QUEUED:
            return _queued(x, view, now)
        case State.SENDING:
            return (_("It is being handed to the fax provider now.") if fax else _("It is being handed to the mail server now.")), ""
        case State.UNKNOWN:
            return _("Handed over, but no answer came back."), (
                _("It may have gone out. If no word of it comes, it is usually sent again after a while; the office may then get it twice.")
                if view.resends and not fax else
                _("It may have gone out. It is sent again only if it turns out that it has not, or if the campaign’s organizers decide so: "
                  "the office should not get it twice."))
        case State.SENT if fax:
            return _called(reason, view.language)
        case State.SENT:
            return (_("Sent, no bounce so far."),
                    _("Our mail provider took it and passes it on to the office. If it comes back, that stands here."))
        case State.DELIVERED if fax:
            return _("Received by the office’s fax machine."), _("The machine confirmed every page.")
        case State.DELIVERED:
            return _("Delivered."), _("The office’s mail server has accepted it. Whether somebody reads it, no server tells.")
        case State.FAILED:
            why = _(_FAILED[reason]) if reason in _FAILED else ""
            end = _("It is not tried again. You can write from your own mail, or call.")
            return _("It could not be delivered."), f"{why} {end}".strip()
        case State.CANCELLED:
            return _("It is not sent."), _cancelled(reason, view)
        case State.EXPIRED:
            return _("It is not sent."), (_("The e-mail address was not confirmed in time.") if reason == "not_confirmed"
                                          else _("The deadline passed first."))


def _called(reason: str, language: str) -> tuple[str, str]:
    """A fax that its provider took, and no more is known."""
    _ = gettext_for(language)
    if reason == Reason.NO_RECEIPT:
        return (_("Sent, no receipt came."),
                _("The fax provider took it, but never said how the call ended. It is not sent again, so that the office does not get it "
                  "twice."))
    return _("Handed to the fax provider, who calls the office’s machine."), _("As soon as the call has ended, the result stands here.")


def _cancelled(reason: str, view: StatusView) -> str:
    """Why a letter is not sent; of a rejected one, what its moderator has to say: in the writer's language if it is a usual reason."""
    _ = gettext_for(view.language)
    if reason != Reason.REJECTED:
        return _(_CANCELLED[reason]) if reason in _CANCELLED else ""
    why = _("Why: %(note)s") % {"note": _(view.note)} if view.note else ""
    words = (_("A moderator of the campaign has read it and did not let it go."), why, _("You can write another one."))
    return " ".join(filter(None, words))


def _in_a_bundle(x: LetterView, view: StatusView, headline: str, then: str) -> tuple[str, str]:
    """The same for a letter that goes, or went, together with others: how many."""
    if not x.bundle:
        return headline, then
    t = translations(view.language)
    texts = {
        State.QUEUED: t.gettext("It goes in a bundle of %(n)s letters, each with its writer’s name and own words, so that all of them "
                                "arrive before the deadline."),
        State.DELIVERED: t.gettext("Delivered in a bundle of %(n)s letters, each with its writer’s name and own words."),
    }
    text = texts.get(State(x.state), t.gettext("It is part of a bundle of %(n)s letters, each with its writer’s name and own words."))
    return headline, f"{text % {'n': x.bundle}} {then}".strip()


def _queued(x: LetterView, view: StatusView, now: datetime) -> tuple[str, str]:
    _ = gettext_for(view.language)
    if view.campaign_state == "paused":
        return _("Waits: the campaign is paused."), _("It keeps its place and goes on when the campaign does.")
    if x.paused == "all":
        return (_("Waits: sending is paused."), _("It keeps its place and goes on when sending does."))
    if x.paused == "target":
        return (_("Waits: sending to this office is paused."), _("It keeps its place and goes on when sending does."))
    if x.paused == "budget":
        return (_("Waits: the campaign’s fax budget is used up."), _("It keeps its place and goes on when there is money for faxes again."))
    if x.paused == "approval":
        return (_("Waits: whoever runs this service has still to approve this office’s address."),
                _("It keeps its place and goes out after that, unless the campaign ends first."))
    if x.place is None:
        return (_("Waits: this office cannot be reached at the moment."),
                _("It goes out once the office can be reached again, unless the campaign ends first."))
    if x.held_up:
        return (_(_TRIED[x.reason]) if x.reason in _TRIED else place_words(x, view.language),
                _("Sending is held up at the moment, but nothing is lost: it keeps its place and goes out as soon as it can."))
    if x.reason in _TRIED:
        again = _("We try again about %(when)s.") % {"when": when(x.likely_at, now, view.language, x.timezone)} if x.likely_at else ""
        return _(_TRIED[x.reason]), again
    if x.likely_at is None:
        return place_words(x, view.language), _("This office takes no more letters from the campaign unless its limit is raised.")
    if x.likely_at - now < SOON:
        return place_words(x, view.language), _("It goes out in a moment.")
    about = when(x.likely_at, now, view.language, x.timezone)
    if pace := pace_words(x.pace, view.language):
        return place_words(x, view.language), _("This office takes %(pace)s, so about %(when)s.") % {"pace": pace, "when": about}
    return place_words(x, view.language), _("It goes out about %(when)s.") % {"when": about}


def place_words(x: LetterView, language: str) -> str:
    """"Your fax is third in line."; numbers from the eleventh place on."""
    t = translations(language)
    _ = t.gettext
    place = x.place or 1
    if place == 1:
        return _("Your fax is next in line.") if x.channel == Channel.FAX else _("Your e-mail is next in line.")
    if place <= len(_ORDINALS):
        text = _("Your fax is %(place)s in line.") if x.channel == Channel.FAX else _("Your e-mail is %(place)s in line.")
        return text % {"place": _(_ORDINALS[place - 1])}
    text = _("Your fax is number %(n)s in line.") if x.channel == Channel.FAX else _("Your e-mail is number %(n)s in line.")
    return text % {"n": place}


def _stamp(x: LetterView, language: str) -> tuple[str, str]:
    if x.state != State.DELIVERED or x.delivered_at is None:
        return "", ""
    t = translations(language)
    local = x.delivered_at.astimezone(ZoneInfo(x.timezone))
    small = f"{format_date(local, 'medium', locale=babel_locale(language))}"
    if x.channel == Channel.FAX:
        pages = x.pages or x.sheets or 1
        small += ", " + t.ngettext("%(n)s page", "%(n)s pages", pages) % {"n": pages}
        return t.gettext("Received %(time)s") % {"time": clock_time(x.delivered_at, language, x.timezone)}, small
    return t.gettext("Delivered %(time)s") % {"time": clock_time(x.delivered_at, language, x.timezone)}, small


def _steps(x: LetterView, view: StatusView) -> tuple[tuple[str, bool], ...]:
    _ = gettext_for(view.language)
    state = State(x.state)
    gone = state in (State.SENT, State.DELIVERED) or x.sent_at is not None
    queued = gone or state in (State.QUEUED, State.SENDING, State.UNKNOWN, State.HELD, State.FAILED)
    return ((_("Written"), True), (_("In the queue"), queued), (_("Sent"), gone),
            (_("Received") if x.channel == Channel.FAX else _("Delivered"), state is State.DELIVERED))


def headline(view: StatusView, language: str) -> str:
    """The page's heading: what is true of all the letters together."""
    t = translations(language)
    _ = t.gettext
    states = {x.state for x in view.letters}
    n = len(view.letters)
    if view.erased:
        return _("Your data has been erased")
    if view.outcome and states <= _WAITING | _ENDED:
        return _("Thank you. It is over")
    if view.submission_state == "unconfirmed" or view.asked:
        return _("One more step")
    if not states:
        return _("Nothing is on its way")
    if states == {State.DELIVERED.value}:
        return t.ngettext("Your letter has arrived", "Your letters have arrived", n)
    if State.HELD.value in states and states <= _ENDED | {State.HELD.value}:
        return t.ngettext("Your letter waits to be read", "Your letters wait to be read", n)
    if states <= _ENDED:
        return t.ngettext("Your letter is not sent", "Your letters are not sent", n)
    if all(_stands(x, view) for x in view.letters):
        return t.ngettext("Your letter waits", "Your letters wait", n)
    if any(_stands(x, view) for x in view.letters):
        return t.ngettext("Where your letter is", "Where your letters are", n)
    if states & {State.FAILED.value, State.CANCELLED.value, State.EXPIRED.value, State.UNKNOWN.value}:
        return t.ngettext("Where your letter is", "Where your letters are", n)
    return t.ngettext("Your letter is on its way", "Your letters are on their way", n)


def _stands(x: LetterView, view: StatusView) -> bool:
    """Whether a letter waits for more than its turn: a pause, money, an office that cannot be reached, sending that is held up."""
    return x.state == State.QUEUED and (view.campaign_state == "paused" or bool(x.paused) or x.place is None or x.held_up)


def state_names(language: str) -> dict[str, str]:
    """Each state in a word or two, for tables."""
    _ = gettext_for(language)
    return {"unconfirmed": _("unconfirmed"), "held": _("held"), "queued": _("waiting"), "sending": _("sending"), "unknown": _("unknown"),
            "sent": _("sent"), "delivered": _("delivered"), "failed": _("failed"), "cancelled": _("cancelled"), "expired": _("expired")}


def campaign_states(language: str) -> dict[str, str]:
    """What a campaign's state is called."""
    _ = gettext_for(language)
    return {"draft": _("draft"), "live": _("live"), "paused": _("paused"), "stopped": _("stopped"), "closed": _("closed")}
