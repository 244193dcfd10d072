"""Fax pages: what stands on them, and what they are made of."""

from __future__ import annotations

import io
import os
import re
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2 as pdfium
import pypdfium2.raw as raw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from outreach.render.fax import FaxDocument, fax_pdf, missing_glyphs, page_count, pngs_of, tiff_of
from outreach.render.fonts import BOX, printable
from outreach.render.text import Person, RenderedLetter
from tests.render.samples import NOON, PERSON, TARGET, document

LONG = RenderedLetter(
    "A long request", "\n\n".join(f"{n}. " + "Please keep the night bus running through the winter. " * 9 for n in range(14))
)
MARKUP = '#read("/etc/passwd") *bold* _it_ $x^2$ @ref <label> `raw` = head \\ \\u{41} #[a] // no /* no */ ~ -- ... "q" \'q\' {{ 7*7 }} https://x.example'
ARABIC = RenderedLetter(
    "طلب وقف الترحيل", "السيد المفوض،\n\nأطلب منكم الرد في 30 نوفمبر على الرقم +1 416 555 0111 (مكتب الدعم).\n\nليلى"
)


def pages_of(pdf: bytes) -> list[str]:
    document = pdfium.PdfDocument(pdf)
    try:
        return [p.get_textpage().get_text_range().replace("\r\n", "\n") for p in document]
    finally:
        document.close()


def text_of(doc: FaxDocument) -> str:
    return "\n".join(pages_of(fax_pdf(doc)))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b\ufffe\x02-]+", "", text)


# -- what the line needs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("letter", "pages"), [(document().letter, 1), (LONG, 3), (ARABIC, 1)], ids=["one", "three", "arabic"])
def test_the_tiff_is_what_a_fax_machine_takes(letter: RenderedLetter, pages: int) -> None:
    pdf = fax_pdf(document(letter))
    assert page_count(pdf) == pages
    with Image.open(io.BytesIO(tiff_of(pdf))) as tiff:
        assert tiff.n_frames == pages
        for n in range(pages):
            tiff.seek(n)
            tags = tiff.tag_v2
            assert tiff.size == (1728, 2156)
            assert tiff.mode == "1"
            assert (tags[259], tags[278], tags[296]) == (4, 2156, 2)  # Group 4, one strip, inches
            assert len(tags[273]) == 1
            assert (float(tags[282]), float(tags[283])) == (204, 196)
            black = tiff.convert("L").histogram()[0] / (1728 * 2156)
            assert 0.005 < black < 0.2


def test_the_same_document_gives_the_same_bytes() -> None:
    one, other = fax_pdf(document()), fax_pdf(document())
    assert one == other
    assert tiff_of(one) == tiff_of(other)
    assert fax_pdf(document(stamped_at=datetime(2026, 11, 22, 19, 6, tzinfo=UTC))) != one


def test_pictures_for_the_screen_have_the_width_asked_for() -> None:
    pictures = [Image.open(io.BytesIO(png)) for png in pngs_of(fax_pdf(document(LONG)), 600)]
    assert [p.width for p in pictures] == [600, 600, 600]
    assert {p.format for p in pictures} == {"PNG"}
    assert all(abs(p.height / p.width - 11 / (1728 / 204)) < 0.01 for p in pictures)


def test_nothing_is_printed_outside_the_margins() -> None:
    wide = document(
        RenderedLetter("W" * 300, "W" * 500 + "\n\nhttps://x.example/" + "a" * 400 + "\n\n" + "ـ" * 10 + "م" * 300),
        person=Person("W" * 200, "w@x.example", street="W" * 200, city="W" * 100, affiliation="W" * 200),
        target=replace(TARGET, name="W" * 200, postal_address="W" * 200),
        reference="W" * 90,
        operator_name="W " * 200,
    )
    with Image.open(io.BytesIO(tiff_of(fax_pdf(wide)))) as tiff:
        for n in range(tiff.n_frames):
            tiff.seek(n)
            left, top, right, bottom = Image.eval(tiff.convert("L"), lambda v: 255 - v).getbbox() or (0, 0, 0, 0)
            assert left >= 170
            assert right <= 1728 - 170
            assert top >= 50
            assert bottom <= 2156 - 40


# -- what stands on every page ---------------------------------------------------------------------------------------------


