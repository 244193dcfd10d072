"""The live desk: figures that agree while letters move, one look for many, and what is said to be stuck."""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from outreach import cli
from outreach.db import new_id, reading, unit_of_work
from outreach.domain import series
from outreach.domain.letters import Reason, State, Verdict
from outreach.models import Address, CounterDelta, CounterHour, Lane, Letter, Submission, table
from outreach.queries import desk as queries
from outreach.queries import figures
from outreach.queue import QueueName
from outreach.services import audit, health, moves, pauses, stats
from outreach.services import desk as live
from outreach.services.desk import Look
from outreach.settings import get_settings
from tests.services.helpers import Desk


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    live.forget()
    yield
    live.forget()


def look(desk: Desk, slug: str = "night-bus", **how: Any) -> Look:
    from outreach.services import campaigns

    return live.take(campaigns.get(slug).id, desk.now, **how)


def kinds(desk: Desk) -> dict[str, Any]:
    return {t.kind: t for t in look(desk).troubles}


def recounted(rows: dict[figures.Key, int]) -> tuple[dict[str, int], dict[tuple[int, str], dict[str, int]]]:
    """By state, and by target and channel and state, from a recount of the letters."""
    total: Tally[str] = Tally()
    by: dict[tuple[int, str], dict[str, int]] = {}
    for (target, channel, name), n in rows.items():
        total[name.removeprefix("letter:")] += n
        by.setdefault((target, channel), {})[name.removeprefix("letter:")] = n
    return dict(total), by


def test_every_figure_is_that_of_a_recount_while_letters_are_written_moved_and_folded(desk: Desk) -> None:
    from outreach.services import campaigns

    desk.set(confirm="none", proof_of_work="off")
    campaign = desk.campaign()
    targets = {t.id: t.key for t in campaigns.targets_of(campaign.id)}
    done = threading.Event()

    def write(who: int) -> None:
        for i in range(12):
            desk.write(channel="email" if i % 3 else "fax", email=f"writer{who}-{i}@people.example")

    def move() -> None:
        while not done.is_set():
            for x in desk.rows(Letter, table(Letter).c.state == "queued")[:3]:
                with unit_of_work() as c:
                    moves.apply(c, [moves.Move(x.id, x.campaign_id, x.target_id, x.channel, State.QUEUED, State.CANCELLED,
                                               Reason.ORGANIZER)], desk.now)
            stats.fold(now=desk.now)

    with ThreadPoolExecutor(3) as pool:
        mover = pool.submit(move)
        try:
            writers = [pool.submit(write, who) for who in range(2)]
            looks = 0
            while looks < 5 or not all(w.done() for w in writers):
                with reading() as c:
                    queries.one_moment(c)
                    seen = live.look_in(c, campaign, desk.now, get_settings())
                    total, by = recounted(figures.recount(c, campaign.id))
                looks += 1
                assert seen.letters == total
                assert {(t.key, t.channel): t.letters for t in seen.targets if t.letters} == {
                    (targets[target], channel): states for (target, channel), states in by.items()}
                assert seen.series.points[-1].total == sum(total.values()) == seen.total
                assert sum(x.forecast.waiting for x in seen.lanes) == total.get("queued", 0)
            for w in writers:
                w.result()
        finally:
            done.set()
        mover.result()
    said, seen = desk.stats(), look(desk)
    assert (seen.letters, seen.submissions, seen.refused) == (said["letters"], said["submissions"], said["refused"])
    assert seen.total == 24 and {(t.key, t.channel, tuple(t.letters.items())) for t in seen.targets if t.letters} == {
        (t["target"], t["channel"], tuple(sorted(t["letters"].items(), key=lambda x: list(State).index(State(x[0])))))
        for t in said["targets"]}


CYCLE = ((State.QUEUED, State.SENDING, Reason.HANDED_OVER), (State.SENDING, State.SENT, Reason.ACCEPTED),
         (State.SENT, State.DELIVERED, Reason.RECEIPT), (State.DELIVERED, State.FAILED, Reason.BOUNCED),
         (State.FAILED, State.QUEUED, Reason.ORGANIZER))
