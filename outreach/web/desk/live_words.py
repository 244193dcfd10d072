"""The live desk's three answers and its matters, in words: is it going out, what is stuck, will we make the deadline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from outreach.domain.letters import Reason, State
from outreach.domain.roles import Right
from outreach.services import health
from outreach.services.desk import LaneView, Look
from outreach.services.forecast import STANDS, in_words
from outreach.services.troubles import Trouble
from outreach.web.deadlines import time_left
from outreach.web.desk.letter_words import letters, reason
from outreach.web.pages import long_time, zone_name
from outreach.web.status_words import when

LANGUAGE = "en"
SOON = timedelta(minutes=2)
_CHANNELS = {"email": "e-mail", "fax": "fax"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the three: `mood` is good, wait, bad or none, told by a sign beside the words."""

    question: str
    short: str
    text: str
    mood: str


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that holds letters back or wants an eye, and what can be done: a link's words and path ("" for none)."""

    text: str
    grave: bool
    act: str = ""
    path: str = ""
    right: Right = Right.STEER


def plural(n: int, one: str, many: str) -> str:
    """"1 letter", "1,204 letters"."""
    return f"{n:,} {one if n == 1 else many}"


def _n(n: int) -> str:
    return plural(n, "letter", "letters")


def at_clock(look: Look, at: datetime) -> str:
    """A moment on the campaign's own clock."""
    return when(at, look.at, LANGUAGE, look.zone)


def answers(look: Look) -> tuple[Answer, Answer, Answer]:
    """The three answers of the first screen."""
    return _going(look), _stuck(look), _deadline(look)


def _going(look: Look) -> Answer:
    question, out = "Is it going out?", look.n(State.SENT, State.DELIVERED)
    so_far = f"{out:,} of {_n(look.total)} are out."
    state = look.campaign.state
    if look.campaign.suspended_at:
        return Answer(question, "No", f"The operator has suspended this campaign. {so_far}", "bad")
    if state != "live":
        text = {"draft": "It is not published yet, so nobody can write.", "paused": f"The campaign is paused. {so_far}",
                "stopped": f"The campaign has been stopped: what waits is not sent. {so_far}",
                "closed": f"The campaign is closed. {so_far}"}[state]
        return Answer(question, "No" if state == "paused" else "Not any more" if state in ("stopped", "closed") else "Not yet", text,
                      "bad" if state == "paused" else "none")
    if not look.total:
        return Answer(question, "Nothing to send yet", "The first letter starts with the first supporter who sends the form.", "none")
    waiting = look.n(State.QUEUED, State.SENDING)
    if not waiting:
        rest = look.n(State.UNCONFIRMED, State.HELD)
        return Answer(question, "All that could go has gone", so_far + (f" {_n(rest)} still wait for their writers or a moderator." if rest
                                                                        else ""), "good")
    if look.lanes and all(x.forecast.why in STANDS for x in look.lanes):
        return Answer(question, "No", f"Every lane stands still. {so_far}", "bad")
    if not look.n(State.SENDING) and any(t.kind in ("unattended", "provider") for t in look.troubles):
        return Answer(question, "It has come to a stop", f"Why stands below. {so_far}", "bad")
    starts = [x.next_at for x in look.lanes if x.next_at and x.forecast.why not in STANDS]
    if look.n(State.SENDING) or look.went_lately or (starts and min(starts) <= look.at + SOON):
        lately = f" {look.went_lately:,} of them since {at_clock(look, look.at.replace(minute=0, second=0) - timedelta(hours=1))}."
        return Answer(question, "Yes", so_far + (lately if look.went_lately else ""), "good")
    if starts:
        return Answer(question, "Not at this moment", f"The next goes about {at_clock(look, min(starts))}. {so_far}", "wait")
    return Answer(question, "Not at this moment", so_far, "wait")


def _stuck(look: Look) -> Answer:
    grave = sum(t.grave for t in look.troubles)
    other = len(look.troubles) - grave
    if grave:
        return Answer("What is stuck?", plural(grave, "matter", "matters"), "What each is, and what you can do, stands below.", "bad")
    if other:
        return Answer("What is stuck?", "Nothing", f"{plural(other, 'thing', 'things')} to keep an eye on, below.", "wait")
    return Answer("What is stuck?", "Nothing", "No letter is held up, failed or in doubt.", "good")


