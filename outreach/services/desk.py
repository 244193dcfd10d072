"""The live desk: one look at a campaign, all of one moment, shared by everybody who looks within the same second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from outreach.db import engine, reading
from outreach.domain import series
from outreach.domain.letters import State
from outreach.domain.series import Series
from outreach.errors import NotFound
from outreach.queries import campaigns as campaign_queries
from outreach.queries import desk as queries
from outreach.queries import figures, money
from outreach.services import campaigns, forecast, health, pauses, troubles
from outreach.services.campaigns import CampaignRow, TargetRow
from outreach.services.forecast import LaneForecast
from outreach.services.health import FaxHealth, MailHealth
from outreach.services.troubles import Trouble
from outreach.settings import Settings, get_settings
from outreach.shared import Shared

HOURS_SHOWN, DAYS_SHOWN = 48, 60
HOURLY_UNTIL = timedelta(days=3)
"""A campaign younger than this is shown by hours, an older one by days, unless it is asked for otherwise."""
TAIL, NEWEST = 400, 30
"""How far back lately goes: the service's newest events that are looked through, the campaign's newest letters."""
EVENTS = 14
_NAMES = tuple((s.value, f"letter:{s.value}") for s in State)
"""States in the order of a letter's life, and what their counters are called."""


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """Letters to one target on one channel."""

    key: str
    name: str
    channel: str
    letters: dict[str, int]
    """State to number."""


@dataclass(frozen=True, slots=True)
class LaneView:
    """A lane in which letters wait, as it stands."""

    forecast: LaneForecast
    next_at: datetime | None
    """When it is looked at next; None while nobody means to."""
    backs_off_until: datetime | None
    setbacks: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: so many like letters moved, or somebody (`who`) did something."""

    at: datetime
    before: str = ""
    after: str = ""
    why: str = ""
    n: int = 1
    target: str = ""
    channel: str = ""
    who: str = ""
    what: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything the live page says, read in one transaction; times in UTC."""

    at: datetime
    campaign: CampaignRow
    zone: str
    """Of the first target: the campaign's own clock."""
    letters: dict[str, int]
    submissions: int
    refused: dict[str, int]
    targets: list[TargetFigures]
    lanes: list[LaneView]
    series: Series
    events: list[Event]
    troubles: list[Trouble]
    fax: FaxHealth | None
    """None for a campaign without fax numbers."""
    mail: MailHealth | None
    went_lately: int
    """Letters that went out in the last full hour and since."""
    offices: dict[str, str]
    """Time zone by target's name."""
    spent: int = 0
    """What its faxes have cost, in millionths of the service's currency."""
    cap: int | None = None
    """What they may cost; None without a cap."""
    alerts: int = 0
    """Matters that are open."""

    @property
    def total(self) -> int:
        """All its letters."""
        return sum(self.letters.values())

    def n(self, *states: State) -> int:
        """Letters in these states."""
        return sum(self.letters.get(s.value, 0) for s in states)


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign as the list of them shows it."""

    campaign: CampaignRow
    letters: dict[str, int]
    submissions: int
    alerts: int


def home(organizer_id: int | None) -> list[CampaignLine]:
    """The campaigns that an organizer has a part in (None: all), those with trouble first, then live ones, then the newest."""
    with reading() as c:
        queries.one_moment(c)
        rows = [CampaignRow(**row._mapping) for row in queries.seen_by(c, organizer_id)]
        totals, alerts = queries.totals(c, [r.id for r in rows]), queries.open_alerts(c, [r.id for r in rows])
    lines = [CampaignLine(r, {s.value: n for s in State if (n := totals.get((r.id, f"letter:{s.value}")))},
                          totals.get((r.id, "submissions"), 0), alerts.get(r.id, 0)) for r in rows]
    return sorted(lines, key=lambda x: (not is_troubled(x), x.campaign.state not in ("live", "paused")))


def is_troubled(line: CampaignLine) -> bool:
    """Whether a campaign wants somebody's eye, as far as its own figures tell."""
    going_on = line.campaign.state in ("live", "paused")
    return line.alerts > 0 or (going_on and bool(line.campaign.suspended_at or line.campaign.paused_why
                                                 or line.letters.get(State.UNKNOWN.value) or line.letters.get(State.HELD.value)))


def look(campaign: CampaignRow, now: datetime, *, by: str = "") -> Look:
    """A look at a campaign that is newer than any lever that was used, and no older than `shared.FRESH`, or `shared.STANDS` while no
    letter moves; `by` is hours, days, or "" for what suits it.

    However many look at once, one of them takes it for all of this process.
    """
    with reading() as c:
        act, event = queries.newest(c, campaign.id)
    return _LOOKS.get((engine(), campaign.id, by), (campaign.revision, act), lambda: take(campaign.id, now, by=by), pulse=event)


def take(campaign_id: int, now: datetime, *, by: str = "") -> Look:
    """A fresh look. Raises NotFound."""
    with reading() as c:
        queries.one_moment(c)
        row = campaign_queries.by_id(c, campaign_id)
        if row is None:
            raise NotFound(f"there is no campaign {campaign_id}")
        return look_in(c, CampaignRow(**row._mapping), now, get_settings(), by=by)


