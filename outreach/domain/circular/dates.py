"""Dates in a circular, with and without a year or a time, and the one that is the deadline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from outreach.domain.circular.lines import Line

MOST = 50
"""Dates that one line may have."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?P<weekday>mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s{1,2}"
_MONTH = (r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
          r"nov(?:ember)?|dec(?:ember)?)\.?")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
             "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
             *(f"twenty-{n}" for n in ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")),
             "thirtieth", "thirty-first")
_NTH = rf"(?P<day>\d{{1,2}}(?:st|nd|rd|th)?|{'|'.join(sorted(_ORDINALS, key=len, reverse=True)).replace('-', '[- ]')})"
_YEAR = r"(?:,?\s{1,2}(?P<year>20\d\d)\b)?"
_FORMS = tuple(re.compile(p, re.I) for p in (
    rf"\b(?:{_DAY})?(?:the\s)?{_MONTH}\s{{1,2}}(?:the\s)?{_NTH}\b{_YEAR}",
    rf"\b(?:{_DAY})?(?:the\s)?{_NTH}\s{{1,2}}(?:of\s)?{_MONTH}\b{_YEAR}",
    r"\b(?P<year>20\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)",
    rf"(?<![\d/.-])(?:\b{_DAY})?(?P<one>\d{{1,2}})/(?P<two>\d{{1,2}})(?:/(?P<year>20\d\d|\d\d))?(?![\d/])"))
_SOON = re.compile(r"\b(?:(?P<word>today|tonight|tomorrow)|(?:this|next|by|before|until|on|coming)\s(?:this\s|next\s)?"
                   r"(?P<weekday>mon|tues|wednes|thurs|fri|satur|sun)day)\b", re.I)
_CLOCK = re.compile(r"\b(?P<noon>noon|midday|midnight)\b|\b(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d\d))?\s?(?P<half>[ap])\.?\s?m\b|"
                    r"\b(?P<hour24>[01]?\d|2[0-3])[:h](?P<minute24>[0-5]\d)\b", re.I)
_BETWEEN = re.compile(r"[\s,]*(?:[A-Z]{2,3}T|E[SD]?T)?[\s,]*(?:on|this|next)?[\s,]*(?:the)?\s*", re.I)
"""What may stand between a time and its day: "noon on Friday"."""
_BARE = re.compile(r"^[\s,]*at\s(1[0-2]|[1-9])(?:\s?(?:sharp|o.?clock))?(?=\s*$|[.,;!)])")
_ZONE = re.compile(r"\b(?:(E)(?:[SD]?T|astern)|(C)(?:[SD]T|entral)|(M)(?:[SD]T|ountain)|(P)(?:[SD]T|acific)|(A)(?:[SD]T|tlantic)|"
                   r"(GMT|UTC))\b")