def test_every_page_says_when_who_where_and_which() -> None:
    pages = pages_of(fax_pdf(document(LONG)))
    for n, page in enumerate(pages, 1):
        head = page[:400]
        for said in (
            "2026-11-22 14:05 EST (UTC-05:00)",
            "From: Zoë Łukasz, tel. +1 416-555-0198",
            "To: Transit Commissioner, fax +1 416-555-0133",
            "Reference TC-4457",
            f"Page {n} of {len(pages)}",
        ):
            assert said in head
        assert "Sent through Night Letters." in page
        assert "https://letters.example/v/abc-123" in page
        assert "The sender's e-mail address was not verified." in page


def test_a_proved_mailbox_is_not_doubted() -> None:
    assert "not verified" not in text_of(document(person=replace(PERSON, verified=True)))


def test_the_telephone_number_survives_a_name_of_any_length() -> None:
    text = text_of(
        document(person=replace(PERSON, name="Wilhelmina " * 18), target=replace(TARGET, name="Ministry of Everything " * 8))
    )
    assert "+1 416-555-0198" in text
    assert "+1 416-555-0133" in text


@pytest.mark.parametrize(
    ("zone", "stamp"),
    [
        ("America/Toronto", "2026-11-22 14:05 EST (UTC-05:00)"),
        ("UTC", "2026-11-22 19:05 UTC"),
        ("Asia/Kathmandu", "2026-11-23 00:50 UTC+05:45"),
        ("Nowhere/Land", "2026-11-22 19:05 UTC"),
    ],
)
def test_the_stamp_names_its_zone(zone: str, stamp: str) -> None:
    assert stamp in text_of(document(target=replace(TARGET, timezone=zone)))


def test_the_letter_has_what_a_letter_has() -> None:
    text = text_of(document(person=replace(PERSON, affiliation="Riders’ Union")))
    for said in (
        "Riders’ Union",
        "12 Sample Street",
        "Toronto M5V 2T6",
        "zoe@supporter.example",
        "Head of Service",
        "1 Depot Road",
        "22 November 2026",
    ):
        assert said in text
    assert text.count("City Transit") == 1  # the office's name stands in its address already
    assert text.count("Zoë Łukasz") == 3  # header, letterhead, and below the letter as its template has it


def test_a_letter_that_does_not_end_with_the_name_gets_it() -> None:
    assert text_of(document(RenderedLetter("s", "Please."))).count("Zoë Łukasz") == 3


def test_a_fax_speaks_the_letter_s_language() -> None:
    text = text_of(
        document(language="fr", translate=lambda m: {"Page %(page)s of %(pages)s": "Page %(page)s sur %(pages)s"}.get(m, m))
    )
    assert "22 novembre 2026" in text
    assert "Page 1 sur 1" in text


# -- data is text ----------------------------------------------------------------------------------------------------------


def test_markup_in_any_field_prints_as_text() -> None:
    doc = document(
        RenderedLetter(MARKUP, f"{MARKUP}\n\n{MARKUP}"),
        person=Person(MARKUP, MARKUP, MARKUP, MARKUP, MARKUP, MARKUP, MARKUP),
        target=replace(TARGET, name=MARKUP, role=MARKUP + "1", organization=MARKUP + "2", postal_address=MARKUP + "3"),
        reference=MARKUP,
        operator_name=MARKUP,
        sender_phone=MARKUP,
        fax_number=MARKUP,
        verify_url=MARKUP,
    )
    text = squeezed(text_of(doc))
    assert text.count(squeezed(MARKUP)) >= 9
    assert "root:" not in text


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_can_be_faxed(text: str) -> None:
    doc = document(
        RenderedLetter(text, f"a {text}\n\n{text}"),
        person=Person(text, text, text, text, text, text, text),
        reference=text,
        target=replace(TARGET, name=text, role=text, postal_address=text),
        operator_name=text,
        verify_url=text,
        language=text[:5],
    )
    assert page_count(fax_pdf(doc)) >= 1


# -- scripts ---------------------------------------------------------------------------------------------------------------


def places(pdf: bytes) -> list[tuple[str, float]]:
    """The characters of the letter's body on the first page, each with its left edge in points."""
    found = pdfium.PdfDocument(pdf)
    try:
        text = found[0].get_textpage()
        boxes = [(chr(raw.FPDFText_GetUnicode(text, n)), text.get_charbox(n)) for n in range(text.count_chars())]
        return [(ch, box[0]) for ch, box in boxes if 70 < box[1] < 560]
    finally:
        found.close()


