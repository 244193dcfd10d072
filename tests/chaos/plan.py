"""What is done to the service, in which order: dealt from a seed, so that a run can be had again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos import fax_sink, mail_sink

KILLS: Mapping[str, int] = {
    "kill email fork": 12, "kill email parent": 2, "kill email both": 2, "kill fax fork": 5, "kill fax parent": 1, "kill fax both": 1,
    "kill notice fork": 3, "kill notice both": 1, "kill web both": 1, "kill ticker both": 1, "kill valkey": 1}
"""Shots, with their weights. A killed parent leaves its fork draining; a killed fork leaves its parent waiting for it."""
MAIL: Mapping[str, int] = {
    "defer_rcpt": 2, "defer_data": 1, "refuse_rcpt": 1, "refuse_data": 1, "refuse_copy": 1, "drop_early": 1, "hang_early": 1,
    "drop_before_dot": 2, "drop_after_kept": 2, "drop_after_lost": 1, "hang_after_kept": 1, "hang_after_lost": 1}
FAX: Mapping[str, int] = {
    "hang_after": 1, "error_after": 1, "drop_after": 1, "drop_body": 1, "twice": 2, "early": 2, "reorder": 1, "late": 1, "silent": 1,
    "busy": 1, "error_before": 1, "drop_before": 1, "limit": 1, "stranger": 1}
OUTAGES: Mapping[str, Mapping[str, int]] = {
    "sqlite": {"lock database": 1, "fill disk": 1}, "postgres": {"cut database": 2}}
CLOCK: tuple[tuple[float, str], ...] = ((0.25, "clock +20"), (0.5, "clock -15"), (0.75, "clock +45"))
"""Steps in seconds, and how far into the run they come."""
HALT = "halt campaign"
"""`campaign stop`, once, amid the run."""
assert set(MAIL) == {*mail_sink.ENVELOPE, *mail_sink.DATA} and set(FAX) == set(fax_sink.KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much is done. `letters` are put in over the whole run, a share for each step."""

    letters: int
    special: int
    """Of them: for the campaign that is stopped and for the one with a deadline, each, all at the beginning."""
    kills: int
    mail_faults: int
    fax_faults: int
    outages: int
    faxes: float
    """Share of the letters that go by fax."""
    fetched: float
    """Share of the faxes whose pages the provider comes for: drawing them is the dearest part."""
    by_form: float
    """Share of the submissions that come through the web page's form."""
    mail_places: int
    fax_places: int
    lines: int
    """Calls that the fax provider takes at once: fewer than there are numbers. A hand-over in doubt holds its line for minutes."""
    call: float
    """Seconds that a call takes at the most."""
    copies_per_hour: int
    """Of the inbox that gets digests for the rest."""
    deadline: float
    """Seconds from the beginning, by the arena's clock."""
    shift: int
    """Minutes for which an office with hours is open, and then closed, in turns."""
    stops: tuple[str, ...]
    """Workers stopped for longer than their lease, which takes its time: for e-mail twice as long as for fax."""
    calm: float
    """Seconds without any change after which the clock is set forward."""
    patience: float
    """Seconds after the last step in which whatever had no chance yet may still happen."""


FORMS: Mapping[str, Form] = {
    "ci": Form(letters=800, special=60, kills=12, mail_faults=12, fax_faults=14, outages=2, faxes=0.1, fetched=0.1, by_form=0.05,
               mail_places=24, fax_places=10, lines=4, call=2.0, copies_per_hour=20, deadline=75, shift=1, stops=("fax",), calm=1.5,
               patience=120),
    "full": Form(letters=20_000, special=300, kills=210, mail_faults=130, fax_faults=110, outages=12, faxes=0.06, fetched=0.25,
                 by_form=0.02, mail_places=120, fax_places=40, lines=10, call=2.0, copies_per_hour=60, deadline=180, shift=4,
                 stops=("email", "fax") * 4, calm=3.0, patience=600),
}


def deal(weights: Mapping[str, int], n: int, chance: random.Random) -> list[str]:
    """`n` names in a random order: each at least once where `n` allows it, the others by weight."""
    names = list(weights)
    chance.shuffle(names)
    dealt = names[:n] + chance.choices(list(weights), list(weights.values()), k=max(0, n - len(names)))
    chance.shuffle(dealt)
    return dealt


def plan(form: Form, database: str, seed: int) -> list[list[str]]:
    """The run's steps: each has one kill and whatever else falls into it. `arm mail KIND` and `arm fax KIND` are the sinks' faults."""
    chance = random.Random(f"{seed}/{database}")
    steps = [[shot] for shot in deal(KILLS, form.kills, chance)]

    def spread(names: list[str], *, first: float = 0.0, last: float = 1.0) -> None:
        for i, name in enumerate(names):
            place = int((first + (last - first) * (i + chance.random()) / len(names)) * len(steps))
            steps[min(place, len(steps) - 1)].insert(0, name)

    spread([f"arm mail {kind}" for kind in deal(MAIL, form.mail_faults, chance)], last=0.9)
    spread([f"arm fax {kind}" for kind in deal(FAX, form.fax_faults, chance)], last=0.8)
    spread(deal(OUTAGES[database], form.outages, chance), first=0.3, last=0.9)
    spread([f"stop {who}" for who in form.stops], first=0.1, last=0.15 if len(form.stops) == 1 else 0.8)
    spread([HALT], first=0.3, last=0.6)
    for when, step in CLOCK:
        steps[int(when * len(steps))].append(step)
    return steps


def still_to_come(steps: Sequence[Sequence[str]], did: Mapping[str, int]) -> Counter[str]:
    """What the plan deals and has not happened, by name: only what was really done counts, and only as what it was."""
    return Counter(what for step in steps for what in step) - Counter(did)