"""A letter's way round; the longest there is."""
AT_ONCE = 250


class Rush:
    """Letters that are made and moved by the hundred, and counts that are folded, until it is over."""

    def __init__(self, desk: Desk, campaign_id: int) -> None:
        self.desk, self.campaign_id = desk, campaign_id
        self.over = threading.Event()
        self.moved = self.folded = self.births = 0
        self.patterns = desk.letters()
        self.people = desk.rows(Submission)

    def make(self, n: int) -> list[Any]:
        """So many more people write, in one transaction; what is made is like the campaign's first letters."""
        submissions, letters = [], []
        for i in range(n):
            like = self.patterns[i % len(self.patterns)]
            person = next(p for p in self.people if p.id == like.submission_id)
            who = {"fingerprint": secrets.token_hex(16), "created_at": self.desk.now}
            submissions.append({**person._mapping, **who, "id": new_id(), "form_hash": secrets.token_hex(32)})
            letters.append({**like._mapping, **who, "id": new_id(), "submission_id": submissions[-1]["id"], "submitted_at": self.desk.now})
        with unit_of_work() as c:
            c.execute(insert(table(Submission)), submissions)
            c.execute(insert(table(Letter)), letters)
            moves.born(c, letters)
            moves.count(c, [(self.campaign_id, 0, "", "submissions", n)], self.desk.now)
        self.births += n
        return [moves.Move(x["id"], self.campaign_id, x["target_id"], x["channel"], *CYCLE[0]) for x in letters]

    def write(self) -> None:
        while not self.over.is_set():
            self.make(AT_ONCE)
            self.over.wait(0.5)

    def move(self, mine: list[Any]) -> None:
        """Its own letters, each time a part of them a step on, whatever others do."""
        step = [0] * len(mine)
        for turn in itertools.count():
            if self.over.is_set():
                return
            chosen = [i for i in range(len(mine)) if i % 3 != turn % 3]
            made = [replace(mine[i], before=CYCLE[step[i]][0], after=CYCLE[step[i]][1], why=CYCLE[step[i]][2]) for i in chosen]
            with unit_of_work() as c:
                assert len(moves.apply(c, made, self.desk.now)) == len(made)
            for i in chosen:
                step[i] = (step[i] + 1) % len(CYCLE)
            self.moved += len(made)

    def fold(self) -> None:
        while not self.over.is_set():
            self.folded += stats.fold(most=50, now=self.desk.now)
            self.over.wait(0.05)


