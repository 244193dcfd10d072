"""Accounts: what lets somebody in works once, tells nothing to strangers, and stops at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
from sqlalchemy import event

from outreach.db import reading, unit_of_work
from outreach.domain.roles import Right, Role
from outreach.errors import Conflict, FormInvalid, NotAllowed, NotFound, OutreachError
from outreach.models import AuditEntry, Member, Notice, Organizer, Session, table
from outreach.services import (
    access,
    accounts,
    api_tokens,
    invitations,
    links,
    logins,
    members,
    organizers,
    passwords,
    second_factor,
    sessions,
    tries,
)
from outreach.services.access import Visitor
from tests.services.helpers import Desk, text_of

ANN, BEA = "ann@riders.example", "bea@riders.example"
GOOD, BETTER = "violet anchors swim northward", "seven lanterns under gravel"


def token_in(url: str) -> str:
    return url.rpartition("/")[2]


def visitor(desk: Desk, cookie: str) -> Visitor:
    found = access.visitor_of(cookie, now=desk.now)
    assert found is not None
    return found


def begun(desk: Desk, email: str = ANN, **how: Any) -> tuple[Visitor, str]:
    """Somebody who came by a link and has a password; and their session's cookie."""
    opened = links.sign_in(token_in(invitations.invite(email, now=desk.now, **how)), now=desk.now)
    opened = accounts.begin(visitor(desk, opened.cookie), opened.cookie, "Ann", GOOD, GOOD, now=desk.now)
    return visitor(desk, opened.cookie), opened.cookie


def code(key: str, desk: Desk, steps: int = 0) -> str:
    return pyotp.TOTP(key).at(desk.now + timedelta(seconds=30 * steps))


def enrolled(desk: Desk, email: str = ANN) -> tuple[str, list[str], str]:
    """The same with a second factor: its key, the recovery codes, the session's cookie. The app's next code is of a later step."""
    who, cookie = begun(desk, email)
    offer = accounts.offer(who, now=desk.now)
    opened, codes = accounts.take_offer(who, cookie, offer.sealed, code(offer.key, desk), now=desk.now)
    desk.later(minutes=1)
    return offer.key, codes, opened.cookie


def at_once(n: int, act: Any) -> list[Any]:
    """What `act` brought each of n threads: its answer, or its error's type."""
    def one(_: int) -> Any:
        try:
            return act()
        except OutreachError as e:
            return type(e)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


def test_a_link_works_once_for_two_days_and_a_newer_one_ends_it(desk: Desk) -> None:
    old, new = token_in(invitations.invite(ANN, now=desk.now)), token_in(invitations.invite(ANN, now=desk.now))
    with pytest.raises(NotFound):
        links.sign_in(old, now=desk.now)
    with pytest.raises(NotFound):
        links.sign_in(new, now=desk.now + links.LIFE)
    brought = at_once(4, lambda: links.sign_in(new, now=desk.now))
    assert sorted(map(str, (type(x) if isinstance(x, sessions.Opened) else x for x in brought))) == sorted(
        map(str, [sessions.Opened, NotFound, NotFound, NotFound]))
    with pytest.raises(NotFound):
        links.sign_in(new[:-1] + ("a" if new[-1] != "a" else "b"), now=desk.now)


def test_who_starts_a_service_runs_it_and_nobody_after_them(desk: Desk) -> None:
    for email in (ANN, BEA):
        invitations.invite(email, now=desk.now)
    assert [o.operator for o in organizers.list_all()] == [True, False]


def test_no_link_passes_by_the_second_factor(desk: Desk) -> None:
    key, _, _ = enrolled(desk)
    opened = links.sign_in(token_in(invitations.invite(ANN, now=desk.now)), now=desk.now)
    assert opened.stage == "password" and access.visitor_of(opened.cookie, now=desk.now) is None
    full, _ = logins.give_code(opened.cookie, code(key, desk), now=desk.now)
    assert visitor(desk, full.cookie).email == ANN and full.cookie != opened.cookie
    with pytest.raises(NotFound):
        logins.give_code(opened.cookie, code(key, desk, 1), now=desk.now)


