"""Bundles on paper: everybody's name once, each text once, own words in full, and few pages."""

from __future__ import annotations

import io
from dataclasses import replace

import pypdfium2 as pdfium
import pytest

from outreach.render.bundle import BundleDocument, Words, Writer, bundle_pdf, cover, grouped, title
from outreach.render.fonts import BOX
from outreach.render.pages import page_count, tiff_of
from outreach.render.text import RenderedLetter
from tests.render.samples import NOON, TARGET

COMMON = RenderedLetter("Keep the night bus", "Dear Commissioner,\n\nkeep it, at least through the winter.\n\nthe people named below")
OWN = RenderedLetter("A nurse's word", "Dear Commissioner,\n\nI walk seven kilometres without it.\n\nZoë Łukasz")
ARABIC = RenderedLetter("طلب", "السيد المفوض،\n\nأرجو أن يبقى الخط 300 حتى الربيع.\n\nليلى")


def writer(name: str, place: str = "Toronto M5V 2T6", affiliation: str = "", *, verified: bool = True, subject: str = "") -> Writer:
    return Writer(name, place, affiliation, verified, subject)


def bundle(*words: Words, **changes: object) -> BundleDocument:
    made = BundleDocument(words or (Words(COMMON, (writer("Ana Ruiz"), writer("Bo Li")), False), Words(OWN, (writer("Zoë Łukasz"),), True)),
                          "Keep the night bus", "TC-4457", TARGET, "+14165550133", "en", NOON, NOON.replace(hour=22), "+14165550199",
                          "Open Letters Desk", "https://letters.example/v/abc")
    return replace(made, **changes)  # type: ignore[arg-type]


def text_of(pdf: bytes) -> str:
    document = pdfium.PdfDocument(io.BytesIO(pdf))
    try:
        return "\n".join(p.get_textpage().get_text_range() for p in document).replace("\r\n", "\n")
    finally:
        document.close()


def test_the_cover_says_how_many_through_whom_and_why_together() -> None:
    assert title(bundle()) == "3 letters: Keep the night bus"
    said = list(cover(bundle()))
    assert said[0] == "3 people have written to you through Open Letters Desk about “Keep the night bus”. Reference: TC-4457."
    assert "your line busy past the deadline of 22 November 2026, 17:05" in said[1]
    assert said[2].startswith("2 sent the text printed first")
    assert "your inbox" in list(cover(bundle(fax_number="")))[1]


def test_each_text_stands_once_and_each_name_with_it() -> None:
    text = text_of(bundle_pdf(bundle()))
    assert text.count("at least through the winter") == 1
    assert text.count("I walk seven kilometres") == 1
    for name in ("Ana Ruiz", "Bo Li", "Zoë Łukasz"):
        assert name in text
    assert "2026-11-22 14:05 EST" in text
    assert "+1 416-555-0199" in text
    assert "https://letters.example/v/abc" in text


def test_own_words_that_several_sent_stand_once_with_their_names() -> None:
    text = text_of(bundle_pdf(bundle(Words(OWN, (writer("Ana Ruiz"), writer("Bo Li")), True))))
    assert text.count("I walk seven kilometres") == 1
    assert "Sent by 2 people" in text
    assert "In their own words" not in text


def test_a_subject_of_ones_own_stands_beside_the_name() -> None:
    found = bundle(Words(COMMON, (writer("Ana Ruiz", subject="From a night nurse"), writer("Bo Li")), False))
    assert "From a night nurse" in text_of(bundle_pdf(found))


def test_who_has_not_proved_their_mailbox_is_marked() -> None:
    marked = bundle(Words(COMMON, (writer("Ana Ruiz", verified=False), writer("Bo Li")), False))
    text = text_of(bundle_pdf(marked))
    assert "Ana Ruiz *" in text
    assert "* The sender's e-mail address was not verified." in text
    assert "not verified" not in text_of(bundle_pdf(bundle()))


def test_letters_are_grouped_in_the_order_in_which_they_came() -> None:
    a, b, c = writer("A"), writer("B"), writer("C")
    assert grouped([("t", COMMON, a, False), ("o", OWN, b, True), ("t", COMMON, c, False)]) == (
        Words(COMMON, (a, c), False), Words(OWN, (b,), True))


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_a_hundred_and_twenty_take_few_pages_in_any_direction(language: str) -> None:
    names = ["Søren García-Márquez", "محمد عبد الرحمن", "Nguyễn Thị Đặng", "Ольга Иванова", "Νικόλαος Παπαδόπουλος"]
    many = tuple(writer(names[n % 5], affiliation="Riders’ Union" if n % 9 == 0 else "") for n in range(110))
    own = tuple(Words(replace(ARABIC if n % 2 else OWN, subject=f"{n}"), (writer(names[n % 5]),), True) for n in range(10))
    pdf = bundle_pdf(bundle(Words(COMMON, many, False), *own, language=language))
    assert page_count(pdf) <= 4
    assert tiff_of(pdf).startswith(b"II*\0")
    assert BOX not in text_of(pdf)


def test_what_people_write_is_text_and_never_markup() -> None:
    bad = '#read("/etc/passwd") *bold* $x$ {{ 7*7 }} "quoted" \\u{41}'
    pdf = bundle_pdf(bundle(Words(RenderedLetter(bad, bad), (writer(bad, bad, bad, subject=bad),), False),
                            Words(RenderedLetter(bad, bad), (writer("B"),), True)))
    text = text_of(pdf)
    assert text.count("#read") >= 5
    assert "root:" not in text


def test_the_same_bundle_is_the_same_bytes() -> None:
    assert bundle_pdf(bundle()) == bundle_pdf(bundle())
