"""The campaigns of a run, their targets and what those ask for: limits, shares, office hours, second addresses, a deadline, inboxes.

Each takes its letters under some promise that the checker then judges; `Promises` is what it is told of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from tests.chaos.evidence import Hours
from tests.chaos.fax_sink import DEAD
from tests.chaos.mail_sink import GONE
from tests.chaos.plan import Form

COPIES, DIGESTS = "copies@chaos.example", "digests@chaos.example"
"""One inbox that gets every letter by itself, and one whose number an hour is soon used up."""
LIMITS = ("5/4 seconds", "3/second, 15/12 seconds", "10/8 seconds, 90/minute")
"""Every eighth place has one of them, in both campaigns that share it."""
FAX_LIMIT, SHARE, SLOW, TRICKLE = "4/8 seconds", "3/6 seconds", "1/10 seconds", "1/8 seconds"
Place: TypeAlias = tuple[str, ...]
"""A target's addresses, in their order."""
ZONES = ("UTC", "Asia/Kolkata")
SHIFTS = 4
"""How often an office closes and opens again before it stays open."""
HALT, LATE = "halt", "late"
"""The campaigns that are stopped amid the run, and that reach their deadline."""
BODY = "Dear {{ target.salutation }},\n\nplease keep the night bus. It brings four hundred people home.\n\n{{ supporter.name }}"


@dataclass(slots=True)
class Promises:
    """What the checker holds the service to; see `Evidence`."""

    limits: dict[str, str] = field(default_factory=dict)
    shares: dict[tuple[str, str], str] = field(default_factory=dict)
    hours: dict[str, Hours] = field(default_factory=dict)
    deadlines: dict[str, float] = field(default_factory=dict)
    detours: dict[str, str] = field(default_factory=dict)
    inboxes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Campaign:
    """One campaign file in the making."""

    slug: str
    channel: str
    places: list[Place]
    head: list[str] = field(default_factory=list)


class Scene:
    """All campaigns of one form, as files."""

    def __init__(self, form: Form, now: datetime) -> None:
        self.form, self.now = form, now
        self.promises = Promises()
        mail: list[Place] = [(f"office{i}@target.example",) for i in range(form.mail_places)]
        numbers: list[Place] = [(f"+1416555{2000 + i}",) for i in range(form.fax_places)]
        moved: list[Place] = [(f"{GONE}{i}@target.example", f"next{i}@target.example") for i in range(2)]
        dead: list[Place] = [(f"{DEAD}{i}", f"+1416555195{i}") for i in range(2)]
        self.promises.detours |= {place[0]: place[1] for place in (*moved, *dead)}
        self.campaigns = [
            Campaign("bus", "email", mail[:len(mail) * 3 // 4] + moved, [f'inbox = "{COPIES}"']),
            Campaign("tram", "email", mail[len(mail) // 4:] + moved,
                     [f'inbox = "{DIGESTS}"', f"copies_per_hour = {form.copies_per_hour}"]),
            Campaign("fax", "fax", numbers + dead, [f'inbox = "{COPIES}"']),
            Campaign("wire", "fax", numbers[len(numbers) // 2:], [f'inbox = "{DIGESTS}"', 'copies = "digest"']),
            Campaign(HALT, "email", [(f"council{i}@target.example",) for i in range(4)]),
            Campaign(LATE, "email", [(f"ministry{i}@target.example",) for i in range(4)],
                     [f"deadline = {(now + timedelta(seconds=form.deadline)).replace(microsecond=0).isoformat()}"])]
        self._promise(mail, numbers)

    def _promise(self, mail: list[Place], numbers: list[Place]) -> None:
        p = self.promises
        p.limits |= {m: LIMITS[(i // 8) % 3] for i, (m, *_) in enumerate(mail) if i % 8 == 0}
        p.limits |= {n: FAX_LIMIT for i, (n, *_) in enumerate(numbers) if i % 4 == 2}
        p.limits |= {f"council{i}@target.example": SLOW for i in range(2)} | {f"ministry{i}@target.example": TRICKLE for i in range(4)}
        p.shares |= {("tram", m): SHARE for i, (m, *_) in enumerate(mail) if i % 8 == 5 and i >= len(mail) // 4}
        opening = [m for i, (m, *_) in enumerate(mail) if i % 8 == 3] + [n for i, (n, *_) in enumerate(numbers) if i % 4 == 1]
        p.hours |= {address: self._hours(ZONES[i % 2]) for i, address in enumerate(opening)}
        p.deadlines[LATE] = (self.now + timedelta(seconds=self.form.deadline)).replace(microsecond=0).timestamp()
        p.inboxes |= {c.slug: line.split('"')[1] for c in self.campaigns for line in c.head if line.startswith("inbox")}

    def _hours(self, zone: str) -> Hours:
        """Open and closed in turns from now on, then open for the rest of the day and of the night."""
        begin = self.now.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
        shift = timedelta(minutes=self.form.shift)
        spans = [f"{begin + 2 * i * shift:%H:%M}-{begin + (2 * i + 1) * shift:%H:%M}" for i in range(SHIFTS)]
        return Hours(", ".join([*spans, f"{begin + 2 * SHIFTS * shift:%H:%M}-24:00", f"00:00-{begin:%H:%M}"]), zone)

    def write(self, folder: Path) -> Iterable[tuple[str, Path]]:
        """The files, by campaign."""
        for c in self.campaigns:
            file = folder / f"{c.slug}.toml"
            file.write_text("\n".join(self._lines(c)) + "\n")
            yield c.slug, file

    def _lines(self, c: Campaign) -> list[str]:
        lines = [f'slug = "{c.slug}"', f'title = "Keep the {c.slug}"', 'summary = "s"', 'story = "s"', 'country = "CA"', *c.head,
                 "[letter]", 'subject = "Keep it"', f'body = """{BODY}"""', "editable = true"]
        for place in c.places:
            name = re.sub("[^0-9a-z]", "", place[0].partition("@")[0])
            hours = self.promises.hours.get(place[0], Hours("always", "UTC"))
            lines += ["[[target]]", f'id = "{c.slug}-{name}"', f'name = "Office {c.slug} {name}"',
                      f'timezone = "{hours.zone}"', f'hours = "{hours.spans}"', 'source_url = "https://target.example/contact"',
                      f"{c.channel} = [{', '.join(f'{a!r}' for a in place)}]"]
            if limit := self.promises.limits.get(place[0]):
                lines.append(f'limits = {{ {c.channel} = "{limit}" }}')
            if share := self.promises.shares.get((c.slug, place[0])):
                lines.append(f'share = {{ {c.channel} = "{share}" }}')
        return lines