def lefts(pdf: bytes, letters: str) -> list[float]:
    """Where each of these letters begins; each of them must stand once in the body (its dots count as part of it)."""
    there = places(pdf)
    return [min(x for ch, x in there if ch == letter) for letter in letters]


def test_arabic_runs_from_the_right_and_numbers_in_it_from_the_left() -> None:
    words = "خطب قمر 2087 +1 416 355 9666"
    pdf = fax_pdf(document(RenderedLetter("x", words), language="ar", person=Person("ليلى", "l@x.example")))
    letters = lefts(pdf, "خطبقمر287")
    assert letters[:6] == sorted(letters[:6], reverse=True)
    assert letters[6:] == sorted(letters[6:])
    assert max(letters[6:]) < letters[5]
    number = lefts(pdf, "+439")
    assert number == sorted(number)
    assert max(number) < letters[6]


def test_arabic_letters_are_joined() -> None:
    def reach(body: str) -> float:
        xs = [
            x
            for ch, x in places(
                fax_pdf(document(RenderedLetter("x", body), language="ar", person=Person("ليلى", "l@x.example")))
            )
            if ch in "سهل"
        ]
        return max(xs) - min(xs)

    assert reach("سهل") < reach("س\u200cه\u200cل") - 2


def test_a_quotation_runs_in_its_own_direction() -> None:
    pdf = fax_pdf(document(RenderedLetter("Quoting", "As they say:\n\nخطب قمر\n\nThank you.")))
    assert lefts(pdf, "خ")[0] > 500
    assert lefts(pdf, "T")[0] < 80


@pytest.mark.parametrize(
    "text",
    [
        "Où çà? « Œuvre » naïve…",
        "Tiếng Việt: Nguyễn Thị Ánh",
        "Щастя, ёж, Ђорђе",
        "Ελληνικά: Ἀθῆναι",
        "हिन्दी क्षत्रिय",
        "السلام عليكم",
        "فارسی: گچپژ می\u200cخواهم",
        "اردو: ٹڈڑں ے",
        "№ 5 – €10 “quoted” ½",
    ],
)
def test_these_scripts_are_complete(text: str) -> None:
    assert missing_glyphs(text) == []
    pdf = fax_pdf(document(RenderedLetter("x", text)))
    drawn = [
        Image.open(io.BytesIO(tiff_of(p))).convert("L").histogram()[0]
        for p in (pdf, fax_pdf(document(RenderedLetter("x", "."))))
    ]
    assert drawn[0] > drawn[1] + 500


def test_what_cannot_be_drawn_is_told_and_boxed() -> None:
    assert missing_glyphs("Hi 🚌 中文 中!\n") == ["🚌", "中", "文"]
    assert printable("a🚌b 👩\u200d👩\u200d👧 ❤\ufe0f 👍🏽 中文") == f"a{BOX}b {BOX} {BOX} {BOX} {BOX}{BOX}"
    assert printable("می\u200cخواهم é") == "می\u200cخواهم é"
    with_box, without = (
        Image.open(io.BytesIO(tiff_of(fax_pdf(document(RenderedLetter("x", body)))))).convert("L").histogram()[0]
        for body in ("Hi 🚌", "Hi")
    )
    assert with_box > without + 50


# -- processes and threads -------------------------------------------------------------------------------------------------


def test_threads_may_draw_at_the_same_time() -> None:
    expected = {n: fax_pdf(document(reference=f"R-{n}")) for n in range(4)}
    expected_tiffs = {n: tiff_of(pdf) for n, pdf in expected.items()}
    wrong: list[int] = []

    def work(n: int) -> None:
        for _ in range(5):
            pdf = fax_pdf(document(reference=f"R-{n}"))
            if pdf != expected[n] or tiff_of(pdf) != expected_tiffs[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in expected]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert wrong == []


def test_a_worker_forked_after_its_parent_drew_a_page_still_can(tmp_path: object) -> None:
    doc = document(stamped_at=NOON, reference="before the fork")
    expected = fax_pdf(doc)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(50)  # typst's own threads do not survive a fork; without care the child hangs
        try:
            os.write(writing, b"same" if fax_pdf(doc) == expected and tiff_of(expected) else b"else")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == b"same"
    assert os.waitpid(child, 0)[1] == 0