def _deadline(look: Look) -> Answer:
    question, deadline = "Will we make the deadline?", look.campaign.deadline
    if deadline is None:
        return Answer(question, "There is none", "Letters go until you stop or close the campaign.", "none")
    on = f"{long_time(deadline, LANGUAGE, look.zone)} ({zone_name(look.zone)})"
    if deadline <= look.at:
        late = look.letters.get(State.EXPIRED.value, 0)
        return Answer(question, "It has passed", f"It was {on}." + (f" {_n(late)} came too late to go." if late else ""), "none")
    left = time_left(deadline - look.at, LANGUAGE)
    if look.campaign.state not in ("live", "paused"):
        return Answer(question, left.capitalize(), f"It is {on}.", "none")
    missing = sum(x.forecast.misses for x in look.lanes if x.forecast.why not in STANDS)
    standing = sum(x.forecast.waiting for x in look.lanes if x.forecast.why in STANDS)
    if missing:
        more = f" {standing:,} more stand still." if standing else ""
        return Answer(question, f"{_n(missing)} will miss it", f"It is {on}; {left}.{more} Lane by lane below, with the pace that "
                      "would do.", "bad")
    if standing:
        return Answer(question, "Not while sending stands still", f"{_n(standing)} wait where nothing is sent now; lane by lane below. "
                      f"The deadline is {on}; {left}.", "bad")
    ends = [x.forecast.empty_at for x in look.lanes if x.forecast.empty_at]
    if ends:
        return Answer(question, "Yes", f"The last letter that waits now goes about {at_clock(look, max(ends))}. The deadline is {on}; "
                      f"{left}.", "good")
    return Answer(question, "Yes", f"Nothing waits for it. It is {on}; {left}.", "good")


def lane_sentence(lane: LaneView, now: datetime) -> str:
    """"340 letters will miss Friday 17:00 at 10 an hour; 17 an hour would do", and what holds the lane just now.

    How many wait and at what pace stands beside it already.
    """
    f = lane.forecast
    if f.why not in STANDS and not f.misses and f.empty_at:
        text = f"The last goes about {when(f.empty_at, now, LANGUAGE, f.timezone)}."
    else:
        text = f.sentence(now) + "."
    if lane.backs_off_until and lane.backs_off_until > now and lane.setbacks:
        again = when(lane.backs_off_until, now, LANGUAGE, lane.forecast.timezone)
        text += f" It backs off until {again} after {plural(lane.setbacks, 'try', 'tries')} in vain."
    return text


def pace_words(lane: LaneView) -> str:
    """The limits in force: "10 an hour, 60 a day"; "" where nothing goes at all, which its sentence says."""
    return "" if lane.forecast.why in STANDS else in_words(lane.forecast.pace).capitalize()


def _paused_itself(t: Trouble, _: Look) -> Matter:
    return Matter(f"The campaign paused itself: {t.detail}.", True, "Look into it and resume", "levers#pause-h")


def _provider(t: Trouble, look: Look) -> Matter:
    since = f" since {at_clock(look, t.at)}" if t.at else ""
    return Matter(f"The provider that takes {_CHANNELS.get(t.name, t.name)} has been out of use{since}: {t.detail}. It is tried again by "
                  "itself.", True)


def _address(words: str, act: str) -> Callable[[Trouble, Look], Matter]:
    def matter(t: Trouble, _: Look) -> Matter:
        channel, _sep, why = t.detail.partition(" ")
        because = f" ({reason(why.strip())})" if why.strip() else ""
        rest = "" if t.grave else " What waits goes to the next one."
        return Matter(f"{'A fax number' if channel == 'fax' else 'An e-mail address'} of {t.name} {words}{because}.{rest}", t.grave, act,
                      "levers#targets-h")

    return matter


def _failed(t: Trouble, _: Look) -> Matter:
    most = f", most often because {reason(t.detail)}" if t.detail else ""
    return Matter(f"{_n(t.n)} failed{most}.", True, "Retry them", "levers#failed-h")


def _backs_off(t: Trouble, look: Look) -> Matter:
    line = "The fax line" if t.detail == "fax" else "The mail server"
    until = f" It is tried again about {at_clock(look, t.at)}." if t.at else ""
    return Matter(f"{line} of {t.name} did not take {plural(t.n, 'try', 'tries')} in a row.{until}", False)


def _unattended(t: Trouble, _: Look) -> Matter:
    return Matter(f"{plural(t.n, 'lane is', 'lanes are')} due and nobody works on {'it' if t.n == 1 else 'them'}: is a worker running? "
                  "Whoever runs the service sees more with “outreach doctor”.", True)