def test_each_of_the_apps_codes_and_each_recovery_code_lets_one_in_once(desk: Desk) -> None:
    key, codes, _ = enrolled(desk)

    def half() -> str:
        return logins.log_in(ANN, GOOD, now=desk.now)[0].cookie

    for given in (code(key, desk), codes[0].upper().replace("-", " ")):
        waiting = [half(), half(), half()]
        brought = at_once(3, lambda given=given, waiting=waiting: logins.give_code(waiting.pop(), given, now=desk.now))
        assert sum(isinstance(x, tuple) for x in brought) == 1 and brought.count(logins.WrongLogin) == 2, brought
        desk.later(minutes=16)
    logins.give_code(half(), code(key, desk), now=desk.now)
    with pytest.raises(logins.WrongLogin):  # the step before, still within the clock's drift
        logins.give_code(half(), code(key, desk, -1), now=desk.now)
    with pytest.raises(logins.WrongLogin):  # the code that set it up
        logins.give_code(half(), code(key, desk, -34), now=desk.now)
    assert accounts.profile(desk.one(Organizer).id).codes_left == 9


def test_the_apps_key_is_kept_sealed_and_for_its_owner_only(desk: Desk) -> None:
    key, codes, _ = enrolled(desk)
    row = desk.one(Organizer)
    assert key.encode() not in row.totp_key and second_factor.opened(row.id, row.totp_key) == key
    assert second_factor.opened(row.id + 1, row.totp_key) is None
    with reading() as c:
        kept = str(c.exec_driver_sql("SELECT code_hash FROM recovery_codes").all())
    assert not any(x in kept or x.replace("-", "") in kept for x in codes)


def test_codes_are_tried_five_times_a_quarter_and_a_new_password_ends_the_wait(desk: Desk) -> None:
    key, _, _ = enrolled(desk)
    half = logins.log_in(ANN, GOOD, now=desk.now)[0].cookie
    wrong = "000000" if code(key, desk) != "000000" else "000001"
    brought = at_once(8, lambda: logins.give_code(half, wrong, now=desk.now))
    assert brought.count(logins.WrongLogin) == 5 and brought.count(tries.TooManyTries) == 3
    logins.ask_reset(ANN, now=desk.now)
    desk.notify()
    ref = desk.one(Notice).ref
    opened = logins.set_by_link(links.token_of(ref), BETTER, BETTER, now=desk.now)
    assert opened.stage == "password"
    assert logins.give_code(opened.cookie, code(key, desk), now=desk.now)[0].stage == "full"


def test_strangers_spend_an_accounts_tries_but_not_its_owners(desk: Desk) -> None:
    begun(desk)
    mark = tries.new_mark(ANN)
    minutes = [desk.now + timedelta(minutes=n % 2) for n in range(14)]  # of two slots, so that no row's lock holds them apart
    brought = at_once(14, lambda: _tried(minutes.pop()))
    assert brought.count(True) == tries.PASSWORD.tries and brought.count(tries.TooManyTries) == 4
    with pytest.raises(tries.TooManyTries):
        logins.log_in(ANN, GOOD, now=desk.now)
    assert logins.log_in(ANN, GOOD, now=desk.now, mark=mark)[0].stage == "full"
    with pytest.raises(tries.TooManyTries):
        logins.log_in(ANN, GOOD, now=desk.now, mark=tries.new_mark(BEA))
    desk.later(minutes=17)
    assert logins.log_in(ANN, GOOD, now=desk.now)[0].stage == "full"


def _tried(now: datetime) -> bool:
    with unit_of_work() as c:
        tries.spend(c, "password", tries.whose_tries(ANN, ""), tries.PASSWORD, now)
    return True


def test_one_network_is_stopped_whichever_accounts_it_tries(desk: Desk) -> None:
    begun(desk)
    with unit_of_work() as c:
        for _ in range(tries.NETWORK.tries):
            tries.spend_network(c, "password", "203.0.113.9", tries.NETWORK, desk.now)
    with pytest.raises(tries.TooManyTries):
        logins.log_in(ANN, GOOD, now=desk.now, network="203.0.113.77")
    assert logins.log_in(ANN, GOOD, now=desk.now, network="198.51.100.1")[0].stage == "full"


def test_an_unknown_address_gets_the_same_answer_for_the_same_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(desk)
    begun(desk, BEA)
    organizers.disable(BEA, now=desk.now)
    worked: list[str] = []
    real = passwords._HASHER

    class Counting:
        def verify(self, kept: str, password: str) -> bool:
            worked.append(kept.rpartition("$")[0].rpartition("$")[0])
            return real.verify(kept, password)

        def hash(self, password: str) -> str:
            return real.hash(password)

    passwords._decoy.cache_clear()
    monkeypatch.setattr(passwords, "_HASHER", Counting())
    said = set()
    nobody = "nobody@riders.example"
    for email, password in ((ANN, "wrong"), (nobody, GOOD), ("no address", GOOD), (BEA, GOOD), (nobody, "x" * 9999)):
        with pytest.raises(logins.WrongLogin) as e:
            logins.log_in(email, password, now=desk.now)
        said.add(str(e.value))
    assert len(said) == 1 and len(worked) == 5 and len(set(worked)) == 1, "one hash of the same cost each"
    assert desk.rows(Session, table(Session).c.organizer_id == desk.one(Organizer, table(Organizer).c.email == BEA).id) == []