def test_every_look_adds_up_while_letters_move_by_the_hundred_and_at_rest_all_figures_are_one(desk: Desk) -> None:
    """Each look is taken as the page takes it, and beside it the letters are counted one by one in a transaction of their own moment."""
    desk.set(confirm="none")
    campaign = desk.campaign()
    for form in ({"channel": "fax"}, {}, {"targets": ("council",)}):
        desk.write(**form)
    first = len(desk.letters())
    rush = Rush(desk, campaign.id)
    sets = [rush.make(AT_ONCE * 3 // 2) for _ in range(2)]
    found: set[tuple[int, ...]] = set()
    with ThreadPoolExecutor(4) as pool:
        began = time.monotonic()
        busy = [*(pool.submit(rush.move, mine) for mine in sets), pool.submit(rush.write), pool.submit(rush.fold)]
        looks = 0
        try:
            while looks < 6 or time.monotonic() - began < 3:
                assert not any(b.done() for b in busy), [b.exception() for b in busy if b.done()]
                seen = live.take(campaign.id, desk.now)
                assert seen.total == seen.submissions == sum(seen.letters.values())
                assert (seen.total - first) % AT_ONCE == 0 and seen.total <= first + rush.births + AT_ONCE
                assert sum(sum(t.letters.values()) for t in seen.targets) == seen.total == seen.series.points[-1].total
                said = desk.stats()
                assert sum(said["letters"].values()) == said["submissions"] >= seen.total
                with reading() as c:
                    queries.one_moment(c)
                    beside = live.look_in(c, campaign, desk.now, get_settings())
                    assert beside.letters == recounted(figures.recount(c, campaign.id))[0]
                    assert sum(x.forecast.waiting for x in beside.lanes) == beside.letters.get("queued", 0)
                found.add(tuple(beside.letters.values()))
                looks += 1
        finally:
            rush.over.set()
        for b in busy:
            b.result()
    assert rush.moved >= 1000 and rush.folded
    assert len(found) > looks / 2  # they were looked at in the midst of it
    seen, said = look(desk), json.loads(CliRunner().invoke(cli.app, ["stats", "night-bus", "--json"]).stdout)
    counted = Tally(x.state for x in desk.letters())
    assert seen.letters == said["letters"] == dict(counted) and seen.total == counted.total() == first + rush.births
    assert seen.submissions == said["submissions"] == len(desk.rows(Submission))
    assert {(t.key, t.channel): t.letters for t in seen.targets if t.letters} == {
        (t["target"], t["channel"]): t["letters"] for t in said["targets"]}
    assert desk.counts_agree() and stats.fold(now=desk.now) >= 0 and desk.counts_agree() and look(desk).letters == seen.letters


def test_hours_are_the_same_before_and_after_they_are_folded_and_add_up_to_the_counters(desk: Desk) -> None:
    campaign = desk.campaign()
    hour = series.hour_of(desk.now)
    rows = [(1, "email", "letter:queued", 5, hour - 30), (1, "email", "letter:queued", -2, hour - 1),
            (1, "email", "letter:sent", 2, hour - 1), (2, "fax", "letter:queued", 4, None),
            (0, "", "submissions", 9, None), (0, "", "refused:trap", 1, None)]
    with unit_of_work() as c:
        c.execute(insert(table(CounterDelta)), [dict(zip(("campaign_id", "target_id", "channel", "name", "delta", "hour"),
                                                         (campaign.id, *row), strict=True)) for row in rows])

    def changes() -> set[tuple[int, str, str, int]]:
        with reading() as c:
            return {x for x in queries.changes(c, campaign.id, hour - 40, this_hour=hour, hours_each=1, shift=0) if x[2] != "submissions"}

    fresh, drawn = changes(), look(desk, by="hours").series
    assert (hour, "fax", "letter:queued", 4) in fresh and (hour - 1, "email", "letter:queued", -2) in fresh
    assert stats.fold(now=desk.now) == len(rows)
    assert changes() == fresh and look(desk, by="hours").series == drawn
    assert [(p.total, p.written) for p in drawn.points[-31:][:2]] == [(5, 5), (5, 0)] and drawn.points[-1].total == 9
    kept = desk.rows(CounterHour)
    assert {x.name for x in kept} == {"letter:queued", "letter:sent", "submissions"}
    with reading() as c:
        for name in ("letter:queued", "letter:sent", "submissions"):
            assert sum(x.n for x in kept if x.name == name) == sum(
                n for key, n in figures.counts(c, campaign.id).items() if key[2] == name)
    assert [p.total for p in look(desk, by="days").series.points[-3:]] == [0, 5, 9]  # thirty hours ago was yesterday in Toronto


def test_many_who_look_at_once_share_one_look_and_a_lever_makes_it_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = desk.campaign()
    taken: list[Look] = []
    real = live.take
    monkeypatch.setattr("outreach.shared.FRESH", 3600.0)
    monkeypatch.setattr(live, "take", lambda *a, **k: taken.append(real(*a, **k)) or taken[-1])
    with ThreadPoolExecutor(25) as pool:
        seen = list(pool.map(lambda _: live.look(campaign, desk.now), range(50)))
    assert len(taken) == 1 and all(x is taken[0] for x in seen)
    with unit_of_work() as c:
        audit.note(c, "sending paused", at=desk.now, campaign_id=campaign.id)
    assert live.look(campaign, desk.now) is not taken[0] and len(taken) == 2


def test_what_is_stuck_is_named_with_its_number(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    assert look(desk).troubles == []
    for state, reason, n in (("unknown", "outcome_unknown", 1), ("held", None, 2)):
        for _ in range(n):
            letter = desk.letter(desk.write())
            desk.change(Letter, table(Letter).c.id == letter.id, state=state, reason=reason)
            with unit_of_work() as c:
                moves.count(c, [(letter.campaign_id, letter.target_id, "email", "letter:queued", -1),
                                (letter.campaign_id, letter.target_id, "email", f"letter:{state}", 1)])
    found = kinds(desk)
    assert {k: (t.n, t.grave) for k, t in found.items()} == {"unknown": (1, True), "held": (2, True)}
    pauses.pause_target("night-bus", "council", now=desk.now)
    assert kinds(desk)["target_paused"].name == "City Council"
    desk.change(Address, table(Address).c.channel == "fax", state="suspect", state_reason="voice_answered")
    suspect = kinds(desk)["address_suspect"]
    assert (suspect.name, suspect.detail, suspect.grave) == ("Transit Commissioner", "fax voice_answered", True)
    desk.change(Lane, next_wake_at=desk.now - timedelta(minutes=6))
    assert kinds(desk)["unattended"].n == 2  # the council's lane waits for its pause to end


def test_fax_lines_say_what_became_of_their_calls(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    for _ in range(3):
        desk.write(channel="fax")
    for word in ({"verdict": Verdict.DELIVERED, "pages": 2}, {"verdict": Verdict.BOUNCED, "reason": Reason.BUSY, "retryable": True}, {}):
        assert desk.send(QueueName.FAX) == 1
        if word:
            desk.later(minutes=4)
            desk.hear(desk.word(word.pop("verdict"), desk.attempts()[-1], **word))
        desk.change(Lane, backoff_until=None, next_wake_at=desk.now)
    seen = look(desk).fax
    assert seen is not None
    assert (seen.calls, seen.answered, seen.under_way, seen.why_not, seen.pages, seen.minutes) == (3, 1, 1, {"busy": 1}, 2, 4)
    desk.later(hours=25)
    assert look(desk).fax == health.FaxHealth(0, 0, 0, 0)


def test_mail_health_counts_what_came_back_and_what_was_called_spam(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ENOUGH", 4)
    desk.set(confirm="none")
    desk.campaign()
    for _ in range(4):
        desk.write()
    assert desk.send() == 4
    first, second = desk.attempts()[:2]
    desk.hear(desk.word(Verdict.BOUNCED, first, reason=Reason.NO_MAILBOX), desk.word(None, second, reason=Reason.SPAM))
    seen = look(desk).mail
    assert seen is not None and (seen.went, seen.back, seen.why, seen.complaints) == (4, 1, {"no_such_mailbox": 1}, 1)
    assert seen.bounced == 25 and health.passed(seen.bounced, health.BOUNCES) == health.BOUNCES[1]
    assert seen.complained is None  # a mail server of one's own does not tell of complaints: what we heard is not all
    assert "bounces" in kinds(desk) and "complaints" not in kinds(desk)


def test_lately_tells_of_letters_and_levers_and_names_no_supporter(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    for i in range(3):
        desk.write(name="Jane Secret", email=f"jane{i}@secret.example")
    desk.send()
    desk.later(minutes=2)
    pauses.pause_target("night-bus", "council", now=desk.now, who="ada@letters.example")
    events = look(desk).events
    assert (events[0].who, events[0].what) == ("ada@letters.example", "sending paused")
    assert any((e.after, e.n, e.target) == ("sent", 3, "Transit Commissioner") for e in events)
    assert "ecret" not in repr(events)
