"""Whatever is typed: a clear message beside the field, nothing half-stored, no error of ours, and no harm in the letter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outreach.domain.campaign import LetterText
from outreach.errors import FormInvalid
from outreach.models import Letter, Notice, Submission
from outreach.render.text import editable_text
from outreach.services import campaigns, confirm, forms, submit
from outreach.services.status import view
from outreach.tokens import new_form_token
from tests.services.helpers import COMMISSIONER, NOW, Desk, mail_of, text_of

LONG = "x" * 21_000
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", forms.REQUIRED),
    ({"name": " \t\u202e\u200b"}, "name", forms.REQUIRED),
    ({"name": "\u3164\u2060\u00ad"}, "name", forms.REQUIRED),
    ({"name": LONG}, "name", forms.TOO_LONG),
    ({"name": "12345"}, "name", forms.BAD_NAME),
    ({"name": "\U0001f68c\U0001f68c"}, "name", forms.BAD_NAME),
    ({"name": "jane@people.example"}, "name", forms.BAD_NAME),
    ({"name": "Win at https://evil.example"}, "name", forms.BAD_NAME),
    ({"name": "www.evil.example"}, "name", forms.BAD_NAME),
    ({"name": "cheap-pills.com"}, "name", forms.BAD_NAME),
    ({"name": "See bit.ly/3xYz"}, "name", forms.BAD_NAME),
    ({"name": "Transit Commissioner"}, "name", forms.TARGETS_NAME),
    ({"name": "transit\n COMMISSIONER"}, "name", forms.TARGETS_NAME),
    ({"name": "Transit\u200b Commissioner"}, "name", forms.TARGETS_NAME),
    ({"name": "Transit\ufe0f Commissioner"}, "name", forms.TARGETS_NAME),
    ({"name": "Transit Commissioner."}, "name", forms.TARGETS_NAME),
    ({"name": "Commissioner"}, "name", forms.TARGETS_NAME),
    ({"name": "\u0421ommissioner"}, "name", forms.TARGETS_NAME),
    ({"name": "City  Council,"}, "name", forms.TARGETS_NAME),
    ({"name": "Jane ＠ home"}, "name", forms.BAD_NAME),
    ({"name": "evil。com"}, "name", forms.BAD_NAME),
    ({"name": "ｗｗｗ.evil"}, "name", forms.BAD_NAME),
    ({"affiliation": "evil。com"}, "affiliation", forms.NOT_HERE),
    ({"city": "me＠evil.example"}, "city", forms.NOT_HERE),
    ({"email": "jörg@people.example"}, "email", forms.NO_REACH),
    ({"email": "李@people.example"}, "email", forms.NO_REACH),
    ({"email": ""}, "email", forms.REQUIRED),
    ({"email": "jane"}, "email", forms.BAD_EMAIL),
    ({"email": "jane@"}, "email", forms.BAD_EMAIL),
    ({"email": "jane@people"}, "email", forms.BAD_EMAIL),
    ({"email": "Jane <jane@people.example>"}, "email", forms.BAD_EMAIL),
    ({"email": "jane@people.example, joe@people.example"}, "email", forms.BAD_EMAIL),
    ({"email": "jane@people.example\r\nBcc: all@people.example"}, "email", forms.BAD_EMAIL),
    ({"email": f"{'j' * 250}@people.example"}, "email", forms.TOO_LONG),
    ({"email": "commissioner@transit.example"}, "email", forms.TARGET_ADDRESS),
    ({"email": "Commissioner+me@Transit.example"}, "email", forms.TARGET_ADDRESS),
    ({"email": "council@city.example"}, "email", forms.TARGET_ADDRESS),
    ({"email": "copies@nightbus.example"}, "email", forms.TARGET_ADDRESS),
    ({"city": LONG}, "city", forms.TOO_LONG),
    ({"city": "http://evil.example"}, "city", forms.NOT_HERE),
    ({"affiliation": "write to me@evil.example"}, "affiliation", forms.NOT_HERE),
    ({"street": "x" * 151}, "street", forms.TOO_LONG),
    ({"postal_code": "x" * 17}, "postal_code", forms.TOO_LONG),
    ({"phone": "1" * 31}, "phone", forms.TOO_LONG),
    ({"subject": "s" * 251, "body": "Please."}, "subject", forms.TOO_LONG),
    ({"subject": "Please", "body": LONG}, "body", forms.TOO_LONG),
    ({"subject": "Please", "body": " \n "}, "body", forms.EMPTY_LETTER),
    ({"body": ""}, "body", forms.EMPTY_LETTER),
    ({"subject": " ", "body": "My own words."}, "subject", forms.EMPTY_SUBJECT),
    ({"subject": "\u200b"}, "subject", forms.EMPTY_SUBJECT),
    ({"targets": ()}, "targets", forms.NO_TARGET),
    ({"targets": ("nobody",)}, "targets", forms.NO_TARGET),
    ({"targets": ("commissioner", "' OR 1=1 --")}, "targets", forms.NO_TARGET),
    ({"targets": ("\0\ud800",)}, "targets", forms.NO_TARGET),
    ({"channel": ""}, "channel", forms.NO_CHANNEL),
    ({"channel": "phone"}, "channel", forms.NO_CHANNEL),
    ({"channel": "pigeon"}, "channel", forms.NO_CHANNEL),
    ({"consent": False}, "consent", forms.NO_CONSENT),
    ({"honeypot": "http://evil.example"}, "", forms.TRAP),
    ({"token": ""}, "", forms.OLD_FORM),
    ({"token": "made-up"}, "", forms.OLD_FORM),
    ({"token": new_form_token(NOW)[:-1] + "!"}, "", forms.OLD_FORM),
    ({"token": "\ud800" * 40}, "", forms.OLD_FORM),
    ({"token": "x" * 100_000}, "", forms.OLD_FORM),
    ({"token": new_form_token(NOW - timedelta(days=2, minutes=1))}, "", forms.OLD_FORM),
]


def test_each_mistake_is_told_beside_its_field_and_stores_nothing(desk: Desk) -> None:
    desk.campaign()
    for changes, field, message in REFUSED:
        with pytest.raises(FormInvalid) as e:
            desk.write(**changes)
        assert e.value.errors == {field: message}, changes
    assert [desk.rows(m) for m in (Submission, Letter, Notice)] == [[], [], []]
    empty = forms.EMPTY_SUBJECT, forms.EMPTY_LETTER
    assert desk.stats() == {"campaign": "night-bus", "submissions": 0, "letters": {}, "targets": [], "forecast": [], "refused": {
        "bad_input": sum(m not in (forms.TRAP, forms.TARGET_ADDRESS, *empty) for _, _, m in REFUSED),
        "empty_letter": sum(m in empty for _, _, m in REFUSED),
        "trap": sum(m == forms.TRAP for _, _, m in REFUSED), "target_address": sum(m == forms.TARGET_ADDRESS for _, _, m in REFUSED)}}


def test_all_mistakes_are_told_at_once(desk: Desk) -> None:
    desk.campaign()
    with pytest.raises(FormInvalid) as e:
        desk.write(name="", email="x", consent=False, channel="", targets=(), subject=LONG, body="")
    assert set(e.value.errors) == {"name", "email", "consent", "channel", "targets", "subject", "body"}


def test_haste_counts_outside_only(desk: Desk) -> None:
    desk.campaign()
    form = desk.form(token=new_form_token(desk.now))
    with pytest.raises(FormInvalid) as e:
        submit.submit("night-bus", form, network="203.0.113.7", now=desk.now + timedelta(seconds=1))
    assert e.value.errors == {"": forms.TOO_FAST}
    assert desk.stats()["refused"] == {"trap": 1}
    submit.submit("night-bus", form, network="203.0.113.7", now=desk.now + timedelta(seconds=4))
    submit.submit("night-bus", desk.form(token=new_form_token(desk.now)), network="127.0.0.1", now=desk.now)


def test_a_required_detail_must_be_given_and_one_that_is_off_is_not_kept(desk: Desk) -> None:
    desk.campaign(fields={"street": "required", "city": "optional", "postal_code": "off", "phone": "off"})
    with pytest.raises(FormInvalid) as e:
        desk.write()
    assert e.value.errors == {"street": forms.REQUIRED}
    token = desk.write(street="1 Elm Street", postal_code="M5V 1A1", phone="+1 416 555 0101")
    row = desk.submission(token)
    assert (row.street, row.postal_code, row.phone) == ("1 Elm Street", "", "")


@pytest.mark.parametrize("channel", ["email", "fax"])
def test_markup_controls_and_overrides_are_harmless_text_in_the_letter(desk: Desk, channel: str) -> None:
    desk.set(confirm="none")
    desk.campaign(targets=(COMMISSIONER,))
    nasty = "Zoë {{ 7*7 }} #eval(\"1+1\") $x$ \u202e\u2066\x00\x07\U0001f68c <b>"
    token = desk.write(name=nasty, city=nasty, affiliation=nasty, street=nasty, channel=channel,
                       subject=f"Hear {nasty}\r\nBcc: x@evil.example",
                       body=f"{{% raw %}} [your name] says: {nasty}\r\n.\r\nQUIT\r\n\x00 end \ud800")
    if channel == "fax":
        from outreach.domain.letters import Verdict
        from outreach.queue import QueueName
        from outreach.services import media

        desk.send(QueueName.FAX)
        assert desk.letter(token).state == "sent"
        attempt = desk.attempts()[0]
        assert attempt.verdict == Verdict.ACCEPTED.value
        assert media.pdf_of(desk.letter(token).id, desk.now).startswith(b"%PDF")
        return
    desk.send()
    (taken,) = desk.sink.mails
    mail, text = mail_of(taken), text_of(taken)
    assert taken.rcpts == ["commissioner@transit.example", "copies@nightbus.example"]
    assert mail["Bcc"] is None
    assert mail["Subject"].startswith("Hear Zoë {{ 7*7 }}")
    assert "says: Zoë {{ 7*7 }} #eval(" in text.replace("\n", " ")
    assert "QUIT" in text
    assert not {"\u202e", "\u2066", "\x00", "\x07", "\ud800"} & set(text)
    assert "49" not in mail["Subject"]


def test_odd_but_true_names_and_addresses_are_welcome(desk: Desk) -> None:
    desk.campaign()
    for name in ("Ó Súilleabháin", "Đặng Thị", "محمد رضا", "J. R. O'Neill-Smith 3rd", "李", "Anne.Marie St. John", "X Æ A-Xii"):
        assert desk.submission(desk.write(name=name)).name == name
    for name in ("Jo Commissioner", "Ana Council", "Transit Doe"):  # a word of a target's name is nobody's alone
        assert desk.submission(desk.write(name=name)).name == name
    for address in ("o'neill@people.example", "jane+bus@people.example", "jane@bücher.example"):
        assert desk.submission(desk.write(email=address)).email == address
    assert desk.submission(desk.write(email="ｊａｎｅ＠people．example")).email == "jane@people.example"


def test_a_form_with_both_letter_fields_emptied_does_not_sign_the_campaigns_text(desk: Desk) -> None:
    desk.campaign()
    with pytest.raises(FormInvalid) as e:
        desk.write(subject="", body="")
    assert e.value.errors == {"subject": forms.EMPTY_SUBJECT, "body": forms.EMPTY_LETTER}
    assert desk.stats()["refused"] == {"empty_letter": 1}
    assert desk.rows(Submission) == []


def test_a_client_that_knows_no_letter_fields_sends_the_campaigns_text(desk: Desk) -> None:
    desk.campaign()
    kept = desk.submission(desk.write(subject=None, body=None))
    assert (kept.subject, kept.body) == (None, None)
    own = desk.submission(desk.write(subject=None, body="My own words."))
    assert (own.subject, own.body) == (None, "My own words.")


def test_a_field_that_the_page_offered_empty_may_come_back_empty(desk: Desk) -> None:
    """As a plain client sends it: whatever the page gave."""
    desk.campaign(letter=LetterText("{% if supporter.street %}From {{ supporter.street }}{% endif %}", "Please. {{ supporter.name }}"))
    first = editable_text(campaigns.spec_of("night-bus"), "en")
    assert first.subject == ""
    kept = desk.submission(desk.write(subject="", body=first.body, street="Depot Road"))
    assert (kept.subject, kept.body) == (None, None)
    own = desk.submission(desk.write(subject="", body="My own words.", street="Depot Road"))
    assert (own.subject, own.body) == (None, "My own words.")


@pytest.mark.parametrize("typed", ["", "s" * 300])
def test_where_the_text_may_not_be_changed_the_letter_fields_are_ignored(desk: Desk, typed: str) -> None:
    desk.campaign(editable=False)
    kept = desk.submission(desk.write(subject=typed, body=typed))
    assert (kept.subject, kept.body) == (None, None)


def test_an_unknown_language_and_a_wrong_proof_do_no_harm(desk: Desk) -> None:
    desk.campaign(languages=("en", "fr"))
    assert desk.submission(desk.write(language="../../etc/passwd", proof="\ud800" * 5000)).language == "en"
    assert desk.submission(desk.write(language="fr")).language == "fr"


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "²²²²²²", "\ud800", "1" * 5000, "' OR 1=1"])
def test_a_code_that_is_none_is_just_a_wrong_code(desk: Desk, code: str) -> None:
    desk.campaign()
    token = desk.write()
    with pytest.raises(FormInvalid) as e:
        confirm.by_code(token, code, now=desk.now)
    assert set(e.value.errors) == {"code"}
    assert desk.letter(token).state == "unconfirmed"


def test_the_code_may_be_typed_in_the_digits_of_ones_own_script(desk: Desk) -> None:
    desk.campaign()
    token = desk.write()
    confirm.by_code(token, " ".join(chr(0x06F0 + int(d)) for d in desk.code(token)), now=desk.now)
    assert desk.letter(token).state == "queued"


def test_a_form_changed_after_an_error_keeps_its_token(desk: Desk) -> None:
    desk.campaign()
    form = desk.form(name="")
    with pytest.raises(FormInvalid):
        submit.submit("night-bus", form, network=None, now=desk.now)
    assert submit.submit("night-bus", replace(form, name="Jane"), network=None, now=desk.now) == form.token
    assert view(form.token, now=desk.now).letters[0].state == "unconfirmed"
