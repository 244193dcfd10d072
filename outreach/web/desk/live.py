"""The first pages of the desk: one's campaigns, and what goes on in one of them, kept up to date (docs/decisions/0020)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from outreach.db import engine
from outreach.domain.letters import State
from outreach.domain.pacing import Rule, parse_rules
from outreach.domain.roles import Right
from outreach.domain.series import GROUPS, Point, Series
from outreach.services import budgets, desk, forecast, health
from outreach.services.desk import Event, LaneView, Look
from outreach.settings import get_settings
from outreach.shared import Shared
from outreach.web import charts
from outreach.web.charts import Band
from outreach.web.desk import letter_words, live_words
from outreach.web.desk.guard import LANGUAGE, Place, room, see
from outreach.web.pages import PRIVATE, environment
from outreach.web.status_words import when

MOVING, QUIET, CLOSED = 3, 5, 60
"""Seconds until a page looks again: while letters move, while none do (another organizer may use a lever), and where none ever will."""
FEW = 8
"""Lanes and recipients that are shown at once; the others fold away."""
MOST = 50
"""That are on the page at all, unless all of them are asked for: with hundreds of targets the page would be half a megabyte."""
STOCK = (Band("arrived", "delivered"), Band("gone", "sent"), Band("waits", "not gone yet"), Band("ended", "failed or called off"))
FLOW = (Band("written", "written"), Band("left", "gone out"))
_PACES = ((1000, 1), (100, 2), (30, 3), (10, 4), (1, 5))
"""Letters an hour from which on a tray's sheets move at this speed (1 the quickest); below all of them at 6."""
KINDS = (("email", "e-mail"), ("fax", "fax"))


@room("/o/", None)
def home(request: Request, at: Place) -> Response:
    """Every campaign that the visitor has a part in, those with trouble first."""
    lines = desk.home(None if at.visitor.operator else at.visitor.id)
    cards = [{"c": x.campaign, "letters": x.letters, "submissions": x.submissions, "alerts": x.alerts, "troubled": desk.is_troubled(x),
              "bar": _bar(x.letters), "left": live_words.deadline_left(x.campaign.deadline, at.now)
              if x.campaign.state in ("live", "paused") else "", "total": sum(x.letters.values())} for x in lines]
    return see("organizer/home.html", at, cards=cards, names={s.value: w for s, w in letter_words.STATES.items()}, patterns=charts.PATTERNS)


@room("/o/c/{slug}/", Right.SEE)
def live(request: Request, at: Place) -> Response:
    """The live desk of one campaign."""
    look, html = _fragment(at, _by(request), _all(request))
    return see("organizer/live.html", at, fragment=Markup(html.text), tag=html.tag, headline=_headline(look),  # noqa: S704  # our own page
               again=_again(look), clock=_clock(look), patterns=charts.PATTERNS,
               source=f"/o/c/{at.here.slug}/now?by={_by(request)}{'&all=yes' if _all(request) else ''}")


@room("/o/c/{slug}/now", Right.SEE)
def now(request: Request, at: Place) -> Response:
    """What is new: the live desk's inner part, or 304 if nothing is. Header lines say when to ask again, and what time it is of."""
    look, html = _fragment(at, _by(request), _all(request))
    headers = {**PRIVATE, "cache-control": "private, no-cache", "etag": html.tag, "x-look-again": str(_again(look)),
               "x-look-at": _clock(look), "vary": "cookie"}
    if html.tag in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    return Response(html.text, 200, headers, "text/html")


@dataclass(frozen=True, slots=True)
class _Html:
    text: str
    tag: str


_PAGES: Shared[_Html] = Shared(400)


def _by(request: Request) -> str:
    asked = request.query_params.get("by", "")
    return asked if asked in ("hours", "days") else ""


def _all(request: Request) -> bool:
    return request.query_params.get("all", "") == "yes"


def _fragment(at: Place, by: str, whole: bool) -> tuple[Look, _Html]:
    """The look and its page: rendered once for all who may see the same of it."""
    look = desk.look(at.here, at.now, by=by)
    key = (engine(), at.here.id, by, whole, at.rights)
    return look, _PAGES.get(key, look.at, lambda: _render(look, at.rights, whole), pulse=look.at)


