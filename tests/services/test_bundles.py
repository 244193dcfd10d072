"""What would miss the deadline goes in one hand-over: who is in it, who leads it, and how it is taken apart."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
import pytest
from typer.testing import CliRunner

from outreach import cli, tokens
from outreach.db import reading, unit_of_work
from outreach.domain.letters import Reason, State
from outreach.errors import Conflict, NotFound
from outreach.models import AuditEntry, Letter, Submission, table
from outreach.queries import delivery
from outreach.services import bundle_papers, bundles, bundling, forecast, moves, status
from outreach.services.bundling import Plan
from outreach.settings import get_settings
from outreach.web.status_words import told
from tests.services.helpers import COMMISSIONER, Desk

OFFICE = replace(COMMISSIONER, limits={"email": "4/hour", "fax": "4/hour"})
LETTERS = table(Letter)


@pytest.fixture
def late(desk: Desk) -> Desk:
    """A campaign whose office takes four an hour, with an hour to go and seven people who have written."""
    desk.set(confirm="none")
    desk.campaign(targets=(OFFICE,), deadline=desk.now + timedelta(minutes=59))
    write(desk, 7)
    return desk


def write(desk: Desk, people: int, **changes: Any) -> None:
    for _ in range(people):
        desk.write(**{"name": f"Writer {desk.people + 1}", **changes})
        desk.later(milliseconds=1)


def plan(desk: Desk) -> Plan:
    found, = bundling.plans("night-bus", now=desk.now)
    return found


def ids(of: Plan) -> list[str]:
    with reading() as c:
        return [w.id for w in bundling.letters_of(c, of)]


def send(desk: Desk) -> Plan:
    made, = bundling.send("night-bus", now=desk.now)
    return made


def in_line(desk: Desk) -> list[Any]:
    return sorted(desk.letters(), key=lambda x: (x.submitted_at, x.id))


def roles(desk: Desk) -> str:
    """The lane in order of submission: c carries, m goes with it, - goes alone."""
    first = {x.carried_by for x in desk.letters()} - {None}
    rows = sorted(desk.letters(), key=lambda x: x.created_at)
    assert all(x.carries == (x.id in first) for x in rows)
    return "".join("c" if x.carries else "m" if x.carried_by else "-" for x in rows)


def text_of(pdf: bytes) -> str:
    document = pdfium.PdfDocument(io.BytesIO(pdf))
    try:
        return "\n".join(p.get_textpage().get_text_range() for p in document)
    finally:
        document.close()


def mailed(x: Any) -> str:
    return tokens.mail_token(x.submission_id)


def test_the_plan_holds_what_is_late_and_who_gives_it_a_place(late: Desk) -> None:
    found = plan(late)
    assert (found.lane.misses, found.letters) == (3, 4)
    waiting = [x.id for x in in_line(late)]
    assert ids(found) == [waiting[0], *waiting[4:]]


def test_once_bound_nothing_misses_the_deadline(late: Desk) -> None:
    assert send(late).letters == 4
    assert roles(late) == "c---mmm"
    lane, = forecast.of_campaign("night-bus", now=late.now)
    assert (lane.waiting, lane.misses) == (4, 0)
    assert late.states() == ["queued"] * 7
    assert late.counts_agree()
    assert [a.detail for a in late.rows(AuditEntry) if a.what == "bundle made"] == ["4 letters to commissioner by email"]


def test_who_comes_later_joins_the_bundle_that_waits(late: Desk) -> None:
    send(late)
    write(late, 2)
    assert plan(late).joins
    assert send(late).letters == 2
    assert roles(late) == "c---mmmmm"
    assert forecast.of_campaign("night-bus", now=late.now)[0].misses == 0
    assert bundling.plans("night-bus", now=late.now) == []


def test_undo_gives_each_letter_its_own_place_again(late: Desk) -> None:
    def facts() -> list[dict[str, Any]]:
        return [dict(x._mapping) for x in late.letters()]

    before = facts()
    send(late)
    assert bundling.undo("night-bus", now=late.now) == 4
    assert facts() == before
    with pytest.raises(Conflict, match="no bundle waits"):
        bundling.undo("night-bus", now=late.now)


def test_whose_consent_does_not_speak_of_bundles_is_left_out(late: Desk) -> None:
    last = in_line(late)[-1]
    late.change(Submission, table(Submission).c.id == last.submission_id, consent_version="2026-11")
    found = plan(late)
    assert found.unasked == 1
    assert found.letters == len(ids(found)) == 3 and last.id not in ids(found)


def test_a_bundle_that_could_not_go_in_time_either_is_not_made(late: Desk) -> None:
    late.campaign(targets=(replace(OFFICE, hours="Sun 08:00-09:00"),), deadline=late.now + timedelta(minutes=59))
    assert "the office is not open" in plan(late).why_not
    with pytest.raises(Conflict, match="not one hand-over"):
        bundling.send("night-bus", now=late.now)
    with pytest.raises(Conflict, match="not one hand-over"):
        bundling.preview(plan(late), now=late.now)


def test_nothing_late_is_nothing_to_bundle(late: Desk) -> None:
    late.campaign(targets=(OFFICE,), deadline=late.now + timedelta(days=3))
    assert bundling.plans("night-bus", now=late.now) == []
    with pytest.raises(Conflict, match="no letter would miss"):
        bundling.send("night-bus", now=late.now)
    with pytest.raises(NotFound):
        bundling.plans("night-bus", target="nobody", now=late.now)


def test_a_member_who_withdraws_is_out_of_it(late: Desk) -> None:
    send(late)
    member = in_line(late)[-1]
    status.withdraw(mailed(member), now=late.now)
    with reading() as c:
        letter = delivery.letter(c, next(x.id for x in late.letters() if x.carries))
    assert letter is not None
    doc = bundle_papers.document(letter, late.now, get_settings())
    assert doc is not None
    assert sorted(w.name for words in doc.words for w in words.writers) == ["Writer 1", "Writer 5", "Writer 6"]


@pytest.mark.parametrize("act", [status.withdraw, status.erase])
def test_when_the_carrier_s_writer_withdraws_the_next_takes_its_place(late: Desk, act: Any) -> None:
    send(late)
    carrier = in_line(late)[0]
    act(mailed(carrier), now=late.now)
    now_first = in_line(late)[1]
    assert carrier.carries
    assert now_first.carries
    assert now_first.submitted_at == carrier.submitted_at
    assert sorted(x.carried_by for x in late.letters() if x.carried_by) == [now_first.id] * 2
    assert late.states() == ["cancelled"] + ["queued"] * 6
    late.sweep()
    assert roles(late) == "----cmm"


def test_the_last_one_left_goes_alone(late: Desk) -> None:
    send(late)
    for _ in range(3):
        status.withdraw(mailed(next(x for x in late.letters() if x.carries)), now=late.now)
    assert roles(late) == "-------"
    assert sorted(late.states()) == ["cancelled"] * 3 + ["queued"] * 4


def test_a_carrier_that_ends_alone_is_replaced(late: Desk) -> None:
    send(late)
    carrier = next(x for x in late.letters() if x.carries)
    with unit_of_work() as c:
        moves.apply(c, [moves.Move(carrier.id, carrier.campaign_id, carrier.target_id, carrier.channel, State.QUEUED, State.FAILED,
                                   Reason.CANNOT_RENDER)], late.now)
    assert bundles.mend(late.now) == 1
    assert bundles.mend(late.now) == 0
    assert roles(late) == "----cmm"


def test_its_pages_hold_names_once_and_own_words_in_full(late: Desk) -> None:
    late.write(name="Zoë Łukasz", subject="A nurse's word", body="Dear Commissioner,\n\nI walk home in January.")
    late.later(milliseconds=1)
    late.write(name="ليلى حداد", city="Montréal")
    text = text_of(bundling.preview(plan(late), now=late.now))
    assert "6 letters: Keep the night bus" in text
    assert text.count("please keep the bus.") == 1
    assert "the people named below" in text
    assert "I walk home in January." in text
    assert all(f"Writer {n}" in text for n in (1, 5, 6, 7))
    assert all(f"Writer {n}" not in text for n in (2, 3, 4))


def test_each_writer_reads_how_many_they_go_with(late: Desk) -> None:
    send(late)
    for x, bundle in zip(in_line(late), (4, 0, 0, 0, 4, 4, 4), strict=True):
        view = status.view(mailed(x), now=late.now)
        card, = view.letters
        assert card.bundle == bundle
        assert ("in a bundle of 4 letters" in told(card, view, late.now).then) is bool(bundle)
    member, carrier = in_line(late)[-1], in_line(late)[0]
    assert status.view(mailed(member), now=late.now).letters[0].place == status.view(mailed(carrier), now=late.now).letters[0].place == 1


def test_the_command_says_it_previews_it_and_does_it(late: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "utcnow", late.clock)
    monkeypatch.setattr("outreach.commands.campaign.utcnow", late.clock)

    def run(*arguments: str) -> str:
        return CliRunner().invoke(cli.app, ["campaign", "bundle", "night-bus", *arguments]).output

    assert "3 letters will miss Monday 10:59 at 4 an hour; 7 an hour would do" in run()
    assert "4 letters would be one hand-over, 1 page in all" in run("--preview", str(tmp_path / "b.pdf"))
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")
    assert roles(late) == "-------"
    assert "4 letters are one hand-over now" in run("--send", "--target", "commissioner")
    assert "no letter would miss" in run()
    assert "4 letters go one by one again" in run("--undo")


def test_what_would_go_together_is_told_without_reading_or_setting_it(late: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundling, "utcnow", late.clock)
    monkeypatch.setattr("outreach.commands.campaign.utcnow", late.clock)
    monkeypatch.setattr("outreach.commands.campaign.SET_ANYWAY", 0)
    read: list[int] = []
    by_ids = delivery.by_ids
    monkeypatch.setattr(delivery, "by_ids", lambda c, ids: read.append(len(ids)) or by_ids(c, ids))
    said = CliRunner().invoke(cli.app, ["campaign", "bundle", "night-bus"]).output
    assert "4 letters would be one hand-over\n" in said and "With --target or --preview" in said
    assert not read
    assert len(ids(plan(late))) == 4 and read == [4]


def test_one_old_consent_makes_each_lane_be_looked_at_and_the_counts_stay_right(late: Desk) -> None:
    waiting = in_line(late)
    for who, letters in ((waiting[0], 4), (waiting[-1], 3)):  # the first may not carry, the second does; then one of the late is left out
        late.change(Submission, table(Submission).c.id == who.submission_id, consent_version="2026-11")
        found = plan(late)
        assert found.letters == letters == len(ids(found)) and found.first == waiting[1].id
    assert found.unasked == 1
