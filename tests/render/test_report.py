"""The printed report's pages: what stands at their foot, and the chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pypdfium2 as pdfium

from outreach.render.report import Day, ReportDocument, report_pdf

SUBJECT = "Keep the night bus running"


def pages(days: Sequence[Day]) -> list[list[str]]:
    """The lines of each page of a report, its footer left out."""
    made = report_pdf(ReportDocument(
        title="Keep the night bus", operator="Riders", lead=["Not published yet."], figures=[("letters", 0)], states=[], targets=[],
        days=days, failures=[], forecast=[], subject=SUBJECT, body="\n\n".join(["Please keep it. " * 30] * 4), addressee="City Council",
        made_at=datetime(2026, 11, 24, tzinfo=UTC), zone="UTC"))
    file = pdfium.PdfDocument(made)
    try:
        return [[line.strip() for line in page.get_textpage().get_text_range().splitlines() if line.strip()][:-1] for page in file]
    finally:
        file.close()


def test_a_heading_never_stands_alone_at_the_foot_of_a_page() -> None:
    """As the table grows by a day, the letter's heading, note and subject come to the end of the page one after another."""
    feet = []
    for n in range(23, 30):
        made = pages([Day(f"day {i}", 1, 1, 1) for i in range(n)])
        feet.append(made[0][-1] if len(made) > 1 else "")
    assert feet[0].startswith("Please") and feet[-1].startswith("day"), "the end of the page is not where this looks for it"
    assert not [foot for foot in feet if foot in ("What the letter says", SUBJECT) or foot.startswith("As an invented")], feet


def test_a_single_day_is_no_chart() -> None:
    day = Day("2026-11-23", 7, 7, 7)
    assert not any("the tallest bar" in line for line in pages([day])[0])
    assert any("the tallest bar is 7" in line for line in pages([day, day])[0])