_ZONES = ("America/Toronto", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Halifax", "UTC")
_NO_TIME = "no time of day is written; 17:00 is taken"
_LIMIT = re.compile(r"\b(?:by|before|until|till|no later than|at the latest|not later than|latest|deadline|due|closes?|ends?)\b", re.I)
_EVENT = re.compile(r"\b(?:schedul\w+|deport\w*|remov\w+|flight|evict\w+|vot(?:e|es|ing)|hearing|decision|decide\w*|demoli\w+|urgent|shut|"
                    r"clos\w+)\b", re.I)
_ELSE = re.compile(r"\b(?:rally|vigil|picket|press conference|born|since|arrested|arrived|came|was|were|last|sent|wrote|updated|posted|"
                   r"dated|founded)\b", re.I)


@dataclass(frozen=True, slots=True)
class Day:
    """A date in line `at` (a place in the list): the moment, if it can be told, how sure it is the deadline, and what to check."""

    at: int
    start: int
    words: str
    moment: datetime | None
    score: int
    check: str
    inside: bool = False
    """Whether it stands in a letter, which tells of the matter; by when to write is told around it."""


def days_in(lines: list[Line], today: datetime, zone: str, letters: Set[int]) -> Iterator[Day]:
    """All dates, in order. `today` (aware) decides which year is meant where none is written; `letters` are the lines of letters."""
    zone = zone or "UTC"
    local = today.astimezone(ZoneInfo(zone))
    for at, line in enumerate(lines):
        if len(line.text) < 4 or not re.search(r"\d|day|night|morrow|first|second|third|(?:th|TH)\b", line.text):
            continue
        taken: list[tuple[int, int]] = []
        for m in islice(_written(line.text, taken), MOST):
            day = _day(lines, at, m, local, zone)
            yield replace(day, inside=True) if at in letters else day
        if not taken and at not in letters and not line.header and (m2 := _SOON.search(line.text)):
            yield _soon(lines, at, m2, local, zone)


def _written(text: str, taken: list[tuple[int, int]]) -> Iterator[re.Match[str]]:
    """Dates in a line, each form after the other; where they stand goes into `taken`, so that no word is read twice."""
    for form in _FORMS:
        for m in form.finditer(text):
            if not any(a < m.end() and m.start() < b for a, b in taken) and not _only_words(m):
                taken.append(m.span())
                yield m


def deadline_of(days: list[Day], now: datetime) -> Day | None:
    """The date that the circular most probably means by its deadline; None when none is ahead or none seems to be one."""
    found = _best([d for d in days if not d.inside], days, now)
    if found is None and (found := _best(days, days, now)):
        why = "it stands in the letter: is it also the day by which to write?"
        return replace(found, check=f"{why}; {found.check}" if found.check else why)
    return found


def _best(days: list[Day], every: list[Day], now: datetime) -> Day | None:
    """Of `days`; the same day's hour may stand in any of `every`."""
    ahead = [d for d in days if d.moment is None or d.moment > now]
    best = max((d for d in ahead if d.score > 0), key=lambda d: (d.score, -d.at), default=None)
    if best and best.moment and _NO_TIME in best.check:  # the same day may stand elsewhere with its hour
        day = best.moment.date()
        same = [d for d in every if d.moment and d.moment > now and d.moment.date() == day]
        best = next((d for d in same if d.score > -2 and _NO_TIME not in d.check), best)
    only = [d for d in ahead if d.score == 0 and d.moment]
    if best is None and len({d.moment for d in only}) == 1:
        return replace(only[0], check="; ".join(c for c in ("is this the deadline?", only[0].check) if c))
    return best


def _day(lines: list[Line], at: int, m: re.Match[str], local: datetime, zone: str) -> Day:
    g = m.groupdict()
    checks: list[str] = []
    score = _score(lines, at, m.start(), m.end())
    if g.get("one"):
        a, b = int(g["one"]), int(g["two"])
        if a <= 12 and b <= 12 and a != b:
            words = f"{m[0]!r} may be {a} {_MONTHS[b - 1].title()} or {b} {_MONTHS[a - 1].title()}: write the date that is meant"
            return Day(at, m.start(), m[0], None, score - 1, words)
        day, month = (a, b) if b <= 12 else (b, a)
        score -= 1
    else:
        day, month = _number(g["day"]), int(g["month"]) if g["month"].isdigit() else _MONTHS.index(g["month"][:3].lower()) + 1
    year = int(g["year"]) if g.get("year") else None
    weekday = _DAYS.index(g["weekday"][:3].lower()) if g.get("weekday") else None
    found = _date((day, month, year if year is None or year > 99 else 2000 + year), weekday, local.date(), checks)
    if found is None:
        return Day(at, m.start(), m[0], None, -9, f"there is no day {m[0]!r}")
    moment = _moment(lines, at, m, found, (zone, checks))
    if moment <= local:
        checks.append("this has passed")
    return Day(at, m.start(), m[0], moment, score, "; ".join(checks))


def _number(day: str) -> int:
    digits = re.match(r"\d+", day)
    return int(digits[0]) if digits else _ORDINALS.index(day.lower().replace(" ", "-")) + 1


def _only_words(m: re.Match[str]) -> bool:
    """"You may first write", "march second": no dates, as months have a capital where the day is a word."""
    g = m.groupdict()
    return bool(g.get("day")) and not g["day"][0].isdigit() and not g["month"][0].isupper()


def _soon(lines: list[Line], at: int, m: re.Match[str], local: datetime, zone: str) -> Day:
    word = (m["word"] or "").lower()
    if word:
        found = local.date() + timedelta(days=word == "tomorrow")
    else:
        ahead = (_DAYS.index(m["weekday"][:3].lower()) - local.weekday()) % 7
        found = local.date() + timedelta(days=ahead)
    checks = [f"{m[0]!r} is counted from {local.date():%d %B %Y}: is that when it was written?"]
    moment = _moment(lines, at, m, found, (zone, checks))
    start = m.start("weekday") if m["weekday"] else m.start()
    return Day(at, start, m[0], moment, _score(lines, at, start, m.end()) - 1, "; ".join(checks))


def _date(written: tuple[int, int, int | None], weekday: int | None, today: date, checks: list[str]) -> date | None:
    """The day that is meant by day, month and year: the next such day where no year is written; None when there is none."""
    day, month, year = written
    possible = []
    for y in ([year] if year else [today.year, today.year + 1]):
        try:
            possible.append(date(y, month, day))
        except ValueError:
            continue
    ahead = [d for d in possible if year or d >= today]
    if not ahead:
        return None
    best = ahead[0]
    if not year:
        checks.append(f"no year is written; {best.year} is taken")
    if weekday is not None and best.weekday() != weekday:
        said = date(2024, 1, 1 + weekday)  # that year began on a Monday
        checks.append(f"{best:%d %B %Y} is a {best:%A}, and the text says {said:%A}: one of them is wrong")
    return best


def _moment(lines: list[Line], at: int, m: re.Match[str], found: date, usual: tuple[str, list[str]]) -> datetime:
    """The day with the time that stands behind it, or before it; what is assumed is noted. `usual`: the time zone, and the notes."""
    text, (zone, checks) = lines[at].text, usual
    behind = text[m.end():m.end() + 60] or (lines[at + 1].text[:40] if at + 1 < len(lines) else "")
    before = text[max(0, m.start() - 40):m.start()]
    near = next((c for c in _CLOCK.finditer(before) if _BETWEEN.fullmatch(before, c.end())), None)
    clock = near or _CLOCK.search(behind) or _CLOCK.search(before)
    bare = None if clock else _BARE.search(behind)
    if clock and (until := re.compile(r"\s?(?:-|–|to|until)\s?").match(clock.string, clock.end())):
        clock = _CLOCK.match(clock.string, until.end()) or clock
    named = _ZONE.search(behind)
    if named:
        zone = next(z for g, z in zip(named.groups(), _ZONES, strict=True) if g)
    else:
        checks.append(f"no time zone is written; that of {zone} is taken")
    if bare:
        hour = int(bare[1])
        when = time(hour + 12 if hour < 8 else hour)
        checks.append(f"{bare[0].strip()!r} may be in the morning or the evening; {when:%H:%M} is taken")
    elif clock is None:
        checks.append(_NO_TIME)
        when = time(17)
    else:
        when = _time(clock)
    moment = datetime.combine(found, when, ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    if clock is not None and (clock["noon"] or "").lower() == "midnight":
        checks.append("midnight is taken as the end of that day")
    return moment


def _time(clock: re.Match[str]) -> time:
    if clock["noon"]:
        return time(23, 59) if clock["noon"].lower() == "midnight" else time(12)
    if clock["hour24"]:
        return time(int(clock["hour24"]), int(clock["minute24"]))
    hour = int(clock["hour"]) % 12 + (12 if clock["half"].lower() == "p" else 0)
    return time(hour, min(59, int(clock["minute"] or 0)))


def _score(lines: list[Line], at: int, start: int, end: int) -> int:
    """How much the words around it speak for a deadline: above 0, somewhat."""
    line = lines[at]
    if line.header:
        return -9
    before, after = line.text[max(0, start - 60):start], line.text[end:end + 60]
    if len(before) < 20 and at and not line.item:
        before = f"{lines[at - 1].text[-60:]} {before}"
    score = 5 if "deadline" in before.lower() else 0
    score += 3 if _LIMIT.search(before[-35:]) else 0
    score += 1 if _EVENT.search(before) or _EVENT.search(after) else 0
    return score - (4 if _ELSE.search(before[-40:]) else 0)