def test_a_new_password_by_mail_ends_every_other_session(desk: Desk) -> None:
    _, cookie = begun(desk)
    for email in (ANN, "nobody@riders.example", "no address"):
        logins.ask_reset(email, now=desk.now)
    assert [text.count("/o/login/reset/") > 0 for text in map(text_of, desk.notify())] == [True]
    (asked,) = (n for n in desk.notices() if n.recipient == ANN)
    assert [(n.state, n.recipient) for n in desk.notices() if n.id != asked.id] == [("failed", "")], "who has no account is forgotten"
    token = links.token_of(asked.ref)
    with pytest.raises(FormInvalid) as e:
        logins.set_by_link(token, "short", "short", now=desk.now)
    assert "needs at least 12" in e.value.errors["password"]
    with pytest.raises(FormInvalid):
        logins.set_by_link(token, BETTER, GOOD, now=desk.now)
    with pytest.raises(NotFound):  # not a link of invitation
        links.sign_in(token, now=desk.now)
    opened = logins.set_by_link(token, BETTER, BETTER, now=desk.now)
    assert visitor(desk, opened.cookie) and access.visitor_of(cookie, now=desk.now) is None
    with pytest.raises(NotFound):
        logins.set_by_link(token, GOOD, GOOD, now=desk.now)
    with pytest.raises(logins.WrongLogin):
        logins.log_in(ANN, GOOD, now=desk.now)
    for _ in range(5):
        logins.ask_reset(ANN, now=desk.now)
    assert len([n for n in desk.notices() if n.recipient == ANN]) == tries.RESET.tries
    desk.notify()
    (newest,) = (links.token_of(n.ref) for n in desk.notices() if n.state == "sent" and n.id != asked.id)
    assert links.look(newest, now=desk.now).email == ANN
    with pytest.raises(NotFound):
        links.look(newest, now=desk.now + links.RESET_LIFE)


def test_asking_for_a_new_password_does_the_same_work_for_known_and_unknown(desk: Desk) -> None:
    begun(desk)

    def asked(email: str) -> list[str]:
        done: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            done.append(statement)

        event.listen(desk.database, "before_cursor_execute", note)
        try:
            logins.ask_reset(email, now=desk.now)
        finally:
            event.remove(desk.database, "before_cursor_execute", note)
        return done

    for email in (ANN, "nobody@riders.example"):
        asked(email)  # what is prepared once is prepared
    assert asked(ANN) == asked("nobody@riders.example") != []


def test_a_token_costs_the_password_and_ends_with_it(desk: Desk) -> None:
    night = desk.campaign().id
    begun(desk, "op@riders.example")
    who, cookie = begun(desk, ANN, campaign=(night, "owner"))

    def make(password: str) -> str:
        return accounts.make_token(who, password, "checker", scopes=frozenset({Right.SEE}), campaign_id=None, expires_at=None, now=desk.now)

    with pytest.raises(FormInvalid):
        make("not it")
    kept, ended = make(GOOD), make(GOOD)
    opened = accounts.change_password(who, cookie, GOOD, BETTER, BETTER, tokens=False, now=desk.now)
    assert api_tokens.holder_of(kept, now=desk.now) and api_tokens.holder_of(ended, now=desk.now)
    accounts.change_password(who, opened.cookie, BETTER, GOOD, GOOD, now=desk.now)
    assert api_tokens.holder_of(kept, now=desk.now) is None and api_tokens.holder_of(ended, now=desk.now) is None
    last = make(GOOD)
    logins.ask_reset(ANN, now=desk.now)
    desk.notify()
    logins.set_by_link(links.token_of(desk.one(Notice).ref), BETTER, BETTER, now=desk.now)
    assert api_tokens.holder_of(last, now=desk.now) is None
    assert [e.who for e in desk.rows(AuditEntry) if e.what == "API token revoked"] == [ANN] * 3


