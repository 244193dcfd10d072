"""Letters that a moderator reads first: which ones, what a decision does, and how it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from outreach import tokens
from outreach.db import reading
from outreach.domain.moderation import Why
from outreach.errors import Conflict, NotAllowed, NotFound
from outreach.models import AuditEntry, Lane, Review, table
from outreach.queries import promises
from outreach.services import confirm, held, moderation, privacy
from outreach.services.changes import Waiting
from outreach.services.status import view
from outreach.web.status_words import headline, told
from tests.services.helpers import Desk, text_of
from tests.services.test_changes import NEW_TEXT, change

OWN = ("Dear [salutation],\n\nmy grandmother takes this bus every evening after her shift at the hospital: in winter she cannot walk. "
       "She has done that for twenty years, as have the others who clean and cook and care for this city while it sleeps; none of them "
       "can pay for a taxi, and none of them was asked before this was decided.\n\n[your name]")
MARIA, OMAR = "maria@night-bus.example", "omar@night-bus.example"


@pytest.fixture
def moderated(desk: Desk) -> Desk:
    """A campaign whose edited letters are read first."""
    desk.campaign(moderation="edited", banned_words=("idiot",))
    return desk


def own(desk: Desk, body: str = OWN, **changes: Any) -> str:
    """Somebody writes in their own words and confirms; the submission's id."""
    return str(desk.submission(desk.signed(body=body, **changes)).id)


def refused(act: Callable[[], Any]) -> str:
    with pytest.raises(Conflict) as caught:
        act()
    return str(caught.value)


def held_id(desk: Desk) -> str:
    found = held.first(1)
    assert found is not None
    return found


def test_edited_letters_wait_in_their_place_and_all_others_go(moderated: Desk) -> None:
    first = own(moderated, "An idiot wrote this: see www.evil.example")
    moderated.later(minutes=1)
    second = moderated.signed()
    assert moderated.states() == ["held", "queued"]
    assert moderated.rows(Review)[0].reasons == ["changed", "banned", "contact"]
    [letter] = [x for x in moderated.letters() if x.submission_id == first]
    assert letter.counts, "it holds its person's place"
    assert moderated.send() == 1
    assert [x.state for x in moderated.letters(second)] == ["sent"]

    moderated.later(hours=2)
    moderated.change(Lane, next_wake_at=None)
    assert moderation.approve("night-bus", first, now=moderated.now, who=MARIA) == 1
    assert moderated.lane("commissioner@transit.example").next_wake_at == moderated.now
    [letter] = [x for x in moderated.letters() if x.submission_id == first]
    assert (letter.state, letter.reason) == ("queued", "approved")
    assert letter.submitted_at == moderated.now - timedelta(hours=2, minutes=1), "it has kept its place in line"
    assert moderated.send() == 1
    assert moderated.counts_agree()
    with reading() as c:
        assert not promises.off_the_table(c, 9)
    assert [(a.who, a.what) for a in moderated.rows(AuditEntry) if a.who == MARIA] == [(MARIA, "letters approved")]


def test_nothing_waits_where_nobody_reads_unless_the_operator_asks_for_it(desk: Desk) -> None:
    desk.campaign(banned_words=("bus",))
    own(desk)
    assert desk.states() == ["queued"]
    assert [(r.state, r.reasons) for r in desk.rows(Review)] == [("free", [])]
    desk.set(moderate="edited")
    own(desk, "Keep our bus.")
    desk.signed()
    assert desk.states() == ["held", "queued", "queued"]
    desk.set(moderate="none")
    desk.campaign(moderation="all")
    desk.signed()
    assert desk.states() == ["held", "held", "queued", "queued"]
    assert held.queue(1, desk.now).reasons == {Why.EVERY: 1, Why.CHANGED: 1, Why.BANNED: 1}