TROUBLES: dict[str, Callable[[Trouble, Look], Matter]] = {
    "suspended": lambda t, _: Matter(f"The operator has suspended this campaign{': ' + t.detail if t.detail else ''}. Nothing goes out "
                                     "until they lift that.", True),
    "paused_itself": _paused_itself,
    "paused": lambda t, _: Matter(f"The campaign is paused; {_n(t.n)} wait." if t.n != 1 else "The campaign is paused; 1 letter waits.",
                                  True, "Resume", "levers#pause-h"),
    "draft": lambda t, _: Matter("The campaign is not published yet.", False, "Edit and publish", "edit", Right.EDIT),
    "stopped": lambda t, look: Matter("The campaign has been stopped." + (f" That can be undone until {at_clock(look, t.at)}." if t.at
                                                                          else ""), False, "Undo", "levers#stop-h"),
    "channel_paused": lambda t, _: Matter(f"Sending by {_CHANNELS.get(t.name, t.name)} is paused for the whole service.", True),
    "target_paused": lambda t, _: Matter(f"Sending to {t.name} is paused.", True, "Resume", "levers#targets-h"),
    "provider": _provider, "unattended": _unattended,
    "address_suspect": _address("seems wrong and is not used", "Fix the address"),
    "address_blocked": _address("is blocked", "See the addresses"),
    "address_proposed": _address("waits for the operator’s approval", "See the addresses"),
    "backs_off": _backs_off,
    "unknown": lambda t, _: Matter(f"{_n(t.n)} {'was' if t.n == 1 else 'were'} handed over without an answer: nobody knows whether "
                                   f"{'it' if t.n == 1 else 'they'} went. {'It is' if t.n == 1 else 'They are'} not sent again by "
                                   f"{'itself' if t.n == 1 else 'themselves'}.", True, "Decide", "levers/unknown"),
    "failed": _failed,
    "held": lambda t, _: Matter(f"{_n(t.n)} {'waits' if t.n == 1 else 'wait'} for a moderator.", True, "Moderate", "moderation",
                                Right.MODERATE),
    "unconfirmed": lambda t, _: Matter((f"{_n(t.n)} wait until their writers confirm" if t.n != 1 else
                                        "1 letter waits until its writer confirms") + " by mail. A reminder goes out by itself.", False),
    "budget": lambda t, _: Matter(f"{t.n} % of the budget for faxes is spent." + (" No more faxes start." if t.grave else ""), t.grave,
                                  "See the money", "money", Right.SEE),
    "bounces": lambda t, _: Matter(f"{letters(t.n, 'email')} came back within a week: more than mail providers put up with. See e-mail "
                                   "health below.", False),
    "complaints": lambda t, _: Matter(f"{letters(t.n, 'email')} {'was' if t.n == 1 else 'were'} called spam within a week: more than mail "
                                      "providers put up with.", False),
    "few_answer": lambda t, _: Matter(f"Of {t.detail} fax calls that ended within a day only {t.n:,} were answered by a machine.", False),
}
"""How each kind of trouble is told."""


_TURNED_AWAY = {
    Reason.BAD_INPUT.value: ("form was not complete; this person was shown what to mend",
                             "forms were not complete; these people were shown what to mend"),
    Reason.DUPLICATE.value: ("letter was not made, since its writer had written there before",
                             "letters were not made, since their writers had written there before"),
    Reason.THROTTLED.value: ("form was not taken: too many had come from its network",
                             "forms were not taken: too many had come from their networks"),
    Reason.TRAP.value: ("form looked as if a robot had filled it in", "forms looked as if robots had filled them in"),
    Reason.TARGET_ADDRESS.value: ("form came from a recipient’s own address", "forms came from a recipient’s own address"),
    Reason.EMPTY_LETTER.value: ("form came with the letter’s text emptied; this person was shown it",
                                "forms came with the letter’s text emptied; these people were shown it"),
}
"""Why forms are turned away: of one, and of many."""


def matters(look: Look) -> list[Matter]:
    """All troubles in words, the grave ones first."""
    return [TROUBLES[t.kind](t, look) for t in look.troubles]


def turned_away(refused: Mapping[str, int]) -> str:
    """How many forms were not taken, and why; "" for none. `refused` is reason to number."""
    said = []
    for name, n in refused.items():
        one, many = _TURNED_AWAY.get(name, ("form was not taken because " + reason(name), "forms were not taken because " + reason(name)))
        said.append(plural(n, one, many) + ".")
    return " ".join(said)


def rate(percent: float | None) -> str:
    """"0.4 %"; "too few yet" where a rate would say nothing."""
    return f"too few yet (from {health.ENOUGH} on)" if percent is None else f"{percent:.2f} %" if percent < 1 else f"{percent:.1f} %"


def deadline_left(deadline: datetime | None, now: datetime) -> str:
    """"3 days left", "past", or "" without a deadline."""
    return "" if deadline is None else "deadline past" if deadline <= now else time_left(deadline - now, LANGUAGE)