def look_in(c: Connection, campaign: CampaignRow, now: datetime, settings: Settings, *, by: str = "") -> Look:
    """The same within a transaction, which should be of one moment."""
    offices = {t.id: t for t in campaigns.targets_of(campaign.id, campaign.revision, dropped=True)}
    names = {t.id: t.name for t in offices.values()}
    zone = next((t.timezone for t in offices.values()), "UTC")
    numbers = figures.counts(c, campaign.id)
    letters = _letters(numbers)
    places = queries.places(c, campaign.id)
    standing = {(p.target_id, p.address_id): p for p in places}
    lanes = forecast.lanes_of(c, campaign, now, settings)
    this_hour, channels = series.hour_of(now), {p.channel for p in places}
    week = queries.changes(c, campaign.id, this_hour - int(health.MAIL_OF / timedelta(hours=1)), this_hour=this_hour, hours_each=1, shift=0)
    fax = health.fax(c, campaign.id, now) if "fax" in channels else None
    mail = health.mail(c, campaign.id, week, now, heard=settings.email_transport == "sendgrid") if "email" in channels else None
    purse = money.purse(c, campaign.id) if fax else None
    ground = troubles.Ground(campaign, letters, places, names, pauses.held(c, settings), fax, mail, purse, now, settings)
    return Look(
        at=now, campaign=campaign, zone=zone, letters=letters, submissions=numbers.get((0, "", "submissions"), 0),
        refused={name.partition(":")[2]: n for (_, _, name), n in sorted(numbers.items()) if name.startswith("refused:")},
        targets=_targets(numbers, list(offices.values())), lanes=[_lane(x, standing.get((x.target_id, x.address_id))) for x in lanes],
        series=_series(c, campaign, letters, week, now=now, zone=zone, by=by), events=_events(c, campaign.id, names),
        troubles=troubles.found(c, ground), fax=fax, mail=mail, spent=purse.spent if purse else 0, cap=purse.cap if purse else None,
        went_lately=max(0, sum(n for hour, _, name, n in week if hour >= this_hour - 1 and name in ("letter:sent", "letter:delivered"))),
        offices={t.name: t.timezone for t in offices.values()}, alerts=queries.open_alerts(c, [campaign.id]).get(campaign.id, 0))


def _letters(numbers: dict[figures.Key, int]) -> dict[str, int]:
    """Letters by state, in the order of the letter's life, zeros left out."""
    total: defaultdict[str, int] = defaultdict(int)
    for (_, _, name), n in numbers.items():
        total[name] += n
    return {state: total[name] for state, name in _NAMES if total[name]}


def _targets(numbers: dict[figures.Key, int], offices: Sequence[TargetRow]) -> list[TargetFigures]:
    made = []
    for t in offices:
        for channel in ("email", "fax"):
            states = {state: n for state, name in _NAMES if (n := numbers.get((t.id, channel, name)))}
            if states or (t.active and any(a.channel == channel for a in t.addresses)):
                made.append(TargetFigures(t.key, t.name, channel, states))
    return made


def _lane(made: LaneForecast, place: Any | None) -> LaneView:
    return LaneView(made, place and place.next_wake_at, place and place.backoff_until, (place and place.setbacks) or 0)


def _series(c: Connection, campaign: CampaignRow, letters: dict[str, int], week: Sequence[tuple[int, str, str, int]], *,
            now: datetime, zone: str, by: str) -> Series:
    this_hour = series.hour_of(now)
    oldest = queries.first_hour(c, campaign.id)
    oldest = min((hour for hour, *_ in week), default=this_hour) if oldest is None else oldest
    if by == "hours" or (by != "days" and this_hour - oldest < HOURLY_UNTIL / timedelta(hours=1)):
        return series.series(((hour, name, n) for hour, _, name, n in week if hour > this_hour - HOURS_SHOWN), letters,
                             first=max(min(oldest, this_hour - 5), this_hour - HOURS_SHOWN + 1), last=this_hour, zone=zone)
    shift = series.shift_of(now.astimezone(ZoneInfo(zone)).utcoffset())
    today = (this_hour + shift) // 24
    first = max(min((oldest + shift) // 24, today - 5), today - DAYS_SHOWN + 1)
    changes = queries.changes(c, campaign.id, first, this_hour=this_hour, hours_each=24, shift=shift)
    return series.series(((day, name, n) for day, _, name, n in changes), letters, first=first, last=today, hours_each=24, shift=shift,
                         zone=zone)


def _events(c: Connection, campaign_id: int, names: dict[int, str]) -> list[Event]:
    """What happened lately, newest first; alike moves of the same minute are one event."""
    moved: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in queries.moves(c, campaign_id, TAIL, NEWEST):
        moved[row.at.replace(second=0, microsecond=0), row.before or "", row.after, row.why, row.target_id, row.channel] += 1
    events = [Event(at, before, after, why, n, names.get(target, ""), channel)
              for (at, before, after, why, target, channel), n in moved.items() if after != State.SENDING.value]
    events += [Event(row.at, who=row.who, what=row.what, detail=row.detail) for row in queries.acts(c, campaign_id, EVENTS)]
    return sorted(events, key=lambda e: e.at, reverse=True)[:EVENTS]


_LOOKS: Shared[Look] = Shared(200)
forget = _LOOKS.forget
