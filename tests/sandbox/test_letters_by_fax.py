"""Real letters over the T.30 call: as rendered, so received, Latin and Arabic, one page and three."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from outreach.domain.campaign import TargetSpec
from outreach.render.fax import FaxDocument, fax_pdf, page_count, tiff_of
from outreach.render.text import Person, RenderedLetter
from outreach.sandbox import t30

pytestmark = pytest.mark.needs("spandsp")
NUMBER = "+14165550133"
WORDS = {
    "en": "Please keep the night bus. People who work late have no other way home, and the road is dark. ",
    "fr": "Gardez le bus de nuit, s’il vous plaît : où irions-nous à l’aube, l’été comme l’hiver ? ",
    "ar": "نرجو الإبقاء على حافلة الليل، فمن يعمل متأخراً لا يجد طريقاً آخر إلى بيته. ",
    "fa": "خواهش می‌کنیم اتوبوس شبانه را نگه دارید؛ کسانی که دیر کار می‌کنند راه دیگری ندارند. ",
}


def document(language: str, paragraphs: int) -> FaxDocument:
    body = "\n\n".join(f"{n}. " + WORDS[language] * 5 for n in range(1, paragraphs + 1))
    return FaxDocument(
        letter=RenderedLetter("Night bus", body), person=Person("Jane Doe", "jane@home.example", city="Toronto", verified=True),
        target=TargetSpec("clerk", "City Clerk"), fax_number=NUMBER, reference="TC-4457", language=language,
        stamped_at=datetime(2026, 11, 20, 14, 5, tzinfo=UTC), sender_phone="+14165550111", operator_name="Night Bus Riders",
        verify_url="http://127.0.0.1:8000/v/x")


def pages(tiff: Path) -> list[Image.Image]:
    with Image.open(tiff) as image:
        return [page.convert("1") for page in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("language", list(WORDS))
@pytest.mark.parametrize(("paragraphs", "count"), [(2, 1), (20, 3)])
def test_a_letter_arrives_pixel_for_pixel(tmp_path: Path, language: str, paragraphs: int, count: int) -> None:
    pdf = fax_pdf(document(language, paragraphs))
    while page_count(pdf) < count:
        paragraphs += 4
        pdf = fax_pdf(document(language, paragraphs))
    (tmp_path / "sent.tiff").write_bytes(tiff_of(pdf))
    result = t30.call(tmp_path / "sent.tiff", tmp_path / "got.tiff", caller="+14165550100", called=NUMBER)
    sent, got = pages(tmp_path / "sent.tiff"), pages(tmp_path / "got.tiff")
    assert (result.code, result.pages, len(got)) == (0, page_count(pdf), page_count(pdf))
    assert len(got) >= count
    assert [p.size for p in got] == [p.size for p in sent]
    assert [p.tobytes() for p in got] == [p.tobytes() for p in sent]
