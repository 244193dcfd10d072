"""What organizers read about letters: states, reasons, events, attempts and receipts in plain English."""

from __future__ import annotations

from outreach.domain.letters import Channel, Reason, State, Verdict
from outreach.services.desk import Event

_S, _R = State, Reason

STATES = {_S.UNCONFIRMED: "unconfirmed", _S.HELD: "held", _S.QUEUED: "waiting", _S.SENDING: "going out", _S.UNKNOWN: "unknown",
          _S.SENT: "sent", _S.DELIVERED: "delivered", _S.FAILED: "failed", _S.CANCELLED: "cancelled", _S.EXPIRED: "expired"}
"""Each state in a word."""
MEANS = {
    _S.UNCONFIRMED: "Its writer has not confirmed the e-mail address yet.", _S.HELD: "A moderator reads it before it goes.",
    _S.QUEUED: "It waits in its lane.", _S.SENDING: "It is being handed over now.",
    _S.UNKNOWN: "It was handed over and no answer came. It may have gone; it is not sent again by itself.",
    _S.SENT: "The provider or mail server took it. No bounce so far, and no word that it arrived.",
    _S.DELIVERED: "A receipt says that it arrived.", _S.FAILED: "It did not get through, and is not tried again by itself.",
    _S.CANCELLED: "It was taken back, or its campaign ended first.", _S.EXPIRED: "The deadline, or the time to confirm it, passed first.",
}
"""What each state means."""

REASONS = {
    _R.REFUSED: "the recipient’s mail server refused it", _R.NO_MAILBOX: "there is no such mailbox", _R.MAILBOX_FULL: "the mailbox is full",
    _R.BOUNCED: "it came back", _R.SPAM: "it was taken for spam", _R.BUSY: "the line was busy", _R.NO_ANSWER: "nobody answered the call",
    _R.VOICE: "a voice answered, not a fax machine", _R.BAD_NUMBER: "the number cannot be called", _R.CALL_DROPPED: "the call broke off",
    _R.FAX_ERROR: "the fax machines did not understand each other", _R.DEFERRED: "the mail server asked to come back later",
    _R.RATE_LIMITED: "the provider asked to slow down", _R.TOO_MANY_TRIES: "it was tried too often in vain",
    _R.CANNOT_RENDER: "the letter could not be put on paper", _R.NO_ADDRESS: "no address was left to try",
    _R.ADDRESS_BLOCKED: "the address is blocked", _R.REJECTED_BY_PROVIDER: "the provider would not take it",
    _R.PROVIDER_AUTH: "the provider refuses our credentials", _R.NO_CONNECTION: "the provider could not be reached",
    _R.NOT_STARTED: "its hand-over never began", _R.NO_RECEIPT: "no receipt ever came", _R.LEASE_EXPIRED: "the worker that had it died",
    _R.DEADLINE: "the deadline passed", _R.WITHDRAWN: "its writer took it back", _R.DUPLICATE: "its writer had written there before",
    _R.NOT_CONFIRMED: "it was not confirmed in time", _R.CAMPAIGN_CLOSED: "the campaign was closed",
    _R.CAMPAIGN_ENDED: "the campaign was stopped", _R.SUBMITTED: "it was written", _R.CONFIRMED: "its writer confirmed it",
    _R.HANDED_OVER: "it is handed over", _R.ACCEPTED: "it was taken", _R.OUTCOME_UNKNOWN: "no answer came", _R.RECEIPT: "a receipt said so",
    _R.POLLED: "the provider said so when asked", _R.ORGANIZER: "an organizer decided so",
    _R.THROTTLED: "too many forms from one network", _R.TRAP: "a robot filled it in",
    _R.TARGET_ADDRESS: "it came from a recipient’s own address", _R.BAD_INPUT: "it could not be read",
    _R.EMPTY_LETTER: "the letter’s text had been emptied",
    _R.APPROVED: "a moderator approved it", _R.REJECTED: "a moderator rejected it",
    _R.PAUSED: "the campaign was paused", _R.NOT_LIVE: "the campaign takes no letters",
}
"""Each reason as the end of a sentence. One that is not here is shown by its name."""
_HIDDEN = {_R.SUBMITTED.value, _R.CONFIRMED.value, _R.HANDED_OVER.value, _R.ACCEPTED.value, _R.RECEIPT.value}

VERDICTS = {
    Verdict.OPEN: "under way", Verdict.VOID: "never handed over", Verdict.UNKNOWN: "handed over, no answer", Verdict.REFUSED: "refused",
    Verdict.ACCEPTED: "taken", Verdict.DELIVERED: "arrived", Verdict.BOUNCED: "came back",
}
"""What is known of an attempt."""
PROVIDERS = {"smtp": "mail server", "sendgrid": "SendGrid", "twilio": "fax provider (Twilio’s shape)", "telnyx": "Telnyx",
             "sandbox": "sandbox"}


def state(name: str) -> str:
    """A state in a word."""
    return STATES[State(name)]


def reason(name: str | None) -> str:
    """A reason as the end of a sentence, "" for none."""
    if not name:
        return ""
    return REASONS.get(Reason(name), name.replace("_", " ")) if name in Reason._value2member_map_ else name.replace("_", " ")


def why(name: str | None) -> str:
    """The same, left out where it says no more than the state does."""
    return "" if name in _HIDDEN else reason(name)


def held_back(inquiry: str | None) -> str:
    """Why a fax of unknown outcome is not sent again though its campaign's rule says so; `inquiry`: what asking has brought."""
    brought = f"So far: {inquiry}." if inquiry else "It has not answered yet."
    return f"The campaign’s rule sends it again only once the provider’s own list shows that it is not there. {brought}"


def letters(n: int, channel: str) -> str:
    """"1 e-mail", "12 faxes"."""
    one, many = ("fax", "faxes") if channel == Channel.FAX else ("e-mail", "e-mails")
    return f"{n:,} {one if n == 1 else many}"


_MOVED = {
    _S.DELIVERED: "{what} reached {to}", _S.FAILED: "{what} to {to} failed: {why}",
    _S.UNKNOWN: "{what} to {to}: handed over, and no answer came", _S.UNCONFIRMED: "{what} to {to} {was} written, to be confirmed",
    _S.HELD: "{what} to {to} {waits} for a moderator", _S.CANCELLED: "{what} to {to} {was} cancelled: {why}",
    _S.EXPIRED: "{what} to {to} expired: {why}", _S.SENDING: "{what} to {to}: being handed over",
}
_QUEUED = {
    "": "{what} to {to} {was} written", _S.UNCONFIRMED: "{what} to {to} {was} confirmed",
    _S.SENDING: "{what} to {to} did not get through yet: {why}", _S.HELD: "{what} to {to} {was} approved",
}
_AGAIN = "{what} to {to} {waits} again: {why}"


def event(e: Event) -> str:
    """One line of what happened lately, without its time."""
    if e.what:
        return f"{e.who}: {e.what}" + (f" ({e.detail})" if e.detail else "")
    if e.after == State.SENT:
        pattern = "{what} to {to} {was} taken by the " + ("fax provider" if e.channel == Channel.FAX else "mail server")
    else:
        pattern = _QUEUED.get(e.before, _AGAIN) if e.after == State.QUEUED else _MOVED[State(e.after)]
    return pattern.format(what=letters(e.n, e.channel), to=e.target, why=reason(e.why), was="was" if e.n == 1 else "were",
                          waits="waits" if e.n == 1 else "wait")
