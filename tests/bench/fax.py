"""Fax pages rendered per second: letter → PDF → TIFF G4."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from outreach.db import utcnow
from outreach.domain.campaign import TargetSpec
from outreach.render.fax import FaxDocument, fax_pdf, page_count, tiff_of
from outreach.render.text import Person, RenderedLetter
from tests.bench import campaign

PAGES = 60


def measure(note: Callable[..., None]) -> None:
    """Whole path against typst alone."""
    document = FaxDocument(
        letter=RenderedLetter("Request to keep the night bus", campaign.BODY),
        person=Person("Person One", "p@supporter.example", city="Toronto"),
        target=TargetSpec("t", "Transit Commissioner"), fax_number="+14165550133", reference="TC-4457", language="en", stamped_at=utcnow(),
        sender_phone="+14165550198", operator_name="Bench", verify_url="https://letters.example/v/x")
    pages = page_count(fax_pdf(document))
    tiff_of(fax_pdf(document))
    began = time.perf_counter()
    pdfs = [fax_pdf(replace(document, reference=f"TC-{i}")) for i in range(PAGES)]
    only_pdf = PAGES * pages / (time.perf_counter() - began)
    began = time.perf_counter()
    for i, _ in enumerate(pdfs):
        tiff_of(fax_pdf(replace(document, reference=f"TD-{i}")))
    note("fax_pages_per_second", PAGES * pages / (time.perf_counter() - began), only_pdf, "pages/s", "floor: PDF only")