def test_without_confirmation_letters_are_held_at_once_and_a_repeat_looks_like_a_first_one(desk: Desk) -> None:
    desk.set(confirm="none")
    desk.campaign(moderation="edited")
    first = desk.write(body=OWN, email="jane@people.example")
    assert desk.states() == ["held"]
    moderation.approve("night-bus", desk.submission(first).id, now=desk.now, who=MARIA)
    desk.later(minutes=1)
    repeat = desk.write(body=OWN, email="jane@people.example")
    fresh = desk.write(body=OWN, email="joe@people.example")
    for hours in (0, 3):
        desk.later(hours=hours)
        pages = [view(token, now=desk.now).letters[0] for token in (repeat, fresh)]
        assert [(x.state, x.place, x.reason) for x in pages] == [("held", None, None)] * 2
    assert len(desk.rows(Review, table(Review).c.state == "waiting")) == 1, "nobody is asked to read a repeat"


def test_a_rejected_writer_is_told_why_and_may_write_again(moderated: Desk) -> None:
    token = moderated.write(body=OWN, email="jane@people.example")
    moderated.confirm(token)
    moderated.notify()
    with pytest.raises(NotAllowed):
        moderation.reject("night-bus", held_id(moderated), " \n", now=moderated.now, who=MARIA)
    moderation.reject("night-bus", held_id(moderated), moderation.NOTES[0], now=moderated.now, who=MARIA)
    assert [(x.state, x.reason, x.counts) for x in moderated.letters()] == [("cancelled", "rejected", False)]
    page = view(token, now=moderated.now)
    card = told(page.letters[0], page, moderated.now)
    assert card.headline == "It is not sent."
    assert moderation.NOTES[0] in card.then
    assert moderated.notify() == [], "it can still be undone"
    moderated.later(minutes=11)
    [mail] = moderated.notify()
    assert moderation.NOTES[0] in text_of(mail)
    assert "grandmother" not in text_of(mail)
    again = moderated.signed(email="jane@people.example")
    assert [x.state for x in moderated.letters(again)] == ["queued"]
    assert moderated.counts_agree()


def test_the_status_page_of_a_held_letter_does_not_say_that_it_is_on_its_way(moderated: Desk) -> None:
    page = view(moderated.signed(body=OWN), now=moderated.now)
    assert headline(page, "en") == "Your letter waits to be read"
    assert headline(page, "fr") == "Votre lettre attend d’être lue"
    assert told(page.letters[0], page, moderated.now).headline == "Waits for a moderator."


def test_a_decision_is_taken_back_while_nothing_has_been_sent(moderated: Desk) -> None:
    first = own(moderated)
    moderation.approve("night-bus", first, now=moderated.now, who=MARIA)
    assert [(d.state, d.count, d.name) for d in held.queue(1, moderated.now).decisions] == [("approved", 1, "Jane Doe")]
    assert moderation.undo("night-bus", first, now=moderated.now, who=MARIA) == 1
    assert moderated.states() == ["held"]
    assert held.queue(1, moderated.now).decisions == ()
    moderation.reject("night-bus", first, "No.", now=moderated.now, who=MARIA)
    assert moderation.undo("night-bus", first, now=moderated.now, who=MARIA) == 1
    assert moderated.states() == ["held"]
    moderated.notify()
    moderated.later(minutes=5)
    moderation.reject("night-bus", first, "Not this.", now=moderated.now, who=MARIA)
    moderated.later(minutes=6)
    assert moderated.notify() == [], "of what was taken back nobody is told"
    moderated.later(minutes=5)
    [mail] = moderated.notify()
    assert "Not this." in text_of(mail)

    second = own(moderated)
    moderation.approve("night-bus", second, now=moderated.now, who=MARIA)
    moderated.sink.faults["dot"] = "451 4.3.0 later"
    assert moderated.send() == 1
    assert moderated.states() == ["cancelled", "queued"]
    assert "on its way" in refused(lambda: moderation.undo("night-bus", second, now=moderated.now, who=MARIA))
    moderated.later(minutes=11)
    assert "ten minutes" in refused(lambda: moderation.undo("night-bus", second, now=moderated.now, who=MARIA))
    assert moderated.counts_agree()