def test_a_changed_password_ends_others_and_this_session_goes_on_under_a_new_cookie(desk: Desk) -> None:
    who, cookie = begun(desk)
    other, _ = logins.log_in(ANN, GOOD, now=desk.now, browser="Firefox on Linux")
    with pytest.raises(FormInvalid) as e:
        accounts.change_password(who, cookie, "not it", BETTER, BETTER, now=desk.now)
    assert set(e.value.errors) == {"old"}
    opened = accounts.change_password(who, cookie, GOOD, BETTER, BETTER, now=desk.now)
    assert visitor(desk, opened.cookie).session_id == who.session_id
    assert access.visitor_of(cookie, now=desk.now) is None and access.visitor_of(other.cookie, now=desk.now) is None


def test_a_session_ends_when_it_is_ended_and_after_its_time(desk: Desk) -> None:
    who, cookie = begun(desk)
    short, _ = logins.log_in(ANN, GOOD, now=desk.now)
    long, _ = logins.log_in(ANN, GOOD, now=desk.now, stay=True, browser="Firefox on Linux")
    listed = sessions.list_of(who.id, now=desk.now)
    assert {s.browser for s in listed} == {"", "Firefox on Linux"} and len(listed) == 3
    sessions.end(who.id, visitor(desk, short.cookie).session_id)
    assert access.visitor_of(short.cookie, now=desk.now) is None
    with pytest.raises(NotFound):  # somebody else's
        sessions.end(begun(desk, BEA)[0].id, who.session_id)
    desk.later(hours=12)
    assert access.visitor_of(cookie, now=desk.now) is None and visitor(desk, long.cookie)
    assert [s.seen_at for s in sessions.list_of(who.id, now=desk.now)] == [desk.now]
    desk.later(days=29, hours=12)
    assert access.visitor_of(long.cookie, now=desk.now) is None


def test_who_is_disabled_is_out_at_once_and_with_them_their_programs(desk: Desk) -> None:
    who, cookie = begun(desk)
    token = api_tokens.make(who, "checker", scopes=frozenset({Right.SEE}), campaign_id=None, expires_at=None, now=desk.now)
    assert api_tokens.holder_of(token, now=desk.now)
    organizers.disable(ANN, now=desk.now)
    assert access.visitor_of(cookie, now=desk.now) is None and api_tokens.holder_of(token, now=desk.now) is None
    with pytest.raises(logins.WrongLogin):
        logins.log_in(ANN, GOOD, now=desk.now)
    with pytest.raises(Conflict):
        invitations.invite(ANN, now=desk.now)
    organizers.enable(ANN, now=desk.now)
    assert logins.log_in(ANN, GOOD, now=desk.now) and api_tokens.holder_of(token, now=desk.now)
    organizers.reset(ANN, now=desk.now)
    assert api_tokens.holder_of(token, now=desk.now) is None
    with pytest.raises(logins.WrongLogin):
        logins.log_in(ANN, GOOD, now=desk.now)


def test_a_token_carries_no_more_than_its_maker_has(desk: Desk) -> None:
    night, day = desk.campaign().id, desk.campaign("day-bus").id
    begun(desk)
    who, _ = begun(desk, BEA, campaign=(night, "moderator"))

    def make(scopes: set[Right], campaign: int | None = night, **more: Any) -> str:
        return api_tokens.make(who, "x", scopes=frozenset(scopes), campaign_id=campaign, expires_at=None, now=desk.now, **more)

    for scopes, campaign in (({Right.STEER}, night), ({Right.SEE}, day), ({Right.OPERATE}, None), (set(), night)):
        with pytest.raises(NotAllowed):
            make(scopes, campaign)
    token = make({Right.READ, Right.SEE})
    holder = api_tokens.holder_of(token, now=desk.now)
    assert holder and (holder.visitor.email, holder.scopes, holder.campaign_id) == (BEA, {Right.READ, Right.SEE}, night)
    assert api_tokens.holder_of(token[:-1], now=desk.now) is None and api_tokens.holder_of("", now=desk.now) is None
    (listed,) = api_tokens.list_of(who.id)
    assert listed.used_at == desk.now and token not in str(listed) and listed.scopes == ["see", "read"]
    with pytest.raises(NotFound):
        api_tokens.revoke(visitor(desk, begun(desk, "c@riders.example")[1]), listed.id, now=desk.now)
    api_tokens.revoke(who, listed.id, now=desk.now)
    assert api_tokens.holder_of(token, now=desk.now) is None
    short = api_tokens.make(who, "x", scopes=frozenset({Right.SEE}), campaign_id=night, now=desk.now,
                            expires_at=desk.now + timedelta(days=1))
    assert api_tokens.holder_of(short, now=desk.now) and api_tokens.holder_of(short, now=desk.now + timedelta(days=1)) is None


