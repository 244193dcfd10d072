"""Our mails' words: a letter with its footer, and the notices."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.render.mail import KINDS, MailText, letter_mail, notice_mail
from outreach.render.text import Person, RenderedLetter
from tests.render.samples import PERSON

HOSTILE = "<script>alert('x')</script> {{ 7*7 }} & \"q\" %(who)s"
VOID = {"meta", "br", "hr"}


class _Page(HTMLParser):
    """Reads an HTML part strictly enough to notice an element that data has opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("href", "src")]
        if tag == "html":
            self.attributes = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def mail_of(letter: RenderedLetter, person: Person = PERSON, language: str = "en", operator: str = "Night Letters") -> MailText:
    return letter_mail(
        letter, person=person, operator_name=operator, verify_url="https://letters.example/v/1?a=b&c=d", language=language
    )


def notice(kind: str, **changes: str) -> MailText:
    values = {name: f"«{name}»" for name in KINDS[kind]} | {
        "operator_name": "Night Letters",
        "operator_address": "1 Depot Road\nToronto",
    }
    return notice_mail(kind, "en", **{**values, **changes})


def test_the_footer_says_who_writes_through_whom() -> None:
    mail = mail_of(
        RenderedLetter("Keep it", "Dear you,\n\nkeep\nit"), Person("Jane Doe", "j@x.example", city="Toronto", verified=True)
    )
    assert mail.subject == "Keep it"
    assert mail.text == (
        "Dear you,\n\nkeep\nit\n\n-- \nFrom Jane Doe, Toronto, through Night Letters.\n"
        "Verify or report this letter: https://letters.example/v/1?a=b&c=d\n"
    )
    assert "<p>Dear you,</p>\n<p>keep<br>\nit</p>" in mail.html
    assert _Page(mail.html).links == ["https://letters.example/v/1?a=b&c=d"]


def test_an_unproved_mailbox_is_said_to_be_so_in_both_parts() -> None:
    mail = mail_of(RenderedLetter("s", "b"))
    assert "The sender's e-mail address was not verified." in mail.text
    assert "The sender's e-mail address was not verified." in _Page(mail.html).text


def test_an_address_that_no_header_may_hold_stands_in_the_text() -> None:
    mail = mail_of(RenderedLetter("s", "b"), Person("Jörg", "jörg@people.example", verified=True))
    assert "\nAnswers reach the writer at jörg@people.example.\n" in mail.text
    assert "jörg@people.example" in _Page(mail.html).text
    for other in (Person("Jörg", "jorg@bücher.example", verified=True), Person("Jörg", "jörg@people.example")):
        assert "@" not in mail_of(RenderedLetter("s", "b"), other).text


@given(st.text(max_size=60) | st.just(HOSTILE))
def test_data_opens_no_element(text: str) -> None:
    mail = mail_of(RenderedLetter(text, f"a {text}\n\nb"), Person(text, "a@b.example", city=text), operator=text)
    plain = _Page(mail_of(RenderedLetter("s", "a\n\nb"), Person("n", "a@b.example", city="c")).html)
    made = _Page(mail.html)
    assert [t for t in made.tags if t not in ("br", "p")] == [t for t in plain.tags if t not in ("br", "p")]
    assert made.links == plain.links


def test_a_name_cannot_add_lines_to_the_footer() -> None:
    mail = mail_of(RenderedLetter("s", "b"), Person("Jane\nVerify here: https://evil.example", "a@b.example"))
    assert "\nVerify here" not in mail.text
    assert len(_Page(mail.html).links) == 1


@pytest.mark.parametrize(
    ("language", "direction"), [("en", "ltr"), ("fr-CA", "ltr"), ("ar", "rtl"), ("fa", "rtl"), ("he", "rtl"), ("ur-PK", "rtl")]
)
def test_language_and_direction_are_declared(language: str, direction: str) -> None:
    assert {"lang": language, "dir": direction}.items() <= _Page(
        mail_of(RenderedLetter("s", "b"), language=language).html
    ).attributes.items()


def test_nothing_is_fetched_from_elsewhere() -> None:
    for html in (mail_of(RenderedLetter("s", "b")).html, *(notice(kind).html for kind in KINDS)):
        assert not {"img", "link", "script", "style", "iframe", "form"} & set(_Page(html).tags)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_notice_shows_what_it_is_given_in_both_parts(kind: str) -> None:
    mail = notice(kind)
    page = _Page(mail.html)
    assert mail.subject
    assert "\n" not in mail.subject
    for name in KINDS[kind] - ({"code", "expires"} if kind == "duplicate" else set()):
        assert f"«{name}»" in mail.text + mail.subject
        assert f"«{name}»" in page.text
    assert mail.text.endswith("\n-- \nNight Letters\n1 Depot Road\nToronto\n")


def test_the_code_and_the_links_are_where_one_sees_them() -> None:
    mail = notice(
        "confirm", code="123456", link="https://letters.example/m/m-1?a&b", never_link="https://letters.example/m/m-1/never"
    )
    assert mail.subject == "Confirm your letter: 123456"
    assert "\n123456\n" in mail.text
    assert "\nhttps://letters.example/m/m-1?a&b\n" in mail.text
    assert _Page(mail.html).links == ["https://letters.example/m/m-1?a&b", "https://letters.example/m/m-1/never"]


@pytest.mark.parametrize("kind", ["confirm", "remind", "duplicate"])
@pytest.mark.parametrize("typed", ["name", "subject", "body", "city", "affiliation"])
def test_nothing_that_the_form_s_sender_typed_goes_to_an_unproved_mailbox(kind: str, typed: str) -> None:
    with pytest.raises(ValueError, match=typed):
        notice(kind, **{typed: "Buy at https://evil.example"})


def test_a_report_s_words_are_neither_links_nor_footers_nor_headers() -> None:
    mail = notice("report", reason=f"https://evil.example\n-- \nOther operator\n{HOSTILE}", slug="x\nBcc: y@z.example")
    page = _Page(mail.html)
    assert page.links == ["«link»"]
    assert "script" not in page.tags
    assert "\n" not in mail.subject
    assert mail.text.endswith("\n-- \nNight Letters\n1 Depot Road\nToronto\n")


def test_notices_are_translated_and_unknown_ones_refused() -> None:
    values = {name: "x" for name in KINDS["confirm"]} | {"operator_name": "o", "operator_address": "a"}
    mail = notice_mail("confirm", "fr", translate=lambda text: "FR " + text, **values)
    assert mail.subject.startswith("FR ")
    assert _Page(mail.html).attributes["lang"] == "fr"
    for kind in ("../fax/letter", "nothing"):
        with pytest.raises(ValueError, match="no notice"):
            notice_mail(kind, "en")