def test_a_rejection_cannot_be_taken_back_once_its_writer_has_written_again(moderated: Desk) -> None:
    first = own(moderated, email="jane@people.example")
    moderation.reject("night-bus", first, "No.", now=moderated.now, who=MARIA)
    moderated.signed(email="jane@people.example")
    assert "another letter" in refused(lambda: moderation.undo("night-bus", first, now=moderated.now, who=MARIA))
    assert moderated.states() == ["cancelled", "queued"]
    assert [r.state for r in moderated.rows(Review)] == ["rejected"]


def test_of_two_moderators_at_once_one_decides_and_the_other_is_told(moderated: Desk) -> None:
    first = own(moderated, targets=("commissioner", "council"))

    def decide(who: str) -> str:
        try:
            if who == MARIA:
                moderation.approve("night-bus", first, now=moderated.now, who=who)
            else:
                moderation.reject("night-bus", first, "No.", now=moderated.now, who=who)
        except Conflict as e:
            return str(e)
        return ""

    with ThreadPoolExecutor(2) as both:
        said = dict(zip((MARIA, OMAR), both.map(decide, (MARIA, OMAR)), strict=True))
    [winner] = [who for who, words in said.items() if not words]
    [loser] = [words for words in said.values() if words]
    assert moderated.rows(Review)[0].decided_by == winner
    assert moderated.states() == (["queued", "queued"] if winner == MARIA else ["cancelled", "cancelled"])
    assert f"was quicker: {winner}" in loser
    assert moderated.counts_agree()


def test_what_is_alike_is_approved_together_and_taken_back_together(moderated: Desk) -> None:
    same = [own(moderated, f"{OWN}\nPlease.", email=f"p{n}@people.example") for n in range(3)]
    other = own(moderated, "Do keep it.")
    banned = own(moderated, "Do keep it, idiot.")
    later = moderated.later(minutes=1)
    own(moderated, f"{OWN}\nPlease.")
    before = later - timedelta(seconds=1)
    assert held.queue(1, moderated.now).alone == {Why.CHANGED: 2}, "the later ones of the same text are alike"
    assert held.read(1, same[0]).same_text == 4
    assert held.together(1, only="", like=same[0], until=before, shown=2)[0] == 3
    assert moderation.approve_alike("night-bus", like=same[0], until=before, now=moderated.now, who=MARIA) == 3
    assert moderation.approve_alike("night-bus", only="changed", until=before, now=moderated.now + timedelta(seconds=1), who=OMAR) == 1
    states = {r.submission_id: r.state for r in moderated.rows(Review)}
    assert [states[i] for i in (*same, other, banned)] == ["approved"] * 4 + ["waiting"]
    assert sorted(states.values()) == ["approved"] * 4 + ["waiting"] * 2, "what came after the moderator looked waits"
    moderation.undo_together("night-bus", moderated.now, now=moderated.now, who=MARIA)
    assert sorted(r.state for r in moderated.rows(Review)) == ["approved"] + ["waiting"] * 5
    assert moderated.counts_agree()


def test_almost_the_same_words_of_other_people_and_bursts_of_one_network_are_named(moderated: Desk) -> None:
    mine = {"email": "jane@people.example", "targets": ("council",)}
    own(moderated, **mine)
    own(moderated, **{**mine, "targets": ("commissioner",)})
    assert {tuple(r.reasons) for r in moderated.rows(Review)} == {("changed",)}, "to resemble oneself is no trick"
    assert moderated.rows(Review, table(Review).c.submission_id == own(moderated, OWN.replace("evening", "night")))[0].reasons == [
        "changed", "alike"]
    moderated.set(max_per_network="50")
    for _ in range(9):
        moderated.write(network="203.0.113.9")
    crowd = own(moderated, "Yes.", network="203.0.113.9")
    assert moderated.rows(Review, table(Review).c.submission_id == crowd)[0].reasons == ["changed", "burst"]