def _render(look: Look, rights: frozenset[Right], whole: bool) -> _Html:
    shown = len(look.lanes) + len(look.targets) if whole else MOST
    text = environment(LANGUAGE).get_template("organizer/_live.html").render(_values(look, rights, shown))
    return _Html(text, f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"')


def _values(look: Look, rights: frozenset[Right], shown: int) -> dict[str, Any]:
    names = {s.value: w for s, w in letter_words.STATES.items()}
    lanes = sorted(look.lanes, key=lambda x: (-x.forecast.misses, x.forecast.why not in forecast.STANDS, -x.forecast.waiting))
    foretold = min((x.forecast.as_of for x in lanes if x.forecast.as_of), default=None)
    return {
        "look": look, "answers": live_words.answers(look), "rights": rights, "Right": Right, "base": f"/o/c/{look.campaign.slug}/",
        "matters": live_words.matters(look), "lanes": [_lane(x, look.at) for x in lanes[:shown]],
        "foretold": foretold and _clock(look, foretold), "few": FEW, "targets": look.targets[:shown],
        "more_lanes": len(lanes[shown:]), "more_targets": len(look.targets[shown:]),
        "names": names, "means": {s.value: w for s, w in letter_words.MEANS.items()}, "bar": _bar(look.letters), "kinds": KINDS,
        "stock": _stock(look), "flow": _flow(look), "stock_bands": [(b, charts.swatch(b)) for b in STOCK],
        "flow_bands": [(b, charts.swatch(b)) for b in FLOW], "points": [(label, p) for label, p in
                                                                     zip(_labels(look.series, full=True), look.series.points, strict=True)],
        "cost": _cost(look), "health": health, "rate": live_words.rate, "reason": letter_words.reason,
        "bounce_at": health.passed(look.mail.bounced, health.BOUNCES) if look.mail else None,
        "complaint_at": health.passed(look.mail.complained, health.COMPLAINTS) if look.mail else None,
        "events": [(live_words.at_clock(look, e.at), e.at.isoformat(), letter_words.event(_told(e, rights))) for e in look.events]}


def _cost(look: Look) -> str:
    """"$12.40 of $50.00"; "" before the first fax."""
    if not look.spent and look.cap is None:
        return ""
    currency = get_settings().currency
    return budgets.said(look.spent, currency) + (f" of {budgets.said(look.cap, currency)}" if look.cap is not None else "")


def _told(e: Event, rights: frozenset[Right]) -> Event:
    """What a visitor may know of an event: who did what is the audit log's matter, and its details too."""
    return e if Right.MANAGE in rights else replace(e, who=e.who if Right.STEER in rights else "Somebody", detail="")


def _again(look: Look) -> int:
    if look.campaign.state == "closed":
        return CLOSED
    soon = look.at + timedelta(minutes=1)
    return MOVING if look.n(State.SENDING) or any(x.next_at and x.next_at <= soon for x in look.lanes) else QUIET


def _clock(look: Look, at: datetime | None = None) -> str:
    return f"{(at or look.at).astimezone(ZoneInfo(look.zone)):%H:%M:%S}"


def _headline(look: Look) -> str:
    """What a screen reader is told when it changes, and nothing else."""
    return " ".join(f"{a.question} {a.short}." for a in live_words.answers(look))


def _bar(letters: Mapping[str, int]) -> Markup:
    parts = [(name, sum(letters.get(s.value, 0) for s in states)) for name, states in GROUPS.items()]
    words = {b.name: b.words for b in STOCK}
    return charts.share_bar(parts, ", ".join(f"{n:,} {words[name]}" for name, n in parts if n))


def _lane(x: LaneView, now: datetime) -> dict[str, Any]:
    """A lane as a tray of sheets: how high, how quick, and in words."""
    next_at = None if x.forecast.why in ("paused", "address") else x.next_at
    moving = next_at is not None and next_at <= now + timedelta(minutes=15) and not (x.backs_off_until and x.backs_off_until > now)
    return {"lane": x, "sheets": min(6, len(str(x.forecast.waiting)) + 1), "moving": moving, "speed": _speed(x.forecast.pace),
            "words": live_words.lane_sentence(x, now), "pace": live_words.pace_words(x),
            "next": when(next_at, now, LANGUAGE, x.forecast.timezone) if next_at and next_at > now + live_words.SOON else ""}


def _speed(pace: str) -> int:
    rules = [r for r in parse_rules(pace) if r.period] if pace != "none" else []
    an_hour = min((_an_hour(r) for r in rules), default=1000.0)
    return next((speed for least, speed in _PACES if an_hour >= least), 6)


def _an_hour(rule: Rule) -> float:
    return rule.count / (rule.period / timedelta(hours=1)) if rule.period else 0.0


def _labels(s: Series, *, full: bool = False) -> list[str]:
    zone = ZoneInfo(s.zone)
    local = [p.begins.astimezone(zone) for p in s.points]
    if s.hours_each > 1:
        return [f"{x:%a} {x.day} {x:%b}" if full else f"{x.day} {x:%b}" for x in local]
    return [f"{x:%a %H:%M}" if full else f"{x:%H}:00" if x.hour else f"{x:%a}" for x in local]


def _column(p: Point) -> tuple[int, int, int, int]:
    return p.arrived, p.gone, p.waits, p.ended


def _stock(look: Look) -> Markup:
    each = "day" if look.series.hours_each > 1 else "hour"
    p = look.series.points[-1]
    words = (f"Letters at the end of each {each}. Now {p.total:,}: " + ", ".join(
        f"{n:,} {b.words}" for b, n in zip(STOCK, _column(p), strict=True)) + ".")
    return charts.stacked([_column(p) for p in look.series.points], STOCK, _labels(look.series), words)


def _flow(look: Look) -> Markup:
    each = "day" if look.series.hours_each > 1 else "hour"
    p = look.series.points[-1]
    words = f"Letters written and letters gone out in each {each}. In this one {p.written:,} written, {p.left:,} gone out."
    return charts.beside([(p.written, p.left) for p in look.series.points], FLOW, _labels(look.series), words)