def test_the_last_owner_stays_however_many_try_to_leave(desk: Desk) -> None:
    night = desk.campaign().id
    for email in (ANN, BEA):
        invitations.invite(email, campaign=(night, "owner"), now=desk.now)
    ids = [m.id for m in members.list_of(night)]
    waiting = list(ids)
    brought = at_once(2, lambda: members.remove(night, waiting.pop(), who="x", now=desk.now))
    assert brought.count(Conflict) == 1
    (left,) = members.list_of(night)
    with pytest.raises(Conflict):
        members.change_role(night, left.id, Role.VIEWER, who="x", now=desk.now)
    with pytest.raises(NotFound):
        members.remove(night, 999_999, who="x", now=desk.now)
    assert [e.what for e in desk.rows(AuditEntry, table(AuditEntry).c.campaign_id == night)][-1] == "member removed"


def test_an_invitations_link_opens_nothing_but_its_own_campaign(desk: Desk) -> None:
    night, day = desk.campaign().id, desk.campaign("day-bus").id
    ann, _ = begun(desk)
    first = members.invite(night, BEA, Role.VIEWER, visitor=ann, now=desk.now)
    assert first.url and not first.known
    with pytest.raises(Conflict):
        members.invite(night, BEA.upper(), Role.OWNER, visitor=ann, now=desk.now)
    # The link was copied by who knows whom; another campaign now invites the same address.
    opened = links.sign_in(token_in(first.url), now=desk.now)
    imposter = visitor(desk, opened.cookie)
    opened = accounts.begin(imposter, opened.cookie, "Bea?", GOOD, GOOD, now=desk.now)
    token = api_tokens.make(imposter, "x", scopes=frozenset({Right.SEE}), campaign_id=None, expires_at=None, now=desk.now)
    second = members.invite(day, BEA, Role.OWNER, visitor=ann, now=desk.now)
    assert second.url is None and not second.known
    assert access.visitor_of(opened.cookie, now=desk.now) is None and api_tokens.holder_of(token, now=desk.now) is None
    with pytest.raises(logins.WrongLogin):
        logins.log_in(BEA, GOOD, now=desk.now)
    # By the mail it is Bea; from then on nothing of hers is touched.
    (mailed,) = (n for n in desk.notices() if n.campaign_id == day)
    opened = links.sign_in(links.token_of(mailed.ref), now=desk.now)
    bea = visitor(desk, opened.cookie)
    opened = accounts.begin(bea, opened.cookie, "Bea", BETTER, BETTER, now=desk.now)
    third = members.invite(desk.campaign("evening-bus").id, BEA, Role.VIEWER, visitor=ann, now=desk.now)
    assert third.url is None and third.known and visitor(desk, opened.cookie)
    with pytest.raises(Conflict):
        members.invite_again(day, bea.id, visitor=ann, now=desk.now)


def test_a_changed_role_counts_at_the_next_request(desk: Desk) -> None:
    night = desk.campaign().id
    invitations.invite(ANN, campaign=(night, "owner"), now=desk.now)
    invitations.invite(BEA, campaign=(night, "viewer"), now=desk.now)
    bea = desk.one(Organizer, table(Organizer).c.email == BEA).id
    members.change_role(night, bea, Role.MODERATOR, who=ANN, now=desk.now)
    assert access.role_in(bea, night) == "moderator"
    members.remove(night, bea, who=ANN, now=desk.now)
    assert access.role_in(bea, night) is None and len(desk.rows(Member)) == 1


def test_nobody_becomes_operator_through_an_account_that_somebody_else_began(desk: Desk) -> None:
    night = desk.campaign().id
    ann, _ = begun(desk)
    copied = members.invite(night, BEA, Role.VIEWER, visitor=ann, now=desk.now)
    opened = links.sign_in(token_in(copied.url or ""), now=desk.now)
    opened = accounts.begin(visitor(desk, opened.cookie), opened.cookie, "Bea?", GOOD, GOOD, now=desk.now)
    invitations.invite(BEA, operator=True, now=desk.now)
    assert access.visitor_of(opened.cookie, now=desk.now) is None
    with pytest.raises(logins.WrongLogin):
        logins.log_in(BEA, GOOD, now=desk.now)
