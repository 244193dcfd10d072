"""Letters found at the desk, and one with all that is known of it."""

from __future__ import annotations

from typing import Any

import pytest

from outreach.domain.letters import Reason, Verdict
from outreach.errors import NotFound
from outreach.models import Attempt, Letter, table
from outreach.queue import QueueName
from outreach.services import campaigns, desk_letters
from outreach.services.desk_letters import Found, Wanted
from tests.services.helpers import Desk


def find(desk: Desk, after: str = "", **wanted: str) -> Found:
    return desk_letters.find(campaigns.get("night-bus"), Wanted(**wanted), after)


def ids(found: Found) -> set[str]:
    return {x.id for x in found.rows}


def test_letters_are_found_by_state_recipient_channel_reason_number_and_the_providers_name(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    fax = desk.letter(desk.write(channel="fax"))
    mail = desk.letter(desk.write())
    council = desk.letter(desk.write(targets=("council",)))
    desk.campaign("day-bus")
    other = desk.letter(desk.write("day-bus", channel="fax"))
    assert desk.send(QueueName.FAX) and desk.one(Attempt, table(Attempt).c.letter_id == fax.id)
    assert ids(find(desk)) == {fax.id, mail.id, council.id} and find(desk).fits == 3
    assert ids(find(desk, state="queued")) == {mail.id, council.id}
    assert ids(find(desk, target="council")) == {council.id} and ids(find(desk, channel="fax")) == {fax.id}
    assert ids(find(desk, channel="fax", target="council")) == set() and ids(find(desk, state="failed")) == set()
    assert ids(find(desk, reason=Reason.SUBMITTED.value)) <= {mail.id, council.id}
    assert ids(find(desk, q=mail.id.upper())) == {mail.id} and ids(find(desk, q=f" <{mail.id}@campaign.example> ")) == {mail.id}
    ref = desk.one(Attempt, table(Attempt).c.letter_id == fax.id).provider_ref
    assert ids(find(desk, q=ref)) == {fax.id}
    assert ids(find(desk, q=other.id)) == set() and ids(find(desk, q="FX99")) == set()


def test_pages_have_each_letter_once_and_a_long_search_ends_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_letters, "PAGE", 2)
    monkeypatch.setattr(desk_letters, "WINDOWS", (1, 3))
    desk.set(confirm="none")
    desk.campaign()
    made = []
    for i in range(7):
        made.append(desk.letter(desk.write(channel="fax" if i == 0 else "email")).id)
        desk.later(seconds=1)  # ids sort by time

    def walked(**wanted: str) -> tuple[list[str], list[bool]]:
        seen: list[str] = []
        unseen: list[bool] = []
        after = ""
        while True:
            found = find(desk, after, **wanted)
            seen += [x.id for x in found.rows]
            unseen.append(found.more_unseen)
            after = found.after
            if not after:
                return seen, unseen

    assert walked()[0] == sorted(made, reverse=True) and walked(state="queued")[0] == sorted(made, reverse=True)
    [oldest], unseen = walked(channel="fax")
    assert oldest == made[0] and unseen == [True, True, False]
    newest, _ = walked(channel="email")
    assert newest == sorted(made[1:], reverse=True)


def test_one_letter_is_told_with_its_events_tries_receipts_and_text_but_not_to_another_campaign(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign()
    letter = desk.letter(desk.write(channel="fax"))
    waiting = desk_letters.see(campaigns.get("night-bus"), letter.id, desk.now)
    assert waiting.wait is not None and waiting.wait.place == 1 and waiting.attempts == []
    desk.send(QueueName.FAX)
    desk.later(minutes=3)
    desk.hear(desk.word(Verdict.DELIVERED, pages=1))
    seen = desk_letters.see(campaigns.get("night-bus"), letter.id, desk.now)
    assert [e.after for e in seen.events] == ["queued", "sending", "sent", "delivered"]
    [(attempt, receipts)] = seen.attempts
    assert (attempt.verdict, [(r.verdict, r.pages) for r in receipts], seen.pages) == ("delivered", [("delivered", 1)], 1)
    assert seen.text is not None and "please keep the bus" in seen.text.body
    desk.campaign("day-bus")
    for call in (lambda: desk_letters.see(campaigns.get("day-bus"), letter.id, desk.now),
                 lambda: desk_letters.picture(campaigns.get("day-bus"), letter.id, 1)):
        with pytest.raises(NotFound):
            call()


def test_an_erased_letter_keeps_its_story_and_loses_its_text(desk: Desk) -> None:
    from outreach.services import privacy

    desk.campaign()
    token = desk.signed()
    privacy.erase(desk.mailed(token))
    letter: Any = desk.one(Letter)
    seen = desk_letters.see(campaigns.get("night-bus"), letter.id, desk.now)
    assert seen.text is None and seen.letter.erased_at is not None and seen.events[-1].after == "cancelled"