def test_what_its_writer_takes_back_or_erases_waits_no_more(moderated: Desk) -> None:
    first, second = own(moderated), own(moderated, f"{OWN} Yes.")
    privacy.withdraw(tokens.mail_token(first), now=moderated.now)
    assert held.queue(1, moderated.now).total == 1
    assert held.first(1) == second
    assert "taken it back" in refused(lambda: moderation.approve("night-bus", first, now=moderated.now, who=MARIA))
    privacy.erase(tokens.mail_token(second), now=moderated.now)
    moderated.sweep()
    assert {(r.state, r.mark is None) for r in moderated.rows(Review)} == {("free", False), ("free", True)}
    assert held.read(1, second).body == ()


def test_a_letter_is_shown_against_the_campaigns_text_and_without_what_no_moderator_needs(moderated: Desk) -> None:
    first = own(moderated, "Dear [salutation],\n\nplease keep our bus, idiot. Write to me@people.example.\n\n[your name]\n[your street]",
                street="7 Hidden Lane", phone="+1 416 555 0177", email="jane@people.example")
    found = held.read(1, first)
    shown = "".join(s.text for s in found.body)
    assert ("out", "the") in [(s.kind, s.text) for s in found.body]
    assert "Jane Doe" in shown
    assert "Hidden" not in repr(found)
    assert "0177" not in repr(found)
    assert "jane@" not in repr(found)
    assert (found.domain, found.banned, found.contacts) == ("people.example", ("idiot",), ("me@people.example",))


def test_letters_of_another_campaign_are_not_there(moderated: Desk) -> None:
    first = own(moderated)
    other = moderated.campaign("day-bus")
    for act in (lambda: moderation.approve("day-bus", first, now=moderated.now, who=MARIA),
                lambda: moderation.reject("day-bus", first, "No.", now=moderated.now, who=MARIA),
                lambda: moderation.undo("day-bus", first, now=moderated.now, who=MARIA),
                lambda: held.read(other.id, first),
                lambda: moderation.approve_alike("day-bus", like=first, until=moderated.now, now=moderated.now, who=MARIA)):
        with pytest.raises(NotFound):
            act()
    assert moderated.states() == ["held"]


def test_what_a_passed_deadline_ended_unread_is_read_first_when_the_deadline_is_moved(moderated: Desk) -> None:
    first, second = own(moderated), own(moderated, "Keep it.")
    moderation.approve("night-bus", second, now=moderated.now, who=MARIA)
    moderated.later(days=31)
    moderated.sweep()
    assert moderated.states() == ["expired", "expired"]
    assert held.queue(1, moderated.now).total == 0
    moderated.campaign(moderation="edited", deadline=moderated.now + timedelta(days=1))
    assert {x.submission_id: x.state for x in moderated.letters()} == {first: "held", second: "queued"}
    assert moderation.approve("night-bus", first, now=moderated.now, who=MARIA) == 1
    assert moderated.counts_agree()


def test_writers_who_are_asked_again_find_what_was_approved_approved(moderated: Desk) -> None:
    read, unread = own(moderated), own(moderated, "Keep it.")
    moderation.approve("night-bus", read, now=moderated.now, who=MARIA)
    change(moderated, Waiting.ASK, letter=NEW_TEXT, moderation="edited")
    moderated.sweep()
    assert moderated.states() == ["unconfirmed", "unconfirmed"]
    assert held.queue(1, moderated.now).total == 0
    assert "on its way" in refused(lambda: moderation.undo("night-bus", read, now=moderated.now, who=MARIA))
    for submission in (read, unread):
        confirm.by_link(tokens.mail_token(submission), now=moderated.now)
    assert {x.submission_id: x.state for x in moderated.letters()} == {read: "queued", unread: "held"}
    assert held.first(1) == unread
    assert moderated.counts_agree()
